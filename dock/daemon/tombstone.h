#pragma once
#include "daemon/dock.h"

/* What is left of a destroyed node: STATEDIR/destroyed/UUID.json, which says what of it was really
 * shredded and when, written down act by act while it is destroyed, signed by the dock at the end.
 */

/* A destruction begins; one that goes on after an interruption keeps what is written.  The acts of
 * a node without one are not written down. */
void isc_tombstone_begin(IscDock *dock, const IscNode *node);

/* @what of the node was shredded just now. */
void isc_tombstone_add(IscDock *dock, const gchar *uuid, const gchar *what);

/* Nothing is left of it.  @caller: uid */
void isc_tombstone_end(IscDock *dock, const gchar *uuid, guint caller);

/* What is written down as shredded, in its order.  (transfer full) (array zero-terminated=1) */
gchar **isc_tombstone_shredded(IscDock *dock, const gchar *uuid);

/* Those that were finished, the newest first: aa{sv}, floating. */
GVariant *isc_tombstone_list(IscDock *dock);
