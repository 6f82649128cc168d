#include "daemon/provision.h"

#include <string.h>

#include "base/error.h"
#include "daemon/bus.h"
#include "daemon/admission.h"
#include "daemon/drain.h"
#include "daemon/env.h"
#include "daemon/jobs.h"
#include "daemon/restore.h"
#include "daemon/schedule.h"
#include "daemon/volumes.h"
#include "model/health.h"
#include "policy/advice.h"
#include "policy/planner.h"

static IscNode *make_node(
		const IscSpec *spec, const IscImage *image, const gchar *stands_for, GError **error)
{
	/* Once more through the one door. */
	g_autoptr(IscNode) node = g_new0(IscNode, 1);
	g_autofree gchar *text = isc_spec_print(spec);
	node->spec = isc_spec_parse("node", text, strlen(text), error);
	if (!node->spec)
		return NULL;
	const gchar *health = node->spec->upkeep.health;
	g_autofree gchar *probe = isc_health_resolve(health, image->ports);
	if (health && !probe) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"Health=%s names no port, and image '%s' no TCP one it could mean; "
				"write http:PORT/path",
				health, image->name);
		return NULL;
	}
	g_autofree gchar *uuid = g_uuid_string_random();
	g_strlcpy(node->uuid, uuid, sizeof(node->uuid));
	g_strlcpy(node->digest, image->digest, sizeof(node->digest));
	node->image_name = g_strdup(image->name);
	node->image_version = g_strdup(image->version);
	node->state = ISC_NODE_ENABLING;
	node->reason = g_strdup("");
	node->created = node->since = g_get_real_time() / G_USEC_PER_SEC;
	node->starts = 1;
	node->stands_for = g_strdup(stands_for);
	return g_steal_pointer(&node);
}

/* Under the node's lock: into the register, run, and out again when it failed. */
static gboolean build_node(IscDock *dock, IscNode *node, const IscRequest *request,
		GCancellable *cancel, IscOutcome *out, GError **error)
{
	const gchar *name = node->spec->name;
	if (!isc_env_keep(dock, node, error))
		return FALSE;
	if (!isc_admission_enter(dock, node, error)) {
		isc_env_erase(dock, node->spec->name);
		return FALSE;
	}
	if (dock->bus)
		isc_bus_add_node(dock->bus, node);
	isc_dock_event(dock, name, "node.provision", "info", request->caller,
			"%s is provisioned from %s %s (%.12s)", name, node->image_name,
			node->image_version, node->digest);

	gboolean undone = FALSE;
	g_autoptr(GError) why = NULL;
	if ((!request->enable || isc_jobs_begin(dock, node, request, &why)) &&
			isc_schedule_add(dock, node, &why) &&
			isc_verbs_run_plan(dock, out->plan, node, request->caller, cancel,
					out->warnings, &out->order, &undone, &why)) {
		node->state = request->enable ? isc_verb_state_of_running(dock, name)
					      : ISC_NODE_DISABLED;
		isc_dock_set_state(dock, name, node->state, NULL, request->caller);
		return !isc_verbs_is_seized(dock, name, error);
	}

	isc_jobs_end(dock, node, 0, ISC_RUN_FAILED, -1, 0, why->message);
	/* The step that failed is the first. */
	if (out->warnings->len > 1)
		isc_verbs_leave(dock, name, why->message);
	else
		isc_verbs_forget(dock, name);
	isc_dock_event(dock, name, "node.refused", "warn", request->caller,
			"%s was not provisioned: %s", name, why->message);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* The node that a clone's snapshot belongs to, which must stay meanwhile.  (transfer full) or NULL
 */
static gchar *source_of(const IscRequest *request)
{
	return request->snapshot ? g_strndup(request->snapshot, strcspn(request->snapshot, "/"))
				 : NULL;
}

static gboolean take_both(
		IscDock *dock, const IscRequest *request, GCancellable *cancel, GError **error)
{
	g_autofree gchar *source = source_of(request);
	if (source && !isc_verbs_take(dock, source, ISC_VERB_SNAPSHOT_RESTORE, cancel, error))
		return FALSE;
	if (isc_verbs_take(dock, request->node, ISC_VERB_PROVISION, cancel, error))
		return TRUE;
	if (source)
		isc_verbs_give_back(dock, source);
	return FALSE;
}

static void give_back_both(IscDock *dock, const IscRequest *request)
{
	g_autofree gchar *source = source_of(request);
	isc_verbs_give_back(dock, request->node);
	if (source)
		isc_verbs_give_back(dock, source);
}

/* A job with a schedule waits for its time. */
static gboolean check_start(const IscSpec *spec, gboolean enable, GError **error)
{
	if (enable || !spec->job.is_ephemeral)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"node '%s' is ephemeral and would not be started: it would go at once",
			spec->name);
	return FALSE;
}

IscNode *isc_provision_node(IscDock *dock, const IscSpec *spec, GError **error)
{
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, spec->image, error);
	return image ? make_node(spec, image, NULL, error) : NULL;
}

gboolean isc_verb_provision(IscDock *dock, const IscSpec *spec, const IscRequest *asked,
		IscOutcome *out, IscNode **result, GError **error)
{
	IscRequest own = *asked;
	const IscRequest *request = &own;
	/* One that stands in for another, or begins from a snapshot, is wanted now. */
	own.enable = asked->enable &&
		     (!*spec->job.schedule || asked->snapshot || asked->stands_for);
	gint64 began = g_get_monotonic_time();
	out->warnings = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, spec->image, error);
	g_autoptr(IscNode) node = image ? make_node(spec, image, request->stands_for, error) : NULL;
	gboolean waits = asked->enable && !request->enable;
	if (!node || !check_start(spec, request->enable, error) ||
			(waits && !isc_schedule_check(spec, error)) ||
			(request->enable && !isc_drain_may_start(dock, error)) ||
			!isc_admission_check(dock, node, error))
		return FALSE;
	if (request->timeout_s)
		node->spec->timeout_s = request->timeout_s;

	isc_policy_advise(spec, image, out->warnings);
	/* Its volumes are held from the question of what there is until they are its own. */
	g_autoptr(GCancellable) cancel =
			request->cancel ? g_object_ref(request->cancel) : g_cancellable_new();
	g_auto(IscVolumesHeld) held = { 0 };
	g_auto(GStrv) make = NULL;
	if (!isc_volumes_hold(dock, spec, cancel, &held, error) ||
			!(make = request->snapshot ? isc_restore_to_make(dock, spec,
								     request->snapshot, error)
						   : isc_volumes_to_make(dock, spec, error)))
		return FALSE;
	const IscPlanOptions options = { .enable = request->enable,
		.snapshot = request->snapshot,
		.make = (const gchar *const *)make };
	out->plan = isc_planner_plan(ISC_VERB_PROVISION, node, &options);
	if (!request->dry_run) {
		if (!take_both(dock, request, cancel, error))
			return FALSE;
		gboolean ok = build_node(dock, node, request, cancel, out, error);
		give_back_both(dock, request);
		if (!ok)
			return FALSE;
	}
	out->seconds = (gdouble)(g_get_monotonic_time() - began) / G_USEC_PER_SEC;
	*result = g_steal_pointer(&node);
	return TRUE;
}
