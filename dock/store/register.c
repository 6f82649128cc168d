#include "store/register.h"

#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "model/replica.h"
#include "store/register-private.h"
#include "store/sql.h"

#define SCHEMA_VERSION 9
#define EVENTS_KEPT 100000

/* Step n takes a database from version n to n + 1. */
static const gchar *const migrations[SCHEMA_VERSION] = {
	"CREATE TABLE node (\n"
	"  slot INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,\n"
	"  spec TEXT NOT NULL, digest TEXT NOT NULL, image_name TEXT NOT NULL,\n"
	"  image_version TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,\n"
	"  created INTEGER NOT NULL, since INTEGER NOT NULL, starts INTEGER NOT NULL) STRICT;\n"
	"CREATE TABLE slot_last (one INTEGER PRIMARY KEY CHECK (one = 1), slot INTEGER NOT NULL) "
	"STRICT;\n"
	"INSERT INTO slot_last VALUES (1, 0);\n"
	"CREATE TABLE op (\n"
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, node TEXT NOT NULL, verb TEXT NOT NULL,\n"
	"  caller INTEGER NOT NULL, plan TEXT NOT NULL, reached INTEGER NOT NULL DEFAULT 0,\n"
	"  undoing INTEGER NOT NULL DEFAULT 0, started INTEGER NOT NULL, ended INTEGER,\n"
	"  status INTEGER, message TEXT) STRICT;\n"
	"CREATE INDEX op_open ON op (id) WHERE ended IS NULL;\n"
	"CREATE TABLE event (\n"
	"  seq INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, node TEXT NOT NULL,\n"
	"  kind TEXT NOT NULL, level TEXT NOT NULL, text TEXT NOT NULL, caller INTEGER NOT NULL) "
	"STRICT;\n"
	"CREATE INDEX event_node ON event (node, seq);\n"
	"CREATE TABLE snapshot (\n"
	"  uuid TEXT NOT NULL, name TEXT NOT NULL, created INTEGER NOT NULL, size INTEGER NOT "
	"NULL,\n"
	"  digest TEXT NOT NULL, frozen INTEGER NOT NULL, PRIMARY KEY (uuid, name)) STRICT;\n",

	"CREATE TABLE volume (\n"
	"  name TEXT PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, mib INTEGER NOT NULL,\n"
	"  node TEXT NOT NULL, path TEXT NOT NULL, fresh INTEGER NOT NULL,\n"
	"  created INTEGER NOT NULL) STRICT;\n"
	"CREATE INDEX volume_node ON volume (node) WHERE node <> '';\n",

	"CREATE TABLE restart (\n"
	"  uuid TEXT PRIMARY KEY, total INTEGER NOT NULL, in_window INTEGER NOT NULL,\n"
	"  window_start INTEGER NOT NULL, last INTEGER NOT NULL, next_at INTEGER NOT NULL,\n"
	"  reason TEXT NOT NULL) STRICT;\n",

	"ALTER TABLE node ADD COLUMN previous TEXT NOT NULL DEFAULT '';\n"
	"ALTER TABLE node ADD COLUMN stand_in INTEGER NOT NULL DEFAULT 0;\n"
	"ALTER TABLE node ADD COLUMN stands_for TEXT NOT NULL DEFAULT '';\n",

	"ALTER TABLE volume ADD COLUMN side INTEGER NOT NULL DEFAULT 0;\n",

	"CREATE TABLE job_run (\n"
	"  id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL, name TEXT NOT NULL,\n"
	"  cause TEXT NOT NULL, due INTEGER NOT NULL, started INTEGER NOT NULL,\n"
	"  ended INTEGER NOT NULL, state TEXT NOT NULL, status INTEGER NOT NULL,\n"
	"  signal INTEGER NOT NULL, caller INTEGER NOT NULL, message TEXT NOT NULL) STRICT;\n"
	"CREATE INDEX job_run_uuid ON job_run (uuid, id);\n"
	"CREATE INDEX job_run_name ON job_run (name, id);\n"
	"CREATE TABLE job_due (\n"
	"  uuid TEXT PRIMARY KEY, due INTEGER NOT NULL, last INTEGER NOT NULL,\n"
	"  owed INTEGER NOT NULL) STRICT;\n"
	"CREATE INDEX job_due_due ON job_due (due) WHERE due > 0;\n",

	"ALTER TABLE node ADD COLUMN side INTEGER NOT NULL DEFAULT 0;\n",

	"CREATE TABLE replica_set (\n"
	"  name TEXT PRIMARY KEY, spec TEXT NOT NULL, wanted INTEGER NOT NULL,\n"
	"  created INTEGER NOT NULL) STRICT;\n"
	"ALTER TABLE node ADD COLUMN replica_set TEXT NOT NULL DEFAULT '';\n"
	"CREATE INDEX node_replica_set ON node (replica_set) WHERE replica_set <> '';\n",

	"ALTER TABLE replica_set ADD COLUMN quarantine TEXT NOT NULL DEFAULT '';\n",
};

