/* R4.2, T19: many anchors against many trails. */
#include "cm.h"

#include <glib/gstdio.h>

#include "model/anchors.h"

/* A text as isc-dockd makes it, without its signature. */
static GString *make_text(void)
{
	GString *text = g_string_new(NULL);
	const guint8 key[32] = { 1, 2, 3 };
	const IscTrailAnchor first = { 12, { 0xab, 0xcd } }, second = { 13, { 0xef } };
	isc_anchors_print_head(text, 1700000000, key);
	isc_anchors_print_trail(text, "web", &first, 99);
	isc_anchors_print_trail(text, "web", &second, 102);
	isc_anchors_print_trail(text, "+web", &second, 1);
	isc_anchors_print_trail(text, "@dock", &first, 5);
	return text;
}

static void what_was_printed_is_read_again(void **state)
{
	(void)state;
	g_autoptr(GString) text = make_text();
	g_autoptr(GError) error = NULL;
	assert_non_null(strstr(text->str, "# ends of audit trails, 2023-11-14 22:13:20 UTC;"));
	assert_non_null(strstr(text->str, "\nweb 12:abcd000000000000 99\n"));
	g_autoptr(IscAnchors) a = isc_anchors_parse(text->str, text->len, &error);
	assert_no_error(error);
	assert_true(a->has_key);
	assert_memory_equal(a->key, "\1\2\3\0\0\0\0\0", 8);
	GArray *web = g_hash_table_lookup(a->trails, "web");
	assert_int_equal(web->len, 2);
	assert_int_equal(g_array_index(web, IscTrailAnchor, 1).block, 13);
	assert_memory_equal(g_array_index(web, IscTrailAnchor, 0).head, "\xab\xcd\0\0\0\0\0\0", 8);
	assert_non_null(g_hash_table_lookup(a->trails, "@dock"));
	assert_non_null(g_hash_table_lookup(a->trails, "+web"));
	assert_null(a->signature);
}

static void a_wrong_line_is_named(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *what;
	} cases[] = {
		{ "", "no anchor" },
		{ "# nothing\n", "no anchor" },
		{ "web 1:0011223344556677 5\n../x 1:0011223344556677\n", "line 2" },
		{ "web\n", "line 1" },
		{ "web 1:00\n", "line 1" },
		{ "web 1:001122334455667x\n", "line 1" },
		{ "web -1:0011223344556677\n", "line 1" },
		{ "key ed25519 00\nweb 1:0011223344556677\n", "line 1" },
		{ "untrusted comment: x\nweb 1:0011223344556677\n", "no anchor" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		assert_null(isc_anchors_parse(cases[i].text, strlen(cases[i].text), &error));
		assert_error(error, ISC_ERROR_INVALID, cases[i].what);
	}
	g_autoptr(GError) error = NULL;
	assert_null(isc_anchors_parse("web 1:0011223344556677 5\0\n", 26, &error));
	assert_error(error, ISC_ERROR_INVALID, "no text");
}

/* --- signed --- */

typedef struct {
	gchar *dir;
	IscPublicKey key, other;
	GString *text; /* signed by key */
} Signed;

static gchar *make_key(const Signed *s, const gchar *name, IscPublicKey *out)
{
	g_autoptr(GError) error = NULL;
	gchar *secret = g_strdup_printf("%s/%s.key", s->dir, name);
	g_autofree gchar *public = g_strdup_printf("%s/%s.pub", s->dir, name), *text = NULL;
	gsize len;
	assert_true(isc_minisign_keygen(secret, public, &error));
	assert_true(g_file_get_contents(public, &text, &len, NULL));
	assert_true(isc_public_key_parse(text, len, out, &error));
	g_unlink(public);
	return secret;
}

