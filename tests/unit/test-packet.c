/* R1.9, T16: packets of hostile guests, read and shown. */
#include "cm.h"
#include "collector/packet.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

/* A message as the kernel would build it: linux/netfilter/nfnetlink_log.h. */
static void put(GByteArray *b, guint16 type, gconstpointer value, gsize len)
{
	static const guint8 zero[4] = { 0 };
	const guint16 head[2] = { (guint16)(len + 4), type };
	g_byte_array_append(b, (const guint8 *)head, sizeof head);
	g_byte_array_append(b, value, (guint)len);
	g_byte_array_append(b, zero, (4 - len % 4) % 4);
}

static void put_u32(GByteArray *b, guint16 type, guint32 value)
{
	const guint32 be = htonl(value);
	put(b, type, &be, sizeof be);
}

static GByteArray *begin(guint8 family, guint16 ethertype, const gchar *prefix)
{
	GByteArray *b = g_byte_array_new();
	const struct nlmsghdr head = { .nlmsg_type = 4 << 8 };
	const guint8 nfgen[4] = { family, 0, 0, 77 };
	const guint8 packet[4] = { (guint8)(ethertype >> 8), (guint8)ethertype, 0, 0 };
	g_byte_array_append(b, (const guint8 *)&head, sizeof head);
	g_byte_array_append(b, nfgen, sizeof nfgen);
	put(b, NFULA_PACKET_HDR, packet, sizeof packet);
	put(b, NFULA_PREFIX, prefix, strlen(prefix) + 1);
	return b;
}

static void keep(const IscPacket *packet, gpointer data)
{
	*(IscPacket *)data = *packet;
}

/* Takes @b. */
static guint parse(GByteArray *b, IscPacket *out)
{
	((struct nlmsghdr *)(gpointer)b->data)->nlmsg_len = b->len;
	guint n = isc_packet_parse(b->data, b->len, keep, out);
	g_byte_array_unref(b);
	return n;
}

static const guint8 hw[12] = { 0, 6, 0, 0, 0x52, 0x54, 0x4e, 0, 0, 2 };
static const guint8 ethernet[14] = { 0x52, 0x54, 0x4e, 0, 0, 1, 0x52, 0x54, 0x4e, 0, 0, 2, 8, 0 };
static const guint8 syn[] = { 0x45, 0, 0, 48, 0, 0, 0, 0, 64, 6, 0, 0, 10, 77, 0, 2, 203, 0, 113, 9,
	4, 210, 1, 187, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0 };

static GByteArray *begin_syn(const gchar *prefix)
{
	const guint16 len = htons(14);
	GByteArray *b = begin(7, 0x0800, prefix);
	put_u32(b, NFULA_IFINDEX_INDEV, 3);
	put_u32(b, NFULA_IFINDEX_PHYSINDEV, 12);
	put_u32(b, NFULA_SEQ, 9);
	put(b, NFULA_HWADDR, hw, sizeof hw);
	put(b, NFULA_HWHEADER, ethernet, sizeof ethernet);
	put(b, NFULA_HWLEN, &len, sizeof len);
	return b;
}

static gchar *print(const IscPacket *p)
{
	GString *s = g_string_new(NULL);
	isc_packet_print(s, p);
	return g_string_free(s, FALSE);
}

static void a_packet_is_told_in_numbers(void **state)
{
	(void)state;
	IscPacket p;
	GByteArray *b = begin_syn("isc:mac:port:drop-mac");
	put(b, NFULA_PAYLOAD, syn, sizeof syn);
	assert_int_equal(parse(b, &p), 1);
	assert_string_equal(p.kind, "mac");
	assert_int_equal(p.whose, ISC_WHOSE_PORT);
	assert_int_equal(p.port, 12); /* the port of the bridge, not the bridge */
	assert_true(p.has_seq && p.seq == 9);
	g_autofree gchar *text = print(&p);
	assert_string_equal(text, "kind=mac rule=bridge/drop-mac smac=52:54:4e:00:00:02 "
				  "dmac=52:54:4e:00:00:01 ether=0x0800 saddr=10.77.0.2 "
				  "daddr=203.0.113.9 proto=6 len=48 sport=1234 dport=443 flags=S");
}

static void put_nested(GByteArray *b, guint16 type, GByteArray *inner)
{
	put(b, type | NLA_F_NESTED, inner->data, inner->len);
	g_byte_array_unref(inner);
}

/* What conntrack says of the connection, cut to @len bytes of port. */
static GByteArray *connection(guint32 to, guint16 port, gsize len)
{
	GByteArray *ip = g_byte_array_new(), *proto = g_byte_array_new();
	GByteArray *tuple = g_byte_array_new(), *ct = g_byte_array_new();
	const guint16 be = htons(port);
	put_u32(ip, CTA_IP_V4_DST, to);
	put(proto, CTA_PROTO_DST_PORT, &be, len);
	put_nested(tuple, CTA_TUPLE_IP, ip);
	put_nested(tuple, CTA_TUPLE_PROTO, proto);
	put_nested(ct, CTA_TUPLE_ORIG, tuple);
	return ct;
}

