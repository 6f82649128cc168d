/* R1.5, T7: the dock's ARP table. */
#include "netns.h"

#include "engine/neighbours.h"

#define FORWARD_DROPS                                                                              \
	"add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }; "

/* What each leaves in the kernel, as iptables-nft and firewalld write it. */
static const struct {
	const gchar *rules;
	IscNeighbourKind kind;
	gboolean forward_drops;
	const gchar *remedy;
} cases[] = {
	{ "add table ip filter; " FORWARD_DROPS "add chain ip filter DOCKER-USER; "
	  "add chain ip filter DOCKER; add rule ip filter FORWARD jump DOCKER-USER",
			ISC_NEIGHBOUR_DOCKER, TRUE,
			"insert rule ip filter DOCKER-USER iifname isc0 accept" },
	{ "add table ip filter; " FORWARD_DROPS "add chain ip filter ufw-user-forward; "
	  "add chain ip filter ufw-before-forward",
			ISC_NEIGHBOUR_UFW, TRUE,
			"add rule ip filter ufw-user-forward iifname isc0 accept" },
	{ "add table inet firewalld; add chain inet firewalld filter_FORWARD "
	  "{ type filter hook forward priority 10; policy accept; }; "
	  "add rule inet firewalld filter_FORWARD ct status dnat accept; "
	  "add rule inet firewalld filter_FORWARD reject",
			ISC_NEIGHBOUR_FIREWALLD, FALSE,
			"insert rule inet firewalld filter_FORWARD iifname isc0 accept" },
	{ "add table ip filter; add chain ip filter LIBVIRT_FWI; add chain ip filter FORWARD "
	  "{ type filter hook forward priority 0; policy accept; }",
			ISC_NEIGHBOUR_LIBVIRT, FALSE, NULL },
};

static void nft(const gchar *words)
{
	g_autofree gchar *quoted = g_shell_quote(words);
	g_autofree gchar *command = g_strconcat("nft ", quoted, NULL);
	netns_run(command);
}

static void each_is_told_by_its_tables_and_its_remedy_is_seen(void **state)
{
	(void)state;
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		GError *error = NULL;
		nft("flush ruleset");
		nft(cases[i].rules);
		g_auto(IscNeighbours) n = { 0 };
		assert_true(isc_neighbours_read("isc0", &n, &error));
		for (guint kind = 0; kind < ISC_N_NEIGHBOURS; kind++)
			assert_int_equal(n.is_there[kind], kind == cases[i].kind);
		assert_int_equal(n.forward_drops, cases[i].forward_drops);
		assert_false(n.lets_through[cases[i].kind]);
		assert_null(n.dropping);
		if (!cases[i].remedy)
			continue;
		nft(cases[i].remedy);
		g_auto(IscNeighbours) after = { 0 };
		assert_true(isc_neighbours_read("isc0", &after, &error));
		assert_true(after.lets_through[cases[i].kind]);
	}
}

static void nobody_is_there_where_nobody_is(void **state)
{
	(void)state;
	g_auto(IscNeighbours) n = { 0 };
	nft("flush ruleset");
	nft("add table inet isc-dock; add chain inet isc-dock forward "
	    "{ type filter hook forward priority 0; policy drop; }");
	assert_true(isc_neighbours_read("isc0", &n, NULL));
	for (guint kind = 0; kind < ISC_N_NEIGHBOURS; kind++)
		assert_false(n.is_there[kind]);
	assert_false(n.forward_drops);
	assert_null(n.dropping);
}

static void a_strangers_drop_is_named(void **state)
{
	(void)state;
	g_auto(IscNeighbours) n = { 0 };
	nft("flush ruleset");
	nft("add table inet mine; add chain inet mine passing "
	    "{ type filter hook forward priority 0; policy drop; }");
	assert_true(isc_neighbours_read("isc0", &n, NULL));
	assert_string_equal(n.dropping, "inet mine passing");
}

static void a_script_that_flushes_is_told(void **state)
{
	(void)state;
	assert_true(isc_neighbours_flushes(
			"#!/usr/sbin/nft -f\n\nflush ruleset\ntable inet x {\n}\n"));
	assert_true(isc_neighbours_flushes("  flush\truleset inet; add table ip x"));
	assert_false(isc_neighbours_flushes("# flush ruleset\nflush table inet x\n"));
	assert_false(isc_neighbours_flushes(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_told_by_its_tables_and_its_remedy_is_seen),
		cmocka_unit_test(nobody_is_there_where_nobody_is),
		cmocka_unit_test(a_strangers_drop_is_named),
		cmocka_unit_test(a_script_that_flushes_is_told),
	};
	if (!netns_enter()) {
		puts("ok 1 - other firewalls # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
