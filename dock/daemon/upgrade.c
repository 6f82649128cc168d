#include "daemon/upgrade.h"

#include <string.h>

#include "base/error.h"
#include "daemon/admission.h"
#include "daemon/restart.h"
#include "daemon/steps.h"
#include "model/member.h"
#include "policy/planner.h"

/* One upgrade under way. */
typedef struct {
	IscDock *dock;
	const IscRequest *request;
	GCancellable *cancel;
	IscOutcome *out;
	IscUpgradeOptions options;
	IscNode *old;   /* as it stands, with its environment */
	IscNode *new;   /* the same node of the new image */
	gchar *change;  /* owned; options.change */
	gboolean is_up; /* it ran */
} Upgrade;

static void upgrade_clear(Upgrade *u)
{
	isc_node_free(u->old);
	isc_node_free(u->new);
	g_free(u->change);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Upgrade, upgrade_clear)

/* --- what is asked for --------------------------------------------------------------------- */

static IscImage *target(const Upgrade *u, GError **error)
{
	g_autofree gchar *ref = NULL;
	if (u->request->verb == ISC_VERB_UPGRADE)
		return isc_image_store_find(u->dock->images, u->request->image, error);
	if (!*u->old->previous) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"node '%s' has nothing to roll back to: it was not upgraded, or "
				"was rolled back already; 'isc-vm upgrade' takes any image",
				u->old->spec->name);
		return NULL;
	}
	ref = g_strconcat("sha256:", u->old->previous, NULL);
	return isc_image_store_find(u->dock->images, ref, error);
}

static gboolean is_free_for_stand_in(const Upgrade *u, GError **error)
{
	g_autofree gchar *name = isc_node_stand_in_name(u->old->spec->name);
	g_autoptr(IscNode) other = isc_register_get_node(u->dock->reg, name, NULL);
	if (!other || g_strcmp0(other->stands_for, u->old->spec->name) == 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"node '%s' has the name that the stand-in of '%s' would get: rename it, or "
			"upgrade in place",
			name, u->old->spec->name);
	return FALSE;
}

/* What it does is not to be done twice, nor half. */
static gboolean is_no_running_job(const Upgrade *u, GError **error)
{
	if (!u->is_up || !u->old->spec->job.is_job)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"job '%s' runs, and would be begun anew: wait for its end with 'isc-vm "
			"job wait', or stop it with 'isc-vm disable'; its next run is of the "
			"image that it has by then",
			u->old->spec->name);
	return FALSE;
}

/* A key that is lost would be found when the node has been stopped, and then neither image starts.
 */
static gboolean does_open(const Upgrade *u, GError **error)
{
	const IscSpec *spec = u->old->spec;
	if (!u->is_up)
		return TRUE;
	for (guint i = 0; i < spec->volumes->len; i++) {
		const gchar *name = g_array_index(spec->volumes, IscVolumeUse, i).name;
		g_autoptr(IscKey) key = isc_steps_volume_key(u->dock, name, error);
		if (!key)
			return FALSE;
	}
	g_autoptr(IscKey) own =
			spec->overlay_kept ? isc_steps_overlay_key(u->dock, u->old, error) : NULL;
	return own || !spec->overlay_kept;
}

static gboolean prepare(Upgrade *u, GError **error)
{
	const gchar *name = u->request->node;
	u->old = isc_dock_load_node(u->dock, name, error);
	u->new = u->old ? isc_dock_load_node(u->dock, name, error) : NULL;
	if (!u->new || !isc_node_check_verb(u->old, u->request->verb, &u->out->done, error) ||
			!isc_upgrade_admits(u->dock, u->old, u->request, error))
		return FALSE;
	g_autoptr(IscImage) image = target(u, error);
	if (!image)
		return FALSE;
	u->out->done = g_str_equal(image->digest, u->old->digest);
	if (u->request->timeout_s)
		u->new->spec->timeout_s = u->request->timeout_s;
	g_strlcpy(u->new->digest, image->digest, sizeof(u->new->digest));
	g_free(u->new->image_name);
	g_free(u->new->image_version);
	u->new->image_name = g_strdup(image->name);
	u->new->image_version = g_strdup(image->version);
	u->is_up = isc_node_state_is_up(u->old->state);
	/* Without exposed ports nobody would notice a stand-in, but a service that works through a
	 * queue may not be there twice; and a volume is one node's at a time, as is an overlay that
	 * is kept. */
	u->options.stand_in = u->is_up && !u->request->in_place && u->old->spec->expose->len > 0 &&
			      u->old->spec->volumes->len == 0 && !u->old->spec->overlay_kept &&
			      !isc_member_shares_ports(u->old->spec); /* the others serve */
	u->options.drain_s = u->request->drain_s;
	u->options.digest = u->new->digest;
	gboolean forth = u->request->verb == ISC_VERB_UPGRADE;
	u->change = g_strdup_printf("%s %s %s %s", u->old->digest,
			*u->old->previous ? u->old->previous : "-", u->new->digest,
			forth ? u->old->digest : "-");
	u->options.change = u->change;
	return u->out->done ||
	       (is_no_running_job(u, error) && does_open(u, error) &&
			       (!u->options.stand_in || is_free_for_stand_in(u, error)) &&
			       isc_admission_again(u->dock, u->new, error));
}

