#include "collector/packet.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <string.h>

#define PREFIX "isc:"
#define ARP_BYTES 28u

static guint16 get_u16(const guint8 *at)
{
	return (guint16)(at[0] << 8 | at[1]);
}

static guint32 get_u32(const guint8 *at)
{
	return (guint32)at[0] << 24 | (guint32)at[1] << 16 | (guint32)at[2] << 8 | at[3];
}

/* --- what the packet says ------------------------------------------------------------------------
 */

static void parse_transport(IscPacket *p, const guint8 *at, gsize len)
{
	if (p->fragment > 0)
		return;
	if ((p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP) && len >= 4) {
		p->has_ports = TRUE;
		p->from_port = get_u16(at);
		p->to_port = get_u16(at + 2);
		if (p->proto == IPPROTO_TCP && len >= 14)
			p->flags = at[13];
	} else if ((p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6) && len >= 2) {
		p->icmp_type = at[0];
		p->icmp_code = at[1];
	}
}

static void parse_ip(IscPacket *p, const guint8 *at, gsize len)
{
	gsize head = len >= 20 ? (gsize)(at[0] & 15) * 4 : 0;
	if (head < 20 || at[0] >> 4 != 4)
		return;
	p->is_ip = TRUE;
	p->len = get_u16(at + 2);
	p->fragment = (guint16)((get_u16(at + 6) & 0x1fff) * 8);
	p->proto = at[9];
	p->from = get_u32(at + 12);
	p->to = get_u32(at + 16);
	if (head <= len)
		parse_transport(p, at + head, len - head);
}

static void parse_ip6(IscPacket *p, const guint8 *at, gsize len)
{
	if (len < 40 || at[0] >> 4 != 6)
		return;
	p->is_ip6 = TRUE;
	p->len = get_u16(at + 4);
	p->proto = at[6];
	memcpy(p->from6, at + 8, sizeof p->from6);
	memcpy(p->to6, at + 24, sizeof p->to6);
	parse_transport(p, at + 40, len - 40);
}

static void parse_arp(IscPacket *p, const guint8 *at, gsize len)
{
	static const guint8 plain[] = { 0, 1, 8, 0, 6, 4 }; /* Ethernet, IPv4, their sizes */
	if (len < ARP_BYTES || memcmp(at, plain, sizeof plain) != 0)
		return;
	p->is_arp = TRUE;
	p->arp_op = get_u16(at + 6);
	memcpy(p->arp_mac, at + 8, sizeof p->arp_mac);
	p->arp_from = get_u32(at + 14);
	p->arp_to = get_u32(at + 24);
}

static void parse_payload(IscPacket *p, const guint8 *at, gsize len)
{
	switch (p->ethertype) {
	case ETH_P_IP:
		parse_ip(p, at, len);
		break;
	case ETH_P_IPV6:
		parse_ip6(p, at, len);
		break;
	case ETH_P_ARP:
		parse_arp(p, at, len);
		break;
	default:
		break;
	}
}

/* --- what the kernel says ------------------------------------------------------------------------
 */

/* One word of the prefix, up to ':' or its end; "" where it does not fit or is none. */
static const gchar *take_word(const gchar *from, gchar *to, gsize room)
{
	gsize len = strspn(from, "abcdefghijklmnopqrstuvwxyz0123456789-");
	if (len < room && (from[len] == ':' || from[len] == '\0'))
		memcpy(to, from, len);
	else
		len = 0;
	to[len] = '\0';
	const gchar *colon = strchr(from, ':');
	return colon ? colon + 1 : "";
}

static void parse_prefix(IscPacket *p, const gchar *text)
{
	static const gchar *const words[] = { "none", "port", "from", "to", "uid" };
	gchar whose[8];

	if (!g_str_has_prefix(text, PREFIX))
		return;
	const gchar *rest = take_word(text + strlen(PREFIX), p->kind, sizeof p->kind);
	rest = take_word(rest, whose, sizeof whose);
	take_word(rest, p->chain, sizeof p->chain);
	for (guint i = 0; i < G_N_ELEMENTS(words); i++)
		if (strcmp(whose, words[i]) == 0)
			p->whose = (IscPacketWhose)i;
}

static const guint8 *bytes_of(struct nlattr *const *tb, int type, gsize len)
{
	return tb[type] && (gsize)nla_len(tb[type]) >= len ? nla_data(tb[type]) : NULL;
}

static guint32 u32_of(struct nlattr *const *tb, int type, guint32 preset)
{
	const guint8 *at = bytes_of(tb, type, 4);
	return at ? get_u32(at) : preset;
}

