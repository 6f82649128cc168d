#pragma once
#include "daemon/dock.h"
#include "engine/link-watch.h"

/* Whoever has taken over a node's hypervisor holds its tap, and may give that the MAC of another
 * node (engine/link-watch.h).  Nothing of the dock's own does so, nor does a guest: the tap is
 * deleted.  To set it down, or to put its MAC right, would not do: the bridge listens to the MAC of
 * a port that is down as well, and the next change is a system call away.  Nor would it to take it
 * out of the bridge: it would go on to fill every rtnetlink listener of the host.  The other node's
 * port is then put right. */

/* What isc_link_watch_new() is told. */
gboolean isc_port_guard_is_bad(const guint8 mac[6]);
void isc_port_guard_on_trouble(const IscLinkTrouble *trouble, gpointer dock);

/* At start: what was done while no dock was there to see it. */
void isc_port_guard_start(IscDock *dock);

/* Of a node that runs: is its port gone?  Then its boundary is down. */
void isc_port_guard_look(IscDock *dock, const IscNode *node);
