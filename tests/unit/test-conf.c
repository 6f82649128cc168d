/* T37: files of settings that are wrong or open to others. */
#include "cm.h"
#include "model/conf.h"

static const IscConfKey keys[] = {
	{ "Image", "Name", FALSE },
	{ "Image", "Packages", FALSE },
	{ "Service", "Environment", TRUE },
	{ "Service", "User", FALSE },
	{ NULL, NULL, FALSE },
};

static IscConf *parse(const gchar *text, GError **error)
{
	return isc_conf_parse("x.conf", text, strlen(text), keys, error);
}

static void entries_keep_order_lines_and_repetition(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscConf) conf = parse("# c\n[Image]\nName = web \n\n[Service]\nEnvironment=A=1\n"
					"; c\nEnvironment=B=2\r\nUser=",
			&error);
	assert_no_error(error);
	gsize n;
	const IscConfEntry *e = isc_conf_entries(conf, &n);
	assert_int_equal(n, 4);
	assert_string_equal(e[0].section, "Image");
	assert_string_equal(e[0].key, "Name");
	assert_string_equal(e[0].value, "web");
	assert_int_equal(e[0].line, 3);
	assert_string_equal(e[1].value, "A=1");
	assert_string_equal(e[2].value, "B=2");
	assert_int_equal(e[2].line, 8);
	assert_string_equal(e[3].value, "");
	assert_string_equal(isc_conf_get(conf, "Service", "Environment")->value, "B=2");
	assert_null(isc_conf_get(conf, "Image", "Packages"));
}

static void a_backslash_continues_a_line_over_comments(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscConf) conf =
			parse("[Image]\nPackages=a \\\n  b \\\n# why c\\\n  c\nName=x\n", &error);
	assert_no_error(error);
	const IscConfEntry *e = isc_conf_get(conf, "Image", "Packages");
	g_auto(GStrv) words = g_strsplit_set(e->value, " \t", -1);
	g_autofree gchar *joined = g_strjoinv("", words);
	assert_string_equal(joined, "abc");
	assert_int_equal(e->line, 2);
	assert_int_equal(isc_conf_get(conf, "Image", "Name")->line, 6);
}

static void errors_name_file_line_and_the_nearest_word(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *says;
	} cases[] = {
		{ "[Image]\nNme=x\n",
				"x.conf:2: unknown key 'Nme' in [Image]; did you mean 'Name'?" },
		{ "[Image]\nEnvironment=x\n", "x.conf:2: unknown key 'Environment' in [Image]" },
		{ "\n[Imag]\n", "x.conf:2: unknown section 'Imag'; did you mean 'Image'?" },
		{ "[Image]\nName=a\nName=b\n", "x.conf:3: Name: stands in line 2 already" },
		{ "[Image]\n\nName\n", "x.conf:3: neither" },
		{ "[Image]\n=x\n", "x.conf:2: neither" },
		{ "Name=a\n", "x.conf:1: a [Section] must" },
		{ "[Image\n", "x.conf:1: a section" },
		{ "[]\n", "x.conf:1: a section" },
		{ "[Image]\nName=\x1b[1m\n", "x.conf:2: a control" },
		{ "[Image]\nName=\xc2\x9b\n", "x.conf:2: a control" },
		{ "[Image]\nName=\xff\n", "x.conf:2: no valid UTF-8" },
		{ "[Image]\nName=a\\", "x.conf:2: ends in '\\'" },
		{ "[Image]\nName=a\\\n# c", "x.conf:2: ends in '\\'" },
		{ "[Image]\n\xd0\x9d"
		  "ame=a\n",
				"x.conf:2: unknown key" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		GError *error = NULL;
		g_autoptr(IscConf) conf = parse(cases[i].text, &error);
		assert_null(conf);
		assert_error(error, ISC_ERROR_INVALID, cases[i].says);
	}
}

static void nul_bytes_and_endless_files_are_refused(void **state)
{
	(void)state;
	GError *error = NULL;
	assert_null(isc_conf_parse("x", "[Image]\nName=\0x", 15, keys, &error));
	assert_error(error, ISC_ERROR_INVALID, "x:2: a NUL byte");

	g_autofree gchar *big = g_strnfill(64 * 1024 + 1, '\n');
	assert_null(isc_conf_parse("x", big, 64 * 1024 + 1, keys, &error));
	assert_error(error, ISC_ERROR_INVALID, "longer");
	g_autoptr(IscConf) fits = isc_conf_parse("x", big, 64 * 1024, keys, &error);
	assert_no_error(error);
}

static void a_callers_own_error_names_the_entry(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(IscConf) conf = parse("[Image]\nName=x\n", &error);
	assert_no_error(error);
	assert_false(isc_conf_error(conf, isc_conf_get(conf, "Image", "Name"), &error,
			"'%s' is too short", "x"));
	assert_error(error, ISC_ERROR_INVALID, "x.conf:2: Name: 'x' is too short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_keep_order_lines_and_repetition),
		cmocka_unit_test(a_backslash_continues_a_line_over_comments),
		cmocka_unit_test(errors_name_file_line_and_the_nearest_word),
		cmocka_unit_test(nul_bytes_and_endless_files_are_refused),
		cmocka_unit_test(a_callers_own_error_names_the_entry),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
