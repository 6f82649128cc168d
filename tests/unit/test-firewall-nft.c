/* R1.1, R1.3, R1.7, T15: the rules in the kernel. */
#include "netns.h"

#include <fcntl.h>

#include "base/cleanup.h"
#include "engine/firewall-nft.h"
#include "fence.h"

static int setup(void **state)
{
	GError *error = NULL;
	IscFirewall *fw = isc_firewall_new(&test_config, &error);

	assert_no_error(error);
	netns_run("nft flush ruleset");
	assert_true(isc_firewall_setup(fw, &error));
	*state = fw;
	return 0;
}

static int teardown(void **state)
{
	isc_firewall_free(*state);
	return 0;
}

static void add(IscFirewall *fw, const IscFence *fence)
{
	GError *error = NULL;
	gboolean ok = isc_firewall_node_add(fw, fence, &error);
	assert_no_error(error);
	assert_true(ok);
}

/* NULL or what is amiss */
static gchar *amiss(IscFirewall *fw)
{
	GError *error = NULL;
	gboolean intact = FALSE;
	gchar *why = NULL;

	assert_true(isc_firewall_is_intact(fw, &intact, &why, &error));
	assert_int_equal(intact, why == NULL);
	return why;
}

static void assert_intact(IscFirewall *fw)
{
	g_autofree gchar *why = amiss(fw);
	if (why)
		fail_msg("%s", why);
}

static const gchar everything[] = "tcp:203.0.113.7:443 tcp:203.0.112.0/24:1-1024 icmp "
				  "udp:10.0.0.0/8:53 icmp:10.0.0.0/8 node:db:tcp/5432";

static void what_is_added_reads_back_and_what_is_removed_is_gone(void **state)
{
	IscFirewall *fw = *state;
	g_autofree gchar *empty = netns_output("nft -s list ruleset");
	g_autoptr(IscFence) web = fence_new(2, "web", "8080:80 192.0.2.7:443:443", everything);
	g_autoptr(IscFence) db = fence_new(3, "db", NULL, NULL);
	GError *error = NULL;

	web->health_port = 80;
	web->rate_up = 125000;
	assert_false(isc_firewall_node_verify(fw, web, &error));
	assert_error(error, ISC_ERROR_VERIFY, "the kernel does not hold");
	add(fw, db);
	add(fw, web);
	assert_true(isc_firewall_node_verify(fw, web, &error));
	assert_true(isc_firewall_node_verify(fw, db, &error));
	assert_intact(fw);
	assert_true(isc_firewall_sync(fw, &error));
	assert_intact(fw);
	assert_int_equal(isc_firewall_n_nodes(fw), 2);
	assert_true(isc_firewall_node_remove(fw, web, &error));
	assert_true(isc_firewall_node_remove(fw, db, &error));
	assert_true(isc_firewall_node_remove(fw, db, &error)); /* again */
	g_autofree gchar *after = netns_output("nft -s list ruleset");
	assert_string_equal(after, empty);
}

static void the_kernel_holds_what_nft_would_have_written(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) web = fence_new(2, "web", "8080:80 192.0.2.7:443:443", everything);
	g_autoptr(IscFence) db = fence_new(3, "db", NULL, NULL);
	GError *error = NULL;

	web->health_port = 80;
	web->rate_up = 125000;
	web->rate_down = 99999999;
	web->quarantined = TRUE;
	add(fw, web);
	add(fw, db);
	g_autofree gchar *by_netlink = netns_output("nft -nn list ruleset");
	assert_true(isc_firewall_sync(fw, &error)); /* all from text, by libnftables */
	g_autofree gchar *by_text = netns_output("nft -nn list ruleset");
	assert_string_equal(by_netlink, by_text);
}

