#pragma once
#include "daemon/dock.h"

/* Restart=: a node that ended, or does not answer its health check, is started anew by the rules of
 * policy/restart.h.  What is due stands in the register, so that it survives the daemon.  An
 * ordered stop cancels it; a node in quarantine, or one that may not run here any more, is not
 * started. */

/* Those who start nodes anew: a few threads of their own. */
gboolean isc_restart_pool(IscDock *dock, GError **error);

/* Schedules what an earlier daemon left. */
void isc_restart_start(IscDock *dock);

/* @name ended: decides what follows and enters it, before the node is put away.  In a worker
 * thread.  Returns: TRUE: call isc_restart_schedule() when it has been */
gboolean isc_restart_enter(IscDock *dock, const gchar *name, IscEnding ending, const gchar *why);
void isc_restart_schedule(IscDock *dock, const gchar *name);

/* @name runs and is unready: where Restart= asks for it, it is stopped and started anew.  In a
 * worker thread. */
void isc_restart_unhealthy(IscDock *dock, const gchar *name, const gchar *why);

/* Somebody orders something else of it: what is due is not done, and counting begins anew. */
void isc_restart_cancel(IscDock *dock, const gchar *name);
