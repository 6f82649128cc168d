/* R1.5, R1.7: bridge and taps. */
#include "netns.h"

#include "engine/links.h"

static const IscBridge bridge = { .name = "isc0",
	.gateway = 0x0a4d0001,
	.prefix = 16,
	.mac = { 0x52, 0x54, 0x4e, 0, 0, 1 },
	.accept_mark = 0x1cd0c000 };

static IscTap tap_of(guint slot)
{
	static gchar name[16];
	g_snprintf(name, sizeof name, "isct%u", slot);
	/* uid 0: the only one that a user namespace of one uid knows */
	return (IscTap){ .name = name,
		.bridge = "isc0",
		.address = 0x0a4d0000 + slot,
		.mac = { 0x52, 0x54, 0x4e, 0, 0, (guint8)slot },
		.uid = 0 };
}

static void assert_has(const gchar *command, const gchar *what)
{
	g_autofree gchar *out = netns_output(command);
	if (!strstr(out, what))
		fail_msg("'%s' lacks '%s': %s", command, what, out);
}

static void assert_lacks(const gchar *command, const gchar *what)
{
	g_autofree gchar *out = netns_output(command);
	if (strstr(out, what))
		fail_msg("'%s' has '%s': %s", command, what, out);
}

static void the_bridge_is_made_once_and_stays_quiet(void **state)
{
	(void)state;
	GError *error = NULL;

	for (guint i = 0; i < 2; i++) {
		gboolean ok = isc_links_bridge_setup(&bridge, &error);
		assert_no_error(error);
		assert_true(ok);
		assert_has("ip -d link show isc0", "52:54:4e:00:00:01");
		assert_has("ip -d link show isc0", "stp_state 0");
		assert_has("ip -d link show isc0", "mcast_snooping 0");
		assert_has("ip address show isc0", "inet 10.77.0.1/16");
		assert_lacks("ip address show isc0", "inet6");
		assert_has("ip rule", "fwmark 0/0x1cd0c000 iif isc0 blackhole");
		assert_has("cat /proc/sys/net/ipv4/conf/isc0/forwarding", "1");
	}
	/* Someone undoes it. */
	netns_run("ip link set isc0 type bridge stp_state 1");
	netns_run("ip link set isc0 down");
	gboolean mended = isc_links_bridge_setup(&bridge, &error);
	assert_no_error(error);
	assert_true(mended);
	assert_has("ip -d link show isc0", "stp_state 0");
	assert_has("ip link show isc0", ",UP");
	g_autofree gchar *rules = netns_output("ip rule");
	assert_null(strstr(strstr(rules, "blackhole") + 1, "blackhole")); /* once */
}

static void a_bridge_that_stands_keeps_what_is_pinned(void **state)
{
	(void)state;
	GError *error = NULL;

	netns_run("ip neigh replace 10.77.0.9 lladdr 52:54:4e:00:00:09 dev isc0 nud permanent");
	gboolean ok = isc_links_bridge_setup(&bridge, &error);
	assert_no_error(error);
	assert_true(ok);
	assert_has("ip neigh show dev isc0", "10.77.0.9 lladdr 52:54:4e:00:00:09 PERMANENT");
	netns_run("ip neigh del 10.77.0.9 dev isc0");
	/* Its MAC, where somebody changed that, comes before. */
	netns_run("ip link set isc0 address 02:00:00:00:00:01");
	assert_true(isc_links_bridge_setup(&bridge, &error));
	assert_has("ip -d link show isc0", "52:54:4e:00:00:01");
}

static void who_takes_forwarding_from_all_does_not_from_nodes(void **state)
{
	(void)state;
	GError *error = NULL;

	netns_run("ip link add wan0 type veth peer name isc0-7");
	assert_true(netns_write("/proc/sys/net/ipv4/ip_forward", "1"));
	assert_true(isc_links_is_router());
	assert_true(netns_write("/proc/sys/net/ipv4/ip_forward", "0"));
	assert_false(isc_links_is_router());
	assert_has("cat /proc/sys/net/ipv4/conf/isc0/forwarding", "0");
	assert_true(isc_links_forward_again("isc0", "wan0", &error));
	assert_has("cat /proc/sys/net/ipv4/conf/isc0/forwarding", "1");
	assert_has("cat /proc/sys/net/ipv4/conf/isc0-7/forwarding", "1");
	assert_has("cat /proc/sys/net/ipv4/conf/wan0/forwarding", "1");
	assert_has("cat /proc/sys/net/ipv4/conf/lo/forwarding", "0");
	assert_false(isc_links_is_router());
	netns_run("ip link del wan0");
}

