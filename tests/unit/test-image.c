/* R2.4, T20: the manifest and its signature. */
#include "cm.h"
#include "model/image.h"

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static gchar **list(const gchar *text)
{
	return g_strsplit(text, ",", -1);
}

static IscImage *sample(void)
{
	static const gchar *const files[] = { "vmlinuz", "initrd", "root.squashfs", "sbom.json" };
	IscImage *image = isc_image_new();
	image->name = g_strdup("web");
	image->version = g_strdup("1.2~rc1");
	image->description = g_strdup("A \"web\" server / tëst");
	image->suite = g_strdup("bookworm");
	image->architecture = g_strdup("amd64");
	image->kernel_version = g_strdup("6.1.0-37-cloud-amd64");
	image->root_type = g_strdup("squashfs");
	image->created = 1700000000;
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		image->parts[i].file = g_strdup(files[i]);
		image->parts[i].size = 10 + i;
		g_strlcpy(image->parts[i].sha256, SHA, 65);
	}
	image->exec = list("/usr/sbin/nginx,-g,daemon off;");
	image->user = g_strdup("www-data");
	image->ports = list("80/tcp,5000-5010/udp");
	image->writable = list("/var/lib/nginx,/var/log/nginx");
	image->capabilities = list("cap_net_bind_service");
	image->environment = list("A=1,B=");
	image->health = g_strdup("http:80/");
	image->profile = g_strdup("strict");
	return image;
}

static gchar *replace(const gchar *text, const gchar *from, const gchar *to)
{
	g_auto(GStrv) pieces = g_strsplit(text, from, 2);
	assert_non_null(pieces[1]);
	return g_strjoinv(to, pieces);
}

static void print_and_parse_are_inverse(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscImage) image = sample();
	g_autofree gchar *text = isc_image_print(image);
	g_autoptr(IscImage) again = isc_image_parse(text, strlen(text), &error);
	assert_no_error(error);
	g_autofree gchar *text2 = isc_image_print(again);
	assert_string_equal(text, text2);
	assert_true(g_str_has_suffix(text, "}\n"));
	assert_string_equal(again->description, image->description);
	assert_string_equal(again->parts[ISC_PART_ROOT].file, "root.squashfs");
	assert_int_equal(again->parts[ISC_PART_SBOM].size, 13);
	assert_string_equal(again->exec[2], "daemon off;");
	assert_string_equal(again->environment[1], "B=");
	g_autofree gchar *digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);
	assert_string_equal(again->digest, digest);
}

static void empty_lists_and_no_health_survive(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscImage) image = sample();
	g_clear_pointer(&image->ports, g_strfreev);
	g_clear_pointer(&image->writable, g_strfreev);
	g_clear_pointer(&image->health, g_free);
	g_autofree gchar *text = isc_image_print(image);
	g_autoptr(IscImage) again = isc_image_parse(text, strlen(text), &error);
	assert_no_error(error);
	assert_null(again->health);
	assert_non_null(again->ports);
	assert_null(again->ports[0]);
}

