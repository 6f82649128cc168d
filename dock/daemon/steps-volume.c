/* The steps of persistent volumes.
 *
 * STATEDIR/volumes/NAME/disk.qcow2 is the volume, NAME.volume in the key store its key; once a
 * snapshot was put back they are disk-b.qcow2 and NAME.volume.b, then the first ones again.  They
 * belong to the dock; while a node runs, the disk is its uid's.  Here is the one place where they
 * are made, and isc_step_volume_down() the one place where they die: nothing else that the dock
 * does ever removes them, formats them, or takes another key where theirs is lost. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "daemon/disk-copy.h"
#include "daemon/snapshots.h"
#include "daemon/steps.h"
#include "daemon/volumes.h"
#include "engine/vm-secret.h"
#include "engine/volume.h"
#include "model/secret-use.h"

#define SERIAL_BYTES 20 /* as much as virtio-blk has room for */

gchar *isc_steps_volume_dir(const IscDock *dock, const gchar *name)
{
	return g_build_filename(dock->config->state_dir, "volumes", name, NULL);
}

/* --- sides --------------------------------------------------------------------------------- */

/* Of one that the register does not know (yet, or any more): the first. */
static guint side_of(const IscDock *dock, const gchar *name)
{
	IscVolume row;
	return isc_register_get_volume(dock->reg, name, &row, NULL) ? row.side : 0;
}

gchar *isc_steps_volume_side_path(const IscDock *dock, const gchar *name, guint side)
{
	g_autofree gchar *dir = isc_steps_volume_dir(dock, name);
	return g_build_filename(dir, side ? "disk-b.qcow2" : "disk.qcow2", NULL);
}

gchar *isc_steps_volume_side_key_id(const gchar *name, guint side)
{
	return g_strconcat(name, side ? ".volume.b" : ".volume", NULL);
}

gchar *isc_steps_volume_path(const IscDock *dock, const gchar *name)
{
	return isc_steps_volume_side_path(dock, name, side_of(dock, name));
}

gboolean isc_steps_volume_drop_side(IscDock *dock, const gchar *name, guint side, GError **error)
{
	g_autofree gchar *path = isc_steps_volume_side_path(dock, name, side);
	g_autofree gchar *id = isc_steps_volume_side_key_id(name, side);
	return isc_key_store_erase(dock->keys, id, error) && isc_volume_shred(path, error);
}

gchar *isc_steps_volume_serial(const IscVolume *volume)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (const gchar *p = volume->uuid; *p && text->len < SERIAL_BYTES; p++)
		if (*p != '-')
			g_string_append_c(text, *p);
	return g_strdup(text->str);
}

/* --- keys ---------------------------------------------------------------------------------- */

static gchar *key_id(const IscDock *dock, const gchar *name)
{
	return isc_steps_volume_side_key_id(name, side_of(dock, name));
}

/* The one that a rekeying is about to give it. */
static gchar *next_key_id(const gchar *name)
{
	return g_strconcat(name, ".volume.next", NULL);
}

static IscKey *load_or_none(IscDock *dock, const gchar *id, gboolean *failed, GError **error)
{
	g_autoptr(GError) why = NULL;
	IscKey *key = isc_key_store_load(dock->keys, id, &why);
	*failed = !key && !g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND);
	if (*failed)
		g_propagate_error(error, g_steal_pointer(&why));
	return key;
}

IscKey *isc_steps_volume_key(IscDock *dock, const gchar *name, GError **error)
{
	g_autofree gchar *id = key_id(dock, name);
	g_autofree gchar *path = isc_steps_volume_path(dock, name);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, &why);
	if (key && isc_volume_verify(path, isc_key_hex(key), &why))
		return g_steal_pointer(&key);
	g_set_error(error, ISC_ERROR,
			g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND) ? ISC_ERROR_NOT_FOUND
									     : ISC_ERROR_VERIFY,
			"volume '%s' cannot be opened, and is left as it is: %s; put key and disk "
			"back "
			"from a backup, or give it up with 'isc-vm volume rm %s'",
			name, why->message, name);
	return NULL;
}

