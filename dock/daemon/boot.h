#pragma once
#include "daemon/dock.h"

/* The host goes down, and comes up again.  A node that ran is still wanted then: what ends with the
 * host has not failed, and is started anew when the host is back, whatever Restart= says. */

/* Compares this boot of the host with the one in which an isc-dockd last saw all nodes.  Before
 * isc_reconcile_start(). */
void isc_boot_look(IscDock *dock);

/* Until then, logind says when the host goes down.  Without logind nobody does: then a node that is
 * killed before isc-dockd is has ended as far as that can know. */
void isc_boot_listen(IscDock *dock, GDBusConnection *connection);

/* The host was started anew, and the nodes that ran on it were not seen since.  Any thread. */
gboolean isc_boot_is_new(IscDock *dock);

/* They were.  Any thread. */
void isc_boot_seen(IscDock *dock);

/* The host is going down.  Any thread. */
gboolean isc_boot_is_over(IscDock *dock);
