/* R4.3, R4.6: many guests at once. */
#include "cm.h"
#include "builder/sources.h"

#define KEYRING "/usr/share/keyrings/debian-archive-keyring.gpg"

static gchar *pick(const gchar *name, const gchar *text, const gchar *suite, gboolean *substituted,
		GError **error)
{
	IscSourcesFile file = { name, text };
	return isc_sources_select(&file, 1, suite, KEYRING, substituted, error);
}

static const gchar deb822[] = "# the archive\n"
			      "Types: deb deb-src\n"
			      "URIs: http://mirror.example/debian\n"
			      "# a comment inside\n"
			      "Suites: bookworm bookworm-updates bookworm-backports\n"
			      "Components: main contrib custom\n"
			      "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
			      "\n"
			      "Types: deb\n"
			      "URIs: http://mirror.example/security\n"
			      "Suites: bookworm-security\n"
			      "Components: main\n";

static void both_formats_say_the_same(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	gboolean substituted = TRUE;
	g_autofree gchar *a = pick("debian.sources", deb822, "bookworm", &substituted, &error);
	assert_no_error(error);
	assert_false(substituted);
	assert_string_equal(a, "Types: deb\nURIs: http://mirror.example/debian\n"
			       "Suites: bookworm bookworm-updates\nComponents: main contrib\n"
			       "Signed-By: " KEYRING "\n\n"
			       "Types: deb\nURIs: http://mirror.example/security\n"
			       "Suites: bookworm-security\nComponents: main\n"
			       "Signed-By: " KEYRING "\n");

	g_autofree gchar *b = pick("sources.list",
			"deb [arch=amd64,i386] http://mirror.example/debian bookworm main contrib "
			"# x\n"
			"deb-src http://mirror.example/debian bookworm main\n"
			"#deb http://mirror.example/old bookworm main\n"
			"deb http://mirror.example/debian bookworm-updates main contrib\n",
			"bookworm", NULL, &error);
	assert_no_error(error);
	assert_string_equal(b, "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\n"
			       "Components: main contrib\nSigned-By: " KEYRING "\n\n"
			       "Types: deb\nURIs: http://mirror.example/debian\n"
			       "Suites: bookworm-updates\nComponents: main contrib\n"
			       "Signed-By: " KEYRING "\n");
}

/* A host has more than Debian in its sources; none of it may reach an image. */
static void other_repositories_do_not_leak_in(void **state)
{
	(void)state;
	static const gchar *const others[] = {
		"Types: deb\nURIs: http://x\nSuites: bookworm\nComponents: stable\n",
		"Types: deb\nURIs: http://x\nSuites: bookworm\nComponents: main\n"
		"Signed-By: /etc/apt/keyrings/vendor.gpg\n",
		"Types: deb\nURIs: http://x\nSuites: bookworm\nComponents: main\nSigned-By:\n"
		" -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n",
		"Types: deb\nURIs: http://x\nSuites: bookworm-backports\nComponents: main\n",
		"Types: deb\nURIs: http://x\nSuites: bookworm\nComponents: main\nEnabled: no\n",
		"Types: deb\nURIs: http://x\nSuites: bookworm\nComponents: main\nArchitectures: "
		"arm64\n",
		"Types: deb-src\nURIs: http://x\nSuites: bookworm\nComponents: main\n",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *alone = pick("x.sources", others[i], "bookworm", NULL, &error);
		assert_null(alone);
		assert_error(error, ISC_ERROR_HOST, "no source of Debian packages");

		g_autofree gchar *text = g_strdup_printf("%s\n%s", others[i], deb822);
		g_autofree gchar *both = pick("x.sources", text, "bookworm", NULL, &error);
		assert_no_error(error);
		assert_null(strstr(both, "http://x"));
	}
}

static void another_suite_comes_from_the_hosts_mirrors(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	gboolean substituted = FALSE;
	g_autofree gchar *text = pick("debian.sources", deb822, "trixie", &substituted, &error);
	assert_no_error(error);
	assert_true(substituted);
	assert_non_null(strstr(text, "Suites: trixie trixie-updates\n"));
	assert_non_null(strstr(text, "Suites: trixie-security\n"));
	assert_null(strstr(text, "bookworm"));
}

static void a_host_without_sources_is_told_so(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	assert_null(isc_sources_select(NULL, 0, "bookworm", KEYRING, NULL, &error));
	assert_error(error, ISC_ERROR_HOST, "sources.list(5)");
	assert_null(pick("a.list", "deb [ broken\nnonsense\ndeb http://x\n", "bookworm", NULL,
			&error));
	assert_error(error, ISC_ERROR_HOST, "sources.list(5)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_formats_say_the_same),
		cmocka_unit_test(other_repositories_do_not_leak_in),
		cmocka_unit_test(another_suite_comes_from_the_hosts_mirrors),
		cmocka_unit_test(a_host_without_sources_is_told_so),
	};
	return cmocka_run_group_tests_name("sources", tests, NULL, NULL);
}
