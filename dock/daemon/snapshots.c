#include "daemon/snapshots.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/name.h"
#include "daemon/copies.h"
#include "daemon/steps.h"
#include "engine/volume.h"

static gchar *path_of(
		const IscDock *dock, const gchar *node, const gchar *name, const gchar *suffix)
{
	g_autofree gchar *file = g_strconcat(name, suffix, NULL);
	return g_build_filename(dock->config->state_dir, "nodes", node, "snapshots", file, NULL);
}

gchar *isc_snapshots_path(const IscDock *dock, const gchar *node, const gchar *name)
{
	return path_of(dock, node, name, ".qcow2");
}

gchar *isc_snapshots_manifest(const IscDock *dock, const gchar *node, const gchar *name)
{
	return path_of(dock, node, name, ".json");
}

gchar *isc_snapshots_key_id(const gchar *node, const gchar *name)
{
	return g_strjoin(".", node, "snapshot", name, NULL);
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

IscKey *isc_snapshots_open(
		IscDock *dock, const gchar *node, const gchar *name, gchar **path, GError **error)
{
	g_autofree gchar *manifest = isc_snapshots_manifest(dock, node, name);
	g_autofree gchar *id = isc_snapshots_key_id(node, name);
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, error);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscCopy) copy = key ? isc_copies_load(dock, manifest, &why) : NULL;
	/* One that was made before there were manifests has none. */
	if (key && !copy && !g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		g_propagate_prefixed_error(error, g_steal_pointer(&why), "snapshot '%s': ", name);
		return NULL;
	}
	*path = isc_snapshots_path(dock, node, name);
	return key && isc_volume_verify(*path, isc_key_hex(key), error) ? g_steal_pointer(&key)
									: NULL;
}

/* --- manifests and rows -------------------------------------------------------------------- */

static gboolean has_key(IscDock *dock, const gchar *node, const gchar *name)
{
	g_autofree gchar *id = isc_snapshots_key_id(node, name);
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, NULL);
	return key != NULL;
}

/* @name has files and no row.  A whole one, of this very node, is taken up; half of one goes. */
static void take_up(IscDock *dock, const IscNode *node, const gchar *name, gboolean repair,
		IscReconcileFunc found, gpointer data)
{
	g_autofree gchar *full = g_strjoin(".", node->spec->name, name, NULL);
	g_autofree gchar *manifest = isc_snapshots_manifest(dock, node->spec->name, name);
	g_autofree gchar *path = isc_snapshots_path(dock, node->spec->name, name);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscCopy) copy = isc_copies_load(dock, manifest, &why);
	struct stat st;
	gboolean whole = copy && g_str_equal(copy->uuid, node->uuid) &&
			 g_str_equal(copy->name, name) && stat(path, &st) == 0 &&
			 has_key(dock, node->spec->name, name);
	if (!whole) {
		gboolean gone = repair && isc_step_snapshot_down(dock, node, name, NULL, &why);
		found(data, "snapshot", full, "is half of one", gone);
		return;
	}
	IscSnapshot row = { .name = (gchar *)name,
		.created = copy->taken,
		.size = (guint64)st.st_blocks * 512,
		.frozen = copy->frozen };
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
		g_autofree gchar *path = isc_snapshots_path(dock, node->spec->name, name);
		g_autofree gchar *full = g_strjoin(".", node->spec->name, name, NULL);
		if (access(path, F_OK) != 0)
			found(data, "snapshot", full,
					"has lost its disk; 'isc-vm snapshot delete' forgets it",
					FALSE);
		else if (!has_key(dock, node->spec->name, name))
			found(data, "snapshot", full,
					"has lost its key; 'isc-vm snapshot delete' forgets it",
					FALSE);
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
