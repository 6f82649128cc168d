#include "cli/audit-report.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "cli/audit.h"
#include "cli/output.h"
#include "cli/packets.h"

#define DISTINCT_MAX                                                                               \
	100000 /* commands told apart: a service that makes up names must not fill our memory */
#define OTHERS "(others)"

struct IscAuditReport {
	IscAudit *audit;
	GHashTable *commands, *keys, *types, *drops, *accepted; /* owned text → count */
	guint64 dropped, logged;                                /* packets */
	guint64 run, good_logins, failed_logins, sessions, failed_calls, failed_acts, privilege;
};

IscAuditReport *isc_audit_report_new(void)
{
	IscAuditReport *r = g_new0(IscAuditReport, 1);
	r->audit = isc_audit_new();
	r->commands = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	r->keys = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	r->types = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	r->drops = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	r->accepted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	return r;
}

void isc_audit_report_free(IscAuditReport *r)
{
	if (!r)
		return;
	isc_audit_free(r->audit);
	g_hash_table_unref(r->commands);
	g_hash_table_unref(r->keys);
	g_hash_table_unref(r->types);
	g_hash_table_unref(r->drops);
	g_hash_table_unref(r->accepted);
	g_free(r);
}

/* --- counting --------------------------------------------------------------------------------- */

static void count_more(GHashTable *table, const gchar *what, guint64 more)
{
	guint64 *n = g_hash_table_lookup(table, what);
	if (!n && g_hash_table_size(table) >= DISTINCT_MAX) {
		what = OTHERS;
		n = g_hash_table_lookup(table, what);
	}
	if (!n) {
		n = g_new0(guint64, 1);
		g_hash_table_insert(table, g_strdup(what), n);
	}
	*n += more;
}

static void count(GHashTable *table, const gchar *what)
{
	count_more(table, what, 1);
}

static void on_command(IscJson *command, gpointer data)
{
	IscAuditReport *r = data;
	IscJson *argv = json_object_object_get(command, "argv");
	IscJson *first = json_object_array_length(argv) > 0 ? json_object_array_get_idx(argv, 0)
							    : NULL;
	const gchar *name = first ? json_object_get_string(first) : NULL;
	r->run++;
	count(r->commands, name ? name : "");
}

/* The field as text; the first one where it comes twice; "" where it does not. */
static const gchar *text_of(IscJson *fields, const gchar *name)
{
	IscJson *value = NULL;
	if (!json_object_object_get_ex(fields, name, &value))
		return "";
	if (json_object_is_type(value, json_type_array))
		value = json_object_array_get_idx(value, 0);
	return json_object_get_string(value);
}

static void take_syscall(IscAuditReport *r, IscJson *fields)
{
	gboolean failed = g_str_equal(text_of(fields, "success"), "no");
	r->failed_calls += failed;
	g_auto(GStrv) keys = g_strsplit(text_of(fields, "key"), "\001", -1);
	for (gsize i = 0; keys[i]; i++) {
		if (!*keys[i] || g_str_equal(keys[i], "(null)"))
			continue;
		count(r->keys, keys[i]);
		r->privilege += !failed && g_str_equal(keys[i], "priv");
	}
}

static void take_act(IscAuditReport *r, const gchar *type, IscJson *fields)
{
	const gchar *result = text_of(fields, "res");
	gboolean failed = g_str_equal(result, "failed") || g_str_equal(result, "0") ||
			  g_str_equal(result, "no");
	r->failed_acts += failed;
	if (g_str_equal(type, "USER_LOGIN")) {
		r->good_logins += !failed;
		r->failed_logins += failed;
	} else if (g_str_equal(type, "LOGIN")) {
		r->sessions += !failed;
	} else if (g_str_equal(type, "USER_CMD") || g_str_equal(type, "USER_ROLE_CHANGE")) {
		r->privilege += !failed;
	}
}

void isc_audit_report_take(const IscTrailRecord *record, gpointer data)
{
	IscAuditReport *r = data;
	g_autoptr(IscJson) json = isc_audit_parse(r->audit, record->line, record->len);
	IscJson *type = NULL, *fields = NULL;
	if (!json_object_object_get_ex(json, "type", &type) ||
			!json_object_object_get_ex(json, "fields", &fields)) {
		count(r->types, "(no record)");
		return;
	}
	const gchar *name = json_object_get_string(type);
	count(r->types, name);
	if (g_str_equal(name, "SYSCALL"))
		take_syscall(r, fields);
	else
		take_act(r, name, fields);
	isc_audit_take(r->audit, json, on_command, r);
}

