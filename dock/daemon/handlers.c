#include "daemon/handlers.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "daemon/doctor.h"
#include "daemon/fsck.h"
#include "daemon/network.h"
#include "daemon/options.h"
#include "daemon/show.h"
#include "daemon/trails.h"
#include "daemon/verbs.h"

static GVariant *dict(GVariantBuilder *b)
{
	return g_variant_new("(@a{sv})", g_variant_builder_end(b));
}

static void put(GVariantBuilder *b, const gchar *key, GVariant *value)
{
	g_variant_builder_add(b, "{sv}", key, value);
}

static void put_strings(GVariantBuilder *b, const gchar *key, const GPtrArray *texts)
{
	put(b, key,
			g_variant_new_strv(texts ? (const gchar *const *)texts->pdata : NULL,
					texts ? (gssize)texts->len : 0));
}

/* --- verbs --------------------------------------------------------------------------------- */

static void put_outcome(GVariantBuilder *b, const IscOutcome *out)
{
	g_autofree gchar *text = out->plan ? isc_plan_print(out->plan) : g_strdup("");
	g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
	put(b, "plan", g_variant_new_strv((const gchar *const *)lines, -1));
	put(b, "seconds", g_variant_new_double(out->seconds));
	put(b, "changed", g_variant_new_boolean(!out->done));
	put_strings(b, "warnings", out->warnings);
}

/* What is left of the node after the verb: for the answer. */
static void put_state(GVariantBuilder *b, IscDock *dock, const gchar *name)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	put(b, "name", g_variant_new_string(name));
	put(b, "state",
			g_variant_new_string(
					node ? isc_node_state_name(node->state) : "destroyed"));
}

/* Every verb on a node that stands goes through here; @add may add to the answer. */
static GVariant *node_verb(IscCall *call, IscRequest *request, const gchar *allowed,
		GVariant *options,
		void (*add)(GVariantBuilder *b, IscCall *call, const IscRequest *request,
				const IscOutcome *out),
		GError **error)
{
	IscOptions o;
	if (!isc_options_parse(options, allowed, &o, error))
		return NULL;
	request->node = call->name;
	request->caller = call->uid;
	request->dry_run = o.dry_run;
	request->force = o.force;
	request->pause = o.pause;
	request->timeout_s = o.timeout;

	g_auto(IscOutcome) out = { 0 };
	if (!isc_verb_run(call->dock, request, &out, error))
		return NULL;

	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_state(&b, call->dock, call->name);
	put_outcome(&b, &out);
	if (add && !o.dry_run)
		add(&b, call, request, &out);
	return dict(&b);
}

static GVariant *simple_verb(IscCall *call, IscVerb verb, const gchar *allowed, GError **error)
{
	g_autoptr(GVariant) options = g_variant_get_child_value(call->params, 0);
	IscRequest request = { .verb = verb };
	return node_verb(call, &request, allowed, options, NULL, error);
}

static GVariant *enable(IscCall *call, GError **error)
{
	return simple_verb(call, ISC_VERB_ENABLE, "dry-run timeout ", error);
}

static GVariant *disable(IscCall *call, GError **error)
{
	return simple_verb(call, ISC_VERB_DISABLE, "dry-run timeout force ", error);
}

static GVariant *suspend(IscCall *call, GError **error)
{
	return simple_verb(call, ISC_VERB_SUSPEND, "dry-run timeout ", error);
}

static GVariant *resume(IscCall *call, GError **error)
{
	return simple_verb(call, ISC_VERB_RESUME, "dry-run timeout ", error);
}

static void add_shredded(
		GVariantBuilder *b, IscCall *call, const IscRequest *request, const IscOutcome *out)
{
	static const gchar *const what[] = { "overlay", "overlay key", "snapshots and their keys",
		"environment", NULL };
	(void)call, (void)request, (void)out;
	put(b, "shredded", g_variant_new_strv(what, -1));
}

static GVariant *destroy(IscCall *call, GError **error)
{
	g_autoptr(GVariant) options = g_variant_get_child_value(call->params, 0);
	IscRequest request = { .verb = ISC_VERB_DESTROY, .force = TRUE };
	return node_verb(call, &request, "dry-run timeout ", options, add_shredded, error);
}

/* One line, printable, not empty. */
static gboolean check_reason(const gchar *reason, GError **error)
{
	g_autofree gchar *shown = isc_text_escape(reason, -1, 500);
	if (*reason && strlen(reason) <= 500 && g_str_equal(shown, reason))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"a reason is wanted: 1 to 500 bytes of printable text in one line");
	return FALSE;
}

static gchar *time_name(const gchar *prefix)
{
	g_autoptr(GDateTime) now = g_date_time_new_now_utc();
	g_autofree gchar *text = g_date_time_format(now, "%Y%m%d-%H%M%S");
	return g_strdup_printf("%s%s-%03d", prefix, text, g_date_time_get_microsecond(now) / 1000);
}

static void add_cut(
		GVariantBuilder *b, IscCall *call, const IscRequest *request, const IscOutcome *out)
{
	(void)call;
	put(b, "cut-off", g_variant_new_double(out->cut_off_ms));
	put(b, "evidence", g_variant_new_string(out->done ? "" : request->snapshot));
}