/* --- a volume ------------------------------------------------------------------------------ */

typedef struct {
	IscVolume row;
	gchar *dir, *path, *id; /* owned */
	gchar *from;            /* owned: "NODE/SNAP/VOLUME" that it is made from, or NULL */
} Volume;

static void volume_clear(Volume *v)
{
	g_free(v->dir);
	g_free(v->path);
	g_free(v->id);
	g_free(v->from);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Volume, volume_clear)

/* "NAME MIB UUID", as isc_volumes_to_make() gives it; with a fourth word as isc_restore_to_make()
 * does. */
static gboolean parse(const IscDock *dock, const gchar *arg, Volume *out, GError **error)
{
	g_auto(GStrv) words = g_strsplit(arg, " ", -1);
	guint n = g_strv_length(words);
	guint64 mib;
	if (n < 3 || n > 4 || !isc_name_is_valid(words[0]) ||
			!g_ascii_string_to_unsigned(
					words[1], 10, 0, ISC_VOLUME_SIZE_MAX, &mib, NULL) ||
			!g_uuid_string_is_valid(words[2])) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "journal: no volume '%s'", arg);
		return FALSE;
	}
	*out = (Volume){ .row = { .mib = (guint)mib,
					 .fresh = TRUE,
					 .created = g_get_real_time() / G_USEC_PER_SEC } };
	g_strlcpy(out->row.name, words[0], sizeof(out->row.name));
	g_strlcpy(out->row.uuid, words[2], sizeof(out->row.uuid));
	out->dir = isc_steps_volume_dir(dock, out->row.name);
	out->path = isc_steps_volume_path(dock, out->row.name);
	out->id = key_id(dock, out->row.name);
	out->from = g_strdup(words[3]);
	return TRUE;
}

static gboolean make_from_snapshot(
		IscDock *dock, Volume *v, const IscKey *key, GCancellable *cancel, GError **error)
{
	g_auto(GStrv) words = g_strsplit(v->from, "/", -1);
	g_autofree gchar *path = NULL;
	if (g_strv_length(words) != 3) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"journal: no volume of a snapshot "
				"'%s'",
				v->from);
		return FALSE;
	}
	g_autoptr(IscKey) opens =
			isc_snapshots_open(dock, words[0], words[1], words[2], &path, error);
	v->row.fresh = FALSE;
	return opens &&
	       isc_disk_copies_reseal(dock, path, opens, v->path, v->row.mib, key, cancel, error);
}

static gboolean make_disk(
		IscDock *dock, Volume *v, const IscKey *key, GCancellable *cancel, GError **error)
{
	g_autofree gchar *templates = g_build_filename(dock->config->state_dir, "templates", NULL);
	IscVolumeSource source;
	if (v->from)
		return make_from_snapshot(dock, v, key, cancel, error);
	if (!isc_volumes_take_source(dock, v->row.uuid, &source))
		return isc_volume_template_ensure(templates, v->row.mib, error) &&
		       isc_volume_create(v->path, templates, v->row.mib, isc_key_hex(key),
				       (uid_t)-1, (gid_t)-1, error);
	v->row.fresh = FALSE;
	guint mib;
	if (!isc_volume_import(v->path, source.fd, source.text, isc_key_hex(key), &mib, error))
		return FALSE;
	if (mib <= v->row.mib) {
		v->row.mib = mib;
		return TRUE;
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"what is imported grew from %u to %u MiB while it was taken in", v->row.mib,
			mib);
	return FALSE;
}

