/* R1.1 to R1.3, R6.6: the node file. */
#include "cm.h"

#include "model/spec.h"

#define HEAD "[Node]\nName=web\nImage=nginx\n"

static IscSpec *parse(const gchar *text, GError **error)
{
	return isc_spec_parse("x.node", text, strlen(text), error);
}

static void a_full_file_comes_back_as_it_was(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscSpec) spec = parse(
			"# a comment\n" HEAD
			"Description=the shop\nEnvironment=staging\nMachine=q35\nTimeout=30\n"
			"Label=tier=front\nLabel=owner=me\n"
			"[Resources]\nMemory=128\nVCPUs=2\nOverlay=64\nCPUQuota=150%\nIOPS=900\n"
			"CPUWeight=20\n"
			"IOReadBandwidth=5M\nIOWriteBandwidth=70000\n"
			"[Network]\nExpose=8080:80\nExpose=udp:5000-5010:6000-6010\nEgress="
			"tcp:203.0.113.0/24:443\nBandwidth=out:512k in:10M\n"
			"[Service]\nEnv=A=b c\nEnv=PASS=x=y\nWritable=/srv/data\n"
			"Restart=on-failure\nRestartSec=2\nRestartMaxDelaySec=20\n"
			"StartLimitBurst=0\nStartLimitIntervalSec=60\n"
			"Health=http:80/up\nHealthInterval=5\nHealthRetries=2\n",
			&error);
	assert_no_error(error);
	assert_string_equal(spec->name, "web");
	assert_int_equal(spec->environment, ISC_ENV_STAGING);
	assert_int_equal(spec->machine, ISC_MACHINE_Q35);
	assert_int_equal(spec->memory_mib, 128);
	assert_int_equal(spec->limits.cpu_percent, 150);
	assert_int_equal(spec->limits.cpu_weight, 20);
	assert_true(spec->limits.write_bps == 70000);
	assert_int_equal(spec->expose->len, 2);
	assert_true(spec->bandwidth.in == 10000000 && spec->bandwidth.out == 512000);
	assert_string_equal(spec->env->pdata[1], "PASS=x=y");
	assert_int_equal(spec->upkeep.restart, ISC_RESTART_ON_FAILURE);
	assert_int_equal(spec->upkeep.burst, 0);
	assert_string_equal(spec->upkeep.health, "http:80/up");

	g_autofree gchar *text = isc_spec_print(spec);
	g_autoptr(IscSpec) again = parse(text, &error);
	assert_no_error(error);
	g_autofree gchar *text2 = isc_spec_print(again);
	assert_string_equal(text, text2);
	assert_non_null(strstr(text2, "HealthRetries=2"));
}

static void an_overlay_is_kept_if_it_says_so(void **state)
{
	(void)state;
	static const struct {
		const gchar *text;
		guint mib; /* 0: refused */
		gboolean kept;
	} cases[] = { { "64", 64, FALSE }, { "64:keep", 64, TRUE }, { "keep", 256, TRUE },
		{ "", 0, FALSE }, { "64:", 0, FALSE }, { ":keep", 0, FALSE },
		{ "64keep", 0, FALSE }, { "64:kept", 0, FALSE }, { "15:keep", 0, FALSE },
		{ "9999999", 0, FALSE }, { "-64", 0, FALSE }, { "64 keep", 0, FALSE },
		{ "keep:64", 0, FALSE } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *text = g_strdup_printf("[Node]\nName=web\nImage=nginx\n"
							 "[Resources]\nOverlay=%s\n",
				cases[i].text);
		g_autoptr(IscSpec) spec = parse(text, &error);
		if (!cases[i].mib) {
			assert_null(spec);
			continue;
		}
		assert_no_error(error);
		assert_int_equal(spec->overlay_mib, cases[i].mib);
		assert_int_equal(spec->overlay_kept, cases[i].kept);
		g_autofree gchar *again = isc_spec_print(spec);
		g_autoptr(IscSpec) same = parse(again, &error);
		assert_int_equal(same->overlay_kept, cases[i].kept);
	}
}

