/* T37: the dock's settings. */
#include "cm.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

#include "daemon/config.h"
#include "daemon/options.h"

static void every_key_has_a_default_and_can_be_set(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscConfig) preset = isc_config_parse("dock.conf", "", 0, &error);
	assert_no_error(error);
	assert_string_equal(preset->state_dir, "/var/lib/isc-dock");
	assert_string_equal(preset->user, "isc-dock");
	assert_null(preset->outside);
	assert_int_equal(preset->max_nodes, 64999);
	assert_int_equal(preset->packet_log_keep_mib, 128);

	assert_int_equal(preset->leave[0], 0); /* the rules' own */

	assert_int_equal(preset->plan.subnet.address, 0x0a4d0000);
	const gchar *text = "[Dock]\nStateDirectory=/"
			    "x\nOutsideInterface=wan0\n[Limits]\nMaxMemory=4096\n"
			    "PacketLogKeep=32\n"
			    "NodeConnections=5000\n"
			    "[Network]\nSubnet=192.168.7.0/24\nBridge=br0\n"
			    "MasqueradePorts=61000-65535\n";
	g_autoptr(IscConfig) given = isc_config_parse("dock.conf", text, strlen(text), &error);
	assert_no_error(error);
	assert_string_equal(given->state_dir, "/x");
	assert_string_equal(given->outside, "wan0");
	assert_int_equal(given->max_memory_mib, 4096);
	assert_int_equal(given->packet_log_keep_mib, 32);
	assert_int_equal(given->plan.subnet.prefix, 24);
	assert_int_equal(given->plan.dedicated.address, 0x0a4e0000);
	assert_string_equal(given->plan.bridge, "br0");
	assert_int_equal(given->node_connections, 5000);
	assert_int_equal(given->leave[0], 61000);
	assert_int_equal(given->leave[1], 65535);
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	static const gchar *bad[] = { "[Dock]\nStateDirectory=relative\n",
		"[Dock]\nStateDirectory=/a/../b\n", "[Dock]\nNonsense=1\n",
		"[Limits]\nMaxMemory=lots\n", "[Limits]\nPacketLogKeep=31\n",
		"[Limits]\nMaxMemory=-1\n", "[Network]\nSubnet=10.77.1.0/16\n",
		"[Network]\nBridge=a-b\n", "[Network]\nBridge=isct\n",
		"[Network]\nBridge=toolongname\n", "[Network]\nMasqueradePorts=61000\n",
		"[Network]\nMasqueradePorts=61000-61500\n", "[Network]\nMasqueradePorts=1-65535\n",
		"[Network]\nMasqueradePorts=64000-65536\n",
		"[Network]\nMasqueradePorts=65535-49152\n" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		assert_null(isc_config_parse("dock.conf", bad[i], strlen(bad[i]), &error));
		assert_error(error, ISC_ERROR_INVALID, "dock.conf:2");
	}
}

static void a_file_that_others_may_write_is_refused(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *dir = g_dir_make_tmp("isc-config-XXXXXX", NULL);
	g_autofree gchar *path = g_build_filename(dir, "dock.conf", NULL);
	assert_true(g_file_set_contents(path, "", -1, NULL));
	assert_int_equal(chmod(path, 0666), 0);
	assert_null(isc_config_load(path, &error));
	assert_error(error, ISC_ERROR_HOST, "chmod");
	assert_int_equal(chmod(path, 0644), 0);
	g_autoptr(IscConfig) config = isc_config_load(path, &error);
	assert_non_null(config);
	(void)g_unlink(path);
	(void)g_rmdir(dir);
}

static void options_are_taken_by_name_and_type_and_only_where_they_belong(void **state)
{
	(void)state;
	static const struct {
		const gchar *dict, *allowed;
		gboolean ok;
	} cases[] = {
		{ "{'dry-run': <true>}", "dry-run timeout ", TRUE },
		{ "{'timeout': <uint32 5>}", "dry-run timeout ", TRUE },
		{ "{'timeout': <uint32 3601>}", "dry-run timeout ", FALSE },
		{ "{'timeout': <'5'>}", "dry-run timeout ", FALSE },
		{ "{'force': <true>}", "dry-run timeout ", FALSE },
		{ "{'run': <true>}", "dry-run timeout ", FALSE },
		{ "{'': <true>}", "dry-run timeout ", FALSE },
		{ "{'nonsense': <true>}", "", FALSE },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		IscOptions options;
		g_autoptr(GVariant) dict = g_variant_parse(
				G_VARIANT_TYPE_VARDICT, cases[i].dict, NULL, NULL, &error);
		assert_no_error(error);
		gboolean ok = isc_options_parse(dict, cases[i].allowed, &options, &error);
		if (ok != cases[i].ok)
			fail_msg("%s", cases[i].dict);
		if (!ok)
			assert_error(error, ISC_ERROR_INVALID, "option");
		else
			assert_true(options.enable);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_has_a_default_and_can_be_set),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(a_file_that_others_may_write_is_refused),
		cmocka_unit_test(options_are_taken_by_name_and_type_and_only_where_they_belong),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
