/* Jobs: their runs, their results, when they are due. */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "model/calendar.h"

#define RUNS_SHOWN 100

static GVariant *ask(IscClient *client, const gchar *name, guint64 id, guint max, GError **error)
{
	return isc_client_ask(client, NULL, "ListJobs", g_variant_new("(stu)", name, id, max),
			"(aa{sv})", error);
}

/* "3", "signal 9", "-" */
static gchar *show_result(GVariant *row, const gchar *key)
{
	gint status = -1, sig = 0;
	g_variant_lookup(row, key, "i", &status);
	g_variant_lookup(row, "exit-signal", "i", &sig);
	return sig           ? g_strdup_printf("signal %d", sig)
	       : status >= 0 ? g_strdup_printf("%d", status)
			     : NULL;
}

gboolean isc_cmd_job_list(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "RUN", "id", NULL },
		{ "NAME", "name", NULL },
		{ "STATE", "state", NULL },
		{ "STATUS", "exit-status", show_result },
		{ "CAUSE", "cause", NULL },
		{ "DUE", "due", isc_output_show_time },
		{ "STARTED", "started", isc_output_show_time },
		{ "ENDED", "ended", isc_output_show_time },
		{ "MESSAGE", "message", NULL },
		{ NULL },
	};
	guint max = RUNS_SHOWN;
	const gchar *name = "";
	if (!isc_args_uint(cli->args, "lines", 1, 1000, &max, error) ||
			(cli->n_words && !(name = isc_cli_name(cli, 0, "node", error))))
		return FALSE;
	IscClient *client = isc_cli_client(cli, error);
	g_autoptr(GVariant) rows = client ? ask(client, name, 0, max, error) : NULL;
	return isc_cli_print_rows(cli, rows, columns);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void on_event(GVariant *event, gpointer data)
{
	const gchar *kind = "";
	g_variant_lookup(event, "kind", "&s", &kind);
	if (g_str_equal(kind, "job.ended"))
		isc_client_quit(data);
}

/* isc-dockd was restarted meanwhile: what it told then was not heard. */
static void on_presence(gboolean present, gpointer data)
{
	if (present)
		isc_client_quit(data);
}

static gboolean on_timeout(gpointer data)
{
	isc_client_quit(data);
	return G_SOURCE_REMOVE;
}

/* The run @id, or the newest of @name.  (transfer full) or NULL */
static GVariant *get_run(IscClient *client, const gchar *name, guint64 id, GError **error)
{
	g_autoptr(GVariant) rows = ask(client, name, id, 1, error);
	if (!rows)
		return NULL;
	if (g_variant_n_children(rows))
		return g_variant_get_child_value(rows, 0);
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
			"'%s' has no run: is it a job, and was it started?", name);
	return NULL;
}

static gboolean is_over(GVariant *run, guint64 *id)
{
	const gchar *state = "";
	g_variant_lookup(run, "id", "t", id);
	g_variant_lookup(run, "state", "&s", &state);
	return !g_str_equal(state, "running");
}

/* Prints how it ended; FALSE where that was not well. */
static gboolean print_end(IscCli *cli, const gchar *name, GVariant *run, GError **error)
{
	const gchar *state = "", *message = "";
	g_variant_lookup(run, "state", "&s", &state);
	g_variant_lookup(run, "message", "&s", &message);
	g_autofree gchar *result = show_result(run, "exit-status");
	if (g_str_equal(state, "done")) {
		if (cli->json)
			isc_cli_print_json(cli, run);
		else
			g_string_append_printf(cli->out, "%s: done, status 0\n", name);
		return TRUE;
	}
	g_autofree gchar *clean_state = isc_output_text(state);
	g_autofree gchar *clean = isc_output_text(message);
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "job '%s' %s%s%s%s%s", name, clean_state,
			result ? ", status " : "", result ? result : "", *clean ? ": " : "", clean);
	return FALSE;
}

gboolean isc_cli_wait_for_job(IscCli *cli, const gchar *name, GError **error)
{
	IscClient *client = isc_cli_client(cli, error);
	guint64 id = 0;
	gint64 deadline = g_get_monotonic_time() + cli->timeout_s * G_USEC_PER_SEC;
	if (!client)
		return FALSE;
	/* Before the first look: an end in between must not fall through. */
	isc_client_on_event(client, on_event, client);
	isc_client_on_presence(client, on_presence, client);
	for (;;) {
		g_autoptr(GError) why = NULL;
		g_autoptr(GVariant) run = get_run(client, name, id, &why);
		if (isc_client_signal(client))
			return TRUE;
		if (run && is_over(run, &id))
			return print_end(cli, name, run, error);
		/* While isc-dockd is away the run goes on. */
		if (!run && !g_error_matches(why, ISC_ERROR, ISC_ERROR_HOST)) {
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		gint64 left = cli->timeout_s ? deadline - g_get_monotonic_time() : 0;
		if (cli->timeout_s && left <= 0) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT,
					"job '%s' still runs after %u s; 'isc-vm job wait' goes on "
					"waiting",
					name, cli->timeout_s);
			return FALSE;
		}
		guint timer = cli->timeout_s ? g_timeout_add((guint)(left / 1000) + 1, on_timeout,
							       client)
					     : 0;
		isc_client_loop(client);
		if (timer && g_main_context_find_source_by_id(NULL, timer))
			g_source_remove(timer);
	}
}

gboolean isc_cmd_job_wait(IscCli *cli, GError **error)
{
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	return name && isc_cli_wait_for_job(cli, name, error);
}

/* --- schedules -------------------------------------------------------------------------------- */

gboolean isc_cmd_job_pause(IscCli *cli, GError **error)
{
	return isc_cli_set_each(cli, "PauseSchedule", "paused", error);
}

gboolean isc_cmd_job_resume(IscCli *cli, GError **error)
{
	return isc_cli_set_each(cli, "ResumeSchedule", "not paused", error);
}

gboolean isc_cmd_job_next(IscCli *cli, GError **error)
{
	guint n = 5;
	IscCalendar calendar;
	g_autofree gchar *text = g_strjoinv(" ", (gchar **)cli->words);
	if (!isc_args_uint(cli->args, "lines", 1, 1000, &n, error) ||
			!isc_calendar_parse(text, &calendar, error))
		return FALSE;
	g_autoptr(GTimeZone) zone = g_time_zone_new_local();
	g_autoptr(IscJson) all = json_object_new_array();
	gint64 at = g_get_real_time() / G_USEC_PER_SEC;
	for (guint i = 0; i < n && (at = isc_calendar_next(&calendar, at, zone)) != 0; i++) {
		g_autofree gchar *shown = isc_output_time(at);
		g_autoptr(GDateTime) utc = g_date_time_new_from_unix_utc(at);
		g_autofree gchar *universal = g_date_time_format(utc, "%a %Y-%m-%d %H:%M:%S UTC");
		json_object_array_add(all, json_object_new_int64(at));
		if (!cli->json)
			g_string_append_printf(cli->out, "%s  (%s)\n", shown, universal);
	}
	if (cli->json)
		isc_output_json(cli->out, all, TRUE);
	else if (json_object_array_length(all) == 0)
		g_string_append(cli->out, "never\n");
	return TRUE;
}
