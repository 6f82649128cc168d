/* R1.3: names of hosts in rules. */
#include "cm.h"

#include "engine/names.h"

/* --- one name ------------------------------------------------------------------------------ */

static void is_held(const IscNamesEntry *e, const gchar *wanted)
{
	g_autoptr(GString) s = g_string_new(NULL);
	for (guint i = 0; i < e->n_held; i++)
		g_string_append_printf(s, "%s%u", i ? " " : "", e->held[i].address);
	assert_string_equal(s->str, wanted);
}

static void an_address_that_is_gone_is_kept_for_one_ttl_more(void **state)
{
	(void)state;
	IscNamesEntry e = { 0 };
	const IscNamesAnswer one = { { 1 }, 1, 100 }, two = { { 2 }, 1, 100 };

	assert_true(isc_names_entry_take(&e, &one, 1000));
	is_held(&e, "1");
	assert_int_equal(e.due, 1100);
	assert_true(isc_names_entry_take(&e, &two, 1100));
	is_held(&e, "1 2");
	assert_true(isc_names_entry_take(&e, &two, 1200));
	is_held(&e, "2");
	assert_false(isc_names_entry_take(&e, &two, 1300));
}

static void a_ttl_is_kept_within_bounds(void **state)
{
	(void)state;
	IscNamesEntry e = { 0 };
	const IscNamesAnswer none = { { 1 }, 1, 0 }, endless = { { 1 }, 1, G_MAXUINT32 };

	(void)isc_names_entry_take(&e, &none, 0);
	assert_int_equal(e.due, ISC_NAMES_TTL_MIN);
	(void)isc_names_entry_take(&e, &endless, 0);
	assert_int_equal(e.due, ISC_NAMES_TTL_MAX);
}

static void without_an_answer_what_was_known_holds_for_a_while(void **state)
{
	(void)state;
	IscNamesEntry e = { 0 };
	const IscNamesAnswer one = { { 1 }, 1, 100 };
	static const gint64 waits[] = { 5, 10, 20, 40, 60, 60, 60 };

	(void)isc_names_entry_take(&e, &one, 1000);
	for (gsize i = 0; i < G_N_ELEMENTS(waits); i++) {
		assert_false(isc_names_entry_take(&e, NULL, 2000));
		assert_int_equal(e.due, 2000 + waits[i]);
	}
	assert_false(isc_names_entry_take(&e, NULL, 1100 + ISC_NAMES_KEEP - 1));
	is_held(&e, "1");
	assert_true(isc_names_entry_take(&e, NULL, 1100 + ISC_NAMES_KEEP));
	is_held(&e, "");
	assert_true(isc_names_entry_take(&e, &one, 9999));
	assert_int_equal(e.failures, 0);
}

static void that_a_name_is_gone_is_an_answer(void **state)
{
	(void)state;
	IscNamesEntry e = { 0 };
	const IscNamesAnswer one = { { 1 }, 1, 100 }, gone = { .ttl = 60 };

	(void)isc_names_entry_take(&e, &one, 0);
	assert_false(isc_names_entry_take(&e, &gone, 100));
	assert_true(isc_names_entry_take(&e, &gone, 200));
	is_held(&e, "");
}

static void more_addresses_than_there_is_room_for_are_left_out(void **state)
{
	(void)state;
	IscNamesEntry e = { 0 };
	for (guint round = 0; round < 5; round++) {
		IscNamesAnswer full = { .n = ISC_NAMES_MAX_ADDRESSES, .ttl = 3600 };
		for (guint i = 0; i < full.n; i++)
			full.addresses[i] = round * 100 + i;
		(void)isc_names_entry_take(&e, &full, 0);
		assert_true(e.n_held <= G_N_ELEMENTS(e.held));
	}
}

/* --- all of them --------------------------------------------------------------------------- */

typedef struct {
	GMutex lock;
	GCond changed;
	guint asked, told;
	gboolean fails, hangs;
	guint32 last;
	gchar *trouble;
} Server;

