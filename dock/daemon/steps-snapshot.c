#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "daemon/copies.h"
#include "daemon/snapshots.h"
#include "daemon/steps.h"
#include "daemon/tombstone.h"
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
#define CONVERT_S 600
#define OVERLAY_DEV "vdb"

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
	g_autofree gchar *path = isc_snapshots_path(dock, node->spec->name, arg);
	g_autofree gchar *id = isc_snapshots_key_id(node->spec->name, arg);
	g_autofree gchar *manifest = isc_snapshots_manifest(dock, node->spec->name, arg);
	g_autofree gchar *dir = g_path_get_dirname(path), *file = g_path_get_basename(path);
	const gchar *const files[] = { file, NULL };
	g_autoptr(IscCopy) copy = isc_copies_describe(ISC_COPY_SNAPSHOT, node, arg);
	struct stat st;

	/* A paused guest cannot answer. */
	gboolean ask = node->state != ISC_NODE_SUSPENDED;
	if (!isc_steps_copy_overlay(dock, node, path, id, ask, &copy->frozen, cancel, error) ||
			!isc_copies_add_files(copy, dir, files, error) ||
			!isc_copies_sign(dock, copy, manifest, error))
		return FALSE;
	if (stat(path, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot look at '%s'", path);
	IscSnapshot row = { .name = (gchar *)arg,
		.created = copy->taken,
		.size = (guint64)st.st_blocks * 512,
		.frozen = copy->frozen };
	g_strlcpy(row.digest, node->digest, sizeof(row.digest));
	return isc_register_add_snapshot(dock->reg, node->uuid, &row, error);
}

gboolean isc_step_snapshot_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *path = isc_snapshots_path(dock, node->spec->name, arg);
	g_autofree gchar *id = isc_snapshots_key_id(node->spec->name, arg);
	g_autofree gchar *manifest = isc_snapshots_manifest(dock, node->spec->name, arg);
	g_autofree gchar *signature = g_strconcat(manifest, ".minisig", NULL);
	(void)cancel;
	if (!isc_steps_drop_copy(dock, path, id, error))
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

/* Back to the very same node: a copy of the file, which the snapshot's key opens. */
static IscKey *put_back(IscDock *dock, const IscNode *node, const gchar *name, const gchar *overlay,
		GError **error)
{
	g_autofree gchar *path = NULL;
	g_autofree gchar *tmp = g_strconcat(overlay, ".tmp", NULL);
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	g_autoptr(IscKey) key = isc_snapshots_open(dock, node->spec->name, name, &path, error);
	if (!key)
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

/* Into another node: sealed anew, so that no key of the one opens the other. */
static IscKey *reseal(IscDock *dock, const IscNode *node, const gchar *from, const gchar *name,
		const gchar *overlay, GCancellable *cancel, GError **error)
{
	g_autofree gchar *path = NULL;
	g_autofree gchar *templates = g_build_filename(dock->config->state_dir, "templates", NULL);
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	g_autoptr(IscKey) old = isc_snapshots_open(dock, from, name, &path, error);
	g_autoptr(IscKey) key = isc_key_new_random();
	if (!old || !isc_volume_template_ensure(templates, node->spec->overlay_mib, error) ||
			!isc_volume_create(overlay, templates, node->spec->overlay_mib,
					isc_key_hex(key), (uid_t)-1, (gid_t)-1, error) ||
			!isc_volume_convert(path, isc_key_hex(old), overlay, isc_key_hex(key),
					CONVERT_S, cancel, error))
		return NULL;
	if (chown(overlay, uid, (gid_t)uid) < 0) {
		isc_error_set_errno(error, errno, "cannot give '%s' to node '%s'", overlay,
				node->spec->name);
		return NULL;
	}
	return g_steal_pointer(&key);
}

IscKey *isc_step_overlay_from_snapshot(IscDock *dock, const IscNode *node, const gchar *arg,
		const gchar *overlay, GCancellable *cancel, GError **error)
{
	const gchar *slash = strchr(arg, '/');
	if (!slash)
		return put_back(dock, node, arg, overlay, error);
	g_autofree gchar *from = g_strndup(arg, (gsize)(slash - arg));
	return reseal(dock, node, from, slash + 1, overlay, cancel, error);
}
