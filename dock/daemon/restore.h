#pragma once
#include "daemon/dock.h"

/* Which volumes a restore puts back, and where; an overlay that is kept goes with them.
 *
 * In place: the node must have the very volumes that it had at the snapshot, no more and no others;
 * all of them are put back.  One that has grown since keeps its size.
 *
 * Into another node: each volume becomes a new one, named by isc_volume_clone_name(). */

/**
 * isc_restore_plan:
 * Returns: (transfer full): the argument of ISC_STEP_REFILL and ISC_STEP_TURN, "SNAP VOLUME:SIDE…";
 * "" where neither snapshot nor node has volumes, nor an overlay that is kept.  NULL: the volumes
 * do not match (ISC_ERROR_STATE), there is no room (ISC_ERROR_POLICY), the snapshot is not as it
 * was made (ISC_ERROR_VERIFY).
 */
gchar *isc_restore_plan(IscDock *dock, const IscNode *node, const gchar *snapshot, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Reads such an argument.  Returns: (transfer full) (element-type IscTurn) */
GArray *isc_restore_parse(const gchar *arg, gchar **snapshot, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_restore_to_make:
 * @spec: of a clone, its volumes named
 * @from: "NODE/SNAP"
 *
 * Errors: ISC_ERROR_STATE: a volume of that name stands.
 * Returns: (transfer full): arguments of ISC_STEP_VOLUME, each with its source
 */
GStrv isc_restore_to_make(IscDock *dock, const IscSpec *spec, const gchar *from, GError **error);
