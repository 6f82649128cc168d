/* R6.4: when a scheduled job comes. */
#include "cm.h"

#include "model/calendar.h"

static gint64 at(const gchar *text, GTimeZone *zone)
{
	g_autoptr(GDateTime) t = g_date_time_new_from_iso8601(text, zone);
	assert_non_null(t);
	return g_date_time_to_unix(t);
}

static gchar *show(gint64 s, GTimeZone *zone)
{
	g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(s);
	g_autoptr(GDateTime) t = g_date_time_to_timezone(utc, zone);
	return g_date_time_format(t, "%Y-%m-%dT%H:%M:%S");
}

/* The first points behind @after are those of @wanted, in @zone. */
static void assert_next(const gchar *text, const gchar *after, const gchar *const *wanted,
		const gchar *zone_name)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GTimeZone) zone = g_time_zone_new_identifier(zone_name);
	assert_non_null(zone);
	IscCalendar c;
	if (!isc_calendar_parse(text, &c, &error))
		fail_msg("%s: %s", text, error->message);
	gint64 t = at(after, zone);
	for (gsize i = 0; wanted[i]; i++) {
		t = isc_calendar_next(&c, t, zone);
		g_autofree gchar *got = t ? show(t, zone) : g_strdup("never");
		if (strcmp(got, wanted[i]) != 0)
			fail_msg("'%s' behind %s: %s, wanted %s", text, after, got, wanted[i]);
		if (!t)
			break;
	}
}
#define NEXT(text, after, ...)                                                                     \
	assert_next(text, after, (const gchar *const[]){ __VA_ARGS__, NULL }, "UTC")

static void the_next_points_are_those_of_the_calendar(void **state)
{
	(void)state;
	NEXT("minutely", "2024-02-28T23:58:30", "2024-02-28T23:59:00", "2024-02-29T00:00:00");
	NEXT("hourly", "2024-12-31T23:00:00", "2025-01-01T00:00:00");
	NEXT("daily", "2023-02-28T00:00:00", "2023-03-01T00:00:00", "2023-03-02T00:00:00");
	NEXT("weekly", "2024-05-01T12:00:00", "2024-05-06T00:00:00", "2024-05-13T00:00:00");
	NEXT("monthly", "2024-01-31T00:00:00", "2024-02-01T00:00:00");
	NEXT("quarterly", "2024-11-01T00:00:00", "2025-01-01T00:00:00", "2025-04-01T00:00:00");
	NEXT("semiannually", "2024-01-01T00:00:00", "2024-07-01T00:00:00");
	NEXT("annually", "2024-01-01T00:00:00", "2025-01-01T00:00:00");
	NEXT("Mon..Fri 08:30", "2024-05-03T08:30:00", "2024-05-06T08:30:00", "2024-05-07T08:30:00");
	NEXT("sat,Sunday 23:59:59", "2024-05-01T00:00:00", "2024-05-04T23:59:59",
			"2024-05-05T23:59:59", "2024-05-11T23:59:59");
	NEXT("*-*-* *:0/15", "2024-05-01T10:44:59", "2024-05-01T10:45:00", "2024-05-01T11:00:00");
	NEXT("*:*:0/20", "2024-05-01T10:00:20", "2024-05-01T10:00:40", "2024-05-01T10:01:00");
	NEXT("8..18/5:00", "2024-05-01T09:00:00", "2024-05-01T13:00:00", "2024-05-01T18:00:00",
			"2024-05-02T08:00:00");
	NEXT("2-29 12:00", "2024-03-01T00:00:00", "2028-02-29T12:00:00");
	NEXT("Fri *-*-13", "2024-01-01T00:00:00", "2024-09-13T00:00:00", "2024-12-13T00:00:00");
	NEXT("2030..2032/2-12-24,31 18:00", "2024-01-01T00:00:00", "2030-12-24T18:00:00",
			"2030-12-31T18:00:00", "2032-12-24T18:00:00", "2032-12-31T18:00:00",
			"never");
	NEXT("2020-1-1", "2024-01-01T00:00:00", "never");
	NEXT("*-12-31 23:59:59", "2199-01-01T00:00:00", "2199-12-31T23:59:59", "never");
}

