#include "daemon/verbs.h"

#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "daemon/act.h"
#include "daemon/bus.h"
#include "daemon/admission.h"
#include "daemon/drain.h"
#include "daemon/jobs.h"
#include "daemon/env.h"
#include "daemon/limits.h"
#include "daemon/reconcile.h"
#include "daemon/restart.h"
#include "daemon/restore.h"
#include "daemon/room.h"
#include "daemon/stalled.h"
#include "daemon/steps.h"
#include "daemon/upgrade.h"
#include "daemon/tombstone.h"
#include "engine/vm-domain.h"
#include "policy/advice.h"
#include "policy/planner.h"
#include "policy/rule-change.h"

void isc_outcome_clear(IscOutcome *outcome)
{
	g_clear_pointer(&outcome->plan, isc_plan_free);
	g_clear_pointer(&outcome->warnings, g_ptr_array_unref);
}

/* --- the plan, observed -------------------------------------------------------------------- */

typedef struct {
	IscDock *dock;
	guint64 op;
	GPtrArray *warnings;
} Watch;

/* Tests set ISC_FAULT=kill:VERB:STEP to have the dock die, as if the power went, when that step is
 * written down and not yet made; "taking back" counts as VERB "undo". */
static void maybe_die(const IscPlan *plan, guint index, gboolean undoing)
{
	const gchar *fault = g_getenv("ISC_FAULT");
	if (!fault)
		return;
	g_autofree gchar *here = g_strdup_printf(
			"kill:%s:%u", undoing ? "undo" : isc_verb_name(plan->verb), index);
	if (g_str_equal(fault, here))
		raise(SIGKILL);
}

/* On a full disk the reserve is there for this: what is ordered may be what makes room. */
static guint64 begin_op(IscDock *dock, const IscPlan *plan, guint caller, GError **error)
{
	g_autoptr(GError) why = NULL;
	guint64 op = isc_register_begin_op(dock->reg, plan, caller, &why);
	if (op == 0 && isc_room_give_reserve(dock))
		return isc_register_begin_op(dock->reg, plan, caller, error);
	if (op == 0)
		g_propagate_error(error, g_steal_pointer(&why));
	return op;
}

static gboolean step_op(Watch *watch, guint index, gboolean undoing, GError **error)
{
	g_autoptr(GError) why = NULL;
	gboolean ok = isc_register_step_op(watch->dock->reg, watch->op, index, undoing, &why);
	if (!ok && isc_room_give_reserve(watch->dock))
		return isc_register_step_op(watch->dock->reg, watch->op, index, undoing, error);
	if (!ok)
		g_propagate_error(error, g_steal_pointer(&why));
	return ok;
}

static gboolean before_step(
		gpointer data, const IscPlan *plan, guint index, gboolean undoing, GError **error)
{
	Watch *watch = data;
	if (!step_op(watch, index, undoing, error))
		return FALSE;
	isc_act_step(watch->dock, plan, watch->op, index, undoing);
	maybe_die(plan, index, undoing);
	if (watch->dock->bus) {
		g_autofree gchar *text =
				isc_step_describe(&g_array_index(plan->steps, IscStep, index));
		isc_bus_progress(watch->dock->bus, plan->node, watch->op, index + 1,
				plan->steps->len, undoing ? "taking it back" : text);
	}
	return TRUE;
}

static void step_failed(gpointer data, const IscPlan *plan, guint index, const GError *why)
{
	Watch *watch = data;
	g_autofree gchar *step = isc_step_describe(&g_array_index(plan->steps, IscStep, index));
	g_message("node '%s', op %" G_GUINT64_FORMAT ", step '%s': %s", plan->node, watch->op, step,
			why->message);
	g_ptr_array_add(watch->warnings, g_strdup_printf("%s: %s", step, why->message));
	isc_act_step_failed(watch->dock, plan, watch->op, index, why);
}

