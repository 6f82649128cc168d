#pragma once
#include <glib.h>
#include <sqlite3.h>

/* SQLite with GError and bound parameters only. */

typedef sqlite3_stmt IscStmt;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscStmt, sqlite3_finalize)

/* Sets ISC_ERROR_FAILED (ISC_ERROR_HOST when the disk is full or the file damaged) "WHAT: message".
 */
void isc_sql_error(sqlite3 *db, GError **error, const gchar *what);

/* Constant text, several statements. */
gboolean isc_sql_script(sqlite3 *db, const gchar *text, GError **error);

/**
 * isc_sql_prepare:
 * @types: one character a parameter: 'i' gint64, 't' const gchar* (NULL binds NULL)
 *
 * Returns: (transfer full): ready for sqlite3_step()
 */
IscStmt *isc_sql_prepare(sqlite3 *db, GError **error, const gchar *text, const gchar *types, ...);

/* Prepares, steps to its end, finalizes. */
gboolean isc_sql_run(sqlite3 *db, GError **error, const gchar *text, const gchar *types, ...);

/* The first column of the first row. */
gboolean isc_sql_int(sqlite3 *db, const gchar *text, gint64 *out, GError **error);

/* Never NULL.  Borrowed until the next step. */
const gchar *isc_sql_text(IscStmt *st, int column);