static int set_up(void **state)
{
	Signed *s = g_new0(Signed, 1);
	g_autoptr(GError) error = NULL;
	s->dir = g_dir_make_tmp("isc-anchors-XXXXXX", NULL);
	g_autofree gchar *secret = make_key(s, "dock", &s->key);
	g_autofree gchar *other = make_key(s, "other", &s->other);
	s->text = make_text();
	g_autofree gchar *sig = isc_minisign_sign(
			secret, s->text->str, s->text->len, "noted by uid 7", &error);
	assert_no_error(error);
	g_string_append(s->text, sig);
	g_unlink(secret);
	g_unlink(other);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	Signed *s = *state;
	g_rmdir(s->dir);
	g_free(s->dir);
	g_string_free(s->text, TRUE);
	g_free(s);
	return 0;
}

static void what_the_dock_signed_holds(void **state)
{
	const Signed *s = *state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *comment = NULL;
	g_autoptr(IscAnchors) a = isc_anchors_parse(s->text->str, s->text->len, &error);
	assert_no_error(error);
	assert_non_null(a->signature);
	assert_int_equal(((GArray *)g_hash_table_lookup(a->trails, "web"))->len, 2);
	assert_true(isc_anchors_check(a, &s->key, &comment, &error));
	assert_string_equal(comment, "noted by uid 7");
	assert_false(isc_anchors_check(a, &s->other, &comment, &error));
	assert_error(error, ISC_ERROR_VERIFY, "signed by key");
}

/* Not one byte can be another: it is refused as a text, or the signature does not hold.  But for
 * the first line of the signature, which is for people. */
static void no_byte_of_it_can_be_changed(void **state)
{
	const Signed *s = *state;
	gsize sig = (gsize)(strstr(s->text->str, "untrusted comment:") - s->text->str);
	gsize end = (gsize)(strchr(s->text->str + sig, '\n') - s->text->str);
	guint checked = 0;
	for (gsize i = 0; i < s->text->len - 1; i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *text = g_memdup2(s->text->str, s->text->len + 1);
		g_autofree gchar *comment = NULL;
		text[i] ^= 1;
		if (i >= sig + strlen("untrusted comment: ") && i < end)
			continue;
		g_autoptr(IscAnchors) a = isc_anchors_parse(text, s->text->len, &error);
		if (a && a->signature && isc_anchors_check(a, &s->key, &comment, &error))
			fail_msg("byte %" G_GSIZE_FORMAT " was changed, and it holds", i);
		if (a && !a->signature)
			fail_msg("byte %" G_GSIZE_FORMAT " makes it look unsigned", i);
		checked += a != NULL;
	}
	assert_true(checked > 100);
}

/* Lines put in, taken out, put behind it; the signature of another text. */
static void no_line_of_it_can_be_added_or_taken(void **state)
{
	const Signed *s = *state;
	const gchar *web = strstr(s->text->str, "web 12:"),
		    *sig = strstr(s->text->str, "untrusted");
	g_autoptr(GString) more = g_string_new(s->text->str);
	g_autoptr(GString) less = g_string_new(s->text->str);
	g_autoptr(GString) behind = g_string_new(s->text->str);
	g_autoptr(GString) swapped = g_string_new(NULL);
	g_string_insert(more, web - s->text->str, "gone 5:0011223344556677 9\n");
	g_string_erase(less, web - s->text->str, strcspn(web, "\n") + 1);
	g_string_append(behind, "gone 5:0011223344556677 9\n");
	g_string_append_printf(swapped, "web 1:0011223344556677 5\n%s", sig);
	const GString *all[] = { more, less, behind, swapped };
	for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *comment = NULL;
		g_autoptr(IscAnchors) a = isc_anchors_parse(all[i]->str, all[i]->len, &error);
		assert_no_error(error);
		assert_non_null(a->signature);
		assert_false(isc_anchors_check(a, &s->key, &comment, &error));
		assert_error(error, ISC_ERROR_VERIFY, "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_printed_is_read_again),
		cmocka_unit_test(a_wrong_line_is_named),
		cmocka_unit_test_setup_teardown(what_the_dock_signed_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_byte_of_it_can_be_changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
				no_line_of_it_can_be_added_or_taken, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
