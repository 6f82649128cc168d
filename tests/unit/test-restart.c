#include "cm.h"

#include "policy/restart.h"

#define T0 1000000

static IscUpkeep upkeep_of(IscRestart restart)
{
	IscUpkeep upkeep;
	isc_upkeep_init(&upkeep);
	upkeep.restart = restart;
	return upkeep;
}

static void only_what_the_policy_asks_for_is_restarted(void **state)
{
	(void)state;
	static const struct {
		IscRestart restart;
		IscEnding ending;
		IscRestartVerdict verdict;
	} cases[] = {
		{ ISC_RESTART_NO, ISC_ENDING_FAILED, ISC_RESTART_NOT_WANTED },
		{ ISC_RESTART_NO, ISC_ENDING_UNHEALTHY, ISC_RESTART_NOT_WANTED },
		{ ISC_RESTART_NO, ISC_ENDING_HOST, ISC_RESTART_DUE },
		{ ISC_RESTART_ON_FAILURE, ISC_ENDING_CLEAN, ISC_RESTART_NOT_WANTED },
		{ ISC_RESTART_ON_FAILURE, ISC_ENDING_FAILED, ISC_RESTART_DUE },
		{ ISC_RESTART_ON_FAILURE, ISC_ENDING_UNHEALTHY, ISC_RESTART_DUE },
		{ ISC_RESTART_ALWAYS, ISC_ENDING_CLEAN, ISC_RESTART_DUE },
		{ ISC_RESTART_ALWAYS, ISC_ENDING_REFUSED, ISC_RESTART_REFUSED },
		{ ISC_RESTART_ON_FAILURE, ISC_ENDING_REFUSED, ISC_RESTART_REFUSED },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscUpkeep upkeep = upkeep_of(cases[i].restart);
		IscRestartRecord record = { .next_at = 5 };
		assert_int_equal(isc_restart_decide(&upkeep, &record, cases[i].ending, T0),
				cases[i].verdict);
		assert_int_equal(record.next_at != 0, cases[i].verdict == ISC_RESTART_DUE);
		assert_int_equal(record.total, cases[i].verdict == ISC_RESTART_DUE &&
							       cases[i].ending != ISC_ENDING_HOST);
	}
}

static void pauses_double_up_to_the_longest_and_end_at_the_ceiling(void **state)
{
	(void)state;
	static const guint pauses[] = { 2, 4, 8, 10, 10 };
	IscUpkeep upkeep = upkeep_of(ISC_RESTART_ON_FAILURE);
	IscRestartRecord record = { 0 };
	gint64 now = T0;
	upkeep.delay_s = 2;
	upkeep.delay_max_s = 10;
	for (gsize i = 0; i < G_N_ELEMENTS(pauses); i++) {
		assert_int_equal(isc_restart_decide(&upkeep, &record, ISC_ENDING_FAILED, now),
				ISC_RESTART_DUE);
		assert_int_equal(record.next_at - now, pauses[i]);
		now = record.next_at + 1;
	}
	assert_int_equal(isc_restart_decide(&upkeep, &record, ISC_ENDING_FAILED, now),
			ISC_RESTART_CEILING);
	assert_int_equal(record.next_at, 0);
	assert_int_equal(record.total, G_N_ELEMENTS(pauses));

	/* When the window has passed, all begins anew; but the total is the total. */
	now = T0 + upkeep.interval_s;
	assert_int_equal(isc_restart_decide(&upkeep, &record, ISC_ENDING_FAILED, now),
			ISC_RESTART_DUE);
	assert_int_equal(record.next_at - now, 2);
	assert_int_equal(record.in_window, 1);
	assert_int_equal(record.total, G_N_ELEMENTS(pauses) + 1);
}

static void without_a_ceiling_it_never_ends_and_no_pause_overflows(void **state)
{
	(void)state;
	IscUpkeep upkeep = upkeep_of(ISC_RESTART_ALWAYS);
	IscRestartRecord record = { 0 };
	upkeep.burst = 0;
	upkeep.delay_s = 3600;
	upkeep.delay_max_s = 86400;
	upkeep.interval_s = 604800;
	for (guint i = 0; i < 200; i++) {
		assert_int_equal(isc_restart_decide(&upkeep, &record, ISC_ENDING_CLEAN, T0 + i),
				ISC_RESTART_DUE);
		assert_in_range(record.next_at - T0 - i, 3600, 86400);
	}
}

static void a_clock_that_goes_back_does_not_hold_a_node_down(void **state)
{
	(void)state;
	IscUpkeep upkeep = upkeep_of(ISC_RESTART_ALWAYS);
	IscRestartRecord record = { .window_start = T0, .in_window = 5 };
	assert_int_equal(isc_restart_decide(&upkeep, &record, ISC_ENDING_CLEAN, T0 + 1),
			ISC_RESTART_CEILING);
	assert_int_equal(isc_restart_decide(&upkeep, &record, ISC_ENDING_CLEAN, T0 - 100),
			ISC_RESTART_DUE);
}

static void a_probe_is_tcp_or_http_with_a_port(void **state)
{
	(void)state;
	static const gchar *const good[] = { "tcp:1", "tcp:65535", "http:80/", "http:8080/up?x=1" };
	static const gchar *const bad[] = { "", "tcp", "tcp:", "tcp:0", "tcp:080", "tcp:65536",
		"tcp:80/", "udp:80", "http:80", "http:/x", "http:80/a b", "http:80/a\nb",
		"http:80/\xff", "none", "tcp:123456" };
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
		assert_true(isc_health_is_valid(good[i]));
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
		if (isc_health_is_valid(bad[i]))
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(isc_health_port("http:8080/up"), 8080);
	assert_int_equal(isc_health_port("tcp:22"), 22);
	assert_int_equal(isc_health_port(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_policy_asks_for_is_restarted),
		cmocka_unit_test(pauses_double_up_to_the_longest_and_end_at_the_ceiling),
		cmocka_unit_test(without_a_ceiling_it_never_ends_and_no_pause_overflows),
		cmocka_unit_test(a_clock_that_goes_back_does_not_hold_a_node_down),
		cmocka_unit_test(a_probe_is_tcp_or_http_with_a_port),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