static gboolean lookup(const gchar *name, IscNamesAnswer *out, gpointer data, GError **error)
{
	Server *s = data;
	g_mutex_lock(&s->lock);
	s->asked++;
	while (s->hangs && g_str_has_prefix(name, "slow"))
		g_cond_wait(&s->changed, &s->lock);
	gboolean fails = s->fails;
	g_mutex_unlock(&s->lock);
	*out = (IscNamesAnswer){ { 7 }, 1, 1000 };
	if (fails)
		g_set_error_literal(error, g_quark_from_static_string("x"), 1, "no answer");
	return !fails;
}

static void on_changed(const gchar *name, const guint32 *addresses, guint n, const gchar *trouble,
		gpointer data)
{
	Server *s = data;
	(void)name;
	g_mutex_lock(&s->lock);
	s->told++;
	s->last = n ? addresses[0] : 0;
	g_free(s->trouble);
	s->trouble = g_strdup(trouble);
	g_cond_broadcast(&s->changed);
	g_mutex_unlock(&s->lock);
}

static void wait_told(Server *s, guint n)
{
	gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
	g_mutex_lock(&s->lock);
	while (s->told < n && g_cond_wait_until(&s->changed, &s->lock, end))
		;
	assert_true(s->told >= n);
	g_mutex_unlock(&s->lock);
}

static void what_is_wanted_is_asked_once_and_told_once(void **state)
{
	(void)state;
	Server s = { 0 };
	const gchar *const one[] = { "a.example.org", NULL }, *const none[] = { NULL };
	g_autoptr(IscNames) names = isc_names_new(lookup, on_changed, &s);
	g_autofree gchar *trouble = NULL;

	isc_names_want(names, one);
	isc_names_want(names, one);
	wait_told(&s, 1);
	isc_names_want(names, one);
	g_autoptr(GArray) got = isc_names_get(names, "a.example.org", &trouble);
	assert_int_equal(got->len, 1);
	assert_int_equal(g_array_index(got, guint32, 0), 7);
	assert_null(trouble);
	assert_int_equal(s.asked, 1);
	isc_names_want(names, none);
	g_autoptr(GArray) gone = isc_names_get(names, "a.example.org", &trouble);
	assert_int_equal(gone->len, 0);
	assert_non_null(trouble);
}

static void a_server_that_hangs_holds_up_nobody_else(void **state)
{
	(void)state;
	Server s = { .hangs = TRUE };
	const gchar *const both[] = { "slow.example.org", "a.example.org", NULL };
	IscNames *names = isc_names_new(lookup, on_changed, &s);

	isc_names_want(names, both);
	wait_told(&s, 1);
	g_autoptr(GArray) slow = isc_names_get(names, "slow.example.org", NULL);
	assert_int_equal(slow->len, 0);
	g_mutex_lock(&s.lock);
	s.hangs = FALSE;
	g_cond_broadcast(&s.changed);
	g_mutex_unlock(&s.lock);
	isc_names_free(names);
	assert_int_equal(s.told, 2);
}

static void what_was_recalled_holds_while_no_server_answers(void **state)
{
	(void)state;
	Server s = { .fails = TRUE };
	const gchar *const one[] = { "a.example.org", NULL };
	g_autoptr(GArray) known = g_array_new(FALSE, FALSE, sizeof(guint32));
	const guint32 address = 9;
	IscNames *names = isc_names_new(lookup, on_changed, &s);

	g_array_append_val(known, address);
	isc_names_recall(names, "a.example.org", known, 100);
	isc_names_want(names, one);
	wait_told(&s, 1);
	g_autofree gchar *trouble = NULL;
	g_autoptr(GArray) got = isc_names_get(names, "a.example.org", &trouble);
	assert_int_equal(got->len, 1);
	assert_int_equal(s.last, 9);
	assert_string_equal(s.trouble, "no answer");
	assert_string_equal(trouble, "no answer");
	isc_names_free(names);
	g_free(s.trouble);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_that_is_gone_is_kept_for_one_ttl_more),
		cmocka_unit_test(a_ttl_is_kept_within_bounds),
		cmocka_unit_test(without_an_answer_what_was_known_holds_for_a_while),
		cmocka_unit_test(that_a_name_is_gone_is_an_answer),
		cmocka_unit_test(more_addresses_than_there_is_room_for_are_left_out),
		cmocka_unit_test(what_is_wanted_is_asked_once_and_told_once),
		cmocka_unit_test(a_server_that_hangs_holds_up_nobody_else),
		cmocka_unit_test(what_was_recalled_holds_while_no_server_answers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
