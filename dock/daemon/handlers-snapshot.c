#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "daemon/answer.h"
#include "daemon/copies.h"
#include "daemon/handlers.h"
#include "daemon/options.h"
#include "daemon/snapshots.h"
#include "model/member.h"

static gboolean find_snapshot(IscCall *call, const gchar *name, IscSnapshot *out, GError **error)
{
	g_autoptr(IscNode) node = isc_register_get_node(call->dock->reg, call->name, error);
	return node && isc_snapshots_find(call->dock, node, name, out, error);
}

/* The names of the volumes in it. */
static void put_volumes(GVariantBuilder *b, IscDock *dock, const gchar *node, const gchar *name)
{
	g_autoptr(IscCopy) copy = isc_snapshots_load(dock, node, name, NULL);
	GVariantBuilder names;
	g_variant_builder_init(&names, G_VARIANT_TYPE("as"));
	for (guint i = 0; copy && i < copy->volumes->len; i++)
		g_variant_builder_add(
				&names, "s", g_array_index(copy->volumes, IscCopyVolume, i).name);
	isc_answer_put(b, "volumes", g_variant_builder_end(&names));
}

static void add_snapshot(
		GVariantBuilder *b, IscCall *call, const IscRequest *request, const IscOutcome *out)
{
	IscSnapshot s = { 0 };
	(void)out;
	isc_answer_put(b, "snapshot", g_variant_new_string(request->snapshot));
	if (request->verb != ISC_VERB_SNAPSHOT_DELETE)
		put_volumes(b, call->dock, call->name, request->snapshot);
	if (find_snapshot(call, request->snapshot, &s, NULL)) {
		isc_answer_put(b, "size", g_variant_new_uint64(s.size));
		isc_answer_put(b, "frozen", g_variant_new_boolean(s.frozen));
	}
}

/* What was written under one image need not be fit for another. */
static gboolean is_of_its_image(
		IscCall *call, const gchar *name, const IscSnapshot *s, GError **error)
{
	g_autoptr(IscNode) node = isc_register_get_node(call->dock->reg, call->name, error);
	if (!node)
		return FALSE;
	if (g_str_equal(node->digest, s->digest))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"snapshot '%s' was taken under image %.12s, node '%s' now has %.12s: "
			"'isc-vm "
			"snapshot clone' makes a node of it",
			name, s->digest, call->name, node->digest);
	return FALSE;
}

