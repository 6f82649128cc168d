#include "daemon/fsck.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "daemon/options.h"
#include "daemon/reconcile.h"
#include "daemon/secrets.h"
#include "daemon/sets.h"
#include "daemon/steps.h"
#include "daemon/volumes.h"
#include "daemon/snapshots.h"
#include "engine/links.h"
#include "engine/volume.h"

static void add(gpointer data, const gchar *what, const gchar *name, const gchar *problem,
		gboolean repaired)
{
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	g_variant_builder_add(&b, "{sv}", "what", g_variant_new_string(what));
	g_variant_builder_add(&b, "{sv}", "name", g_variant_new_string(name));
	g_variant_builder_add(&b, "{sv}", "problem", g_variant_new_string(problem));
	g_variant_builder_add(&b, "{sv}", "repaired", g_variant_new_boolean(repaired));
	g_variant_builder_add(data, "@a{sv}", g_variant_builder_end(&b));
}

static gboolean is_known(IscDock *dock, const gchar *name)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	g_autoptr(IscReplicaSet) set = isc_register_get_set(dock->reg, name, NULL);
	if (node || set)
		return TRUE;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	return isc_dock_run(dock, name)->busy != NULL;
}

/* Folders of nodes that are no more: shredded, for an overlay may lie in them. */
static void look_at_folders(IscDock *dock, gboolean repair, GVariantBuilder *list)
{
	g_autofree gchar *nodes = g_build_filename(dock->config->state_dir, "nodes", NULL);
	g_autoptr(GDir) dir = g_dir_open(nodes, 0, NULL);
	const gchar *name;
	while (dir && (name = g_dir_read_name(dir))) {
		if (is_known(dock, name))
			continue;
		g_autofree gchar *path = g_build_filename(nodes, name, NULL);
		g_autofree gchar *overlay = isc_steps_overlay_side_path(dock, name, 0);
		g_autofree gchar *second = isc_steps_overlay_side_path(dock, name, 1);
		g_autoptr(GError) why = NULL;
		gboolean mended = repair && isc_volume_shred(overlay, &why) &&
				  isc_volume_shred(second, &why) &&
				  isc_file_remove_tree(path, &why);
		add(list, "folder", name, "belongs to no node", mended);
	}
}

/* Keys NAME.… of nodes that are no more; evidence outlives its node. */
static void look_at_keys(IscDock *dock, gboolean repair, GVariantBuilder *list)
{
	g_auto(GStrv) ids = isc_key_store_list(dock->keys, NULL);
	for (gsize i = 0; ids && ids[i]; i++) {
		g_autofree gchar *name = g_strndup(ids[i], strcspn(ids[i], "."));
		if (strstr(ids[i], ".evidence.") || strstr(ids[i], ".memory.") ||
				g_str_has_prefix(ids[i] + strlen(name), ".volume") ||
				is_known(dock, name))
			continue;
		gboolean mended = repair && isc_key_store_erase(dock->keys, ids[i], NULL);
		add(list, "key", ids[i], "belongs to no node", mended);
	}
}

static gboolean is_tap_of_nobody(const GPtrArray *nodes, const gchar *tap)
{
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		g_autofree gchar *own = isc_node_tap(node->slot);
		if (g_str_equal(own, tap))
			return FALSE;
	}
	return TRUE;
}

static void look_at_taps(IscDock *dock, gboolean repair, GVariantBuilder *list)
{
	g_autoptr(GDir) dir = g_dir_open("/sys/class/net", 0, NULL);
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	const gchar *name;
	while (dir && nodes && (name = g_dir_read_name(dir))) {
		if (!g_str_has_prefix(name, "isct") || !is_tap_of_nobody(nodes, name))
			continue;
		gboolean mended =
				repair &&
				isc_links_tap_remove(
						&(IscTap){ .name = name,
								.bridge = dock->config->plan
											  .bridge },
						NULL);
		add(list, "tap", name, "belongs to no node", mended);
	}
}

/* Those that are kept: key and disk, and no second one of a restore that was interrupted. */
static void look_at_overlay(
		IscDock *dock, const IscNode *node, gboolean repair, GVariantBuilder *list)
{
	const gchar *name = node->spec->name;
	guint other = 1 - isc_register_overlay_side(dock->reg, name);
	g_autofree gchar *path = isc_steps_overlay_side_path(dock, name, other);
	g_autofree gchar *id = isc_steps_overlay_side_key_id(name, other);
	g_autoptr(IscKey) key = isc_key_store_load(dock->keys, id, NULL);
	g_autoptr(GError) why = NULL;
	if (!isc_steps_overlay_check(dock, node, &why))
		add(list, "overlay", name, why->message, FALSE);
	if (key || access(path, F_OK) == 0)
		add(list, "overlay", name, "has a second disk, of a restore that was interrupted",
				repair && isc_steps_overlay_drop_side(dock, name, other, NULL));
}

static void look_at_snapshots(IscDock *dock, gboolean repair, GVariantBuilder *list)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		g_mutex_lock(&dock->lock);
		gboolean busy = isc_dock_run(dock, node->spec->name)->busy != NULL;
		g_mutex_unlock(&dock->lock);
		if (busy)
			continue;
		isc_snapshots_check(dock, node, repair, add, list);
		if (node->spec->overlay_kept)
			look_at_overlay(dock, node, repair, list);
	}
}

static gboolean is_bridge_of_nobody(
		const IscAddressPlan *plan, const GPtrArray *nodes, const gchar *bridge)
{
	for (guint i = 0; i < nodes->len; i++) {
		const IscPlace place = isc_node_place(plan, nodes->pdata[i]);
		if (g_str_equal(place.bridge, bridge))
			return FALSE;
	}
	return TRUE;
}

static void look_at_bridges(IscDock *dock, gboolean repair, GVariantBuilder *list)
{
	const IscAddressPlan *plan = &dock->config->plan;
	g_autofree gchar *prefix = g_strconcat(plan->bridge, "-", NULL);
	g_autoptr(GDir) dir = g_dir_open("/sys/class/net", 0, NULL);
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	const gchar *name;
	while (dir && nodes && (name = g_dir_read_name(dir))) {
		const IscBridge bridge = { .name = name, .accept_mark = ISC_NFT_ACCEPT_MARK };
		if (!g_str_has_prefix(name, prefix) || !is_bridge_of_nobody(plan, nodes, name))
			continue;
		gboolean mended = repair && isc_links_bridge_remove(&bridge, NULL);
		add(list, "bridge", name, "belongs to no node", mended);
	}
}

GVariant *isc_fsck(IscCall *call, GError **error)
{
	IscOptions options;
	g_autoptr(GVariant) dict = g_variant_get_child_value(call->params, 0);
	if (!isc_options_parse(dict, "repair ", &options, error))
		return NULL;

	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	g_autoptr(GError) why = NULL;
	if (!isc_register_check(call->dock->reg, &why))
		add(&list, "register", "register.db", why->message, FALSE);
	(void)isc_reconcile_all(call->dock, options.repair, add, &list);
	look_at_snapshots(call->dock, options.repair, &list);
	look_at_folders(call->dock, options.repair, &list);
	look_at_keys(call->dock, options.repair, &list);
	look_at_taps(call->dock, options.repair, &list);
	isc_volumes_check(call->dock, options.repair, add, &list);
	isc_secrets_check(call->dock, options.repair, add, &list);
	look_at_bridges(call->dock, options.repair, &list);
	isc_sets_check(call->dock, options.repair, add, &list);
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}
