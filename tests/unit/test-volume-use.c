/* R5.2: who uses a volume. */
#include "cm.h"

#include "model/spec.h"

static void a_volume_comes_back_as_it_was_written(void **state)
{
	(void)state;
	static const gchar *const texts[] = { "data:/var/lib/postgresql", "d-1:/srv/a_b+c@d.e:2G",
		"x:/a:512M", "y:/a/..b/c:1T" };
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autoptr(GError) error = NULL;
		IscVolumeUse use;
		gboolean ok = isc_volume_use_parse(texts[i], &use, &error);
		assert_no_error(error);
		assert_true(ok);
		g_autofree gchar *text = isc_volume_use_print(&use);
		assert_string_equal(text, texts[i]);
	}
}

static void what_is_no_volume_is_refused(void **state)
{
	(void)state;
	static const gchar *const texts[] = { "", "data", "data:", "data:var", "data:/",
		"Data:/srv", "../x:/srv", "data:/srv/", "data:/a//b", "data:/a/../b", "data:/a/.",
		"data:/a/..", "data:/srv:", "data:/srv:0", "data:/srv:15M", "data:/srv:9T",
		"data:/srv:1X", "data:/srv:-1G", "data:/srv:2G:ro", "data:/a b", "data:/a,b",
		"data:/a\nb", "data:/etc", "data:/etc/x", "data:/proc/x", "data:/run/x",
		"data:/tmp", "data:/dev/shm", "data:/sys", "data:/srv:18446744073709551615G" };
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
		GError *error = NULL;
		IscVolumeUse use;
		assert_false(isc_volume_use_parse(texts[i], &use, &error));
		assert_error(error, ISC_ERROR_INVALID, "");
	}
}

static void a_clone_has_volumes_with_names_of_its_own(void **state)
{
	(void)state;
	static const struct {
		const gchar *name, *made;
	} cases[] = { { "data", "twin-data" }, { "pg-data", "twin-data" },
		{ "pgdata", "twin-pgdata" }, { "a123456789012345678901234567890", NULL } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *made = isc_volume_clone_name(cases[i].name, "pg", "twin", &error);
		if (cases[i].made)
			assert_string_equal(made, cases[i].made);
		else
			assert_null(made);
	}
	GError *error = NULL;
	g_autofree gchar *none = isc_volume_clone_name(
			"a123456789012345678901234567890", "pg", "twin", &error);
	assert_null(none);
	assert_error(error, ISC_ERROR_INVALID, "shorter name");
}

static void a_size_is_in_mib_without_a_unit(void **state)
{
	(void)state;
	guint mib;
	assert_true(isc_volume_size_parse("16", &mib, NULL) && mib == 16);
	assert_true(isc_volume_size_parse("2g", &mib, NULL) && mib == 2048);
	assert_true(isc_volume_size_parse("8T", &mib, NULL) && mib == ISC_VOLUME_SIZE_MAX);
	g_autofree gchar *a = isc_volume_size_print(1536), *b = isc_volume_size_print(1048576);
	assert_string_equal(a, "1536M");
	assert_string_equal(b, "1T");
}

static IscSpec *spec(const gchar *lines, GError **error)
{
	g_autofree gchar *text = g_strconcat("[Node]\nName=a\nImage=b\n[Resources]\n", lines, NULL);
	return isc_spec_parse("x.node", text, strlen(text), error);
}

#define FOUR "Volume=a:/a\nVolume=b:/b\nVolume=c:/c\nVolume=d:/d:1G\n"

static void a_node_has_as_many_volumes_as_its_machine_has_room_for(void **state)
{
	(void)state;
	g_autoptr(IscSpec) four = spec(FOUR, NULL);
	assert_non_null(four);
	assert_int_equal(four->volumes->len, ISC_VOLUMES_MAX);
	g_autofree gchar *text = isc_spec_print(four);
	assert_non_null(strstr(text, FOUR));
	GError *error = NULL;
	assert_null(spec(FOUR "Volume=e:/e\n", &error));
	assert_error(error, ISC_ERROR_INVALID, "a node has at most 4 volumes");
}

static void two_volumes_share_neither_name_nor_path(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "Volume=a:/a\nVolume=a:/b\n",
		"Volume=a:/a\nVolume=b:/a\n", "Volume=a:/a/b\nVolume=b:/a\n",
		"Volume=a:/a\nVolume=b:/a/b\n" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		GError *error = NULL;
		assert_null(spec(bad[i], &error));
		assert_error(error, ISC_ERROR_INVALID, "Volume");
	}
	g_autoptr(IscSpec) beside = spec("Volume=a:/a\nVolume=b:/ab\n", NULL);
	assert_non_null(beside);
	isc_spec_remove_volume(beside, "a");
	assert_null(isc_spec_find_volume(beside, "a"));
	assert_string_equal(isc_spec_find_volume(beside, "b")->path, "/ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_volume_comes_back_as_it_was_written),
		cmocka_unit_test(what_is_no_volume_is_refused),
		cmocka_unit_test(a_clone_has_volumes_with_names_of_its_own),
		cmocka_unit_test(a_size_is_in_mib_without_a_unit),
		cmocka_unit_test(a_node_has_as_many_volumes_as_its_machine_has_room_for),
		cmocka_unit_test(two_volumes_share_neither_name_nor_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
