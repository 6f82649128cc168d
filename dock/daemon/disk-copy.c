#include "daemon/disk-copy.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/room.h"
#include "daemon/steps.h"
#include "engine/vm-backup.h"
#include "engine/vm-secret.h"
#include "engine/volume.h"
#include "model/secret-use.h"

#define FREEZE_S 5
#define THAW_MS 10000 /* the guest thaws by itself after that */
#define BACKUP_S 600
#define CONVERT_S 600
#define CLOSE_S 60
#define LOOK_US 20000
#define DISK_SUFFIX ".qcow2"

/* --- names --------------------------------------------------------------------------------- */

static gchar *folder_of(const IscDock *dock, const gchar *node)
{
	return g_build_filename(dock->config->state_dir, "nodes", node, "snapshots", NULL);
}

gchar *isc_disk_copies_path(
		const IscDock *dock, const gchar *node, const gchar *name, const gchar *volume)
{
	g_autofree gchar *dir = folder_of(dock, node);
	gboolean is_volume = volume && *volume;
	g_autofree gchar *file = g_strconcat(
			name, is_volume ? "." : "", is_volume ? volume : "", DISK_SUFFIX, NULL);
	return g_build_filename(dir, file, NULL);
}

gchar *isc_disk_copies_key_id(
		const gchar *node, const gchar *kind, const gchar *name, const gchar *volume)
{
	return g_strjoin(".", node, kind, name, volume && *volume ? volume : NULL, NULL);
}

static void disk_copy_free(gpointer data)
{
	IscDiskCopy *c = data;
	g_free(c->from);
	g_free(c->path);
	g_free(c->key_id);
	g_free(c);
}

static void add(GPtrArray *all, const IscDock *dock, const IscNode *node, const gchar *kind,
		const gchar *name, gchar *from, guint mib, const IscVolume *volume)
{
	IscDiskCopy *c = g_new0(IscDiskCopy, 1);
	g_snprintf(c->dev, sizeof(c->dev), "vd%c", (gchar)('b' + all->len));
	if (volume)
		c->volume = *volume;
	c->from = from;
	c->mib = mib;
	c->path = isc_disk_copies_path(dock, node->spec->name, name, c->volume.name);
	c->key_id = isc_disk_copies_key_id(node->spec->name, kind, name, c->volume.name);
	g_ptr_array_add(all, c);
}

/* vdb, vdc, … in the order of the spec, as render() in steps-domain.c has them. */
GPtrArray *isc_disk_copies_new(IscDock *dock, const IscNode *node, const gchar *kind,
		const gchar *name, GError **error)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(disk_copy_free);
	add(all, dock, node, kind, name, isc_steps_overlay_path(dock, node),
			node->spec->overlay_mib, NULL);
	for (guint i = 0; i < node->spec->volumes->len; i++) {
		const gchar *one = g_array_index(node->spec->volumes, IscVolumeUse, i).name;
		IscVolume volume;
		if (!isc_steps_own_volume(dock, node, one, &volume, error))
			return NULL;
		add(all, dock, node, kind, name, isc_steps_volume_path(dock, one), volume.mib,
				&volume);
	}
	return g_steal_pointer(&all);
}