/* --- its course ---------------------------------------------------------------------------- */

static gboolean run_part(Upgrade *u, IscUpgradePart part, const IscNode *node, GCancellable *cancel,
		gboolean *undone, GError **error)
{
	g_autoptr(IscPlan) plan = isc_plan_new(u->request->verb, u->request->node);
	isc_planner_upgrade(plan, part, u->old, &u->options);
	return plan->steps->len == 0 ||
	       isc_verbs_run_plan(u->dock, plan, node, u->request->caller, cancel, u->out->warnings,
			       &u->out->order, undone, error);
}

static void set_state(Upgrade *u, IscNodeState state, const gchar *reason)
{
	isc_dock_set_state(u->dock, u->request->node, state, reason, u->request->caller);
}

/* The new image is no good in the node itself, though it was in its stand-in; or an order came. */
static void go_back(Upgrade *u, const GError *why)
{
	gboolean undone = FALSE;
	g_autoptr(GError) worse = NULL;
	if (g_cancellable_is_cancelled(u->cancel)) {
		u->options.drain_s = 0;
		(void)run_part(u, ISC_UPGRADE_GIVE_UP, u->old, NULL, &undone, NULL);
		set_state(u, ISC_NODE_FAILED, "its upgrade was interrupted by another order");
		return;
	}
	if (run_part(u, ISC_UPGRADE_BACK, u->old, u->cancel, &undone, &worse) || !undone) {
		set_state(u, isc_verb_state_of_running(u->dock, u->request->node), NULL);
		return;
	}
	g_autofree gchar *text = g_strdup_printf("%s; the old image does not start again: %s%s",
			why->message, worse->message,
			u->options.stand_in ? "; its stand-in goes on serving" : "");
	set_state(u, ISC_NODE_FAILED, text);
}

