/* R6.5, F9: restarted by policy, with back-off. */
#include "cm.h"

#include "model/health.h"
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

static void a_probe_is_tcp_or_http_or_a_command(void **state)
{
	(void)state;
	static const gchar *const good[] = { "tcp:1", "tcp:65535", "http:80/", "http:8080/up?x=1",
		"http:/x", "exec:/bin/true", "exec:/bin/a 'b c' \"\"" };
	static const gchar *const bad[] = { "", "tcp", "tcp:", "tcp:0", "tcp:080", "tcp:65536",
		"tcp:80/", "tcp:/", "udp:80", "http:80", "http:", "http:80/a b", "http:80/a\nb",
		"http:80/\xff", "none", "tcp:123456", "exec:", "exec: ", "exec:true", "exec:/",
		"exec:/bin/a 'b", "exec:/bin/a\nb", "exec:/bin/\xff",
		"exec:/a 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 "
		"28 29 30 31" };
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
		if (!isc_health_is_valid(good[i]))
			fail_msg("refused: %s", good[i]);
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
		if (isc_health_is_valid(bad[i]))
			fail_msg("taken: %s", bad[i]);
	g_autofree gchar *long_one = g_strdup_printf("exec:/bin/%01024d", 1);
	assert_false(isc_health_is_valid(long_one));
	assert_int_equal(isc_health_port("http:8080/up"), 8080);
	assert_int_equal(isc_health_port("tcp:22"), 22);
	assert_int_equal(isc_health_port("http:/up"), 0);
	assert_int_equal(isc_health_port("exec:/bin/true"), 0);
	assert_int_equal(isc_health_port(NULL), 0);
	assert_string_equal(isc_health_path("http:8080/up/1"), "/up/1");
	assert_null(isc_health_path("exec:/bin/true"));
}

static void a_command_is_split_as_a_shell_does(void **state)
{
	(void)state;
	g_auto(GStrv) words = isc_health_command("exec:/bin/a 'b c' \"\" $d");
	assert_string_equal(words[1], "b c");
	assert_string_equal(words[2], "");
	assert_string_equal(words[3], "$d");
	assert_null(words[4]);
	assert_null(isc_health_command("tcp:1"));
	assert_null(isc_health_command(NULL));
}

static void without_a_port_it_is_the_images_first_of_tcp(void **state)
{
	(void)state;
	g_auto(GStrv) ports = g_strsplit("53/udp 5000-5010/tcp 80/tcp", " ", -1);
	g_auto(GStrv) udp = g_strsplit("53/udp", " ", -1);
	g_autofree gchar *found = isc_health_resolve("http:/up", ports);
	assert_string_equal(found, "http:5000/up");
	assert_null(isc_health_resolve("http:/up", udp));
	assert_null(isc_health_resolve("http:/up", NULL));
	assert_null(isc_health_resolve(NULL, ports));
	g_autofree gchar *kept = isc_health_resolve("http:8080/up", udp);
	assert_string_equal(kept, "http:8080/up");
	g_autofree gchar *command = isc_health_resolve("exec:/bin/true", NULL);
	assert_string_equal(command, "exec:/bin/true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_the_policy_asks_for_is_restarted),
		cmocka_unit_test(pauses_double_up_to_the_longest_and_end_at_the_ceiling),
		cmocka_unit_test(without_a_ceiling_it_never_ends_and_no_pause_overflows),
		cmocka_unit_test(a_clock_that_goes_back_does_not_hold_a_node_down),
		cmocka_unit_test(a_probe_is_tcp_or_http_or_a_command),
		cmocka_unit_test(a_command_is_split_as_a_shell_does),
		cmocka_unit_test(without_a_port_it_is_the_images_first_of_tcp),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
