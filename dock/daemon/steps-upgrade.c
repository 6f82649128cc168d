/* The steps of an upgrade: the node that stands in, where the exposed ports lead, and which image
 * the register holds. */
#include <string.h>

#include "base/error.h"
#include "daemon/bus.h"
#include "daemon/steps.h"
#include "daemon/upgrade.h"
#include "daemon/provision.h"
#include "daemon/verbs.h"
#include "engine/conntrack.h"
#include "model/member.h"

#define DRAIN_LOOK_US 200000

/* --- the stand-in -------------------------------------------------------------------------- */

/* The stand-in of @name, or NULL. */
static IscNode *find(IscDock *dock, const gchar *name)
{
	g_autofree gchar *other = isc_node_stand_in_name(name);
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, other, NULL);
	return node && g_strcmp0(node->stands_for, name) == 0 ? g_steal_pointer(&node) : NULL;
}

/* As the node, of another image, with nothing exposed: nobody reaches it before it is ready. */
static IscSpec *spec_for(const IscNode *node, const gchar *digest)
{
	IscSpec *spec = isc_spec_copy(node->spec);
	g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(IscExpose));
	isc_spec_set_rules(spec, none, spec->egress);
	g_free(spec->name);
	spec->name = isc_node_stand_in_name(node->spec->name);
	g_free(spec->image);
	spec->image = g_strconcat("sha256:", digest, NULL);
	g_free(spec->description);
	spec->description = g_strdup_printf("Stands in for %s", node->spec->name);
	spec->upkeep.restart = ISC_RESTART_NO;
	spec->protect = FALSE;
	isc_member_leave(spec);
	return spec;
}

gboolean isc_step_standin_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	g_autoptr(IscNode) other = find(dock, node->spec->name);
	if (!other)
		return TRUE;
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = { .verb = ISC_VERB_DESTROY,
		.node = other->spec->name,
		.caller = ISC_CALLER_DOCK,
		.force = TRUE };
	return isc_verb_run(dock, &request, &out, error);
}

gboolean isc_step_standin_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	/* What an earlier upgrade left. */
	if (!isc_step_standin_down(self, node, arg, NULL, error))
		return FALSE;
	g_autoptr(IscSpec) spec = spec_for(node, arg);
	g_auto(IscOutcome) out = { 0 };
	g_autoptr(IscNode) made = NULL;
	const IscRequest request = { .verb = ISC_VERB_PROVISION,
		.node = spec->name,
		.caller = ISC_CALLER_DOCK,
		.enable = TRUE,
		.cancel = cancel,
		.stands_for = node->spec->name };
	return isc_verb_provision(dock, spec, &request, &out, &made, error);
}

/* --- where the ports lead ------------------------------------------------------------------ */

/* Waits until the connections through the exposed ports to @address have ended, or the time is up:
 * then they are cut off with the node. */
static void drain(IscDock *dock, const IscNode *node, guint slot, const gchar *seconds,
		GCancellable *cancel)
{
	gint64 deadline = g_get_monotonic_time() +
			  (gint64)g_ascii_strtoull(seconds, NULL, 10) * G_USEC_PER_SEC;
	guint open = 1, calm = 0;
	g_autoptr(GError) why = NULL;

	/* Twice nothing: a packet that was judged just before the change may still be on its way.
	 */
	while (calm < 2 && g_get_monotonic_time() < deadline &&
			!(cancel && g_cancellable_is_cancelled(cancel)) && !dock->stopping) {
		if (!isc_conntrack_count_exposed(isc_address_plan_place(&dock->config->plan, slot,
								 node->spec->network)
								 .address,
				    node->spec->expose, &open, &why)) {
			g_message("node '%s': %s", node->spec->name, why->message);
			return;
		}
		calm = open ? 0 : calm + 1;
		if (calm < 2)
			g_usleep(DRAIN_LOOK_US);
	}
}

/* The register first: the boundary is drawn from it when the daemon starts. */
static gboolean lead(IscDock *dock, const gchar *name, guint slot, GError **error)
{
	if (!isc_register_set_stand_in(dock->reg, name, slot, error))
		return FALSE;
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, name, error);
	g_autoptr(IscImage) image = now ? isc_steps_image(dock, now, error) : NULL;
	if (!image)
		return FALSE;
	if (!isc_node_state_is_up(now->state) && !slot)
		return TRUE; /* it has no rules in force */
	IscFence fence;
	isc_steps_fence(dock, now, image, now->state == ISC_NODE_QUARANTINED, &fence);
	gboolean ok = isc_firewall_node_rules(dock->firewall, &fence, error);
	isc_fence_clear(&fence);
	return ok;
}

gboolean isc_step_redirect_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autoptr(IscNode) other = find(dock, node->spec->name);
	if (!other) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "the stand-in of '%s' is gone",
				node->spec->name);
		return FALSE;
	}
	if (!lead(dock, node->spec->name, other->slot, error))
		return FALSE;
	drain(dock, node, node->slot, arg, cancel);
	return TRUE;
}

gboolean isc_step_redirect_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, node->spec->name, error);
	if (!now || !lead(dock, node->spec->name, 0, error))
		return FALSE;
	if (now->stand_in)
		drain(dock, now, now->stand_in, arg, cancel);
	return TRUE;
}

/* --- the image ----------------------------------------------------------------------------- */

static gboolean set_image(IscDock *dock, const gchar *name, const gchar *digest,
		const gchar *previous, GError **error)
{
	g_autofree gchar *ref = g_strconcat("sha256:", digest, NULL);
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, ref, error);
	if (!image)
		return FALSE;
	if (!isc_register_set_image(dock->reg, name, image,
			    g_str_equal(previous, "-") ? "" : previous, error))
		return FALSE;
	if (dock->bus)
		isc_bus_node_image(dock->bus, name, digest);
	return TRUE;
}

static gboolean change(
		IscDock *dock, const gchar *name, const gchar *arg, gboolean back, GError **error)
{
	g_auto(GStrv) words = g_strsplit(arg, " ", -1);
	if (g_strv_length(words) != 4) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no change of images",
				arg);
		return FALSE;
	}
	return set_image(dock, name, words[back ? 0 : 2], words[back ? 1 : 3], error);
}

gboolean isc_step_image_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	(void)cancel;
	return change(self, node->spec->name, arg, /* back= */ FALSE, error);
}

gboolean isc_step_image_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	(void)cancel;
	return change(self, node->spec->name, arg, /* back= */ TRUE, error);
}
