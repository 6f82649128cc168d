/* Sets of equal nodes. */
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "daemon/answer.h"
#include "daemon/handlers.h"
#include "daemon/options.h"
#include "daemon/sets.h"
#include "daemon/upgrade.h"
#include "model/member.h"

/* --- what there is ------------------------------------------------------------------------- */

static void put_member(GVariantBuilder *list, IscDock *dock, const IscNode *node)
{
	g_autofree gchar *address = isc_node_address_text(&dock->config->plan, node);
	g_autoptr(GPtrArray) expose = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < node->spec->expose->len; i++)
		g_ptr_array_add(expose,
				isc_expose_print(&g_array_index(node->spec->expose, IscExpose, i)));
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(node->spec->name));
	isc_answer_put(&b, "state", g_variant_new_string(isc_node_state_name(node->state)));
	isc_answer_put(&b, "address", g_variant_new_string(address));
	isc_answer_put(&b, "image", g_variant_new_string(node->image_name));
	isc_answer_put(&b, "version", g_variant_new_string(node->image_version));
	isc_answer_put_strings(&b, "expose", expose);
	g_variant_builder_add(list, "@a{sv}", g_variant_builder_end(&b));
}

/* "wanted", "ready", "state", "members"; "reason" of a quarantine */
static void put_set(GVariantBuilder *b, IscDock *dock, const IscReplicaSet *set)
{
	g_autoptr(GPtrArray) members = isc_register_list_members(dock->reg, set->name, NULL);
	GVariantBuilder list;
	guint ready = 0;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; members && i < members->len; i++) {
		const IscNode *node = members->pdata[i];
		ready += node->state == ISC_NODE_READY;
		put_member(&list, dock, node);
	}
	g_autofree gchar *state =
			!set->wanted       ? g_strdup("destroying")
			: *set->quarantine ? g_strdup("quarantined")
					   : g_strdup_printf("%u of %u ready", ready, set->wanted);
	isc_answer_put(b, "wanted", g_variant_new_uint32(set->wanted));
	isc_answer_put(b, "ready", g_variant_new_uint32(ready));
	isc_answer_put(b, "state", g_variant_new_string(state));
	if (*set->quarantine)
		isc_answer_put(b, "reason", g_variant_new_string(set->quarantine));
	isc_answer_put(b, "members", g_variant_builder_end(&list));
}

GVariant *isc_handle_show_set(IscCall *call, GError **error)
{
	const gchar *name;
	g_variant_get(call->params, "(&s)", &name);
	g_autoptr(IscReplicaSet) set =
			isc_name_check("set", name, error)
					? isc_register_get_set(call->dock->reg, name, error)
					: NULL;
	g_autoptr(IscSpec) spec =
			set ? isc_spec_parse("register", set->spec, strlen(set->spec), error)
			    : NULL;
	if (!spec)
		return NULL;
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(name));
	put_set(&b, call->dock, set);
	isc_answer_put(&b, "ports",
			g_variant_new_string(spec->replica.own_ports ? "own" : "shared"));
	isc_answer_put(&b, "created", g_variant_new_int64(set->created));
	if (set->wanted)
		spec->replica.count = set->wanted; /* the file keeps what it was provisioned with */
	g_autofree gchar *text = isc_spec_print_public(spec);
	isc_answer_put(&b, "spec", g_variant_new_string(text));
	return isc_answer(&b);
}

/* --- orders -------------------------------------------------------------------------------- */

typedef gboolean (*Order)(
		IscDock *dock, const IscSetRequest *request, IscSetOutcome *out, GError **error);

static GVariant *answer(IscCall *call, const IscSetRequest *request, const IscSetOutcome *out)
{
	g_autoptr(IscReplicaSet) set = isc_register_get_set(call->dock->reg, request->name, NULL);
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(request->name));
	if (set)
		put_set(&b, call->dock, set);
	else
		isc_answer_put(&b, "state",
				g_variant_new_string(request->dry_run ? "not provisioned"
								      : "destroyed"));
	isc_answer_put(&b, "emulated", g_variant_new_boolean(call->dock->accel != ISC_ACCEL_KVM));
	isc_answer_put_strings(&b, "plan", out->plan);
	isc_answer_put_strings(&b, "warnings", out->warnings);
	isc_answer_put(&b, "changed", g_variant_new_boolean(!out->done));
	isc_answer_put(&b, "seconds", g_variant_new_double(out->seconds));
	if (out->evidence) {
		isc_answer_put(&b, "cut-off", g_variant_new_double(out->cut_off_ms));
		isc_answer_put_strings(&b, "evidence", out->evidence);
	}
	return isc_answer(&b);
}

