/* events: what is on record, and what comes.  With --follow nothing is shown twice and nothing is
 * left out, also over a restart of isc-dockd: signals that arrive while the record is being read
 * wait in a queue, and the sequence numbers tell which of them the record held already. */
#include "base/error.h"
#include "cli/cli.h"

#define PAGE 1000 /* events a call; the API's maximum */

typedef struct {
	IscCli *cli;
	IscClient *client;
	const gchar *node;   /* "" for all */
	guint64 last;        /* sequence number of the last event shown or passed over */
	gboolean is_reading; /* the record: signals go to @queue */
	gboolean is_present; /* isc-dockd is on the bus */
	GQueue *queue;       /* of GVariant, owned */
	GError *error;       /* what ended the loop, or NULL */
} Events;

static guint64 seq_of(GVariant *event)
{
	guint64 seq = 0;
	g_variant_lookup(event, "seq", "t", &seq);
	return seq;
}

static void print_event(Events *e, GVariant *event)
{
	if (e->cli->json) {
		g_autoptr(IscJson) json = isc_output_to_json(event);
		isc_output_json(e->cli->out, json, FALSE);
		return;
	}
	const gchar *node = "", *kind = "", *level = "", *text = "";
	guint32 caller = G_MAXUINT32; /* the dock itself */
	g_variant_lookup(event, "node", "&s", &node);
	g_variant_lookup(event, "kind", "&s", &kind);
	g_variant_lookup(event, "level", "&s", &level);
	g_variant_lookup(event, "text", "&s", &text);
	g_variant_lookup(event, "caller", "u", &caller);

	gint64 us = 0;
	g_variant_lookup(event, "time", "x", &us);
	g_autofree gchar *time = isc_output_time(us / G_USEC_PER_SEC);
	g_autofree gchar *who = isc_output_text(*node ? node : "-");
	g_autofree gchar *clean_kind = isc_output_text(kind);
	g_autofree gchar *clean_level = isc_output_text(level);
	g_autofree gchar *clean = isc_output_text(text);
	g_autofree gchar *by =
			caller == G_MAXUINT32 ? g_strdup("") : g_strdup_printf(" (uid %u)", caller);
	g_string_append_printf(e->cli->out, "%s  %-5s  %-12s  %-20s  %s%s\n", time, clean_level,
			who, clean_kind, clean, by);
}

/* One page behind @since onto the end of @rows, of which only the newest @keep stay (0: all). */
static gboolean read_page(Events *e, guint64 since, guint max, GQueue *rows, guint keep, gsize *n,
		GError **error)
{
	g_autoptr(GVariant) page = isc_client_ask(e->client, NULL, "ListEvents",
			g_variant_new("(stu)", e->node, since, max), "(aa{sv})", error);
	if (!page)
		return FALSE;
	*n = g_variant_n_children(page);
	for (gsize i = 0; i < *n; i++) {
		GVariant *row = g_variant_get_child_value(page, i);
		e->last = MAX(e->last, seq_of(row));
		g_queue_push_tail(rows, row);
		if (keep > 0 && g_queue_get_length(rows) > keep)
			g_variant_unref(g_queue_pop_head(rows));
	}
	return TRUE;
}

/**
 * read_record:
 * Everything behind e->last, or the newest @keep of it where @keep is not 0, onto the end of @rows.
 * Asked for what is behind 0, the dock gives the newest; a first full page of them may have left
 * out older ones.
 */
static gboolean read_record(Events *e, GQueue *rows, guint keep, GError **error)
{
	gsize n = 0;
	if (e->last == 0) {
		guint max = keep > 0 && keep < PAGE ? keep : PAGE;
		if (!read_page(e, 0, max, rows, keep, &n, error))
			return FALSE;
		GVariant *oldest = g_queue_peek_head(rows);
		if (n < PAGE || keep == PAGE || seq_of(oldest) <= 1)
			return TRUE;
		g_queue_clear_full(rows, (GDestroyNotify)g_variant_unref);
		e->last = 1;
	}
	for (guint64 before = 0; before != e->last;) {
		before = e->last;
		if (!read_page(e, e->last, PAGE, rows, keep, &n, error))
			return FALSE;
		if (n < PAGE)
			break;
	}
	return TRUE;
}

static gboolean flush(Events *e)
{
	if (isc_output_flush(e->cli->out, e->error ? NULL : &e->error))
		return TRUE;
	isc_client_quit(e->client);
	return FALSE;
}

static void on_event(GVariant *event, gpointer data)
{
	Events *e = data;
	const gchar *node = "";
	g_variant_lookup(event, "node", "&s", &node);
	if (*e->node && !g_str_equal(node, e->node))
		return;
	if (e->is_reading) {
		g_queue_push_tail(e->queue, g_variant_ref(event));
		return;
	}
	if (seq_of(event) <= e->last)
		return;
	e->last = seq_of(event);
	print_event(e, event);
	flush(e);
}

/* Reads and shows what is on record behind e->last, then what came meanwhile. */
static gboolean catch_up(Events *e, guint keep, GError **error)
{
	GQueue rows = G_QUEUE_INIT;
	e->is_reading = TRUE;
	gboolean ok = read_record(e, &rows, keep, error);
	e->is_reading = FALSE;
	for (GVariant *row; (row = g_queue_pop_head(&rows)); g_variant_unref(row))
		if (ok)
			print_event(e, row);
	if (!ok)
		return FALSE;
	for (GVariant *event; (event = g_queue_pop_head(e->queue)); g_variant_unref(event))
		on_event(event, e);
	return flush(e);
}

/* isc-dockd may be restarted while somebody watches: wait for it, then go on where we were. */
static void on_presence(gboolean present, gpointer data)
{
	Events *e = data;
	if (present == e->is_present)
		return;
	e->is_present = present;
	if (!present) {
		g_printerr("isc-vm events: isc-dockd went away; waiting for it\n");
		return;
	}
	g_autoptr(GError) why = NULL;
	if (!e->is_reading && !catch_up(e, 0, &why) && why && !isc_client_signal(e->client))
		g_printerr("isc-vm events: %s\n", why->message);
}

gboolean isc_cmd_events(IscCli *cli, GError **error)
{
	guint keep = 200;
	const gchar *node = "";
	if (g_strcmp0(isc_args_get(cli->args, "lines"), "all") == 0)
		keep = 0;
	else if (!isc_args_uint(cli->args, "lines", 0, G_MAXINT, &keep, error))
		return FALSE;
	if (cli->n_words > 0 && !(node = isc_cli_name(cli, 0, "node", error)))
		return FALSE;
	IscClient *client = isc_cli_client(cli, error);
	if (!client)
		return FALSE;

	Events e = { .cli = cli,
		.client = client,
		.node = node,
		.is_present = TRUE,
		.queue = g_queue_new() };
	gboolean follow = isc_args_has(cli->args, "follow");
	/* Before the record is read: what happens in between must not fall through. */
	if (follow)
		isc_client_on_event(client, on_event, &e);
	gboolean ok = catch_up(&e, keep, error);
	if (ok && follow) {
		isc_client_on_presence(client, on_presence, &e);
		isc_client_loop(client);
	}
	g_queue_free_full(e.queue, (GDestroyNotify)g_variant_unref);
	if (!e.error)
		return ok;
	if (error && !*error)
		g_propagate_error(error, e.error);
	else
		g_error_free(e.error);
	return FALSE;
}
