/* T31: names of nodes. */
#include "cm.h"

#include "base/name.h"

static void names_are_lower_case_words_and_nothing_else(void **state)
{
	(void)state;
	static const gchar *const good[] = { "a", "web", "web-1", "a--",
		"a123456789012345678901234567890" };
	static const gchar *const bad[] = { NULL, "", "1web", "-web", "Web", "we b", "web\n",
		"../x", "a/b", "a.b", "$(id)", "`id`", "-o", "a;b", "a'b", "a\"b", "a<b", "a&b",
		"a%n",
		"w\xc3\xa9"
		"b",
		"\xd0\xb0", "a_b", "a\\b", "a\x1b[1m", "a1234567890123456789012345678901" };
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
		assert_true(isc_name_is_valid(good[i]));
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		GError *error = NULL;
		assert_false(isc_name_is_valid(bad[i]));
		assert_false(isc_name_check("node", bad[i], &error));
		assert_null(strpbrk(error->message, "\x1b\n"));
		assert_error(error, ISC_ERROR_INVALID, "node name");
	}
	GError *error = NULL;
	assert_true(isc_name_check("node", "web", &error));
	assert_null(error);
}

static void digests_are_64_lower_case_hex_digits(void **state)
{
	(void)state;
	g_autofree gchar *f = g_strnfill(64, 'f'), *upper = g_strnfill(64, 'F'),
			 *more = g_strnfill(65, 'f'), *less = g_strnfill(63, 'f');
	assert_true(isc_digest_is_valid(f));
	assert_false(isc_digest_is_valid(upper));
	assert_false(isc_digest_is_valid(more));
	assert_false(isc_digest_is_valid(less));
	assert_false(isc_digest_is_valid(NULL));
}

static void versions_and_keys_keep_to_their_alphabets(void **state)
{
	(void)state;
	assert_true(isc_version_is_valid("1.22.1-9+deb12u3~x"));
	assert_false(isc_version_is_valid("-1"));
	assert_false(isc_version_is_valid("1/2"));
	assert_false(isc_version_is_valid("1:2"));
	assert_false(isc_version_is_valid(""));
	assert_true(isc_key_is_valid("PATH"));
	assert_true(isc_key_is_valid("_a.b-c"));
	assert_false(isc_key_is_valid("1A"));
	assert_false(isc_key_is_valid("A=B"));
	g_autofree gchar *more = g_strnfill(65, '1'), *most = g_strnfill(64, 'A');
	assert_false(isc_version_is_valid(more));
	assert_false(isc_key_is_valid(most));
}

static void escaped_text_moves_no_cursor_and_forges_no_line(void **state)
{
	(void)state;
	static const struct {
		const gchar *text;
		gssize len;
		gsize max;
		const gchar *shown;
	} cases[] = {
		{ "plain tëxt", -1, 99, "plain tëxt" },
		{ "a\x1b[2Jb", -1, 99, "a\\x1b[2Jb" },
		{ "a\nb\rc\x7f", -1, 99, "a\\x0ab\\x0dc\\x7f" },
		{ "\xff\xc3", -1, 99, "\\xff\\xc3" },
		{ "\xc2\x9b"
		  "1m",
				-1, 99, "\\xc2\\x9b1m" },
		{ "\xe2\x80\xae"
		  "x",
				-1, 99, "\\xe2\\x80\\xaex" }, /* right-to-left override */
		{ "a\\x1b", -1, 99, "a\\x5cx1b" },
		{ "a\0b", 3, 99, "a\\x00b" },
		{ "abcdef", -1, 3, "abc…" },
		{ "", -1, 3, "" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree gchar *got = isc_text_escape(cases[i].text, cases[i].len, cases[i].max);
		assert_string_equal(got, cases[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_lower_case_words_and_nothing_else),
		cmocka_unit_test(digests_are_64_lower_case_hex_digits),
		cmocka_unit_test(versions_and_keys_keep_to_their_alphabets),
		cmocka_unit_test(escaped_text_moves_no_cursor_and_forges_no_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
