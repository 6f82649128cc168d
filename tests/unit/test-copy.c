/* F24: copies that are whole or not there. */
#include "cm.h"

#include "model/copy.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static IscCopy *make(void)
{
	IscCopy *copy = isc_copy_new(ISC_COPY_EVIDENCE, "web", "q20240501-120000-001");
	g_strlcpy(copy->uuid, "7d0b7f5e-6c5c-4b8c-9d1e-000000000001", sizeof(copy->uuid));
	g_strlcpy(copy->digest, SHA, sizeof(copy->digest));
	copy->image_name = g_strdup("minimal");
	copy->image_version = g_strdup("1.0");
	copy->spec = g_strdup("[Node]\nName=web\n");
	copy->taken = 1714564800;
	g_free(copy->reason);
	copy->reason = g_strdup("looks \"odd\"");
	isc_copy_add_file(copy, ISC_COPY_DISK, 4096, SHA);
	isc_copy_add_file(copy, "audit.log", 0, SHA);
	isc_copy_add_file(copy, "volume-data.qcow2", 8192, SHA);
	const IscCopyVolume volume = { .name = "data",
		.uuid = "7d0b7f5e-6c5c-4b8c-9d1e-000000000002",
		.path = "/srv/data",
		.file = "volume-data.qcow2",
		.mib = 64 };
	g_array_append_val(copy->volumes, volume);
	g_ptr_array_add(copy->missing, g_strdup("memory: nobody asked"));
	return copy;
}

static void what_is_printed_is_read_back(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscCopy) copy = make();
	g_autofree gchar *text = isc_copy_print(copy);
	g_autoptr(IscCopy) back = isc_copy_parse(text, strlen(text), &error);
	assert_no_error(error);
	g_autofree gchar *again = isc_copy_print(back);
	assert_string_equal(text, again);
	assert_int_equal(back->kind, ISC_COPY_EVIDENCE);
	assert_int_equal(isc_copy_find_file(back, ISC_COPY_DISK)->size, 4096);
	assert_null(isc_copy_find_file(back, "other"));
	assert_string_equal(isc_copy_find_volume(back, "data")->path, "/srv/data");
	assert_int_equal(isc_copy_find_volume_at(back, "/srv/data")->mib, 64);
	assert_null(isc_copy_find_volume(back, "logs"));
}

static void what_is_not_quite_a_manifest_is_refused(void **state)
{
	(void)state;
	static const gchar *const changes[][2] = {
		{ "\"format\":2", "\"format\":3" },
		{ "\"format\":2", "\"format\":1" },
		{ "\"file\":\"volume-data.qcow2\"", "\"file\":\"other\"" },
		{ "\"path\":\"/srv/data\"", "\"path\":\"/etc\"" },
		{ "\"mib\":64", "\"mib\":0" },
		{ "\"data\":{", "\"../data\":{" },
		{ "\"kind\":\"evidence\"", "\"kind\":\"other\"" },
		{ "\"node\":\"web\"", "\"node\":\"../x\"" },
		{ "\"overlay.qcow2\"", "\"../overlay\"" },
		{ "\"size\":4096", "\"size\":-1" },
		{ "\"sha256\":\"0", "\"sha256\":\"X" },
		{ "\"taken\":1714564800", "\"taken\":\"now\"" },
		{ "\"frozen\":false", "\"frozen\":false,\"more\":1" },
		{ "\"uuid\":\"7d", "\"uuid\":\"zz" },
	};
	g_autoptr(IscCopy) copy = make();
	g_autofree gchar *text = isc_copy_print(copy);
	for (gsize i = 0; i < G_N_ELEMENTS(changes); i++) {
		g_autoptr(GError) error = NULL;
		g_auto(GStrv) parts = g_strsplit(text, changes[i][0], 2);
		if (g_strv_length(parts) != 2)
			fail_msg("'%s' is not in %s", changes[i][0], text);
		g_autofree gchar *bad = g_strjoinv(changes[i][1], parts);
		if (isc_copy_parse(bad, strlen(bad), &error))
			fail_msg("taken: %s", changes[i][1]);
		assert_error(error, ISC_ERROR_VERIFY, ISC_COPY_MANIFEST);
	}
	g_autoptr(GError) error = NULL;
	assert_null(isc_copy_parse("", 0, &error));
	g_clear_error(&error);
	g_autofree gchar *deep = g_strnfill(1000, '[');
	assert_null(isc_copy_parse(deep, 1000, &error));
}

static void evidence_has_a_node_and_a_name(void **state)
{
	(void)state;
	g_autofree gchar *node = NULL, *name = NULL;
	assert_true(isc_copy_split("web.q1", &node, &name));
	assert_string_equal(node, "web");
	assert_string_equal(name, "q1");
	static const gchar *const bad[] = { "", ".", "web", "web.", ".q1", "web.q1.x", "../web.q1",
		"web/.q1", "Web.q1" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
		if (isc_copy_split(bad[i], NULL, NULL))
			fail_msg("'%s' was taken", bad[i]);
	assert_false(isc_copy_split(NULL, NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_printed_is_read_back),
		cmocka_unit_test(what_is_not_quite_a_manifest_is_refused),
		cmocka_unit_test(evidence_has_a_node_and_a_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
