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
		{ "CPUQuota", "-1%" }, { "IOReadBandwidth", "10" }, { "IOReadBandwidth", "65K" },
		{ "IOReadBandwidth", "1001G" }, { "IOWriteBandwidth", "10m" },
		{ "IOWriteBandwidth", "" }, { "IOWriteBandwidth", "M" }, { "IOPS", "9" },
		{ "IOPS", "1K" } };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		IscLimits limits = { 0 };
		if (isc_limits_take(&limits, bad[i][0], bad[i][1], &error))
			fail_msg("%s=%s was taken", bad[i][0], bad[i][1]);
		assert_error(error, ISC_ERROR_INVALID, bad[i][1]);
		assert_true(!limits.cpu_percent && !limits.read_bps && !limits.write_bps &&
				!limits.iops);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_limit_is_read_and_printed_in_one_way),
		cmocka_unit_test(what_is_no_limit_is_refused),
		cmocka_unit_test(a_quota_above_its_processors_counts_as_those),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
