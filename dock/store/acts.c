#include "store/acts.h"

#include <libaudit.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "store/sql.h"

struct IscActs {
	sqlite3 *db;
	GMutex lock;
	guint32 ident; /* of this database: the upper half of every session */
	guint32 epoch;
	guint64 last; /* number given out last in this epoch */
	guint max, count;
	guint64 lost; /* since the last one that is on record */
};

static const gchar schema[] =
		"CREATE TABLE IF NOT EXISTS life (\n"
		"  one INTEGER PRIMARY KEY CHECK (one = 1), ident INTEGER NOT NULL,\n"
		"  epoch INTEGER NOT NULL, lost INTEGER NOT NULL) STRICT;\n"
		"CREATE TABLE IF NOT EXISTS act (\n"
		"  epoch INTEGER NOT NULL, number INTEGER NOT NULL, type INTEGER NOT NULL,\n"
		"  text TEXT NOT NULL, PRIMARY KEY (epoch, number)) STRICT, WITHOUT ROWID;\n";

/* One transaction, synced: from here on no act of this life can have a pair that an earlier one
 * had. */
static gboolean begin_epoch(IscActs *a, GError **error)
{
	gint64 ident = 0, epoch = 0, lost = 0, count = 0;
	guint32 fresh;
	do
		fresh = g_random_int();
	while (fresh == 0);
	if (!isc_sql_script(a->db, "PRAGMA synchronous = FULL; BEGIN IMMEDIATE", error))
		return FALSE;
	if (!isc_sql_script(a->db, schema, error) ||
			!isc_sql_run(a->db, error, "INSERT OR IGNORE INTO life VALUES (1, ?, 0, 0)",
					"i", (gint64)fresh) ||
			!isc_sql_script(a->db, "UPDATE life SET epoch = epoch + 1", error) ||
			!isc_sql_int(a->db, "SELECT ident FROM life", &ident, error) ||
			!isc_sql_int(a->db, "SELECT epoch FROM life", &epoch, error) ||
			!isc_sql_int(a->db, "SELECT lost FROM life", &lost, error) ||
			!isc_sql_int(a->db, "SELECT count(*) FROM act", &count, error) ||
			!isc_sql_script(a->db, "COMMIT", error)) {
		(void)isc_sql_script(a->db, "ROLLBACK", NULL);
		return FALSE;
	}
	a->ident = (guint32)ident;
	a->epoch = (guint32)epoch;
	a->lost = (guint64)lost;
	a->count = (guint)count;
	return isc_sql_script(a->db, "PRAGMA synchronous = NORMAL", error);
}

IscActs *isc_acts_open(const gchar *path, guint max, GError **error)
{
	g_autoptr(IscActs) a = g_new0(IscActs, 1);
	g_mutex_init(&a->lock);
	a->max = max ? max : ISC_ACTS_MAX;

	mode_t old = umask(0077); /* also for -wal and -shm */
	int rc = sqlite3_open_v2(path, &a->db,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX |
					SQLITE_OPEN_NOFOLLOW,
			NULL);
	g_autoptr(GError) why = NULL;
	gboolean ok = rc == SQLITE_OK;
	if (!ok)
		isc_sql_error(a->db, &why, "cannot open");
	else
		ok = isc_sql_script(a->db,
				     "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL;"
				     "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -512",
				     &why) &&
		     begin_epoch(a, &why);
	umask(old);
	if (ok)
		return g_steal_pointer(&a);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"acts '%s': %s; move it away and start again: what the dock did and is not "
			"in "
			"its trail yet stays in that file",
			path, why->message);
	return NULL;
}

void isc_acts_close(IscActs *a)
{
	if (!a)
		return;
	sqlite3_close(a->db);
	g_mutex_clear(&a->lock);
	g_free(a);
}

static guint64 session_of(const IscActs *a, gint64 epoch)
{
	return (guint64)a->ident << 32 | (guint32)epoch;
}

