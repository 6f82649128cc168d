#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "daemon/steps.h"
#include "engine/vm-backup.h"
#include "engine/vm-secret.h"
#include "engine/volume.h"

/* Copies of a running node's overlay: each in a new encrypted volume with a key of its own, which
 * is in the key store under NAME.snapshot.SNAPSHOT (or NAME.evidence.NAME).  The copy is of one
 * moment; the guest's file systems are quiet then if its agent answers in time, and nothing waits
 * for one that does not. */

#define FREEZE_S 5
#define THAW_MS 10000 /* the guest thaws by itself after that */
#define BACKUP_S 600
#define OVERLAY_DEV "vdb"

gchar *isc_steps_snapshot_path(const IscDock *dock, const IscNode *node, const gchar *name)
{
	g_autofree gchar *file = g_strconcat(name, ".qcow2", NULL);
	return g_build_filename(dock->config->state_dir, "nodes", node->spec->name, "snapshots",
			file, NULL);
}

static gchar *key_id(const IscNode *node, const gchar *kind, const gchar *name)
{
	return g_strjoin(".", node->spec->name, kind, name, NULL);
}

/* --- freeze -------------------------------------------------------------------------------- */

typedef struct {
	IscDock *dock;
	const IscNode *node;
	guint32 id;
	gboolean frozen;
} Freeze;

static gboolean is_frozen(const IscRun *run, gpointer data)
{
	return run->frozen == *(guint32 *)data;
}

static gboolean order(IscDock *dock, const IscNode *node, IscOrderKind kind, guint32 id, gint64 arg)
{
	IscLinkMsg msg = isc_link_msg(ISC_LINK_ORDER, node->spec->name, node->slot);
	msg.a = kind;
	msg.b = id;
	msg.c = arg;
	return isc_link_send(dock->link, &msg, -1, NULL);
}

static void freeze(Freeze *f)
{
	f->id = isc_dock_next_id(f->dock);
	f->frozen = order(f->dock, f->node, ISC_ORDER_FREEZE, f->id, THAW_MS) &&
		    isc_dock_wait(f->dock, f->node->spec->name, is_frozen, &f->id,
				    g_get_monotonic_time() + FREEZE_S * G_USEC_PER_SEC, NULL);
}

/* The copy's moment has passed: also told to a guest that never said it is frozen, for it may just
 * be slow. */
static void thaw(gpointer data)
{
	Freeze *f = data;
	if (f->id)
		(void)order(f->dock, f->node, ISC_ORDER_THAW, isc_dock_next_id(f->dock), 0);
}

/* --- copy ---------------------------------------------------------------------------------- */

static gboolean take_back(const gchar *path, IscDock *dock, GError **error)
{
	isc_autofd int fd = -1;
	if (chown(path, dock->uid, dock->gid) < 0 ||
			(fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0 || fsync(fd) < 0)
		return isc_error_set_errno(error, errno, "cannot take '%s' back from QEMU", path);
	return TRUE;
}

gboolean isc_steps_copy_overlay(IscDock *dock, const IscNode *node, const gchar *path,
		const gchar *id, gboolean ask, gboolean *frozen, GCancellable *cancel,
		GError **error)
{
	g_autofree gchar *templates = g_build_filename(dock->config->state_dir, "templates", NULL);
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	g_autofree gchar *secret = g_uuid_string_random();
	g_autoptr(IscKey) key = isc_key_new_random();
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	Freeze f = { dock, node, 0, FALSE };

	if (!isc_volume_template_ensure(templates, node->spec->overlay_mib, error) ||
			!isc_key_store_save(dock->keys, id, key, error) ||
			!isc_volume_create(path, templates, node->spec->overlay_mib,
					isc_key_hex(key), uid, (gid_t)uid, error) ||
			!isc_vm_secret_set(dock->vm, secret, id, isc_key_hex(key), error))
		return FALSE;

	if (ask)
		freeze(&f);
	const IscVmBackupDisk disk = { OVERLAY_DEV, path, secret };
	gboolean ok = isc_vm_backup(
			dock->vm, domain, &disk, 1, BACKUP_S * 1000, cancel, thaw, NULL, &f, error);
	if (!ok)
		thaw(&f);
	*frozen = f.frozen;

	g_autoptr(GError) late = NULL;
	if (!isc_vm_secret_unset(dock->vm, secret, &late))
		g_warning("secret of '%s': %s", id, late->message);
	return ok && take_back(path, dock, error);
}

gboolean isc_steps_drop_copy(IscDock *dock, const gchar *path, const gchar *id, GError **error)
{
	/* The key first: from then on the copy is noise, wherever a copy of the copy may be. */
	return isc_key_store_erase(dock->keys, id, error) && isc_volume_shred(path, error);
}

gboolean isc_step_snapshot_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *path = isc_steps_snapshot_path(dock, node, arg);
	g_autofree gchar *id = key_id(node, "snapshot", arg);
	IscSnapshot row = { .name = (gchar *)arg, .created = g_get_real_time() / G_USEC_PER_SEC };
	struct stat st;

	/* A paused guest cannot answer. */
	gboolean ask = node->state != ISC_NODE_SUSPENDED;
	if (!isc_steps_copy_overlay(dock, node, path, id, ask, &row.frozen, cancel, error))
		return FALSE;
	if (stat(path, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot look at '%s'", path);
	row.size = (guint64)st.st_blocks * 512;
	g_strlcpy(row.digest, node->digest, sizeof(row.digest));
	return isc_register_add_snapshot(dock->reg, node->uuid, &row, error);
}

gboolean isc_step_snapshot_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *path = isc_steps_snapshot_path(dock, node, arg);
	g_autofree gchar *id = key_id(node, "snapshot", arg);
	(void)cancel;
	return isc_steps_drop_copy(dock, path, id, error) &&
	       isc_register_remove_snapshot(dock->reg, node->uuid, arg, error);
}

gboolean isc_step_snapshots_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autoptr(GPtrArray) all = isc_register_list_snapshots(dock->reg, node->uuid, error);
	(void)arg;
	if (!all)
		return FALSE;
	for (guint i = 0; i < all->len; i++)
		if (!isc_step_snapshot_down(self, node, ((IscSnapshot *)all->pdata[i])->name,
				    cancel, error))
			return FALSE;
	return TRUE;
}

IscKey *isc_step_overlay_from_snapshot(IscDock *dock, const IscNode *node, const gchar *name,
		const gchar *overlay, GError **error)
{
	g_autofree gchar *path = isc_steps_snapshot_path(dock, node, name);
	g_autofree gchar *id = key_id(node, "snapshot", name);
	g_autofree gchar *tmp = g_strconcat(overlay, ".tmp", NULL);
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, error);
	if (!key || !isc_volume_verify(path, isc_key_hex(key), error))
		return NULL;

	isc_autofd int from = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (from < 0 || fstat(from, &st) < 0) {
		isc_error_set_errno(error, errno, "cannot open snapshot '%s'", path);
		return NULL;
	}
	(void)unlink(tmp);
	isc_autofd int to = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0) {
		isc_error_set_errno(error, errno, "cannot make '%s'", tmp);
		return NULL;
	}
	if (!isc_file_copy_sparse(from, to, st.st_size, error))
		return NULL;
	if (fchown(to, uid, (gid_t)uid) < 0 || fsync(to) < 0 || rename(tmp, overlay) < 0) {
		isc_error_set_errno(error, errno, "cannot put '%s' into place", overlay);
		return NULL;
	}
	return g_steal_pointer(&key);
}