/* Looked at before the node is stopped for it. */
static gboolean is_whole(IscCall *call, const gchar *name, GError **error)
{
	g_autoptr(IscCopy) copy = isc_snapshots_verify(call->dock, call->name, name, error);
	return copy != NULL;
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
	IscOptions o;
	const gchar *allowed = verb == ISC_VERB_SNAPSHOT_CREATE ? "dry-run timeout keep "
								: "dry-run timeout ";
	if (!isc_options_parse(options, allowed, &o, error))
		return NULL;
	if (verb == ISC_VERB_SNAPSHOT_RESTORE &&
			(!is_of_its_image(call, name, &s, error) || !is_whole(call, name, error)))
		return NULL;
	if (verb == ISC_VERB_SNAPSHOT_CREATE &&
			!isc_snapshots_admit(call->dock, call->name, name, error))
		return NULL;
	g_auto(GStrv) drop = o.keep ? isc_snapshots_too_many(call->dock, call->name, o.keep, error)
				    : NULL;
	if (o.keep && !drop)
		return NULL;
	IscRequest request = { .verb = verb, .snapshot = name, .drop = (const gchar *const *)drop };
	return isc_answer_verb(call, &request, allowed, options, add_snapshot, error);
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

/* --- clone --------------------------------------------------------------------------------- */

/* The clone gets volumes of its own, where the node had its. */
static gboolean name_volumes(
		IscSpec *spec, const IscCopy *copy, const gchar *new_name, GError **error)
{
	g_array_set_size(spec->volumes, 0);
	for (guint i = 0; i < copy->volumes->len; i++) {
		const IscCopyVolume *volume = &g_array_index(copy->volumes, IscCopyVolume, i);
		IscVolumeUse use = { .size_mib = volume->mib };
		g_autofree gchar *own =
				isc_volume_clone_name(volume->name, copy->node, new_name, error);
		if (!own)
			return FALSE;
		g_strlcpy(use.name, own, sizeof(use.name));
		g_strlcpy(use.path, volume->path, sizeof(use.path));
		if (!isc_spec_add_volume(spec, &use, error))
			return FALSE;
	}
	return TRUE;
}

/* The node as it was at the snapshot, under a new name and with other ports; its secrets are
 * today's. */
static IscSpec *spec_of_clone(IscCall *call, const gchar *name, const gchar *new_name,
		const gchar *const *expose, GError **error)
{
	IscDock *dock = call->dock;
	g_autoptr(IscNode) node = isc_dock_load_node(dock, call->name, error);
	g_autoptr(IscCopy) copy = node ? isc_snapshots_verify(dock, call->name, name, error) : NULL;
	g_autoptr(IscSpec) spec = copy ? isc_spec_parse("manifest of the snapshot", copy->spec,
							 strlen(copy->spec), error)
				       : NULL;
	g_autoptr(GArray) ports = spec ? isc_expose_parse_list(expose, error) : NULL;
	if (!ports)
		return NULL;
	if (!name_volumes(spec, copy, new_name, error))
		return NULL;
	g_free(spec->name);
	spec->name = g_strdup(new_name);
	g_free(spec->image);
	spec->image = g_strconcat("sha256:", copy->digest, NULL);
	g_ptr_array_set_size(spec->env, 0);
	for (guint i = 0; i < node->spec->env->len; i++)
		g_ptr_array_add(spec->env, g_strdup(node->spec->env->pdata[i]));
	isc_spec_set_rules(spec, ports, spec->egress);
	isc_member_leave(spec);
	/* Once more through the one door. */
	g_autofree gchar *text = isc_spec_print(spec);
	IscSpec *checked = isc_spec_parse("clone", text, strlen(text), error);
	explicit_bzero(text, strlen(text));
	return checked;
}

GVariant *isc_handle_snapshot_clone(IscCall *call, GError **error)
{
	const gchar *name, *new_name;
	g_autofree const gchar **expose = NULL;
	g_autoptr(GVariant) options = NULL;
	IscSnapshot s;
	g_variant_get(call->params, "(&s&s^a&s@a{sv})", &name, &new_name, &expose, &options);
	if (!isc_name_check("snapshot", name, error) || !isc_name_check("node", new_name, error) ||
			!find_snapshot(call, name, &s, error))
		return NULL;
	g_autoptr(IscSpec) spec = spec_of_clone(call, name, new_name, expose, error);
	g_autofree gchar *from = g_strjoin("/", call->name, name, NULL);
	return spec ? isc_answer_provision(call, spec, from, options, error) : NULL;
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
		put_volumes(&b, call->dock, call->name, s->name);
		g_variant_builder_add(&list, "@a{sv}", g_variant_builder_end(&b));
	}
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}

GVariant *isc_handle_snapshot_verify(IscCall *call, GError **error)
{
	const gchar *name;
	IscSnapshot s;
	g_variant_get(call->params, "(&s)", &name);
	if (!isc_name_check("snapshot", name, error) || !find_snapshot(call, name, &s, error))
		return NULL;
	g_autoptr(IscCopy) copy = isc_snapshots_verify(call->dock, call->name, name, error);
	if (!copy)
		return NULL;
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "snapshot", g_variant_new_string(name));
	isc_answer_put(&b, "files", g_variant_new_uint32(copy->files->len));
	isc_answer_put(&b, "taken", g_variant_new_int64(copy->taken));
	isc_answer_put(&b, "frozen", g_variant_new_boolean(copy->frozen));
	put_volumes(&b, call->dock, call->name, name);
	return isc_answer(&b);
}
