#pragma once
#include "daemon/dock.h"

/* Hosts that nodes' rules name (host:NAME:…): asked for by engine/names.h, put in force by the
 * firewall. */

/* Puts what was known when the daemon last ran in force, for as long as it takes to ask anew. */
void isc_dock_names_recall(IscDock *dock);

/* Starts to ask. */
void isc_dock_names_start(IscDock *dock);

/* After rules have changed: asks for those hosts that rules name, and no others.  Waits for nobody.
 * Any thread; nothing before isc_dock_names_start(). */
void isc_dock_names_look(IscDock *dock);

/* What the hosts in @node's rules stand for, one line each: addresses, those refused, trouble.
 * Returns: (transfer full): of gchar* */
GPtrArray *isc_dock_names_show(IscDock *dock, const IscNode *node);

/* As isc_network_explain() wants it.  (transfer full) */
GHashTable *isc_dock_names_table(IscDock *dock);