static void parse_macs(IscPacket *p, struct nlattr *const *tb)
{
	/* struct nfulnl_msg_packet_hw: length, 2 bytes of nothing, address */
	const guint8 *from = bytes_of(tb, NFULA_HWADDR, 10);
	if (from && get_u16(from) == sizeof p->from_mac) {
		p->has_macs = TRUE;
		memcpy(p->from_mac, from + 4, sizeof p->from_mac);
	}
	const guint8 *head = bytes_of(tb, NFULA_HWHEADER, 14);
	const guint8 *head_len = bytes_of(tb, NFULA_HWLEN, 2);
	if (!p->has_macs || !head || !head_len || get_u16(head_len) != 14)
		return;
	p->has_to = TRUE;
	memcpy(p->to_mac, head, sizeof p->to_mac);
}

static void parse_vlan(IscPacket *p, struct nlattr *const *tb)
{
	struct nlattr *in[NFULA_VLAN_MAX + 1];
	if (!tb[NFULA_VLAN] || nla_parse_nested(in, NFULA_VLAN_MAX, tb[NFULA_VLAN], NULL) < 0)
		return;
	const guint8 *tci = bytes_of(in, NFULA_VLAN_TCI, 2);
	if (tci)
		p->vlan = get_u16(tci) & 0xfff;
}

/* CTA_TUPLE_ORIG, CTA_TUPLE_IP and _PROTO of linux/netfilter/nfnetlink_conntrack.h */
static void parse_connection(IscPacket *p, struct nlattr *const *tb)
{
	struct nlattr *ct[CTA_MAX + 1], *tuple[CTA_TUPLE_MAX + 1], *in[CTA_IP_MAX + 1];
	struct nlattr *proto[CTA_PROTO_MAX + 1];
	if (!tb[NFULA_CT] || nla_parse_nested(ct, CTA_MAX, tb[NFULA_CT], NULL) < 0 ||
			!ct[CTA_TUPLE_ORIG] ||
			nla_parse_nested(tuple, CTA_TUPLE_MAX, ct[CTA_TUPLE_ORIG], NULL) < 0 ||
			!tuple[CTA_TUPLE_IP] ||
			nla_parse_nested(in, CTA_IP_MAX, tuple[CTA_TUPLE_IP], NULL) < 0)
		return;
	const guint8 *to = bytes_of(in, CTA_IP_V4_DST, 4), *port = NULL;
	if (tuple[CTA_TUPLE_PROTO] &&
			nla_parse_nested(proto, CTA_PROTO_MAX, tuple[CTA_TUPLE_PROTO], NULL) == 0)
		port = bytes_of(proto, CTA_PROTO_DST_PORT, 2);
	p->has_asked = to != NULL;
	p->asked = to ? get_u32(to) : 0;
	p->asked_port = port ? get_u16(port) : 0;
}

static gboolean parse_one(struct nlmsghdr *msg, IscPacket *p)
{
	struct nlattr *tb[NFULA_MAX + 1];
	if (msg->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
			nlmsg_datalen(msg) < (int)sizeof(struct nfgenmsg) ||
			nlmsg_parse(msg, sizeof(struct nfgenmsg), tb, NFULA_MAX, NULL) < 0)
		return FALSE;

	const struct nfgenmsg *head = nlmsg_data(msg);
	*p = (IscPacket){ .is_bridge = head->nfgen_family == NFPROTO_BRIDGE,
		.uid = u32_of(tb, NFULA_UID, G_MAXUINT32),
		.port = u32_of(tb, NFULA_IFINDEX_PHYSINDEV, u32_of(tb, NFULA_IFINDEX_INDEV, 0)),
		.seq = u32_of(tb, NFULA_SEQ, 0),
		.has_seq = tb[NFULA_SEQ] != NULL,
		.vlan = -1,
		.flags = -1,
		.icmp_type = -1 };
	const gchar *prefix = (const gchar *)bytes_of(tb, NFULA_PREFIX, 1);
	if (prefix && memchr(prefix, '\0', (gsize)nla_len(tb[NFULA_PREFIX])))
		parse_prefix(p, prefix);
	const guint8 *packet = bytes_of(tb, NFULA_PACKET_HDR, 4);
	p->ethertype = packet ? get_u16(packet) : 0;
	parse_macs(p, tb);
	parse_vlan(p, tb);
	parse_connection(p, tb);
	if (tb[NFULA_PAYLOAD])
		parse_payload(p, nla_data(tb[NFULA_PAYLOAD]), (gsize)nla_len(tb[NFULA_PAYLOAD]));
	return TRUE;
}

