#pragma once
#include "daemon/dock.h"

/* Looks at the health of nodes that run, from the dock's side of the boundary, by the probe that
 * also decides about readiness (daemon/ready.h): HealthInterval=, HealthRetries=. */

IscMonitor *isc_monitor_new(IscDock *dock, GError **error);
void isc_monitor_stop(IscMonitor *monitor); /* waits for probes under way; there are no more */
void isc_monitor_free(IscMonitor *monitor);

/* Begins with the nodes that ran on while there was no daemon. */
void isc_monitor_start(IscMonitor *monitor);

/* A node's state changed.  Any thread. */
void isc_monitor_follow(IscMonitor *monitor, const gchar *name, IscNodeState state);

/* Whether probes fail: then what the node says of itself does not make it ready. */
gboolean isc_monitor_is_bad(IscMonitor *monitor, const gchar *name);

/* A ready node becomes unready, and is started anew where Restart= says so.  Any thread; does not
 * block. */
void isc_monitor_unready(IscDock *dock, const gchar *name, const gchar *why);

/* Adds "health-failures" u and, where there was a probe, "health-age" d (s ago) to @b. */
void isc_monitor_show(IscMonitor *monitor, const gchar *name, GVariantBuilder *b);