void isc_audit_report_take_packet(const IscTrailRecord *record, gpointer data)
{
	IscAuditReport *r = data;
	IscPacketLine line;
	/* The record comes with its newline. */
	gsize len = record->len > 0 && record->line[record->len - 1] == '\n' ? record->len - 1
									     : record->len;
	if (!isc_packet_line_parse(record->line, len, &line) || !*line.kind)
		return;
	guint64 n = isc_packet_line_count(&line);
	if (isc_packet_line_is_accepted(&line)) {
		if (n > 0)
			count_more(r->accepted, line.kind, n);
		return;
	}
	r->logged += !line.is_note;
	r->dropped += n;
	if (n > 0)
		count_more(r->drops, line.kind, n);
}

/* --- what was counted ------------------------------------------------------------------------- */

typedef struct {
	const gchar *what;
	guint64 n;
} Row;

static gint by_count(gconstpointer a, gconstpointer b)
{
	const Row *x = a, *y = b;
	return x->n != y->n ? (x->n < y->n) - (x->n > y->n) : strcmp(x->what, y->what);
}

/* Most frequent first.  Returns: (transfer full), of Row with texts borrowed from @table */
static GArray *sorted(GHashTable *table)
{
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(Row));
	GHashTableIter iter;
	gpointer key, value;
	g_hash_table_iter_init(&iter, table);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		Row row = { key, *(const guint64 *)value };
		g_array_append_val(rows, row);
	}
	g_array_sort(rows, by_count);
	return rows;
}

static void add_number(IscJson *object, const gchar *name, guint64 n)
{
	json_object_object_add(object, name, json_object_new_uint64(n));
}

static IscJson *table_json(GHashTable *table)
{
	IscJson *object = json_object_new_object();
	g_autoptr(GArray) rows = sorted(table);
	for (guint i = 0; i < rows->len; i++)
		add_number(object, g_array_index(rows, Row, i).what, g_array_index(rows, Row, i).n);
	return object;
}

IscJson *isc_audit_report_finish(IscAuditReport *r, guint top)
{
	isc_audit_finish(r->audit, on_command, r);
	IscJson *all = json_object_new_object(), *commands = json_object_new_object();
	IscJson *list = json_object_new_array(), *logins = json_object_new_object();
	IscJson *failures = json_object_new_object(), *network = json_object_new_object();
	g_autoptr(GArray) rows = sorted(r->commands);
	for (guint i = 0; i < rows->len && i < top; i++) {
		IscJson *row = json_object_new_object();
		json_object_object_add(row, "command",
				json_object_new_string(g_array_index(rows, Row, i).what));
		add_number(row, "count", g_array_index(rows, Row, i).n);
		json_object_array_add(list, row);
	}
	add_number(commands, "run", r->run);
	add_number(commands, "distinct", rows->len);
	json_object_object_add(commands, "top", list);
	add_number(logins, "good", r->good_logins);
	add_number(logins, "failed", r->failed_logins);
	add_number(logins, "sessions", r->sessions);
	add_number(failures, "calls", r->failed_calls);
	add_number(failures, "acts", r->failed_acts);
	json_object_object_add(all, "commands", commands);
	json_object_object_add(all, "logins", logins);
	json_object_object_add(all, "failures", failures);
	add_number(all, "privilege-changes", r->privilege);
	json_object_object_add(all, "keys", table_json(r->keys));
	json_object_object_add(all, "types", table_json(r->types));
	add_number(network, "dropped", r->dropped);
	add_number(network, "logged", r->logged);
	json_object_object_add(network, "kinds", table_json(r->drops));
	json_object_object_add(network, "accepted", table_json(r->accepted));
	json_object_object_add(all, "network", network);
	return all;
}

static guint64 number_in(IscJson *counts, const gchar *group, const gchar *name)
{
	return json_object_get_uint64(
			json_object_object_get(json_object_object_get(counts, group), name));
}

static void print_table(GString *out, const gchar *title, IscJson *table)
{
	g_string_append_printf(out, "%s\n", title);
	json_object_object_foreach(table, what, n)
	{
		g_autofree gchar *text = isc_output_text(what);
		g_string_append_printf(out, "%10" G_GUINT64_FORMAT "  %s\n",
				json_object_get_uint64(n), text);
	}
}

