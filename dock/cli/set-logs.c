#include "cli/set-logs.h"

#include <string.h>

#include "base/error.h"
#include "cli/service-line.h"
#include "cli/trail.h"

#define POLL_MS 250
#define MEMBERS_MS 3000 /* while they are followed, new members are looked for so often */

/* One member. */
typedef struct {
	gchar *name;
	IscTrail *trail;                    /* NULL: it has written nothing yet */
	gchar stamp[ISC_SERVICE_STAMP + 1]; /* of the last line that had one */
} Source;

typedef struct {
	gchar stamp[ISC_SERVICE_STAMP + 1];
	guint64 order; /* of lines with the same time */
	gchar *line;
	gsize len;
	const gchar *node; /* borrowed of a Source */
} Item;

typedef struct {
	IscCli *cli;
	const gchar *set;
	GPtrArray *sources; /* of Source; one whose member has gone stays */
	GArray *items;      /* of Item: read, not printed yet */
	Source *reading;
	guint64 order;
	guint lines;      /* of each that is opened, and of all that are printed at first; 0: all */
	gint width;       /* of the longest name */
	gint64 looked_at; /* µs, monotonic: for new members */
	gboolean is_busy; /* asking the dock: the loop runs inside of it */
	GError *error;
} Logs;

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

/* --- reading --------------------------------------------------------------------------------- */

static gboolean on_line(const gchar *line, gsize len, gpointer data)
{
	Logs *l = data;
	Source *s = l->reading;
	Item item = {
		.order = l->order++, .line = g_strndup(line, len), .len = len, .node = s->name
	};
	/* A piece of a long line goes behind the one before it. */
	(void)isc_service_line_stamp(line, len, s->stamp);
	memcpy(item.stamp, s->stamp, sizeof(item.stamp));
	g_array_append_val(l->items, item);
	return TRUE;
}

static gboolean drain(Logs *l, Source *s)
{
	l->reading = s;
	return isc_trail_read(s->trail, on_line, l, NULL, &l->error) && !l->error;
}

/* Nothing was written yet, it is gone, or isc-dockd is being restarted: the next look asks again.
 */
static gboolean open_trail(Logs *l, Source *s)
{
	g_autoptr(GError) why = NULL;
	IscClient *client = isc_cli_client(l->cli, &why);
	int fd = client ? isc_client_open_trail(client, s->name, "service", &why) : -1;
	if (fd < 0)
		return TRUE;
	if (!s->trail)
		return (s->trail = isc_trail_new(fd, l->lines, &l->error)) && drain(l, s);
	/* What was written to the one before comes first, up to its end. */
	if (!drain(l, s)) {
		isc_clear_fd(&fd);
		return FALSE;
	}
	return !isc_trail_replace(s->trail, fd) || drain(l, s);
}

static Source *find(const Logs *l, const gchar *name)
{
	for (guint i = 0; i < l->sources->len; i++) {
		Source *s = l->sources->pdata[i];
		if (g_str_equal(s->name, name))
			return s;
	}
	return NULL;
}

static gboolean take_members(Logs *l, gchar *const *names)
{
	l->looked_at = g_get_monotonic_time();
	for (gsize i = 0; names[i]; i++) {
		Source *s = find(l, names[i]);
		if (!s) {
			s = g_new0(Source, 1);
			s->name = g_strdup(names[i]);
			g_ptr_array_add(l->sources, s);
			l->width = MAX(l->width, (gint)strlen(s->name));
		}
		if (!s->trail && !open_trail(l, s))
			return FALSE;
	}
	return TRUE;
}

/* --- printing -------------------------------------------------------------------------------- */

static gint by_time(gconstpointer a, gconstpointer b)
{
	const Item *x = a, *y = b;
	gint order = strcmp(x->stamp, y->stamp);
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

static gboolean print(Logs *l)
{
	g_array_sort(l->items, by_time);
	if (l->lines > 0 && l->items->len > l->lines)
		g_array_remove_range(l->items, 0, l->items->len - l->lines);
	for (guint i = 0; i < l->items->len; i++) {
		const Item *item = &g_array_index(l->items, Item, i);
		if (l->cli->json) {
			g_autoptr(IscJson) json = isc_service_line_json(item->line, item->len);
			json_object_object_add(json, "node", json_object_new_string(item->node));
			isc_output_json(l->cli->out, json, FALSE);
			continue;
		}
		/* Bytes of a guest: none of them may reach the terminal as a command to it. */
		g_autofree gchar *text = isc_output_bytes(item->line, item->len);
		g_string_append_printf(l->cli->out, "%-*s | %s\n", l->width, item->node, text);
	}
	g_array_set_size(l->items, 0);
	return isc_output_flush(l->cli->out, &l->error);
}

/* --- following ------------------------------------------------------------------------------- */

/* FALSE: the set is no more, or nothing can be read or written: the end. */
static gboolean look(Logs *l)
{
	g_auto(GStrv) members = NULL;
	for (guint i = 0; i < l->sources->len; i++) {
		Source *s = l->sources->pdata[i];
		if (s->trail && (!drain(l, s) || (isc_trail_looks_replaced(s->trail) &&
								 !open_trail(l, s))))
			return FALSE;
	}
	if (g_get_monotonic_time() - l->looked_at < MEMBERS_MS * 1000)
		return print(l);
	g_autoptr(GError) why = NULL;
	members = isc_cli_members(l->cli, l->set, &why);
	gboolean ok = (!members || take_members(l, members)) && print(l);
	/* While isc-dockd is being restarted nobody knows. */
	gboolean is_gone = g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND);
	if (ok && is_gone)
		g_printerr("isc-vm logs: set '%s' is no more\n", l->set);
	return ok && !is_gone;
}

static gboolean on_poll(gpointer data)
{
	Logs *l = data;
	if (l->is_busy)
		return G_SOURCE_CONTINUE;
	l->is_busy = TRUE;
	gboolean ok = look(l);
	l->is_busy = FALSE;
	if (!ok)
		isc_client_quit(isc_cli_client(l->cli, NULL));
	return G_SOURCE_CONTINUE;
}

static void follow(Logs *l)
{
	l->lines = 0;
	guint poll = g_timeout_add(POLL_MS, on_poll, l);
	isc_client_loop(isc_cli_client(l->cli, NULL));
	g_source_remove(poll);
}

gboolean isc_set_logs_show(
		IscCli *cli, const gchar *set, gchar *const *members, guint lines, GError **error)
{
	g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func(source_free);
	g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(Item));
	g_array_set_clear_func(items, item_clear);
	Logs l = { .cli = cli, .set = set, .sources = sources, .items = items, .lines = lines };
	if (take_members(&l, members) && print(&l) && isc_args_has(cli->args, "follow"))
		follow(&l);
	if (!l.error)
		return TRUE;
	g_propagate_error(error, l.error);
	return FALSE;
}
