/* The verbs of a node's life, and those that change its rules. */
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "daemon/answer.h"
#include "daemon/handlers.h"
#include "daemon/limits.h"
#include "daemon/options.h"
#include "daemon/provision.h"
#include "daemon/sets.h"
#include "daemon/tombstone.h"

static GVariant *simple_verb(IscCall *call, IscVerb verb, const gchar *allowed, GError **error)
{
	g_autoptr(GVariant) options = g_variant_get_child_value(call->params, 0);
	IscRequest request = { .verb = verb };
	return isc_answer_verb(call, &request, allowed, options, NULL, error);
}

GVariant *isc_handle_enable(IscCall *call, GError **error)
{
	return simple_verb(call, ISC_VERB_ENABLE, "dry-run timeout ", error);
}

GVariant *isc_handle_disable(IscCall *call, GError **error)
{
	return simple_verb(call, ISC_VERB_DISABLE, "dry-run timeout force ", error);
}

GVariant *isc_handle_suspend(IscCall *call, GError **error)
{
	return simple_verb(call, ISC_VERB_SUSPEND, "dry-run timeout ", error);
}

GVariant *isc_handle_resume(IscCall *call, GError **error)
{
	return simple_verb(call, ISC_VERB_RESUME, "dry-run timeout ", error);
}

static void add_shredded(
		GVariantBuilder *b, IscCall *call, const IscRequest *request, const IscOutcome *out)
{
	(void)out;
	g_auto(GStrv) what = isc_tombstone_shredded(call->dock, request->uuid);
	isc_answer_put(b, "shredded", g_variant_new_strv((const gchar *const *)what, -1));
}

GVariant *isc_handle_destroy(IscCall *call, GError **error)
{
	g_autoptr(GVariant) options = g_variant_get_child_value(call->params, 0);
	g_autoptr(IscNode) node = isc_register_get_node(call->dock->reg, call->name, error);
	if (!node)
		return NULL;
	IscRequest request = { .verb = ISC_VERB_DESTROY, .force = TRUE, .uuid = node->uuid };
	GVariant *answer = isc_answer_verb(
			call, &request, "dry-run timeout ", options, add_shredded, error);
	/* Another one comes in its place. */
	if (answer && !request.dry_run && *node->spec->replica.set)
		isc_sets_mend_soon(call->dock);
	return answer;
}

static GVariant *protect(IscCall *call, gboolean on, GError **error)
{
	gboolean changed = FALSE;
	if (!isc_verb_protect(call->dock, call->name, on, call->uid, &changed, error))
		return NULL;
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(call->name));
	isc_answer_put(&b, "protect", g_variant_new_boolean(on));
	isc_answer_put(&b, "changed", g_variant_new_boolean(changed));
	return isc_answer(&b);
}

GVariant *isc_handle_protect(IscCall *call, GError **error)
{
	return protect(call, TRUE, error);
}

GVariant *isc_handle_unprotect(IscCall *call, GError **error)
{
	return protect(call, FALSE, error);
}

static void add_cut(
		GVariantBuilder *b, IscCall *call, const IscRequest *request, const IscOutcome *out)
{
	(void)call;
	isc_answer_put(b, "cut-off", g_variant_new_double(out->cut_off_ms));
	g_autofree gchar *name = g_strjoin(".", request->node, request->snapshot, NULL);
	isc_answer_put(b, "evidence", g_variant_new_string(out->plan->steps->len > 0 ? name : ""));
}

GVariant *isc_handle_quarantine(IscCall *call, GError **error)
{
	const gchar *reason;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &reason, &options);
	g_autofree gchar *name = isc_answer_time_name("q");
	IscRequest request = { .verb = ISC_VERB_QUARANTINE, .reason = reason, .snapshot = name };
	return isc_answer_check_quarantine(call, reason, options, error)
			       ? isc_answer_verb(call, &request, ISC_QUARANTINE_OPTIONS, options,
						 add_cut, error)
			       : NULL;
}

GVariant *isc_handle_release(IscCall *call, GError **error)
{
	const gchar *reason;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &reason, &options);
	IscRequest request = { .verb = ISC_VERB_RELEASE, .reason = reason };
	if (!isc_answer_check_reason(reason, error))
		return NULL;
	return isc_answer_verb(call, &request, "dry-run timeout ", options, NULL, error);
}

