#pragma once
#include "daemon/dock.h"

/* MaxRuntime=: a run of a job that takes longer is ended as by an order, its guest asked first, and
 * has failed: Restart= decides whether there is another one. */

/* @run of @node has begun, at run->started: it is ended when its time is over.  Also of a run that
 * goes on since an earlier daemon.  Without MaxRuntime=: nothing. */
void isc_overrun_watch(IscDock *dock, const IscNode *node, const IscJobRun *run);

/* @node is up though its newest run is over: it is about to be ended. */
gboolean isc_overrun_is_over(IscDock *dock, const IscNode *node);
