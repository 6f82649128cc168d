/* R1.8: which connections are whose. */
#include "netns.h"

#include <arpa/inet.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>

#include "engine/conntrack.h"

#define NODE 0x0a4d0002
#define PEER 0x0a4d0003
#define DOCK 0xc6336401
#define CLIENT 0xc6336402
#define SERVER 0xcb00710a

/* Puts a flow into the table: @from → @to as sent, answered by @answerer from @answer_port. */
static void flow(guint32 from, guint32 to, guint8 proto, guint16 port, guint32 answerer,
		guint16 answer_port, guint32 answered_to)
{
	static guint16 source = 40000;
	struct nf_conntrack *ct = nfct_new();
	struct nfct_handle *h = nfct_open(CONNTRACK, 0);

	source++;
	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u32(ct, ATTR_IPV4_SRC, htonl(from));
	nfct_set_attr_u32(ct, ATTR_IPV4_DST, htonl(to));
	nfct_set_attr_u8(ct, ATTR_L4PROTO, proto);
	nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons(source));
	nfct_set_attr_u16(ct, ATTR_PORT_DST, htons(port));
	nfct_set_attr_u8(ct, ATTR_REPL_L3PROTO, AF_INET);
	nfct_set_attr_u32(ct, ATTR_REPL_IPV4_SRC, htonl(answerer));
	nfct_set_attr_u32(ct, ATTR_REPL_IPV4_DST, htonl(answered_to));
	nfct_set_attr_u8(ct, ATTR_REPL_L4PROTO, proto);
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_SRC, htons(answer_port));
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_DST, htons(source));
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, 100);
	if (proto == IPPROTO_TCP)
		nfct_set_attr_u8(ct, ATTR_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
	assert_non_null(h);
	assert_int_equal(nfct_query(h, NFCT_Q_CREATE, ct), 0);
	nfct_close(h);
	nfct_destroy(ct);
}

/* A dock with two nodes and a program of its own, all talking. */
static int setup(void **state)
{
	(void)state;
	netns_run("conntrack -F");
	flow(CLIENT, DOCK, IPPROTO_TCP, 8080, NODE, 80, CLIENT); /* exposed port of the node */
	flow(CLIENT, DOCK, IPPROTO_TCP, 8080, NODE, 80, CLIENT);
	flow(CLIENT, DOCK, IPPROTO_UDP, 8080, NODE, 80, CLIENT);
	flow(CLIENT, DOCK, IPPROTO_TCP, 8081, PEER, 80, CLIENT); /* of its peer */
	flow(NODE, SERVER, IPPROTO_TCP, 443, SERVER, 443, DOCK); /* out, masqueraded */
	flow(NODE, SERVER, IPPROTO_UDP, 53, SERVER, 53, DOCK);
	flow(NODE, PEER, IPPROTO_TCP, 5432, PEER, 5432, NODE); /* by rule */
	flow(PEER, SERVER, IPPROTO_TCP, 443, SERVER, 443, DOCK);
	flow(DOCK, SERVER, IPPROTO_TCP, 443, SERVER, 443, DOCK); /* the dock's own */
	flow(CLIENT, DOCK, IPPROTO_TCP, 22, DOCK, 22, CLIENT);
	return 0;
}

static guint left(void)
{
	g_autofree gchar *out = netns_output("conntrack -L");
	guint n = 0;
	for (const gchar *p = out; (p = strchr(p, '\n')); p++)
		n++;
	return n;
}

static void what_is_under_way_through_exposed_ports_is_counted(void **state)
{
	(void)state;
	GError *error = NULL;
	const gchar *const texts[] = { "8080:80", "9000:90", NULL };
	g_autoptr(GArray) expose = isc_expose_parse_list(texts, &error);
	guint n = 0;

	assert_no_error(error);
	assert_true(isc_conntrack_count_exposed(NODE, expose, &n, &error));
	assert_int_equal(n, 2); /* TCP, and not what the node opened itself */
	assert_true(isc_conntrack_count_exposed(PEER, expose, &n, &error));
	assert_int_equal(n, 0);
	netns_run("conntrack -D -p tcp --dport 8080");
	assert_true(isc_conntrack_count_exposed(NODE, expose, &n, &error));
	assert_int_equal(n, 0);
}

static void all_flows_of_a_node_end_and_no_others(void **state)
{
	(void)state;
	GError *error = NULL;
	guint ended;

	assert_int_equal(left(), 10);
	assert_true(isc_conntrack_end_node(NODE, &ended, &error));
	assert_int_equal(ended, 6);
	assert_int_equal(left(), 4);
	assert_true(isc_conntrack_end_node(NODE, &ended, &error));
	assert_int_equal(ended, 0);
}

