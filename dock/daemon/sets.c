#include "daemon/sets.h"

#include <string.h>

#include "base/error.h"
#include "daemon/admission.h"
#include "daemon/drain.h"
#include "daemon/env.h"
#include "daemon/provision.h"
#include "daemon/set-change.h"
#include "daemon/set-quarantine.h"
#include "model/member.h"

void isc_set_outcome_clear(IscSetOutcome *outcome)
{
	g_clear_pointer(&outcome->plan, g_ptr_array_unref);
	g_clear_pointer(&outcome->warnings, g_ptr_array_unref);
	g_clear_pointer(&outcome->evidence, g_ptr_array_unref);
}

static gboolean stands(const IscSetWork *w, guint number)
{
	for (guint i = 0; w->members && i < w->members->len; i++)
		if (isc_set_work_number(w, w->members->pdata[i]) == number)
			return TRUE;
	return FALSE;
}

static guint highest(const IscSetWork *w)
{
	guint n = 0;
	for (guint i = 0; w->members && i < w->members->len; i++)
		n = MAX(n, isc_set_work_number(w, w->members->pdata[i]));
	return n;
}

/* With its environment, for members to come.  (transfer full) */
static IscSpec *load_spec(const IscSetWork *w, GError **error)
{
	g_autoptr(IscSpec) spec =
			isc_spec_parse("register", w->set->spec, strlen(w->set->spec), error);
	IscNode carrier = { .spec = spec };
	return spec && isc_env_fetch(w->dock, &carrier, error) ? g_steal_pointer(&spec) : NULL;
}

/* --- the plan ------------------------------------------------------------------------------ */

static void plan(IscSetWork *w, guint wanted)
{
	for (guint n = highest(w); n > wanted; n--)
		if (stands(w, n))
			g_ptr_array_add(w->out->plan,
					g_strdup_printf("- %s-%u", w->request->name, n));
	for (guint n = 1; n <= wanted; n++)
		if (!stands(w, n))
			g_ptr_array_add(w->out->plan,
					g_strdup_printf("+ %s-%u", w->request->name, n));
}

/* Before anything is done: may all go that are to, … */
static gboolean may_go(const IscSetWork *w, guint wanted, GError **error)
{
	for (guint i = 0; w->members && i < w->members->len; i++) {
		const IscNode *node = w->members->pdata[i];
		if (isc_set_work_number(w, node) <= wanted || !node->spec->protect)
			continue;
		g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
				"node '%s' is protected: 'isc-vm unprotect' it first",
				node->spec->name);
		return FALSE;
	}
	return TRUE;
}

static void free_node(gpointer node)
{
	isc_node_free(node);
}

/* … and come? */
static gboolean may_come(const IscSetWork *w, const IscSpec *spec, guint wanted, GError **error)
{
	g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func(free_node);
	for (guint n = 1; n <= wanted; n++) {
		g_autoptr(IscSpec) member = stands(w, n) ? NULL : isc_member_spec(spec, n);
		IscNode *node = member ? isc_provision_node(w->dock, member, error) : NULL;
		if (member && !node)
			return FALSE;
		if (node)
			g_ptr_array_add(nodes, node);
	}
	return nodes->len == 0 || (isc_drain_may_start(w->dock, error) &&
						  isc_admission_check_all(w->dock, nodes, error));
}

/* --- members ------------------------------------------------------------------------------- */

static gboolean make(IscSetWork *w, const IscSpec *spec, guint number, GError **error)
{
	g_autoptr(IscSpec) member = isc_member_spec(spec, number);
	g_autoptr(IscNode) node = NULL;
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = { .verb = ISC_VERB_PROVISION,
		.node = member->name,
		.caller = w->request->caller,
		.enable = TRUE,
		.timeout_s = w->request->timeout_s,
		.cancel = w->cancel };
	isc_set_work_progress(w, "+", number);
	gboolean ok = isc_verb_provision(w->dock, member, &request, &out, &node, error);
	isc_set_work_warn(w, member->name, out.warnings);
	return ok;
}