static GVariant *quarantine(IscCall *call, GError **error)
{
	const gchar *reason;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &reason, &options);
	g_autofree gchar *name = time_name("q");
	IscRequest request = { .verb = ISC_VERB_QUARANTINE, .reason = reason, .snapshot = name };
	if (!check_reason(reason, error))
		return NULL;
	return node_verb(call, &request, "dry-run timeout pause ", options, add_cut, error);
}

static GVariant *release(IscCall *call, GError **error)
{
	const gchar *reason;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &reason, &options);
	IscRequest request = { .verb = ISC_VERB_RELEASE, .reason = reason };
	if (!check_reason(reason, error))
		return NULL;
	return node_verb(call, &request, "dry-run timeout ", options, NULL, error);
}

static GVariant *provision(IscCall *call, GError **error)
{
	const gchar *text;
	g_autoptr(GVariant) options = NULL;
	IscOptions o;
	g_variant_get(call->params, "(&s@a{sv})", &text, &options);
	if (!isc_options_parse(options, "dry-run timeout enable ", &o, error))
		return NULL;
	g_autoptr(IscSpec) spec = isc_spec_parse("node file", text, strlen(text), error);
	if (!spec)
		return NULL;

	IscRequest request = { .verb = ISC_VERB_PROVISION,
		.node = spec->name,
		.caller = call->uid,
		.dry_run = o.dry_run,
		.enable = o.enable,
		.timeout_s = o.timeout };
	g_auto(IscOutcome) out = { 0 };
	g_autoptr(IscNode) node = NULL;
	if (!isc_verb_provision(call->dock, spec, &request, &out, &node, error))
		return NULL;

	GVariantBuilder b;
	g_autofree gchar *address = node->slot ? isc_node_address_text(node->slot) : g_strdup("");
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put(&b, "name", g_variant_new_string(spec->name));
	put(&b, "state",
			g_variant_new_string(o.dry_run ? "not provisioned"
						       : isc_node_state_name(node->state)));
	put(&b, "address", g_variant_new_string(address));
	put(&b, "image", g_variant_new_string(node->image_name));
	put(&b, "version", g_variant_new_string(node->image_version));
	put(&b, "digest", g_variant_new_string(node->digest));
	put(&b, "emulated", g_variant_new_boolean(call->dock->accel != ISC_ACCEL_KVM));
	put_outcome(&b, &out);
	return dict(&b);
}

/* --- network rules ------------------------------------------------------------------------- */

static GVariant *rules_verb(IscCall *call, IscVerb verb, GError **error)
{
	g_autofree const gchar **rules = NULL;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(^a&s@a{sv})", &rules, &options);
	IscRequest request = { .verb = verb, .rules = rules };
	return node_verb(call, &request, "dry-run timeout ", options, NULL, error);
}

static GVariant *expose(IscCall *call, GError **error)
{
	return rules_verb(call, ISC_VERB_EXPOSE, error);
}

static GVariant *unexpose(IscCall *call, GError **error)
{
	return rules_verb(call, ISC_VERB_UNEXPOSE, error);
}

static GVariant *allow(IscCall *call, GError **error)
{
	return rules_verb(call, ISC_VERB_ALLOW, error);
}

static GVariant *deny(IscCall *call, GError **error)
{
	return rules_verb(call, ISC_VERB_DENY, error);
}

/* --- snapshots ----------------------------------------------------------------------------- */

static gboolean find_snapshot(IscCall *call, const gchar *name, IscSnapshot *out, GError **error)
{
	g_autoptr(IscNode) node = isc_register_get_node(call->dock->reg, call->name, error);
	g_autoptr(GPtrArray) all =
			node ? isc_register_list_snapshots(call->dock->reg, node->uuid, error)
			     : NULL;
	if (!all)
		return FALSE;
	for (guint i = 0; i < all->len; i++) {
		const IscSnapshot *s = all->pdata[i];
		if (!g_str_equal(s->name, name))
			continue;
		*out = *s;
		out->name = NULL;
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(name, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "node '%s' has no snapshot '%s'",
			call->name, shown);
	return FALSE;
}

static void add_snapshot(
		GVariantBuilder *b, IscCall *call, const IscRequest *request, const IscOutcome *out)
{
	IscSnapshot s = { 0 };
	(void)out;
	put(b, "snapshot", g_variant_new_string(request->snapshot));
	if (find_snapshot(call, request->snapshot, &s, NULL)) {
		put(b, "size", g_variant_new_uint64(s.size));
		put(b, "frozen", g_variant_new_boolean(s.frozen));
	}
}

static GVariant *snapshot_verb(IscCall *call, IscVerb verb, GError **error)
{
	const gchar *given;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &given, &options);
	g_autofree gchar *name = *given || verb != ISC_VERB_SNAPSHOT_CREATE ? g_strdup(given)
									    : time_name("s");
	if (!isc_name_check("snapshot", name, error))
		return NULL;

	IscSnapshot s;
	g_autoptr(GError) none = NULL;
	gboolean exists = find_snapshot(call, name, &s, &none);
	if (verb == ISC_VERB_SNAPSHOT_CREATE && exists) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"node '%s' has a snapshot '%s' already", call->name, name);
		return NULL;
	}
	if (verb != ISC_VERB_SNAPSHOT_CREATE && !exists) {
		g_propagate_error(error, g_steal_pointer(&none));
		return NULL;
	}
	IscRequest request = { .verb = verb, .snapshot = name };
	return node_verb(call, &request, "dry-run timeout ", options, add_snapshot, error);
}