static void a_group_comes_back_wherever_it_stands(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscSpec) spec = parse(
			HEAD "[Network]\nEgress=group:shop:tcp/80\nNetwork=group:shop\n", &error);
	assert_no_error(error);
	assert_int_equal(spec->network, ISC_NETWORK_GROUP);
	g_autoptr(IscSpec) copy = isc_spec_copy(spec);
	assert_string_equal(copy->group, "shop");
	g_autofree gchar *text = isc_spec_network_text(copy);
	assert_string_equal(text, "group:shop");
	g_autoptr(IscSpec) own = parse(HEAD "[Network]\nNetwork=dedicated\n", &error);
	assert_no_error(error);
	g_autofree gchar *own_text = isc_spec_print(own);
	assert_non_null(strstr(own_text, "Network=dedicated\n"));
	g_autoptr(IscSpec) bare = parse(HEAD "[Network]\nNetwork=isolated\n", &error);
	assert_no_error(error);
	g_autofree gchar *printed = isc_spec_print(bare);
	assert_null(strstr(printed, "Network"));
}

static void the_public_text_holds_no_environment(void **state)
{
	(void)state;
	g_autoptr(IscSpec) spec = parse(HEAD "[Service]\nEnv=TOKEN=hunter2\nWritable=/x\n", NULL);
	g_autofree gchar *text = isc_spec_print_public(spec);
	assert_null(strstr(text, "hunter2"));
	assert_null(strstr(text, "TOKEN"));
	assert_non_null(strstr(text, "Writable=/x"));
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *names;
	} bad[] = {
		{ "", "Name" },
		{ "[Node]\nName=web\n", "Image" },
		{ "[Node]\nName=../x\nImage=a\n", "x.node:2" },
		{ "[Node]\nName=Web\nImage=a\n", "x.node:2" },
		{ "[Node]\nName=web\nImage=A B\n", "x.node:3" },
		{ "[Node]\nName=web\nImage=sha256:12\n", "x.node:3" },
		{ "[Node]\nName=web\nImage=nginx:../1\n", "x.node:3" },
		{ HEAD "Colour=red\n", "x.node:4" },
		{ HEAD "Environment=prod\n", "development" },
		{ HEAD "Machine=pc\n", "microvm" },
		{ HEAD "[Resources]\nMemory=1\n", "x.node:5" },
		{ HEAD "[Resources]\nMemory=-1\n", "x.node:5" },
		{ HEAD "[Resources]\nMemory=99999999999999999999\n", "x.node:5" },
		{ HEAD "[Resources]\nVCPUs=0\n", "x.node:5" },
		{ HEAD "[Resources]\nOverlay=1.5\n", "x.node:5" },
		{ HEAD "[Resources]\nOverlay=\n", "x.node:5" },
		{ HEAD "[Network]\nExpose=80\n", "x.node:5" },
		{ HEAD "[Network]\nExpose=0:80\n", "x.node:5" },
		{ HEAD "[Network]\nExpose=80:80\nExpose=80:81\n", "overlaps" },
		{ HEAD "[Network]\nExpose=70-90:70-90\nExpose=80:81\n", "overlaps" },
		{ HEAD "[Network]\nEgress=tcp:1.2.3.4\n", "x.node:5" },
		{ HEAD "[Network]\nEgress=open\nEgress=deny\n", "deny" },
		{ HEAD "[Network]\nBandwidth=10m\n",
				"x.node:5: Bandwidth: bandwidth '10m', position 3" },
		{ HEAD "[Network]\nBandwidth=10M\nBandwidth=10M\n", "Bandwidth" },
		{ HEAD "[Network]\nNetwork=bridge\n", "x.node:5: Network: 'bridge' is none of" },
		{ HEAD "[Network]\nNetwork=group:\n", "x.node:5" },
		{ HEAD "[Network]\nNetwork=group:A b\n", "x.node:5" },
		{ HEAD "[Network]\nEgress=group:shop:tcp/80\n", "'web' is isolated" },
		{ HEAD "[Network]\nEgress=group:shop:tcp/80\nNetwork=group:other\n",
				"'web' is group:other" },
		{ HEAD "[Service]\nEnv=novalue\n", "x.node:5" },
		{ HEAD "[Service]\nEnv=1A=b\n", "x.node:5" },
		{ HEAD "[Service]\nWritable=relative\n", "x.node:5" },
		{ HEAD "[Service]\nWritable=/a/../b\n", "x.node:5" },
		{ HEAD "[Service]\nWritable=/\n", "x.node:5" },
		{ HEAD "[Service]\nRestart=sometimes\n", "on-failure" },
		{ HEAD "[Service]\nRestartSec=-1\n", "x.node:5" },
		{ HEAD "[Service]\nHealth=http:80\n", "http:[PORT]/path" },
		{ HEAD "[Service]\nHealthRetries=0\n", "x.node:5" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscSpec) spec = parse(bad[i].text, &error);
		if (spec)
			fail_msg("taken: %s", bad[i].text);
		assert_error(error, ISC_ERROR_INVALID, bad[i].names);
	}
}

