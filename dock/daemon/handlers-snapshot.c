#include "base/error.h"
#include "base/name.h"
#include "daemon/answer.h"
#include "daemon/handlers.h"

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
	isc_answer_put(b, "snapshot", g_variant_new_string(request->snapshot));
	if (find_snapshot(call, request->snapshot, &s, NULL)) {
		isc_answer_put(b, "size", g_variant_new_uint64(s.size));
		isc_answer_put(b, "frozen", g_variant_new_boolean(s.frozen));
	}
}

static GVariant *snapshot_verb(IscCall *call, IscVerb verb, GError **error)
{
	const gchar *given;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &given, &options);
	g_autofree gchar *name = *given || verb != ISC_VERB_SNAPSHOT_CREATE
						 ? g_strdup(given)
						 : isc_answer_time_name("s");
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
	return isc_answer_verb(call, &request, "dry-run timeout ", options, add_snapshot, error);
}

GVariant *isc_handle_snapshot_create(IscCall *call, GError **error)
{
	return snapshot_verb(call, ISC_VERB_SNAPSHOT_CREATE, error);
}

GVariant *isc_handle_snapshot_restore(IscCall *call, GError **error)
{
	return snapshot_verb(call, ISC_VERB_SNAPSHOT_RESTORE, error);
}

GVariant *isc_handle_snapshot_delete(IscCall *call, GError **error)
{
	return snapshot_verb(call, ISC_VERB_SNAPSHOT_DELETE, error);
}

GVariant *isc_handle_snapshot_list(IscCall *call, GError **error)
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
		isc_answer_put(&b, "name", g_variant_new_string(s->name));
		isc_answer_put(&b, "created", g_variant_new_int64(s->created));
		isc_answer_put(&b, "size", g_variant_new_uint64(s->size));
		isc_answer_put(&b, "digest", g_variant_new_string(s->digest));
		isc_answer_put(&b, "frozen", g_variant_new_boolean(s->frozen));
		g_variant_builder_add(&list, "@a{sv}", g_variant_builder_end(&b));
	}
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}