static gint64 now_s(void)
{
	return g_get_real_time() / G_USEC_PER_SEC;
}

static gboolean migrate(sqlite3 *db, const gchar *path, GError **error)
{
	gint64 version = -1;
	if (!isc_sql_int(db, "PRAGMA user_version", &version, error))
		return FALSE;
	if (version > SCHEMA_VERSION) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"'%s' has schema %" G_GINT64_FORMAT ", this isc-dockd knows %d: "
				"install the version that wrote it",
				path, version, SCHEMA_VERSION);
		return FALSE;
	}
	for (gint64 v = version; v < SCHEMA_VERSION; v++) {
		g_autofree gchar *text = g_strdup_printf(
				"BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT",
				migrations[v], (int)v + 1);
		if (!isc_sql_script(db, text, error)) {
			(void)isc_sql_script(db, "ROLLBACK", NULL);
			return FALSE;
		}
	}
	return TRUE;
}

IscRegister *isc_register_open(const gchar *path, GError **error)
{
	g_autoptr(IscRegister) reg = g_new0(IscRegister, 1);
	g_mutex_init(&reg->lock);
	reg->path = g_strdup(path);

	mode_t old = umask(0077); /* also for -wal and -shm */
	int rc = sqlite3_open_v2(path, &reg->db,
			SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX |
					SQLITE_OPEN_NOFOLLOW,
			NULL);
	g_autoptr(GError) why = NULL;
	gboolean ok = rc == SQLITE_OK;
	if (!ok)
		isc_sql_error(reg->db, &why, "cannot open");
	else
		ok = isc_sql_script(reg->db,
				     "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL;"
				     "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
				     "PRAGMA trusted_schema = OFF; PRAGMA cache_size = -512",
				     &why) &&
		     migrate(reg->db, path, &why);
	umask(old);
	if (!ok) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"register '%s': %s; move it away and start again: nodes that "
				"libvirt "
				"still knows are taken up from their metadata",
				path, why->message);
		return NULL;
	}
	return g_steal_pointer(&reg);
}

void isc_register_close(IscRegister *reg)
{
	if (!reg)
		return;
	sqlite3_close(reg->db);
	g_mutex_clear(&reg->lock);
	g_free(reg->path);
	g_free(reg);
}

/* --- nodes --------------------------------------------------------------------------------- */

#define NODE_COLUMNS                                                                               \
	"slot, uuid, spec, digest, image_name, image_version, state, reason, created, since, "     \
	"starts, previous, stand_in, stands_for, name"

static gboolean row_is_sound(sqlite3_stmt *st, GError **error)
{
	const gint64 slot = sqlite3_column_int64(st, 0);
	const gchar *bad = slot < ISC_SLOT_MIN || slot > ISC_SLOT_MAX     ? "slot"
			   : !g_uuid_string_is_valid(isc_sql_text(st, 1)) ? "uuid"
			   : !isc_digest_is_valid(isc_sql_text(st, 3))    ? "digest"
									  : NULL;
	if (!bad)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "no valid %s", bad);
	return FALSE;
}

