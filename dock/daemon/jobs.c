#include "daemon/jobs.h"

#include "base/error.h"
#include "daemon/answer.h"
#include "daemon/overrun.h"

#define OPEN_RUNS 100 /* so far back one is looked for that has not ended */

static gint64 now_s(void)
{
	return g_get_real_time() / G_USEC_PER_SEC;
}

/* --- runs ---------------------------------------------------------------------------------- */

static gboolean enter(IscDock *dock, const IscNode *node, const gchar *cause, gint64 due,
		IscRunState state, guint caller, const gchar *message, guint64 *id, GError **error)
{
	gint64 now = now_s();
	IscJobRun run = { .due = due ? due : now,
		.started = state == ISC_RUN_MISSED ? 0 : now,
		.ended = state == ISC_RUN_MISSED ? now : 0,
		.state = state,
		.status = -1,
		.caller = caller };
	g_strlcpy(run.uuid, node->uuid, sizeof(run.uuid));
	g_strlcpy(run.name, node->spec->name, sizeof(run.name));
	g_strlcpy(run.cause, cause, sizeof(run.cause));
	g_strlcpy(run.message, message ? message : "", sizeof(run.message));
	if (!isc_register_add_run(dock->reg, &run, error))
		return FALSE;
	*id = run.id;
	if (state == ISC_RUN_MISSED)
		isc_dock_event(dock, node->spec->name, "job.missed", "warn", ISC_CALLER_DOCK,
				"%s: run %" G_GUINT64_FORMAT " was missed: %s", node->spec->name,
				run.id, run.message);
	else
		isc_dock_event(dock, node->spec->name, "job.begun", "info", caller,
				"%s: run %" G_GUINT64_FORMAT " begins (%s)", node->spec->name,
				run.id, cause);
	if (state == ISC_RUN_RUNNING)
		isc_overrun_watch(dock, node, &run);
	return TRUE;
}

guint64 isc_jobs_enter(IscDock *dock, const IscNode *node, const gchar *cause, gint64 due,
		IscRunState state, guint caller, const gchar *message)
{
	g_autoptr(GError) why = NULL;
	guint64 id = 0;
	if (!enter(dock, node, cause, due, state, caller, message, &id, &why))
		g_warning("run of '%s': %s", node->spec->name, why->message);
	return id;
}

gboolean isc_jobs_begin(
		IscDock *dock, const IscNode *node, const IscRequest *request, GError **error)
{
	guint64 id;
	if (!node->spec->job.is_job || request->run)
		return TRUE;
	return enter(dock, node, request->caller == ISC_CALLER_DOCK ? "restart" : "order", 0,
			ISC_RUN_RUNNING, request->caller, NULL, &id, error);
}

/* FALSE where there is none. */
static gboolean find_open(IscDock *dock, const IscNode *node, guint64 id, IscJobRun *out)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) runs = NULL;
	if (id == 0 && isc_register_last_run(dock->reg, node->uuid, TRUE, out, &why))
		return out->id != 0;
	if (id != 0 && (runs = isc_register_list_runs(dock->reg, NULL, id, 1, &why)) && runs->len)
		*out = *(const IscJobRun *)runs->pdata[0];
	if (why)
		g_warning("run of '%s': %s", node->spec->name, why->message);
	return !why && runs && runs->len;
}

void isc_jobs_end(IscDock *dock, const IscNode *node, guint64 id, IscRunState state, gint status,
		gint sig, const gchar *message)
{
	IscJobRun run = { 0 };
	g_autoptr(GError) why = NULL;
	gboolean was = FALSE;
	if (!node->spec->job.is_job || !find_open(dock, node, id, &run))
		return;
	run.state = state;
	run.status = status;
	run.sig = sig;
	run.ended = now_s();
	g_strlcpy(run.message, message ? message : "", sizeof(run.message));
	if (!isc_register_end_run(dock->reg, &run, &was, &why))
		g_warning("run of '%s': %s", node->spec->name, why->message);
	else if (was)
		isc_dock_event(dock, node->spec->name, "job.ended",
				state == ISC_RUN_DONE || state == ISC_RUN_STOPPED ? "info" : "warn",
				ISC_CALLER_DOCK,
				"%s: run %" G_GUINT64_FORMAT " is %s after %" G_GINT64_FORMAT
				" s, status %d, signal %d%s%s",
				node->spec->name, run.id, isc_run_state_name(state),
				run.ended - run.started, status, sig, *run.message ? ": " : "",
				run.message);
}

/* A restore began one of its own; what ran until then has ended with its overlay. */
static void end_older(IscDock *dock, const IscNode *node)
{
	IscJobRun newest;
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) runs = NULL;
	if (!node->spec->job.is_job || !find_open(dock, node, 0, &newest))
		return;
	runs = isc_register_list_runs(dock->reg, node->spec->name, 0, OPEN_RUNS, &why);
	if (!runs)
		g_warning("runs of '%s': %s", node->spec->name, why->message);
	for (guint i = 0; runs && i < runs->len; i++) {
		const IscJobRun *run = runs->pdata[i];
		if (run->id < newest.id && run->state == ISC_RUN_RUNNING &&
				g_str_equal(run->uuid, node->uuid))
			isc_jobs_end(dock, node, run->id, ISC_RUN_STOPPED, -1, 0,
					"a snapshot was put back");
	}
}

