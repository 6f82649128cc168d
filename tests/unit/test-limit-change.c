/* R6.6: limits changed while a node runs. */
#include "cm.h"

#include "policy/limit-change.h"

static IscSpec *spec_of(const gchar *more)
{
	g_autofree gchar *text = g_strconcat("[Node]\nName=web\nImage=nginx\n", more, NULL);
	IscSpec *spec = isc_spec_parse("test", text, strlen(text), NULL);
	assert_non_null(spec);
	return spec;
}

static void a_change_names_what_changes_and_can_be_taken_back(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscSpec) spec = spec_of("[Resources]\nMemory=128\nCPUQuota=50%\nIOPS=100\n"
					  "CPUWeight=10\n[Network]\nBandwidth=10M\nExpose=80:80\n"
					  "[Service]\nRestart=always\n");
	const gchar *texts[] = { "CPUQuota=none", "CPUWeight=none", "IOPS=100",
		"IOWriteBandwidth=2000K", "Memory=96", "Bandwidth=out:1M", NULL };
	g_autofree gchar *change = isc_limit_change_plan(spec, texts, &error);
	assert_no_error(error);
	assert_string_equal(change,
			"CPUQuota=50%>none; CPUWeight=10>none; IOWriteBandwidth=none>2M; "
			"Memory=128>96; Bandwidth=in:10M out:10M>out:1M");

	g_autoptr(IscSpec) next = isc_limit_change_work_out(spec, change, FALSE, &error);
	assert_no_error(error);
	assert_int_equal(next->limits.cpu_percent, 0);
	assert_int_equal(next->limits.cpu_weight, 0);
	assert_true(next->limits.write_bps == 2000000 && next->bandwidth.in == 0);
	assert_int_equal(next->memory_mib, 96);
	assert_int_equal(next->expose->len, 1);
	g_autoptr(IscSpec) twice = isc_limit_change_work_out(next, change, FALSE, &error);
	g_autoptr(IscSpec) back = isc_limit_change_work_out(twice, change, TRUE, &error);
	assert_no_error(error);
	g_autofree gchar *was = isc_spec_print(spec), *is = isc_spec_print(back);
	assert_string_equal(was, is);

	g_autofree gchar *waits = isc_limit_change_waits(spec, next);
	assert_string_equal(waits, "Memory=");
	assert_true(isc_limit_change_asks_for_more(spec, next)); /* of CPU: no quota any more */
	/* A heavier one takes no more where all are to have what they may. */
	const gchar *less[] = { "CPUQuota=10%", "CPUWeight=1000", NULL };
	g_autofree gchar *smaller = isc_limit_change_plan(spec, less, &error);
	g_autoptr(IscSpec) small = isc_limit_change_work_out(spec, smaller, FALSE, &error);
	assert_false(isc_limit_change_asks_for_more(spec, small));
}

static void what_is_so_already_is_no_change(void **state)
{
	(void)state;
	g_autoptr(IscSpec) spec = spec_of("[Resources]\nCPUQuota=50%\n");
	const gchar *texts[] = { "CPUQuota=50%", "CPUWeight=100", "IOPS=none", "Memory=256", NULL };
	g_autofree gchar *change = isc_limit_change_plan(spec, texts, NULL);
	assert_string_equal(change, "");
}

static void what_is_no_limit_is_refused_by_name(void **state)
{
	(void)state;
	static const gchar *const cases[][2] = { { "Name=x", "Name=x" }, { "CPUQuota", "CPUQuota" },
		{ "CPUQuota=", "CPUQuota=" }, { "CPUQuota=half", "CPUQuota=: 'half'" },
		{ "CPUWeight=0", "CPUWeight=: '0'" }, { "Memory=none", "Memory=" },
		{ "Memory=1", "Memory=: '1'" }, { "IOPS=100\nMemory=1", "IOPS=" },
		{ "IOPS=100; Memory=1", "IOPS=" }, { "Bandwidth=1", "Bandwidth=" } };
	g_autoptr(IscSpec) spec = spec_of("");
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		const gchar *texts[] = { cases[i][0], NULL };
		g_autofree gchar *change = isc_limit_change_plan(spec, texts, &error);
		assert_null(change);
		assert_error(error, ISC_ERROR_INVALID, cases[i][1]);
	}
	g_autoptr(GError) error = NULL;
	const gchar *twice[] = { "IOPS=100", "IOPS=200", NULL };
	assert_null(isc_limit_change_plan(spec, twice, &error));
	assert_error(error, ISC_ERROR_INVALID, "twice");
	g_clear_error(&error);
	assert_null(isc_limit_change_work_out(spec, "nonsense", FALSE, &error));
	assert_error(error, ISC_ERROR_INVALID, "nonsense");
}

/* What a member of a set is brought to its set's limits by. */
static void what_differs_makes_one_the_other(void **state)
{
	(void)state;
	g_autoptr(IscSpec) from = spec_of("[Resources]\nMemory=128\nCPUQuota=50%\n"
					  "[Network]\nBandwidth=10M\n");
	g_autoptr(IscSpec) to = spec_of("[Resources]\nMemory=96\nIOPS=100\n"
					"[Network]\nBandwidth=in:1M out:2M\nExpose=80:80\n");
	g_auto(GStrv) limits = isc_limit_change_between(from, to);
	g_autofree gchar *text = g_strjoinv("; ", limits);
	assert_string_equal(text, "CPUQuota=none; IOPS=100; Memory=96; Bandwidth=in:1M out:2M");
	g_autofree gchar *change = isc_limit_change_plan(from, (const gchar *const *)limits, NULL);
	assert_non_null(change);
	g_autoptr(IscSpec) next = isc_limit_change_work_out(from, change, FALSE, NULL);
	g_auto(GStrv) none = isc_limit_change_between(next, to);
	assert_null(none[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_names_what_changes_and_can_be_taken_back),
		cmocka_unit_test(what_is_so_already_is_no_change),
		cmocka_unit_test(what_is_no_limit_is_refused_by_name),
		cmocka_unit_test(what_differs_makes_one_the_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