static void a_connection_is_told_with_what_its_client_asked_for(void **state)
{
	(void)state;
	static const struct {
		const gchar *prefix, *tail;
		guint32 to;
		guint16 port;
		gsize len;
	} cases[] = {
		{ "isc:exposed:to:open", " flags=S odaddr=203.0.113.1 odport=8443", 0xcb007101,
				8443, 2 },
		{ "isc:exposed:to:open", " flags=S odaddr=203.0.113.9 odport=8443", 0xcb007109,
				8443, 2 },
		{ "isc:exposed:to:open", " flags=S odaddr=203.0.113.1", 0xcb007101, 8443, 1 },
		{ "isc:exposed:to:open", " flags=S", 0xcb007109, 443, 2 }, /* not redirected */
		{ "isc:mac:port:drop-mac", " flags=S", 0xcb007101, 8443, 2 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscPacket p;
		GByteArray *b = begin_syn(cases[i].prefix);
		put_nested(b, NFULA_CT, connection(cases[i].to, cases[i].port, cases[i].len));
		put(b, NFULA_PAYLOAD, syn, sizeof syn);
		assert_int_equal(parse(b, &p), 1);
		assert_int_equal(isc_packet_kind_is_accepted(p.kind), p.whose == ISC_WHOSE_TO);
		g_autofree gchar *text = print(&p);
		assert_true(g_str_has_suffix(text, cases[i].tail));
	}
}

/* Whatever the packet is cut to: what is there is told, and nothing behind it is looked at. */
static void a_packet_may_end_anywhere(void **state)
{
	(void)state;
	for (gsize len = 0; len <= sizeof syn; len++) {
		IscPacket p;
		GByteArray *b = begin_syn("isc:mac:port:drop-mac");
		put(b, NFULA_PAYLOAD, syn, len);
		assert_int_equal(parse(b, &p), 1);
		assert_int_equal(p.is_ip, len >= 20);
		assert_int_equal(p.has_ports, len >= 24);
		assert_int_equal(p.flags >= 0, len >= 34);
	}
}

static void headers_that_lie_about_themselves_are_not_followed(void **state)
{
	(void)state;
	static const struct {
		guint at;
		guint8 value;
		gboolean is_ip, has_ports;
	} cases[] = {
		{ 0, 0x44, FALSE, FALSE }, /* a header too short to be one */
		{ 0, 0x4f, TRUE, FALSE },  /* one that reaches behind the end */
		{ 0, 0x65, FALSE, FALSE }, /* another version */
		{ 7, 1, TRUE, FALSE },     /* a later fragment has no ports */
		{ 9, 47, TRUE, FALSE },    /* GRE */
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		guint8 bytes[sizeof syn];
		IscPacket p;
		memcpy(bytes, syn, sizeof syn);
		bytes[cases[i].at] = cases[i].value;
		GByteArray *b = begin_syn("isc:mac:port:drop-mac");
		put(b, NFULA_PAYLOAD, bytes, sizeof bytes);
		assert_int_equal(parse(b, &p), 1);
		assert_int_equal(p.is_ip, cases[i].is_ip);
		assert_int_equal(p.has_ports, cases[i].has_ports);
	}
}

static void only_the_rules_words_name_kind_and_owner(void **state)
{
	(void)state;
	static const struct {
		const gchar *prefix, *kind, *chain;
		IscPacketWhose whose;
	} cases[] = {
		{ "isc:egress:from:drop-egress", "egress", "drop-egress", ISC_WHOSE_FROM },
		{ "isc:quarantine:to:drop-quarantine-in", "quarantine", "drop-quarantine-in",
				ISC_WHOSE_TO },
		{ "isc:uid:uid:drop-uid", "uid", "drop-uid", ISC_WHOSE_UID },
		{ "isc:spoof:none:drop-spoof", "spoof", "drop-spoof", ISC_WHOSE_NOBODY },
		{ "isc:mac:everybody:drop-mac", "mac", "drop-mac", ISC_WHOSE_NOBODY },
		{ "isc:mac", "mac", "", ISC_WHOSE_NOBODY },
		{ "isc:a-kind-far-too-long:port:x", "", "x", ISC_WHOSE_PORT },
		{ "isc:a b:port:x", "", "x", ISC_WHOSE_PORT },
		{ "ufw:mac:port:drop-mac", "", "", ISC_WHOSE_NOBODY },
		{ "", "", "", ISC_WHOSE_NOBODY },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscPacket p;
		assert_int_equal(parse(begin(2, 0x0800, cases[i].prefix), &p), 1);
		assert_string_equal(p.kind, cases[i].kind);
		assert_string_equal(p.chain, cases[i].chain);
		assert_int_equal(p.whose, cases[i].whose);
	}
}

static void what_is_no_packet_is_passed_over(void **state)
{
	(void)state;
	IscPacket p;
	GByteArray *b = begin(7, 0x0800, "isc:mac:port:drop-mac");
	((struct nlmsghdr *)(gpointer)b->data)->nlmsg_type = NLMSG_ERROR;
	assert_int_equal(parse(b, &p), 0);
	assert_int_equal(isc_packet_parse((const guint8 *)"", 0, keep, &p), 0);
	/* A prefix without its NUL. */
	b = begin(7, 0x0800, "");
	put(b, NFULA_PREFIX, "isc:mac", 7);
	assert_int_equal(parse(b, &p), 1);
	assert_string_equal(p.kind, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_is_told_in_numbers),
		cmocka_unit_test(a_connection_is_told_with_what_its_client_asked_for),
		cmocka_unit_test(a_packet_may_end_anywhere),
		cmocka_unit_test(headers_that_lie_about_themselves_are_not_followed),
		cmocka_unit_test(only_the_rules_words_name_kind_and_owner),
		cmocka_unit_test(what_is_no_packet_is_passed_over),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