static void a_new_daemon_keeps_the_elements_until_it_knows_better(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) web = fence_new(2, "web", "8080:80", "open");
	g_autoptr(IscFence) db = fence_new(3, "db", "8081:80", NULL);
	GError *error = NULL;

	add(fw, web);
	add(fw, db);
	g_autofree gchar *before = netns_output("nft -s list ruleset");
	isc_firewall_free(fw);
	*state = NULL;
	g_autoptr(IscFirewall) second = isc_firewall_new(&test_config, &error);
	assert_true(isc_firewall_setup(second, &error));
	g_autofree gchar *after = netns_output("nft -s list ruleset");
	assert_string_equal(before, after);
	add(second, web);
	assert_true(isc_firewall_node_verify(second, web, &error));
	assert_intact(second); /* what may still be claimed is not amiss yet */
	assert_true(isc_firewall_node_remove(second, db, &error)); /* one it has not been told of */
	g_autofree gchar *without = netns_output("nft list map inet isc-dock expose");
	assert_null(strstr(without, "8081"));
	add(second, db);
	g_autoptr(IscFirewall) third = isc_firewall_new(&test_config, &error);
	assert_true(isc_firewall_node_remove(third, db, &error));
	netns_run("nft add element inet isc-dock nodes { 10.77.0.99 }");
	assert_true(isc_firewall_node_remove(second, db, &error));
	assert_true(isc_firewall_sync(second, &error));
	g_autofree gchar *exact = netns_output("nft list set inet isc-dock nodes");
	assert_null(strstr(exact, "10.77.0.99"));
	assert_intact(second);
}

static void tables_of_another_version_are_replaced(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) web = fence_new(2, "web", NULL, NULL);
	GError *error = NULL;

	netns_run("nft delete table inet isc-dock");
	netns_run("nft add table inet isc-dock");
	netns_run("nft add set inet isc-dock nodes { type inet_service \\; }");
	assert_true(isc_firewall_setup(fw, &error));
	add(fw, web);
	assert_true(isc_firewall_node_verify(fw, web, &error));
}

static void whatever_is_changed_behind_our_back_is_seen_and_mended(void **state)
{
	IscFirewall *fw = *state;
	static const struct {
		const gchar *command, *why;
	} cases[] = {
		{ "nft delete element inet isc-dock nodes { 10.77.0.2 }",
				"set 'nodes' holds 0 of our 1" },
		{ "nft add element inet isc-dock egress-open { 10.77.0.2 }", "which is not ours" },
		{ "nft add element bridge isc-dock pin { \"isct2\" . 52:54:4e:00:00:02 . 10.77.0.9 "
		  "}",
				"set 'pin' holds" },
		{ "nft insert rule inet isc-dock forward accept", "the rules" },
		{ "nft flush chain bridge isc-dock from-node", "the rules" },
		{ "nft delete chain inet isc-dock output", "the rules" },
		{ "nft add chain inet isc-dock forward { policy drop \\; }", "the rules" },
		{ "nft add table bridge isc-dock { flags dormant \\; }", "the rules" },
		{ "nft delete table bridge isc-dock", "the rules" },
		{ "nft flush ruleset", "the rules" },
	};
	g_autoptr(IscFence) web = fence_new(2, "web", "8080:80", NULL);
	GError *error = NULL;

	add(fw, web);
	assert_true(isc_firewall_sync(fw, &error));
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		netns_run(cases[i].command);
		g_autofree gchar *why = amiss(fw);
		if (!why || !strstr(why, cases[i].why))
			fail_msg("'%s': %s", cases[i].command, why);
		if (strstr(cases[i].why, "rules")) {
			assert_false(isc_firewall_node_verify(fw, web, &error));
			assert_error(error, ISC_ERROR_VERIFY, "");
		}
		assert_true(isc_firewall_sync(fw, &error));
		assert_intact(fw);
		assert_true(isc_firewall_node_verify(fw, web, &error));
	}
	netns_run("nft add table inet other"); /* is no business of ours */
	assert_intact(fw);
}

static void a_removal_succeeds_though_somebody_took_the_elements(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) web = fence_new(2, "web", "8080:80", NULL);
	g_autoptr(IscFence) db = fence_new(3, "db", NULL, NULL);
	GError *error = NULL;

	add(fw, web);
	add(fw, db);
	netns_run("nft flush ruleset");
	assert_true(isc_firewall_node_remove(fw, web, &error));
	assert_true(isc_firewall_node_verify(fw, db, &error));
	assert_intact(fw);
}

