/* network explain: who reaches whom, by which rule.  The table is the law; packets are held against
 * it in tests/vm/test-network.sh. */
#include "cm.h"

#include "policy/network.h"

#define IP(a, b, c, d) ((guint32)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static IscFence fence_of(guint slot, const gchar *name, const gchar *const *expose,
		const gchar *const *egress)
{
	IscFence f = {
		.slot = slot, .address = IP(10, 77, 0, slot), .health_port = slot == 2 ? 80 : 0
	};
	g_strlcpy(f.name, name, sizeof f.name);
	f.expose = isc_expose_parse_list(expose, NULL);
	f.egress = isc_egress_parse_list(egress, NULL);
	assert_non_null(f.expose);
	assert_non_null(f.egress);
	return f;
}

typedef struct {
	const gchar *from, *to, *port;
	IscVerdict verdict;
	IscDropKind kind;
	const gchar *rule, *why;
} Case;

#define NO ISC_VERDICT_DENIED
#define YES ISC_VERDICT_ALLOWED
#define PARTLY ISC_VERDICT_PARTLY
#define UNJUDGED ISC_VERDICT_NOT_JUDGED

/* web 10.77.0.2, db .3, open .4, cut .5 (quarantine), off .6 (stopped), shop .7;
 * web and shop are group front; the dock is 203.0.113.1 and
 * 192.168.7.1 */
