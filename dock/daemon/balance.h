#pragma once
#include "daemon/dock.h"

/* Where the ports lead that the members of a set share: to those that are ready; where none is, to
 * those that are unready, as a node by itself is not cut off either when its health check fails.
 * One that is cut off, or whose fence goes, is out by the boundary's own doing
 * (isc_firewall_balance()). */

/* The state that those members of @set among @nodes (of IscNode) have which new connections go to.
 */
IscNodeState isc_balance_state(const GPtrArray *nodes, const gchar *set);

/* The state of @node has changed; nothing to do where it shares no ports. */
void isc_balance_follow(IscDock *dock, const gchar *node);

/* The rules of @node have changed: a port leads nowhere before all who may get it have it.  Errors:
 * of the boundary. */
gboolean isc_balance_rules(IscDock *dock, const IscNode *node, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Of all sets that @nodes (of IscNode) are members of, when the daemon starts. */
void isc_balance_start(IscDock *dock, const GPtrArray *nodes);