static gboolean fill(IscSetWork *w, const IscSpec *spec, guint wanted, GError **error)
{
	for (guint n = 1; n <= wanted; n++) {
		if (stands(w, n))
			continue;
		if (g_cancellable_is_cancelled(w->cancel) || w->dock->stopping) {
			g_set_error_literal(error, ISC_ERROR, ISC_ERROR_STATE,
					w->dock->stopping
							? "isc-dockd goes down; it goes on when it "
							  "is started again"
							: "interrupted by another order");
			return FALSE;
		}
		if (!make(w, spec, n, error))
			return FALSE;
	}
	return TRUE;
}

/* Those above @wanted go, the highest first; one that cannot keeps none from going. */
static gboolean trim(IscSetWork *w, guint wanted, GError **error)
{
	g_autoptr(GError) first = NULL;
	for (guint i = w->members->len; i-- > 0;) {
		const IscNode *node = w->members->pdata[i];
		g_autoptr(GError) why = NULL;
		g_auto(IscOutcome) out = { 0 };
		const IscRequest request = { .verb = ISC_VERB_DESTROY,
			.node = node->spec->name,
			.caller = w->request->caller,
			.force = TRUE,
			.uuid = node->uuid };
		if (isc_set_work_number(w, node) <= wanted)
			continue;
		isc_set_work_progress(w, "-", isc_set_work_number(w, node));
		gboolean ok = isc_verb_run(w->dock, &request, &out, &why);
		isc_set_work_warn(w, node->spec->name, out.warnings);
		if (!ok && !first)
			first = g_steal_pointer(&why);
	}
	if (!first)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&first));
	return FALSE;
}

/* All of it, as far as it stands. */
static gboolean destroy(IscSetWork *w, GError **error)
{
	const gchar *name = w->request->name;
	if (!isc_register_set_wanted(w->dock->reg, name, 0, error) ||
			!isc_set_work_look(w, error) || !trim(w, 0, error))
		return FALSE;
	(void)isc_env_erase(w->dock, name);
	return isc_register_remove_set(w->dock->reg, name, error);
}

/* --- the verbs ----------------------------------------------------------------------------- */

/* Members to come are of the very image that those are that stand. */
static gboolean pin_image(IscDock *dock, IscSpec *spec, GError **error)
{
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, spec->image, error);
	if (!image)
		return FALSE;
	g_free(spec->image);
	spec->image = g_strconcat("sha256:", image->digest, NULL);
	return TRUE;
}

static gboolean keep(IscSetWork *w, IscSpec *spec, GError **error)
{
	IscNode carrier = { .spec = spec };
	return isc_env_keep(w->dock, &carrier, error) &&
	       isc_register_set_wanted(w->dock->reg, spec->name, spec->replica.count, error);
}

static gboolean is_free(const IscSetWork *w, GError **error)
{
	const gchar *name = w->request->name;
	g_autoptr(IscReplicaSet) set = isc_register_get_set(w->dock->reg, name, NULL);
	g_autoptr(IscNode) node = isc_register_get_node(w->dock->reg, name, NULL);
	if (!set && !node)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"%s '%s' stands already; choose another name or destroy it%s",
			set ? "set" : "node", name,
			set ? "; 'isc-vm scale' changes how many members it has" : "");
	return FALSE;
}

/* One could not be made: those that stand are what there is to be. */
static void settle_for_less(IscSetWork *w)
{
	g_autoptr(GError) why = NULL;
	if (isc_set_work_look(w, &why) && isc_register_set_wanted(w->dock->reg, w->set->name,
							  MAX(highest(w), 1), &why))
		return;
	g_warning("set '%s': %s", w->request->name, why->message);
}

/* It was interrupted: by an order to destroy it, which goes on; or by one to put it into
 * quarantine, and then those that are cut off by now are what that wants to have. */
static gboolean is_to_stay(IscSetWork *w)
{
	return !w->dock->stopping && g_cancellable_is_cancelled(w->cancel) &&
	       isc_set_work_look(w, NULL) && w->members->len > 0;
}