gboolean isc_verbs_run_plan(IscDock *dock, const IscPlan *plan, const IscNode *node, guint caller,
		GCancellable *cancel, GPtrArray *warnings, guint64 *order, gboolean *undone,
		GError **error)
{
	Watch watch = { dock, begin_op(dock, plan, caller, error), warnings };
	*order = watch.op;
	*undone = watch.op == 0; /* nothing is made that is not written down first */
	if (*undone)
		return FALSE;
	isc_act_order_begin(dock, plan, watch.op, node, caller);
	IscObserver observer = { before_step, step_failed, &watch };
	g_autoptr(GError) why = NULL;
	gboolean ok = isc_engine_run(&dock->engine, plan, node, &observer, cancel, undone, &why);
	isc_steps_end_verifying(dock, plan->node); /* where it did not come to a START */

	isc_act_order_end(dock, plan, watch.op, node, caller, *undone, why);
	g_autoptr(GError) late = NULL;
	if (!isc_register_end_op(dock->reg, watch.op, ok ? 0 : isc_error_exit_status(why),
			    ok ? NULL : why->message, &late))
		g_warning("journal of '%s': %s", plan->node, late->message);
	if (!ok)
		g_propagate_error(error, g_steal_pointer(&why));
	return ok;
}

/* --- what a verb leaves behind ------------------------------------------------------------- */

static gboolean is_ready_now(IscDock *dock, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	return isc_dock_run(dock, name)->ready;
}

gboolean isc_verbs_ask_running(IscDock *dock, const gchar *name, gboolean *running, GError **error)
{
	g_autofree gchar *domain = isc_node_domain(name);
	IscVmState seen = ISC_VM_STATE_ABSENT;
	gboolean known = isc_vm_state(dock->vm, domain, &seen, error);
	*running = known && (seen == ISC_VM_STATE_RUNNING || seen == ISC_VM_STATE_PAUSED);
	return known;
}

/* The state while the verb is under way; 0 (disabled, which none leads to) where it does not
 * change. */
static const IscNodeState state_during[ISC_N_VERBS] = {
	[ISC_VERB_ENABLE] = ISC_NODE_ENABLING,
	[ISC_VERB_SNAPSHOT_RESTORE] = ISC_NODE_ENABLING,
	[ISC_VERB_DISABLE] = ISC_NODE_DISABLING,
	[ISC_VERB_DESTROY] = ISC_NODE_DESTROYING,
};

IscNodeState isc_verb_state_of_running(IscDock *dock, const gchar *name)
{
	return is_ready_now(dock, name) ? ISC_NODE_READY : ISC_NODE_UNREADY;
}

void isc_verbs_forget(IscDock *dock, const gchar *name)
{
	isc_env_erase(dock, name);
	(void)isc_register_remove_node(dock->reg, name, NULL);
	if (dock->bus)
		isc_bus_remove_node(dock->bus, name);
}

void isc_verbs_leave(IscDock *dock, const gchar *name, const gchar *why)
{
	g_autofree gchar *text = g_strdup_printf(
			"it was not provisioned (%s), and goes when libvirtd answers", why);
	isc_dock_set_state(dock, name, ISC_NODE_DESTROYING, text, ISC_CALLER_DOCK);
}

static void settle_destroyed(IscDock *dock, const IscNode *node, guint caller)
{
	const gchar *name = node->spec->name;
	if (isc_env_erase(dock, name))
		isc_tombstone_add(dock, node->uuid, "environment and its key");
	isc_tombstone_end(dock, node->uuid, caller);
	(void)isc_register_remove_node(dock->reg, name, NULL);
	if (dock->bus)
		isc_bus_remove_node(dock->bus, name);
	g_auto(GStrv) shredded = isc_tombstone_shredded(dock, node->uuid);
	g_autofree gchar *list = g_strjoinv(", ", shredded);
	isc_dock_event(dock, name, "node.destroyed", "info", caller, "%s (%s) is destroyed%s%s",
			name, node->uuid, *list ? "; shredded: " : "", list);
}

