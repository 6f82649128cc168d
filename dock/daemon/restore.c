#include "daemon/restore.h"

#include <string.h>

#include "base/error.h"
#include "daemon/admission.h"
#include "daemon/copies.h"
#include "daemon/room.h"
#include "daemon/snapshots.h"

/* --- in place ------------------------------------------------------------------------------ */

static gboolean differs(const IscNode *node, const gchar *snapshot, const gchar *volume,
		const gchar *how, GError **error)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"snapshot '%s' and node '%s' have different volumes: '%s' %s; attach and "
			"detach until they are the same, or make another node of it with 'isc-vm "
			"snapshot clone'",
			snapshot, node->spec->name, volume, how);
	return FALSE;
}

/* All that the snapshot has are the node's, and all that the node has are in the snapshot. */
static gboolean check_same(IscDock *dock, const IscNode *node, const IscCopy *copy, GError **error)
{
	for (guint i = 0; i < node->spec->volumes->len; i++) {
		const gchar *name = g_array_index(node->spec->volumes, IscVolumeUse, i).name;
		const IscCopyVolume *had = isc_copy_find_volume(copy, name);
		IscVolume is;
		if (!isc_register_get_volume(dock->reg, name, &is, error))
			return FALSE;
		if (!had)
			return differs(node, copy->name, name, "is not in the snapshot", error);
		if (!g_str_equal(had->uuid, is.uuid))
			return differs(node, copy->name, name,
					"is another volume than the one of that name then", error);
	}
	for (guint i = 0; i < copy->volumes->len; i++) {
		const gchar *name = g_array_index(copy->volumes, IscCopyVolume, i).name;
		if (!isc_spec_find_volume(node->spec, name))
			return differs(node, copy->name, name, "is no longer the node's", error);
	}
	return TRUE;
}

gchar *isc_restore_plan(IscDock *dock, const IscNode *node, const gchar *snapshot, GError **error)
{
	g_autoptr(IscCopy) copy = isc_snapshots_load(dock, node->spec->name, snapshot, error);
	if (!copy || !check_same(dock, node, copy, error))
		return NULL;
	gboolean any = copy->volumes->len || node->spec->overlay_kept;
	g_autoptr(GString) out = g_string_new(any ? snapshot : "");
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	if (node->spec->overlay_kept) {
		guint side = isc_register_overlay_side(dock->reg, node->spec->name);
		g_string_append_printf(out, " " ISC_ARG_OVERLAY ":%c", side ? 'a' : 'b');
		g_ptr_array_add(paths, isc_snapshots_path(dock, node->spec->name, snapshot, NULL));
	}
	for (guint i = 0; i < copy->volumes->len; i++) {
		const IscCopyVolume *volume = &g_array_index(copy->volumes, IscCopyVolume, i);
		IscVolume is;
		if (!isc_register_get_volume(dock->reg, volume->name, &is, error))
			return NULL;
		g_string_append_printf(out, " %s:%c", volume->name, is.side ? 'a' : 'b');
		g_ptr_array_add(paths,
				isc_snapshots_path(dock, node->spec->name, snapshot, volume->name));
	}
	g_ptr_array_add(paths, NULL);
	g_autofree gchar *what = g_strdup_printf("the disks of snapshot '%s' take", snapshot);
	return isc_room_check(dock, what, isc_room_taken((const gchar *const *)paths->pdata), error)
			       ? g_strdup(out->str)
			       : NULL;
}

GArray *isc_restore_parse(const gchar *arg, gchar **snapshot, GError **error)
{
	g_auto(GStrv) words = g_strsplit(arg, " ", -1);
	g_autoptr(GArray) turns = g_array_new(FALSE, TRUE, sizeof(IscTurn));
	gboolean ok = isc_name_is_valid(words[0]);
	for (gsize i = 1; ok && words[i]; i++) {
		const gchar *colon = strchr(words[i], ':');
		IscTurn turn = { .side = colon && colon[1] == 'b' };
		g_strlcpy(turn.volume, words[i], sizeof(turn.volume));
		turn.volume[strcspn(turn.volume, ":")] = '\0';
		ok = colon && (colon[1] == 'a' || colon[1] == 'b') && !colon[2] &&
		     (isc_name_is_valid(turn.volume) || g_str_equal(turn.volume, ISC_ARG_OVERLAY));
		if (*turn.volume == '(')
			*turn.volume = '\0';
		g_array_append_val(turns, turn);
	}
	if (!ok) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "journal: no restore '%s'", arg);
		return NULL;
	}
	*snapshot = g_strdup(words[0]);
	return g_steal_pointer(&turns);
}

/* --- into another node --------------------------------------------------------------------- */

GStrv isc_restore_to_make(IscDock *dock, const IscSpec *spec, const gchar *from, GError **error)
{
	g_auto(GStrv) words = g_strsplit(from, "/", 2);
	g_autoptr(IscCopy) copy = isc_snapshots_load(dock, words[0], words[1], error);
	g_autoptr(GStrvBuilder) list = g_strv_builder_new();
	guint64 mib = 0;
	for (guint i = 0; copy && i < spec->volumes->len; i++) {
		const IscVolumeUse *use = &g_array_index(spec->volumes, IscVolumeUse, i);
		const IscCopyVolume *had = isc_copy_find_volume_at(copy, use->path);
		IscVolume there;
		if (!had || isc_register_get_volume(dock->reg, use->name, &there, NULL)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
					"volume '%s' stands already: the clone needs that name for "
					"its copy; choose another name for the clone, or remove "
					"the volume",
					use->name);
			return NULL;
		}
		if (!isc_admission_volume(dock, use->name, had->mib, error))
			return NULL;
		g_autofree gchar *uuid = g_uuid_string_random();
		g_autofree gchar *arg = g_strdup_printf(
				"%s %u %s %s/%s", use->name, had->mib, uuid, from, had->name);
		g_autofree gchar *path = isc_snapshots_path(dock, words[0], words[1], had->name);
		const gchar *const paths[] = { path, NULL };
		mib += isc_room_taken(paths);
		g_strv_builder_add(list, arg);
	}
	g_autofree gchar *what = g_strdup_printf("the volumes of snapshot '%s' take", from);
	return copy && isc_room_check(dock, what, mib, error) ? g_strv_builder_end(list) : NULL;
}
