/* The steps of the boundary: the fence before the tap, and the cut of quarantine. */
#include <string.h>

#include "daemon/boundary.h"
#include "daemon/packets.h"
#include "daemon/ready.h"
#include "daemon/steps.h"
#include "engine/conntrack.h"
#include "engine/links.h"

void isc_steps_fence(
		const IscNode *node, const IscImage *image, gboolean quarantined, IscFence *out)
{
	g_autofree gchar *tap = isc_node_tap(node->slot);
	*out = (IscFence){ .slot = node->slot,
		.address = isc_node_address(node->slot),
		.health_port = image ? isc_health_port(isc_ready_health(node, image)) : 0,
		.quarantined = quarantined,
		.rate_up = node->spec->bandwidth.out / 8,
		.rate_down = node->spec->bandwidth.in / 8,
		.stand_in = node->stand_in ? isc_node_address(node->stand_in) : 0,
		.expose = g_array_ref(node->spec->expose),
		.egress = g_array_ref(node->spec->egress) };
	isc_node_mac(node->slot, out->mac);
	g_strlcpy(out->name, node->spec->name, sizeof(out->name));
	g_strlcpy(out->group, node->spec->group, sizeof(out->group));
	g_strlcpy(out->tap, tap, sizeof(out->tap));
}

/* Read back from the kernel before it counts as done: no tap without its rules. */
gboolean isc_step_fence_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	g_autoptr(IscImage) image = isc_steps_image(dock, node, error);
	if (!image)
		return FALSE;
	IscFence fence;
	isc_steps_fence(node, image, FALSE, &fence);
	gboolean ok = isc_firewall_node_add(dock->firewall, &fence, error) &&
		      isc_firewall_node_verify(dock->firewall, &fence, error);
	isc_fence_clear(&fence);
	if (ok)
		isc_boundary_of_node(dock, node, NULL);
	return ok;
}

static gboolean end_flows(const IscNode *node, GError **error)
{
	return isc_conntrack_end_node(isc_node_address(node->slot), NULL, error);
}

gboolean isc_step_fence_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	/* What it exposes leads to another node that serves. */
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, node->spec->name, NULL);
	if (now && now->stand_in)
		return end_flows(node, error);
	IscFence fence;
	isc_packets_node_down(dock, node);
	isc_steps_fence(node, NULL, FALSE, &fence);
	gboolean ok = isc_firewall_node_remove(dock->firewall, &fence, error) &&
		      end_flows(node, error);
	isc_fence_clear(&fence);
	return ok;
}

static IscTap tap_of(const IscNode *node, const gchar *name)
{
	IscTap tap = { .name = name,
		.bridge = ISC_BRIDGE,
		.address = isc_node_address(node->slot),
		.uid = isc_node_uid(node->slot) };
	isc_node_mac(node->slot, tap.mac);
	return tap;
}

gboolean isc_step_tap_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	g_autofree gchar *name = isc_node_tap(node->slot);
	IscTap tap = tap_of(node, name);
	(void)arg, (void)cancel;
	if (!isc_links_tap_add(&tap, error))
		return FALSE;
	isc_packets_node_up(self, node, /* is_new= */ TRUE);
	return isc_boundary_up(self, name, error);
}

gboolean isc_step_tap_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	g_autofree gchar *name = isc_node_tap(node->slot);
	IscTap tap = tap_of(node, name);
	(void)self, (void)arg, (void)cancel;
	return isc_links_tap_remove(&tap, error);
}

static gboolean quarantine(IscDock *dock, const IscNode *node, gboolean on, GError **error)
{
	IscFence fence;
	isc_steps_fence(node, NULL, on, &fence);
	gboolean ok = isc_firewall_quarantine(dock->firewall, &fence, on, error);
	isc_fence_clear(&fence);
	return ok;
}

gboolean isc_step_cut_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return quarantine(dock, node, TRUE, error) && end_flows(node, error);
}

gboolean isc_step_cut_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return quarantine(dock, node, FALSE, error);
}

GVariant *isc_steps_counters(IscDock *dock, const IscNode *node)
{
	IscFence fence;
	IscFirewallCounters counters = { 0 };
	GVariantBuilder b;

	isc_steps_fence(node, NULL, FALSE, &fence);
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	if (isc_firewall_counters(dock->firewall, &fence, &counters, NULL))
		for (guint kind = 1; kind < ISC_N_DROPS; kind++)
			if (counters.packets[kind])
				g_variant_builder_add(&b, "{sv}", isc_drop_name((IscDropKind)kind),
						g_variant_new_uint64(counters.packets[kind]));
	isc_fence_clear(&fence);
	return g_variant_builder_end(&b);
}
