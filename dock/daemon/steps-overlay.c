/* The steps of a node's overlay and its key.
 *
 * By default each start makes it anew under a key that is nowhere but in memory, and each stop
 * shreds it.  One that is kept (Overlay=…:keep) has its key in the store as NODE.overlay; like a
 * volume it has a second side, overlay-b.qcow2 and NODE.overlay.b, that a restore fills, and of
 * which the register holds which one is in force.  While its first disk is being made the key is
 * called NODE.overlay.next: one that is missing under its own name was lost.
 *
 * The steps' argument ISC_ARG_KEPT says that the overlay outlives the step that is taken down. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/steps.h"
#include "daemon/tombstone.h"
#include "engine/vm-secret.h"
#include "engine/volume.h"
#include "model/secret-use.h"

/* --- sides --------------------------------------------------------------------------------- */

gchar *isc_steps_overlay_side_path(const IscDock *dock, const gchar *node, guint side)
{
	return g_build_filename(dock->config->state_dir, "nodes", node,
			side ? "overlay-b.qcow2" : "overlay.qcow2", NULL);
}

gchar *isc_steps_overlay_side_key_id(const gchar *node, guint side)
{
	return g_strconcat(node, side ? ".overlay.b" : ".overlay", NULL);
}

gchar *isc_steps_overlay_path(const IscDock *dock, const IscNode *node)
{
	const gchar *name = node->spec->name;
	return isc_steps_overlay_side_path(dock, name, isc_register_overlay_side(dock->reg, name));
}

gboolean isc_steps_overlay_drop_side(IscDock *dock, const gchar *node, guint side, GError **error)
{
	g_autofree gchar *path = isc_steps_overlay_side_path(dock, node, side);
	g_autofree gchar *id = isc_steps_overlay_side_key_id(node, side);
	return isc_key_store_erase(dock->keys, id, error) && isc_volume_shred(path, error);
}

static gchar *next_key_id(const gchar *node)
{
	return g_strconcat(node, ".overlay.next", NULL);
}

/* --- the key in memory --------------------------------------------------------------------- */

static void keep_key(IscDock *dock, const gchar *name, IscKey *key)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	isc_key_free(run->key);
	run->key = key;
}

/* --- one that is kept ---------------------------------------------------------------------- */

IscKey *isc_steps_overlay_key(IscDock *dock, const IscNode *node, GError **error)
{
	const gchar *name = node->spec->name;
	guint side = isc_register_overlay_side(dock->reg, name);
	g_autofree gchar *id = isc_steps_overlay_side_key_id(name, side);
	g_autofree gchar *path = isc_steps_overlay_side_path(dock, name, side);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, &why);
	if (key && isc_volume_verify(path, isc_key_hex(key), &why))
		return g_steal_pointer(&key);
	g_set_error(error, ISC_ERROR,
			g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND) ? ISC_ERROR_NOT_FOUND
									     : ISC_ERROR_VERIFY,
			"the overlay that node '%s' keeps cannot be opened, and is left as it is: "
			"%s; put key and disk back from a backup, restore a snapshot, or destroy "
			"the node",
			name, why->message);
	return NULL;
}

/* Neither key nor disk, or one that was being made. */
static gboolean was_never_made(IscDock *dock, const IscNode *node)
{
	const gchar *name = node->spec->name;
	guint side = isc_register_overlay_side(dock->reg, name);
	g_autofree gchar *id = isc_steps_overlay_side_key_id(name, side);
	g_autofree gchar *path = isc_steps_overlay_side_path(dock, name, side);
	g_autofree gchar *next_id = next_key_id(name);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, &why);
	g_autoptr(IscKey) next = isc_key_store_load(dock->keys, next_id, NULL);
	return !key && g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND) &&
	       (next || access(path, F_OK) != 0);
}

gboolean isc_steps_overlay_check(IscDock *dock, const IscNode *node, GError **error)
{
	if (was_never_made(dock, node))
		return TRUE;
	g_autoptr(IscKey) key = isc_steps_overlay_key(dock, node, error);
	return key != NULL;
}

void isc_steps_overlay_adopt(IscDock *dock, const IscNode *node)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *first = isc_steps_overlay_side_path(dock, name, 0);
	g_autofree gchar *second = isc_steps_overlay_side_path(dock, name, 1);
	struct stat a, b;
	if (stat(second, &b) < 0 || (stat(first, &a) == 0 && a.st_mtim.tv_sec <= b.st_mtim.tv_sec))
		return;
	g_autoptr(GArray) turns = g_array_new(FALSE, TRUE, sizeof(IscTurn));
	const IscTurn turn = { .side = 1 };
	g_autoptr(GError) why = NULL;
	g_array_append_val(turns, turn);
	if (!isc_register_turn(dock->reg, name, turns, &why))
		g_warning("overlay of '%s': %s", name, why->message);
}