static GVariant *snapshot_create(IscCall *call, GError **error)
{
	return snapshot_verb(call, ISC_VERB_SNAPSHOT_CREATE, error);
}

static GVariant *snapshot_restore(IscCall *call, GError **error)
{
	return snapshot_verb(call, ISC_VERB_SNAPSHOT_RESTORE, error);
}

static GVariant *snapshot_delete(IscCall *call, GError **error)
{
	return snapshot_verb(call, ISC_VERB_SNAPSHOT_DELETE, error);
}

static GVariant *snapshot_list(IscCall *call, GError **error)
{
	g_autoptr(IscNode) node = isc_register_get_node(call->dock->reg, call->name, error);
	g_autoptr(GPtrArray) all =
			node ? isc_register_list_snapshots(call->dock->reg, node->uuid, error)
			     : NULL;
	if (!all)
		return NULL;
	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < all->len; i++) {
		const IscSnapshot *s = all->pdata[i];
		GVariantBuilder b;
		g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
		put(&b, "name", g_variant_new_string(s->name));
		put(&b, "created", g_variant_new_int64(s->created));
		put(&b, "size", g_variant_new_uint64(s->size));
		put(&b, "digest", g_variant_new_string(s->digest));
		put(&b, "frozen", g_variant_new_boolean(s->frozen));
		g_variant_builder_add(&list, "@a{sv}", g_variant_builder_end(&b));
	}
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}

/* --- events ------------------------------------------------------------------------------- */

static GVariant *list_events(IscCall *call, GError **error)
{
	const gchar *node;
	guint64 since;
	guint32 max;
	g_variant_get(call->params, "(&stu)", &node, &since, &max);
	if (max < 1 || max > 1000 || (*node && !isc_name_check("node", node, error))) {
		if (error && !*error)
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "max is 1 to 1000");
		return NULL;
	}
	g_autoptr(GPtrArray) rows = isc_register_list_events(
			call->dock->reg, *node ? node : NULL, MIN(since, G_MAXINT64), max, error);
	if (!rows)
		return NULL;
	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < rows->len; i++)
		g_variant_builder_add(&list, "@a{sv}", isc_bus_event_variant(rows->pdata[i]));
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}

/* --- the table ----------------------------------------------------------------------------- */

/* clang-format off */
static const IscHandler handlers[] = {
	{ "Dock1", "Provision",   provision },
	{ "Dock1", "ImportImage", isc_show_import_image },
	{ "Dock1", "RemoveImage", isc_show_remove_image },
	{ "Dock1", "ShowImage",   isc_show_image },
	{ "Dock1", "ListImages",  isc_show_images },
	{ "Dock1", "ListNodes",   isc_show_nodes },
	{ "Dock1", "Doctor",      isc_doctor },
	{ "Dock1", "Fsck",        isc_fsck },
	{ "Dock1", "ShowNetwork",    isc_network_show_call },
	{ "Dock1", "ExplainNetwork", isc_network_explain_call },
	{ "Dock1", "ListEvents",  list_events },
	{ "Dock1", "OpenTrail",   isc_trails_open },
	{ "Dock1", "OpenChain",   isc_trails_open_chain },
	{ "Dock1", "ListTrails",  isc_trails_list },

	{ "Dock1.Node", "Show",            isc_show_node },
	{ "Dock1.Node", "Enable",          enable },
	{ "Dock1.Node", "Disable",         disable },
	{ "Dock1.Node", "Suspend",         suspend },
	{ "Dock1.Node", "Resume",          resume },
	{ "Dock1.Node", "Destroy",         destroy },
	{ "Dock1.Node", "Quarantine",      quarantine },
	{ "Dock1.Node", "Release",         release },
	{ "Dock1.Node", "Expose",          expose },
	{ "Dock1.Node", "Unexpose",        unexpose },
	{ "Dock1.Node", "Allow",           allow },
	{ "Dock1.Node", "Deny",            deny },
	{ "Dock1.Node", "SnapshotCreate",  snapshot_create },
	{ "Dock1.Node", "SnapshotList",    snapshot_list },
	{ "Dock1.Node", "SnapshotRestore", snapshot_restore },
	{ "Dock1.Node", "SnapshotDelete",  snapshot_delete },
};
/* clang-format on */

const IscHandler *isc_handlers_find(const gchar *interface, const gchar *method)
{
	for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++)
		if (g_str_equal(handlers[i].interface, interface) &&
				g_str_equal(handlers[i].method, method))
			return &handlers[i];
	return NULL;
}
