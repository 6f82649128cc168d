/* logs and audit: the files that the collector writes, straight from the fd that the dock opened.
 */
#include <glib-unix.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "cli/audit-act.h"
#include "cli/audit.h"
#include "cli/cli.h"
#include "cli/filter.h"
#include "cli/segments.h"
#include "cli/service-line.h"
#include "cli/set-logs.h"
#include "cli/trail.h"

#define SLOW_POLL_MS 2000 /* besides inotify: file systems that do not tell */
#define FAST_POLL_MS                                                                               \
	250 /* where inotify is refused: it wants read permission, an fd alone does not do */
#define IDLE_REOPEN_S                                                                              \
	60 /* asks for the file again after so long without a line, whatever the signs */
#define FLUSH_BYTES (256 * 1024)
#define LINES_PER_LOOK 1024
#define LINES_SHOWN 200 /* where --lines does not say */

typedef struct {
	IscCli *cli;
	IscClient *client;
	const gchar *node;
	const gchar *kind; /* of OpenTrail */
	IscAudit *audit;   /* NULL where the lines are shown as they are */
	IscFilter *filter; /* NULL where all are shown */
	gboolean commands;
	gboolean raw; /* the lines go out as they are, to no terminal */
	IscTrail *trail;
	int inotify; /* -1 where there is none */
	int watch;
	guint lines; /* that were looked at */
	gboolean is_followed;
	gboolean is_busy; /* asking the dock: the loop runs inside of it */
	gint64 last_line; /* monotonic µs */
	GError *error;    /* what ended it, or NULL */
} Follow;

static gboolean is_dock(const Follow *f)
{
	return g_str_equal(f->node, ISC_TRAIL_DOCK);
}

/* The dock's own goes on as long as there is a dock. */
static gboolean is_alive(const Follow *f)
{
	return is_dock(f) || isc_client_has_node(f->client, f->node);
}

/* --- printing --------------------------------------------------------------------------------- */

static void on_command(IscJson *command, gpointer data)
{
	Follow *f = data;
	if (f->cli->json) {
		isc_output_json(f->cli->out, command, FALSE);
		return;
	}
	g_autofree gchar *text = isc_audit_command_text(command);
	g_string_append_printf(f->cli->out, "%s\n", text);
}

/* The acts of the dock: one line each. */
static void print_act(Follow *f, const gchar *line, gsize len)
{
	g_autoptr(IscJson) record = isc_audit_parse(f->audit, line, len);
	g_autofree gchar *text = isc_audit_act_text(record);
	if (text && f->cli->json)
		isc_output_json(f->cli->out, record, FALSE);
	else if (text)
		g_string_append_printf(f->cli->out, "%s\n", text);
}

static void print_line(Follow *f, const gchar *line, gsize len)
{
	if (f->commands && is_dock(f)) {
		print_act(f, line, len);
		return;
	}
	if (f->commands) {
		isc_audit_feed(f->audit, line, len, on_command, f);
		return;
	}
	if (f->raw) {
		g_string_append_len(f->cli->out, line, (gssize)len);
		g_string_append_c(f->cli->out, '\n');
		return;
	}
	if (!f->cli->json) {
		/* Bytes of a guest: none of them may reach the terminal as a command to it. */
		g_autofree gchar *text = isc_output_bytes(line, len);
		g_string_append_printf(f->cli->out, "%s\n", text);
		return;
	}
	g_autoptr(IscJson) json = f->audit ? isc_audit_parse(f->audit, line, len)
					   : isc_service_line_json(line, len);
	isc_output_json(f->cli->out, json, FALSE);
}

static gboolean on_wanted(const gchar *line, gsize len, gpointer data)
{
	Follow *f = data;
	print_line(f, line, len);
	/* Not one write a line, and not all of a long trail in memory either. */
	return f->cli->out->len < FLUSH_BYTES || isc_output_flush(f->cli->out, &f->error);
}

/* A long trail takes its time: signals are looked at meanwhile.  While it is followed the loop does
 * that. */
static gboolean is_interrupted(Follow *f)
{
	if (!f->is_followed && ++f->lines % LINES_PER_LOOK == 0)
		g_main_context_iteration(NULL, FALSE);
	return isc_client_signal(f->client) != 0;
}

static gboolean on_line(const gchar *line, gsize len, gpointer data)
{
	Follow *f = data;
	if (is_interrupted(f))
		return FALSE;
	return f->filter ? isc_filter_feed(f->filter, line, len, on_wanted, f)
			 : on_wanted(line, len, f);
}

/* What waits for further records will not get them: the trail is idle, or at its end. */
static void settle(Follow *f)
{
	if (f->filter)
		isc_filter_finish(f->filter, on_wanted, f);
	if (f->commands)
		isc_audit_finish(f->audit, on_command, f);
}

/* Everything that is there now. */
static gboolean drain(Follow *f)
{
	gboolean any = FALSE;
	if (!isc_trail_read(f->trail, on_line, f, &any, f->error ? NULL : &f->error) || f->error)
		return FALSE;
	if (any)
		f->last_line = g_get_monotonic_time();
	return isc_output_flush(f->cli->out, &f->error);
}