/* --- making -------------------------------------------------------------------------------- */

static gboolean make(IscDock *dock, const IscNode *node, const gchar *from, const gchar *path,
		const IscKey *key, GCancellable *cancel, GError **error)
{
	g_autofree gchar *templates = g_build_filename(dock->config->state_dir, "templates", NULL);
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	if (*from)
		return isc_step_overlay_from_snapshot(dock, node, from, path, key, cancel, error);
	return isc_volume_template_ensure(templates, node->spec->overlay_mib, error) &&
	       isc_volume_create(path, templates, node->spec->overlay_mib, isc_key_hex(key), uid,
			       (gid_t)uid, error);
}

/* Key, disk, key: each durable before the next. */
static gboolean make_kept(IscDock *dock, const IscNode *node, const gchar *from, const gchar *path,
		const IscKey *key, GCancellable *cancel, GError **error)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *id = isc_steps_overlay_side_key_id(
			name, isc_register_overlay_side(dock->reg, name));
	g_autofree gchar *next_id = next_key_id(name);
	return isc_key_store_save(dock->keys, next_id, key, error) &&
	       make(dock, node, from, path, key, cancel, error) &&
	       isc_key_store_save(dock->keys, id, key, error) &&
	       isc_key_store_erase(dock->keys, next_id, error);
}

/* Shreds all that there is of it. */
static gboolean shred(IscDock *dock, const IscNode *node, GError **error)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *path = isc_steps_overlay_path(dock, node);
	g_autofree gchar *next_id = next_key_id(name);
	gboolean there = access(path, F_OK) == 0;
	if (!isc_key_store_erase(dock->keys, next_id, error) ||
			!isc_steps_overlay_drop_side(dock, name, 0, error) ||
			!isc_steps_overlay_drop_side(dock, name, 1, error))
		return FALSE;
	if (there)
		isc_tombstone_add(dock, node->uuid, "overlay and its key");
	return TRUE;
}

gboolean isc_step_overlay_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)cancel;
	keep_key(dock, node->spec->name, NULL);
	if (!g_str_equal(arg, ISC_ARG_KEPT))
		return shred(dock, node, error);
	g_autofree gchar *path = isc_steps_overlay_path(dock, node);
	g_autoptr(GError) why = NULL;
	if (isc_volume_give(path, dock->uid, dock->gid, &why) ||
			g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

gboolean isc_step_overlay_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	gboolean kept = g_str_equal(arg, ISC_ARG_KEPT);
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	g_autofree gchar *path = isc_steps_overlay_path(dock, node);
	g_autoptr(IscKey) key = NULL;

	if (kept && !was_never_made(dock, node)) {
		key = isc_steps_overlay_key(dock, node, error);
		if (!key || !isc_volume_give(path, uid, (gid_t)uid, error))
			return FALSE;
	} else {
		/* Whatever is there is of an earlier start, or half made: this one begins clean. */
		key = isc_key_new_random();
		if (!shred(dock, node, error) ||
				!(node->spec->overlay_kept ? make_kept : make)(dock, node,
						kept ? "" : arg, path, key, cancel, error))
			return FALSE;
	}
	keep_key(dock, node->spec->name, g_steal_pointer(&key));
	return TRUE;
}

/* --- in libvirtd --------------------------------------------------------------------------- */

gboolean isc_steps_push_secret(IscDock *dock, const IscNode *node, GError **error)
{
	g_autofree gchar *usage = isc_secret_use_overlay(node->spec->name);
	g_mutex_lock(&dock->lock);
	const IscKey *held = isc_dock_run(dock, node->spec->name)->key;
	g_autoptr(IscKey) key = held ? isc_key_new_from_hex(isc_key_hex(held), NULL) : NULL;
	g_mutex_unlock(&dock->lock);
	if (!key && node->spec->overlay_kept && !(key = isc_steps_overlay_key(dock, node, error)))
		return FALSE;
	if (!key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"the overlay's key of node '%s' is gone with an earlier isc-dockd",
				node->spec->name);
		return FALSE;
	}
	return isc_vm_secret_set(dock->vm, node->uuid, usage, isc_key_hex(key), error);
}

gboolean isc_step_secret_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	(void)arg, (void)cancel;
	return isc_steps_push_secret(self, node, error);
}

gboolean isc_step_secret_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return isc_vm_secret_unset(dock->vm, node->uuid, error);
}
