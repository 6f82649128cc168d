/* Rows of nodes that cannot be called by name. */
#include <sqlite3.h>

#include "base/name.h"
#include "store/register-private.h"
#include "store/register.h"
#include "store/sql.h"

static void lost_free(gpointer data)
{
	IscLostRow *row = data;
	g_free(row->uuid);
	g_free(row->name);
	g_free(row);
}

GPtrArray *isc_register_list_lost(IscRegister *reg, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(lost_free);
	g_autoptr(IscStmt) st = isc_sql_prepare(
			reg->db, error, "SELECT slot, uuid, name FROM node ORDER BY slot", "");
	if (!st)
		return NULL;
	while (sqlite3_step(st) == SQLITE_ROW) {
		if (isc_name_is_valid(isc_sql_text(st, 2)))
			continue;
		IscLostRow *row = g_new0(IscLostRow, 1);
		row->slot = sqlite3_column_int64(st, 0);
		row->uuid = isc_text_escape(isc_sql_text(st, 1), -1, 64);
		row->name = isc_text_escape(isc_sql_text(st, 2), -1, 64);
		g_ptr_array_add(rows, row);
	}
	return g_steal_pointer(&rows);
}

gboolean isc_register_remove_lost(IscRegister *reg, const IscLostRow *row, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "DELETE FROM node WHERE slot = ?", "i", row->slot);
}