static void one_nodes_bad_rules_harm_no_other(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) web = fence_new(2, "web", "8080:80", NULL);
	g_autoptr(IscFence) bad = fence_new(3, "bad", "8080:80", NULL);
	g_autoptr(IscFence) worse = fence_new(3, "worse", "8081:80", NULL);
	GError *error = NULL;

	add(fw, web);
	assert_false(isc_firewall_node_add(fw, bad, &error));
	assert_error(error, ISC_ERROR_STATE, "the port is taken by node 'web'");
	/* The kernel refuses, because someone else has put in the same key with another value. */
	netns_run("nft add element inet isc-dock expose { tcp . 8081 : 10.77.0.99 . 1 }");
	assert_false(isc_firewall_node_add(fw, worse, &error));
	assert_error(error, ISC_ERROR_HOST, "set 'expose'");
	assert_true(isc_firewall_node_verify(fw, web, &error));
	assert_int_equal(isc_firewall_n_nodes(fw), 1);
	g_autofree gchar *nodes = netns_output("nft list set inet isc-dock nodes");
	assert_null(strstr(nodes, "10.77.0.3")); /* nothing of it was left behind */
}

static void quarantine_outlives_changes_until_it_is_lifted(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) web = fence_new(2, "web", "8080:80", NULL);
	g_autoptr(IscFence) other = fence_new(2, "other", NULL, NULL);
	GError *error = NULL;

	assert_true(isc_firewall_quarantine(fw, web, TRUE, /* only_standing= */ TRUE, &error));
	add(fw, other); /* nothing of it was left behind: the slot is free */
	assert_true(isc_firewall_quarantine(fw, web, TRUE, /* only_standing= */ TRUE, &error));
	g_autofree gchar *none = netns_output("nft list set inet isc-dock quarantined");
	assert_null(strstr(none, "10.77.0.2"));
	assert_true(isc_firewall_node_remove(fw, other, &error));
	add(fw, web);
	assert_true(isc_firewall_quarantine(fw, web, TRUE, FALSE, &error));
	assert_true(isc_firewall_quarantine(fw, web, TRUE, FALSE, &error));
	assert_true(isc_firewall_sync(fw, &error));
	g_autofree gchar *on = netns_output("nft list set inet isc-dock quarantined");
	g_autofree gchar *cut = netns_output("nft list set bridge isc-dock cut");
	assert_non_null(strstr(on, "10.77.0.2"));
	assert_non_null(strstr(cut, "isct2"));
	assert_true(isc_firewall_quarantine(fw, web, FALSE, FALSE, &error));
	g_autofree gchar *off = netns_output("nft list set inet isc-dock quarantined");
	assert_null(strstr(off, "10.77.0.2"));
	assert_intact(fw);
}

static void rules_change_in_one_step_and_never_lift_a_quarantine(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) before = fence_new(2, "web", "8080:80", "tcp:203.0.113.7:443 open");
	g_autoptr(IscFence) after = fence_new(2, "web", "9090:90", "tcp:203.0.112.0/24:1-9");
	g_autoptr(IscFence) other = fence_new(3, "db", "7070:70", NULL);
	g_autoptr(IscFence) thief = fence_new(3, "db", "9090:70", NULL);
	GError *error = NULL;

	add(fw, before);
	add(fw, other);
	assert_true(isc_firewall_quarantine(fw, before, TRUE, FALSE, &error));
	assert_true(isc_firewall_node_rules(
			fw, after, &error)); /* does not say that it is cut off */
	assert_intact(fw);
	g_autofree gchar *text = netns_output("nft -s list ruleset");
	assert_non_null(strstr(text, "10.77.0.2 . 90"));
	assert_null(strstr(text, "10.77.0.2 . 80"));
	g_autofree gchar *cut = netns_output("nft list set inet isc-dock quarantined");
	assert_non_null(strstr(cut, "10.77.0.2"));

	assert_false(isc_firewall_node_rules(fw, thief, &error));
	assert_error(error, ISC_ERROR_STATE, "'web'");
	assert_intact(fw);

	/* Somebody empties the sets at that moment: all is written anew, then the change. */
	netns_run("nft flush set inet isc-dock nodes");
	netns_run("nft flush map inet isc-dock expose");
	assert_true(isc_firewall_node_rules(fw, before, &error));
	assert_intact(fw);
}

