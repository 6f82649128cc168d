#pragma once
#include <glib.h>

/* Points in time that come again: key Schedule= of a node file, a part of what OnCalendar= of
 * systemd takes (systemd.time(7), "Calendar Events"):
 *
 *   [WEEKDAYS] [[YEAR-]MONTH-DAY] [HOUR:MINUTE[:SECOND]] [UTC]
 *
 * and minutely, hourly, daily, weekly, monthly, quarterly, semiannually, yearly, annually.  Each
 * part is "*", or a list with "," of NUMBER, FROM..TO, NUMBER/STEP, FROM..TO/STEP, "*" + "/STEP"
 * stands for the first one with that step; weekdays are names, Mon or Monday.  Not taken: other
 * time zones, "~" (days from the end of the month), parts of a second.
 *
 * Without UTC it is the host's local time.  An hour that the clock leaps over does not come that
 * day; one that it shows twice comes twice. */

#define ISC_CALENDAR_MAX 127 /* bytes of the text */
#define ISC_CALENDAR_YEAR_FIRST 1970
#define ISC_CALENDAR_YEAR_LAST 2199

/* A plain value. */
typedef struct {
	guint8 years[ISC_CALENDAR_YEAR_LAST - ISC_CALENDAR_YEAR_FIRST + 1]; /* 1: that year */
	guint64 months, days, weekdays; /* bit n: month n, day n; weekday 1 is Monday */
	guint64 hours, minutes, seconds;
	gboolean is_utc;
} IscCalendar;

/* Errors: ISC_ERROR_INVALID, naming the part at fault; or the whole, where no calendar has such a
 * day.  One that has passed is taken: it did come. */
gboolean isc_calendar_parse(const gchar *text, IscCalendar *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_calendar_next:
 * @after: s since the epoch
 * @zone: of local time, e.g. g_time_zone_new_local()
 *
 * Returns: the first point behind @after, s since the epoch; 0: there is none any more
 */
gint64 isc_calendar_next(const IscCalendar *calendar, gint64 after, GTimeZone *zone);
