/* The steps of snapshots: taken, shredded, and put back.
 *
 * What is put back is sealed anew each time: no key of a snapshot opens the disk of a node, so that
 * the death of the one says something about the other.
 *
 * Volumes, and overlays that are kept, have two sides (store/register.h), of which the register
 * names the one that is in force. A restore fills the other side of each while the node runs on,
 * then one transaction of the register turns them all over, then the sides of before are shredded.
 * Whatever is interrupted, either all volumes are as they were or all are as the snapshot has them.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "daemon/copies.h"
#include "daemon/disk-copy.h"
#include "daemon/restore.h"
#include "daemon/snapshots.h"
#include "daemon/steps.h"
#include "daemon/tombstone.h"
#include "engine/volume.h"

/* --- taken --------------------------------------------------------------------------------- */

/* The files of @copies in the manifest, and what they take on disk. */
static gboolean describe(IscCopy *copy, const GPtrArray *copies, guint64 *size, GError **error)
{
	*size = 0;
	for (guint i = 0; i < copies->len; i++) {
		const IscDiskCopy *c = copies->pdata[i];
		g_autofree gchar *dir = g_path_get_dirname(c->path);
		g_autofree gchar *file = g_path_get_basename(c->path);
		const gchar *const files[] = { file, NULL };
		struct stat st;
		if (!isc_copies_add_files(copy, dir, files, error))
			return FALSE;
		if (stat(c->path, &st) < 0)
			return isc_error_set_errno(error, errno, "cannot look at '%s'", c->path);
		*size += (guint64)st.st_blocks * 512;
		if (*c->volume.name)
			isc_disk_copies_describe(copy, &c->volume, file);
	}
	return TRUE;
}

gboolean isc_step_snapshot_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *manifest = isc_snapshots_manifest(dock, node->spec->name, arg);
	g_autoptr(IscCopy) copy = isc_copies_describe(ISC_COPY_SNAPSHOT, node, arg);
	g_autoptr(GPtrArray) copies = isc_disk_copies_new(dock, node, "snapshot", arg, error);
	guint64 size;

	/* A paused guest cannot answer. */
	gboolean ask = node->state != ISC_NODE_SUSPENDED;
	if (!copies ||
			!isc_disk_copies_make(dock, node, copies, copies->len, ask, &copy->frozen,
					cancel, error) ||
			!describe(copy, copies, &size, error) ||
			!isc_copies_sign(dock, copy, manifest, error))
		return FALSE;
	IscSnapshot row = {
		.name = (gchar *)arg, .created = copy->taken, .size = size, .frozen = copy->frozen
	};
	g_strlcpy(row.digest, node->digest, sizeof(row.digest));
	return isc_register_add_snapshot(dock->reg, node->uuid, &row, error);
}

/* --- shredded ------------------------------------------------------------------------------ */

gboolean isc_step_snapshot_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *manifest = isc_snapshots_manifest(dock, node->spec->name, arg);
	g_autofree gchar *signature = g_strconcat(manifest, ".minisig", NULL);
	(void)cancel;
	if (!isc_disk_copies_drop(dock, node->spec->name, "snapshot", arg, error))
		return FALSE;
	if ((unlink(manifest) < 0 && errno != ENOENT) || (unlink(signature) < 0 && errno != ENOENT))
		return isc_error_set_errno(error, errno, "cannot remove '%s'", manifest);
	return isc_register_remove_snapshot(dock->reg, node->uuid, arg, error);
}

static void pass_over(gpointer data, const gchar *what, const gchar *name, const gchar *problem,
		gboolean repaired)
{
	(void)data, (void)what, (void)name, (void)problem, (void)repaired;
}

gboolean isc_step_snapshots_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg;
	/* Also those that the register does not know. */
	isc_snapshots_check(dock, node, /* repair= */ TRUE, pass_over, NULL);
	g_autoptr(GPtrArray) all = isc_register_list_snapshots(dock->reg, node->uuid, error);
	if (!all)
		return FALSE;
	for (guint i = 0; i < all->len; i++) {
		const gchar *name = ((IscSnapshot *)all->pdata[i])->name;
		g_autofree gchar *what = g_strdup_printf("snapshot %s and its key", name);
		if (!isc_step_snapshot_down(self, node, name, cancel, error))
			return FALSE;
		isc_tombstone_add(dock, node->uuid, what);
	}
	return TRUE;
}

/* --- put back: the overlay ----------------------------------------------------------------- */

