/* network log: what the boundary dropped and which connections it let through, of one node or of
 * all, in the order of time. */
#include <glib-unix.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "cli/cli.h"
#include "cli/filter.h"
#include "cli/packets.h"
#include "cli/segments.h"
#include "cli/trail.h"

#define LINES_SHOWN 200 /* where --lines does not say */
#define POLL_MS 500
#define NEW_TRAILS_MS 3000 /* while all are followed, new ones are looked for so often */
#define LINES_PER_LOOK 1024

/* One trail. */
typedef struct {
	gchar *name; /* as the dock has it: "+web" */
	IscTrail *trail;
} Source;

typedef struct {
	gint64 time;
	guint64 order; /* of lines with the same time */
	gchar *line;
	gsize len;
	const gchar *node; /* borrowed of a Source */
} Item;

typedef struct {
	IscCli *cli;
	IscClient *client;
	GPtrArray *sources; /* of Source */
	const gchar *only;  /* the trail that was asked for; NULL: all … */
	const gchar *set;   /* … of the members of this set, if it is not NULL */
	gint64 since, until;
	gboolean is_dropped, is_accepted; /* only such */
	gchar *const *kinds;
	GArray *items; /* of Item: read, not printed yet */
	guint keep;    /* the last so many; 0: all */
	guint64 order;
	guint lines;
	const gchar *reading; /* node of the source that is read */
	gint64 looked_at;     /* µs, monotonic: for new trails */
	gboolean is_busy;     /* asking the dock: the loop runs inside of it */
	GError *error;
} Log;

static void source_free(gpointer source)
{
	Source *s = source;
	g_clear_pointer(&s->trail, isc_trail_free);
	g_free(s->name);
	g_free(s);
}

static void item_clear(gpointer item)
{
	g_free(((Item *)item)->line);
}

/* --- reading ------------------------------------------------------------------------------------
 */

static gboolean is_wanted(const Log *l, const IscPacketLine *p)
{
	if (p->time < l->since || p->time > l->until)
		return FALSE;
	if ((l->is_dropped && !isc_packet_line_is_dropped(p)) ||
			(l->is_accepted && !isc_packet_line_is_accepted(p)))
		return FALSE;
	if (!l->kinds[0])
		return TRUE;
	for (gchar *const *list = l->kinds; *list; list++) {
		g_auto(GStrv) kinds = g_strsplit(*list, ",", -1);
		if (g_strv_contains((const gchar *const *)kinds, p->kind))
			return TRUE;
	}
	return FALSE;
}

static gint by_time(gconstpointer a, gconstpointer b)
{
	const Item *x = a, *y = b;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* Not all of long trails in memory, where only their end is wanted. */
static void cut(Log *l)
{
	g_array_sort(l->items, by_time);
	if (l->keep > 0 && l->items->len > l->keep)
		g_array_remove_range(l->items, 0, l->items->len - l->keep);
}

static gboolean on_line(const gchar *line, gsize len, gpointer data)
{
	Log *l = data;
	IscPacketLine p;
	if (++l->lines % LINES_PER_LOOK == 0 && !l->is_busy)
		g_main_context_iteration(NULL, FALSE);
	if (isc_client_signal(l->client) != 0)
		return FALSE;
	if (!isc_packet_line_parse(line, len, &p) || !is_wanted(l, &p))
		return TRUE;
	const Item item = { p.time, l->order++, g_strndup(line, len), len, l->reading };
	g_array_append_val(l->items, item);
	if (l->keep > 0 && l->items->len > 2 * l->keep + LINES_PER_LOOK)
		cut(l);
	return TRUE;
}

static gboolean drain(Log *l, Source *s)
{
	gboolean any;
	l->reading = s->name + 1;
	return isc_trail_read(s->trail, on_line, l, &any, &l->error) && !l->error;
}

/* All files of the trail; the open one stays. */
static gboolean open_source(Log *l, const gchar *name)
{
	g_auto(IscSegments) segments = { 0 };
	g_autoptr(GError) why = NULL;
	if (!isc_segments_open(l->client, name, &segments, &why)) {
		/* Nothing was dropped yet, or its first block is being written. */
		gboolean is_none = g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND) &&
				   (!l->only || g_str_equal(name + 1, ISC_TRAIL_DOCK) ||
						   isc_client_has_node(l->client, name + 1));
		if (!is_none)
			l->error = g_steal_pointer(&why);
		return is_none;
	}
	Source *s = g_new0(Source, 1);
	s->name = g_strdup(name);
	g_ptr_array_add(l->sources, s);
	for (guint i = 0; i < segments.all->len; i++) {
		IscSegment *segment = &g_array_index(segments.all, IscSegment, i);
		g_clear_pointer(&s->trail, isc_trail_free);
		s->trail = isc_trail_new(isc_steal_fd(&segment->log), 0, &l->error);
		if (!s->trail || !drain(l, s))
			return FALSE;
	}
	return TRUE;
}