/* clang-format off */
static const Case cases[] = {
	/* from outside */
	{ "outside", "dock", "8080", YES, 0, "Expose=tcp:8080:80", "port 80 of node 'web'" },
	{ "outside", "203.0.113.1", "tcp/8080", YES, 0, "Expose=tcp:8080:80", "'web'" },
	{ "203.0.113.2", "dock", "udp/5001", YES, 0, "Expose=udp:5000-5010:6000-6010", "port 6001" },
	{ "outside", "web", "80", YES, 0, "Expose=tcp:8080:80", "tcp/8080 of the dock" },
	{ "outside", "web", "8080", NO, ISC_DROP_INGRESS, "none", "leads to its port 80" },
	{ "outside", "web", "udp/80", NO, ISC_DROP_INGRESS, "none", "not expose" },
	{ "outside", "web", "icmp", NO, ISC_DROP_INGRESS, "none", "not expose" },
	{ "outside", "10.77.0.2", "80", NO, ISC_DROP_INGRESS, "none", "nobody outside" },
	{ "outside", "10.77.0.1", "80", NO, ISC_DROP_INGRESS, "none", "nobody outside" },
	{ "outside", "10.77.9.9", "80", NO, ISC_DROP_INGRESS, "none", "nobody outside" },
	{ "outside", "10.78.0.2", "80", NO, ISC_DROP_INGRESS, "none", "nobody outside" },
	{ "10.78.0.2", "dock", "8080", NO, ISC_DROP_SPOOF, "none", "sender" },
	{ "10.77.9.9", "dock", "8080", NO, ISC_DROP_SPOOF, "none", "sender" },
	{ "outside", "dock", "22", UNJUDGED, 0, "none", "own filter" },
	{ "outside", "dock", "icmp", UNJUDGED, 0, "none", "own filter" },
	{ "outside", "dock", "9443", NO, ISC_DROP_QUARANTINE, "Expose=tcp:9443:443", "quarantine" },
	{ "outside", "dock", "9500", UNJUDGED, 0, "Expose=tcp:9500:95", "does not run" },
	{ "outside", "off", "95", NO, 0, "none", "does not run" },
	{ "outside", "192.0.2.1", "80", UNJUDGED, 0, "none", "not concern" },
	/* one address of the dock only */
	{ "outside", "203.0.113.1", "7000", YES, 0, "Expose=tcp:203.0.113.1:7000:70", "'db'" },
	{ "outside", "192.168.7.1", "7000", UNJUDGED, 0, "none", "" },
	/* out of a node */
	{ "web", "outside", "443", NO, ISC_DROP_EGRESS, "none", "no Egress= rule" },
	{ "web", "198.51.100.7", "443", NO, ISC_DROP_EGRESS, "none", "no Egress= rule" },
	{ "db", "198.51.100.7", "443", YES, 0, "Egress=tcp:198.51.100.7:443", "names" },
	{ "db", "198.51.100.7", "444", NO, ISC_DROP_EGRESS, "none", "" },
	{ "db", "198.51.100.8", "udp/443", NO, ISC_DROP_EGRESS, "none", "" },
	{ "db", "198.51.100.9", "8443", YES, 0, "Egress=host:deb.example.org:tcp/8443", "" },
	{ "db", "198.51.100.9", "udp/8443", NO, ISC_DROP_EGRESS, "none", "" },
	{ "db", "192.168.7.9", "8443", NO, ISC_DROP_RESERVED, "none", "192.168.0.0/16" },
	{ "db", "10.9.9.9", "8443", YES, 0, "Egress=host:deb.example.org:tcp/8443", "" },
	{ "db", "deb.example.org", "8443", PARTLY, 0, "Egress=host:deb.example.org:tcp/8443", "of the 3 addresses" },
	{ "db", "deb.example.org", "udp/8443", NO, ISC_DROP_EGRESS, "none", "no Egress= rule" },
	{ "open", "one.example.org", "8443", YES, 0, "Egress=open", "" },
	{ "cut", "one.example.org", "8443", NO, ISC_DROP_QUARANTINE, "none", "quarantine" },
	{ "outside", "one.example.org", "8443", UNJUDGED, 0, "none", "not concern" },
	{ "db", "gone.example.org", "8443", NO, ISC_DROP_EGRESS, "Egress=host:gone.example.org:tcp/8443", "no address now" },
	{ "web", "empty.example.org", "8443", NO, ISC_DROP_EGRESS, "none", "no address now" },
	{ "db", "outside", "8443", PARTLY, 0, "Egress=host:deb.example.org:tcp/8443", "ask for" },
	{ "db", "outside", "443", PARTLY, 0, "Egress=tcp:198.51.100.7:443", "ask for one" },
	{ "db", "198.18.5.5", "udp/99", YES, 0, "Egress=udp:198.18.0.0/16:1-100", "names" },
	{ "db", "192.0.2.9", "icmp", YES, 0, "Egress=icmp:192.0.2.0/24", "" },
	{ "db", "192.0.3.9", "icmp", NO, ISC_DROP_EGRESS, "none", "" },
	{ "db", "169.254.169.254", "80", NO, ISC_DROP_RESERVED, "none", "169.254.0.0/16" },
	{ "open", "outside", "443", YES, 0, "Egress=open", "reserved" },
	{ "open", "198.51.100.7", "udp/1", YES, 0, "Egress=open", "" },
	{ "open", "198.51.100.7", "icmp", YES, 0, "Egress=open", "" },
	{ "open", "192.168.7.9", "443", NO, ISC_DROP_RESERVED, "none", "192.168.0.0/16" },
	{ "open", "203.0.113.2", "443", NO, ISC_DROP_RESERVED, "none", "203.0.113.0/24" },
	{ "open", "169.254.169.254", "80", NO, ISC_DROP_RESERVED, "none", "" },
	{ "open", "10.77.9.9", "80", NO, ISC_DROP_RESERVED, "none", "10.0.0.0/8" },
	{ "open", "10.1.2.3", "udp/53", YES, 0, "Egress=open", "name servers" },
	{ "open", "10.1.2.3", "udp/54", NO, ISC_DROP_RESERVED, "none", "" },
	{ "open", "224.0.0.251", "udp/5353", NO, ISC_DROP_RESERVED, "none", "single" },
	{ "open", "255.255.255.255", "udp/9", NO, ISC_DROP_HOST, "none", "single" },
	{ "open", "255.255.255.255", "udp/67", NO, ISC_DROP_DHCP, "none", "DHCP" },
	{ "open", "203.0.113.2", "udp/68", NO, ISC_DROP_DHCP, "none", "DHCP" },
	{ "cut", "198.51.100.7", "443", NO, ISC_DROP_QUARANTINE, "none", "quarantine" },
	{ "off", "198.51.100.7", "443", NO, 0, "none", "does not run" },
	/* node and dock */
	{ "open", "dock", "22", NO, ISC_DROP_HOST, "none", "no address of the dock" },
	{ "open", "10.77.0.1", "icmp", NO, ISC_DROP_HOST, "none", "" },
	{ "web", "203.0.113.1", "8080", NO, ISC_DROP_HOST, "none", "outside alone" },
	{ "dock", "web", "80", PARTLY, 0, "Health=", "isc-dockd" },
	{ "dock", "web", "udp/80", NO, ISC_DROP_LOCAL, "none", "" },
	{ "dock", "web", "81", NO, ISC_DROP_LOCAL, "none", "" },
	{ "dock", "cut", "443", NO, ISC_DROP_QUARANTINE, "none", "" },
	{ "dock", "outside", "80", UNJUDGED, 0, "none", "" },
	/* node and node */
	{ "web", "db", "5432", YES, 0, "Egress=node:db:tcp/5432", "'db'" },
	{ "10.77.0.2", "10.77.0.3", "5432", YES, 0, "Egress=node:db:tcp/5432", "'db'" },
	{ "db", "web", "5432", NO, ISC_DROP_PEER, "none", "by rule only" },
	{ "web", "db", "udp/5432", NO, ISC_DROP_PEER, "none", "" },
	{ "web", "db", "icmp", NO, ISC_DROP_PEER, "none", "" },
	{ "open", "web", "80", NO, ISC_DROP_PEER, "none", "" },
	{ "web", "cut", "1", NO, ISC_DROP_QUARANTINE, "none", "'cut'" },
	{ "web", "off", "1", NO, ISC_DROP_PEER, "Egress=node:off:tcp/1", "when node 'off' runs" },
	{ "web", "shop", "80", YES, 0, "Egress=group:front:tcp/80", "group 'front'" },
	{ "web", "shop", "81", NO, ISC_DROP_PEER, "none", "by rule only" },
	{ "web", "shop", "udp/80", NO, ISC_DROP_PEER, "none", "by rule only" },
	{ "shop", "web", "80", NO, ISC_DROP_PEER, "none", "by rule only" },
	{ "web", "db", "80", NO, ISC_DROP_PEER, "none", "by rule only" },
	{ "web", "open", "80", NO, ISC_DROP_PEER, "none", "by rule only" },
	{ "web", "web", "80", UNJUDGED, 0, "none", "does not leave" },
	/* members of a set that share a port: one is not ready; of another set none is */
	{ "outside", "dock", "7070", YES, 0, "Expose=tcp:7070:77 of node 'set-2'", "each member of set 'set'" },
	{ "outside", "set-2", "77", YES, 0, "Expose=tcp:7070:77", "by chance" },
	{ "outside", "set-1", "77", NO, 0, "Expose=tcp:7070:77", "not ready" },
	{ "outside", "dock", "7171", UNJUDGED, 0, "Expose=tcp:7171:71", "no member" },
	/* one that runs without a link */
	{ "outside", "dock", "9600", NO, 0, "none", "boundary of node 'cutoff' is down" },
	{ "outside", "cutoff", "96", NO, 0, "none", "boundary of node 'cutoff' is down" },
	{ "cutoff", "1.2.3.4", "443", NO, 0, "none", "boundary of node 'cutoff' is down" },
	{ "open", "cutoff", "96", NO, 0, "none", "boundary of node 'cutoff' is down" },
};
/* clang-format on */