void isc_disk_copies_describe(IscCopy *copy, const IscVolume *volume, const gchar *file)
{
	IscCopyVolume one = { .mib = volume->mib };
	g_strlcpy(one.name, volume->name, sizeof(one.name));
	g_strlcpy(one.uuid, volume->uuid, sizeof(one.uuid));
	g_strlcpy(one.path, volume->path, sizeof(one.path));
	g_strlcpy(one.file, file, sizeof(one.file));
	g_array_append_val(copy->volumes, one);
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

/* --- making -------------------------------------------------------------------------------- */

guint64 isc_disk_copies_need(const GPtrArray *copies, guint n)
{
	const gchar *paths[ISC_VOLUMES_MAX + 2] = { NULL };
	for (guint i = 0; i < n; i++)
		paths[i] = ((const IscDiskCopy *)copies->pdata[i])->from;
	return isc_room_taken(paths);
}

static gboolean check_room(IscDock *dock, const IscNode *node, const GPtrArray *copies, guint n,
		GError **error)
{
	g_autofree gchar *what = g_strdup_printf(
			"a copy of the disks of node '%s' may take", node->spec->name);
	return isc_room_check(dock, what, isc_disk_copies_need(copies, n), error);
}

/* In libvirtd the key of a copy lives for as long as it is made. */
static gboolean forget_secret(IscDock *dock, const gchar *key_id, GError **error)
{
	g_autofree gchar *usage = isc_secret_use_copy(key_id);
	return isc_vm_secret_unset_usage(dock->vm, usage, error);
}

/* The empty disk, the node's to write; its key in the store and in libvirtd. */
static gboolean make_target(IscDock *dock, const IscNode *node, const IscDiskCopy *c,
		const gchar *secret, GError **error)
{
	g_autofree gchar *templates = g_build_filename(dock->config->state_dir, "templates", NULL);
	g_autofree gchar *usage = isc_secret_use_copy(c->key_id);
	g_autoptr(IscKey) key = isc_key_new_random();
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	return isc_volume_template_ensure(templates, c->mib, error) &&
	       isc_key_store_save(dock->keys, c->key_id, key, error) &&
	       isc_volume_create(c->path, templates, c->mib, isc_key_hex(key), uid, (gid_t)uid,
			       error) &&
	       forget_secret(dock, c->key_id, error) && /* of one whose maker has died */
	       isc_vm_secret_set(dock->vm, secret, usage, isc_key_hex(key), error);
}

/* libvirt tells of the job's end before it has QEMU close the last disk, which writes what it still
 * has of the tables: QEMU's lock on it goes with that. */
static gboolean wait_until_closed(const gchar *path, GError **error)
{
	gint64 end = g_get_monotonic_time() + CLOSE_S * G_USEC_PER_SEC;
	for (;;) {
		g_autoptr(GError) why = NULL;
		if (isc_volume_check_idle(path, &why))
			return TRUE;
		if (g_get_monotonic_time() >= end ||
				!g_error_matches(why, ISC_ERROR, ISC_ERROR_STATE)) {
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		g_usleep(LOOK_US);
	}
}

static gboolean take_back(const IscDock *dock, const gchar *path, GError **error)
{
	isc_autofd int fd = -1;
	if (!wait_until_closed(path, error))
		return FALSE;
	if (chown(path, dock->uid, dock->gid) < 0 ||
			(fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) < 0 || fsync(fd) < 0)
		return isc_error_set_errno(error, errno, "cannot take '%s' back from QEMU", path);
	return TRUE;
}

static gboolean copy_all(IscDock *dock, const IscNode *node, const IscVmBackupDisk *disks, guint n,
		gboolean ask, gboolean *frozen, GCancellable *cancel, GError **error)
{
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	Freeze f = { dock, node, 0, FALSE };
	if (ask)
		freeze(&f);
	gboolean ok = isc_vm_backup(
			dock->vm, domain, disks, n, BACKUP_S * 1000, cancel, thaw, NULL, &f, error);
	if (!ok)
		thaw(&f);
	*frozen = f.frozen;
	return ok;
}

gboolean isc_disk_copies_make(IscDock *dock, const IscNode *node, const GPtrArray *copies, guint n,
		gboolean ask, gboolean *frozen, GCancellable *cancel, GError **error)
{
	IscVmBackupDisk disks[ISC_VOLUMES_MAX + 1];
	g_autoptr(GPtrArray) secrets = g_ptr_array_new_with_free_func(g_free);
	gboolean ok = check_room(dock, node, copies, n, error);
	for (guint i = 0; i < n && ok; i++) {
		const IscDiskCopy *c = copies->pdata[i];
		gchar *secret = g_uuid_string_random();
		g_ptr_array_add(secrets, secret);
		disks[i] = (IscVmBackupDisk){ c->dev, c->path, secret };
		ok = make_target(dock, node, c, secret, error);
	}
	ok = ok && copy_all(dock, node, disks, n, ask, frozen, cancel, error);
	for (guint i = 0; i < secrets->len; i++) {
		g_autoptr(GError) late = NULL;
		if (!isc_vm_secret_unset(dock->vm, secrets->pdata[i], &late))
			g_warning("secret of a copy of '%s': %s", node->spec->name, late->message);
	}
	for (guint i = 0; i < n && ok; i++)
		ok = take_back(dock, ((const IscDiskCopy *)copies->pdata[i])->path, error);
	return ok;
}

/* --- dropping ------------------------------------------------------------------------------ */

gboolean isc_disk_copies_erase_keys(IscDock *dock, const gchar *node, const gchar *kind,
		const gchar *name, GError **error)
{
	g_autofree gchar *id = isc_disk_copies_key_id(node, kind, name, NULL);
	g_autofree gchar *prefix = g_strconcat(id, ".", NULL);
	g_auto(GStrv) ids = isc_key_store_list(dock->keys, error);
	for (gsize i = 0; ids && ids[i]; i++) {
		g_autoptr(GError) late = NULL;
		if (!g_str_equal(ids[i], id) && !g_str_has_prefix(ids[i], prefix))
			continue;
		/* One that cannot be asked has ended, and its secrets with it. */
		if (!forget_secret(dock, ids[i], &late))
			g_message("secret of a copy of '%s': %s", node, late->message);
		if (!isc_key_store_erase(dock->keys, ids[i], error))
			return FALSE;
	}
	return ids != NULL;
}

/* The keys first: from then on the copies are noise, wherever copies of them may be. */
gboolean isc_disk_copies_drop(IscDock *dock, const gchar *node, const gchar *kind,
		const gchar *name, GError **error)
{
	if (!isc_disk_copies_erase_keys(dock, node, kind, name, error))
		return FALSE;
	g_autofree gchar *folder = folder_of(dock, node), *prefix = g_strconcat(name, ".", NULL);
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const gchar *file;
	while (dir && (file = g_dir_read_name(dir))) {
		g_autofree gchar *path = g_build_filename(folder, file, NULL);
		if (g_str_has_prefix(file, prefix) &&
				(g_str_has_suffix(file, DISK_SUFFIX) ||
						g_str_has_suffix(file, DISK_SUFFIX ".tmp")) &&
				!isc_volume_shred(path, error))
			return FALSE;
	}
	return TRUE;
}

gboolean isc_disk_copies_reseal(IscDock *dock, const gchar *from, const IscKey *key,
		const gchar *to, guint mib, const IscKey *to_key, GCancellable *cancel,
		GError **error)
{
	g_autofree gchar *templates = g_build_filename(dock->config->state_dir, "templates", NULL);
	return isc_volume_template_ensure(templates, mib, error) &&
	       isc_volume_create(to, templates, mib, isc_key_hex(to_key), (uid_t)-1, (gid_t)-1,
			       error) &&
	       isc_volume_convert(from, isc_key_hex(key), to, isc_key_hex(to_key), CONVERT_S,
			       cancel, error);
}