GVariant *isc_answer_provision(IscCall *call, const IscSpec *spec, const gchar *snapshot,
		GVariant *options, GError **error)
{
	IscOptions o;
	/* A clone that is not started would begin clean, and have nothing of its snapshot. */
	const gchar *allowed = snapshot ? "dry-run timeout " : "dry-run timeout enable ";
	if (!isc_options_parse(options, allowed, &o, error))
		return NULL;
	IscRequest request = { .verb = ISC_VERB_PROVISION,
		.node = spec->name,
		.caller = call->uid,
		.dry_run = o.dry_run,
		.enable = o.enable,
		.snapshot = snapshot,
		.timeout_s = o.timeout };
	g_auto(IscOutcome) out = { 0 };
	g_autoptr(IscNode) node = NULL;
	gboolean ok = isc_verb_provision(call->dock, spec, &request, &out, &node, error);
	call->order = out.order;
	if (!ok)
		return NULL;

	GVariantBuilder b;
	g_autofree gchar *address =
			node->slot ? isc_node_address_text(&call->dock->config->plan, node)
				   : g_strdup("");
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(spec->name));
	isc_answer_put(&b, "state",
			g_variant_new_string(o.dry_run ? "not provisioned"
						       : isc_node_state_name(node->state)));
	isc_answer_put(&b, "address", g_variant_new_string(address));
	isc_answer_put(&b, "image", g_variant_new_string(node->image_name));
	isc_answer_put(&b, "version", g_variant_new_string(node->image_version));
	isc_answer_put(&b, "digest", g_variant_new_string(node->digest));
	isc_answer_put(&b, "emulated", g_variant_new_boolean(call->dock->accel != ISC_ACCEL_KVM));
	isc_answer_put_outcome(&b, &out);
	return isc_answer(&b);
}

GVariant *isc_handle_provision(IscCall *call, GError **error)
{
	const gchar *text;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &text, &options);
	g_autoptr(IscSpec) spec = isc_spec_parse("node file", text, strlen(text), error);
	if (!spec)
		return NULL;
	if (*spec->replica.set) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"node file: Set= is what the dock writes of a member; make one "
				"with "
				"'isc-vm scale'");
		return NULL;
	}
	return spec->replica.count ? isc_answer_provision_set(call, spec, options, error)
				   : isc_answer_provision(call, spec, NULL, options, error);
}

/* --- network rules ------------------------------------------------------------------------- */

static GVariant *rules_verb(IscCall *call, IscVerb verb, GError **error)
{
	g_autofree const gchar **rules = NULL;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(^a&s@a{sv})", &rules, &options);
	IscRequest request = { .verb = verb, .rules = rules };
	return isc_answer_verb(call, &request, "dry-run timeout ", options, NULL, error);
}

GVariant *isc_handle_expose(IscCall *call, GError **error)
{
	return rules_verb(call, ISC_VERB_EXPOSE, error);
}

GVariant *isc_handle_unexpose(IscCall *call, GError **error)
{
	return rules_verb(call, ISC_VERB_UNEXPOSE, error);
}

GVariant *isc_handle_allow(IscCall *call, GError **error)
{
	return rules_verb(call, ISC_VERB_ALLOW, error);
}

GVariant *isc_handle_deny(IscCall *call, GError **error)
{
	return rules_verb(call, ISC_VERB_DENY, error);
}

/* --- limits -------------------------------------------------------------------------------- */

static void add_in_force(
		GVariantBuilder *b, IscCall *call, const IscRequest *request, const IscOutcome *out)
{
	(void)out;
	g_autoptr(IscNode) node = isc_register_get_node(call->dock->reg, request->node, NULL);
	if (node)
		isc_limits_show(call->dock, node, b);
}

GVariant *isc_handle_limit(IscCall *call, GError **error)
{
	g_autofree const gchar **limits = NULL;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(^a&s@a{sv})", &limits, &options);
	IscRequest request = { .verb = ISC_VERB_LIMIT, .rules = limits };
	return isc_answer_verb(call, &request, "dry-run timeout ", options, add_in_force, error);
}