typedef struct {
	IscFence fences[10];
	IscNetworkNode nodes[10];
	IscNftConfig config;
	IscNetwork network;
	GHashTable *hosts;
} World;

static void world_init(World *w)
{
	static const gchar *const none[] = { NULL };
	static const gchar *const web_expose[] = { "8080:80", "udp:5000-5010:6000-6010", NULL };
	static const gchar *const web_egress[] = { "node:db:tcp/5432", "node:cut:tcp/1",
		"node:off:tcp/1", "group:front:tcp/80", NULL };
	static const gchar *const db_expose[] = { "203.0.113.1:7000:70", NULL };
	static const gchar *const db_egress[] = { "tcp:198.51.100.7:443", "udp:198.18.0.0/16:1-100",
		"icmp:192.0.2.0/24", "tcp:0.0.0.0/1:80", "host:deb.example.org:tcp/8443",
		"host:gone.example.org:tcp/8443", "tcp:10.9.0.0/16:1", NULL };
	static const gchar *const open[] = { "open", NULL };
	static const gchar *const cut_expose[] = { "9443:443", NULL };
	static const gchar *const off_expose[] = { "9500:95", NULL };
	static const gchar *const set_expose[] = { "7070:77", NULL };
	static const gchar *const cutoff_expose[] = { "9600:96", NULL };
	static const gchar *const lame_expose[] = { "7171:71", NULL };
	static const guint32 resolvers[] = { IP(10, 1, 2, 3) };
	static const IscNet host_nets[] = { { IP(203, 0, 113, 0), 24 },
		{ IP(192, 168, 7, 0), 24 } };
	static const guint32 dock[] = { IP(203, 0, 113, 1), IP(192, 168, 7, 1), IP(10, 77, 0, 1) };

	w->fences[0] = fence_of(2, "web", web_expose, web_egress);
	w->fences[1] = fence_of(3, "db", db_expose, db_egress);
	w->fences[2] = fence_of(4, "open", none, open);
	w->fences[3] = fence_of(5, "cut", cut_expose, open);
	w->fences[3].quarantined = TRUE;
	w->fences[4] = fence_of(6, "off", off_expose, open);
	w->fences[5] = fence_of(7, "shop", none, none);
	g_strlcpy(w->fences[0].group, "front", sizeof w->fences[0].group);
	g_strlcpy(w->fences[5].group, "front", sizeof w->fences[5].group);
	g_strlcpy(w->fences[2].group, "back", sizeof w->fences[2].group);
	w->fences[6] = fence_of(8, "set-1", set_expose, none);
	w->fences[7] = fence_of(9, "set-2", set_expose, none);
	w->fences[8] = fence_of(10, "lame-1", lame_expose, none);
	w->fences[9] = fence_of(11, "cutoff", cutoff_expose, open);
	g_strlcpy(w->fences[6].set, "set", sizeof w->fences[6].set);
	g_strlcpy(w->fences[7].set, "set", sizeof w->fences[7].set);
	g_strlcpy(w->fences[8].set, "lame", sizeof w->fences[8].set);
	for (gsize i = 0; i < 10; i++)
		w->nodes[i] = (IscNetworkNode){ &w->fences[i], i != 4, i == 7, i == 9 };
	w->config = (IscNftConfig){ .subnet = { IP(10, 77, 0, 0), 16 },
		.dedicated = { IP(10, 78, 0, 0), 20 },
		.resolvers = resolvers,
		.n_resolvers = 1,
		.host_nets = host_nets,
		.n_host_nets = 2 };
	static const guint32 deb[] = { IP(198, 51, 100, 9), IP(192, 168, 7, 9), IP(10, 9, 9, 9) };
	GArray *known = g_array_new(FALSE, FALSE, sizeof(guint32));
	g_array_append_vals(known, deb, 3);
	w->hosts = g_hash_table_new_full(
			g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_array_unref);
	g_hash_table_insert(w->hosts, (gpointer) "deb.example.org", known);
	g_hash_table_insert(w->hosts, (gpointer) "one.example.org",
			g_array_append_vals(g_array_new(FALSE, FALSE, sizeof(guint32)), deb, 1));
	g_hash_table_insert(w->hosts, (gpointer) "empty.example.org",
			g_array_new(FALSE, FALSE, sizeof(guint32)));
	w->network = (IscNetwork){ &w->config, w->nodes, 10, dock, 3, w->hosts };
}