gboolean isc_step_overlay_from_snapshot(IscDock *dock, const IscNode *node, const gchar *arg,
		const gchar *overlay, const IscKey *fresh, GCancellable *cancel, GError **error)
{
	const gchar *slash = strchr(arg, '/');
	g_autofree gchar *from =
			slash ? g_strndup(arg, (gsize)(slash - arg)) : g_strdup(node->spec->name);
	g_autofree gchar *path = NULL;
	g_autoptr(IscKey) key =
			isc_snapshots_open(dock, from, slash ? slash + 1 : arg, NULL, &path, error);
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	if (!key || !isc_disk_copies_reseal(dock, path, key, overlay, node->spec->overlay_mib,
				    fresh, cancel, error))
		return FALSE;
	return chown(overlay, uid, (gid_t)uid) == 0 ||
	       isc_error_set_errno(error, errno, "cannot give '%s' to node '%s'", overlay,
			       node->spec->name);
}

/* --- put back: what is kept ---------------------------------------------------------------- */

/* One side of a volume, or of the overlay. */
typedef struct {
	gchar *path, *id; /* owned */
	guint in_force;   /* the side that is */
	guint mib;        /* that it has there */
} Side;

static void side_clear(Side *side)
{
	g_free(side->path);
	g_free(side->id);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Side, side_clear)

static gboolean find_side(
		IscDock *dock, const IscNode *node, const IscTurn *turn, Side *out, GError **error)
{
	const gchar *name = node->spec->name;
	IscVolume volume;
	if (!*turn->volume) {
		out->path = isc_steps_overlay_side_path(dock, name, turn->side);
		out->id = isc_steps_overlay_side_key_id(name, turn->side);
		out->in_force = isc_register_overlay_side(dock->reg, name);
		out->mib = node->spec->overlay_mib;
		return TRUE;
	}
	if (!isc_register_get_volume(dock->reg, turn->volume, &volume, error))
		return FALSE;
	out->path = isc_steps_volume_side_path(dock, turn->volume, turn->side);
	out->id = isc_steps_volume_side_key_id(turn->volume, turn->side);
	out->in_force = volume.side;
	out->mib = volume.mib;
	return TRUE;
}

static gboolean drop_side(
		IscDock *dock, const IscNode *node, const IscTurn *turn, guint side, GError **error)
{
	return *turn->volume ? isc_steps_volume_drop_side(dock, turn->volume, side, error)
			     : isc_steps_overlay_drop_side(dock, node->spec->name, side, error);
}

static gboolean fill(IscDock *dock, const IscNode *node, const gchar *snapshot, const IscTurn *turn,
		GCancellable *cancel, GError **error)
{
	g_auto(Side) side = { 0 };
	g_autofree gchar *from = NULL;
	guint had;
	if (!find_side(dock, node, turn, &side, error))
		return FALSE;
	if (side.in_force == turn->side) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"'%s' is in force: it is not written over", side.path);
		return FALSE;
	}
	g_autoptr(IscKey) key = isc_snapshots_open(
			dock, node->spec->name, snapshot, turn->volume, &from, error);
	g_autoptr(IscKey) fresh = isc_key_new_random();
	return key && isc_volume_size(from, &had, error) &&
	       drop_side(dock, node, turn, turn->side, error) &&
	       isc_key_store_save(dock->keys, side.id, fresh, error) &&
	       isc_disk_copies_reseal(dock, from, key, side.path, MAX(had, side.mib), fresh, cancel,
			       error);
}

gboolean isc_step_refill_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *snapshot = NULL;
	g_autoptr(GArray) turns = isc_restore_parse(arg, &snapshot, error);
	for (guint i = 0; turns && i < turns->len; i++)
		if (!fill(dock, node, snapshot, &g_array_index(turns, IscTurn, i), cancel, error))
			return FALSE;
	return turns != NULL;
}

/* Whatever side is not in force goes: before the turn the new one, behind it the old. */
gboolean isc_step_refill_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *snapshot = NULL;
	g_autoptr(GArray) turns = isc_restore_parse(arg, &snapshot, error);
	(void)cancel;
	for (guint i = 0; turns && i < turns->len; i++) {
		const IscTurn *turn = &g_array_index(turns, IscTurn, i);
		g_auto(Side) side = { 0 };
		if (!find_side(dock, node, turn, &side, error) ||
				!drop_side(dock, node, turn, 1 - side.in_force, error))
			return FALSE;
	}
	return turns != NULL;
}

/* No undo: from the transaction on, the snapshot's disks are the node's. */
gboolean isc_step_turn_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *snapshot = NULL;
	g_autoptr(GArray) turns = isc_restore_parse(arg, &snapshot, error);
	(void)cancel;
	for (guint i = 0; turns && i < turns->len; i++) {
		g_auto(Side) side = { 0 };
		if (!find_side(dock, node, &g_array_index(turns, IscTurn, i), &side, error))
			return FALSE;
		g_autoptr(IscKey) key = isc_key_store_load(dock->keys, side.id, error);
		if (!key || !isc_volume_verify(side.path, isc_key_hex(key), error))
			return FALSE;
	}
	return turns && isc_register_turn(dock->reg, node->spec->name, turns, error);
}
