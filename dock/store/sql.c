#include "store/sql.h"

#include "base/error.h"

void isc_sql_error(sqlite3 *db, GError **error, const gchar *what)
{
	int rc = sqlite3_errcode(db);
	gboolean host = rc == SQLITE_FULL || rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB ||
			rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY;
	g_set_error(error, ISC_ERROR, host ? ISC_ERROR_HOST : ISC_ERROR_FAILED, "register: %s: %s",
			what, sqlite3_errmsg(db));
}

gboolean isc_sql_script(sqlite3 *db, const gchar *text, GError **error)
{
	if (sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK)
		return TRUE;
	isc_sql_error(db, error, "cannot set up");
	return FALSE;
}

static IscStmt *prepare(
		sqlite3 *db, GError **error, const gchar *text, const gchar *types, va_list args)
{
	g_autoptr(IscStmt) st = NULL;
	int rc = sqlite3_prepare_v2(db, text, -1, &st, NULL);

	for (int i = 0; rc == SQLITE_OK && types[i]; i++)
		if (types[i] == 'i')
			rc = sqlite3_bind_int64(st, i + 1, va_arg(args, gint64));
		else
			rc = sqlite3_bind_text(st, i + 1, va_arg(args, const gchar *), -1,
					SQLITE_TRANSIENT);
	if (rc == SQLITE_OK)
		return g_steal_pointer(&st);
	isc_sql_error(db, error, text);
	return NULL;
}

IscStmt *isc_sql_prepare(sqlite3 *db, GError **error, const gchar *text, const gchar *types, ...)
{
	va_list args;
	va_start(args, types);
	IscStmt *st = prepare(db, error, text, types, args);
	va_end(args);
	return st;
}

gboolean isc_sql_run(sqlite3 *db, GError **error, const gchar *text, const gchar *types, ...)
{
	va_list args;
	va_start(args, types);
	g_autoptr(IscStmt) st = prepare(db, error, text, types, args);
	va_end(args);
	if (!st)
		return FALSE;

	int rc;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		;
	if (rc == SQLITE_DONE)
		return TRUE;
	isc_sql_error(db, error, "cannot write");
	return FALSE;
}

gboolean isc_sql_int(sqlite3 *db, const gchar *text, gint64 *out, GError **error)
{
	g_autoptr(IscStmt) st = isc_sql_prepare(db, error, text, "");
	if (!st)
		return FALSE;
	if (sqlite3_step(st) != SQLITE_ROW) {
		isc_sql_error(db, error, text);
		return FALSE;
	}
	*out = sqlite3_column_int64(st, 0);
	return TRUE;
}

const gchar *isc_sql_text(IscStmt *st, int column)
{
	const gchar *text = (const gchar *)sqlite3_column_text(st, column);
	return text ? text : "";
}
