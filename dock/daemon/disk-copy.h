#pragma once
#include "daemon/dock.h"
#include "model/copy.h"

/* Copies of the disks of a running node, the overlay and its volumes, as they are at one moment:
 * each in a new encrypted disk of its own, with a key of its own in the key store.  Snapshots and
 * evidence are made of them.
 *
 * STATEDIR/nodes/NODE/snapshots/NAME.qcow2 and NAME.VOLUME.qcow2; only there may the node's QEMU
 * write.  Keys: NODE.KIND.NAME and NODE.KIND.NAME.VOLUME, KIND "snapshot" or "evidence". */

typedef struct {
	gchar dev[4];         /* "vdb", … in the domain */
	gchar *from;          /* owned: the disk itself */
	gchar *path, *key_id; /* owned: of the copy */
	guint mib;
	IscVolume volume; /* of the overlay: without a name */
} IscDiskCopy;

/* The disks of @node, the overlay first.  Returns: (transfer full) (element-type IscDiskCopy) */
GPtrArray *isc_disk_copies_new(IscDock *dock, const IscNode *node, const gchar *kind,
		const gchar *name, GError **error);

/* MiB that the first @n of them may come to take. */
guint64 isc_disk_copies_need(const GPtrArray *copies, guint n);

/**
 * isc_disk_copies_make:
 * @copies: the first @n are made, all of the same moment
 * @ask: let the guest keep its file systems still; *@frozen: they were
 *
 * Asks for room first.  What is there when it fails is to be dropped.
 */
gboolean isc_disk_copies_make(IscDock *dock, const IscNode *node, const GPtrArray *copies, guint n,
		gboolean ask, gboolean *frozen, GCancellable *cancel, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* What the manifest says of volume @volume's copy, which is called @file. */
void isc_disk_copies_describe(IscCopy *copy, const IscVolume *volume, const gchar *file);

/* STATEDIR/nodes/NODE/snapshots/NAME.qcow2; of a volume NAME.VOLUME.qcow2.  @volume: "" or NULL for
 * the overlay.  (transfer full) */
gchar *isc_disk_copies_path(
		const IscDock *dock, const gchar *node, const gchar *name, const gchar *volume);

/* NODE.KIND.NAME, NODE.KIND.NAME.VOLUME.  (transfer full) */
gchar *isc_disk_copies_key_id(
		const gchar *node, const gchar *kind, const gchar *name, const gchar *volume);

/* Shreds all copies of that name, also half of some: their keys first. */
gboolean isc_disk_copies_drop(IscDock *dock, const gchar *node, const gchar *kind,
		const gchar *name, GError **error);

/* Erases their keys only. */
gboolean isc_disk_copies_erase_keys(IscDock *dock, const gchar *node, const gchar *kind,
		const gchar *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_disk_copies_reseal:
 * @from: a copy, which @key opens
 * @to: a new disk of @mib MiB that is made, ours; @to_key opens it, and nothing else does
 *
 * Durable when it returns.  Half of one may be left on failure: shred it.
 */
gboolean isc_disk_copies_reseal(IscDock *dock, const gchar *from, const IscKey *key,
		const gchar *to, guint mib, const IscKey *to_key, GCancellable *cancel,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