static gboolean is_open(const Log *l, const gchar *name)
{
	for (guint i = 0; i < l->sources->len; i++)
		if (g_str_equal(((Source *)l->sources->pdata[i])->name, name))
			return TRUE;
	return FALSE;
}

/* A set that has gone meanwhile has no new members. */
static gboolean open_members(Log *l)
{
	g_autoptr(GError) why = NULL;
	g_auto(GStrv) members = isc_cli_members(l->cli, l->set, &why);
	for (gsize i = 0; members && members[i]; i++) {
		g_autofree gchar *name = g_strdup_printf("%c%s", ISC_TRAIL_PACKETS, members[i]);
		if (!is_open(l, name) && !open_source(l, name))
			return FALSE;
	}
	if (members || g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return TRUE;
	l->error = g_steal_pointer(&why);
	return FALSE;
}

/* What is there and not open yet. */
static gboolean open_new(Log *l)
{
	l->looked_at = g_get_monotonic_time();
	if (l->only)
		return is_open(l, l->only) || open_source(l, l->only);
	if (l->set)
		return open_members(l);
	g_autoptr(GVariant) reply =
			isc_client_ask(l->client, NULL, "ListTrails", NULL, "(as)", &l->error);
	g_autofree const gchar **names = NULL;
	if (!reply)
		return FALSE;
	names = g_variant_get_strv(reply, NULL);
	for (gsize i = 0; names[i]; i++)
		if (names[i][0] == ISC_TRAIL_PACKETS && !is_open(l, names[i]) &&
				!open_source(l, names[i]))
			return FALSE;
	return TRUE;
}

/* --- printing -----------------------------------------------------------------------------------
 */

static gboolean print(Log *l)
{
	cut(l);
	for (guint i = 0; i < l->items->len; i++) {
		const Item *item = &g_array_index(l->items, Item, i);
		const gchar *node = g_str_equal(item->node, ISC_TRAIL_DOCK) ? "-" : item->node;
		IscPacketLine p;
		if (!isc_packet_line_parse(item->line, item->len, &p))
			continue;
		if (l->cli->json) {
			g_autoptr(IscJson) json = isc_packet_line_json(&p, node);
			isc_output_json(l->cli->out, json, FALSE);
			continue;
		}
		g_autofree gchar *text = isc_packet_line_text(&p, node);
		g_string_append_printf(l->cli->out, "%s\n", text);
	}
	g_array_set_size(l->items, 0);
	return isc_output_flush(l->cli->out, &l->error);
}

/* --- following ----------------------------------------------------------------------------------
 */

/* The file has got a number, and another stands in its place. */
static gboolean reopen(Log *l, Source *s)
{
	g_autoptr(GError) why = NULL;
	int fd = isc_client_open_trail(l->client, s->name, "audit", &why);
	if (fd < 0) /* isc-dockd is being restarted; the next look asks again */
		return TRUE;
	if (!drain(l, s)) {
		isc_clear_fd(&fd);
		return FALSE;
	}
	return !isc_trail_replace(s->trail, fd) || drain(l, s);
}

static gboolean look(Log *l)
{
	for (guint i = 0; i < l->sources->len; i++) {
		Source *s = l->sources->pdata[i];
		if (!drain(l, s) || (isc_trail_looks_replaced(s->trail) && !reopen(l, s)))
			return FALSE;
	}
	gboolean is_late = g_get_monotonic_time() - l->looked_at > NEW_TRAILS_MS * 1000;
	if (is_late && !open_new(l)) {
		if (!g_error_matches(l->error, ISC_ERROR, ISC_ERROR_HOST))
			return FALSE;
		g_clear_error(&l->error);
	}
	return print(l);
}

static gboolean on_poll(gpointer data)
{
	Log *l = data;
	if (l->is_busy)
		return G_SOURCE_CONTINUE;
	l->is_busy = TRUE;
	gboolean ok = look(l);
	l->is_busy = FALSE;
	if (!ok)
		isc_client_quit(l->client);
	return G_SOURCE_CONTINUE;
}

static void follow(Log *l)
{
	l->keep = 0;
	guint poll = g_timeout_add(POLL_MS, on_poll, l);
	isc_client_loop(l->client);
	g_source_remove(poll);
}

/* --- the verb -----------------------------------------------------------------------------------
 */

static gboolean take_time(const IscCli *cli, const gchar *name, gint64 *out, GError **error)
{
	const gchar *text = isc_args_get(cli->args, name);
	if (!text || isc_filter_time(text, g_get_real_time(), out, error))
		return TRUE;
	g_prefix_error(error, "--%s: ", name);
	return FALSE;
}

static gboolean take_wishes(Log *l, GError **error)
{
	const IscCli *cli = l->cli;
	l->until = G_MAXINT64;
	l->kinds = isc_args_list(cli->args, "kind");
	l->is_dropped = isc_args_has(cli->args, "dropped");
	l->is_accepted = isc_args_has(cli->args, "accepted");
	if (l->is_dropped && l->is_accepted) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"--dropped and --accepted exclude each other; without both, all is "
				"shown");
		return FALSE;
	}
	if (!take_time(cli, "since", &l->since, error) ||
			!take_time(cli, "until", &l->until, error))
		return FALSE;
	/* Who looks for something looks everywhere. */
	gboolean is_search = l->kinds[0] || l->since > 0 || l->until < G_MAXINT64;
	l->keep = is_search ? 0 : LINES_SHOWN;
	if (g_strcmp0(isc_args_get(cli->args, "lines"), "all") != 0)
		return isc_args_uint(cli->args, "lines", 0, G_MAXINT, &l->keep, error);
	l->keep = 0;
	return TRUE;
}

