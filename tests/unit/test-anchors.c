#include "cm.h"

#include "cli/anchors.h"

static void what_was_printed_is_read_again(void **state)
{
	(void)state;
	g_autoptr(GString) text = g_string_new("# a comment\n\n");
	guint8 key[32] = { 1, 2, 3 };
	IscTrailReport report = { .last_block = 12, .records = 99, .head = { 0xab, 0xcd } };
	g_autoptr(GError) error = NULL;
	isc_anchors_print_key(text, key);
	isc_anchors_print_trail(text, "web", &report);
	report.last_block = 13;
	isc_anchors_print_trail(text, "web", &report);
	isc_anchors_print_trail(text, "@dock", &report);

	g_autoptr(IscAnchors) a = isc_anchors_parse(text->str, text->len, &error);
	assert_no_error(error);
	assert_true(a->has_key);
	assert_memory_equal(a->key, key, sizeof key);
	GArray *web = g_hash_table_lookup(a->trails, "web");
	assert_int_equal(web->len, 2);
	assert_int_equal(g_array_index(web, IscTrailAnchor, 1).block, 13);
	assert_memory_equal(g_array_index(web, IscTrailAnchor, 0).head, "\xab\xcd\0\0\0\0\0\0", 8);
	assert_non_null(g_hash_table_lookup(a->trails, "@dock"));
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
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		assert_null(isc_anchors_parse(cases[i].text, strlen(cases[i].text), &error));
		assert_error(error, ISC_ERROR_INVALID, cases[i].what);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_printed_is_read_again),
		cmocka_unit_test(a_wrong_line_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