static void another_outside_interface_moves_the_rules_and_keeps_the_nodes(void **state)
{
	IscFirewall *fw = *state;
	const gchar *outside[] = { "lte0", NULL };
	const IscNet nets[] = { { 0xcb007000, 24 } };
	IscFirewallConfig config = test_config;
	g_autoptr(IscFence) web = fence_new(2, "web", "8080:80", "tcp:203.0.112.0/24:80");
	GError *error = NULL;

	add(fw, web);
	g_autofree gchar *before = netns_output("nft list set inet isc-dock wide-named");
	assert_null(strstr(before, "203.0.112.0"));
	config.outside = outside;
	config.host_nets = nets;
	config.n_host_nets = 1;
	assert_true(isc_firewall_reconfigure(fw, &config, &error));
	g_autofree gchar *rules = netns_output("nft list chain inet isc-dock publish");
	assert_non_null(strstr(rules, "lte0"));
	/* The rule names what is the dock's own network now. */
	g_autofree gchar *after = netns_output("nft list set inet isc-dock wide-named");
	assert_non_null(strstr(after, "203.0.112.0"));
	assert_true(isc_firewall_node_verify(fw, web, &error));
	assert_intact(fw);
}

static void a_port_is_free_or_it_is_told_who_has_it(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) web = fence_new(2, "web", "8080-8090:80-90", NULL);
	IscExpose e;
	GError *error = NULL;

	add(fw, web);
	assert_true(isc_expose_parse("192.0.2.1:8085:80", &e, NULL));
	assert_false(isc_firewall_check_free(fw, &e, 0, &error));
	assert_error(error, ISC_ERROR_STATE, "node 'web' exposes 'tcp:8080-8090:80-90'");
	assert_true(isc_firewall_check_free(fw, &e, 2, &error));
	assert_true(isc_expose_parse("49000-49152:1000-1152", &e, NULL));
	assert_false(isc_firewall_check_free(fw, &e, 0, &error));
	assert_error(error, ISC_ERROR_STATE, "MasqueradePorts=");
	assert_true(isc_expose_parse("8091:80", &e, NULL));
	assert_true(isc_firewall_check_free(fw, &e, 0, &error));
}

static void only_the_guards_owner_can_take_it_away(void **state)
{
	(void)state;

	netns_run("nft flush ruleset");
	g_autofree gchar *left = netns_output("nft list ruleset");
	assert_non_null(strstr(left, "table inet " ISC_NFT_GUARD));
	assert_null(strstr(left, "table inet " ISC_NFT_TABLE " "));
	assert_int_not_equal(system("nft delete table inet " ISC_NFT_GUARD " 2>/dev/null"), 0);
}

static guint guards(void)
{
	guint n = 0;
	g_autofree gchar *all = netns_output("nft list tables");
	for (const gchar *p = all; (p = strstr(p, ISC_NFT_GUARD)); p++)
		n++;
	return n;
}

/* A daemon dies, and somebody has been handed its guard: it stands until the next daemon has one.
 */
static void a_guard_that_is_held_outlives_the_daemon(void **state)
{
	GError *error = NULL;
	(void)state;
	assert_int_equal(guards(), 1); /* of the fixture's */
	IscFirewall *first = isc_firewall_new(&test_config, &error);
	assert_true(isc_firewall_setup(first, &error));
	int held = isc_firewall_guard_fd(first);
	assert_true(held >= 0 && fcntl(held, F_GETFD) & FD_CLOEXEC);
	isc_firewall_free(first);
	netns_run("nft flush ruleset");
	assert_int_equal(guards(), 2);

	IscFirewall *second = isc_firewall_new(&test_config, &error);
	assert_true(isc_firewall_setup(second, &error));
	assert_int_equal(guards(), 3);
	isc_clear_fd(&held);
	assert_int_equal(guards(), 2);
	held = isc_firewall_guard_fd(second);
	assert_true(isc_firewall_teardown(second, &error));
	assert_int_equal(guards(), 1);
	assert_int_equal(isc_firewall_guard_fd(second), -1);
	isc_firewall_free(second);
	isc_clear_fd(&held);

	/* Not handed on, it is gone with its daemon. */
	IscFirewall *third = isc_firewall_new(&test_config, &error);
	assert_true(isc_firewall_setup(third, &error));
	assert_int_equal(guards(), 2);
	isc_firewall_free(third);
	assert_int_equal(guards(), 1);
}