static IscNode *node_from_row(sqlite3_stmt *st, GError **error)
{
	g_autoptr(IscNode) node = g_new0(IscNode, 1);
	if (!row_is_sound(st, error))
		return NULL;
	node->slot = (guint)sqlite3_column_int64(st, 0);
	g_strlcpy(node->uuid, isc_sql_text(st, 1), sizeof(node->uuid));
	const gchar *spec = isc_sql_text(st, 2);
	node->spec = isc_spec_parse("register", spec, strlen(spec), error);
	if (!node->spec)
		return NULL;
	if (!g_str_equal(node->spec->name, isc_sql_text(st, 14))) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "its node file is that of another");
		return NULL;
	}
	g_strlcpy(node->digest, isc_sql_text(st, 3), sizeof(node->digest));
	node->image_name = g_strdup(isc_sql_text(st, 4));
	node->image_version = g_strdup(isc_sql_text(st, 5));
	if (!isc_node_state_parse(isc_sql_text(st, 6), &node->state)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "no valid state");
		return NULL;
	}
	node->reason = g_strdup(isc_sql_text(st, 7));
	node->created = sqlite3_column_int64(st, 8);
	node->since = sqlite3_column_int64(st, 9);
	node->starts = (guint)sqlite3_column_int64(st, 10);
	g_strlcpy(node->previous, isc_sql_text(st, 11), sizeof(node->previous));
	node->stand_in = (guint)sqlite3_column_int64(st, 12);
	node->stands_for = g_strdup(isc_sql_text(st, 13));
	return g_steal_pointer(&node);
}

/* One row that cannot be read harms its own node only: it is down, and has a name to call it by.
 * NULL, if not even that. */
static IscNode *node_of_row(sqlite3_stmt *st)
{
	g_autoptr(GError) why = NULL;
	IscNode *node = node_from_row(st, &why);
	if (node)
		return node;
	g_autofree gchar *text = g_strdup_printf("[Node]\nName=%s\nImage=lost\n",
			isc_name_is_valid(isc_sql_text(st, 14)) ? isc_sql_text(st, 14) : "");
	IscSpec *spec = isc_spec_parse("register", text, strlen(text), NULL);
	if (!spec)
		return NULL;
	node = g_new0(IscNode, 1);
	node->slot = (guint)sqlite3_column_int64(st, 0);
	g_strlcpy(node->uuid, isc_sql_text(st, 1), sizeof(node->uuid));
	node->spec = spec;
	node->image_name = g_strdup("");
	node->image_version = g_strdup("");
	node->state = ISC_NODE_FAILED;
	node->damage = g_strdup_printf("its row in the register is damaged (%s)", why->message);
	node->reason = g_strdup(node->damage);
	node->stands_for = g_strdup("");
	return node;
}

/* The first free slot behind the one given out last: an address that was just in use stays unused
 * for as long as it can.  Where slots do not begin with the first of all, behind any. */
static guint free_slot(IscRegister *reg, const IscSlots *slots, GError **error)
{
	const guint size = slots->last - slots->first + 1;
	gint64 last = slots->first + (guint)g_random_int_range(0, (gint)size);
	if (slots->first == ISC_SLOT_MIN &&
			!isc_sql_int(reg->db, "SELECT slot FROM slot_last", &last, error))
		return 0;
	g_autoptr(IscStmt) count = isc_sql_prepare(reg->db, error,
			"SELECT count(*) FROM node WHERE slot BETWEEN ? AND ?", "ii",
			(gint64)slots->first, (gint64)slots->last);
	if (!count || sqlite3_step(count) != SQLITE_ROW)
		return 0;
	if (sqlite3_column_int64(count, 0) >= size) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"no free address: all of %u are in use; destroy a node, or see "
				"[Network] in isc-dock.conf(5)",
				size);
		return 0;
	}
	for (gint64 slot = last;;) {
		slot = slot < slots->first || slot >= slots->last ? slots->first : slot + 1;
		g_autoptr(IscStmt) st = isc_sql_prepare(
				reg->db, error, "SELECT 1 FROM node WHERE slot = ?", "i", slot);
		int rc = st ? sqlite3_step(st) : SQLITE_ERROR;
		if (rc == SQLITE_DONE)
			return (guint)slot;
		if (rc != SQLITE_ROW)
			return 0;
	}
}