/* The key is durable before the disk is, and the disk before the register names it. */
gboolean isc_step_volume_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_auto(Volume) v = { 0 };
	(void)node;
	if (!parse(dock, arg, &v, error))
		return FALSE;
	g_autoptr(IscKey) key = isc_key_new_random();
	return isc_key_store_save(dock->keys, v.id, key, error) &&
	       isc_file_mkdir(v.dir, 0700, error) && make_disk(dock, &v, key, cancel, error) &&
	       isc_register_add_volume(dock->reg, &v.row, error);
}

/* The key first: from then on the disk is noise, wherever a copy of it may be.  The register last:
 * until then it is known what has to go. */
gboolean isc_step_volume_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_auto(Volume) v = { 0 };
	IscVolume there;
	(void)node, (void)cancel;
	if (!parse(dock, arg, &v, error))
		return FALSE;
	/* Somebody else's, who had the name first: the step that made this one failed for it. */
	if (isc_register_get_volume(dock->reg, v.row.name, &there, NULL) &&
			!g_str_equal(there.uuid, v.row.uuid))
		return TRUE;
	g_autofree gchar *next = next_key_id(v.row.name);
	return isc_key_store_erase(dock->keys, next, error) &&
	       isc_steps_volume_drop_side(dock, v.row.name, 0, error) &&
	       isc_steps_volume_drop_side(dock, v.row.name, 1, error) &&
	       isc_file_remove_tree(v.dir, error) &&
	       isc_register_remove_volume(dock->reg, v.row.name, error);
}

gboolean isc_step_resize_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_auto(GStrv) words = g_strsplit(arg, " ", 2);
	guint64 mib = 0;
	(void)node, (void)cancel;
	if (!words[0] || !words[1] ||
			!g_ascii_string_to_unsigned(
					words[1], 10, 1, ISC_VOLUME_SIZE_MAX, &mib, error))
		return FALSE;
	g_autofree gchar *path = isc_steps_volume_path(dock, words[0]);
	g_autoptr(IscKey) key = isc_steps_volume_key(dock, words[0], error);
	return key && isc_volume_grow(path, isc_key_hex(key), (guint)mib, error) &&
	       isc_register_resize_volume(dock->reg, words[0], (guint)mib, error);
}

/* At each moment one of the two ids in the store has a key that opens the disk; whoever comes after
 * a crash does all of it again. */
gboolean isc_step_rekey_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *path = isc_steps_volume_path(dock, arg);
	g_autofree gchar *id = key_id(dock, arg), *next_id = next_key_id(arg);
	gboolean failed;
	(void)node, (void)cancel;

	g_autoptr(IscKey) key = load_or_none(dock, id, &failed, error);
	if (failed)
		return FALSE;
	g_autoptr(IscKey) next = load_or_none(dock, next_id, &failed, error);
	if (failed)
		return FALSE;
	if (!next) {
		g_autoptr(IscKey) opens = isc_steps_volume_key(dock, arg, error);
		next = isc_key_new_random();
		if (!opens || !isc_key_store_save(dock->keys, next_id, next, error))
			return FALSE;
	}
	gboolean same = key && g_str_equal(isc_key_hex(key), isc_key_hex(next));
	if (key && !same && !isc_volume_add_key(path, isc_key_hex(key), isc_key_hex(next), error))
		return FALSE;
	return (same || (isc_key_store_erase(dock->keys, id, error) &&
					isc_key_store_save(dock->keys, id, next, error))) &&
	       isc_volume_keep_key(path, isc_key_hex(next), error) &&
	       isc_key_store_erase(dock->keys, next_id, error);
}

/* --- a node's volumes ---------------------------------------------------------------------- */

/* Both read the node anew: its rules may have changed since @node was loaded. */
gboolean isc_step_attach_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	IscVolumeUse use;
	(void)cancel;
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, node->spec->name, error);
	if (!now || !isc_volume_use_parse(arg, &use, error))
		return FALSE;
	const IscVolumeUse *had = isc_spec_find_volume(now->spec, use.name);
	use.size_mib = had ? had->size_mib : 0;
	return isc_spec_add_volume(now->spec, &use, error) &&
	       isc_register_attach_volume(dock->reg, use.name, now->spec, error);
}