static void an_error_never_shows_a_secret(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *big = g_strnfill(9000, 's');
	g_autofree gchar *text = g_strconcat(HEAD "[Service]\nEnv=KEY=", big, "\n", NULL);
	assert_null(parse(text, &error));
	assert_null(strstr(error->message, "sss"));
}

static void keys_of_jobs_fit_together(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *why; /* NULL: they do */
	} cases[] = {
		{ "Ephemeral=yes\n[Service]\nJob=yes\nRestart=on-failure\n", NULL },
		{ "[Service]\nSchedule=Mon..Fri 08:30 UTC\nPersistent=yes\nJob=yes\n", NULL },
		{ "[Service]\nSchedule=daily\n", "write Job=yes" },
		{ "[Service]\nSchedule=dayly\nJob=yes\n", "'dayly' is no" },
		{ "[Service]\nPersistent=yes\nJob=yes\n", "wants a Schedule=" },
		{ "[Service]\nSchedule=daily\nPaused=yes\nJob=yes\n", NULL },
		{ "[Service]\nPaused=yes\nJob=yes\n", "Paused= wants a Schedule=" },
		{ "[Service]\nJob=yes\nMaxRuntime=2592000\n", NULL },
		{ "[Service]\nJob=yes\nMaxRuntime=2592001\n",
				"no number of seconds from 1 to 2592000" },
		{ "[Service]\nJob=yes\nMaxRuntime=0\n", "no number of seconds" },
		{ "[Service]\nJob=yes\nMaxRuntime=1h\n", "'1h' is no number of seconds" },
		{ "[Service]\nMaxRuntime=60\n", "MaxRuntime= is for jobs" },
		{ "[Service]\nRestart=always\nJob=yes\n", "on-failure" },
		{ "[Service]\nJob=maybe\n", "yes or no" },
		{ "Ephemeral=yes\nProtect=yes\n", "Protect=" },
		{ "Ephemeral=yes\n[Service]\nJob=yes\nSchedule=daily\n", "first run" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *text = g_strconcat(HEAD, cases[i].text, NULL);
		g_autoptr(IscSpec) spec = parse(text, &error);
		if (cases[i].why) {
			assert_null(spec);
			assert_error(error, ISC_ERROR_INVALID, cases[i].why);
			continue;
		}
		assert_no_error(error);
		g_autoptr(IscSpec) copy = isc_spec_copy(spec);
		assert_memory_equal(&spec->job, &copy->job, sizeof(spec->job));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_file_comes_back_as_it_was),
		cmocka_unit_test(an_overlay_is_kept_if_it_says_so),
		cmocka_unit_test(a_group_comes_back_wherever_it_stands),
		cmocka_unit_test(keys_of_jobs_fit_together),
		cmocka_unit_test(the_public_text_holds_no_environment),
		cmocka_unit_test(what_is_wrong_is_named_with_its_line),
		cmocka_unit_test(an_error_never_shows_a_secret),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
