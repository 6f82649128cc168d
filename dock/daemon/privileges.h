#pragma once
#include "daemon/dock.h"

/* What isc-dockd may do, and how it gives up the rest. */

/* Makes the folders and looks up users while we are still root (where we are).  Fills uid, gid,
 * collector_uid/gid. */
gboolean isc_privileges_prepare(IscDock *dock, GError **error);

/* As root: becomes User= with only the capabilities of the table; otherwise checks that they are
 * there.  Ends core dumps and ptrace. */
gboolean isc_privileges_drop(IscDock *dock, GError **error);

/* One dock a host: holds RUNDIR/dockd.lock until the process ends.  Errors: ISC_ERROR_STATE:
 * another one runs. */
gboolean isc_privileges_lock(IscDock *dock, GError **error);
