#include "daemon/restart.h"

#include "base/error.h"
#include "daemon/jobs.h"
#include "daemon/overrun.h"
#include "daemon/verbs.h"
#include "policy/restart.h"

#define BUSY_AGAIN_S 1
#define STARTERS 4 /* at once; others wait, and the workers that operators need stay free */

typedef struct {
	IscDock *dock;
	gchar *name;
	gint64 next_at; /* which of its restarts; a timer of an earlier one is void */
} Due;

static void due_free(gpointer data)
{
	Due *due = data;
	g_free(due->name);
	g_free(due);
}

static gboolean on_due(gpointer data)
{
	const Due *due = data;
	Due *copy = g_new(Due, 1);
	*copy = (Due){ due->dock, g_strdup(due->name), due->next_at };
	g_thread_pool_push(due->dock->background, copy, NULL);
	return G_SOURCE_REMOVE;
}

static void schedule_in(IscDock *dock, const gchar *name, gint64 next_at, gint64 in_s)
{
	Due *due = g_new(Due, 1);
	*due = (Due){ dock, g_strdup(name), next_at };
	g_timeout_add_full(G_PRIORITY_DEFAULT, (guint)CLAMP(in_s, 0, 86400) * 1000, on_due, due,
			due_free);
}

static gint64 now_s(void)
{
	return g_get_real_time() / G_USEC_PER_SEC;
}

static gboolean keep(IscDock *dock, const IscNode *node, const IscRestartRecord *record)
{
	g_autoptr(GError) why = NULL;
	if (isc_register_set_restart(dock->reg, node->uuid, record, &why))
		return TRUE;
	g_warning("restart of '%s' is not in the register: %s", node->spec->name, why->message);
	return FALSE;
}

/* What is to happen now; tells of it.  TRUE: a restart is entered. */
static gboolean decide(IscDock *dock, const IscNode *node, IscEnding ending, const gchar *why,
		IscRestartRecord *record)
{
	const gchar *name = node->spec->name;
	const IscUpkeep *upkeep = &node->spec->upkeep;
	if (!isc_register_get_restart(dock->reg, node->uuid, record, NULL))
		return FALSE;
	gboolean was_due = record->next_at != 0;
	gint64 now = now_s();

	switch (isc_restart_decide(upkeep, record, ending, now)) {
	case ISC_RESTART_DUE:
		g_strlcpy(record->reason, why, sizeof(record->reason));
		if (!keep(dock, node, record))
			return FALSE;
		if (ending == ISC_ENDING_HOST)
			isc_dock_event(dock, name, "node.restart", "info", ISC_CALLER_DOCK,
					"%s is started anew: %s", name, why);
		else
			isc_dock_event(dock, name, "node.restart", "warn", ISC_CALLER_DOCK,
					"%s is started anew in %" G_GINT64_FORMAT
					" s, restart %u: %s",
					name, record->next_at - now, record->in_window, why);
		return TRUE;
	case ISC_RESTART_CEILING:
		isc_dock_event(dock, name, "node.restart-limit", "alarm", ISC_CALLER_DOCK,
				"%s is not started anew: %u restarts within %u s are enough "
				"(StartLimitBurst=); 'isc-vm enable' starts it",
				name, upkeep->burst, upkeep->interval_s);
		break;
	case ISC_RESTART_REFUSED:
		isc_dock_event(dock, name, "node.restart-refused", "alarm", ISC_CALLER_DOCK,
				"%s is not started anew, it may not run here: %s", name, why);
		break;
	case ISC_RESTART_NOT_WANTED:
		break;
	}
	if (was_due)
		(void)keep(dock, node, record);
	return FALSE;
}

gboolean isc_restart_enter(IscDock *dock, const gchar *name, IscEnding ending, const gchar *why)
{
	IscRestartRecord record;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	return node && decide(dock, node, ending, why, &record);
}

void isc_restart_schedule(IscDock *dock, const gchar *name)
{
	IscRestartRecord record;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	if (node && isc_register_get_restart(dock->reg, node->uuid, &record, NULL) &&
			record.next_at)
		schedule_in(dock, name, record.next_at, record.next_at - now_s());
}