void isc_audit_report_print(GString *out, IscJson *counts)
{
#define N G_GUINT64_FORMAT
	IscJson *top = json_object_object_get(json_object_object_get(counts, "commands"), "top");
	g_string_append_printf(out, "commands run: %" N ", %" N " different\n",
			number_in(counts, "commands", "run"),
			number_in(counts, "commands", "distinct"));
	for (gsize i = 0; i < json_object_array_length(top); i++) {
		IscJson *row = json_object_array_get_idx(top, i);
		/* A name of the guest's: escaped whole, so that one line stays one line. */
		g_autofree gchar *text = isc_text_escape(
				json_object_get_string(json_object_object_get(row, "command")), -1,
				200);
		g_string_append_printf(out, "%10" N "  %s\n",
				json_object_get_uint64(json_object_object_get(row, "count")), text);
	}
	g_string_append_printf(out, "logins: %" N ", failed: %" N "; sessions begun: %" N "\n",
			number_in(counts, "logins", "good"), number_in(counts, "logins", "failed"),
			number_in(counts, "logins", "sessions"));
	g_string_append_printf(out, "failures: %" N " calls, %" N " other acts\n",
			number_in(counts, "failures", "calls"),
			number_in(counts, "failures", "acts"));
	g_string_append_printf(out, "privilege changes: %" N "\n",
			json_object_get_uint64(
					json_object_object_get(counts, "privilege-changes")));
	print_table(out, "calls on record, by key:", json_object_object_get(counts, "keys"));
	print_table(out, "records, by type:", json_object_object_get(counts, "types"));
	IscJson *network = json_object_object_get(counts, "network");
	IscJson *accepted = json_object_object_get(network, "accepted");
	if (json_object_object_length(accepted) > 0)
		print_table(out, "connections let through, by kind:", accepted);
	if (number_in(counts, "network", "dropped") == 0)
		return;
	g_autofree gchar *title = g_strdup_printf("packets dropped: %" N ", %" N
						  " of them one by one on record; by kind:",
			number_in(counts, "network", "dropped"),
			number_in(counts, "network", "logged"));
	print_table(out, title, json_object_object_get(network, "kinds"));
#undef N
}

/* --- the trail itself ------------------------------------------------------------------------- */

gchar *isc_audit_hex(const guint8 *bytes, gsize len)
{
	GString *out = g_string_sized_new(2 * len);
	for (gsize i = 0; i < len; i++)
		g_string_append_printf(out, "%02x", bytes[i]);
	return g_string_free(out, FALSE);
}

gchar *isc_audit_end_print(const IscTrailReport *report)
{
	IscTrailAnchor end = { .block = report->last_block };
	memcpy(end.head, report->head, sizeof end.head);
	return isc_trail_anchor_print(&end);
}

static void add_time(IscJson *object, const gchar *name, gint64 us)
{
	gchar text[48];
	g_snprintf(text, sizeof text, "%" G_GINT64_FORMAT ".%03d", us / G_USEC_PER_SEC,
			(int)(us % G_USEC_PER_SEC / 1000));
	json_object_object_add(
			object, name, json_object_new_double_s((gdouble)us / G_USEC_PER_SEC, text));
}

IscJson *isc_audit_trail_json(const IscTrailReport *r, const gchar *name)
{
	IscJson *o = json_object_new_object();
	gboolean good = r->fault == ISC_TRAIL_GOOD;
	g_autofree gchar *shown = isc_text_escape(name ? name : r->name, -1, 64);
	g_autofree gchar *key = isc_audit_hex(r->root, sizeof r->root);
	g_autofree gchar *end = isc_audit_end_print(r);
	json_object_object_add(o, "name", json_object_new_string(shown));
	json_object_object_add(o, "good", json_object_new_boolean(good));
	if (!good) {
		json_object_object_add(
				o, "fault", json_object_new_string(isc_trail_fault_name(r->fault)));
		add_number(o, "record", r->record);
		add_number(o, "segment", r->segment);
		json_object_object_add(
				o, "detail", json_object_new_string(r->detail ? r->detail : ""));
	}
	add_number(o, "records", r->records);
	add_number(o, "blocks", r->blocks);
	add_number(o, "lost", r->lost);
	add_number(o, "violations", r->bad);
	add_number(o, "restarts", r->restarts);
	add_number(o, "cut", r->cut);
	if (r->trimmed_files > 0) {
		IscJson *trimmed = json_object_new_object();
		add_number(trimmed, "files", r->trimmed_files);
		add_number(trimmed, "records", r->trimmed_records);
		add_number(trimmed, "anchors", r->trimmed_anchors);
		add_time(trimmed, "last", r->trimmed_time);
		json_object_object_add(o, "retention", trimmed);
	}
	add_number(o, "clock-steps", r->clock_steps);
	add_time(o, "first", r->first_time);
	add_time(o, "last", r->last_time);
	json_object_object_add(o, "closed", json_object_new_boolean(r->closed));
	add_number(o, "unsealed", r->uncovered);
	json_object_object_add(o, "key", json_object_new_string(key));
	json_object_object_add(o, "end", json_object_new_string(end));
	return o;
}
