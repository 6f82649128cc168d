/* The register's volumes. */
#include <string.h>

#include "base/error.h"
#include "store/register-private.h"
#include "store/sql.h"

#define COLUMNS "name, uuid, mib, node, path, fresh, created, side"

static void volume_from_row(sqlite3_stmt *st, IscVolume *out)
{
	*out = (IscVolume){ .mib = (guint)sqlite3_column_int64(st, 2),
		.fresh = sqlite3_column_int64(st, 5) != 0,
		.created = sqlite3_column_int64(st, 6),
		.side = sqlite3_column_int64(st, 7) != 0 };
	g_strlcpy(out->name, isc_sql_text(st, 0), sizeof(out->name));
	g_strlcpy(out->uuid, isc_sql_text(st, 1), sizeof(out->uuid));
	g_strlcpy(out->node, isc_sql_text(st, 3), sizeof(out->node));
	g_strlcpy(out->path, isc_sql_text(st, 4), sizeof(out->path));
}

/* Call with the lock held. */
static gboolean get(IscRegister *reg, const gchar *name, IscVolume *out, GError **error)
{
	g_autoptr(IscStmt) st = isc_sql_prepare(
			reg->db, error, "SELECT " COLUMNS " FROM volume WHERE name = ?", "t", name);
	if (!st)
		return FALSE;
	if (sqlite3_step(st) == SQLITE_ROW) {
		volume_from_row(st, out);
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(name, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
			"no volume '%s'; 'isc-vm volume list' shows those there are", shown);
	return FALSE;
}

gboolean isc_register_get_volume(
		IscRegister *reg, const gchar *name, IscVolume *out, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return get(reg, name, out, error);
}

gboolean isc_register_add_volume(IscRegister *reg, const IscVolume *volume, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	IscVolume there;
	if (get(reg, volume->name, &there, NULL)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "volume '%s' stands already",
				volume->name);
		return FALSE;
	}
	return isc_sql_run(reg->db, error,
			"INSERT INTO volume (" COLUMNS ") VALUES (?,?,?,?,?,?,?,?)", "ttittiii",
			volume->name, volume->uuid, (gint64)volume->mib, volume->node, volume->path,
			(gint64)volume->fresh, volume->created, (gint64)volume->side);
}

GArray *isc_register_list_volumes(IscRegister *reg, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(
			reg->db, error, "SELECT " COLUMNS " FROM volume ORDER BY name", "");
	if (!st)
		return NULL;
	GArray *all = g_array_new(FALSE, FALSE, sizeof(IscVolume));
	while (sqlite3_step(st) == SQLITE_ROW) {
		IscVolume volume;
		volume_from_row(st, &volume);
		g_array_append_val(all, volume);
	}
	return all;
}

gboolean isc_register_resize_volume(IscRegister *reg, const gchar *name, guint mib, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "UPDATE volume SET mib = ? WHERE name = ?", "it",
			(gint64)mib, name);
}

gboolean isc_register_use_volumes(IscRegister *reg, const gchar *node, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			"UPDATE volume SET fresh = 0 WHERE node = ? AND node <> '' AND fresh <> 0",
			"t", node);
}

guint isc_register_overlay_side(IscRegister *reg, const gchar *node)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(
			reg->db, NULL, "SELECT side FROM node WHERE name = ?", "t", node);
	return st && sqlite3_step(st) == SQLITE_ROW && sqlite3_column_int64(st, 0) != 0;
}

static gboolean turn_one(IscRegister *reg, const gchar *node, const IscTurn *turn, GError **error)
{
	gboolean overlay = !*turn->volume;
	if (!isc_sql_run(reg->db, error,
			    overlay ? "UPDATE node SET side = ? WHERE name = ?"
				    : "UPDATE volume SET side = ?, fresh = 0 WHERE name = ?",
			    "it", (gint64)turn->side, overlay ? node : turn->volume))
		return FALSE;
	if (sqlite3_changes(reg->db) == 1)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "no %s '%s'",
			overlay ? "node" : "volume", overlay ? node : turn->volume);
	return FALSE;
}

static gboolean turn_all(IscRegister *reg, const gchar *node, const GArray *turns, GError **error)
{
	for (guint i = 0; i < turns->len; i++)
		if (!turn_one(reg, node, &g_array_index(turns, IscTurn, i), error))
			return FALSE;
	return TRUE;
}

gboolean isc_register_turn(IscRegister *reg, const gchar *node, const GArray *turns, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	if (!isc_sql_script(reg->db, "BEGIN IMMEDIATE", error))
		return FALSE;
	if (turn_all(reg, node, turns, error) && isc_sql_script(reg->db, "COMMIT", error))
		return TRUE;
	(void)isc_sql_script(reg->db, "ROLLBACK", NULL);
	return FALSE;
}

gboolean isc_register_remove_volume(IscRegister *reg, const gchar *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "DELETE FROM volume WHERE name = ?", "t", name);
}

/* All of these: within a transaction. */
static gboolean set_spec(IscRegister *reg, const IscSpec *spec, GError **error)
{
	g_autofree gchar *text = isc_spec_print_public(spec);
	return isc_sql_run(reg->db, error, "UPDATE node SET spec = ? WHERE name = ?", "tt", text,
			spec->name);
}

static gboolean attach(IscRegister *reg, const gchar *name, const IscSpec *spec, GError **error)
{
	IscVolume volume;
	const IscVolumeUse *use = isc_spec_find_volume(spec, name);
	if (!use || !get(reg, name, &volume, error))
		return FALSE;
	if (*volume.node && !g_str_equal(volume.node, spec->name)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"volume '%s' is in use by node '%s'; detach it there first", name,
				volume.node);
		return FALSE;
	}
	return isc_sql_run(reg->db, error, "UPDATE volume SET node = ?, path = ? WHERE name = ?",
			       "ttt", spec->name, use->path, name) &&
	       set_spec(reg, spec, error);
}

static gboolean detach(IscRegister *reg, const gchar *name, const IscSpec *spec, GError **error)
{
	return isc_sql_run(reg->db, error,
			       "UPDATE volume SET node = '', path = '' WHERE name = ? AND node = ?",
			       "tt", name, spec->name) &&
	       set_spec(reg, spec, error);
}

static gboolean transact(IscRegister *reg,
		gboolean (*act)(IscRegister *, const gchar *, const IscSpec *, GError **),
		const gchar *name, const IscSpec *spec, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	if (!isc_sql_script(reg->db, "BEGIN IMMEDIATE", error))
		return FALSE;
	if (act(reg, name, spec, error) && isc_sql_script(reg->db, "COMMIT", error))
		return TRUE;
	(void)isc_sql_script(reg->db, "ROLLBACK", NULL);
	return FALSE;
}

gboolean isc_register_attach_volume(
		IscRegister *reg, const gchar *name, const IscSpec *spec, GError **error)
{
	return transact(reg, attach, name, spec, error);
}

gboolean isc_register_detach_volume(
		IscRegister *reg, const gchar *name, const IscSpec *spec, GError **error)
{
	return transact(reg, detach, name, spec, error);
}
