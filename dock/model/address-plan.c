#include "model/address-plan.h"

#include "base/error.h"

#define DEDICATED_MAX 16384u /* each is a routing rule, too */
#define BLOCK 4u             /* addresses of a dedicated node: network, gateway, node, broadcast */

IscAddressPlan isc_address_plan_default(void)
{
	return (IscAddressPlan){ { 0x0a4d0000, 16 }, { 0x0a4e0000, 20 }, "isc0" };
}

static guint32 size_of(const IscNet *net)
{
	return isc_net_last(net) - net->address + 1;
}

static gboolean check_net(const gchar *key, const IscNet *net, GError **error)
{
	static const IscNet unfit[] = { { 0x00000000, 8 }, { 0x7f000000, 8 }, { 0xa9fe0000, 16 },
		{ 0xe0000000, 3 } };
	g_autofree gchar *text = isc_net_print(net);

	if (net->prefix < 8 || net->prefix > 28) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"[Network] %s=%s: from /8 to /28 is possible", key, text);
		return FALSE;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(unfit); i++)
		if (isc_net_overlaps(&unfit[i], net)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"[Network] %s=%s: no node can live there; choose a private "
					"network",
					key, text);
			return FALSE;
		}
	return TRUE;
}

gboolean isc_address_plan_check(const IscAddressPlan *plan, GError **error)
{
	if (!check_net("Subnet", &plan->subnet, error) ||
			!check_net("DedicatedSubnet", &plan->dedicated, error))
		return FALSE;
	if (!isc_net_overlaps(&plan->subnet, &plan->dedicated))
		return TRUE;
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
			"[Network] Subnet= and DedicatedSubnet= overlap");
	return FALSE;
}

gchar *isc_address_plan_print(const IscAddressPlan *plan)
{
	g_autofree gchar *subnet = isc_net_print(&plan->subnet);
	g_autofree gchar *dedicated = isc_net_print(&plan->dedicated);
	return g_strdup_printf(
			"Subnet=%s DedicatedSubnet=%s Bridge=%s", subnet, dedicated, plan->bridge);
}

static guint first_dedicated(const IscAddressPlan *plan)
{
	return ISC_SLOT_MAX + 1 - MIN(size_of(&plan->dedicated) / BLOCK, DEDICATED_MAX);
}

IscSlots isc_address_plan_slots(const IscAddressPlan *plan, IscNetworkModel model)
{
	const guint first = first_dedicated(plan);

	if (model == ISC_NETWORK_DEDICATED)
		return (IscSlots){ first, ISC_SLOT_MAX };
	return (IscSlots){ ISC_SLOT_MIN, MIN(size_of(&plan->subnet) - 2, first - 1) };
}

IscPlace isc_address_plan_common(const IscAddressPlan *plan)
{
	IscPlace place = { plan->subnet.address + 1, plan->subnet.address + 1, plan->subnet.prefix,
		"" };
	g_strlcpy(place.bridge, plan->bridge, sizeof place.bridge);
	return place;
}

IscPlace isc_address_plan_place(const IscAddressPlan *plan, guint slot, IscNetworkModel model)
{
	IscPlace place = isc_address_plan_common(plan);

	if (model != ISC_NETWORK_DEDICATED) {
		place.address = plan->subnet.address + slot;
		return place;
	}
	guint32 block = plan->dedicated.address + BLOCK * (slot - first_dedicated(plan));
	place = (IscPlace){ block + 2, block + 1, 30, "" };
	g_snprintf(place.bridge, sizeof place.bridge, "%.*s-%u", ISC_BRIDGE_MAX, plan->bridge,
			slot & 0xffff);
	return place;
}

IscPlace isc_node_place(const IscAddressPlan *plan, const IscNode *node)
{
	return isc_address_plan_place(plan, node->slot, node->spec->network);
}

guint32 isc_node_address(const IscAddressPlan *plan, const IscNode *node)
{
	return isc_node_place(plan, node).address;
}

gchar *isc_node_address_text(const IscAddressPlan *plan, const IscNode *node)
{
	return isc_address_print(isc_node_address(plan, node));
}

gboolean isc_address_plan_check_host(const IscAddressPlan *plan, IscNetworkModel model,
		const GArray *host_nets, GError **error)
{
	gboolean own = model == ISC_NETWORK_DEDICATED;
	const IscNet *ours = own ? &plan->dedicated : &plan->subnet;

	for (guint i = 0; i < host_nets->len; i++) {
		const IscNet *net = &g_array_index(host_nets, IscNet, i);
		if (!isc_net_overlaps(net, ours))
			continue;
		g_autofree gchar *theirs = isc_net_print(net), *text = isc_net_print(ours);
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"the nodes' network %s collides with %s, which the host is in: set "
				"[Network] %s= in dock.conf to another",
				text, theirs, own ? "DedicatedSubnet" : "Subnet");
		return FALSE;
	}
	return TRUE;
}