guint isc_packet_parse(const guint8 *bytes, gsize len, IscPacketFunc func, gpointer data)
{
	struct nlmsghdr *msg = (struct nlmsghdr *)(gpointer)bytes; /* libnl knows no const */
	int rest = (int)MIN(len, (gsize)G_MAXINT32);
	IscPacket p;
	guint n = 0;

	for (; nlmsg_ok(msg, rest); msg = nlmsg_next(msg, &rest))
		if (parse_one(msg, &p)) {
			func(&p, data);
			n++;
		}
	return n;
}

/* --- printing ------------------------------------------------------------------------------------
 */

static void print_mac(GString *out, const gchar *key, const guint8 m[6])
{
	g_string_append_printf(out, " %s=%02x:%02x:%02x:%02x:%02x:%02x", key, m[0], m[1], m[2],
			m[3], m[4], m[5]);
}

static void print_address(GString *out, const gchar *key, guint32 a)
{
	g_string_append_printf(
			out, " %s=%u.%u.%u.%u", key, a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
}

static void print_ip6(GString *out, const gchar *key, const guint8 address[16])
{
	gchar text[INET6_ADDRSTRLEN] = "";
	inet_ntop(AF_INET6, address, text, sizeof text);
	g_string_append_printf(out, " %s=%s", key, text);
}

/* saddr, daddr, proto: as the kernel's own records of type NETFILTER_PKT have them. */
static void print_ip(GString *out, const IscPacket *p)
{
	static const struct {
		gint bit;
		gchar name;
	} flags[] = { { 2, 'S' }, { 16, 'A' }, { 1, 'F' }, { 4, 'R' }, { 8, 'P' }, { 32, 'U' } };

	g_string_append_printf(out, " proto=%u len=%u", p->proto, p->len);
	if (p->fragment > 0)
		g_string_append_printf(out, " frag=%u", p->fragment);
	if (p->has_ports)
		g_string_append_printf(out, " sport=%u dport=%u", p->from_port, p->to_port);
	if (p->icmp_type >= 0)
		g_string_append_printf(out, " icmptype=%d icmpcode=%u", p->icmp_type, p->icmp_code);
	if (p->flags < 0)
		return;
	g_string_append(out, " flags=");
	gsize before = out->len;
	for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
		if (p->flags & flags[i].bit)
			g_string_append_c(out, flags[i].name);
	if (out->len == before)
		g_string_append_c(out, '0');
}

gboolean isc_packet_kind_is_accepted(const gchar *kind)
{
	return strcmp(kind, "exposed") == 0 || strcmp(kind, "allowed") == 0;
}

/* Of a connection that was redirected: where its client believes to be. */
static void print_asked(GString *out, const IscPacket *p)
{
	if (!p->has_asked || !p->is_ip || (p->asked == p->to && p->asked_port == p->to_port))
		return;
	print_address(out, "odaddr", p->asked);
	if (p->asked_port)
		g_string_append_printf(out, " odport=%u", p->asked_port);
}

void isc_packet_print(GString *out, const IscPacket *p)
{
	g_string_append_printf(out, "kind=%s rule=%s/%s", p->kind, p->is_bridge ? "bridge" : "inet",
			*p->chain ? p->chain : "?");
	if (p->has_macs)
		print_mac(out, "smac", p->from_mac);
	if (p->has_to)
		print_mac(out, "dmac", p->to_mac);
	if (p->vlan >= 0)
		g_string_append_printf(out, " vlan=%d", p->vlan);
	g_string_append_printf(out, " ether=0x%04x", p->ethertype);
	if (p->is_ip) {
		print_address(out, "saddr", p->from);
		print_address(out, "daddr", p->to);
	} else if (p->is_ip6) {
		print_ip6(out, "saddr", p->from6);
		print_ip6(out, "daddr", p->to6);
	}
	if (p->is_ip || p->is_ip6)
		print_ip(out, p);
	if (isc_packet_kind_is_accepted(p->kind))
		print_asked(out, p);
	if (p->is_arp) {
		g_string_append_printf(out, " arp=%u", p->arp_op);
		print_mac(out, "arpmac", p->arp_mac);
		print_address(out, "arpsaddr", p->arp_from);
		print_address(out, "arpdaddr", p->arp_to);
	}
	/* Of another rule's packets it is that of the process that made the tap: the dock's. */
	if (p->whose == ISC_WHOSE_UID && p->uid != G_MAXUINT32)
		g_string_append_printf(out, " uid=%u", p->uid);
}