static void a_tap_is_down_isolated_and_pinned_until_it_goes(void **state)
{
	(void)state;
	GError *error = NULL;
	const IscTap tap = tap_of(2);
	gboolean is = FALSE;

	if (access("/dev/net/tun", W_OK) != 0)
		skip();
	for (guint i = 0; i < 2; i++) {
		gboolean ok = isc_links_tap_add(&tap, &error);
		assert_no_error(error);
		assert_true(ok);
		assert_true(isc_links_is_up("isct2", &is, &error));
		assert_false(is);
		assert_true(isc_links_is_isolated("isct2", "isc0", &is, &error));
		assert_true(is);
		assert_has("ip -d link show isct2", "persist on");
		assert_has("ip -d link show isct2", "vnet_hdr on");
		assert_has("ip -d link show isct2", "learning off");
		assert_has("ip -d link show isct2", "flood off");
		assert_has("bridge fdb show dev isct2", "52:54:4e:00:00:02 master isc0 static");
		assert_has("ip neigh show dev isc0",
				"10.77.0.2 lladdr 52:54:4e:00:00:02 PERMANENT");
	}
	assert_true(isc_links_set_up("isct2", TRUE, &error));
	assert_true(isc_links_is_up("isct2", &is, &error));
	assert_true(is);
	netns_run("bridge link set dev isct2 isolated off");
	assert_true(isc_links_is_isolated("isct2", "isc0", &is, &error));
	assert_false(is);
	assert_true(isc_links_set_up("isct2", FALSE, &error));
	for (guint i = 0; i < 2; i++)
		assert_true(isc_links_tap_remove(&tap, &error));
	assert_lacks("ip link", "isct2");
	assert_lacks("ip neigh show dev isc0", "10.77.0.2");
}

static void an_interface_that_took_the_taps_name_is_replaced(void **state)
{
	(void)state;
	GError *error = NULL;
	const IscTap tap = tap_of(3);

	if (access("/dev/net/tun", W_OK) != 0)
		skip();
	netns_run("ip link add isct3 type veth peer name trap");
	assert_true(isc_links_tap_add(&tap, &error));
	assert_has("ip -d link show isct3", "tun type tap");
	assert_lacks("ip link", "trap");
	assert_true(isc_links_tap_remove(&tap, &error));
}

static void what_is_not_there_is_told(void **state)
{
	(void)state;
	GError *error = NULL;
	gboolean is;
	IscTap tap = tap_of(4);

	assert_false(isc_links_set_up("isct4", TRUE, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "isct4");
	assert_false(isc_links_is_up("isct4", &is, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "isct4");
	tap.bridge = "nobridge";
	assert_false(isc_links_port_setup(&tap, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "nobridge");
	assert_null(isc_links_outside(&error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "no default route");
	assert_null(isc_links_addresses("nobridge", &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "nobridge");
}

static void the_host_is_read_as_it_is(void **state)
{
	(void)state;
	GError *error = NULL;

	netns_run("ip link add wan type veth peer name far");
	netns_run("ip link add lan type veth peer name near");
	netns_run("ip link set wan up");
	netns_run("ip link set far up");
	netns_run("ip link set lan up");
	netns_run("ip link set near up");
	netns_run("ip address add 198.51.100.1/24 dev wan");
	netns_run("ip address add 198.51.100.9/24 dev wan");
	netns_run("ip address add 192.0.2.1/28 dev lan");
	netns_run("ip route add default via 192.0.2.2 metric 200");
	netns_run("ip route add default via 198.51.100.2 metric 100");
	netns_run("ip route add default via 192.0.2.3 table 7");
	g_autofree gchar *outside = isc_links_outside(&error);
	assert_string_equal(outside, "wan");
	g_autoptr(GArray) addresses = isc_links_addresses("wan", &error);
	assert_int_equal(addresses->len, 2);
	assert_int_equal(g_array_index(addresses, guint32, 0), 0xc6336401);
	g_autoptr(GArray) nets = isc_links_host_nets("isc0", &error);
	gboolean has_wan = FALSE, has_lan = FALSE;
	for (guint i = 0; i < nets->len; i++) {
		const IscNet *net = &g_array_index(nets, IscNet, i);
		has_wan |= net->address == 0xc6336400 && net->prefix == 24;
		has_lan |= net->address == 0xc0000200 && net->prefix == 28;
		assert_int_not_equal(net->address, 0x0a4d0000);
	}
	assert_true(has_wan && has_lan);
	assert_true(isc_links_forward("wan", &error));
	assert_has("cat /proc/sys/net/ipv4/conf/wan/forwarding", "1");
	assert_has("cat /proc/sys/net/ipv4/conf/lan/forwarding", "0");
}

static void the_bridge_goes_with_its_rule(void **state)
{
	(void)state;
	GError *error = NULL;

	for (guint i = 0; i < 2; i++)
		assert_true(isc_links_bridge_remove(&bridge, &error));
	assert_lacks("ip link", "isc0");
	assert_lacks("ip rule", "blackhole");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bridge_is_made_once_and_stays_quiet),
		cmocka_unit_test(a_bridge_that_stands_keeps_what_is_pinned),
		cmocka_unit_test(who_takes_forwarding_from_all_does_not_from_nodes),
		cmocka_unit_test(a_tap_is_down_isolated_and_pinned_until_it_goes),
		cmocka_unit_test(an_interface_that_took_the_taps_name_is_replaced),
		cmocka_unit_test(what_is_not_there_is_told),
		cmocka_unit_test(the_host_is_read_as_it_is),
		cmocka_unit_test(the_bridge_goes_with_its_rule),
	};
	if (!netns_enter()) {
		puts("ok 1 - bridge and taps # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