void isc_verbs_settle(IscDock *dock, const IscRequest *request, const IscNode *node, gboolean ok,
		gboolean undone, const GError *why)
{
	const gchar *name = node->spec->name;
	const gchar *problem = ok ? NULL : why->message;
	gboolean running = FALSE;

	switch (request->verb) {
	case ISC_VERB_ENABLE:
	case ISC_VERB_SNAPSHOT_RESTORE:
		/* One that was only to be copied yet runs on. */
		if (undone && request->verb == ISC_VERB_SNAPSHOT_RESTORE)
			(void)isc_verbs_ask_running(dock, name, &running, NULL);
		if (undone && !running)
			isc_dock_set_state(dock, name, ISC_NODE_FAILED, problem, request->caller);
		else
			isc_dock_set_state(dock, name, isc_verb_state_of_running(dock, name), NULL,
					request->caller);
		break;
	case ISC_VERB_DISABLE:
		isc_dock_set_state(dock, name, ok ? ISC_NODE_DISABLED : ISC_NODE_FAILED, problem,
				request->caller);
		break;
	case ISC_VERB_SUSPEND:
		if (ok)
			isc_dock_set_state(dock, name, ISC_NODE_SUSPENDED, NULL, request->caller);
		break;
	case ISC_VERB_RESUME:
		if (ok)
			isc_dock_set_state(dock, name, isc_verb_state_of_running(dock, name), NULL,
					request->caller);
		break;
	case ISC_VERB_QUARANTINE:
		if (!undone)
			isc_dock_set_state(dock, name, ISC_NODE_QUARANTINED, request->reason,
					request->caller);
		break;
	case ISC_VERB_RELEASE:
		(void)isc_verbs_ask_running(dock, name, &running, NULL);
		isc_dock_set_state(dock, name,
				running ? isc_verb_state_of_running(dock, name) : ISC_NODE_DISABLED,
				request->reason, request->caller);
		break;
	case ISC_VERB_DESTROY:
		if (!ok) {
			isc_dock_set_state(
					dock, name, ISC_NODE_DESTROYING, problem, request->caller);
			break;
		}
		settle_destroyed(dock, node, request->caller);
		break;
	case ISC_VERB_PROVISION:
	case ISC_VERB_SNAPSHOT_CREATE:
	case ISC_VERB_SNAPSHOT_DELETE:
	case ISC_VERB_EXPOSE:
	case ISC_VERB_UNEXPOSE:
	case ISC_VERB_ALLOW:
	case ISC_VERB_DENY:
	case ISC_VERB_UPGRADE: /* daemon/upgrade.c */
	case ISC_VERB_ROLLBACK:
	case ISC_VERB_VOLUME_ATTACH:
	case ISC_VERB_VOLUME_DETACH:
	case ISC_VERB_LIMIT:
	case ISC_VERB_VOLUME_CREATE:
	case ISC_VERB_VOLUME_IMPORT:
	case ISC_VERB_VOLUME_RESIZE:
	case ISC_VERB_VOLUME_REKEY:
	case ISC_VERB_VOLUME_REMOVE:
	case ISC_N_VERBS:
		break;
	}
}

/* Enough of a node to cut it off, where the register cannot be read.  (transfer full) or NULL */
static IscNode *remembered(IscDock *dock, const gchar *name)
{
	g_mutex_lock(&dock->lock);
	guint slot = isc_dock_run(dock, name)->slot;
	g_mutex_unlock(&dock->lock);
	g_autofree gchar *text = g_strdup_printf("[Node]\nName=%s\nImage=unknown\n", name);
	g_autoptr(IscNode) node = g_new0(IscNode, 1);
	node->spec = isc_spec_parse("node", text, strlen(text), NULL);
	node->slot = slot;
	node->state = ISC_NODE_READY;
	return slot && node->spec ? g_steal_pointer(&node) : NULL;
}

/* Node @name and its stand-in, so far as they are up.  (transfer full) of IscNode */
static GPtrArray *those_up(IscDock *dock, const gchar *name)
{
	GPtrArray *up = g_ptr_array_new_with_free_func((GDestroyNotify)isc_node_free);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, &why);
	if (!node && !g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		node = remembered(dock, name);
	g_autoptr(IscNode) other = node ? isc_upgrade_stand_in(dock, name) : NULL;
	if (node && isc_node_state_is_up(node->state))
		g_ptr_array_add(up, g_steal_pointer(&node));
	if (other && isc_node_state_is_up(other->state))
		g_ptr_array_add(up, g_steal_pointer(&other));
	return up;
}