gboolean isc_sets_provision(IscDock *dock, const IscSpec *asked, const IscSetRequest *request,
		IscSetOutcome *out, GError **error)
{
	g_auto(IscSetWork) w = { .dock = dock, .request = request, .out = out };
	g_autoptr(IscSpec) spec = isc_spec_copy(asked);
	guint wanted = spec->replica.count;
	if (!isc_set_work_begin(&w, ISC_VERB_PROVISION, error) || !is_free(&w, error) ||
			!pin_image(dock, spec, error) || !may_come(&w, spec, wanted, error))
		return FALSE;
	plan(&w, wanted);
	if (request->dry_run)
		return TRUE;

	g_autoptr(GError) why = NULL;
	/* Of no members yet: one that is interrupted here goes again. */
	if (!isc_register_add_set(dock->reg, spec, 0, error))
		return FALSE;
	isc_dock_event(dock, "", "set.provision", "info", request->caller,
			"set %s is provisioned: %u members", request->name, wanted);
	if (keep(&w, spec, &why) && fill(&w, spec, wanted, &why))
		return TRUE;
	g_autoptr(GError) worse = NULL;
	if (is_to_stay(&w))
		settle_for_less(&w);
	else if (!dock->stopping && !destroy(&w, &worse))
		g_message("set '%s': %s", request->name, worse->message);
	isc_dock_event(dock, "", "set.refused", "warn", request->caller,
			"set %s was not provisioned: %s", request->name, why->message);
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

gboolean isc_sets_scale(
		IscDock *dock, const IscSetRequest *request, IscSetOutcome *out, GError **error)
{
	g_auto(IscSetWork) w = { .dock = dock, .request = request, .out = out };
	if (request->count < 1 || request->count > ISC_REPLICAS_MAX) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"a set has 1 to %d members; 'isc-vm destroy' ends it",
				ISC_REPLICAS_MAX);
		return FALSE;
	}
	/* The verb that is shown where another one meets it. */
	if (!isc_set_work_begin(&w, ISC_VERB_PROVISION, error) || !isc_set_work_look(&w, error) ||
			!isc_set_work_is_wanted(&w, error) || !isc_set_is_free(&w, error))
		return FALSE;
	g_autoptr(IscSpec) spec = load_spec(&w, error);
	if (!spec)
		return FALSE;
	/* With as many as are asked for: whether their ports have room, and so on. */
	spec->replica.count = request->count;
	if (!isc_member_check("its node file", spec, error) || !may_go(&w, request->count, error) ||
			!may_come(&w, spec, request->count, error))
		return FALSE;
	plan(&w, request->count);
	out->done = out->plan->len == 0 && w.set->wanted == request->count;
	if (request->dry_run || out->done)
		return TRUE;

	isc_dock_event(dock, "", "set.scale", "info", request->caller,
			"set %s is to have %u members; it has %u", request->name, request->count,
			w.members->len);
	if (!isc_register_set_wanted(dock->reg, request->name, request->count, error) ||
			!trim(&w, request->count, error))
		return FALSE;
	if (fill(&w, spec, request->count, error))
		return TRUE;
	if (!dock->stopping)
		settle_for_less(&w);
	g_prefix_error(error, "set '%s' has %u of %u members: ", request->name,
			w.members ? w.members->len : 0, request->count);
	return FALSE;
}

gboolean isc_sets_destroy(
		IscDock *dock, const IscSetRequest *request, IscSetOutcome *out, GError **error)
{
	g_auto(IscSetWork) w = { .dock = dock, .request = request, .out = out };
	/* First whether there is one: nobody's name is to be kept. */
	if (!isc_set_work_look(&w, error) || !isc_set_work_begin(&w, ISC_VERB_DESTROY, error) ||
			!isc_set_work_look(&w, error) || !may_go(&w, 0, error))
		return FALSE;
	plan(&w, 0);
	if (request->dry_run)
		return TRUE;
	if (!destroy(&w, error))
		return FALSE;
	isc_dock_event(dock, "", "set.destroyed", "info", request->caller, "set %s is destroyed",
			request->name);
	return TRUE;
}

/* --- another image ------------------------------------------------------------------------- */

/* The digest to go to: of the image that is asked for, or that the first member had which was
 * upgraded.  (transfer full) */