static gboolean add_node(IscRegister *reg, IscNode *node, const IscSlots *slots, GError **error)
{
	g_autoptr(IscStmt) taken = isc_sql_prepare(reg->db, error,
			"SELECT state FROM node WHERE name = ?", "t", node->spec->name);
	if (!taken)
		return FALSE;
	if (sqlite3_step(taken) == SQLITE_ROW) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"node '%s' stands already (%s); choose another name or destroy it",
				node->spec->name, isc_sql_text(taken, 0));
		return FALSE;
	}
	g_autoptr(IscStmt) set = isc_sql_prepare(reg->db, error,
			"SELECT 1 FROM replica_set WHERE name = ?", "t", node->spec->name);
	if (!set)
		return FALSE;
	if (sqlite3_step(set) == SQLITE_ROW) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"'%s' is the name of a set of nodes; choose another one, or "
				"destroy the "
				"set",
				node->spec->name);
		return FALSE;
	}
	if (node->slot == 0 && (node->slot = free_slot(reg, slots, error)) == 0)
		return FALSE;

	g_autofree gchar *spec = isc_spec_print_public(node->spec);
	return isc_sql_run(reg->db, error,
			       "INSERT INTO node (slot, uuid, name, spec, digest, image_name, "
			       "image_version, "
			       "state, reason, created, since, starts, stands_for, replica_set) "
			       "VALUES "
			       "(?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
			       "itttttttt"
			       "iiitt",
			       (gint64)node->slot, node->uuid, node->spec->name, spec, node->digest,
			       node->image_name, node->image_version,
			       isc_node_state_name(node->state), node->reason ? node->reason : "",
			       node->created, node->since, (gint64)node->starts,
			       node->stands_for ? node->stands_for : "", node->spec->replica.set) &&
	       (slots->first != ISC_SLOT_MIN ||
			       isc_sql_run(reg->db, error, "UPDATE slot_last SET slot = ?", "i",
					       (gint64)node->slot));
}

gboolean isc_register_add_node(
		IscRegister *reg, IscNode *node, const IscSlots *slots, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	if (!isc_sql_script(reg->db, "BEGIN IMMEDIATE", error))
		return FALSE;
	if (add_node(reg, node, slots, error) && isc_sql_script(reg->db, "COMMIT", error))
		return TRUE;
	(void)isc_sql_script(reg->db, "ROLLBACK", NULL);
	return FALSE;
}

IscNode *isc_register_get_node(IscRegister *reg, const gchar *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT " NODE_COLUMNS " FROM node WHERE name = ?", "t", name);
	if (!st)
		return NULL;
	IscNode *node = sqlite3_step(st) == SQLITE_ROW ? node_of_row(st) : NULL;
	if (node)
		return node;
	g_autoptr(IscStmt) set = isc_sql_prepare(
			reg->db, NULL, "SELECT 1 FROM replica_set WHERE name = ?", "t", name);
	if (set && sqlite3_step(set) == SQLITE_ROW)
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, ISC_NO_NODE_BUT_A_SET, name,
				name);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no node '%s'; 'isc-vm list' shows those there are", name);
	return NULL;
}

/* NULL where @st is. */
static GPtrArray *nodes_of_rows(IscStmt *st)
{
	g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func((GDestroyNotify)isc_node_free);
	while (st && sqlite3_step(st) == SQLITE_ROW) {
		IscNode *node = node_of_row(st);
		if (node)
			g_ptr_array_add(nodes, node);
	}
	return st ? g_steal_pointer(&nodes) : NULL;
}

GPtrArray *isc_register_list_nodes(IscRegister *reg, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(
			reg->db, error, "SELECT " NODE_COLUMNS " FROM node ORDER BY name", "");
	return nodes_of_rows(st);
}

GPtrArray *isc_register_list_members(IscRegister *reg, const gchar *set, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	/* By number: their names are equal but for that. */
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT " NODE_COLUMNS
			" FROM node WHERE replica_set = ? AND replica_set <> '' "
			"ORDER BY length(name), name",
			"t", set);
	return nodes_of_rows(st);
}

gboolean isc_register_set_state(IscRegister *reg, const gchar *name, IscNodeState state,
		const gchar *reason, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			"UPDATE node SET state = ?, reason = ?, since = ?, starts = starts + ? "
			"WHERE name = ?",
			"ttiit", isc_node_state_name(state), reason ? reason : "", now_s(),
			(gint64)(state == ISC_NODE_ENABLING), name);
}

