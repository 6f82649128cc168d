#include "daemon/snapshots.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "daemon/admission.h"
#include "daemon/copies.h"
#include "daemon/disk-copy.h"
#include "daemon/steps.h"
#include "engine/volume.h"

gchar *isc_snapshots_path(
		const IscDock *dock, const gchar *node, const gchar *name, const gchar *volume)
{
	return isc_disk_copies_path(dock, node, name, volume);
}

gchar *isc_snapshots_manifest(const IscDock *dock, const gchar *node, const gchar *name)
{
	g_autofree gchar *file = g_strconcat(name, ".json", NULL);
	return g_build_filename(dock->config->state_dir, "nodes", node, "snapshots", file, NULL);
}

gboolean isc_snapshots_find(IscDock *dock, const IscNode *node, const gchar *name, IscSnapshot *out,
		GError **error)
{
	g_autoptr(GPtrArray) all = isc_register_list_snapshots(dock->reg, node->uuid, error);
	if (!all)
		return FALSE;
	for (guint i = 0; i < all->len; i++) {
		const IscSnapshot *s = all->pdata[i];
		if (!g_str_equal(s->name, name))
			continue;
		*out = *s;
		out->name = NULL;
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(name, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "node '%s' has no snapshot '%s'",
			node->spec->name, shown);
	return FALSE;
}

gboolean isc_snapshots_admit(
		IscDock *dock, const gchar *node_name, const gchar *name, GError **error)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, node_name, error);
	g_autoptr(GPtrArray) copies =
			node ? isc_disk_copies_new(dock, node, "snapshot", name, error) : NULL;
	return copies &&
	       isc_admission_snapshot(dock, node, isc_disk_copies_need(copies, copies->len), error);
}

gchar **isc_snapshots_too_many(IscDock *dock, const gchar *name, guint keep, GError **error)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, error);
	g_autoptr(GPtrArray) all =
			node ? isc_register_list_snapshots(dock->reg, node->uuid, error) : NULL;
	if (!all)
		return NULL;
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i + keep < all->len + 1; i++)
		g_ptr_array_add(names, g_strdup(((IscSnapshot *)all->pdata[i])->name));
	g_ptr_array_add(names, NULL);
	return (gchar **)g_ptr_array_steal(names, NULL);
}

IscCopy *isc_snapshots_load(IscDock *dock, const gchar *node, const gchar *name, GError **error)
{
	g_autofree gchar *manifest = isc_snapshots_manifest(dock, node, name);
	g_autoptr(IscCopy) copy = isc_copies_load(dock, manifest, error);
	if (!copy) {
		g_prefix_error(error, "snapshot '%s': ", name);
		return NULL;
	}
	if (copy->kind == ISC_COPY_SNAPSHOT && g_str_equal(copy->name, name) &&
			g_str_equal(copy->node, node))
		return g_steal_pointer(&copy);
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"snapshot '%s': its manifest is that of another copy", name);
	return NULL;
}

static IscKey *open_disk(IscDock *dock, const gchar *node, const gchar *name, const gchar *volume,
		gchar **path, GError **error)
{
	g_autofree gchar *id = isc_disk_copies_key_id(node, "snapshot", name, volume);
	g_autofree gchar *disk = isc_snapshots_path(dock, node, name, volume);
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, error);
	if (!key || !isc_volume_verify(disk, isc_key_hex(key), error))
		return NULL;
	if (path)
		*path = g_steal_pointer(&disk);
	return g_steal_pointer(&key);
}

IscKey *isc_snapshots_open(IscDock *dock, const gchar *node, const gchar *name, const gchar *volume,
		gchar **path, GError **error)
{
	g_autoptr(IscCopy) copy = isc_snapshots_load(dock, node, name, error);
	return copy ? open_disk(dock, node, name, volume, path, error) : NULL;
}

/* --- verify -------------------------------------------------------------------------------- */

static gboolean check_file(
		IscDock *dock, const IscCopy *copy, const IscCopyFile *file, GError **error)
{
	g_autofree gchar *path = g_build_filename(dock->config->state_dir, "nodes", copy->node,
			"snapshots", file->name, NULL);
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	gchar sha[65];
	if (fd < 0 || fstat(fd, &st) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "snapshot '%s': %s is missing",
				copy->name, file->name);
		return FALSE;
	}
	if (!isc_file_sha256(fd, sha, error))
		return FALSE;
	if ((guint64)st.st_size == file->size && g_str_equal(sha, file->sha256))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "snapshot '%s': %s is not what was signed",
			copy->name, file->name);
	return FALSE;
}

IscCopy *isc_snapshots_verify(IscDock *dock, const gchar *node, const gchar *name, GError **error)
{
	g_autoptr(IscCopy) copy = isc_snapshots_load(dock, node, name, error);
	g_autoptr(IscKey) key = copy ? open_disk(dock, node, name, NULL, NULL, error) : NULL;
	if (!key)
		return NULL;
	for (guint i = 0; i < copy->volumes->len; i++) {
		const gchar *volume = g_array_index(copy->volumes, IscCopyVolume, i).name;
		g_autoptr(IscKey) opens = open_disk(dock, node, name, volume, NULL, error);
		if (!opens)
			return NULL;
	}
	for (guint i = 0; i < copy->files->len; i++)
		if (!check_file(dock, copy, copy->files->pdata[i], error))
			return NULL;
	return g_steal_pointer(&copy);
}

