/* R1.10. */
#include "cm.h"

#include "model/bandwidth.h"

static void a_rate_is_read_and_printed_in_one_way(void **state)
{
	(void)state;
	static const struct {
		const gchar *text;
		guint64 in, out;
		const gchar *printed;
	} cases[] = {
		{ "10M", 10000000, 10000000, "in:10M out:10M" },
		{ "in:10M", 10000000, 0, "in:10M" },
		{ "out:512k", 0, 512000, "out:512k" },
		{ "out:5M in:10M", 10000000, 5000000, "in:10M out:5M" },
		{ "in:100G  out:64000", 100000000000, 64000, "in:100G out:64k" },
		{ "in:1500000", 1500000, 0, "in:1500k" },
		{ "in:64001", 64001, 0, "in:64001" },
		{ "2000M", 2000000000, 2000000000, "in:2G out:2G" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		IscBandwidth b, again;
		assert_true(isc_bandwidth_parse(cases[i].text, &b, &error));
		assert_no_error(error);
		assert_int_equal(b.in, cases[i].in);
		assert_int_equal(b.out, cases[i].out);
		g_autofree gchar *text = isc_bandwidth_print(&b);
		assert_string_equal(text, cases[i].printed);
		assert_true(isc_bandwidth_parse(text, &again, NULL));
		assert_memory_equal(&b, &again, sizeof b);
	}
	const IscBandwidth none = { 0 };
	g_autofree gchar *text = isc_bandwidth_print(&none);
	assert_string_equal(text, "");
}

static void a_bad_rate_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *names;
	} bad[] = {
		{ "", "position 1: 'in:' or 'out:'" },
		{ "up:3M", "position 1" },
		{ "in:", "position 4: a number" },
		{ "in:-1M", "position 4" },
		{ "in:10m", "position 6: only k, M or G" },
		{ "in:10Mbit", "position 7" },
		{ "in:1.5M", "position 5" },
		{ "in:63k", "64k to 100G" },
		{ "in:0", "64k to 100G" },
		{ "in:101G", "64k to 100G" },
		{ "in:99999999999999999999999999M", "64k to 100G" },
		{ "in:18446744074G", "64k to 100G" },
		{ "10M 5M", "position 4: one rate is for both" },
		{ "in:10M in:5M", "position 8: this direction a second time" },
		{ "in:10M 5M", "position 8" },
		{ "in:10M,out:5M", "position 7" },
		{ "in:10M ", "position 8" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		IscBandwidth b;
		if (isc_bandwidth_parse(bad[i].text, &b, &error))
			fail_msg("taken: %s", bad[i].text);
		assert_error(error, ISC_ERROR_INVALID, bad[i].names);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_read_and_printed_in_one_way),
		cmocka_unit_test(a_bad_rate_is_refused_with_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