gboolean isc_verbs_drop(IscDock *dock, const gchar *name, gboolean *cut_off, GError **error)
{
	g_autoptr(GPtrArray) up = those_up(dock, name);
	gboolean ok = TRUE;
	*cut_off = FALSE;
	for (guint i = 0; i < up->len; i++) {
		const gboolean is = isc_steps_drop(dock, up->pdata[i], ok ? error : NULL);
		*cut_off = *cut_off || is;
		ok = ok && is;
	}
	return ok;
}

void isc_verbs_end_flows(IscDock *dock, const gchar *name)
{
	g_autoptr(GPtrArray) up = those_up(dock, name);
	for (guint i = 0; i < up->len; i++) {
		g_autoptr(GError) why = NULL;
		if (!isc_steps_end_flows(dock, up->pdata[i], &why))
			g_warning("what '%s' had open: %s", name, why->message);
	}
}

/* Quarantine's first act. */
static void cut_now(IscDock *dock, const IscRequest *request, gint64 began, IscOutcome *out)
{
	g_autoptr(GError) why = NULL;
	gboolean cut_off;
	if (!isc_verbs_drop(dock, request->node, &cut_off, &why))
		g_ptr_array_add(out->warnings, g_strdup_printf("cut: %s", why->message));
	else if (cut_off)
		out->cut_off_ms = (gdouble)(g_get_monotonic_time() - began) / 1000.0;
	isc_verbs_end_flows(dock, request->node);
}

/* Undone, cancelled or failed: what the caller is told.  A plan of undo steps that met trouble is
 * an error too, but one that soft steps did not spoil. */
static gboolean is_success(IscVerb verb, gboolean ok, gboolean undone)
{
	return ok ||
	       (!undone && (verb == ISC_VERB_QUARANTINE || verb == ISC_VERB_SNAPSHOT_RESTORE ||
					   verb == ISC_VERB_VOLUME_ATTACH ||
					   verb == ISC_VERB_VOLUME_DETACH ||
					   verb == ISC_VERB_LIMIT ||
					   isc_verb_is_about_rules(verb)));
}

static void advise(IscDock *dock, const IscNode *node, GPtrArray *warnings)
{
	g_autofree gchar *ref = g_strconcat("sha256:", node->digest, NULL);
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, ref, NULL);
	if (image)
		isc_policy_advise(node->spec, image, warnings);
}

/* A set that is in quarantine as a whole is released as a whole: else the dock would put the one
 * back that is not. */
static gboolean is_held_by_set(IscDock *dock, const IscNode *node, GError **error)
{
	const gchar *name = node->spec->replica.set;
	g_autoptr(IscReplicaSet) set = isc_register_get_set(dock->reg, name, NULL);
	if (!set || !*set->quarantine)
		return FALSE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"node '%s' is a member of set '%s', all of which is in quarantine: a "
			"security officer releases it with 'isc-vm release %s'",
			node->spec->name, name, name);
	return TRUE;
}

/* Members of a set are equal. */
static gboolean is_for_set(
		IscDock *dock, const IscRequest *request, const IscNode *node, GError **error)
{
	gboolean asks = isc_verb_is_about_rules(request->verb) || request->verb == ISC_VERB_LIMIT;
	if (request->of_set || !*node->spec->replica.set)
		return FALSE;
	if (request->verb == ISC_VERB_RELEASE)
		return is_held_by_set(dock, node, error);
	if (!asks)
		return FALSE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"node '%s' is a member of set '%s', and its members are equal: 'isc-vm %s "
			"%s' changes all of them, and those to come",
			request->node, node->spec->replica.set, isc_verb_name(request->verb),
			node->spec->replica.set);
	return TRUE;
}

/* What of the caller's rules is a change, and may be made: also what a dry run tells.  (transfer
 * full) */
static gchar *plan_rules(IscDock *dock, const IscRequest *request, const IscNode *node,
		gboolean *done, GPtrArray *warnings, GError **error)
{
	g_autofree gchar *change =
			isc_rule_change_plan(node->spec, request->verb, request->rules, error);
	if (!change)
		return NULL;
	*done = *change == '\0';
	if (*done)
		return g_steal_pointer(&change);

	g_auto(IscRuleChange) after = { 0 };
	if (!isc_rule_change_work_out(node->spec, change, /* back= */ FALSE, &after, error))
		return NULL;
	isc_spec_set_rules(node->spec, after.expose, after.egress);
	if (request->verb == ISC_VERB_EXPOSE)
		advise(dock, node, warnings);
	return isc_admission_rules(dock, node, after.opened, /* enter= */ FALSE, error)
			       ? g_steal_pointer(&change)
			       : NULL;
}