static void world_clear(World *w)
{
	for (gsize i = 0; i < 10; i++)
		isc_fence_clear(&w->fences[i]);
	g_hash_table_unref(w->hosts);
}

static void each_connection_has_one_verdict_and_its_rule(void **state)
{
	(void)state;
	World w;
	world_init(&w);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		const Case *c = &cases[i];
		g_auto(IscNetworkAnswer) a = { 0 };
		g_autoptr(GError) error = NULL;
		assert_true(isc_network_explain(&w.network, c->from, c->to, c->port, &a, &error));
		if (a.verdict != c->verdict || a.kind != c->kind ||
				!g_str_has_prefix(a.rule, c->rule) || !strstr(a.why, c->why))
			fail_msg("%s to %s %s: %s (%s), rule '%s', %s", c->from, c->to, c->port,
					isc_verdict_name(a.verdict),
					a.kind ? isc_drop_name(a.kind) : "-", a.rule, a.why);
	}
	world_clear(&w);
}

static void each_address_of_a_host_is_told_apart(void **state)
{
	(void)state;
	World w;
	g_auto(IscNetworkAnswer) a = { 0 };
	world_init(&w);
	assert_true(isc_network_explain(&w.network, "db", "deb.example.org", "8443", &a, NULL));
	assert_non_null(a.hosts);
	assert_int_equal(a.hosts->len, 3);
	assert_string_equal(a.hosts->pdata[0], "198.51.100.9: allowed, Egress=host:deb.example.org:"
					       "tcp/8443 of node 'db'");
	assert_string_equal(a.hosts->pdata[1], "192.168.7.9: denied, none");
	world_clear(&w);
}