static gboolean insert(IscActs *a, guint16 type, const gchar *text, GError **error)
{
	gint64 now = g_get_real_time();
	g_autofree gchar *line = g_strdup_printf("audit(%" G_GINT64_FORMAT
						 ".%03d:%" G_GUINT64_FORMAT "): %.*s",
			now / G_USEC_PER_SEC, (int)(now % G_USEC_PER_SEC / 1000), a->last + 1,
			(int)ISC_ACTS_TEXT_MAX, text);
	if (!isc_sql_run(a->db, error, "INSERT INTO act VALUES (?,?,?,?)", "iiit", (gint64)a->epoch,
			    (gint64)a->last + 1, (gint64)type, line))
		return FALSE;
	a->last++;
	a->count++;
	return TRUE;
}

/* The count of what was lost, and the act behind it. */
static gboolean insert_both(IscActs *a, guint16 type, const gchar *text, GError **error)
{
	g_autofree gchar *note = g_strdup_printf(
			"pid=0 uid=0 auid=4294967295 ses=4294967295 msg='op=lost source=dock "
			"count=%" G_GUINT64_FORMAT " res=failed'",
			a->lost);
	const guint64 last = a->last;
	const guint count = a->count;
	if (isc_sql_script(a->db, "BEGIN IMMEDIATE; UPDATE life SET lost = 0", error) &&
			insert(a, AUDIT_USYS_CONFIG, note, error) && insert(a, type, text, error) &&
			isc_sql_script(a->db, "COMMIT", error)) {
		a->lost = 0;
		return TRUE;
	}
	(void)isc_sql_script(a->db, "ROLLBACK", NULL);
	a->last = last;
	a->count = count;
	return FALSE;
}

gboolean isc_acts_add(IscActs *a, guint16 type, const gchar *text, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&a->lock);
	if (a->count >= a->max) {
		a->lost++;
		return isc_sql_script(a->db, "UPDATE life SET lost = lost + 1", error);
	}
	return a->lost > 0 ? insert_both(a, type, text, error) : insert(a, type, text, error);
}

static void act_free(gpointer data)
{
	IscAct *act = data;
	g_free(act->text);
	g_free(act);
}

/* The epoch that @session names, 0 where it is none of ours. */
static gint64 epoch_of(const IscActs *a, guint64 session)
{
	return session >> 32 == a->ident ? (gint64)(session & G_MAXUINT32) : 0;
}

GPtrArray *isc_acts_list(IscActs *a, guint64 session, guint64 number, guint max, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&a->lock);
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(act_free);
	gint64 epoch = epoch_of(a, session);
	g_autoptr(IscStmt) st = isc_sql_prepare(a->db, error,
			"SELECT epoch, number, type, text FROM act WHERE (epoch, number) > (?, ?) "
			"ORDER BY epoch, number LIMIT ?",
			"iii", epoch, epoch ? (gint64)number : 0, (gint64)max);
	if (!st)
		return NULL;
	while (sqlite3_step(st) == SQLITE_ROW) {
		IscAct *act = g_new0(IscAct, 1);
		act->session = session_of(a, sqlite3_column_int64(st, 0));
		act->number = (guint64)sqlite3_column_int64(st, 1);
		act->type = (guint16)sqlite3_column_int(st, 2);
		act->text = g_strdup(isc_sql_text(st, 3));
		g_ptr_array_add(all, act);
	}
	return g_steal_pointer(&all);
}

gboolean isc_acts_done(IscActs *a, guint64 session, guint64 number, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&a->lock);
	gint64 epoch = epoch_of(a, session);
	if (epoch == 0)
		return TRUE;
	if (!isc_sql_run(a->db, error, "DELETE FROM act WHERE (epoch, number) <= (?, ?)", "ii",
			    epoch, (gint64)MIN(number, G_MAXINT64)))
		return FALSE;
	a->count -= MIN(a->count, (guint)sqlite3_changes(a->db));
	return TRUE;
}

guint isc_acts_count(IscActs *a)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&a->lock);
	return a->count;
}
