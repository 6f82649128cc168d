#pragma once
#include "daemon/dock.h"
#include "daemon/reconcile.h"
#include "model/copy.h"

/* Snapshots as files: STATEDIR/nodes/NODE/snapshots/NAME.qcow2, of each volume NAME.VOLUME.qcow2
 * (daemon/disk-copy.h), NAME.json and NAME.json.minisig.  The manifest is the truth, the register's
 * row its index. */

/* @volume: NULL for the overlay.  (transfer full) */
gchar *isc_snapshots_path(
		const IscDock *dock, const gchar *node, const gchar *name, const gchar *volume);
gchar *isc_snapshots_manifest(const IscDock *dock, const gchar *node, const gchar *name);

/* The register's row of @node's snapshot @name into @out, but for its name.
 * Errors: ISC_ERROR_NOT_FOUND. */
gboolean isc_snapshots_find(IscDock *dock, const IscNode *node, const gchar *name, IscSnapshot *out,
		GError **error);

/* The manifest of a snapshot.  Errors: ISC_ERROR_VERIFY, ISC_ERROR_NOT_FOUND.
 * Returns: (transfer full) */
IscCopy *isc_snapshots_load(IscDock *dock, const gchar *node, const gchar *name, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The key of one disk of a snapshot whose manifest is ours, and which it opens.  @volume: NULL for
 * the overlay.  *@path: (out) (transfer full): of the disk.  Errors: ISC_ERROR_VERIFY,
 * ISC_ERROR_NOT_FOUND.  Returns: (transfer full) */
IscKey *isc_snapshots_open(IscDock *dock, const gchar *node, const gchar *name, const gchar *volume,
		gchar **path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Is it as it was made: manifest, each disk byte by byte, each key?  Takes as long as it is large.
 * Errors: ISC_ERROR_VERIFY, ISC_ERROR_NOT_FOUND.  Returns: (transfer full) */
IscCopy *isc_snapshots_verify(IscDock *dock, const gchar *node, const gchar *name, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* May one be taken of all its disks, as far as MaxDisk= goes?  Errors: ISC_ERROR_POLICY. */
gboolean isc_snapshots_admit(IscDock *dock, const gchar *node, const gchar *name, GError **error);

/* The names of the oldest of @node's snapshots, so many that with one more @keep are left.
 * Returns: (transfer full) (array zero-terminated=1), NULL on errors */
gchar **isc_snapshots_too_many(IscDock *dock, const gchar *node, guint keep, GError **error);

/* Compares manifests, rows and files of @node; @repair: rows are made from manifests, what is half
 * of a snapshot goes.  @found as isc_reconcile_all() has it. */
void isc_snapshots_check(IscDock *dock, const IscNode *node, gboolean repair,
		IscReconcileFunc found, gpointer data);
