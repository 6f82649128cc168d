/* R6.4: runs of jobs and their results. */
#include "cm.h"

#include "model/job.h"

/* Every ten minutes, and it was due at 600. */
static gboolean decide(gint64 now, gint64 last, gint64 *next, guint *missed)
{
	g_autoptr(GTimeZone) zone = g_time_zone_new_utc();
	IscCalendar calendar;
	assert_true(isc_calendar_parse("*:0/10 UTC", &calendar, NULL));
	return isc_job_decide(&calendar, 600, now, last, zone, next, missed);
}

static void what_is_on_time_runs_and_what_is_not_was_missed(void **state)
{
	(void)state;
	static const struct {
		gint64 now;
		gboolean run;
		guint missed;
		gint64 next;
	} cases[] = {
		{ 599, FALSE, 0, 600 },
		{ 600, TRUE, 0, 1200 },
		{ 660, TRUE, 0, 1200 },
		{ 661, FALSE, 1, 1200 },
		{ 1199, FALSE, 1, 1200 },
		{ 1200, TRUE, 1, 1800 },
		{ 3000, TRUE, 4, 3600 },
		{ 3100, FALSE, 5, 3600 },
		{ 10000000, FALSE, 1000, 10000200 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		gint64 next;
		guint missed;
		gboolean run = decide(cases[i].now, 0, &next, &missed);
		if (run != cases[i].run || missed != cases[i].missed || next != cases[i].next)
			fail_msg("at %d: run %d, missed %u, next %d", (int)cases[i].now, run,
					missed, (int)next);
	}
}

static void a_clock_that_is_set_back_repeats_nothing_at_once(void **state)
{
	(void)state;
	gint64 next;
	guint missed;
	assert_false(decide(590, 605, &next, &missed));
	assert_int_equal(next, 1200);
	/* By hours: it was wrong, and what it says now counts. */
	assert_false(decide(590, 100000, &next, &missed));
	assert_int_equal(next, 600);
}

static void a_state_has_one_name(void **state)
{
	(void)state;
	for (guint i = 0; i < ISC_N_RUN_STATES; i++) {
		IscRunState back;
		assert_true(isc_run_state_parse(isc_run_state_name((IscRunState)i), &back));
		assert_int_equal(back, i);
	}
	IscRunState none;
	assert_false(isc_run_state_parse("nonsense", &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_on_time_runs_and_what_is_not_was_missed),
		cmocka_unit_test(a_clock_that_is_set_back_repeats_nothing_at_once),
		cmocka_unit_test(a_state_has_one_name),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
