/* R1.3: what a node may open connections to. */
#include "cm.h"

#include "fence.h"
#include "render/egress.h"

/* What the rules say of one address and port, word by word. */
static gboolean allows(const GArray *rules, IscProto proto, guint32 address, guint16 port)
{
	const IscNet host = { address, 32 };
	for (guint i = 0; i < rules->len; i++) {
		const IscEgress *r = &g_array_index(rules, IscEgress, i);
		if (r->proto == proto && isc_net_contains(&r->net, &host) &&
				port >= r->port_first && port <= r->port_last)
			return TRUE;
	}
	return FALSE;
}

static guint boxes_with(const GArray *boxes, guint32 address, guint16 port)
{
	guint n = 0;
	for (guint i = 0; i < boxes->len; i++) {
		const IscEgressBox *b = &g_array_index(boxes, IscEgressBox, i);
		n += address >= b->address_first && address <= b->address_last &&
		     port >= b->port_first && port <= b->port_last;
	}
	return n;
}

static void boxes_are_disjoint_and_say_what_the_rules_say(void **state)
{
	(void)state;
	g_autoptr(GRand) rand = g_rand_new_with_seed(77);

	for (guint round = 0; round < 300; round++) {
		g_autoptr(GArray) rules = g_array_new(FALSE, TRUE, sizeof(IscEgress));
		guint n = (guint)g_rand_int_range(rand, 1, 12);
		for (guint i = 0; i < n; i++) {
			/* few bits, so that overlaps and neighbours are common; public, so none is
			 * reserved */
			guint8 prefix = (guint8)g_rand_int_range(rand, 24, 31);
			IscEgress r = { .kind = ISC_EGRESS_NET, .proto = ISC_PROTO_TCP };
			r.net = (IscNet){ 0xcb007100 | (guint32)g_rand_int_range(rand, 0, 256),
				prefix };
			r.net.address &= ~0u << (32 - prefix);
			r.port_first = (guint16)g_rand_int_range(rand, 1, 40);
			r.port_last = (guint16)g_rand_int_range(rand, r.port_first, 41);
			g_array_append_val(rules, r);
		}
		g_autoptr(GArray) boxes =
				isc_egress_boxes(&test_config, rules, ISC_PROTO_TCP, FALSE);
		for (guint32 a = 0xcb0070ff; a <= 0xcb007200; a++)
			for (guint16 port = 0; port < 42; port++)
				assert_int_equal(boxes_with(boxes, a, port),
						allows(rules, ISC_PROTO_TCP, a, port) ? 1 : 0);
	}
}

static GArray *boxes_of(const gchar *text, IscProto proto, gboolean named)
{
	g_autoptr(IscFence) fence = fence_new(2, "x", NULL, text);
	return isc_egress_boxes(&test_config, fence->egress, proto, named);
}

static void only_a_rule_within_a_reserved_network_names_it(void **state)
{
	(void)state;
	static const struct {
		const gchar *rule;
		gboolean named;
	} cases[] = {
		{ "tcp:0.0.0.0/0:80", FALSE }, { "tcp:0.0.0.0/7:80", FALSE },
		{ "tcp:10.0.0.0/8:80", TRUE }, { "tcp:10.1.0.0/16:80", TRUE },
		{ "tcp:192.0.0.0/8:80", FALSE },
		{ "tcp:198.51.100.0/24:80", TRUE }, /* the dock's own */
		{ "tcp:198.51.0.0/16:80", FALSE }, { "tcp:203.0.113.0/24:80", FALSE },
		{ "tcp:203.0.113.1:1-99", TRUE }, /* one host is always meant */
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GArray) named = boxes_of(cases[i].rule, ISC_PROTO_TCP, TRUE);
		g_autoptr(GArray) other = boxes_of(cases[i].rule, ISC_PROTO_TCP, FALSE);
		assert_int_equal(named->len > 0, cases[i].named);
		assert_int_equal(other->len > 0, !cases[i].named);
	}
}

static void a_network_around_the_metadata_service_leaves_it_out(void **state)
{
	(void)state;
	g_autoptr(GArray) around = boxes_of("tcp:169.254.0.0/16:80", ISC_PROTO_TCP, TRUE);
	g_autoptr(GArray) edge = boxes_of("tcp:169.254.169.254/31:80", ISC_PROTO_TCP, TRUE);
	g_autoptr(GArray) itself = boxes_of("tcp:169.254.169.254:1-100", ISC_PROTO_TCP, TRUE);

	assert_int_equal(boxes_with(around, 0xa9fea9fe, 80), 0);
	assert_int_equal(boxes_with(around, 0xa9feaa02, 80), 0);
	assert_int_equal(boxes_with(around, 0xa9fea9fd, 80), 1);
	assert_int_equal(boxes_with(around, 0xa9fea9ff, 80), 1);
	assert_int_equal(boxes_with(around, 0xa9feffff, 80), 1);
	assert_int_equal(boxes_with(edge, 0xa9fea9fe, 80), 0);
	assert_int_equal(boxes_with(edge, 0xa9fea9ff, 80), 1);
	assert_int_equal(boxes_with(itself, 0xa9fea9fe, 80), 1);
}

static void the_whole_internet_is_one_box(void **state)
{
	(void)state;
	g_autoptr(GArray) boxes = boxes_of(
			"udp:0.0.0.0/0:1-65535 udp:203.0.113.0/24:5", ISC_PROTO_UDP, FALSE);
	assert_int_equal(boxes->len, 1);
	assert_int_equal(g_array_index(boxes, IscEgressBox, 0).address_last, 0xffffffff);
	g_autoptr(GArray) tcp = boxes_of("udp:0.0.0.0/0:1-65535", ISC_PROTO_TCP, FALSE);
	assert_int_equal(tcp->len, 0);
}

static void few_ports_of_one_host_are_exact(void **state)
{
	(void)state;
	static const struct {
		const gchar *rule;
		gboolean exact;
	} cases[] = {
		{ "tcp:203.0.113.1:80", TRUE },
		{ "tcp:203.0.113.1:80-95", TRUE },
		{ "tcp:203.0.113.1:80-96", FALSE },
		{ "tcp:203.0.113.0/31:80", FALSE },
		{ "icmp:203.0.113.1", FALSE },
		{ "open", FALSE },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscEgress rule;
		assert_true(isc_egress_parse(cases[i].rule, &rule, NULL));
		assert_int_equal(isc_egress_is_exact(&rule), cases[i].exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(boxes_are_disjoint_and_say_what_the_rules_say),
		cmocka_unit_test(only_a_rule_within_a_reserved_network_names_it),
		cmocka_unit_test(a_network_around_the_metadata_service_leaves_it_out),
		cmocka_unit_test(the_whole_internet_is_one_box),
		cmocka_unit_test(few_ports_of_one_host_are_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