static gboolean run_verb(IscDock *dock, const IscRequest *request, GCancellable *cancel,
		IscOutcome *out, GError **error)
{
	g_autoptr(IscNode) node = isc_dock_load_node(dock, request->node, error);
	if (!node || !isc_node_check_verb(node, request->verb, &out->done, error) ||
			is_for_set(dock, request, node, error) ||
			!isc_upgrade_admits(dock, node, request, error))
		return FALSE;
	if (request->timeout_s)
		node->spec->timeout_s = request->timeout_s;
	if (request->verb == ISC_VERB_DESTROY && node->spec->protect) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
				"node '%s' is protected: 'isc-vm unprotect' it first",
				request->node);
		return FALSE;
	}

	if (request->verb == ISC_VERB_RESUME && !isc_stalled_admits(dock, node, error))
		return FALSE;
	gboolean running = TRUE;
	if (request->verb == ISC_VERB_RELEASE &&
			!isc_verbs_ask_running(dock, request->node, &running, error))
		return FALSE;
	g_autofree gchar *refill = NULL;
	if (request->verb == ISC_VERB_SNAPSHOT_RESTORE &&
			!(refill = isc_restore_plan(dock, node, request->snapshot, error)))
		return FALSE;
	g_autofree gchar *rules = NULL;
	if (isc_verb_is_about_rules(request->verb) &&
			!(rules = plan_rules(
					  dock, request, node, &out->done, out->warnings, error)))
		return FALSE;
	g_autofree gchar *limits = NULL;
	if (request->verb == ISC_VERB_LIMIT && !(limits = isc_limits_plan(dock, request, node,
								 &out->done, out->warnings, error)))
		return FALSE;
	g_autofree gchar *evidence =
			request->verb == ISC_VERB_QUARANTINE
					? g_strconcat(request->snapshot,
							  request->memory ? ISC_ARG_MEMORY : "",
							  " ", request->reason, NULL)
					: NULL;
	const IscPlanOptions options = { .enable = TRUE,
		.rules = rules,
		.limits = limits,
		.running = running,
		.refill = refill,
		.volume = request->volume,
		.pause = request->pause,
		.ask = !request->force,
		.drop = request->drop,
		.snapshot = evidence ? evidence : request->snapshot };
	out->plan = out->done ? isc_plan_new(request->verb, request->node)
			      : isc_planner_plan(request->verb, node, &options);
	if (out->done || request->dry_run)
		return TRUE;

	if (request->verb == ISC_VERB_ENABLE || request->verb == ISC_VERB_SNAPSHOT_RESTORE) {
		if (!isc_drain_may_start(dock, error) || !isc_admission_again(dock, node, error))
			return FALSE;
	}
	if ((request->verb == ISC_VERB_ENABLE || request->verb == ISC_VERB_SNAPSHOT_RESTORE) &&
			!isc_jobs_begin(dock, node, request, error))
		return FALSE;
	if (request->verb == ISC_VERB_DESTROY)
		isc_tombstone_begin(dock, node);
	if (state_during[request->verb])
		isc_dock_set_state(dock, request->node, state_during[request->verb], NULL,
				request->caller);

	gboolean undone = FALSE;
	g_autoptr(GError) why = NULL;
	gboolean ok = isc_verbs_run_plan(dock, out->plan, node, request->caller, cancel,
			out->warnings, &out->order, &undone, &why);
	isc_verbs_settle(dock, request, node, ok, undone, why);
	isc_jobs_settle(dock, request, node, undone, why ? why->message : NULL);
	const gchar *change = rules ? rules : limits;
	if (change && !undone)
		isc_dock_event(dock, request->node, rules ? "node.rules" : "node.limits", "info",
				request->caller, "%s: %s", request->node, change);
	if (is_success(request->verb, ok, undone))
		return !isc_verbs_is_seized(dock, request->node, error);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* The verb that @name is busy with, or NULL; static. */