static gchar *target(const IscSetWork *w, GError **error)
{
	if (w->request->image) {
		g_autoptr(IscImage) image =
				isc_image_store_find(w->dock->images, w->request->image, error);
		return image ? g_strconcat("sha256:", image->digest, NULL) : NULL;
	}
	for (guint i = 0; i < w->members->len; i++) {
		const IscNode *node = w->members->pdata[i];
		if (*node->previous)
			return g_strconcat("sha256:", node->previous, NULL);
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"set '%s' has nothing to roll back to: none of its members was upgraded",
			w->set->name);
	return NULL;
}

static gboolean upgrade_one(IscSetWork *w, const IscNode *node, const gchar *image, GError **error)
{
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = { .verb = ISC_VERB_UPGRADE,
		.node = node->spec->name,
		.caller = w->request->caller,
		.image = image,
		.timeout_s = w->request->timeout_s,
		.drain_s = w->request->drain_s,
		.in_place = w->request->in_place };
	gboolean ok = isc_verb_run(w->dock, &request, &out, error);
	isc_set_work_warn(w, node->spec->name, out.warnings);
	return ok;
}

/* Which of them are not of @image yet, and whether they can be brought to it. */
static GPtrArray *list_old(IscSetWork *w, const gchar *image, GError **error)
{
	g_autoptr(GPtrArray) old = g_ptr_array_new();
	for (guint i = 0; i < w->members->len; i++) {
		IscNode *node = w->members->pdata[i];
		gboolean done;
		if (g_str_equal(node->digest, image + strlen("sha256:")))
			continue;
		if (!isc_node_check_verb(node, ISC_VERB_UPGRADE, &done, error))
			return NULL;
		g_ptr_array_add(old, node);
		g_ptr_array_add(w->out->plan, g_strdup_printf("upgrade %s", node->spec->name));
	}
	return g_steal_pointer(&old);
}

gboolean isc_sets_upgrade(
		IscDock *dock, const IscSetRequest *request, IscSetOutcome *out, GError **error)
{
	g_auto(IscSetWork) w = { .dock = dock, .request = request, .out = out };
	if (!isc_set_work_begin(&w, ISC_VERB_UPGRADE, error) || !isc_set_work_look(&w, error) ||
			!isc_set_work_is_wanted(&w, error) || !isc_set_is_free(&w, error))
		return FALSE;
	g_autofree gchar *image = target(&w, error);
	g_autoptr(GPtrArray) old = image ? list_old(&w, image, error) : NULL;
	if (!old)
		return FALSE;
	out->done = old->len == 0;
	for (guint i = 0; i < old->len && !request->dry_run; i++) {
		const IscNode *node = old->pdata[i];
		isc_set_work_progress(&w, "upgrade", isc_set_work_number(&w, node));
		if (g_cancellable_is_cancelled(w.cancel) || !upgrade_one(&w, node, image, error)) {
			g_prefix_error(error, "%u of %u members have the new image: ",
					w.members->len - old->len + i, w.members->len);
			return FALSE;
		}
		/* It is good: who comes from now on has it, too. */
		g_autoptr(IscSpec) spec =
				isc_spec_parse("register", w.set->spec, strlen(w.set->spec), error);
		if (!spec)
			return FALSE;
		g_free(spec->image);
		spec->image = g_strdup(image);
		if (i == 0 && !isc_register_set_set_spec(dock->reg, spec, error))
			return FALSE;
	}
	return TRUE;
}

/* --- after a crash ------------------------------------------------------------------------- */

static gboolean is_whole(const IscSetWork *w)
{
	for (guint n = 1; n <= w->set->wanted; n++)
		if (!stands(w, n))
			return FALSE;
	return TRUE;
}

/* @filled: nobody is missing */
static gboolean is_right(const IscSetWork *w, gboolean filled)
{
	if (w->set->wanted && *w->set->quarantine)
		return isc_set_is_held(w) && isc_set_follows(w);
	return w->set->wanted && highest(w) <= w->set->wanted && (!filled || is_whole(w)) &&
	       isc_set_follows(w);
}

static gboolean mend(IscSetWork *w, gboolean wants_fill, GError **error)
{
	guint wanted = w->set->wanted;
	if (*w->set->quarantine)
		return (isc_set_is_held(w) || isc_set_hold(w, error)) && isc_set_follow(w, error);
	if (!trim(w, wanted, error) || !isc_set_follow(w, error))
		return FALSE;
	if (!wants_fill || is_whole(w))
		return TRUE;
	isc_dock_event(w->dock, "", "set.mend", "warn", ISC_CALLER_DOCK,
			"set %s has %u of %u members: the others are made", w->set->name,
			w->members->len, wanted);
	g_autoptr(IscSpec) spec = load_spec(w, error);
	return spec && fill(w, spec, wanted, error);
}