gboolean isc_register_set_spec(IscRegister *reg, const IscSpec *spec, GError **error)
{
	g_autofree gchar *text = isc_spec_print_public(spec);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	if (!isc_sql_run(reg->db, error, "UPDATE node SET spec = ? WHERE name = ?", "tt", text,
			    spec->name))
		return FALSE;
	if (sqlite3_changes(reg->db) == 1)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "no node '%s'", spec->name);
	return FALSE;
}

gboolean isc_register_set_image(IscRegister *reg, const gchar *name, const IscImage *image,
		const gchar *previous, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			"UPDATE node SET digest = ?, image_name = ?, image_version = ?, previous = "
			"? WHERE name = ?",
			"ttttt", image->digest, image->name, image->version, previous, name);
}

gboolean isc_register_set_stand_in(IscRegister *reg, const gchar *name, guint slot, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "UPDATE node SET stand_in = ? WHERE name = ?", "it",
			(gint64)slot, name);
}

gboolean isc_register_remove_node(IscRegister *reg, const gchar *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			       "DELETE FROM restart WHERE uuid = (SELECT uuid FROM node WHERE name "
			       "= ?)",
			       "t", name) &&
	       isc_sql_run(reg->db, error,
			       "DELETE FROM job_due WHERE uuid = (SELECT uuid FROM node WHERE name "
			       "= ?)",
			       "t", name) &&
	       isc_sql_run(reg->db, error, "DELETE FROM node WHERE name = ?", "t", name);
}

/* --- the journal --------------------------------------------------------------------------- */

guint64 isc_register_begin_op(IscRegister *reg, const IscPlan *plan, guint caller, GError **error)
{
	g_autofree gchar *text = isc_plan_print(plan);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	if (!isc_sql_run(reg->db, error,
			    "INSERT INTO op (node, verb, caller, plan, started) VALUES (?,?,?,?,?)",
			    "ttiti", plan->node, isc_verb_name(plan->verb), (gint64)caller, text,
			    now_s()))
		return 0;
	return (guint64)sqlite3_last_insert_rowid(reg->db);
}

gboolean isc_register_step_op(
		IscRegister *reg, guint64 id, guint index, gboolean undoing, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error, "UPDATE op SET reached = ?, undoing = ? WHERE id = ?",
			"iii", (gint64)index, (gint64)undoing, (gint64)id);
}

gboolean isc_register_end_op(
		IscRegister *reg, guint64 id, int status, const gchar *message, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			"UPDATE op SET ended = ?, status = ?, message = ? WHERE id = ?", "iiti",
			now_s(), (gint64)status, message ? message : "", (gint64)id);
}

static void op_free(gpointer data)
{
	IscOp *op = data;
	isc_plan_free(op->plan);
	g_free(op);
}

GPtrArray *isc_register_unfinished_ops(IscRegister *reg, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(GPtrArray) ops = g_ptr_array_new_with_free_func(op_free);
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT id, node, verb, caller, plan, reached, started FROM op "
			"WHERE ended IS NULL ORDER BY id",
			"");
	if (!st)
		return NULL;
	while (sqlite3_step(st) == SQLITE_ROW) {
		IscVerb verb;
		if (!isc_verb_parse(isc_sql_text(st, 2), &verb)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "journal: unknown verb '%s'",
					isc_sql_text(st, 2));
			return NULL;
		}
		IscPlan *plan = isc_plan_parse(
				verb, isc_sql_text(st, 1), isc_sql_text(st, 4), error);
		if (!plan)
			return NULL;
		IscOp *op = g_new0(IscOp, 1);
		op->id = (guint64)sqlite3_column_int64(st, 0);
		op->plan = plan;
		op->caller = (guint)sqlite3_column_int64(st, 3);
		op->reached = (guint)sqlite3_column_int64(st, 5);
		op->started = sqlite3_column_int64(st, 6);
		g_ptr_array_add(ops, op);
	}
	return g_steal_pointer(&ops);
}

/* --- events -------------------------------------------------------------------------------- */

