/* R6.6: the ceiling of the host. */
#include "cm.h"

#include "model/spec.h"

static void a_limit_is_read_and_printed_in_one_way(void **state)
{
	(void)state;
	static const struct {
		const gchar *key, *text, *printed;
	} cases[] = {
		{ "CPUQuota", "50%", "CPUQuota=50%\n" },
		{ "CPUQuota", "6400%", "CPUQuota=6400%\n" },
		{ "CPUWeight", "1", "CPUWeight=1\n" },
		{ "CPUWeight", "10000", "CPUWeight=10000\n" },
		{ "CPUWeight", "100", "" }, /* the default is no limit */
		{ "IOReadBandwidth", "10M", "IOReadBandwidth=10M\n" },
		{ "IOReadBandwidth", "1000000", "IOReadBandwidth=1M\n" },
		{ "IOWriteBandwidth", "65536", "IOWriteBandwidth=65536\n" },
		{ "IOWriteBandwidth", "1000G", "IOWriteBandwidth=1000G\n" },
		{ "IOPS", "500", "IOPS=500\n" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GString) out = g_string_new(NULL);
		IscLimits limits = { 0 };
		assert_true(isc_limits_take(&limits, cases[i].key, cases[i].text, &error));
		assert_no_error(error);
		isc_limits_print(&limits, out);
		assert_string_equal(out->str, cases[i].printed);
	}
}

static void what_is_no_limit_is_refused(void **state)
{
	(void)state;
	static const gchar *const bad[][2] = { { "CPUQuota", "50" }, { "CPUQuota", "0%" },
		{ "CPUQuota", "%" }, { "CPUQuota", "" }, { "CPUQuota", "6401%" },
		{ "CPUQuota", "-1%" }, { "CPUWeight", "0" }, { "CPUWeight", "10001" },
		{ "CPUWeight", "10%" }, { "CPUWeight", "idle" }, { "CPUWeight", "" },
		{ "IOReadBandwidth", "10" }, { "IOReadBandwidth", "65K" },
		{ "IOReadBandwidth", "1001G" }, { "IOWriteBandwidth", "10m" },
		{ "IOWriteBandwidth", "" }, { "IOWriteBandwidth", "M" }, { "IOPS", "9" },
		{ "IOPS", "1K" } };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		IscLimits limits = { 0 };
		if (isc_limits_take(&limits, bad[i][0], bad[i][1], &error))
			fail_msg("%s=%s was taken", bad[i][0], bad[i][1]);
		assert_error(error, ISC_ERROR_INVALID, bad[i][1]);
		assert_false(isc_limits_any(&limits));
	}
}

static void a_quota_above_its_processors_counts_as_those(void **state)
{
	(void)state;
	const IscLimits none = { 0 }, half = { .cpu_percent = 50 }, much = { .cpu_percent = 900 };
	assert_int_equal(isc_limits_cpu_percent(&none, 2), 200);
	assert_int_equal(isc_limits_cpu_percent(&half, 2), 50);
	assert_int_equal(isc_limits_cpu_percent(&much, 2), 200);
}

static void a_weight_comes_back_from_its_shares(void **state)
{
	(void)state;
	assert_int_equal(isc_limits_cpu_shares(0, FALSE), 1024);
	assert_int_equal(isc_limits_cpu_shares(0, TRUE), 100);
	assert_int_equal(isc_limits_cpu_shares(10, FALSE), 102);
	for (gint unified = 0; unified < 2; unified++) {
		assert_int_equal(isc_limits_cpu_weight(0, unified), 1);
		assert_int_equal(isc_limits_cpu_weight(G_MAXUINT64, unified), ISC_CPU_WEIGHT_MAX);
		for (guint weight = 1; weight <= ISC_CPU_WEIGHT_MAX; weight++) {
			guint64 shares = isc_limits_cpu_shares(weight, unified);
			/* cpu.shares and cpu.weight take no others */
			assert_true(shares >= (unified ? 1 : 2) &&
					shares <= (unified ? 10000 : 262144));
			assert_int_equal(isc_limits_cpu_weight(shares, unified),
					weight == ISC_CPU_WEIGHT_DEFAULT ? 0 : weight);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_is_read_and_printed_in_one_way),
		cmocka_unit_test(what_is_no_limit_is_refused),
		cmocka_unit_test(a_quota_above_its_processors_counts_as_those),
		cmocka_unit_test(a_weight_comes_back_from_its_shares),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
