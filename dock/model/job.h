#pragma once
#include <glib.h>

#include "base/name.h"
#include "model/calendar.h"

/* Nodes that come to an end: keys Job=, MaxRuntime=, Schedule=, Persistent=, Paused= and Ephemeral=
 * of a node file.  A plain value. */
typedef struct {
	gboolean is_job; /* it runs to completion; its end is a result, no failure of the dock */
	gboolean is_ephemeral;  /* it is destroyed once it has stopped */
	gboolean is_persistent; /* a run that was missed is made up for, once */
	guint max_runtime_s;    /* a run that takes longer is ended, and has failed; 0: no limit */
	gboolean is_paused;     /* its schedule is as if it were not there */
	gchar schedule[ISC_CALENDAR_MAX + 1]; /* isc_calendar_parse() takes it; "": none */
} IscJobSpec;

#define ISC_JOB_RUNTIME_MAX_S (30u * 86400)

/**
 * isc_job_take:
 * @key: "Job", "MaxRuntime", "Schedule", "Persistent", "Paused" or "Ephemeral"
 *
 * Errors: ISC_ERROR_INVALID.
 */
gboolean isc_job_take(IscJobSpec *job, const gchar *key, const gchar *value, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* What became of one run.  The names are in the register: never rename one. */
typedef enum {
	ISC_RUN_RUNNING,
	ISC_RUN_DONE,    /* status 0 */
	ISC_RUN_FAILED,  /* another one, a signal, or it could not be started */
	ISC_RUN_STOPPED, /* by an order */
	ISC_RUN_MISSED,  /* it was due and not begun: message says why */
	ISC_N_RUN_STATES,
} IscRunState;

const gchar *isc_run_state_name(IscRunState state); /* "running", …; static */
gboolean isc_run_state_parse(const gchar *text, IscRunState *out);

/* One run of a job, as the register keeps it. */
typedef struct {
	guint64 id;                   /* from 1 */
	gchar uuid[37];               /* of the node */
	gchar name[ISC_NAME_MAX + 1]; /* of the node */
	gchar cause[16];              /* "order", "schedule", "catch-up", "restart" */
	gint64 due;                   /* s since the epoch: when it was to begin */
	gint64 started, ended;        /* s since the epoch; 0: not yet */
	IscRunState state;
	gint status, sig;   /* of the service: exit status, or -1 and the signal */
	guint caller;       /* uid */
	gchar message[200]; /* one line, or "" */
} IscJobRun;

/**
 * isc_job_decide:
 * @due: when it was due
 * @now: s since the epoch
 * @last: the point that was dealt with last; 0: none
 * @next: (out): when it is due again; 0: never
 * @missed: (out): points that passed without anybody there, at most 1000
 *
 * Pure.  A point is on time up to ISC_JOB_LATE_S behind it; what is later was missed.  A clock that
 * was set back a little repeats nothing; one that was set back by more begins anew.
 * Returns: whether the one that is due now is to be run
 */
#define ISC_JOB_LATE_S 60
gboolean isc_job_decide(const IscCalendar *calendar, gint64 due, gint64 now, gint64 last,
		GTimeZone *zone, gint64 *next, guint *missed);