gboolean isc_step_attach_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	IscVolumeUse use;
	(void)cancel;
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, node->spec->name, error);
	if (!now || !isc_volume_use_parse(arg, &use, error))
		return FALSE;
	isc_spec_remove_volume(now->spec, use.name);
	return isc_register_detach_volume(dock->reg, use.name, now->spec, error);
}

static gboolean push_key(IscDock *dock, const IscVolume *volume, GError **error)
{
	g_autofree gchar *usage = isc_secret_use_volume(volume->name);
	g_autoptr(IscKey) key = isc_steps_volume_key(dock, volume->name, error);
	return key && isc_vm_secret_set(dock->vm, volume->uuid, usage, isc_key_hex(key), error);
}

gboolean isc_steps_own_volume(IscDock *dock, const IscNode *node, const gchar *name, IscVolume *out,
		GError **error)
{
	if (!isc_register_get_volume(dock->reg, name, out, error))
		return FALSE;
	if (g_str_equal(out->node, node->spec->name))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "volume '%s' is not attached to node '%s'",
			name, node->spec->name);
	return FALSE;
}

gboolean isc_steps_push_volume_keys(IscDock *dock, const IscNode *node, GError **error)
{
	for (guint i = 0; i < node->spec->volumes->len; i++) {
		const IscVolumeUse *use = &g_array_index(node->spec->volumes, IscVolumeUse, i);
		IscVolume volume;
		if (!isc_steps_own_volume(dock, node, use->name, &volume, error) ||
				!push_key(dock, &volume, error))
			return FALSE;
	}
	return TRUE;
}

/* Only its owner's group may pass the folder, and only QEMU's uid has that group. */
static gboolean give(IscDock *dock, const gchar *name, uid_t uid, gid_t gid, GError **error)
{
	g_autofree gchar *dir = isc_steps_volume_dir(dock, name);
	g_autofree gchar *path = isc_steps_volume_path(dock, name);
	if (!isc_volume_give(path, uid, gid, error))
		return FALSE;
	return chown(dir, (uid_t)-1, gid) == 0 ||
	       isc_error_set_errno(error, errno, "cannot give '%s' to gid %u", dir, (guint)gid);
}

gboolean isc_step_volumes_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	(void)arg, (void)cancel;
	/* A key that is lost is found here, before anything is somebody else's. */
	if (!isc_steps_push_volume_keys(dock, node, error))
		return FALSE;
	for (guint i = 0; i < node->spec->volumes->len; i++) {
		const gchar *name = g_array_index(node->spec->volumes, IscVolumeUse, i).name;
		g_autofree gchar *dir = isc_steps_volume_dir(dock, name);
		if (!isc_file_mkdir(dir, 0710, error) || !give(dock, name, uid, (gid_t)uid, error))
			return FALSE;
	}
	return TRUE;
}

/* As much of it as can be done: what could not is told. */
gboolean isc_step_volumes_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autoptr(GError) first = NULL;
	(void)arg, (void)cancel;
	for (guint i = 0; i < node->spec->volumes->len; i++) {
		const gchar *name = g_array_index(node->spec->volumes, IscVolumeUse, i).name;
		g_autoptr(GError) why = NULL;
		IscVolume volume;
		if (!isc_steps_own_volume(dock, node, name, &volume, NULL))
			continue; /* it never came to this node */
		if (!isc_vm_secret_unset(dock->vm, volume.uuid, &why) && !first)
			first = g_steal_pointer(&why);
		g_clear_error(&why);
		/* A disk that is lost keeps no node from being stopped or destroyed. */
		if (!give(dock, name, dock->uid, dock->gid, &why) &&
				!g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND) && !first)
			first = g_steal_pointer(&why);
	}
	if (!first)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&first));
	return FALSE;
}