static void what_is_no_question_is_refused(void **state)
{
	(void)state;
	static const struct {
		const gchar *from, *to, *port, *what;
		IscError code;
	} bad[] = {
		{ "web", "dock", "0", "'0'", ISC_ERROR_INVALID },
		{ "web", "dock", "65536", "65536", ISC_ERROR_INVALID },
		{ "web", "dock", "sctp/1", "sctp/1", ISC_ERROR_INVALID },
		{ "web", "dock", "icmp/1", "icmp/1", ISC_ERROR_INVALID },
		{ "web", "10.0.0.0/8", "1", "10.0.0.0/8", ISC_ERROR_INVALID },
		{ "Web\n", "dock", "1", "Web\\x0a", ISC_ERROR_INVALID },
		{ "nobody", "dock", "1", "'nobody'", ISC_ERROR_NOT_FOUND },
		{ "web", "nobody", "1", "'nobody'", ISC_ERROR_NOT_FOUND },
		{ "open", "other.example.org", "1", "ask for an address", ISC_ERROR_NOT_FOUND },
		{ "one.example.org", "web", "1", "neither a node's name", ISC_ERROR_INVALID },
	};
	World w;
	world_init(&w);
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_auto(IscNetworkAnswer) a = { 0 };
		g_autoptr(GError) error = NULL;
		assert_false(isc_network_explain(
				&w.network, bad[i].from, bad[i].to, bad[i].port, &a, &error));
		assert_error(error, bad[i].code, bad[i].what);
	}
	world_clear(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_connection_has_one_verdict_and_its_rule),
		cmocka_unit_test(each_address_of_a_host_is_told_apart),
		cmocka_unit_test(what_is_no_question_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