static void a_closed_port_ends_its_flows_alone(void **state)
{
	(void)state;
	GError *error = NULL;
	IscExpose e;
	guint ended;

	assert_true(isc_expose_parse("8080:80", &e, NULL));
	assert_true(isc_conntrack_end_expose(PEER, &e, &ended, &error));
	assert_int_equal(ended, 0);
	assert_true(isc_conntrack_end_expose(NODE, &e, &ended, &error));
	assert_int_equal(ended, 2);
	assert_true(isc_expose_parse("22:22", &e, NULL));
	assert_true(isc_conntrack_end_expose(NODE, &e, &ended, &error));
	assert_int_equal(ended, 0);
	assert_true(isc_expose_parse("udp:198.51.100.9:8080:80", &e, NULL));
	assert_true(isc_conntrack_end_expose(NODE, &e, &ended, &error));
	assert_int_equal(ended, 0);
	assert_true(isc_expose_parse("udp:198.51.100.1:8000-8100:1-101", &e, NULL));
	assert_true(isc_conntrack_end_expose(NODE, &e, &ended, &error));
	assert_int_equal(ended, 1);
	assert_int_equal(left(), 7);
}

static void what_came_before_the_redirect_does_not_stay_without_it(void **state)
{
	(void)state;
	GError *error = NULL;
	const IscAddressPlan plan = isc_address_plan_default();
	const gchar *const tcp[] = { "22:22", "5353:53", NULL };
	const gchar *const udp[] = { "udp:5353:53", "udp:198.51.100.9:8081:80", NULL };
	g_autoptr(GArray) none = isc_expose_parse_list(tcp, &error);
	g_autoptr(GArray) expose = isc_expose_parse_list(udp, &error);
	guint ended = 7;

	assert_no_error(error);
	flow(CLIENT, DOCK, IPPROTO_UDP, 5353, DOCK, 5353, CLIENT); /* the one */
	flow(CLIENT, DOCK, IPPROTO_UDP, 8081, DOCK, 8081, CLIENT); /* another address is exposed */
	flow(CLIENT, DOCK, IPPROTO_UDP, 5353, NODE, 53, CLIENT);   /* redirected */
	flow(PEER, NODE, IPPROTO_UDP, 5353, NODE, 5353, PEER);     /* by rule */
	assert_true(isc_conntrack_end_strays(none, &plan, &ended, &error));
	assert_int_equal(ended, 0);
	assert_true(isc_conntrack_end_strays(expose, &plan, &ended, &error));
	assert_int_equal(ended, 1);
	assert_int_equal(left(), 13);
	assert_true(isc_conntrack_end_strays(expose, &plan, &ended, &error));
	assert_int_equal(ended, 0);
}

static void a_withdrawn_rule_ends_what_it_allowed(void **state)
{
	(void)state;
	static const struct {
		const gchar *rule;
		guint32 peer;
		guint ended;
	} cases[] = {
		{ "deny", 0, 0 },
		{ "icmp", 0, 0 },
		{ "tcp:203.0.113.0/24:444", 0, 0 },
		{ "tcp:203.0.112.0/24:443", 0, 0 },
		{ "udp:0.0.0.0/0:53", 0, 1 },
		{ "tcp:203.0.113.0/24:1-1024", 0, 1 },
		{ "node:db:tcp/5433", PEER, 0 },
		{ "node:db:tcp/5432", CLIENT, 0 },
		{ "node:db:tcp/5432", PEER, 1 },
		{ "group:shop:tcp/5432", CLIENT, 0 },
		{ "open", 0, 0 },
	};
	GError *error = NULL;

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscEgress e;
		guint ended;
		assert_true(isc_egress_parse(cases[i].rule, &e, NULL));
		g_autoptr(GArray) peers = g_array_new(FALSE, FALSE, sizeof(guint32));
		g_array_append_val(peers, cases[i].peer);
		assert_true(isc_conntrack_end_egress(NODE, &e, peers, &ended, &error));
		if (ended != cases[i].ended)
			fail_msg("'%s' ended %u", cases[i].rule, ended);
	}
	assert_int_equal(left(), 7);
	setup(NULL);
	IscEgress open = { .kind = ISC_EGRESS_OPEN };
	guint ended;
	assert_true(isc_conntrack_end_egress(NODE, &open, NULL, &ended, &error));
	assert_int_equal(ended, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_under_way_through_exposed_ports_is_counted, setup),
		cmocka_unit_test_setup(all_flows_of_a_node_end_and_no_others, setup),
		cmocka_unit_test_setup(a_closed_port_ends_its_flows_alone, setup),
		cmocka_unit_test_setup(
				what_came_before_the_redirect_does_not_stay_without_it, setup),
		cmocka_unit_test_setup(a_withdrawn_rule_ends_what_it_allowed, setup),
	};
	if (!netns_enter()) {
		puts("ok 1 - the connection table # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
