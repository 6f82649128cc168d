#include "cm.h"

#include "cli/args.h"

static const IscOption own[] = {
	{ "follow", 'f', ISC_OPT_FLAG, NULL, "" },
	{ "lines", 'n', ISC_OPT_VALUE, "N", "" },
	{ "label", 'l', ISC_OPT_LIST, "K=V", "" },
	{ NULL },
};
static const IscOption common[] = {
	{ "json", 0, ISC_OPT_FLAG, NULL, "" },
	{ "help", 'h', ISC_OPT_FLAG, NULL, "" },
	{ NULL },
};
static const IscOption *const sets[] = { own, common, NULL };

static IscArgs *parse(const gchar *line, GError **error)
{
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	return isc_args_parse(argv, sets, error);
}

static void options_stand_anywhere_and_in_every_form(void **state)
{
	(void)state;
	static const gchar *const lines[] = {
		"web db -f --lines 5 --label a=1 --label b=2",
		"--follow web -n 5 -l a=1 db --label=b=2",
		"-fn 5 web -la=1 db -l b=2",
		"-fn5 -l a=1 -lb=2 web -- db",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscArgs) args = parse(lines[i], &error);
		assert_no_error(error);
		guint n = 0, number = 0;
		gchar *const *words = isc_args_words(args, &n);
		assert_int_equal(n, 2);
		assert_string_equal(words[0], "web");
		assert_string_equal(words[1], "db");
		assert_null(words[2]);
		assert_true(isc_args_has(args, "follow"));
		assert_false(isc_args_has(args, "json"));
		assert_true(isc_args_uint(args, "lines", 0, 10, &number, &error));
		assert_int_equal(number, 5);
		gchar *const *labels = isc_args_list(args, "label");
		assert_string_equal(labels[0], "a=1");
		assert_string_equal(labels[1], "b=2");
		assert_null(labels[2]);
	}
}

static void what_follows_two_dashes_is_never_an_option(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscArgs) args = parse("-- --json -f -- -", &error);
	assert_no_error(error);
	guint n;
	gchar *const *words = isc_args_words(args, &n);
	assert_int_equal(n, 4);
	assert_string_equal(words[0], "--json");
	assert_string_equal(words[2], "--");
	assert_false(isc_args_has(args, "json"));
}

static void a_lone_dash_is_a_word_and_a_value(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscArgs) args = parse("- --lines -", &error);
	assert_no_error(error);
	assert_string_equal(isc_args_words(args, NULL)[0], "-");
	assert_string_equal(isc_args_get(args, "lines"), "-");
}

static void wrong_options_are_refused_with_the_reason(void **state)
{
	(void)state;
	static const struct {
		const gchar *line, *says;
	} cases[] = {
		{ "--jsno", "did you mean '--json'" },
		{ "--folow", "did you mean '--follow'" },
		{ "--lin=5", "did you mean '--lines'" },
		{ "--zzzzzz", "--help lists" },
		{ "-x", "unknown option '-x'" },
		{ "-fx", "unknown option '-fx'" },
		{ "--lines", "--lines needs a value" },
		{ "-n", "-n needs a value" },
		{ "-fn", "-n needs a value" },
		{ "--json=yes", "takes no value" },
		{ "-n 5 --lines 6", "given twice" },
		{ "--\033[31m", "\\x1b" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		assert_null(parse(cases[i].line, &error));
		assert_error(error, ISC_ERROR_INVALID, cases[i].says);
	}
}

static void numbers_have_their_range_and_nothing_around_them(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "", "0", "11", "5x", " 5", "-1", "0x5", "5.0",
		"99999999999999999999" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		gchar *argv[] = { (gchar *)"--lines", (gchar *)bad[i], NULL };
		g_autoptr(GError) error = NULL;
		g_autoptr(IscArgs) args = isc_args_parse(argv, sets, &error);
		assert_no_error(error);
		guint n = 77;
		assert_false(isc_args_uint(args, "lines", 1, 10, &n, &error));
		assert_error(error, ISC_ERROR_INVALID, "--lines");
		assert_int_equal(n, 77);
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(IscArgs) args = parse("web", &error);
	guint n = 77;
	assert_true(isc_args_uint(args, "lines", 1, 10, &n, &error));
	assert_int_equal(n, 77);
}

static void the_nearest_word_is_a_slip_or_a_unique_beginning(void **state)
{
	(void)state;
	static const gchar *const known[] = { "provision", "enable", "disable", "list", "logs",
		"show", NULL };
	static const struct {
		const gchar *word, *wanted;
	} cases[] = {
		{ "provison", "provision" },
		{ "prov", "provision" },
		{ "lsit", "list" },
		{ "enabel", "enable" },
		{ "dis", "disable" },
		{ "shwo", "show" },
		{ "l", NULL },
		{ "kubectl", NULL },
		{ "", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const gchar *got = isc_args_nearest(cases[i].word, known);
		if (g_strcmp0(got, cases[i].wanted) != 0)
			fail_msg("'%s' gave '%s'", cases[i].word, got ? got : "(none)");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_anywhere_and_in_every_form),
		cmocka_unit_test(what_follows_two_dashes_is_never_an_option),
		cmocka_unit_test(a_lone_dash_is_a_word_and_a_value),
		cmocka_unit_test(wrong_options_are_refused_with_the_reason),
		cmocka_unit_test(numbers_have_their_range_and_nothing_around_them),
		cmocka_unit_test(the_nearest_word_is_a_slip_or_a_unique_beginning),
	};
	return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}