/* --- manifests and rows -------------------------------------------------------------------- */

static gboolean has_key(IscDock *dock, const gchar *node, const gchar *name, const gchar *volume)
{
	g_autofree gchar *id = isc_disk_copies_key_id(node, "snapshot", name, volume);
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, NULL);
	return key != NULL;
}

static gboolean has_disk(const IscDock *dock, const gchar *node, const gchar *name,
		const gchar *volume, guint64 *size)
{
	g_autofree gchar *path = isc_snapshots_path(dock, node, name, volume);
	struct stat st;
	if (stat(path, &st) < 0)
		return FALSE;
	*size += (guint64)st.st_blocks * 512;
	return TRUE;
}

/* "disk", "key", or NULL: all is there.  *@size: bytes on disk. */
static const gchar *what_is_lost(IscDock *dock, const gchar *node, const gchar *name,
		const IscCopy *copy, guint64 *size)
{
	*size = 0;
	if (!has_disk(dock, node, name, NULL, size))
		return "disk";
	if (!has_key(dock, node, name, NULL))
		return "key";
	for (guint i = 0; copy && i < copy->volumes->len; i++) {
		const gchar *volume = g_array_index(copy->volumes, IscCopyVolume, i).name;
		if (!has_disk(dock, node, name, volume, size))
			return "disk";
		if (!has_key(dock, node, name, volume))
			return "key";
	}
	return NULL;
}

/* @name has files and no row.  A whole one, of this very node, is taken up; half of one goes. */
static void take_up(IscDock *dock, const IscNode *node, const gchar *name, gboolean repair,
		IscReconcileFunc found, gpointer data)
{
	g_autofree gchar *full = g_strjoin(".", node->spec->name, name, NULL);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscCopy) copy = isc_snapshots_load(dock, node->spec->name, name, &why);
	guint64 size = 0;
	gboolean whole = copy && g_str_equal(copy->uuid, node->uuid) &&
			 !what_is_lost(dock, node->spec->name, name, copy, &size);
	g_clear_error(&why);
	if (!whole) {
		gboolean gone = repair && isc_step_snapshot_down(dock, node, name, NULL, &why);
		found(data, "snapshot", full, "is half of one", gone);
		return;
	}
	IscSnapshot row = {
		.name = (gchar *)name, .created = copy->taken, .size = size, .frozen = copy->frozen
	};
	g_strlcpy(row.digest, copy->digest, sizeof(row.digest));
	gboolean mended = repair && isc_register_add_snapshot(dock->reg, node->uuid, &row, &why);
	found(data, "snapshot", full, "is not in the register", mended);
}

static gboolean has_row(const GPtrArray *rows, const gchar *name)
{
	for (guint i = 0; i < rows->len; i++)
		if (g_str_equal(((IscSnapshot *)rows->pdata[i])->name, name))
			return TRUE;
	return FALSE;
}

static void check_rows(IscDock *dock, const IscNode *node, const GPtrArray *rows,
		IscReconcileFunc found, gpointer data)
{
	for (guint i = 0; i < rows->len; i++) {
		const gchar *name = ((IscSnapshot *)rows->pdata[i])->name;
		g_autofree gchar *full = g_strjoin(".", node->spec->name, name, NULL);
		g_autoptr(IscCopy) copy = isc_snapshots_load(dock, node->spec->name, name, NULL);
		guint64 size;
		const gchar *lost = what_is_lost(dock, node->spec->name, name, copy, &size);
		g_autofree gchar *text = g_strdup_printf(
				"has lost its %s; 'isc-vm snapshot delete' forgets it",
				lost ? lost : "manifest");
		if (lost || !copy)
			found(data, "snapshot", full, text, FALSE);
	}
}

void isc_snapshots_check(IscDock *dock, const IscNode *node, gboolean repair,
		IscReconcileFunc found, gpointer data)
{
	g_autofree gchar *dir_path = g_build_filename(
			dock->config->state_dir, "nodes", node->spec->name, "snapshots", NULL);
	g_autoptr(GDir) dir = g_dir_open(dir_path, 0, NULL);
	g_autoptr(GPtrArray) rows = isc_register_list_snapshots(dock->reg, node->uuid, NULL);
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	const gchar *file;
	if (!rows)
		return;
	check_rows(dock, node, rows, found, data);
	while (dir && (file = g_dir_read_name(dir))) {
		g_autofree gchar *name = g_strndup(file, strcspn(file, "."));
		if (isc_name_is_valid(name) && !has_row(rows, name))
			g_hash_table_add(seen, g_steal_pointer(&name));
	}
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, seen);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		take_up(dock, node, name, repair, found, data);
}