static void every_value_out_of_range_is_refused_by_name(void **state)
{
	(void)state;
	/* clang-format off */
	static const struct { const gchar *from, *to, *says; } cases[] = {
		{ "\"format\":1",          "\"format\":2",            "format" },
		{ "\"format\":1",          "\"format\":\"1\"",        "format" },
		{ "\"format\":1",          "\"format\":1.0",          "format" },
		{ "\"name\":\"web\"",      "\"name\":\"../web\"",     "name" },
		{ "\"name\":\"web\"",      "\"name\":\"web\\u0000\"", "name" },
		{ "\"name\":\"web\"",      "\"name\":null",           "name" },
		{ "\"name\":\"web\"",      "\"nome\":\"web\"",        "unknown key 'nome'" },
		{ "\"name\":\"web\",",     "",                        "lacks 'name'" },
		{ "1.2~rc1",               "1/2",                     "version" },
		{ "A \\\"web",             "A\\n\\\"web",             "description" },
		{ "\"amd64\"",             "\"arm64\"",               "architecture" },
		{ "\"squashfs\"",          "\"ext4\"",                "root_type" },
		{ "1700000000",            "-1",                      "created" },
		{ "1700000000",            "99999999999999999999",    "created" },
		{ "\"vmlinuz\"",           "\"../vmlinuz\"",          "part 'kernel'" },
		{ "\"vmlinuz\"",           "\".vmlinuz\"",            "part 'kernel'" },
		{ "\"vmlinuz\"",           "\"manifest.json\"",       "part 'kernel'" },
		{ "\"vmlinuz\"",           "\"initrd\"",              "initrd: must be a file of its own" },
		{ SHA,                     "abc",                     "sha256" },
		{ "\"size\":10",           "\"size\":0",              "size" },
		{ "\"size\":10",           "\"size\":-5",             "size" },
		{ "\"sbom\":",             "\"boms\":",               "unknown key 'boms'" },
		{ "\"/usr/sbin/nginx\"",   "\"nginx\"",               "exec" },
		{ "\"/usr/sbin/nginx\"",   "\"/usr/../nginx\"",       "exec" },
		{ "www-data",              "root",                    "user" },
		{ "www-data",              "www data",                "user" },
		{ "80/tcp",                "80",                      "ports[0]" },
		{ "80/tcp",                "080/tcp",                 "ports[0]" },
		{ "80/tcp",                "65536/tcp",               "ports[0]" },
		{ "5000-5010/udp",         "5010-5000/udp",           "ports[1]" },
		{ "\"/var/lib/nginx\"",    "\"/\"",                   "writable[0]" },
		{ "\"/var/lib/nginx\"",    "\"/var/../etc\"",         "writable[0]" },
		{ "\"/var/lib/nginx\"",    "\"/var//lib\"",           "writable[0]" },
		{ "\"/var/lib/nginx\"",    "7",                       "writable[0]" },
		{ "cap_net_bind_service",  "CAP_SYS_ADMIN",           "capabilities[0]" },
		{ "\"A=1\"",               "\"A\"",                   "environment[0]" },
		{ "\"A=1\"",               "\"1A=1\"",                "environment[0]" },
		{ "\"A=1\"",               "\"A=1\\n\"",              "environment[0]" },
		{ "http:80/",              "http:80",                 "health" },
		{ "http:80/",              "http:/",                  "health" },
		{ "http:80/",              "exec:sh",                 "health" },
		{ "\"strict\"",            "\"loose\"",               "profile" },
		{ "\"service\":{",         "\"service\":{\"x\":1,",   "unknown key 'x'" },
		{ "{",                     "// c\n{",                 "no JSON" },
		{ "\"name\"",              "name",                    "no JSON" },
		{ "tëst",                  "t\xffst",                 "no JSON" },
		{ "}\n",                   "}\n}",                    "no JSON" },
	};
	/* clang-format on */
	g_autoptr(IscImage) image = sample();
	g_autofree gchar *text = isc_image_print(image);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		GError *error = NULL;
		g_autofree gchar *wrong = NULL;
		if (g_str_equal(cases[i].to, "}\n}"))
			wrong = g_strconcat(text, "}", NULL);
		else
			wrong = replace(text, cases[i].from, cases[i].to);
		g_autoptr(IscImage) got = isc_image_parse(wrong, strlen(wrong), &error);
		if (got)
			fail_msg("took %s", cases[i].to);
		assert_error(error, ISC_ERROR_INVALID, cases[i].says);
	}
}

static void cut_nested_and_oversized_texts_are_refused(void **state)
{
	(void)state;
	g_autoptr(IscImage) image = sample();
	g_autofree gchar *text = isc_image_print(image);
	for (gsize len = 0; len + 1 < strlen(text); len++) {
		g_autofree gchar *cut = g_memdup2(text, len + 1);
		GError *error = NULL;
		assert_null(isc_image_parse(cut, len, &error));
		g_assert(error);
		g_clear_error(&error);
	}

	GError *error = NULL;
	g_autofree gchar *deep = g_strnfill(100000, '[');
	assert_null(isc_image_parse(deep, 100000, &error));
	assert_error(error, ISC_ERROR_INVALID, "no JSON");

	g_autofree gchar *big = g_strnfill(ISC_IMAGE_MANIFEST_MAX + 1, ' ');
	assert_null(isc_image_parse(big, ISC_IMAGE_MANIFEST_MAX + 1, &error));
	assert_error(error, ISC_ERROR_INVALID, "262144");

	/* What stands behind a NUL would be signed but never read. */
	g_autofree gchar *nul = g_strconcat(text, "x", NULL);
	nul[strlen(text)] = '\0';
	assert_null(isc_image_parse(nul, strlen(text) + 1, &error));
	assert_error(error, ISC_ERROR_INVALID, "text");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(print_and_parse_are_inverse),
		cmocka_unit_test(empty_lists_and_no_health_survive),
		cmocka_unit_test(every_value_out_of_range_is_refused_by_name),
		cmocka_unit_test(cut_nested_and_oversized_texts_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
