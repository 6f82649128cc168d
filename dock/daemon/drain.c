#include "daemon/drain.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "daemon/answer.h"
#include "daemon/verbs.h"

static gchar *mark_of(const IscDock *dock)
{
	return g_build_filename(dock->config->state_dir, "draining", NULL);
}

gboolean isc_drain_is_on(const IscDock *dock)
{
	g_autofree gchar *path = mark_of(dock);
	return access(path, F_OK) == 0;
}

gboolean isc_drain_set(IscDock *dock, gboolean on, GError **error)
{
	g_autofree gchar *path = mark_of(dock);
	if (on)
		return isc_file_write(AT_FDCWD, path, "", 0, 0600, error);
	return unlink(path) == 0 || errno == ENOENT ||
	       isc_error_set_errno(error, errno, "cannot remove '%s'", path);
}

gboolean isc_drain_may_start(const IscDock *dock, GError **error)
{
	if (!isc_drain_is_on(dock))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"the dock is being drained: no node is started; 'isc-vm dock undrain' ends "
			"it");
	return FALSE;
}

/* --- all nodes ----------------------------------------------------------------------------- */

static gint last_started_first(gconstpointer a, gconstpointer b)
{
	const IscNode *x = *(const IscNode *const *)a, *y = *(const IscNode *const *)b;
	return (x->since < y->since) - (x->since > y->since);
}

typedef struct {
	GPtrArray *stopped, *left, *warnings, *plan;
} Drained;

static void stop_one(IscCall *call, const IscOptions *o, const IscNode *node, guint i, guint n,
		Drained *d)
{
	const gchar *name = node->spec->name;
	if (node->state == ISC_NODE_QUARANTINED) {
		g_ptr_array_add(d->left, g_strdup(name));
		return;
	}
	g_ptr_array_add(d->plan, g_strdup_printf("- %s", name));
	if (o->dry_run)
		return;
	if (call->dock->bus)
		isc_bus_progress(call->dock->bus, name, 0, i + 1, n, "draining");
	g_auto(IscOutcome) out = { 0 };
	g_autoptr(GError) why = NULL;
	const IscRequest request = { .verb = ISC_VERB_DISABLE,
		.node = name,
		.caller = call->uid,
		.force = o->force,
		.timeout_s = o->timeout };
	if (isc_verb_run(call->dock, &request, &out, &why)) {
		g_ptr_array_add(d->stopped, g_strdup(name));
		return;
	}
	g_ptr_array_add(d->left, g_strdup(name));
	g_ptr_array_add(d->warnings, g_strdup_printf("%s: %s", name, why->message));
}

GVariant *isc_drain(IscCall *call, const IscOptions *o, GError **error)
{
	IscDock *dock = call->dock;
	gboolean was = isc_drain_is_on(dock);
	if (!o->dry_run && !isc_drain_set(dock, TRUE, error))
		return NULL;
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, error);
	if (!nodes)
		return NULL;
	for (guint i = nodes->len; i-- > 0;)
		if (!isc_node_state_is_up(((const IscNode *)nodes->pdata[i])->state))
			g_ptr_array_remove_index(nodes, i);
	g_ptr_array_sort(nodes, last_started_first);
	g_autoptr(GPtrArray) stopped = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) left = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) plan = g_ptr_array_new_with_free_func(g_free);
	Drained d = { stopped, left, warnings, plan };
	if (!was)
		g_ptr_array_add(plan, g_strdup("+ draining"));
	if (!o->dry_run)
		isc_dock_event(dock, "", "dock.draining", "info", call->uid,
				"the dock is drained: %u nodes are stopped, none is started",
				nodes->len);
	for (guint i = 0; i < nodes->len; i++)
		stop_one(call, o, nodes->pdata[i], i, nodes->len, &d);

	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put_strings(&b, "plan", plan);
	isc_answer_put_strings(&b, "stopped", stopped);
	isc_answer_put_strings(&b, "left", left);
	isc_answer_put_strings(&b, "warnings", warnings);
	return isc_answer(&b);
}
