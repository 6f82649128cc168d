#pragma once
#include "daemon/dock.h"

/* Schedule=: jobs that run when the calendar says so.  When each is due next stands in the
 * register; there is one timer, at the first of all, by the clock on the wall: it notices when that
 * is set.  What passed while isc-dockd was down, or while the run before had not ended, is on
 * record as missed, and with Persistent= made up for, once. */

/* Makes the timer, enters what passed meanwhile, and starts what is due.  When all is up. */
gboolean isc_schedule_start(IscDock *dock, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_schedule_stop(IscDock *dock);

/* A schedule that it has comes once more.  Errors: ISC_ERROR_INVALID. */
gboolean isc_schedule_check(const IscSpec *spec, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* @node, new in the register: when it is due first. */
gboolean isc_schedule_add(IscDock *dock, const IscNode *node, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Its schedule is as if it were not there, or goes on with what comes next.  *@changed: FALSE where
 * it was so already.  Errors: ISC_ERROR_STATE: it has none, or the node is busy. */
gboolean isc_schedule_pause(IscDock *dock, const gchar *name, gboolean on, guint caller,
		gboolean *changed, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A run of @node has ended: where one is owed, it begins.  Any thread. */
void isc_schedule_ended(IscDock *dock, const IscNode *node);