static void mend_one(IscDock *dock, const gchar *name, gboolean wants_fill)
{
	const IscSetRequest request = { .name = name, .caller = ISC_CALLER_DOCK };
	g_auto(IscSetOutcome) out = { 0 };
	g_auto(IscSetWork) w = { .dock = dock, .request = &request, .out = &out };
	g_autoptr(GError) why = NULL;
	/* Whoever is at it makes it right. */
	if (!isc_set_work_look(&w, NULL) || is_right(&w, wants_fill) ||
			!isc_set_work_begin(&w, ISC_VERB_PROVISION, NULL) ||
			!isc_set_work_look(&w, NULL))
		return;
	gboolean is_end = w.set->wanted == 0;
	if (!(is_end ? destroy(&w, &why) : mend(&w, wants_fill, &why)))
		isc_dock_event(dock, "", "set.mend", "alarm", ISC_CALLER_DOCK,
				"set %s is not as it is wanted: %s", name, why->message);
}

void isc_sets_mend(IscDock *dock, gboolean wants_fill)
{
	g_autoptr(GPtrArray) names = isc_register_list_sets(dock->reg, NULL);
	for (guint i = 0;
			names && i < names->len && isc_vm_is_connected(dock->vm) && !dock->stopping;
			i++)
		mend_one(dock, names->pdata[i], wants_fill);
}

static void mend_all(IscDock *dock, gpointer data)
{
	(void)data;
	isc_sets_mend(dock, TRUE);
}

void isc_sets_mend_soon(IscDock *dock)
{
	isc_dock_do(dock, mend_all, NULL);
}

void isc_sets_check(IscDock *dock, gboolean repair,
		void (*found)(gpointer data, const gchar *what, const gchar *name,
				const gchar *problem, gboolean repaired),
		gpointer data)
{
	g_autoptr(GPtrArray) names = isc_register_list_sets(dock->reg, NULL);
	for (guint i = 0; names && i < names->len; i++) {
		const IscSetRequest request = { .name = names->pdata[i] };
		IscSetOutcome out = { 0 };
		g_auto(IscSetWork) w = { .dock = dock, .request = &request, .out = &out };
		g_autofree gchar *lock = g_strconcat("*", request.name, NULL);
		if (isc_dock_is_busy(dock, lock) || !isc_set_work_look(&w, NULL) ||
				is_right(&w, TRUE))
			continue;
		g_autofree gchar *problem = g_strdup_printf("has %u members, %u are wanted%s%s",
				w.members->len, w.set->wanted,
				isc_set_is_held(&w) ? ""
						    : "; it is in quarantine, not all of them are",
				isc_set_follows(&w) ? "" : "; not all have its rules and limits");
		if (repair)
			mend_one(dock, request.name, TRUE);
		gboolean mended = repair && (!isc_set_work_look(&w, NULL) || is_right(&w, TRUE));
		found(data, "set", request.name, problem, mended);
	}
}

void isc_sets_adopt(IscDock *dock, const IscNode *node)
{
	const gchar *name = node->spec->replica.set;
	guint number = *name ? isc_replica_number(name, node->spec->name) : 0;
	g_autoptr(IscReplicaSet) set = number ? isc_register_get_set(dock->reg, name, NULL) : NULL;
	g_autoptr(GError) why = NULL;
	gboolean ok = TRUE;
	if (set) {
		ok = set->wanted == 0 || set->wanted >= number ||
		     isc_register_set_wanted(dock->reg, name, number, &why);
	} else if (number) {
		g_autoptr(IscSpec) spec = isc_member_to_set(node->spec, number);
		g_free(spec->image);
		spec->image = g_strconcat("sha256:", node->digest, NULL);
		ok = isc_register_add_set(dock->reg, spec, number, &why);
	}
	if (!ok)
		g_warning("cannot take up set '%s': %s", name, why->message);
}