static void local_time_leaps_and_repeats(void **state)
{
	(void)state;
#define BERLIN(text, after, ...)                                                                   \
	assert_next(text, after, (const gchar *const[]){ __VA_ARGS__, NULL },                      \
			"CET-1CEST,M3.5.0,M10.5.0/3")
	/* 31 March 2024: 02:00 becomes 03:00. */
	BERLIN("02:30", "2024-03-30T12:00:00", "2024-04-01T02:30:00");
	BERLIN("*:30", "2024-03-31T01:00:00", "2024-03-31T01:30:00", "2024-03-31T03:30:00");
	BERLIN("daily", "2024-03-30T12:00:00", "2024-03-31T00:00:00", "2024-04-01T00:00:00");
	BERLIN("04:00", "2024-03-30T05:00:00", "2024-03-31T04:00:00", "2024-04-01T04:00:00");
	/* 27 October 2024: 03:00 becomes 02:00. */
	BERLIN("*:30", "2024-10-27T01:00:00", "2024-10-27T01:30:00", "2024-10-27T02:30:00",
			"2024-10-27T02:30:00", "2024-10-27T03:30:00");
	BERLIN("daily", "2024-10-26T12:00:00", "2024-10-27T00:00:00", "2024-10-28T00:00:00");
	/* UTC does not care. */
	BERLIN("02:30 UTC", "2024-03-30T12:00:00", "2024-03-31T04:30:00", "2024-04-01T04:30:00");
	BERLIN("daily UTC", "2024-01-01T12:00:00", "2024-01-02T01:00:00");
}

static void what_is_no_schedule_is_refused(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "", " ", "UTC", "never", "24:00", "12:60", "12:00:60",
		"1:2:3:4", "*-13-01", "*-0-1", "*-1-32", "1969-1-1", "2200-1-1", "1-2-3-4", "Xyz",
		"Mo 10:00", "Mon/2 10:00", "10:00 Mon", "10:00 2024-1-1", "daily 10:00", "5..3:00",
		"*/0:00", ",:00", "1,:00", "1,,2:00", "10:00 Europe/Berlin", "*-*~3", "10:00:00.5",
		"@1700000000", "10:00 UTC UTC", "-1:00", "Mon..:00", "12" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		IscCalendar c;
		if (isc_calendar_parse(bad[i], &c, &error))
			fail_msg("'%s' was taken", bad[i]);
		assert_error(error, ISC_ERROR_INVALID, "is no");
	}
}

static void what_never_comes_is_refused(void **state)
{
	(void)state;
	static const gchar *const never[] = { "*-02-30", "*-2-30 12:00 UTC", "*-4,6,9,11-31",
		"2025-2-29", "Mon 2030-1-1", "2100-02-29" };
	static const gchar *const seldom[] = { "2-29", "Mon *-2-29", "Tue 2030-1-1", "*-2,3-30",
		"1970-1-1", "2199-12-31", "2100,2104-02-29" };
	for (gsize i = 0; i < G_N_ELEMENTS(never); i++) {
		g_autoptr(GError) error = NULL;
		IscCalendar c;
		if (isc_calendar_parse(never[i], &c, &error))
			fail_msg("'%s' was taken", never[i]);
		assert_non_null(strstr(error->message, never[i]));
		assert_error(error, ISC_ERROR_INVALID, "'isc-vm job next'");
	}
	for (gsize i = 0; i < G_N_ELEMENTS(seldom); i++) {
		g_autoptr(GError) error = NULL;
		IscCalendar c;
		if (!isc_calendar_parse(seldom[i], &c, &error))
			fail_msg("'%s': %s", seldom[i], error->message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_points_are_those_of_the_calendar),
		cmocka_unit_test(local_time_leaps_and_repeats),
		cmocka_unit_test(what_is_no_schedule_is_refused),
		cmocka_unit_test(what_never_comes_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
