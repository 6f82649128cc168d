#pragma once
#include "daemon/bus.h"
#include "daemon/verbs.h"

/* Runs of jobs (Job=): entered in the register before they begin, with their result when they end.
 * And nodes that go when they stop (Ephemeral=). */

/**
 * isc_jobs_begin:
 * @request: starts @node; its run: one that was entered already, or 0
 *
 * The run is on record.  FALSE with @error: then it must not begin.  A node that is no job:
 * nothing.
 */
gboolean isc_jobs_begin(IscDock *dock, const IscNode *node, const IscRequest *request,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A run that begins now, or (@state ISC_RUN_MISSED) never did; with an event of that.  Returns its
 * id, 0 where it could not be entered. */
guint64 isc_jobs_enter(IscDock *dock, const IscNode *node, const gchar *cause, gint64 due,
		IscRunState state, guint caller, const gchar *message);

/* Run @id of @node, or with 0 its newest one, has ended, with an event; where none is open:
 * nothing.
 * @message: NULL or one line */
void isc_jobs_end(IscDock *dock, const IscNode *node, guint64 id, IscRunState state, gint status,
		gint sig, const gchar *message);

/* @request was carried out on @node, or taken back: the end of a run, where that is one. */
void isc_jobs_settle(IscDock *dock, const IscRequest *request, const IscNode *node, gboolean undone,
		const gchar *problem);

/* Where @name is ephemeral, stopped and not about to be started anew: it is destroyed.  In a worker
 * thread, with no verb of the node's under way. */
void isc_jobs_vanish(IscDock *dock, const gchar *name);

/* Closes the runs that an earlier daemon left open, and makes ephemeral nodes go.  After
 * isc_recovery_run(). */
void isc_jobs_start(IscDock *dock);

/* "job", "schedule", "schedule-next", "last-run" of a job into @b. */
void isc_jobs_show(IscDock *dock, const IscNode *node, GVariantBuilder *b);

/* "job-result" of a job into @b: "running", "done", "failed 3", …; "waits" before its first run. */
void isc_jobs_show_result(IscDock *dock, const IscNode *node, GVariantBuilder *b);

GVariant *isc_jobs_list(IscCall *call, GError **error);
