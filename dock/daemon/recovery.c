#include "daemon/recovery.h"

#include "base/error.h"
#include "daemon/verbs.h"
#include "daemon/volumes.h"
#include "engine/vm-domain.h"
#include "policy/planner.h"

/* This start has drawn the boundary with the node, whether its plan had come to that or not. */
static gboolean take_fence_away(IscDock *dock, const IscNode *node)
{
	g_autoptr(GError) why = NULL;
	const IscAdapter *fence = &dock->engine.adapters[ISC_STEP_FENCE];
	if (fence->down(dock->engine.self, node, "", NULL, &why))
		return TRUE;
	g_message("node '%s': %s", node->spec->name, why->message);
	return FALSE;
}

/* @message: why it does not run */
static void set_by_domain(IscDock *dock, const gchar *name, gboolean running, const gchar *message)
{
	isc_dock_set_state(dock, name, running ? ISC_NODE_UNREADY : ISC_NODE_FAILED, message,
			ISC_CALLER_DOCK);
}

/* What is left of @node now that the plan of @verb was taken back or brought to its end. */
static void leave(IscDock *dock, IscVerb verb, const IscNode *node, gboolean ok, gboolean undone,
		const GError *why)
{
	const gchar *name = node->spec->name;
	const IscRequest request = { .verb = verb,
		.node = name,
		.caller = ISC_CALLER_DOCK,
		.reason = "interrupted while it was put into quarantine" };
	gboolean running = FALSE;

	if (verb == ISC_VERB_PROVISION && take_fence_away(dock, node) && ok) {
		isc_verbs_forget(dock, name);
	} else if (verb == ISC_VERB_PROVISION) {
		isc_verbs_leave(dock, name, "interrupted");
	} else if (verb == ISC_VERB_ENABLE || verb == ISC_VERB_SNAPSHOT_RESTORE) {
		/* One that was only to be copied yet runs on. */
		if (verb == ISC_VERB_SNAPSHOT_RESTORE)
			(void)isc_verbs_ask_running(dock, name, &running, NULL);
		set_by_domain(dock, name, running, "interrupted while it was started");
	} else if (isc_verb_is_upgrade(verb)) {
		if (node->state == ISC_NODE_ENABLING &&
				isc_verbs_ask_running(dock, name, &running, NULL))
			set_by_domain(dock, name, running, "interrupted while it was upgraded");
	} else {
		isc_verbs_settle(dock, &request, node, ok, undone, why);
	}
}

static void recover_op(IscDock *dock, const IscOp *op)
{
	const gchar *name = op->plan->node;
	if (*name == '@') {
		isc_volumes_recover(dock, op);
		return;
	}
	g_autoptr(IscNode) node = isc_dock_load_node(dock, name, NULL);
	isc_dock_event(dock, name, "dock.recover", "warn", ISC_CALLER_DOCK,
			"'%s' of %s was interrupted: %s", isc_verb_name(op->plan->verb), name,
			node ? "it is taken back or brought to its end"
			     : "nothing is left of the node");
	if (node) {
		g_autoptr(IscPlan) plan = isc_planner_recover(op->plan, op->reached);
		g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
		g_autoptr(GError) why = NULL;
		guint64 order = 0;
		gboolean undone = FALSE;
		gboolean ok = isc_verbs_run_plan(dock, plan, node, ISC_CALLER_DOCK, NULL, warnings,
				&order, &undone, &why);
		leave(dock, op->plan->verb, node, ok, undone, why);
	}
	g_autoptr(GError) late = NULL;
	if (!isc_register_end_op(dock->reg, op->id, 1, "interrupted; recovered", &late))
		g_warning("journal: %s", late->message);
}

/* The plan was through, and the daemon died before it wrote down what that means. */
static void finish_one(IscDock *dock, const IscNode *node)
{
	g_auto(IscOutcome) out = { 0 };
	g_autoptr(GError) why = NULL;
	const IscRequest request = {
		.verb = node->state == ISC_NODE_DESTROYING ? ISC_VERB_DESTROY : ISC_VERB_DISABLE,
		.node = node->spec->name,
		.caller = ISC_CALLER_DOCK,
		.force = TRUE,
	};
	if (!isc_verb_run(dock, &request, &out, &why))
		g_message("node '%s': %s", node->spec->name, why->message);
	else if (node->state == ISC_NODE_ENABLING)
		isc_dock_set_state(dock, node->spec->name, ISC_NODE_FAILED,
				"interrupted while it was started", ISC_CALLER_DOCK);
}

void isc_recovery_finish(IscDock *dock)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len && isc_vm_is_connected(dock->vm); i++) {
		const IscNode *node = nodes->pdata[i];
		if (node->state == ISC_NODE_DESTROYING && !isc_dock_is_busy(dock, node->spec->name))
			finish_one(dock, node);
	}
}

void isc_recovery_run(IscDock *dock)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) ops = isc_register_unfinished_ops(dock->reg, &why);
	if (!ops) {
		g_warning("journal: %s", why->message);
		return;
	}
	for (guint i = 0; i < ops->len; i++)
		recover_op(dock, ops->pdata[i]);

	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		if (node->state == ISC_NODE_ENABLING || node->state == ISC_NODE_DISABLING ||
				node->state == ISC_NODE_DESTROYING)
			finish_one(dock, node);
	}
}
