#pragma once
#include "daemon/dock.h"

/* isc-dockd's part of the packet log: opens the socket, says what is whose, and what the kernel has
 * counted.  It reads no packet: their bytes go to isc-collectord alone. */

/* LISTENS and COUNT of the collector.  Main thread; the work is done in another. */
void isc_packets_on_link(IscDock *dock, const IscLinkMsg *msg);

/* The collector is gone: what is dropped from now on, it tells as a number when it is back.  Main
 * thread, as above. */
void isc_packets_on_loss(IscDock *dock);

/* The node's tap is there, with what was counted for it so far (@is_new: nothing).  Any thread. */
void isc_packets_node_up(IscDock *dock, const IscNode *node, gboolean is_new);

/* Its fence is about to go, and its counters with it.  Any thread. */
void isc_packets_node_down(IscDock *dock, const IscNode *node);
