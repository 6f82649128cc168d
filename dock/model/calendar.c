#include "model/calendar.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"

#define HOUR 3600
#define DAY 86400

static gboolean fail(const gchar *part, const gchar *what, GError **error)
{
	g_autofree gchar *shown = isc_text_escape(part, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no %s", shown, what);
	return FALSE;
}

/* --- parts --------------------------------------------------------------------------------- */

/* What one part may hold, and what gets it. */
typedef struct {
	const gchar *what;
	guint min, max;
	const gchar *const *names; /* instead of numbers; NULL at the end */
	guint64 *bits;             /* or NULL: … */
	guint8 *years;
} Part;

static const gchar *const weekdays[] = { "Monday", "Tuesday", "Wednesday", "Thursday", "Friday",
	"Saturday", "Sunday", NULL };

static gboolean take_number(const Part *part, const gchar **at, guint *out)
{
	guint value = 0;
	const gchar *p = *at;
	if (part->names) {
		gsize len = 0;
		while (g_ascii_isalpha(p[len]))
			len++;
		for (guint i = 0; part->names[i]; i++)
			if ((len == 3 || len == strlen(part->names[i])) &&
					g_ascii_strncasecmp(part->names[i], p, len) == 0) {
				*at = p + len;
				*out = i + 1;
				return TRUE;
			}
		return FALSE;
	}
	while (g_ascii_isdigit(*p) && value <= 9999)
		value = value * 10 + (guint)(*p++ - '0');
	if (p == *at || value < part->min || value > part->max)
		return FALSE;
	*at = p;
	*out = value;
	return TRUE;
}

static void set(const Part *part, guint value)
{
	if (part->years)
		part->years[value - part->min] = 1;
	else
		*part->bits |= G_GUINT64_CONSTANT(1) << value;
}

/* "*", "N", "A..B", each with "/STEP" perhaps. */
static gboolean take_range(const Part *part, const gchar **at)
{
	guint from = part->min, to = part->max, step = 0;
	gboolean is_open = **at == '*';
	if (is_open)
		(*at)++;
	else if (!take_number(part, at, &from))
		return FALSE;
	if (!is_open)
		to = from;
	if (!is_open && g_str_has_prefix(*at, "..")) {
		*at += 2;
		if (!take_number(part, at, &to) || to < from)
			return FALSE;
	} else if (!is_open && **at == '/') {
		to = part->max;
	}
	if (**at == '/') {
		gchar *end = NULL;
		guint64 n = g_ascii_isdigit((*at)[1]) ? g_ascii_strtoull(*at + 1, &end, 10) : 0;
		if (part->names || n < 1 || n > part->max)
			return FALSE;
		step = (guint)n;
		*at = end;
	}
	for (guint value = from; value <= to; value += MAX(step, 1))
		set(part, value);
	return TRUE;
}

/* The whole of @text is a list of ranges. */
static gboolean take_part(const Part *part, const gchar *text, GError **error)
{
	const gchar *at = text;
	while (take_range(part, &at)) {
		if (*at == '\0')
			return TRUE;
		if (*at++ != ',')
			break;
	}
	return fail(text, part->what, error);
}

static gboolean take_date(IscCalendar *c, const gchar *text, GError **error)
{
	const Part year = { "year from 1970 to 2199", ISC_CALENDAR_YEAR_FIRST,
		ISC_CALENDAR_YEAR_LAST, NULL, NULL, c->years };
	const Part month = { "month from 1 to 12", 1, 12, NULL, &c->months, NULL };
	const Part day = { "day from 1 to 31", 1, 31, NULL, &c->days, NULL };
	g_auto(GStrv) parts = g_strsplit(text, "-", 4);
	guint n = g_strv_length(parts);
	if (n < 2 || n > 3)
		return fail(text, "date: wants YEAR-MONTH-DAY or MONTH-DAY", error);
	return take_part(&year, n == 3 ? parts[0] : "*", error) &&
	       take_part(&month, parts[n - 2], error) && take_part(&day, parts[n - 1], error);
}

static gboolean take_time(IscCalendar *c, const gchar *text, GError **error)
{
	const Part hour = { "hour from 0 to 23", 0, 23, NULL, &c->hours, NULL };
	const Part minute = { "minute from 0 to 59", 0, 59, NULL, &c->minutes, NULL };
	const Part second = { "second from 0 to 59", 0, 59, NULL, &c->seconds, NULL };
	g_auto(GStrv) parts = g_strsplit(text, ":", 4);
	guint n = g_strv_length(parts);
	if (n < 2 || n > 3)
		return fail(text, "time: wants HOUR:MINUTE or HOUR:MINUTE:SECOND", error);
	return take_part(&hour, parts[0], error) && take_part(&minute, parts[1], error) &&
	       take_part(&second, n == 3 ? parts[2] : "0", error);
}

static const gchar *expand(const gchar *text)
{
	/* clang-format off */
	static const gchar *const words[][2] = {
		{ "minutely",     "*-*-* *:*:00" },
		{ "hourly",       "*-*-* *:00:00" },
		{ "daily",        "*-*-* 00:00:00" },
		{ "weekly",       "Mon *-*-* 00:00:00" },
		{ "monthly",      "*-*-01 00:00:00" },
		{ "quarterly",    "*-01,04,07,10-01 00:00:00" },
		{ "semiannually", "*-01,07-01 00:00:00" },
		{ "yearly",       "*-01-01 00:00:00" },
		{ "annually",     "*-01-01 00:00:00" },
	};
	/* clang-format on */
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		if (g_ascii_strcasecmp(words[i][0], text) == 0)
			return words[i][1];
	return text;
}

static gboolean take_words(IscCalendar *c, gchar **words, GError **error)
{
	const Part weekday = { "weekday, like Mon, Mon..Fri or Sat,Sun", 1, 7, weekdays,
		&c->weekdays, NULL };
	gchar **at = words;
	if (*at && g_ascii_isalpha(**at)) {
		if (!take_part(&weekday, *at++, error))
			return FALSE;
	} else {
		(void)take_part(&weekday, "*", NULL);
	}
	gboolean has_date = *at && strchr(*at, '-'), has_time;
	if (!take_date(c, has_date ? *at : "*-*", error))
		return FALSE;
	at += has_date;
	has_time = *at && strchr(*at, ':');
	if (!take_time(c, has_time ? *at : "0:0", error))
		return FALSE;
	at += has_time;
	return !*at ||
	       fail(*at, "part of a schedule here: wants [WEEKDAYS] [DATE] [TIME] [UTC]", error);
}

/* Is there a day in it at all?  30 February has none, nor has Monday, 1 January 2030.  Times of day
 * always come. */
static gboolean has_day(const IscCalendar *c)
{
	for (guint year = ISC_CALENDAR_YEAR_FIRST; year <= ISC_CALENDAR_YEAR_LAST; year++)
		for (guint month = 1; month <= 12 && c->years[year - ISC_CALENDAR_YEAR_FIRST];
				month++)
			for (guint day = 1; day <= 31 && (c->months >> month & 1); day++) {
				GDate date;
				if (!(c->days >> day & 1) ||
						!g_date_valid_dmy((GDateDay)day, (GDateMonth)month,
								(GDateYear)year))
					continue;
				g_date_clear(&date, 1);
				g_date_set_dmy(&date, (GDateDay)day, (GDateMonth)month,
						(GDateYear)year);
				if (c->weekdays >> g_date_get_weekday(&date) & 1)
					return TRUE;
			}
	return FALSE;
}

gboolean isc_calendar_parse(const gchar *text, IscCalendar *out, GError **error)
{
	IscCalendar c = { 0 };
	if (!*text || strlen(text) > ISC_CALENDAR_MAX)
		return fail(text, "schedule: it has 1 to 127 bytes", error);
	g_auto(GStrv) given = g_strsplit_set(text, " \t", -1);
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	guint n = 0;
	for (gsize i = 0; given[i]; i++)
		if (*given[i]) {
			g_strv_builder_add(builder, given[i]);
			n++;
		}
	g_auto(GStrv) words = g_strv_builder_end(builder);
	if (n > 0 && g_ascii_strcasecmp(words[n - 1], "UTC") == 0) {
		c.is_utc = TRUE;
		g_clear_pointer(&words[--n], g_free);
	}
	if (n == 0)
		return fail(text, "schedule", error);
	g_auto(GStrv) expanded = n == 1 ? g_strsplit(expand(words[0]), " ", -1) : g_strdupv(words);
	if (!take_words(&c, expanded, error))
		return FALSE;
	if (!has_day(&c))
		return fail(text,
				"schedule that ever comes: no calendar has such a day; 'isc-vm "
				"job next' tells when one comes",
				error);
	*out = c;
	return TRUE;
}

/* --- time ---------------------------------------------------------------------------------- */

static gboolean has(guint64 bits, gint n)
{
	return (bits >> n & 1) != 0;
}

/* Seconds from @t on in which certainly none comes: 0 where @t is one.  By the clock on the wall,
 * which may be set forward or back meanwhile: longer leaps end two hours early, and the rest is
 * made in short ones. */
static gint64 leap(const IscCalendar *c, GDateTime *t)
{
	gint second = g_date_time_get_second(t), minute = g_date_time_get_minute(t);
	gint hour = g_date_time_get_hour(t);
	gint64 to_hour = HOUR - minute * 60 - second;
	gint64 to_day = DAY - hour * HOUR - minute * 60 - second;
	gint year = g_date_time_get_year(t), month = g_date_time_get_month(t);
	gint64 days = 0;

	if (!c->years[year - ISC_CALENDAR_YEAR_FIRST])
		days = 365 - g_date_time_get_day_of_year(t);
	else if (!has(c->months, month))
		days = g_date_get_days_in_month((GDateMonth)month, (GDateYear)year) -
		       g_date_time_get_day_of_month(t);
	else if (has(c->days, g_date_time_get_day_of_month(t)) &&
			has(c->weekdays, g_date_time_get_day_of_week(t))) {
		if (!has(c->hours, hour))
			return to_hour;
		if (!has(c->minutes, minute))
			return 60 - second;
		return has(c->seconds, second) ? 0 : 1;
	}
	gint64 far = MAX(days, 0) * DAY + to_day - 2 * HOUR;
	return far > to_hour ? far : to_hour;
}

gint64 isc_calendar_next(const IscCalendar *calendar, gint64 after, GTimeZone *zone)
{
	g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
	for (gint64 at = after + 1;;) {
		g_autoptr(GDateTime) universal = g_date_time_new_from_unix_utc(at);
		g_autoptr(GDateTime) t = universal ? g_date_time_to_timezone(universal,
								     calendar->is_utc ? utc : zone)
						   : NULL;
		if (!t || g_date_time_get_year(t) < ISC_CALENDAR_YEAR_FIRST ||
				g_date_time_get_year(t) > ISC_CALENDAR_YEAR_LAST)
			return 0;
		gint64 n = leap(calendar, t);
		if (n == 0)
			return at;
		at += n;
	}
}
