#include "cm.h"

#include "cli/output.h"

static gchar *json_of(const gchar *text, gboolean pretty)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) value = g_variant_parse(NULL, text, NULL, NULL, &error);
	assert_no_error(error);
	g_autoptr(IscJson) json = isc_output_to_json(value);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_output_json(out, json, pretty);
	return g_strdup(g_strchomp(out->str));
}

static void every_kind_of_variant_becomes_json(void **state)
{
	(void)state;
	static const struct {
		const gchar *variant, *json;
	} cases[] = {
		{ "true", "true" },
		{ "byte 0xff", "255" },
		{ "int16 -5", "-5" },
		{ "uint16 65535", "65535" },
		{ "-5", "-5" },
		{ "uint32 4294967295", "4294967295" },
		{ "int64 -9223372036854775808", "-9223372036854775808" },
		{ "uint64 18446744073709551615", "18446744073709551615" },
		{ "0.1", "0.1" },
		{ "1e300", "1e+300" },
		{ "3.0000000000000004", "3.0000000000000004" },
		{ "nan", "null" },
		{ "-inf", "null" },
		{ "'a\"b\\\\c/d\\n'", "\"a\\\"b\\\\c/d\\n\"" },
		{ "objectpath '/a'", "\"/a\"" },
		{ "signature 'as'", "\"as\"" },
		{ "handle 3", "3" },
		{ "<<'x'>>", "\"x\"" },
		{ "@ms nothing", "null" },
		{ "@ms 'x'", "\"x\"" },
		{ "['a','b']", "[\"a\",\"b\"]" },
		{ "@as []", "[]" },
		{ "(1,'a',true)", "[1,\"a\",true]" },
		{ "{'k': <1>, 'l': <['x']>}", "{\"k\":1,\"l\":[\"x\"]}" },
		{ "@a{sv} {}", "{}" },
		{ "{uint32 7: 'seven'}", "{\"7\":\"seven\"}" },
		{ "[{'a': <1>}, {'a': <{'b': <2>}>}]", "[{\"a\":1},{\"a\":{\"b\":2}}]" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree gchar *got = json_of(cases[i].variant, FALSE);
		if (!g_str_equal(got, cases[i].json))
			fail_msg("%s gave %s, wanted %s", cases[i].variant, got, cases[i].json);
		g_autofree gchar *pretty = json_of(cases[i].variant, TRUE);
		g_autoptr(IscJson) a = json_tokener_parse(pretty), b = json_tokener_parse(got);
		assert_true(json_object_equal(a, b));
	}
}

static void json_holds_no_character_that_a_terminal_obeys(void **state)
{
	(void)state;
	/* ESC, DEL, CSI (U+009B), right-to-left override, zero width joiner, a tag beyond 16 bits
	 */
	const gchar *evil = "a\033b\177c\302\233d\342\200\256e\342\200\215f\363\240\201\201g";
	g_autoptr(GVariant) value = g_variant_ref_sink(g_variant_new_string(evil));
	g_autoptr(IscJson) json = isc_output_to_json(value);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_output_json(out, json, FALSE);
	for (const gchar *p = out->str; *p; p++)
		assert_true((*p >= 0x20 && *p < 0x7f) || *p == '\n');

	g_autoptr(IscJson) back = json_tokener_parse(out->str);
	assert_string_equal(json_object_get_string(back), evil);
}

static void text_is_cleaned_only_where_it_must_be(void **state)
{
	(void)state;
	g_autofree gchar *plain = isc_output_text("C:\\x — 中文 é");
	assert_string_equal(plain, "C:\\x — 中文 é");
	g_autofree gchar *evil = isc_output_text("a\033]0;x\007\nb");
	assert_string_equal(evil, "a\\x1b]0;x\\x07\\x0ab");
	g_autofree gchar *bad = isc_output_text("a\xff");
	assert_string_equal(bad, "a\\xff");
}

static const IscColumn columns[] = {
	{ "NAME", "name", NULL },
	{ "STATE", "state", NULL },
	{ "SIZE", "size", isc_output_show_size },
	{ "LIST", "list", NULL },
	{ NULL },
};

static void tables_stay_aligned_whatever_is_in_them(void **state)
{
	(void)state;
	g_autoptr(GVariant) rows = g_variant_parse(NULL,
			"[{'name': <'web'>, 'state': <'ready'>, 'size': <uint64 1536>, 'list': "
			"<['a','b']>},"
			" {'name': <'中文'>, 'state': <'x\\u001b[31my'>},"
			" {'name': <'cafe\\u0301'>, 'list': <@as []>, 'size': <uint64 0>}]",
			NULL, NULL, NULL);
	assert_non_null(rows);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_output_table(out, rows, columns);
	assert_string_equal(out->str, "NAME  STATE       SIZE     LIST\n"
				      "web   ready       1.5 KiB  a, b\n"
				      "中文  x\\x1b[31my  -        -\n"
				      "cafe\u0301  -           0 B      -\n");
}

static void an_empty_table_is_its_head(void **state)
{
	(void)state;
	g_autoptr(GVariant) rows =
			g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
	g_autoptr(GString) out = g_string_new(NULL);
	isc_output_table(out, rows, columns);
	assert_string_equal(out->str, "NAME  STATE  SIZE  LIST\n");
}

static void pairs_come_in_order_with_nested_ones_below(void **state)
{
	(void)state;
	static const gchar *const first[] = { "name", "state", "absent", NULL };
	g_autoptr(GVariant) dict = g_variant_parse(NULL,
			"{'zeta': <1.5>, 'state': <'ready'>, 'name': <'web'>, 'claims': <{'ready': "
			"<true>}>,"
			" 'spec': <'[Node]\\nName=web\\n\\n[X]\\n'>, 'alpha': <['a','b']>, 'none': "
			"<@as []>}",
			NULL, NULL, NULL);
	assert_non_null(dict);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_output_pairs(out, dict, first);
	assert_string_equal(out->str, "name:   web\n"
				      "state:  ready\n"
				      "alpha:  a, b\n"
				      "claims:\n"
				      "    ready: yes\n"
				      "none:\n"
				      "spec:\n"
				      "    [Node]\n"
				      "    Name=web\n"
				      "\n"
				      "    [X]\n"
				      "zeta:   1.5\n");
}

static void a_text_cannot_forge_a_key_of_its_own(void **state)
{
	(void)state;
	g_autoptr(GVariant) dict = g_variant_parse(
			NULL, "{'reason': <'x\\rstate: ready'>, 'a\\nb': <'c'>}", NULL, NULL, NULL);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_output_pairs(out, dict, NULL);
	assert_string_equal(out->str, "a\\x0ab: c\nreason: x\\x0dstate: ready\n");
}

static void names_are_printed_once_each(void **state)
{
	(void)state;
	g_autoptr(GVariant) rows = g_variant_parse(NULL,
			"[{'name': <'b'>}, {'name': <'a'>}, {'name': <'b'>}, {'x': <'y'>}]", NULL,
			NULL, NULL);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_output_names(out, rows, FALSE);
	assert_string_equal(out->str, "b\na\n");
}

static void times_and_sizes_are_for_people(void **state)
{
	(void)state;
	g_setenv("TZ", "UTC", TRUE);
	g_autofree gchar *time = isc_output_time(1700000000);
	assert_string_equal(time, "2023-11-14 22:13:20");
	g_autofree gchar *never = isc_output_time(0);
	assert_string_equal(never, "-");
	g_autofree gchar *big = isc_output_size(G_MAXUINT64);
	assert_string_equal(big, "16.0 EiB");
	g_autofree gchar *small = isc_output_size(1023);
	assert_string_equal(small, "1023 B");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_variant_becomes_json),
		cmocka_unit_test(json_holds_no_character_that_a_terminal_obeys),
		cmocka_unit_test(text_is_cleaned_only_where_it_must_be),
		cmocka_unit_test(tables_stay_aligned_whatever_is_in_them),
		cmocka_unit_test(an_empty_table_is_its_head),
		cmocka_unit_test(pairs_come_in_order_with_nested_ones_below),
		cmocka_unit_test(a_text_cannot_forge_a_key_of_its_own),
		cmocka_unit_test(names_are_printed_once_each),
		cmocka_unit_test(times_and_sizes_are_for_people),
	};
	return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