static gboolean go_over(Upgrade *u, GError **error)
{
	gboolean undone = FALSE;
	g_autoptr(GError) why = NULL;
	if (u->is_up) {
		/* It is another object by now: the stand-in's slot is in the register. */
		g_autoptr(IscNode) now =
				isc_register_get_node(u->dock->reg, u->request->node, error);
		if (!now)
			return FALSE;
		u->old->stand_in = u->new->stand_in = now->stand_in;
		set_state(u, ISC_NODE_ENABLING, "it is started from another image");
	}
	gboolean ok = run_part(u, ISC_UPGRADE_OVER, u->new, u->cancel, &undone, &why);
	if (ok || !undone) {
		if (u->is_up)
			set_state(u, isc_verb_state_of_running(u->dock, u->request->node), NULL);
		return TRUE;
	}
	if (u->is_up)
		go_back(u, why);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static gboolean carry_out(Upgrade *u, GError **error)
{
	const gchar *name = u->request->node;
	gboolean undone = FALSE;
	isc_dock_event(u->dock, name, "node.upgrade", "info", u->request->caller,
			"%s goes from %s %s (%.12s) to %s %s (%.12s)", name, u->old->image_name,
			u->old->image_version, u->old->digest, u->new->image_name,
			u->new->image_version, u->new->digest);
	g_autoptr(GError) why = NULL;
	if (run_part(u, ISC_UPGRADE_BESIDE, u->new, u->cancel, &undone, &why) && go_over(u, &why)) {
		isc_dock_event(u->dock, name, "node.upgraded", "info", u->request->caller,
				"%s is of image %s %s (%.12s)", name, u->new->image_name,
				u->new->image_version, u->new->digest);
		return TRUE;
	}
	isc_dock_event(u->dock, name, "node.upgrade-failed", "alarm", u->request->caller,
			"%s stays with image %s %s (%.12s): %s", name, u->old->image_name,
			u->old->image_version, u->old->digest, why->message);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static gboolean run(IscDock *dock, const IscRequest *request, GCancellable *cancel, IscOutcome *out,
		GError **error)
{
	g_auto(Upgrade) u = { .dock = dock, .request = request, .cancel = cancel, .out = out };
	if (!prepare(&u, error))
		return FALSE;
	out->plan = isc_plan_new(request->verb, request->node);
	if (!out->done) {
		isc_planner_upgrade(out->plan, ISC_UPGRADE_BESIDE, u.old, &u.options);
		isc_planner_upgrade(out->plan, ISC_UPGRADE_OVER, u.old, &u.options);
	}
	if (out->done || request->dry_run)
		return TRUE;
	isc_restart_cancel(dock, request->node);
	return carry_out(&u, error);
}

gboolean isc_upgrade_run(IscDock *dock, const IscRequest *request, IscOutcome *out, GError **error)
{
	gint64 began = g_get_monotonic_time();
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	out->warnings = g_ptr_array_new_with_free_func(g_free);
	if (!isc_verbs_take(dock, request->node, request->verb, cancel, error))
		return FALSE;
	gboolean ok = run(dock, request, cancel, out, error);
	isc_verbs_give_back(dock, request->node);
	out->seconds = (gdouble)(g_get_monotonic_time() - began) / G_USEC_PER_SEC;
	return ok;
}

/* --- other orders meanwhile, and what was left --------------------------------------------- */

IscNode *isc_upgrade_stand_in(IscDock *dock, const gchar *name)
{
	g_autofree gchar *other = isc_node_stand_in_name(name);
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, other, NULL);
	return node && g_strcmp0(node->stands_for, name) == 0 ? g_steal_pointer(&node) : NULL;
}

/* Journalled as what it is the end of. */
static gboolean clear(IscDock *dock, const IscNode *node, guint drain_s, GError **error)
{
	const IscUpgradeOptions options = {
		.stand_in = TRUE, .drain_s = drain_s, .digest = node->digest
	};
	g_autoptr(IscPlan) plan = isc_plan_new(ISC_VERB_UPGRADE, node->spec->name);
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
	guint64 order;
	gboolean undone;
	isc_planner_upgrade(plan, ISC_UPGRADE_CLEAR, node, &options);
	return isc_verbs_run_plan(
			dock, plan, node, ISC_CALLER_DOCK, NULL, warnings, &order, &undone, error);
}

gboolean isc_upgrade_admits(
		IscDock *dock, const IscNode *node, const IscRequest *request, GError **error)
{
	if (isc_node_is_stand_in(node) && request->caller != ISC_CALLER_DOCK &&
			request->verb != ISC_VERB_QUARANTINE) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"node '%s' stands in for '%s' while that is upgraded, and goes "
				"with "
				"the upgrade's end; give orders to '%s'",
				node->spec->name, node->stands_for, node->stands_for);
		return FALSE;
	}
	gboolean ends = request->verb == ISC_VERB_DISABLE || request->verb == ISC_VERB_DESTROY ||
			request->verb == ISC_VERB_QUARANTINE;
	if (!node->stand_in || !ends || request->dry_run || request->caller == ISC_CALLER_DOCK)
		return TRUE;
	return clear(dock, node, 0, error);
}

/* A stand-in whose node is gone, or has its ports again. */
static void remove_stray(IscDock *dock, const IscNode *stray)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, stray->stands_for, NULL);
	if (node && node->stand_in == stray->slot)
		return;
	g_auto(IscOutcome) out = { 0 };
	g_autoptr(GError) why = NULL;
	const IscRequest request = { .verb = ISC_VERB_DESTROY,
		.node = stray->spec->name,
		.caller = ISC_CALLER_DOCK,
		.force = TRUE };
	if (!isc_verb_run(dock, &request, &out, &why))
		g_message("stand-in '%s' is left: %s", stray->spec->name, why->message);
}

/* Its ports lead to a stand-in, and nobody is at it. */
static void finish(IscDock *dock, const IscNode *node)
{
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	g_autoptr(GError) why = NULL;
	const gchar *name = node->spec->name;

	if (node->state == ISC_NODE_FAILED) {
		g_auto(IscOutcome) out = { 0 };
		const IscRequest request = {
			.verb = ISC_VERB_ENABLE, .node = name, .caller = ISC_CALLER_DOCK
		};
		if (!isc_verb_run(dock, &request, &out, &why)) {
			isc_dock_event(dock, name, "node.upgrade-stuck", "alarm", ISC_CALLER_DOCK,
					"%s does not start, its stand-in goes on serving: %s", name,
					why->message);
			return;
		}
	} else if (node->state != ISC_NODE_READY && node->state != ISC_NODE_UNREADY) {
		return;
	}
	if (!isc_verbs_take(dock, name, ISC_VERB_UPGRADE, cancel, NULL))
		return;
	if (!clear(dock, node, ISC_DRAIN_S, &why))
		g_message("node '%s': %s", name, why->message);
	isc_verbs_give_back(dock, name);
}

void isc_upgrade_mend(IscDock *dock)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		if (isc_node_is_stand_in(node) && !isc_dock_is_busy(dock, node->stands_for))
			remove_stray(dock, node);
		else if (node->stand_in && !isc_dock_is_busy(dock, node->spec->name))
			finish(dock, node);
	}
}
