/* The register's runs of jobs, and when the next ones are due. */
#include <string.h>

#include "base/error.h"
#include "store/register-private.h"
#include "store/sql.h"

#define RUNS_KEPT 10000 /* of all jobs together */
#define COLUMNS "id, uuid, name, cause, due, started, ended, state, status, signal, caller, message"

static IscJobRun *run_from_row(sqlite3_stmt *st)
{
	IscJobRun *run = g_new0(IscJobRun, 1);
	run->id = (guint64)sqlite3_column_int64(st, 0);
	g_strlcpy(run->uuid, isc_sql_text(st, 1), sizeof(run->uuid));
	g_strlcpy(run->name, isc_sql_text(st, 2), sizeof(run->name));
	g_strlcpy(run->cause, isc_sql_text(st, 3), sizeof(run->cause));
	run->due = sqlite3_column_int64(st, 4);
	run->started = sqlite3_column_int64(st, 5);
	run->ended = sqlite3_column_int64(st, 6);
	if (!isc_run_state_parse(isc_sql_text(st, 7), &run->state))
		run->state = ISC_RUN_FAILED;
	run->status = (gint)sqlite3_column_int64(st, 8);
	run->sig = (gint)sqlite3_column_int64(st, 9);
	run->caller = (guint)sqlite3_column_int64(st, 10);
	g_strlcpy(run->message, isc_sql_text(st, 11), sizeof(run->message));
	return run;
}

gboolean isc_register_add_run(IscRegister *reg, IscJobRun *run, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	if (!isc_sql_run(reg->db, error,
			    "INSERT INTO job_run (uuid, name, cause, due, started, ended, state, "
			    "status, signal, caller, message) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
			    "tttiiitiiit", run->uuid, run->name, run->cause, run->due, run->started,
			    run->ended, isc_run_state_name(run->state), (gint64)run->status,
			    (gint64)run->sig, (gint64)run->caller, run->message))
		return FALSE;
	run->id = (guint64)sqlite3_last_insert_rowid(reg->db);
	if (run->id % 100 != 0)
		return TRUE;
	return isc_sql_run(reg->db, error,
			"DELETE FROM job_run WHERE id <= ? AND state <> 'running'", "i",
			(gint64)run->id - RUNS_KEPT);
}

gboolean isc_register_end_run(IscRegister *reg, const IscJobRun *run, gboolean *was, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	if (!isc_sql_run(reg->db, error,
			    "UPDATE job_run SET ended = ?, state = ?, status = ?, signal = ?, "
			    "message = ? WHERE id = ? AND state = 'running'",
			    "itiiti", run->ended, isc_run_state_name(run->state),
			    (gint64)run->status, (gint64)run->sig, run->message, (gint64)run->id))
		return FALSE;
	*was = sqlite3_changes(reg->db) == 1;
	return TRUE;
}

GPtrArray *isc_register_list_runs(
		IscRegister *reg, const gchar *name, guint64 id, guint max, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(GPtrArray) runs = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT * FROM (SELECT " COLUMNS " FROM job_run WHERE (?1 = '' OR name = "
			"?1) AND (?2 = 0 OR id = ?2) ORDER BY id DESC LIMIT ?3) ORDER BY id",
			"tii", name ? name : "", (gint64)id, (gint64)max);
	if (!st)
		return NULL;
	while (sqlite3_step(st) == SQLITE_ROW)
		g_ptr_array_add(runs, run_from_row(st));
	return g_steal_pointer(&runs);
}

gboolean isc_register_last_run(IscRegister *reg, const gchar *uuid, gboolean only_running,
		IscJobRun *out, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT " COLUMNS " FROM job_run WHERE uuid = ? AND (? = 0 OR state = "
			"'running') ORDER BY id DESC LIMIT 1",
			"ti", uuid, (gint64)only_running);
	*out = (IscJobRun){ 0 };
	if (!st)
		return FALSE;
	if (sqlite3_step(st) != SQLITE_ROW)
		return TRUE;
	g_autofree IscJobRun *run = run_from_row(st);
	*out = *run;
	return TRUE;
}

gboolean isc_register_close_runs(IscRegister *reg, const gchar *message, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			"UPDATE job_run SET state = 'failed', ended = ?, status = -1, message = ? "
			"WHERE state = 'running' AND uuid NOT IN (SELECT uuid FROM node WHERE "
			"state NOT IN ('disabled', 'failed'))",
			"it", g_get_real_time() / G_USEC_PER_SEC, message);
}

/* --- when they are due --------------------------------------------------------------------- */

gboolean isc_register_get_due(IscRegister *reg, const gchar *uuid, IscJobDue *out, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT due, last, owed FROM job_due WHERE uuid = ?", "t", uuid);
	*out = (IscJobDue){ 0 };
	if (!st)
		return FALSE;
	if (sqlite3_step(st) == SQLITE_ROW)
		*out = (IscJobDue){ sqlite3_column_int64(st, 0), sqlite3_column_int64(st, 1),
			sqlite3_column_int64(st, 2) != 0 };
	return TRUE;
}

gboolean isc_register_set_due(
		IscRegister *reg, const gchar *uuid, const IscJobDue *due, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			"INSERT OR REPLACE INTO job_due (uuid, due, last, owed) VALUES (?,?,?,?)",
			"tiii", uuid, due->due, due->last, (gint64)due->owed);
}

gchar **isc_register_list_due(IscRegister *reg, gint64 now, gint64 *next, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT node.name, job_due.due FROM job_due JOIN node USING (uuid) "
			"WHERE job_due.due > 0 ORDER BY job_due.due",
			"");
	int rc;
	*next = 0;
	if (!st)
		return NULL;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW && *next == 0) {
		gint64 due = sqlite3_column_int64(st, 1);
		if (due > now)
			*next = due;
		else
			g_strv_builder_add(names, isc_sql_text(st, 0));
	}
	if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
		isc_sql_error(reg->db, error, "register");
		return NULL;
	}
	return g_strv_builder_end(names);
}