/* Errors that another try does not mend. */
static gboolean is_refusal(const GError *why)
{
	return g_error_matches(why, ISC_ERROR, ISC_ERROR_POLICY) ||
	       g_error_matches(why, ISC_ERROR, ISC_ERROR_VERIFY) ||
	       g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND);
}

static gboolean is_still_due(
		IscDock *dock, const IscNode *node, gint64 next_at, IscRestartRecord *record)
{
	return isc_register_get_restart(dock->reg, node->uuid, record, NULL) &&
	       record->next_at == next_at && next_at != 0;
}

/* No restart is due any more, unless another one was entered meanwhile. */
static void done(IscDock *dock, const IscNode *node, gint64 next_at)
{
	IscRestartRecord record;
	if (!is_still_due(dock, node, next_at, &record))
		return;
	record.next_at = 0;
	(void)keep(dock, node, &record);
}

static void enable(IscDock *dock, const IscNode *node, const Due *due)
{
	const gchar *name = node->spec->name;
	g_autoptr(GError) why = NULL;
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = {
		.verb = ISC_VERB_ENABLE, .node = name, .caller = ISC_CALLER_DOCK
	};
	if (isc_verb_run(dock, &request, &out, &why)) {
		done(dock, node, due->next_at);
		isc_dock_event(dock, name, "node.restarted", "info", ISC_CALLER_DOCK,
				"%s runs again", name);
	} else if (isc_restart_enter(dock, name,
				   is_refusal(why) ? ISC_ENDING_REFUSED : ISC_ENDING_FAILED,
				   why->message)) {
		isc_restart_schedule(dock, name);
	} else {
		isc_jobs_vanish(dock, name);
	}
}

static void start_again(gpointer data, gpointer user_data)
{
	Due *due = data;
	IscDock *dock = user_data;
	IscRestartRecord record;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, due->name, NULL);

	if (!dock->stopping && node && is_still_due(dock, node, due->next_at, &record)) {
		if (isc_dock_is_busy(dock, due->name))
			schedule_in(dock, due->name, due->next_at, BUSY_AGAIN_S);
		else if (node->state == ISC_NODE_FAILED || node->state == ISC_NODE_DISABLED)
			enable(dock, node, due);
		else if (isc_overrun_is_over(dock, node))
			schedule_in(dock, due->name, due->next_at, BUSY_AGAIN_S);
		else
			done(dock, node, due->next_at);
	}
	due_free(due);
}

void isc_restart_unhealthy(IscDock *dock, const gchar *name, const gchar *why)
{
	IscRestartRecord record;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	/* At the ceiling it is left as it is: unready, and perhaps of some use. */
	if (!node || node->state != ISC_NODE_UNREADY ||
			!decide(dock, node, ISC_ENDING_UNHEALTHY, why, &record))
		return;

	g_autoptr(GError) problem = NULL;
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = {
		.verb = ISC_VERB_DISABLE, .node = name, .caller = ISC_CALLER_DOCK, .force = TRUE
	};
	if (!isc_verb_run(dock, &request, &out, &problem))
		g_message("node '%s' is unhealthy and could not be stopped: %s", name,
				problem->message);
	else
		isc_dock_set_state(dock, name, ISC_NODE_FAILED, why, ISC_CALLER_DOCK);
	isc_restart_schedule(dock, name);
}

void isc_restart_cancel(IscDock *dock, const gchar *name)
{
	IscRestartRecord record;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	if (!node || !isc_register_get_restart(dock->reg, node->uuid, &record, NULL) ||
			(!record.next_at && !record.window_start))
		return;
	record.next_at = 0;
	record.window_start = 0;
	record.in_window = 0;
	(void)keep(dock, node, &record);
}

void isc_restart_start(IscDock *dock)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++)
		isc_restart_schedule(dock, ((const IscNode *)nodes->pdata[i])->spec->name);
}

gboolean isc_restart_pool(IscDock *dock, GError **error)
{
	dock->background = g_thread_pool_new(start_again, dock, STARTERS, FALSE, error);
	return dock->background != NULL;
}
