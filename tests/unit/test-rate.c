/* R4.3: limits of what is taken in a second. */
#include "cm.h"

#include "model/rate.h"

static void a_number_and_its_unit_are_taken_and_no_more(void **state)
{
	(void)state;
	static const struct {
		const gchar *text;
		gchar kilo;
		guint64 rate;
		const gchar *rest;
	} cases[] = {
		{ "0", 'k', 0, "" },
		{ "10M", 'k', 10000000, "" },
		{ "512k out:3M", 'k', 512000, " out:3M" },
		{ "512K", 'K', 512000, "" },
		{ "512K", 'k', 512, "K" },
		{ "512k", 'K', 512, "k" },
		{ "7GM", 'K', 7000000000, "M" },
		{ "1.5M", 'K', 1, ".5M" },
		{ "18446744073709551615", 'K', G_MAXUINT64, "" },
		/* one that would wrap around to 290 M */
		{ "18446744074G", 'K', G_MAXUINT64, "" },
		{ "18446744073709551616k", 'k', G_MAXUINT64, "" },
		{ "99999999999999999999999999 ", 'k', G_MAXUINT64, " " },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const gchar *at = cases[i].text;
		guint64 rate = 1;
		assert_true(isc_rate_take(&at, cases[i].kilo, &rate));
		assert_int_equal(rate, cases[i].rate);
		assert_string_equal(at, cases[i].rest);
	}
}

static void what_begins_with_no_digit_is_none(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "", "M", "-1", "+1", " 1", "x" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		const gchar *at = bad[i];
		guint64 rate = 7;
		assert_false(isc_rate_take(&at, 'k', &rate));
		assert_ptr_equal(at, bad[i]);
		assert_int_equal(rate, 7);
	}
}

static void the_largest_unit_that_is_exact_is_printed(void **state)
{
	(void)state;
	static const struct {
		guint64 rate;
		gchar kilo;
		const gchar *text;
	} cases[] = {
		{ 1, 'k', "1" },
		{ 1000, 'k', "1k" },
		{ 1000, 'K', "1K" },
		{ 1500000, 'k', "1500k" },
		{ 64001, 'k', "64001" },
		{ 2000000000, 'K', "2G" },
		{ 2001000000, 'K', "2001M" },
		{ 1000000000000, 'K', "1000G" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GString) out = g_string_new(NULL);
		isc_rate_append(out, cases[i].rate, cases[i].kilo);
		assert_string_equal(out->str, cases[i].text);
		const gchar *at = out->str;
		guint64 again;
		assert_true(isc_rate_take(&at, cases[i].kilo, &again) && !*at);
		assert_int_equal(again, cases[i].rate);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_and_its_unit_are_taken_and_no_more),
		cmocka_unit_test(what_begins_with_no_digit_is_none),
		cmocka_unit_test(the_largest_unit_that_is_exact_is_printed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
