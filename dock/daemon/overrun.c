#include "daemon/overrun.h"

#include "daemon/jobs.h"
#include "daemon/restart.h"
#include "daemon/schedule.h"

#define BUSY_AGAIN_S 1
#define QUARANTINE_AGAIN_S 60

typedef struct {
	IscDock *dock;
	gchar *name;
	guint64 run; /* a timer of an earlier one is void */
} Due;

static void due_free(gpointer data)
{
	Due *due = data;
	g_free(due->name);
	g_free(due);
}

static void look(IscDock *dock, gpointer data);

static gboolean on_due(gpointer data)
{
	const Due *due = data;
	Due *copy = g_new(Due, 1);
	*copy = (Due){ due->dock, g_strdup(due->name), due->run };
	isc_dock_do(due->dock, look, copy);
	return G_SOURCE_REMOVE;
}

/* By the clock that nobody sets. */
static void look_in(IscDock *dock, const gchar *name, guint64 run, guint in_s)
{
	Due *due = g_new(Due, 1);
	*due = (Due){ dock, g_strdup(name), run };
	g_timeout_add_full(G_PRIORITY_DEFAULT, in_s * 1000, on_due, due, due_free);
}

/* A restart is entered with the end of the run, once: a daemon that died after that finds it. */
static gboolean enter_restart(IscDock *dock, const IscNode *node, const gchar *why)
{
	IscRestartRecord record;
	if (isc_overrun_is_over(dock, node))
		return isc_register_get_restart(dock->reg, node->uuid, &record, NULL) &&
		       record.next_at != 0;
	return isc_restart_enter(dock, node->spec->name, ISC_ENDING_FAILED, why);
}

/* What is on record comes first: a daemon that dies from here on finds a node that is up though its
 * newest run is over, and looks again (isc_jobs_start()). */
static void end(IscDock *dock, const IscNode *node, guint64 run)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *why = g_strdup_printf(
			"it ran longer than MaxRuntime=%u", node->spec->job.max_runtime_s);
	g_autoptr(GError) problem = NULL;
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = {
		.verb = ISC_VERB_DISABLE, .node = name, .caller = ISC_CALLER_DOCK
	};
	gboolean again = enter_restart(dock, node, why);
	isc_jobs_end(dock, node, run, ISC_RUN_FAILED, -1, 0, why);
	if (!isc_verb_run(dock, &request, &out, &problem)) {
		g_message("node '%s' has run too long and could not be stopped: %s", name,
				problem->message);
		look_in(dock, name, run, BUSY_AGAIN_S);
		return;
	}
	isc_dock_set_state(dock, name, ISC_NODE_FAILED, why, ISC_CALLER_DOCK);
	if (again) {
		isc_restart_schedule(dock, name);
		return;
	}
	isc_jobs_vanish(dock, name);
	isc_schedule_ended(dock, node);
}

/* In a worker thread: is it still that run? */
static void look(IscDock *dock, gpointer data)
{
	Due *due = data;
	IscJobRun run;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, due->name, NULL);
	gboolean is_it = !dock->stopping && node && isc_node_state_is_up(node->state) &&
			 isc_register_last_run(dock->reg, node->uuid, FALSE, &run, NULL) &&
			 run.id == due->run;
	if (is_it && node->state == ISC_NODE_QUARANTINED)
		look_in(dock, due->name, due->run, QUARANTINE_AGAIN_S);
	else if (is_it && isc_dock_is_busy(dock, due->name))
		look_in(dock, due->name, due->run, BUSY_AGAIN_S);
	else if (is_it)
		end(dock, node, due->run);
	due_free(due);
}

gboolean isc_overrun_is_over(IscDock *dock, const IscNode *node)
{
	IscJobRun run;
	return node->spec->job.max_runtime_s && isc_node_state_is_up(node->state) &&
	       isc_register_last_run(dock->reg, node->uuid, FALSE, &run, NULL) && run.id &&
	       run.state != ISC_RUN_RUNNING;
}

void isc_overrun_watch(IscDock *dock, const IscNode *node, const IscJobRun *run)
{
	const gint64 max = node->spec->job.max_runtime_s;
	if (max == 0)
		return;
	/* However the clock was set meanwhile, it is not more than that. */
	gint64 left = run->started + max - g_get_real_time() / G_USEC_PER_SEC;
	look_in(dock, node->spec->name, run->id, (guint)CLAMP(left, 0, max));
}