static gboolean is_reserved(const gchar *net)
{
	g_autofree gchar *text = netns_output("nft list set inet isc-dock reserved");
	return strstr(text, net) != NULL;
}

static void new_networks_of_the_dock_are_reserved_at_once(void **state)
{
	IscFirewall *fw = *state;
	GError *error = NULL;
	gboolean changed = FALSE;
	g_autoptr(IscFence) web = fence_new(2, "web", NULL, "open");
	const IscNet nets[] = { { 0xcb007100, 24 }, { 0xc6336400, 24 } };

	add(fw, web);
	assert_true(isc_firewall_set_host_nets(fw, nets, 2, FALSE, &changed, &error));
	assert_true(changed);
	assert_true(is_reserved("198.51.100.0/24"));
	assert_intact(fw);
	assert_true(isc_firewall_set_host_nets(fw, nets, 2, FALSE, &changed, &error));
	assert_false(changed);
	assert_true(isc_firewall_set_host_nets(fw, nets, 1, FALSE, &changed, &error));
	assert_true(changed);
	assert_false(is_reserved("198.51.100.0/24"));
	assert_true(isc_firewall_node_verify(fw, web, &error));
}

static void teardown_removes_our_tables_and_no_others(void **state)
{
	IscFirewall *fw = *state;
	GError *error = NULL;

	netns_run("nft add table inet other");
	assert_true(isc_firewall_teardown(fw, &error));
	assert_true(isc_firewall_teardown(fw, &error));
	g_autofree gchar *tables = netns_output("nft list tables");
	assert_string_equal(tables, "table inet other\n");
}

static IscFence *member_new(guint slot, const gchar *name)
{
	IscFence *fence = fence_new(slot, name, "80:8080 192.0.2.7:443:8443", NULL);
	g_strlcpy(fence->set, "web", sizeof fence->set);
	return fence;
}

static guint count_text(const gchar *text, const gchar *word)
{
	guint n = 0;
	for (const gchar *at = text; (at = strstr(at, word)); at++)
		n++;
	return n;
}

static guint share_of(const gchar *address)
{
	g_autofree gchar *map = netns_output("nft list map inet isc-dock balance");
	g_autofree gchar *word = g_strdup_printf(" : %s . 8080", address);
	return count_text(map, word);
}

static void shared_ports_follow_their_members_in_the_kernel(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) one = member_new(2, "web-1"), two = member_new(3, "web-2");
	g_autoptr(IscBalance) both = isc_balance_new("web", one->expose);
	const guint slots[] = { 2, 3 };
	GError *error = NULL;

	g_array_append_vals(both->slots, slots, 2);
	add(fw, one);
	assert_true(isc_firewall_balance(fw, "web", both, &error));
	assert_int_equal(share_of("10.77.0.2"), 120);
	add(fw, two);
	assert_int_equal(share_of("10.77.0.2"), 60);
	assert_int_equal(share_of("10.77.0.3"), 60);
	assert_intact(fw);
	/* What libnftables writes is what went by netlink. */
	g_autofree gchar *before = netns_output("nft -s list ruleset");
	assert_true(isc_firewall_sync(fw, &error));
	assert_intact(fw);
	g_autofree gchar *after = netns_output("nft -s list ruleset");
	assert_int_equal(strlen(before), strlen(after));
	/* A cut holds though somebody has emptied the map this moment. */
	netns_run("nft flush map inet isc-dock balance");
	assert_true(isc_firewall_quarantine(fw, two, TRUE, FALSE, &error));
	assert_int_equal(share_of("10.77.0.3"), 0);
	assert_int_equal(share_of("10.77.0.2"), 120);
	assert_intact(fw);
	assert_true(isc_firewall_quarantine(fw, two, FALSE, FALSE, &error));
	assert_int_equal(share_of("10.77.0.3"), 60);
	netns_run("nft flush map inet isc-dock balance");
	assert_true(isc_firewall_node_remove(fw, one, &error));
	assert_int_equal(share_of("10.77.0.3"), 120);
	netns_run("nft flush map inet isc-dock balance");
	assert_true(isc_firewall_balance(fw, "web", NULL, &error));
	assert_int_equal(share_of("10.77.0.3"), 0);
	assert_intact(fw);
}

