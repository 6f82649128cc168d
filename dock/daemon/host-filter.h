#pragma once
#include "daemon/bus.h"

/* The host filter: applied on trial, confirmed or rolled back.  What was confirmed is kept in
 * STATEDIR/host-filter, and is in force again after each start; a trial is in the kernel alone,
 * which ends it by itself. */

/* At start: what was confirmed comes back; what is left of a trial that ended goes.  Its failure is
 * on record and keeps nobody from starting. */
void isc_host_filter_start(IscDock *dock);

/* Puts a confirmed filter back that somebody took away.  A job for isc_dock_do(). */
void isc_host_filter_look(IscDock *dock, gpointer unused);

GVariant *isc_host_filter_apply(IscCall *call, GError **error);
GVariant *isc_host_filter_confirm(IscCall *call, GError **error);
GVariant *isc_host_filter_off(IscCall *call, GError **error);
GVariant *isc_host_filter_show(IscCall *call, GError **error);