/* --- following -------------------------------------------------------------------------------- */

static void watch(Follow *f)
{
	if (f->inotify < 0)
		return;
	if (f->watch >= 0)
		inotify_rm_watch(f->inotify, f->watch);
	g_autofree gchar *path = g_strdup_printf("/proc/self/fd/%d", isc_trail_fd(f->trail));
	f->watch = inotify_add_watch(
			f->inotify, path, IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF);
}

/* The files from the one behind that in hand to the one that is written to now, as fds: who reads
 * slowly may have missed more than one rotation.  Returns: (transfer full), NULL on errors */
static GArray *open_behind(Follow *f, GError **error)
{
	g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
	if (!g_str_equal(f->kind, "audit")) {
		int fd = isc_client_open_trail(f->client, f->node, f->kind, error);
		if (fd < 0)
			return NULL;
		g_array_append_val(fds, fd);
		return g_steal_pointer(&fds);
	}
	g_auto(IscSegments) segments = { 0 };
	if (!isc_segments_open(f->client, f->node, &segments, error))
		return NULL;
	guint n = segments.all->len, at = n - 1; /* where retention took it: only the last */
	for (guint i = 0; i < n; i++)
		if (isc_trail_is_of(f->trail, g_array_index(segments.all, IscSegment, i).log))
			at = MIN(i + 1, n - 1);
	for (; at < n; at++) {
		int fd = isc_steal_fd(&g_array_index(segments.all, IscSegment, at).log);
		g_array_append_val(fds, fd);
	}
	return g_steal_pointer(&fds);
}

/* Reads what came since from @fds, which it takes over. */
static gboolean go_on(Follow *f, GArray *fds)
{
	gboolean ok = drain(f); /* what was written to the old one up to its end comes first */
	for (guint i = 0; i < fds->len; i++) {
		int fd = g_array_index(fds, int, i);
		if (!ok)
			isc_clear_fd(&fd);
		else if (isc_trail_replace(f->trail, fd)) {
			watch(f);
			ok = drain(f);
		}
	}
	return ok;
}

/* Asks the dock for the file as it is now.  FALSE: the node is gone, or the dock refuses: the end.
 */
static gboolean reopen(Follow *f)
{
	f->is_busy = TRUE;
	g_autoptr(GError) why = NULL;
	g_autoptr(GArray) fds = NULL;
	/* A trail outlives its node, but nothing is added to it any more. */
	if (is_alive(f))
		fds = open_behind(f, &why);
	else
		g_set_error(&why, ISC_ERROR, ISC_ERROR_NOT_FOUND, "node '%s' is no more", f->node);
	f->is_busy = FALSE;
	f->last_line = g_get_monotonic_time();
	if (fds)
		return go_on(f, fds);
	/* isc-dockd is being restarted, or files are being changed: the one in hand still tells
	 * what the node does. */
	if (g_error_matches(why, ISC_ERROR, ISC_ERROR_HOST) ||
			g_error_matches(why, ISC_ERROR, ISC_ERROR_STATE))
		return TRUE;
	if (drain(f) && !f->error)
		f->error = g_steal_pointer(&why);
	return FALSE;
}

static gboolean step(Follow *f)
{
	if (f->is_busy)
		return TRUE;
	gboolean is_idle = g_get_monotonic_time() - f->last_line > IDLE_REOPEN_S * G_USEC_PER_SEC;
	if (drain(f) && (!(isc_trail_looks_replaced(f->trail) || is_idle) || reopen(f)))
		return TRUE;
	isc_client_quit(f->client);
	return FALSE;
}

static gboolean on_inotify(gint fd, GIOCondition condition, gpointer data)
{
	(void)condition;
	gchar buffer[4096];
	gssize n = read(fd, buffer, sizeof buffer); /* which event it was does not matter */
	(void)n;
	return step(data);
}

static gboolean on_poll(gpointer data)
{
	Follow *f = data;
	/* A quarter of a second after its last record an event gets no more of them. */
	if (!f->is_busy && g_get_monotonic_time() - f->last_line >= FAST_POLL_MS * 1000)
		settle(f);
	return step(f);
}

static void follow(Follow *f)
{
	f->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	f->watch = -1;
	f->is_followed = TRUE;
	f->last_line = g_get_monotonic_time();
	watch(f);

	guint inotify_id = f->inotify >= 0 && f->watch >= 0
					   ? g_unix_fd_add(f->inotify, G_IO_IN, on_inotify, f)
					   : 0;
	gboolean collects = f->commands || f->filter; /* and what it holds back is waited for */
	guint poll_id = g_timeout_add(
			inotify_id && !collects ? SLOW_POLL_MS : FAST_POLL_MS, on_poll, f);
	isc_client_loop(f->client);

	/* A source whose function returned FALSE is gone already. */
	GSource *source;
	if (inotify_id && (source = g_main_context_find_source_by_id(NULL, inotify_id)))
		g_source_destroy(source);
	if ((source = g_main_context_find_source_by_id(NULL, poll_id)))
		g_source_destroy(source);
	isc_clear_fd(&f->inotify);
}