static const gchar *busy_with(IscDock *dock, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	return isc_dock_run(dock, name)->busy;
}

/* @was: what it was busy with when the order came, and with that the node has gone. */
static gboolean is_gone(
		const IscRequest *request, const gchar *was, IscOutcome *out, GError **error)
{
	if (request->verb == ISC_VERB_DESTROY) {
		g_clear_error(error);
		out->plan = isc_plan_new(request->verb, request->node);
		return TRUE;
	}
	if (request->verb == ISC_VERB_QUARANTINE &&
			g_str_equal(was, isc_verb_name(ISC_VERB_PROVISION)))
		g_prefix_error(error,
				"'%s' was being provisioned and did not run yet: that is taken "
				"back, and nothing is left of it: ",
				request->node);
	return FALSE;
}

/* An order: what the dock meant to do by itself is void. */
static gboolean ends_restarts(const IscRequest *request)
{
	if (request->dry_run)
		return FALSE;
	return request->verb == ISC_VERB_QUARANTINE ||
	       (request->caller != ISC_CALLER_DOCK &&
			       (request->verb == ISC_VERB_ENABLE ||
					       request->verb == ISC_VERB_DISABLE ||
					       request->verb == ISC_VERB_SNAPSHOT_RESTORE));
}

gboolean isc_verb_run(IscDock *dock, const IscRequest *request, IscOutcome *out, GError **error)
{
	if (isc_verb_is_upgrade(request->verb))
		return isc_upgrade_run(dock, request, out, error);
	gint64 began = g_get_monotonic_time();
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	out->warnings = g_ptr_array_new_with_free_func(g_free);

	if (request->verb == ISC_VERB_QUARANTINE && !request->dry_run)
		cut_now(dock, request, began, out);
	const gchar *was = busy_with(dock, request->node);
	if (!isc_verbs_take_for(dock, request->node, request->verb, /* may_interrupt= */
			    !request->dry_run, cancel, error))
		return FALSE;
	if (ends_restarts(request))
		isc_restart_cancel(dock, request->node);
	gboolean ok = run_verb(dock, request, cancel, out, error);
	isc_verbs_give_back(dock, request->node);
	if (!ok && was && error && g_error_matches(*error, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		ok = is_gone(request, was, out, error);
	if (request->caller != ISC_CALLER_DOCK && !request->dry_run &&
			request->verb != ISC_VERB_DESTROY)
		isc_jobs_vanish(dock, request->node);
	if (!ok && out->cut_off_ms > 0 && error &&
			!g_error_matches(*error, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		g_prefix_error(error,
				"'%s' is cut off, but without evidence, and not on record: a "
				"restart "
				"of isc-dockd would undo it; ask again once this is mended: ",
				request->node);
	out->seconds = (gdouble)(g_get_monotonic_time() - began) / G_USEC_PER_SEC;
	return ok;
}

/* --- protection ---------------------------------------------------------------------------- */

gboolean isc_verb_protect(IscDock *dock, const gchar *name, gboolean on, guint caller,
		gboolean *changed, GError **error)
{
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	if (!isc_verbs_take(dock, name, ISC_VERB_EXPOSE, cancel, error))
		return FALSE;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, error);
	gboolean ok = node &&
		      (!node->damage || isc_node_check_verb(node, ISC_VERB_EXPOSE, changed, error));
	*changed = ok && node->spec->protect != on;
	if (*changed) {
		node->spec->protect = on;
		ok = isc_register_set_spec(dock->reg, node->spec, error);
	}
	/* The definition's copy of it; without libvirtd it is mended by the next reconciling. */
	g_autoptr(GError) why = NULL;
	if (ok && *changed &&
			!dock->engine.adapters[ISC_STEP_DEFINE].up(
					dock->engine.self, node, "", NULL, &why))
		g_message("node '%s': %s", name, why->message);
	isc_verbs_give_back(dock, name);
	if (ok && *changed)
		isc_dock_event(dock, name, "node.protect", "info", caller, "%s is %s", name,
				on ? "protected: it cannot be destroyed" : "no longer protected");
	return ok;
}