static void a_new_daemon_leads_shared_ports_anew(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) one = member_new(2, "web-1"), two = member_new(3, "web-2");
	g_autoptr(IscBalance) both = isc_balance_new("web", one->expose);
	g_autoptr(IscBalance) second = isc_balance_new("web", one->expose);
	const guint slots[] = { 2, 3 };
	GError *error = NULL;

	g_array_append_vals(both->slots, slots, 2);
	g_array_append_vals(second->slots, slots + 1, 1);
	add(fw, one);
	add(fw, two);
	assert_true(isc_firewall_balance(fw, "web", both, &error));
	/* The first one was stopped while there was none. */
	isc_firewall_free(fw);
	*state = NULL;
	g_autoptr(IscFirewall) next = isc_firewall_new(&test_config, &error);
	assert_true(isc_firewall_setup(next, &error));
	add(next, two);
	assert_true(isc_firewall_balance(next, "web", second, &error));
	assert_true(isc_firewall_sync(next, &error));
	assert_int_equal(share_of("10.77.0.2"), 0);
	assert_int_equal(share_of("10.77.0.3"), 120);
	assert_intact(next);
}

static void counters_begin_at_zero(void **state)
{
	IscFirewall *fw = *state;
	g_autoptr(IscFence) web = fence_new(2, "web", NULL, NULL);
	IscFirewallCounters counters;
	GError *error = NULL;

	add(fw, web);
	assert_true(isc_firewall_counters(fw, NULL, &counters, &error));
	assert_int_equal(counters.packets[ISC_DROP_MAC] + counters.passed[ISC_PASS_EXPOSED], 0);
	netns_run("nft add element bridge isc-dock dropped "
		  "{ \"isct2\" . 0x00000001 counter packets 5 bytes 300 , "
		  "\"isct3\" . 0x00000001 counter packets 7 bytes 300 }");
	netns_run("nft add element inet isc-dock dropped { 10.77.0.2 . 0x0000000d counter packets "
		  "3 bytes 9 }");
	assert_true(isc_firewall_counters(fw, web, &counters, &error));
	assert_int_equal(counters.packets[ISC_DROP_MAC], 5);
	assert_int_equal(counters.bytes[ISC_DROP_MAC], 300);
	assert_int_equal(counters.packets[ISC_DROP_EGRESS], 3);
	assert_true(isc_firewall_node_remove(fw, web, &error));
	assert_true(isc_firewall_counters(fw, web, &counters, &error));
	assert_int_equal(counters.packets[ISC_DROP_MAC] + counters.packets[ISC_DROP_EGRESS], 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(what_is_added_reads_back_and_what_is_removed_is_gone),
		T(the_kernel_holds_what_nft_would_have_written),
		T(a_new_daemon_keeps_the_elements_until_it_knows_better),
		T(tables_of_another_version_are_replaced),
		T(whatever_is_changed_behind_our_back_is_seen_and_mended),
		T(a_removal_succeeds_though_somebody_took_the_elements),
		T(one_nodes_bad_rules_harm_no_other),
		T(quarantine_outlives_changes_until_it_is_lifted),
		T(rules_change_in_one_step_and_never_lift_a_quarantine),
		T(another_outside_interface_moves_the_rules_and_keeps_the_nodes),
		T(a_port_is_free_or_it_is_told_who_has_it),
		T(only_the_guards_owner_can_take_it_away),
		T(a_guard_that_is_held_outlives_the_daemon),
		T(new_networks_of_the_dock_are_reserved_at_once),
		T(teardown_removes_our_tables_and_no_others),
		T(shared_ports_follow_their_members_in_the_kernel),
		T(a_new_daemon_leads_shared_ports_anew),
		T(counters_begin_at_zero),
	};
	if (!netns_enter()) {
		puts("ok 1 - the boundary in a real kernel # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
