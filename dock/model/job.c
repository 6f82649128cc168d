#include "model/job.h"

#include <string.h>

#include "base/error.h"

#define MISSED_MAX 1000
#define SET_BACK_S 3600 /* a clock that is so much behind what was dealt with was set */

static const gchar *const state_names[ISC_N_RUN_STATES] = {
	[ISC_RUN_RUNNING] = "running",
	[ISC_RUN_DONE] = "done",
	[ISC_RUN_FAILED] = "failed",
	[ISC_RUN_STOPPED] = "stopped",
	[ISC_RUN_MISSED] = "missed",
};

static gboolean take_yes(gboolean *out, const gchar *value, GError **error)
{
	*out = g_str_equal(value, "yes");
	if (*out || g_str_equal(value, "no"))
		return TRUE;
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID, "is yes or no");
	return FALSE;
}

static gboolean take_runtime(guint *out, const gchar *value, GError **error)
{
	guint64 n;
	if (g_ascii_string_to_unsigned(value, 10, 1, ISC_JOB_RUNTIME_MAX_S, &n, NULL)) {
		*out = (guint)n;
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(value, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is no number of seconds from 1 to %u", shown, ISC_JOB_RUNTIME_MAX_S);
	return FALSE;
}

gboolean isc_job_take(IscJobSpec *job, const gchar *key, const gchar *value, GError **error)
{
	IscCalendar calendar;
	if (g_str_equal(key, "Job"))
		return take_yes(&job->is_job, value, error);
	if (g_str_equal(key, "Persistent"))
		return take_yes(&job->is_persistent, value, error);
	if (g_str_equal(key, "Paused"))
		return take_yes(&job->is_paused, value, error);
	if (g_str_equal(key, "Ephemeral"))
		return take_yes(&job->is_ephemeral, value, error);
	if (g_str_equal(key, "MaxRuntime"))
		return take_runtime(&job->max_runtime_s, value, error);
	g_assert(g_str_equal(key, "Schedule"));
	if (!isc_calendar_parse(value, &calendar, error))
		return FALSE;
	g_strlcpy(job->schedule, value, sizeof(job->schedule));
	return TRUE;
}

const gchar *isc_run_state_name(IscRunState state)
{
	return state_names[state];
}

gboolean isc_run_state_parse(const gchar *text, IscRunState *out)
{
	for (guint i = 0; i < ISC_N_RUN_STATES; i++)
		if (g_strcmp0(text, state_names[i]) == 0) {
			*out = (IscRunState)i;
			return TRUE;
		}
	return FALSE;
}

gboolean isc_job_decide(const IscCalendar *calendar, gint64 due, gint64 now, gint64 last,
		GTimeZone *zone, gint64 *next, guint *missed)
{
	gint64 from = now < last && last - now < SET_BACK_S ? last : now;
	gboolean run = FALSE;
	*missed = 0;
	*next = isc_calendar_next(calendar, from, zone);
	/* Each point from the one that was due up to now; the last one may still be on time. */
	for (gint64 at = due; at != 0 && at <= now && *missed < MISSED_MAX;
			at = isc_calendar_next(calendar, at, zone)) {
		/* One that is on time still, and has the next one behind it already, was missed. */
		if (run)
			(*missed)++;
		run = now - at <= ISC_JOB_LATE_S;
		if (!run)
			(*missed)++;
	}
	return run;
}