gboolean isc_register_add_event(IscRegister *reg, IscEventRow *row, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	row->time = g_get_real_time();
	if (!isc_sql_run(reg->db, error,
			    "INSERT INTO event (time, node, kind, level, text, caller) VALUES "
			    "(?,?,?,?,?,?)",
			    "itttti", row->time, row->node, row->kind, row->level, row->text,
			    (gint64)row->caller))
		return FALSE;
	row->seq = (guint64)sqlite3_last_insert_rowid(reg->db);
	if (row->seq % 1000 != 0)
		return TRUE;
	return isc_sql_run(reg->db, error, "DELETE FROM event WHERE seq <= ?", "i",
			(gint64)row->seq - EVENTS_KEPT);
}

static void event_free(gpointer data)
{
	IscEventRow *row = data;
	g_free(row->node);
	g_free(row->kind);
	g_free(row->level);
	g_free(row->text);
	g_free(row);
}

GPtrArray *isc_register_list_events(
		IscRegister *reg, const gchar *node, guint64 since, guint max, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(event_free);
	/* Without a start: the newest, so the inner query runs backwards. */
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			since ? "SELECT seq, time, node, kind, level, text, caller FROM event "
				"WHERE seq > ?1 AND (?2 = '' OR node = ?2) ORDER BY seq LIMIT ?3"
			      : "SELECT * FROM (SELECT seq, time, node, kind, level, text, caller "
				"FROM event "
				"WHERE seq > ?1 AND (?2 = '' OR node = ?2) ORDER BY seq DESC LIMIT "
				"?3) "
				"ORDER BY seq",
			"iti", (gint64)since, node ? node : "", (gint64)max);
	if (!st)
		return NULL;
	while (sqlite3_step(st) == SQLITE_ROW) {
		IscEventRow *row = g_new0(IscEventRow, 1);
		row->seq = (guint64)sqlite3_column_int64(st, 0);
		row->time = sqlite3_column_int64(st, 1);
		row->node = g_strdup(isc_sql_text(st, 2));
		row->kind = g_strdup(isc_sql_text(st, 3));
		row->level = g_strdup(isc_sql_text(st, 4));
		row->text = g_strdup(isc_sql_text(st, 5));
		row->caller = (guint)sqlite3_column_int64(st, 6);
		g_ptr_array_add(rows, row);
	}
	return g_steal_pointer(&rows);
}

/* --- restarts ------------------------------------------------------------------------------ */

gboolean isc_register_get_restart(
		IscRegister *reg, const gchar *uuid, IscRestartRecord *out, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	*out = (IscRestartRecord){ 0 };
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error,
			"SELECT total, in_window, window_start, last, next_at, reason FROM restart "
			"WHERE uuid = ?",
			"t", uuid);
	if (!st)
		return FALSE;
	if (sqlite3_step(st) != SQLITE_ROW)
		return TRUE;
	out->total = (guint)sqlite3_column_int64(st, 0);
	out->in_window = (guint)sqlite3_column_int64(st, 1);
	out->window_start = sqlite3_column_int64(st, 2);
	out->last = sqlite3_column_int64(st, 3);
	out->next_at = sqlite3_column_int64(st, 4);
	g_strlcpy(out->reason, isc_sql_text(st, 5), sizeof(out->reason));
	return TRUE;
}

gboolean isc_register_set_restart(
		IscRegister *reg, const gchar *uuid, const IscRestartRecord *record, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	return isc_sql_run(reg->db, error,
			"INSERT OR REPLACE INTO restart (uuid, total, in_window, window_start, "
			"last, next_at, reason) VALUES (?,?,?,?,?,?,?)",
			"tiiiiit", uuid, (gint64)record->total, (gint64)record->in_window,
			record->window_start, record->last, record->next_at, record->reason);
}

gboolean isc_register_check(IscRegister *reg, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reg->lock);
	g_autoptr(IscStmt) st = isc_sql_prepare(reg->db, error, "PRAGMA integrity_check(1)", "");
	if (!st)
		return FALSE;
	if (sqlite3_step(st) == SQLITE_ROW && g_str_equal(isc_sql_text(st, 0), "ok"))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "register '%s' is damaged: %s", reg->path,
			isc_sql_text(st, 0));
	return FALSE;
}
