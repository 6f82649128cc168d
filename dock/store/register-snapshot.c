/* The register's snapshots. */
#include "store/register-private.h"
#include "store/sql.h"

gboolean isc_register_add_snapshot(
		IscRegister *reg, const gchar *uuid, const IscSnapshot *snapshot, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			"INSERT OR REPLACE INTO snapshot (uuid, name, created, size, digest, "
			"frozen) "
			"VALUES (?,?,?,?,?,?)",
			"ttiiti", uuid, snapshot->name, snapshot->created, (gint64)snapshot->size,
			snapshot->digest, (gint64)snapshot->frozen);
}

static void snapshot_free(gpointer data)
{
	g_free(((IscSnapshot *)data)->name);
	g_free(data);
}

GPtrArray *isc_register_list_snapshots(IscRegister *reg, const gchar *uuid, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(snapshot_free);
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT name, created, size, digest, frozen FROM snapshot WHERE uuid = ? "
			"ORDER BY created, name",
			"t", uuid);
	if (!st)
		return NULL;
	while (sqlite3_step(st) == SQLITE_ROW) {
		IscSnapshot *s = g_new0(IscSnapshot, 1);
		s->name = g_strdup(isc_sql_text(st, 0));
		s->created = sqlite3_column_int64(st, 1);
		s->size = (guint64)sqlite3_column_int64(st, 2);
		g_strlcpy(s->digest, isc_sql_text(st, 3), sizeof(s->digest));
		s->frozen = sqlite3_column_int64(st, 4) != 0;
		g_ptr_array_add(all, s);
	}
	return g_steal_pointer(&all);
}

gboolean isc_register_snapshots_size(IscRegister *reg, guint64 *bytes, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	gint64 sum = 0;
	gboolean ok = isc_sql_int(
			reg->db, "SELECT COALESCE(SUM(size), 0) FROM snapshot", &sum, error);
	*bytes = (guint64)MAX(sum, 0);
	return ok;
}

gboolean isc_register_remove_snapshot(
		IscRegister *reg, const gchar *uuid, const gchar *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "DELETE FROM snapshot WHERE uuid = ? AND name = ?", "tt",
			uuid, name);
}
