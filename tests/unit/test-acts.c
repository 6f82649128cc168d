/* R4.4, R4.5: the spool of the dock's own acts loses nothing. */
#include "cm.h"

#include <glib/gstdio.h>
#include <libaudit.h>

#include "store/acts.h"

typedef struct {
	gchar *dir, *path;
	IscActs *acts;
} Fixture;

static void reopen(Fixture *f, guint max)
{
	g_autoptr(GError) error = NULL;
	isc_acts_close(f->acts);
	f->acts = isc_acts_open(f->path, max, &error);
	assert_no_error(error);
}

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	f->dir = g_dir_make_tmp("isc-acts-XXXXXX", NULL);
	f->path = g_build_filename(f->dir, "acts.db", NULL);
	reopen(f, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	static const gchar *const tails[] = { "", "-wal", "-shm" };
	isc_acts_close(f->acts);
	for (gsize i = 0; i < G_N_ELEMENTS(tails); i++) {
		g_autofree gchar *path = g_strconcat(f->path, tails[i], NULL);
		(void)g_unlink(path);
	}
	(void)g_rmdir(f->dir);
	g_free(f->dir);
	g_free(f->path);
	g_free(f);
	return 0;
}

static void add(Fixture *f, const gchar *text)
{
	g_autoptr(GError) error = NULL;
	assert_true(isc_acts_add(f->acts, AUDIT_USER_CMD, text, &error));
}

/* The texts behind their stamps that wait behind (@session, @number), with a space behind each. */
static gchar *waiting(Fixture *f, guint64 session, guint64 number)
{
	GString *out = g_string_new(NULL);
	g_autoptr(GPtrArray) all = isc_acts_list(f->acts, session, number, 1000, NULL);
	assert_non_null(all);
	for (guint i = 0; i < all->len; i++)
		g_string_append_printf(
				out, "%s ", strstr(((IscAct *)all->pdata[i])->text, "): ") + 3);
	return g_string_free(out, FALSE);
}

static IscAct first(Fixture *f)
{
	g_autoptr(GPtrArray) all = isc_acts_list(f->acts, 0, 0, 1, NULL);
	assert_int_equal(all->len, 1);
	IscAct act = *(IscAct *)all->pdata[0];
	act.text = NULL;
	return act;
}

static void acts_wait_in_their_order_until_they_are_done(void **state)
{
	Fixture *f = *state;
	add(f, "a");
	add(f, "b");
	add(f, "c");
	IscAct a = first(f);
	assert_int_equal(a.number, 1);
	assert_true(a.session != 0);
	g_autofree gchar *all = waiting(f, 0, 0), *behind = waiting(f, a.session, 2);
	assert_string_equal(all, "a b c ");
	assert_string_equal(behind, "c ");

	assert_true(isc_acts_done(f->acts, a.session, 2, NULL));
	g_autofree gchar *left = waiting(f, 0, 0);
	assert_string_equal(left, "c ");
	assert_int_equal(isc_acts_count(f->acts), 1);
}

static void a_new_life_goes_on_behind_the_old_one(void **state)
{
	Fixture *f = *state;
	add(f, "a");
	add(f, "b");
	IscAct old = first(f);
	reopen(f, 0);
	add(f, "c");
	g_autofree gchar *all = waiting(f, old.session, 1);
	assert_string_equal(all, "b c ");

	/* What the new life has told is told for the old one, too: it went first. */
	g_autoptr(GPtrArray) rows = isc_acts_list(f->acts, old.session, 2, 10, NULL);
	const IscAct *c = rows->pdata[0];
	assert_int_equal(c->number, 1);
	assert_true(c->session != old.session);
	assert_true(isc_acts_done(f->acts, c->session, 0, NULL));
	g_autofree gchar *left = waiting(f, 0, 0);
	assert_string_equal(left, "c ");
}

/* The power failed, the newest acts are missing here, but the trail has them: no later one may look
 * as if it were one of them. */
static void numbers_are_never_used_twice(void **state)
{
	Fixture *f = *state;
	add(f, "a");
	IscAct old = first(f);
	assert_true(isc_acts_done(f->acts, old.session, 1, NULL));
	reopen(f, 0);
	add(f, "b");
	IscAct now = first(f);
	assert_true(now.session > old.session);
}

static void another_session_says_nothing(void **state)
{
	Fixture *f = *state;
	add(f, "a");
	assert_true(isc_acts_done(f->acts, 0, 99, NULL));
	assert_true(isc_acts_done(
			f->acts, first(f).session ^ G_GUINT64_CONSTANT(1) << 40, 99, NULL));
	g_autofree gchar *all = waiting(f, 12345, 99);
	assert_string_equal(all, "a ");
}

static void what_does_not_fit_is_counted_and_the_count_is_on_record(void **state)
{
	Fixture *f = *state;
	reopen(f, 2);
	static const gchar *const texts[] = { "a", "b", "c", "d", "e" };
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
		add(f, texts[i]);
	g_autofree gchar *full = waiting(f, 0, 0);
	assert_string_equal(full, "a b ");
	assert_true(isc_acts_done(f->acts, first(f).session, 2, NULL));

	reopen(f, 2); /* the count outlives the daemon */
	add(f, "f");
	g_autofree gchar *all = waiting(f, 0, 0);
	assert_non_null(strstr(all, "op=lost source=dock count=3 res=failed"));
	assert_true(g_str_has_suffix(all, "f "));
}

static void a_file_that_is_none_is_refused_with_the_next_step(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *path = g_build_filename(f->dir, "garbage", NULL);
	assert_true(g_file_set_contents(
			path, "no database, but long enough to be read as one", -1, NULL));
	assert_null(isc_acts_open(path, 0, &error));
	assert_error(error, ISC_ERROR_HOST, "move it away");
	(void)g_unlink(path);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(acts_wait_in_their_order_until_they_are_done),
		TEST(a_new_life_goes_on_behind_the_old_one),
		TEST(numbers_are_never_used_twice),
		TEST(another_session_says_nothing),
		TEST(what_does_not_fit_is_counted_and_the_count_is_on_record),
		TEST(a_file_that_is_none_is_refused_with_the_next_step),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
