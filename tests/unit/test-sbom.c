/* R7.6: packages and versions of an image. */
#include "golden.h"
#include "builder/sbom.h"

static const gchar status[] = "Package: libc6\nStatus: install ok installed\nSource: glibc\n"
			      "Version: 2.36-9+deb12u9\nArchitecture: amd64\n"
			      "Description: GNU C\n Version: not this one\n\n"
			      "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
			      "Architecture: all\n\n\n"
			      "Package: busybox-static\nSource: busybox (1:1.35.0-4)\n"
			      "Version: 1:1.35.0-4+b3\nArchitecture: amd64\n\n"
			      "Package: adduser\nStatus: install ok installed\nVersion: 3.134\n"
			      "Architecture: all\n";

static GPtrArray *parse(const gchar *text, GError **error)
{
	g_autoptr(GPtrArray) list = isc_packages_new();
	return isc_packages_parse(list, text, error) ? g_steal_pointer(&list) : NULL;
}

static void installed_packages_and_their_sources_are_found(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) list = parse(status, &error);
	assert_no_error(error);
	assert_int_equal(list->len, 3);
	IscPackage *p = list->pdata[0];
	assert_string_equal(p->name, "libc6");
	assert_string_equal(p->version, "2.36-9+deb12u9");
	assert_string_equal(p->source, "glibc");
	assert_string_equal(p->source_version, "2.36-9+deb12u9");
	p = list->pdata[1];
	assert_string_equal(p->source, "busybox");
	assert_string_equal(p->source_version, "1:1.35.0-4");
	p = list->pdata[2];
	assert_string_equal(p->source, "adduser");
}

static void a_package_counts_once(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) list = parse(status, &error);
	assert_true(isc_packages_parse(list, status, &error));
	assert_int_equal(list->len, 3);
}

static void broken_stanzas_are_refused(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "Package: x\n", "Version: 1\n",
		"Package: x y\nVersion: 1\n", "Package: x\nVersion: 1\"\n",
		"Package: x\nVersion: 1\nSource: <script>\n", "Package: \033[2J\nVersion: 1\n" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		if (parse(bad[i], &error))
			fail_msg("taken: %s", bad[i]);
		assert_null(strchr(error->message, '\033'));
		assert_error(error, ISC_ERROR_INVALID, "package list");
	}
}

static void the_list_prints_as_agreed(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) list = parse(status, &error);
	g_autofree gchar *text = isc_sbom_print("web", "1.0", "bookworm", 1700000000, list);
	assert_golden("sbom/web.json", text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(installed_packages_and_their_sources_are_found),
		cmocka_unit_test(a_package_counts_once),
		cmocka_unit_test(broken_stanzas_are_refused),
		cmocka_unit_test(the_list_prints_as_agreed),
	};
	return cmocka_run_group_tests_name("sbom", tests, NULL, NULL);
}