static GVariant *carry_out(IscCall *call, Order order, IscSetRequest *request, GVariant *options,
		const gchar *allowed, GError **error)
{
	IscOptions o;
	if (!isc_name_check("set", request->name, error) ||
			!isc_options_parse(options, allowed, &o, error))
		return NULL;
	request->caller = call->uid;
	request->dry_run = o.dry_run;
	request->timeout_s = o.timeout;
	request->in_place = o.in_place;
	request->pause = o.pause;
	request->memory = o.memory;
	request->drain_s = o.drain == G_MAXUINT ? ISC_DRAIN_S : o.drain;
	g_auto(IscSetOutcome) out = { 0 };
	return order(call->dock, request, &out, error) ? answer(call, request, &out) : NULL;
}

GVariant *isc_answer_provision_set(
		IscCall *call, const IscSpec *spec, GVariant *options, GError **error)
{
	IscOptions o;
	if (!isc_options_parse(options, "dry-run timeout enable ", &o, error))
		return NULL;
	if (!o.enable) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"the members of a set are started: Replicas= and --no-enable do "
				"not go "
				"together");
		return NULL;
	}
	const IscSetRequest request = { .name = spec->name,
		.caller = call->uid,
		.dry_run = o.dry_run,
		.timeout_s = o.timeout };
	g_auto(IscSetOutcome) out = { 0 };
	return isc_sets_provision(call->dock, spec, &request, &out, error)
			       ? answer(call, &request, &out)
			       : NULL;
}

GVariant *isc_handle_scale(IscCall *call, GError **error)
{
	IscSetRequest request = { 0 };
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&su@a{sv})", &request.name, &request.count, &options);
	return carry_out(call, isc_sets_scale, &request, options, "dry-run timeout ", error);
}

GVariant *isc_handle_upgrade_set(IscCall *call, GError **error)
{
	IscSetRequest request = { 0 };
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s&s@a{sv})", &request.name, &request.image, &options);
	if (!*request.image)
		request.image = NULL;
	return carry_out(call, isc_sets_upgrade, &request, options,
			"dry-run timeout drain in-place ", error);
}

static GVariant *change(IscCall *call, IscVerb verb, GError **error)
{
	g_autofree const gchar **rules = NULL;
	g_autoptr(GVariant) options = NULL;
	IscSetRequest request = { .verb = verb };
	g_variant_get(call->params, "(&s^a&s@a{sv})", &request.name, &rules, &options);
	request.rules = rules;
	return carry_out(call, isc_sets_change, &request, options, "dry-run timeout ", error);
}

GVariant *isc_handle_expose_set(IscCall *call, GError **error)
{
	return change(call, ISC_VERB_EXPOSE, error);
}

GVariant *isc_handle_unexpose_set(IscCall *call, GError **error)
{
	return change(call, ISC_VERB_UNEXPOSE, error);
}

GVariant *isc_handle_allow_set(IscCall *call, GError **error)
{
	return change(call, ISC_VERB_ALLOW, error);
}

GVariant *isc_handle_deny_set(IscCall *call, GError **error)
{
	return change(call, ISC_VERB_DENY, error);
}

GVariant *isc_handle_limit_set(IscCall *call, GError **error)
{
	return change(call, ISC_VERB_LIMIT, error);
}

GVariant *isc_handle_destroy_set(IscCall *call, GError **error)
{
	IscSetRequest request = { 0 };
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &request.name, &options);
	return carry_out(call, isc_sets_destroy, &request, options, "dry-run timeout ", error);
}

/* --- quarantine ---------------------------------------------------------------------------- */

GVariant *isc_handle_quarantine_set(IscCall *call, GError **error)
{
	IscSetRequest request = { 0 };
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s&s@a{sv})", &request.name, &request.reason, &options);
	g_autofree gchar *name = isc_answer_time_name("q");
	request.snapshot = name;
	return isc_answer_check_quarantine(call, request.reason, options, error)
			       ? carry_out(call, isc_sets_quarantine, &request, options,
						 ISC_QUARANTINE_OPTIONS, error)
			       : NULL;
}

GVariant *isc_handle_release_set(IscCall *call, GError **error)
{
	IscSetRequest request = { 0 };
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s&s@a{sv})", &request.name, &request.reason, &options);
	if (!isc_answer_check_reason(request.reason, error))
		return NULL;
	GVariant *answer = carry_out(
			call, isc_sets_release, &request, options, "dry-run timeout ", error);
	/* Whoever is missing comes, also where one of the others could not be released. */
	if (!request.dry_run)
		isc_sets_mend_soon(call->dock);
	return answer;
}
