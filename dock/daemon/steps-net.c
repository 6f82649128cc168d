/* The steps of the boundary: the fence before the tap, and the cut of quarantine. */
#include <net/if.h>
#include <string.h>

#include "daemon/boundary.h"
#include "daemon/names.h"
#include "daemon/packets.h"
#include "daemon/ready.h"
#include "daemon/steps.h"
#include "engine/conntrack.h"
#include "engine/links.h"
#include "model/health.h"
#include "model/member.h"

void isc_steps_fence(IscDock *dock, const IscNode *node, const IscImage *image,
		gboolean quarantined, IscFence *out)
{
	g_autofree gchar *tap = isc_node_tap(node->slot);
	g_autofree gchar *health = image ? isc_ready_health(node, image) : NULL;
	*out = (IscFence){ .slot = node->slot,
		.address = isc_node_address(&dock->config->plan, node),
		.health_port = isc_health_port(health),
		.quarantined = quarantined,
		.rate_up = node->spec->bandwidth.out / 8,
		.rate_down = node->spec->bandwidth.in / 8,
		.stand_in = node->stand_in ? isc_address_plan_place(&dock->config->plan,
							     node->stand_in, node->spec->network)
							     .address
					   : 0,
		.expose = g_array_ref(node->spec->expose),
		.egress = g_array_ref(node->spec->egress) };
	isc_node_mac(node->slot, out->mac);
	g_strlcpy(out->name, node->spec->name, sizeof(out->name));
	g_strlcpy(out->group, node->spec->group, sizeof(out->group));
	if (isc_member_shares_ports(node->spec))
		g_strlcpy(out->set, node->spec->replica.set, sizeof(out->set));
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
	isc_steps_fence(dock, node, image, FALSE, &fence);
	gboolean ok = isc_firewall_node_add(dock->firewall, &fence, error) &&
		      isc_firewall_node_verify(dock->firewall, &fence, error) &&
		      isc_conntrack_end_strays(
				      node->spec->expose, &dock->config->plan, NULL, error);
	isc_fence_clear(&fence);
	if (ok)
		isc_boundary_of_node(dock, node, NULL);
	isc_dock_names_look(dock);
	return ok;
}

gboolean isc_steps_end_flows(IscDock *dock, const IscNode *node, GError **error)
{
	return isc_conntrack_end_node(isc_node_address(&dock->config->plan, node), NULL, error);
}

gboolean isc_step_fence_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	/* What it exposes leads to another node that serves. */
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, node->spec->name, NULL);
	if (now && now->stand_in)
		return isc_steps_end_flows(dock, node, error);
	IscFence fence;
	isc_packets_node_down(dock, node);
	isc_steps_fence(dock, node, NULL, FALSE, &fence);
	gboolean ok = isc_firewall_node_remove(dock->firewall, &fence, error) &&
		      isc_steps_end_flows(dock, node, error);
	isc_fence_clear(&fence);
	isc_dock_names_look(dock);
	return ok;
}

IscTap isc_steps_tap(const IscNode *node, const gchar *name, const IscPlace *place)
{
	IscTap tap = { .name = name,
		.bridge = place->bridge,
		.address = place->address,
		.uid = isc_node_uid(node->slot) };
	isc_node_mac(node->slot, tap.mac);
	return tap;
}

IscBridge isc_steps_bridge(const IscPlace *place)
{
	IscBridge bridge = { .name = place->bridge,
		.gateway = place->gateway,
		.prefix = place->prefix,
		.accept_mark = ISC_NFT_ACCEPT_MARK };
	isc_node_mac(ISC_SLOT_GATEWAY, bridge.mac);
	return bridge;
}

/* The common bridge stands since the dock started, unless its network was taken then. */
static gboolean bridge_up(const IscNode *node, const IscPlace *place, GError **error)
{
	const IscBridge bridge = isc_steps_bridge(place);
	return (node->spec->network != ISC_NETWORK_DEDICATED && if_nametoindex(place->bridge)) ||
	       isc_links_bridge_setup(&bridge, error);
}

gboolean isc_step_tap_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	const IscDock *dock = self;
	const IscPlace place = isc_node_place(&dock->config->plan, node);
	g_autofree gchar *name = isc_node_tap(node->slot);
	IscTap tap = isc_steps_tap(node, name, &place);
	(void)arg, (void)cancel;
	if (!bridge_up(node, &place, error) || !isc_links_tap_add(&tap, error))
		return FALSE;
	isc_packets_node_up(self, node, /* is_new= */ TRUE);
	return isc_boundary_up(self, name, error);
}

gboolean isc_step_tap_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	const IscDock *dock = self;
	const IscPlace place = isc_node_place(&dock->config->plan, node);
	const IscBridge bridge = isc_steps_bridge(&place);
	g_autofree gchar *name = isc_node_tap(node->slot);
	IscTap tap = isc_steps_tap(node, name, &place);
	(void)arg, (void)cancel;
	return isc_links_tap_remove(&tap, error) &&
	       (node->spec->network != ISC_NETWORK_DEDICATED ||
			       isc_links_bridge_remove(&bridge, error));
}

static gboolean quarantine(IscDock *dock, const IscNode *node, gboolean on, gboolean only_standing,
		GError **error)
{
	IscFence fence;
	isc_steps_fence(dock, node, NULL, on, &fence);
	gboolean ok = isc_firewall_quarantine(dock->firewall, &fence, on, only_standing, error);
	isc_fence_clear(&fence);
	return ok;
}

gboolean isc_steps_drop(IscDock *dock, const IscNode *node, GError **error)
{
	return quarantine(dock, node, TRUE, /* only_standing= */ TRUE, error);
}

gboolean isc_step_cut_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return quarantine(dock, node, TRUE, FALSE, error) && isc_steps_end_flows(dock, node, error);
}

gboolean isc_step_cut_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return quarantine(dock, node, FALSE, FALSE, error);
}

GVariant *isc_steps_counters(IscDock *dock, const IscNode *node)
{
	IscFence fence;
	IscFirewallCounters counters = { 0 };
	GVariantBuilder b;

	isc_steps_fence(dock, node, NULL, FALSE, &fence);
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	if (isc_firewall_counters(dock->firewall, &fence, &counters, NULL))
		for (guint kind = 1; kind < ISC_N_DROPS; kind++)
			if (counters.packets[kind])
				g_variant_builder_add(&b, "{sv}", isc_drop_name((IscDropKind)kind),
						g_variant_new_uint64(counters.packets[kind]));
	isc_fence_clear(&fence);
	return g_variant_builder_end(&b);
}
