/* R1.1 to R1.9: the static rules, as text. */
#include "cm.h"

#include "fence.h"
#include "render/nft-base.h"

static gboolean stands_before(const gchar *text, const gchar *chain, const gchar *a, const gchar *b)
{
	g_autofree gchar *head = g_strdup_printf("\tchain %s {\n", chain);
	/* the chain of table inet: the last of that name */
	const gchar *from = g_strrstr(text, head);
	const gchar *x = from ? strstr(from, a) : NULL, *y = from ? strstr(from, b) : NULL;
	const gchar *end = from ? strstr(from, "\t}\n") : NULL;
	return x && y && x < y && y < end;
}

static void nothing_is_accepted_before_the_sender_is_proven(void **state)
{
	(void)state;
	g_autofree gchar *text = isc_nft_render_base(&test_config, NULL);

	assert_true(stands_before(text, "from-node", "!= @nodes", "@quarantined"));
	assert_true(stands_before(text, "from-node", "@ordinary goto from-known", "!= @nodes"));
	assert_true(stands_before(text, "from-node", "@quarantined", "\t\tgoto from-known"));
	assert_true(stands_before(text, "from-known", "ct state established", "ct state != new"));
	assert_true(stands_before(text, "from-known", "ct state != new", "goto outward"));
	assert_true(stands_before(text, "to-node", "@ordinary goto to-known", "nfproto ipv6"));
	assert_true(stands_before(text, "to-node", "@quarantined", "\t\tgoto to-known"));
	assert_true(stands_before(text, "to-host", "!= @nodes", "ct state established"));
	assert_true(stands_before(text, "outward", "@wide-named", "@reserved"));
	assert_true(stands_before(text, "outward", "@reserved", "@egress-open meta l4proto"));
	/* Once a connection: what goes on is neither counted nor logged. */
	assert_true(stands_before(text, "open", "ct status confirmed accept", "@count-exposed"));
	assert_true(stands_before(
			text, "allow", "ct status confirmed goto pass", "@count-allowed"));
	assert_null(strstr(text, "established goto allow"));
}

static void a_dock_that_is_a_router_stays_one(void **state)
{
	(void)state;
	IscNftConfig router = test_config;
	router.is_router = TRUE;
	g_autofree gchar *host = isc_nft_render_base(&test_config, NULL);
	g_autofree gchar *text = isc_nft_render_base(&router, NULL);
	assert_true(stands_before(host, "forward", "goto to-node", "goto stray"));
	assert_null(strstr(text, "goto stray"));
	assert_int_equal(isc_nft_count_rules(host), isc_nft_count_rules(text) + 1);
}

static void a_node_has_its_share_of_connections_and_of_ports(void **state)
{
	(void)state;
	IscNftConfig config = test_config;
	config.connections = 77;
	config.leave_first = 61000;
	config.leave_last = 65000;
	g_autofree gchar *text = isc_nft_render_base(&config, NULL);
	assert_non_null(strstr(text, "{ @nh,128,32 ct count over 77 } goto drop-full-in\n"));
	assert_non_null(strstr(text, "{ @nh,96,32 ct count over 77 } goto drop-full\n"));
	assert_non_null(strstr(text, "masquerade to :61000-65000\n"));
	/* Nor may it have all of the ports that they share. */
	config.connections = 30000;
	g_autofree gchar *wide = isc_nft_render_base(&config, NULL);
	assert_non_null(strstr(wide, "{ @nh,128,32 ct count over 30000 } goto drop-full-in\n"));
	assert_non_null(strstr(wide, "{ @nh,96,32 ct count over 1000 } goto drop-full\n"));
	/* What is in the table already is not counted again. */
	assert_true(stands_before(text, "open", "ct status confirmed", "@held-exposed"));
	assert_true(stands_before(text, "allow", "ct status confirmed", "@held-allowed"));
}

static void a_node_has_its_share_of_fragments(void **state)
{
	(void)state;
	IscNftConfig config = test_config;
	g_autofree gchar *preset = isc_nft_render_base(&config, NULL);
	config.fragment_pool = 64 << 20;
	config.fragment_time = 15;
	g_autofree gchar *text = isc_nft_render_base(&config, NULL);
	config.fragment_pool = 1;
	config.fragment_time = 3600;
	g_autofree gchar *little = isc_nft_render_base(&config, NULL);

	/* At 3 KiB each, half of them at once and half while these wait: 4 MiB / 8 = 512 KiB = 170.
	 */
	assert_non_null(strstr(preset, "{ iifname limit rate over 170/minute burst 85 packets }"));
	assert_non_null(strstr(preset, "\t\tlimit rate over 682/minute burst 341 packets"));
	assert_non_null(strstr(text, "{ iifname limit rate over 5460/minute burst 1365 packets }"));
	assert_non_null(strstr(little, "{ iifname limit rate over 1/minute burst 2 packets }"));
	assert_null(strchr(strstr(text, "chain odd"), '$'));
}

static void every_chain_that_judges_nodes_ends_in_a_drop(void **state)
{
	(void)state;
	static const gchar *const chains[] = { "outward", "from-node-error", "to-peer", "to-known",
		"to-host", "from-host", NULL };
	g_autofree gchar *text = isc_nft_render_base(&test_config, NULL);

	for (gsize i = 0; chains[i]; i++) {
		g_autofree gchar *head = g_strdup_printf("\tchain %s {\n", chains[i]);
		const gchar *from = strstr(text, head);
		assert_non_null(from);
		const gchar *end = strstr(from, "\n\t}\n");
		g_autofree gchar *body = g_strndup(from, (gsize)(end - from));
		const gchar *last = strrchr(body, '\n') + 1;
		if (!g_str_has_prefix(last, "\t\tgoto drop-"))
			fail_msg("chain %s ends with '%s'", chains[i], last);
	}
}

static void rules_are_counted_one_a_line(void **state)
{
	(void)state;
	assert_int_equal(isc_nft_count_rules("table inet x {\n\tset s {\n\t\ttype mark\n\t}\n"
					     "\tchain a {\n\t\ttype filter hook input priority 0;\n"
					     "\t\taccept\n\t\tdrop\n\t}\n}\n"),
			2);
}

static void reserved_networks_are_sound_and_hold_all_metadata(void **state)
{
	(void)state;
	gsize n_nets, n_addresses;
	const IscNet *nets = isc_nft_reserved(&n_nets);
	const guint32 *addresses = isc_nft_metadata(&n_addresses);

	for (gsize i = 0; i < n_nets; i++)
		for (gsize k = 0; k < n_nets; k++)
			assert_true(i == k || !isc_net_contains(&nets[i], &nets[k]));
	for (gsize i = 0; i < n_addresses; i++) {
		const IscNet host = { addresses[i], 32 };
		gboolean within = FALSE;
		for (gsize k = 0; k < n_nets; k++)
			within |= isc_net_contains(&nets[k], &host);
		assert_true(within);
		assert_true(i == 0 || addresses[i] > addresses[i - 1]); /* egress.c goes by that */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_accepted_before_the_sender_is_proven),
		cmocka_unit_test(a_dock_that_is_a_router_stays_one),
		cmocka_unit_test(a_node_has_its_share_of_connections_and_of_ports),
		cmocka_unit_test(a_node_has_its_share_of_fragments),
		cmocka_unit_test(every_chain_that_judges_nodes_ends_in_a_drop),
		cmocka_unit_test(rules_are_counted_one_a_line),
		cmocka_unit_test(reserved_networks_are_sound_and_hold_all_metadata),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
