/* Sets of equal nodes.  What a set wants is written down before any of its members comes or goes:
 * what there is follows it, also after a crash. */
#include "base/error.h"
#include "store/register-private.h"
#include "store/sql.h"

void isc_replica_set_free(IscReplicaSet *set)
{
	if (!set)
		return;
	g_free(set->name);
	g_free(set->spec);
	g_free(set->quarantine);
	g_free(set);
}

static gboolean is_taken(IscRegister *reg, const gchar *name, gboolean *taken, GError **error)
{
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT 1 FROM node WHERE name = ?1 UNION SELECT 1 FROM replica_set WHERE "
			"name = ?1",
			"t", name);
	*taken = st && sqlite3_step(st) == SQLITE_ROW;
	return st != NULL;
}

gboolean isc_register_add_set(IscRegister *reg, const IscSpec *spec, guint wanted, GError **error)
{
	g_autofree gchar *text = isc_spec_print_public(spec);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	gboolean taken;
	if (!is_taken(reg, spec->name, &taken, error))
		return FALSE;
	if (taken) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"'%s' stands already; choose another name or destroy it",
				spec->name);
		return FALSE;
	}
	return isc_sql_run(reg->db, error,
			"INSERT INTO replica_set (name, spec, wanted, created) VALUES (?,?,?,?)",
			"ttii", spec->name, text, (gint64)wanted,
			g_get_real_time() / G_USEC_PER_SEC);
}

IscReplicaSet *isc_register_get_set(IscRegister *reg, const gchar *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT name, spec, wanted, created, quarantine FROM replica_set WHERE "
			"name = ?",
			"t", name);
	if (!st)
		return NULL;
	if (sqlite3_step(st) != SQLITE_ROW) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no set '%s'; 'isc-vm list --sets' shows those there are", name);
		return NULL;
	}
	IscReplicaSet *set = g_new0(IscReplicaSet, 1);
	set->name = g_strdup(isc_sql_text(st, 0));
	set->spec = g_strdup(isc_sql_text(st, 1));
	set->wanted = (guint)sqlite3_column_int64(st, 2);
	set->created = sqlite3_column_int64(st, 3);
	set->quarantine = g_strdup(isc_sql_text(st, 4));
	return set;
}

GPtrArray *isc_register_list_sets(IscRegister *reg, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(
			reg->db, error, "SELECT name FROM replica_set ORDER BY name", "");
	if (!st)
		return NULL;
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	while (sqlite3_step(st) == SQLITE_ROW)
		g_ptr_array_add(names, g_strdup(isc_sql_text(st, 0)));
	return names;
}

gboolean isc_register_set_wanted(IscRegister *reg, const gchar *name, guint wanted, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "UPDATE replica_set SET wanted = ? WHERE name = ?", "it",
			(gint64)wanted, name);
}

gboolean isc_register_set_quarantine(
		IscRegister *reg, const gchar *name, const gchar *reason, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "UPDATE replica_set SET quarantine = ? WHERE name = ?",
			"tt", reason, name);
}

gboolean isc_register_set_set_spec(IscRegister *reg, const IscSpec *spec, GError **error)
{
	g_autofree gchar *text = isc_spec_print_public(spec);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "UPDATE replica_set SET spec = ? WHERE name = ?", "tt",
			text, spec->name);
}

gboolean isc_register_remove_set(IscRegister *reg, const gchar *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "DELETE FROM replica_set WHERE name = ?", "t", name);
}
