/* R1.4, F26: addresses of nodes, and pools that run out. */
#include "cm.h"

#include "model/address-plan.h"

static IscAddressPlan plan_of(const gchar *subnet, const gchar *dedicated)
{
	IscAddressPlan plan = isc_address_plan_default();
	assert_true(isc_net_parse(subnet, &plan.subnet, NULL));
	assert_true(isc_net_parse(dedicated, &plan.dedicated, NULL));
	return plan;
}

static void assert_place(const IscPlace *place, const gchar *address, const gchar *gateway,
		guint prefix, const gchar *bridge)
{
	g_autofree gchar *a = isc_address_print(place->address);
	g_autofree gchar *g = isc_address_print(place->gateway);
	assert_string_equal(a, address);
	assert_string_equal(g, gateway);
	assert_int_equal(place->prefix, prefix);
	assert_string_equal(place->bridge, bridge);
}

static void assert_slots(const IscAddressPlan *plan, IscNetworkModel model, guint first, guint last)
{
	const IscSlots slots = isc_address_plan_slots(plan, model);
	assert_int_equal(slots.first, first);
	assert_int_equal(slots.last, last);
}

static void a_place_follows_from_plan_slot_and_model(void **state)
{
	(void)state;
	const IscAddressPlan preset = isc_address_plan_default();
	const IscAddressPlan small = plan_of("192.168.7.0/24", "172.16.0.0/28");
	IscPlace p = isc_address_plan_place(&preset, 513, ISC_NETWORK_ISOLATED);
	assert_place(&p, "10.77.2.1", "10.77.0.1", 16, "isc0");
	p = isc_address_plan_place(&preset, 513, ISC_NETWORK_GROUP);
	assert_place(&p, "10.77.2.1", "10.77.0.1", 16, "isc0");
	p = isc_address_plan_place(&preset, 63977, ISC_NETWORK_DEDICATED);
	assert_place(&p, "10.78.0.2", "10.78.0.1", 30, "isc0-63977");
	p = isc_address_plan_place(&preset, 65000, ISC_NETWORK_DEDICATED);
	assert_place(&p, "10.78.15.254", "10.78.15.253", 30, "isc0-65000");
	p = isc_address_plan_place(&small, 254, ISC_NETWORK_ISOLATED);
	assert_place(&p, "192.168.7.254", "192.168.7.1", 24, "isc0");
	p = isc_address_plan_common(&small);
	assert_place(&p, "192.168.7.1", "192.168.7.1", 24, "isc0");
	assert_slots(&preset, ISC_NETWORK_ISOLATED, 2, 63976);
	assert_slots(&preset, ISC_NETWORK_DEDICATED, 63977, 65000);
	assert_slots(&small, ISC_NETWORK_GROUP, 2, 254);
	assert_slots(&small, ISC_NETWORK_DEDICATED, 64997, 65000);
}

static void no_two_places_share_an_address(void **state)
{
	(void)state;
	const IscAddressPlan plan = isc_address_plan_default();
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	for (guint model = 0; model < ISC_N_NETWORKS; model += 2) {
		const IscSlots slots = isc_address_plan_slots(&plan, (IscNetworkModel)model);
		const IscNet *net = model ? &plan.dedicated : &plan.subnet;
		for (guint slot = slots.first; slot <= slots.last; slot++) {
			const IscPlace p =
					isc_address_plan_place(&plan, slot, (IscNetworkModel)model);
			const IscNet host = { p.address, 32 };
			if (!isc_net_contains(net, &host) || p.address == p.gateway ||
					!g_hash_table_add(seen, GUINT_TO_POINTER(p.address)))
				fail_msg("slot %u of model %u", slot, model);
		}
	}
}

static void a_plan_in_which_no_node_can_live_is_refused(void **state)
{
	(void)state;
	static const struct {
		const gchar *subnet, *dedicated, *what;
	} bad[] = {
		{ "10.77.0.0/16", "10.77.128.0/20", "overlap" },
		{ "10.0.0.0/8", "10.78.0.0/20", "overlap" },
		{ "10.77.0.0/29", "10.78.0.0/20", "Subnet=10.77.0.0/29" },
		{ "8.0.0.0/7", "10.78.0.0/20", "Subnet=8.0.0.0/7" },
		{ "10.77.0.0/16", "10.78.0.0/30", "DedicatedSubnet" },
		{ "127.0.0.0/16", "10.78.0.0/20", "no node can live" },
		{ "10.77.0.0/16", "169.254.0.0/20", "no node can live" },
		{ "224.0.0.0/16", "10.78.0.0/20", "no node can live" },
		{ "255.255.255.0/24", "10.78.0.0/20", "no node can live" },
	};
	const IscAddressPlan preset = isc_address_plan_default();
	GError *error = NULL;
	assert_true(isc_address_plan_check(&preset, &error));
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		const IscAddressPlan plan = plan_of(bad[i].subnet, bad[i].dedicated);
		if (isc_address_plan_check(&plan, &error))
			fail_msg("taken: %s %s", bad[i].subnet, bad[i].dedicated);
		assert_error(error, ISC_ERROR_INVALID, bad[i].what);
	}
}

static void a_network_that_the_host_is_in_is_not_for_nodes(void **state)
{
	(void)state;
	static const IscNet far[] = { { 0xc0a80100, 24 }, { 0x0a4f0000, 16 } };
	static const IscNet inside = { 0x0a4d0500, 24 }, outer = { 0x0a000000, 8 },
			    own = { 0x0a4e0300, 24 };
	const IscAddressPlan plan = isc_address_plan_default();
	g_autoptr(GArray) nets = g_array_new(FALSE, FALSE, sizeof(IscNet));
	GError *error = NULL;

	g_array_append_vals(nets, far, 2);
	assert_true(isc_address_plan_check_host(&plan, ISC_NETWORK_ISOLATED, nets, &error));
	g_array_append_val(nets, own);
	assert_true(isc_address_plan_check_host(&plan, ISC_NETWORK_ISOLATED, nets, &error));
	assert_false(isc_address_plan_check_host(&plan, ISC_NETWORK_DEDICATED, nets, &error));
	assert_error(error, ISC_ERROR_STATE,
			"10.78.3.0/24, which the host is in: set [Network] Ded");
	g_array_append_val(nets, inside);
	assert_false(isc_address_plan_check_host(&plan, ISC_NETWORK_GROUP, nets, &error));
	assert_error(error, ISC_ERROR_STATE, "10.77.0.0/16 collides with 10.77.5.0/24");
	g_array_index(nets, IscNet, 3) = outer;
	assert_false(isc_address_plan_check_host(&plan, ISC_NETWORK_ISOLATED, nets, &error));
	assert_error(error, ISC_ERROR_STATE, "10.0.0.0/8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_place_follows_from_plan_slot_and_model),
		cmocka_unit_test(no_two_places_share_an_address),
		cmocka_unit_test(a_plan_in_which_no_node_can_live_is_refused),
		cmocka_unit_test(a_network_that_the_host_is_in_is_not_for_nodes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
