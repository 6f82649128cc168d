/* R6.5: a command of the image as probe. */
#include "cm.h"
#include "base/file.h"
#include "builder/check.h"

static IscReport *parse(const gchar *text, GError **error)
{
	return isc_report_parse(text, strlen(text), error);
}

static void print_and_parse_are_inverse(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscReport) report = isc_report_new();
	report->files = 12;
	isc_report_add(report, ISC_FINDING_SETUID, "%s has mode %04o", "/bin/su", 04755u);
	isc_report_add(report, ISC_FINDING_SERVICE, "odd \"name\"");
	g_autofree gchar *text = isc_report_print(report);
	g_autoptr(IscReport) again = parse(text, &error);
	assert_no_error(error);
	assert_int_equal(again->files, 12);
	assert_int_equal(again->findings->len, 2);
	const IscFinding *f = again->findings->pdata[0];
	assert_int_equal(f->kind, ISC_FINDING_SETUID);
	assert_string_equal(f->text, "/bin/su has mode 4755");
}

/* The names in a root are a stranger's: they must not reach a terminal as they are. */
static void names_from_the_root_are_escaped(void **state)
{
	(void)state;
	g_autoptr(IscReport) report = isc_report_new();
	isc_report_add(report, ISC_FINDING_DEVICE, "/dev/\033]0;x\007");
	const IscFinding *f = report->findings->pdata[0];
	assert_null(strchr(f->text, '\033'));
	for (gsize i = 0; i < 1000; i++)
		isc_report_add(report, ISC_FINDING_DEVICE, "x");
	assert_true(report->findings->len <= 200);
}

static void anything_but_a_report_is_refused(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "", "{}", "[]", "null", "{\"format\":1}",
		"{\"format\":2,\"files\":1,\"findings\":[]}",
		"{\"format\":1,\"files\":0,\"findings\":[]}",
		"{\"format\":1,\"files\":\"1\",\"findings\":[]}",
		"{\"format\":1,\"files\":1,\"findings\":{}}",
		"{\"format\":1,\"files\":1,\"findings\":[],\"more\":1}",
		"{\"format\":1,\"files\":1,\"findings\":[]} x",
		"{\"format\":1,\"files\":1,\"findings\":[1]}",
		"{\"format\":1,\"files\":1,\"findings\":[{\"what\":\"odd\",\"text\":\"x\"}]}",
		"{\"format\":1,\"files\":1,\"findings\":[{\"what\":\"exec\",\"text\":1}]}",
		"{\"format\":1,\"files\":1,\"findings\":[{\"what\":\"exec\"}]}",
		"{\"format\":1,\"files\":1,\"findings\":[[[[[[[[]]]]]]]]}" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		if (parse(bad[i], &error))
			fail_msg("taken: %s", bad[i]);
		assert_error(error, ISC_ERROR_INVALID, "no report");
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(IscReport) good = parse("{\"format\":1,\"files\":1,\"findings\":[]}\n", &error);
	assert_no_error(error);
}

static IscImage *image(const gchar *sha256, const gchar *exec)
{
	IscImage *i = isc_image_new();
	g_strlcpy(i->parts[ISC_PART_ROOT].sha256, sha256, 65);
	i->root_type = g_strdup("erofs");
	i->user = g_strdup("u");
	i->exec = g_strsplit(exec, " ", -1);
	return i;
}

static void only_the_very_same_root_passed_before(void **state)
{
	(void)state;
	g_autofree gchar *cache = g_dir_make_tmp("isc-check.XXXXXX", NULL);
	g_autoptr(IscImage) one = image("aa", "/x y"), same = image("aa", "/x y"),
			    root = image("ab", "/x y"), exec = image("aa", "/x z");
	guint files = 0;
	assert_false(isc_check_recall(cache, one, &files));
	isc_check_remember(cache, one, 7);
	assert_true(isc_check_recall(cache, same, &files));
	assert_int_equal(files, 7);
	assert_false(isc_check_recall(cache, root, &files));
	assert_false(isc_check_recall(cache, exec, &files));
	same->capabilities = g_strsplit("cap_chown", " ", -1);
	assert_false(isc_check_recall(cache, same, &files));
	assert_true(isc_file_remove_tree(cache, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(print_and_parse_are_inverse),
		cmocka_unit_test(names_from_the_root_are_escaped),
		cmocka_unit_test(anything_but_a_report_is_refused),
		cmocka_unit_test(only_the_very_same_root_passed_before),
	};
	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