/* --- the verbs -------------------------------------------------------------------------------- */

/* Finds the last @lines lines (0: all) in the files of the trail and prints those in files that are
 * closed. Returns: (transfer full): the open file, where it goes on; NULL on errors */
static IscTrail *begin_audit(Follow *f, IscSegments *segments, guint lines, GError **error)
{
	g_autoptr(GPtrArray) trails =
			g_ptr_array_new_with_free_func((GDestroyNotify)isc_trail_free);
	guint found = 0;
	for (guint i = segments->all->len; i-- > 0 && (lines == 0 || found < lines);) {
		IscSegment *s = &g_array_index(segments->all, IscSegment, i);
		IscTrail *trail = isc_trail_new(
				isc_steal_fd(&s->log), lines == 0 ? 0 : lines - found, error);
		if (!trail)
			return NULL;
		found += isc_trail_found(trail);
		g_ptr_array_insert(trails, 0, trail);
	}
	while (trails->len > 1) {
		f->trail = trails->pdata[0];
		if (!drain(f))
			return NULL;
		isc_trail_finish(f->trail, on_line, f);
		g_ptr_array_remove_index(trails, 0);
	}
	return g_ptr_array_steal_index(trails, 0);
}

static IscTrail *begin(Follow *f, guint lines, GError **error)
{
	if (g_str_equal(f->kind, "audit")) {
		g_auto(IscSegments) segments = { 0 };
		if (!isc_segments_open(f->client, f->node, &segments, error))
			return NULL;
		return begin_audit(f, &segments, lines, error);
	}
	int fd = isc_client_open_trail(f->client, f->node, f->kind, error);
	return fd < 0 ? NULL : isc_trail_new(fd, lines, error);
}

static gboolean take_lines(const IscCli *cli, guint *lines, GError **error)
{
	if (g_strcmp0(isc_args_get(cli->args, "lines"), "all") != 0)
		return isc_args_uint(cli->args, "lines", 0, G_MAXINT, lines, error);
	*lines = 0;
	return TRUE;
}

static gboolean show(Follow *f, guint lines, GError **error)
{
	IscCli *cli = f->cli;
	if (!take_lines(cli, &lines, error))
		return FALSE;
	f->node = isc_cli_trail(cli, 0, error);
	f->client = f->node ? isc_cli_client(cli, error) : NULL;
	if (!f->client)
		return FALSE;
	g_autoptr(IscTrail) trail = begin(f, lines, f->error ? NULL : error);
	if (!trail) {
		if (f->error)
			g_propagate_error(error, f->error);
		return FALSE;
	}

	f->trail = trail;
	if (drain(f) && isc_args_has(cli->args, "follow")) {
		settle(f);
		if (is_alive(f))
			follow(f);
	}
	if (!f->error) {
		isc_trail_finish(trail, on_line, f);
		settle(f);
		return TRUE;
	}
	/* A node that was destroyed while somebody watched: the trail is at its end, that is all.
	 */
	if (isc_args_has(cli->args, "follow") &&
			g_error_matches(f->error, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		settle(f);
		g_printerr("isc-vm %s: %s\n", cli->verb->name, f->error->message);
		g_error_free(f->error);
		return TRUE;
	}
	g_propagate_error(error, f->error);
	return FALSE;
}

gboolean isc_cmd_logs(IscCli *cli, GError **error)
{
	Follow f = { .cli = cli, .kind = "service", .inotify = -1, .watch = -1 };
	guint lines = LINES_SHOWN;
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	if (!name || !take_lines(cli, &lines, error))
		return FALSE;
	/* First: a node that had the name of the set before it has a log still. */
	g_auto(GStrv) members = isc_cli_members(cli, name, NULL);
	return members ? isc_set_logs_show(cli, name, members, lines, error)
		       : show(&f, LINES_SHOWN, error);
}

static gboolean check_raw(const IscCli *cli, GError **error)
{
	const gchar *why = cli->json || isc_args_has(cli->args, "commands")
					   ? "--raw, --json and --commands exclude each other"
			   : isatty(STDOUT_FILENO)
					   ? "--raw shows bytes of a node as they are, which a "
					     "terminal might obey: give them to a program or a file"
					   : NULL;
	if (why)
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID, why);
	return !why;
}

gboolean isc_cmd_audit(IscCli *cli, GError **error)
{
	gboolean raw = isc_args_has(cli->args, "raw");
	if (raw && !check_raw(cli, error))
		return FALSE;
	gboolean commands = isc_args_has(cli->args, "commands");
	g_autoptr(IscAudit) audit = commands || cli->json ? isc_audit_new() : NULL;
	g_autoptr(IscFilter) filter = NULL;
	if (!isc_filter_new(cli->args, g_get_real_time(), &filter, error))
		return FALSE;
	Follow f = { .cli = cli,
		.kind = "audit",
		.audit = audit,
		.commands = commands,
		.raw = raw,
		.filter = filter,
		.inotify = -1,
		.watch = -1 };
	/* Who looks for something looks everywhere. */
	return show(&f, filter ? 0 : LINES_SHOWN, error);
}