void isc_jobs_settle(IscDock *dock, const IscRequest *request, const IscNode *node, gboolean undone,
		const gchar *problem)
{
	IscVerb verb = request->verb;
	if (verb == ISC_VERB_ENABLE || verb == ISC_VERB_SNAPSHOT_RESTORE) {
		if (undone)
			isc_jobs_end(dock, node, 0, ISC_RUN_FAILED, -1, 0, problem);
		else if (verb == ISC_VERB_SNAPSHOT_RESTORE)
			end_older(dock, node);
		return;
	}
	if (verb != ISC_VERB_DISABLE && verb != ISC_VERB_RELEASE && verb != ISC_VERB_DESTROY)
		return;
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, request->node, NULL);
	if (!now || !isc_node_state_is_up(now->state))
		isc_jobs_end(dock, node, 0, ISC_RUN_STOPPED, -1, 0, "by an order");
}

/* --- ephemeral ----------------------------------------------------------------------------- */

void isc_jobs_vanish(IscDock *dock, const gchar *name)
{
	IscRestartRecord restart;
	g_autoptr(GError) why = NULL;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	if (!node || !node->spec->job.is_ephemeral || isc_node_state_is_up(node->state) ||
			isc_node_is_stand_in(node) ||
			!isc_register_get_restart(dock->reg, node->uuid, &restart, NULL) ||
			restart.next_at)
		return;
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = { .verb = ISC_VERB_DESTROY,
		.node = name,
		.caller = ISC_CALLER_DOCK,
		.force = TRUE,
		.uuid = node->uuid };
	if (!isc_verb_run(dock, &request, &out, &why))
		isc_dock_event(dock, name, "node.ephemeral", "warn", ISC_CALLER_DOCK,
				"%s has stopped and could not be destroyed: %s", name,
				why->message);
}

static void vanish(IscDock *dock, gpointer data)
{
	g_autofree gchar *name = data;
	isc_jobs_vanish(dock, name);
}

void isc_jobs_start(IscDock *dock)
{
	g_autoptr(GError) why = NULL;
	if (!isc_register_close_runs(dock->reg, "interrupted: the dock went down", &why))
		g_warning("runs of jobs: %s", why->message);
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		IscJobRun run;
		if (node->spec->job.is_ephemeral && !isc_node_state_is_up(node->state))
			isc_dock_do(dock, vanish, g_strdup(node->spec->name));
		/* Also one that is over: the daemon may have died between that and its node's end.
		 */
		if (node->spec->job.max_runtime_s && isc_node_state_is_up(node->state) &&
				isc_register_last_run(dock->reg, node->uuid, FALSE, &run, NULL) &&
				run.id)
			isc_overrun_watch(dock, node, &run);
	}
}

/* --- looking ------------------------------------------------------------------------------- */

static GVariant *variant_of(const IscJobRun *run)
{
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "id", g_variant_new_uint64(run->id));
	isc_answer_put(&b, "name", g_variant_new_string(run->name));
	isc_answer_put(&b, "uuid", g_variant_new_string(run->uuid));
	isc_answer_put(&b, "cause", g_variant_new_string(run->cause));
	isc_answer_put(&b, "due", g_variant_new_int64(run->due));
	isc_answer_put(&b, "started", g_variant_new_int64(run->started));
	isc_answer_put(&b, "ended", g_variant_new_int64(run->ended));
	isc_answer_put(&b, "state", g_variant_new_string(isc_run_state_name(run->state)));
	isc_answer_put(&b, "exit-status", g_variant_new_int32(run->status));
	isc_answer_put(&b, "exit-signal", g_variant_new_int32(run->sig));
	isc_answer_put(&b, "caller", g_variant_new_uint32(run->caller));
	isc_answer_put(&b, "message", g_variant_new_string(run->message));
	return g_variant_builder_end(&b);
}

void isc_jobs_show(IscDock *dock, const IscNode *node, GVariantBuilder *b)
{
	IscJobRun run;
	IscJobDue due;
	const IscJobSpec *job = &node->spec->job;
	isc_answer_put(b, "job", g_variant_new_boolean(job->is_job));
	isc_answer_put(b, "ephemeral", g_variant_new_boolean(job->is_ephemeral));
	if (!job->is_job)
		return;
	isc_answer_put(b, "max-runtime", g_variant_new_uint32(job->max_runtime_s));
	isc_answer_put(b, "schedule", g_variant_new_string(job->schedule));
	isc_answer_put(b, "schedule-paused", g_variant_new_boolean(job->is_paused));
	if (isc_register_get_due(dock->reg, node->uuid, &due, NULL))
		isc_answer_put(b, "schedule-next", g_variant_new_int64(due.due));
	if (isc_register_last_run(dock->reg, node->uuid, FALSE, &run, NULL) && run.id)
		isc_answer_put(b, "last-run", variant_of(&run));
}

void isc_jobs_show_result(IscDock *dock, const IscNode *node, GVariantBuilder *b)
{
	IscJobRun run;
	if (!node->spec->job.is_job ||
			!isc_register_last_run(dock->reg, node->uuid, FALSE, &run, NULL))
		return;
	const gchar *state = run.id ? isc_run_state_name(run.state) : "waits";
	g_autofree gchar *text = run.state == ISC_RUN_FAILED && run.status > 0
						 ? g_strdup_printf("%s %d", state, run.status)
						 : g_strdup(state);
	isc_answer_put(b, "job-result", g_variant_new_string(text));
}

GVariant *isc_jobs_list(IscCall *call, GError **error)
{
	const gchar *name;
	guint64 id;
	guint32 max;
	g_variant_get(call->params, "(&stu)", &name, &id, &max);
	if (max < 1 || max > 1000) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID, "max is 1 to 1000");
		return NULL;
	}
	if (*name && !isc_name_check("node", name, error))
		return NULL;
	g_autoptr(GPtrArray) runs = isc_register_list_runs(
			call->dock->reg, name, MIN(id, (guint64)G_MAXINT64), max, error);
	if (!runs)
		return NULL;
	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < runs->len; i++)
		g_variant_builder_add(&list, "@a{sv}", variant_of(runs->pdata[i]));
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}
