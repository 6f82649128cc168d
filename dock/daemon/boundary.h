#pragma once
#include "daemon/dock.h"

/* Whether the boundary stands, and what is done where it does not: no rules, no links.  It is down
 * for the whole dock where the kernel does not take our rules, or for one node where it does not
 * take that node's. */

/* The watch's callback, with the dock as data: the rules were put back already, or could not be. */
void isc_boundary_on_event(const IscFirewallEvent *event, gpointer dock);

/* The networks of the dock have changed, or where it forwards: what is reserved, and whether the
 * host is a router, is read anew.  With the dock as data. */
void isc_boundary_on_addresses(gpointer dock);

/* Links down and on record, until isc_boundary_stands().  Any thread. */
void isc_boundary_is_lost(IscDock *dock, const gchar *why);

/* The rules are in force: links that were set down for their lack come up again.  Any thread. */
void isc_boundary_stands(IscDock *dock);

/* The same for one node alone.  @node_why: NULL: its rules are in force. */
void isc_boundary_of_node(IscDock *dock, const IscNode *node, const gchar *node_why);

/* Its port was taken away, see daemon/port-guard.h: not in force until the node is enabled anew.
 * The event is the caller's. */
void isc_boundary_has_no_port(IscDock *dock, const IscNode *node, const gchar *why);

/* Tries again to fence in the nodes for which that failed. */
void isc_boundary_retry(IscDock *dock);

/**
 * isc_boundary_up:
 * Sets the link of a node up whose fence was read back, unless the boundary is lost, also in this
 * moment, or the tap is no port of a bridge that holds it apart.
 * Errors: ISC_ERROR_HOST; ISC_ERROR_NOT_FOUND: there is no such tap.
 */
gboolean isc_boundary_up(IscDock *dock, const gchar *tap, GError **error);

/**
 * isc_boundary_state:
 * @why: (out) (optional) (transfer full): of "down"; NULL else
 *
 * Returns: "in force", "quarantined", "down", "changing" while the node comes or goes, or "off"
 * where it does not run; static.  What the kernel holds is another question:
 * isc_firewall_node_verify().
 */
const gchar *isc_boundary_state(IscDock *dock, const gchar *name, IscNodeState state, gchar **why);