static gboolean run(Log *l, const gchar *node, GError **error)
{
	g_autofree gchar *only = node ? g_strdup_printf("%c%s", ISC_TRAIL_PACKETS, node) : NULL;
	l->client = isc_cli_client(l->cli, error);
	if (!l->client)
		return FALSE;
	/* First: a node that had the name of the set before it has a trail still. */
	g_auto(GStrv) members = node && !g_str_equal(node, ISC_TRAIL_DOCK)
						? isc_cli_members(l->cli, node, NULL)
						: NULL;
	l->set = members ? node : NULL;
	l->only = members ? NULL : only;
	if (open_new(l) && print(l) && isc_args_has(l->cli->args, "follow"))
		follow(l);
	if (!l->error)
		return TRUE;
	g_propagate_error(error, l->error);
	return FALSE;
}

gboolean isc_cmd_network_log(IscCli *cli, GError **error)
{
	Log l = { .cli = cli };
	gboolean is_dock = isc_args_has(cli->args, "dock");
	if (!take_wishes(&l, error))
		return FALSE;
	if (is_dock && cli->n_words > 0) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"a NAME and --dock exclude each other");
		return FALSE;
	}
	const gchar *node = is_dock ? ISC_TRAIL_DOCK : isc_cli_name(cli, 0, "node", error);
	if (cli->n_words > 0 && !node)
		return FALSE;
	l.sources = g_ptr_array_new_with_free_func(source_free);
	l.items = g_array_new(FALSE, FALSE, sizeof(Item));
	g_array_set_clear_func(l.items, item_clear);
	gboolean ok = run(&l, node, error);
	g_array_unref(l.items);
	g_ptr_array_unref(l.sources);
	return ok;
}
