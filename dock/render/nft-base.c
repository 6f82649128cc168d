#include "render/nft-base.h"

#include <string.h>

#include "base/error.h"

/* The rules that never change, and why they stand in this order.
 *
 * A frame from a node passes bridge/prerouting (who is it?), then, if it is for another network,
 * inet/forward (where may it go?), or, if it is for the dock, inet/input (nowhere).  In each:
 * anti-spoofing first, then quarantine, then established, then policy, then drop.  Accepting
 * established flows before the sender is proven is how other systems were broken; quarantine before
 * established is what stops a stream that runs.
 *
 * What must hold even if one of the tables is lost:
 *  - inet checks the sender against @nodes although the bridge has done so (@ordinary are those of
 *    them that need no other look);
 *  - packets from nodes get a mark in inet/prerouting, and a routing rule (engine/links.h, fence)
 * refuses to route packets from the bridge that lack it: `nft flush ruleset` closes the way out
 * rather than opening it;
 *  - a table that only its owner may change or flush, and which goes when the owner does, stands
 * behind the rules: the guard.  It closes the way to the dock itself, which no routing rule of ours
 * comes before, and the way of what was between two hooks when the rules went; and it keeps
 * connections translated that were open before.
 *
 * What becomes of a packet that is judged is in nft-chains.c. */

/* RFC 6890 and what clouds put there.  The documentation networks (192.0.2.0/24, …) are left out:
 * nothing lives there but examples and tests. */
static const IscNet reserved[] = {
	{ 0x00000000, 8 },  /* this network */
	{ 0x0a000000, 8 },  /* private */
	{ 0x64400000, 10 }, /* carrier NAT; Alibaba's metadata */
	{ 0x7f000000, 8 },  /* loopback */
	{ 0xa83f8110, 32 }, /* Azure's wire server, 168.63.129.16 */
	{ 0xa9fe0000, 16 }, /* link-local; metadata of most clouds */
	{ 0xac100000, 12 }, /* private */
	{ 0xc0000000, 24 }, /* IETF; Oracle's metadata */
	{ 0xc0a80000, 16 }, /* private */
	{ 0xc6120000, 15 }, /* benchmarks */
	{ 0xe0000000, 4 },  /* multicast */
	{ 0xf0000000, 4 },  /* never assigned, broadcast */
};

static const guint32 metadata[] = {
	0x646464c8, /* 100.100.100.200, Alibaba */
	0xa83f8110, /* 168.63.129.16, Azure */
	0xa9fea9fe, /* 169.254.169.254: AWS, Azure, GCP, … */
	0xa9feaa02, /* 169.254.170.2, AWS tasks */
	0xc00000c0, /* 192.0.0.192, Oracle */
};

const IscNet *isc_nft_reserved(gsize *n)
{
	*n = G_N_ELEMENTS(reserved);
	return reserved;
}

const guint32 *isc_nft_metadata(gsize *n)
{
	*n = G_N_ELEMENTS(metadata);
	return metadata;
}

gboolean isc_nft_is_ifname(const gchar *name)
{
	static const gchar allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789_.@:-";
	gsize len = name ? strspn(name, allowed) : 0;
	return len > 0 && len < 16 && name[len] == '\0';
}

/* clang-format off */
/* $WORDS stand for what the configuration says; see fill_in(). */
static const gchar bridge_rules[] =
	"\tchain prerouting {\n"
	"\t\ttype filter hook prerouting priority -300; policy accept;\n"
	/* One look-up proves MAC and address of an honest packet, and that its node is not quarantined; what fails it is
	 * told apart in chain liar.  "ether type" is what the frame says; "meta protocol" looks behind a VLAN tag. */
	"\t\tiifgroup $TAPS ether type ip iifname . ether saddr . ip saddr @pin goto from-node-ip\n"
	"\t\tiifname \"$TAP*\" goto from-node\n"
	"\t}\n"
	/* What links.c has the ports "forward" comes here, too: STP, LLDP, EAPOL to their group addresses. */
	"\tchain protocol {\n"
	"\t\tether type { 8021q, 8021ad, 0x9100, 0x9200 } goto drop-vlan\n"
	"\t\tether type ip6 goto drop-ipv6\n"
	"\t\tether type != { arp, ip } goto drop-other\n"
	"\t}\n"
	"\tchain from-node {\n"
	"\t\tether type ip goto liar\n"
	"\t\tether type arp goto from-node-arp\n"
	"\t\tgoto protocol\n"
	"\t}\n"
	"\tchain from-node-ip {\n"
	"$TO_BRIDGE"
	/* All in one comparison, for each packet pays it: a header of 20 bytes, no fragment, TCP. */
	"\t\t@nh,0,80 & 0x0f00000000003fff00ff != 0x05000000000000000006 goto not-plain\n"
	"\t}\n"
	"\tchain not-plain {\n"
	"\t\tmeta l4proto != tcp jump not-tcp\n"
	"\t\t@nh,0,64 & 0x0f00000000003fff != 0x0500000000000000 goto odd\n"
	"\t}\n"
	/* Fragments wait for the rest of their packet in one pool for all nodes and the dock itself; where that is full,
	 * nobody's are put together any more.  See fill_in_shares() for what a node may have there. */
	"\tchain odd {\n"
	"\t\tip hdrlength != 5 goto drop-option\n"
	"\t\tmeta length > 1500 goto drop-fragment\n"
	"\t\tupdate @fragment-rate { iifname limit rate over $FRAGMENTS/minute burst $FRAGMENT_BURST packets } goto drop-fragment\n"
	"\t\tlimit rate over $ALL_FRAGMENTS/minute burst $ALL_FRAGMENT_BURST packets goto drop-fragment\n"
	"\t}\n"
	"\tchain liar {\n"
	"\t\tiifname . ether saddr . ip saddr @pin goto from-node-ip\n"
	"\t\tiifname . ether saddr != @pin-mac goto drop-mac\n"
	"\t\tiifname @cut goto drop-quarantine\n"
	"\t\tudp sport { 67, 68 } goto drop-dhcp\n"
	"\t\tudp dport { 67, 68 } goto drop-dhcp\n"
	"\t\tgoto drop-ip\n"
	"\t}\n"
	"\tchain not-tcp {\n"
	"\t\tudp sport { 67, 68 } goto drop-dhcp\n"
	"\t\tudp dport { 67, 68 } goto drop-dhcp\n"
	"\t\ticmp type { redirect, router-advertisement, router-solicitation } goto drop-other\n"
	"\t}\n"
	"\tchain from-node-arp {\n"
	"\t\tiifname . ether saddr != @pin-mac goto drop-mac\n"
	"\t\tarp htype != 1 goto drop-arp\n"
	"\t\tarp ptype != ip goto drop-arp\n"
	"\t\tarp operation != { request, reply } goto drop-arp\n"
	"\t\tiifname @cut goto drop-quarantine\n"
	"\t\tiifname . arp saddr ether . arp saddr ip != @pin goto drop-arp\n"
	"\t\tupdate @arp-rate { iifname limit rate over 50/second burst 100 packets } goto drop-arp\n"
	/* The dock answers for a peer only where it finds a route to it, see inet/prerouting. */
	"\t\tmeta mark set $MARK\n"
	"\t}\n"
	/* Whoever holds a tap may change its MAC (SIOCSIFHWADDR asks for no right), and the bridge then takes what is for
	 * that MAC to be for this port: a hypervisor that was taken over would get what is for a sibling. */
	"\tchain output {\n"
	"\t\ttype filter hook output priority -300; policy accept;\n"
	"\t\toifgroup $TAPS oifname . ether daddr @pin-mac accept\n"
	"\t\toifname \"$TAP*\" ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 oifname . ether daddr != @pin-mac goto drop-mac-out\n"
	"\t}\n"
	/* From port to port.  The ports are isolated already; this holds where that flag is lost. */
	"\tchain forward {\n"
	"\t\ttype filter hook forward priority -300; policy accept;\n"
	"\t\tiifname \"$TAP*\" goto drop-peer\n"
	"\t\toifname \"$TAP*\" goto drop-peer\n"
	"\t}\n";

static const gchar inet_rules[] =
	/* Before conntrack, so that what is dropped here takes no entry there. */
	"\tchain prerouting {\n"
	"\t\ttype filter hook prerouting priority -300; policy accept;\n"
	/* Where a bridge has lost its group its packets get no mark, and the routing rule lets them nowhere. */
	"\t\tiifgroup $BRIDGES goto mark-node\n"
	"$FOREIGN"
	"\t}\n"
	"\tchain mark-node {\n"
	"\t\t@nh,128,3 0x7 ip daddr != 255.255.255.255 goto drop-reserved\n"
	"\t\tmeta mark set $MARK\n"
	"\t}\n"
	"\tchain foreign {\n"
	"\t\tmeta nfproto ipv6 accept\n"
	"\t\tiifname \"lo\" accept\n"
	"$SPOOFED"
	/* One count and one share of the log for all addresses that are nobody's: a sweep finds tens of thousands. */
	"\t\tip daddr @nodes goto drop-ingress\n"
	"\t\tgoto drop-ingress-by\n"
	"\t}\n"
	/* From outside only: a node that knocks at the dock's outside address reaches nobody (hairpin). */
	"\tchain publish {\n"
	"\t\ttype nat hook prerouting priority -100; policy accept;\n"
	"\t\tiifname $OUTSIDE fib daddr type local goto redirect-in\n"
	"\t}\n"
	"\tchain redirect-in {\n"
	/* A port is in one of the maps only, whatever the address. */
	"\t\tdnat ip to meta l4proto . th dport map @expose\n"
	"\t\tdnat ip to ip daddr . meta l4proto . th dport map @expose-at\n"
	/* A member of a set by chance: one number a connection, which conntrack then keeps. */
	"\t\tdnat ip to ip daddr . meta l4proto . th dport . numgen random mod $BUCKETS map @balance-at\n"
	"\t\tdnat ip to meta l4proto . th dport . numgen random mod $BUCKETS map @balance\n"
	"\t}\n"
	"\tchain postrouting {\n"
	"\t\ttype nat hook postrouting priority 100; policy accept;\n"
	"\t\tiifgroup $BRIDGES oifgroup != $BRIDGES goto leave\n"
	"\t}\n"
	/* A node chooses the port that it sends from.  Did its connections leave from that one, then one from port 22, or
	 * from a port that a sibling exposes, to the port that a client will come from next would be that client's own
	 * connection to conntrack, and come to this node ("port shadowing", CVE-2021-3773).  So they leave from ports
	 * where nobody serves. */
	"\tchain leave {\n"
	"\t\tmeta l4proto { tcp, udp } masquerade to :$LEAVE\n"
	"\t\tmasquerade\n"
	"\t}\n"
	"\tchain forward {\n"
	"\t\ttype filter hook forward priority -10; policy accept;\n"
	"\t\tiifgroup $BRIDGES goto from-node\n"
	"\t\toifgroup $BRIDGES goto to-node\n"
	/* A bridge that has lost its group. */
	"\t\tiifname $BRIDGE goto from-node\n"
	"\t\toifname $BRIDGE goto to-node\n"
	"$STRAY"
	"\t}\n"
	/* Also what conntrack makes nothing of: a scan by bare FINs, an answer that nobody asked for.  Somebody else's
	 * translation stays somebody else's. */
	"\tchain stray {\n"
	"\t\tct state new ct status & dnat != 0 return\n"
	"\t\tgoto drop-ingress-by\n"
	"\t}\n"
	"\tchain pass {\n"
	"\t\tmeta mark set 0x00000000 accept\n"
	"\t}\n"
	/* One look-up for almost all; the rest is told apart behind it.  The same in chain to-node. */
	"\tchain from-node {\n"
	"\t\tip saddr @ordinary goto from-known\n"
	"\t\tmeta nfproto ipv6 goto drop-ipv6\n"
	"\t\tip saddr != @nodes goto drop-ip\n"
	"\t\tip saddr @quarantined goto drop-quarantine\n"
	"\t\tip saddr @rate-up goto drop-rate\n"
	"\t\tgoto from-known\n"
	"\t}\n"
	"\tchain from-known {\n"
	"\t\toifgroup $BRIDGES jump peer-checks\n"
	"\t\tct state established meta mark set 0x00000000 accept\n"
	"\t\tct state related meta l4proto icmp goto from-node-error\n"
	/* Untracked and invalid packets would leave without masquerade and show a private address. */
	"\t\tct state != new goto drop-invalid\n"
	/* conntrack takes up a connection in its middle; one that we have ended must not come back so. */
	"\t\ttcp flags & (fin | syn | rst | ack) != syn goto drop-invalid\n"
	"\t\toifname $BRIDGE goto to-peer\n"
	"\t\tgoto outward\n"
	"\t}\n"
	/* conntrack proves that an ICMP error goes to one end of the connection that it quotes, not that it comes from the
	 * other: a node could break connections of its siblings, and reach them by what it quotes. */
	"\tchain from-node-error {\n"
	"\t\tct direction original ip saddr . ct original ip saddr @selves goto pass\n"
	"\t\tct direction reply ip saddr . ct reply ip saddr @selves goto pass\n"
	"\t\tgoto drop-invalid\n"
	"\t}\n"
	"\tchain peer-checks {\n"
	"\t\tip daddr @quarantined goto drop-quarantine\n"
	"\t\tip daddr @rate-down goto drop-rate-in\n"
	"\t}\n"
	"\tchain to-peer {\n"
	"\t\tmeta l4proto { tcp, udp } ip saddr . ip daddr . meta l4proto . th dport @peers goto allow\n"
	/* A node of a group is one element, and so is a rule for all of the group: joining costs the same in any. */
	"\t\tmeta mark set ip daddr map @groups\n"
	"\t\tmeta l4proto { tcp, udp } ip saddr . meta mark . meta l4proto . th dport @group-peers goto allow\n"
	"\t\tgoto drop-peer\n"
	"\t}\n"
	"\tchain outward {\n"
	"\t\tmeta l4proto { tcp, udp } ip saddr . meta l4proto . ip daddr . th dport @egress goto allow\n"
	"\t\tmeta mark set ip saddr map @egress-class\n"
	"\t\tmeta l4proto { tcp, udp } meta mark . meta l4proto . ip daddr . th dport @wide-named goto allow\n"
	"\t\ticmp type echo-request meta mark . ip daddr @icmp-named goto allow\n"
	"\t\tip saddr @egress-open ip daddr @resolvers meta l4proto { tcp, udp } th dport 53 goto allow\n"
	"\t\tip daddr @reserved goto drop-reserved\n"
	"\t\toifname != $OUTSIDE goto drop-egress\n"
	/* What has no ports is told apart by addresses alone, and a tunnel of the dock's own to that address would be the
	 * node's. */
	"\t\tip saddr @egress-open meta l4proto { icmp, tcp, udp } goto allow\n"
	/* Names stand behind the reserved networks: whoever answers for one opens no way into them. */
	"\t\tmeta l4proto { tcp, udp } ip saddr . meta l4proto . ip daddr . th dport @egress-host goto allow\n"
	"\t\tmeta l4proto { tcp, udp } meta mark . meta l4proto . ip daddr . th dport @wide goto allow\n"
	"\t\ticmp type echo-request meta mark . ip daddr @icmp-wide goto allow\n"
	"\t\tgoto drop-egress\n"
	"\t}\n"
	"\tchain to-node {\n"
	"\t\tip daddr @ordinary goto to-known\n"
	"\t\tmeta nfproto ipv6 goto drop-ipv6\n"
	"\t\tip daddr @quarantined goto drop-quarantine-in\n"
	"\t\tip daddr @rate-down goto drop-rate-in\n"
	"\t\tgoto to-known\n"
	"\t}\n"
	"\tchain to-known {\n"
	"\t\tct state established accept\n"
	"\t\tiifname $OUTSIDE ct state new ct status dnat goto open\n"
	"\t\tct state related meta l4proto icmp accept\n"
	"\t\tgoto drop-ingress\n"
	"\t}\n"
	"\tchain input {\n"
	"\t\ttype filter hook input priority -10; policy accept;\n"
	"\t\tiifname $BRIDGE goto to-host\n"
	"\t}\n"
	"\tchain to-host {\n"
	"\t\tmeta nfproto ipv6 goto drop-ipv6\n"
	"\t\tip saddr != @nodes goto drop-ip\n"
	"\t\tip saddr @quarantined goto drop-quarantine\n"
	/* Answers to health probes; nothing else was ever let out to a node. */
	"\t\tct state established ct direction reply meta mark set $PASSED accept\n"
	"\t\tgoto drop-host\n"
	"\t}\n"
	"\tchain output {\n"
	"\t\ttype filter hook output priority -10; policy accept;\n"
	"\t\tmeta skuid $NODE_UIDS goto drop-uid\n"
	"\t\toifname $BRIDGE goto from-host\n"
	"\t}\n"
	"\tchain from-host {\n"
	"\t\tmeta nfproto ipv6 goto drop-local\n"
	"\t\tip daddr @quarantined goto drop-quarantine-in\n"
	"\t\ticmp type redirect drop\n"
	"\t\tct state established accept\n"
	"\t\tct state related meta l4proto icmp accept\n"
	"\t\tmeta skuid $DAEMON_UID ip daddr . tcp dport @health accept\n"
	"\t\tgoto drop-local\n"
	"\t}\n";

/* Stands behind the rules and lets through what they have passed, which a packet's mark tells: one that was marked
 * as a node's and met no rule after that was under way when they were flushed. */
static const gchar guard_rules[] =
	"\tchain input {\n"
	"\t\ttype filter hook input priority 300; policy accept;\n"
	"\t\tiifname $BRIDGE meta mark != $PASSED counter drop\n"
	"\t}\n"
	"\tchain forward {\n"
	"\t\ttype filter hook forward priority 300; policy accept;\n"
	"\t\toifgroup $BRIDGES ct status dnat accept\n"
	"\t\tiifgroup $BRIDGES meta mark & $MARK != $MARK accept\n"
	"\t\tiifname $BRIDGE meta mark & $MARK == $MARK counter drop\n"
	"\t\tiifname != $BRIDGE oifname $BRIDGE ct status & dnat == 0 ct state & (established | related) == 0 counter drop\n"
	"\t}\n"
	/* Without rules that ask for it the kernel would neither track nor translate: what comes in on a connection that
	 * a node holds would reach the dock itself, which resets it. */
	"\tchain prerouting {\n"
	"\t\ttype nat hook prerouting priority -100; policy accept;\n"
	"\t}\n"
	"\tchain postrouting {\n"
	"\t\ttype nat hook postrouting priority 100; policy accept;\n"
	"\t}\n";
/* clang-format on */

/* Refills a set that belongs to the dock as a whole.  @members: text, taken over. */
static void append_fill(GString *s, const gchar *set, GPtrArray *members)
{
	g_string_append_printf(s, "flush set inet " ISC_NFT_TABLE " %s\n", set);
	if (members->len > 0) {
		g_ptr_array_add(members, NULL);
		g_autofree gchar *joined = g_strjoinv(", ", (gchar **)members->pdata);
		g_string_append_printf(
				s, "add element inet " ISC_NFT_TABLE " %s { %s }\n", set, joined);
	}
	g_ptr_array_unref(members);
}

/* `"wan"`, or `{ "wan", "lte0" }`, or a name that no interface can have. */
static gchar *name_set(const gchar *const *names)
{
	if (!names || !names[0])
		return g_strdup("\".\"");
	g_autofree gchar *joined = g_strjoinv("\", \"", (gchar **)names);
	return g_strdup_printf(names[1] ? "{ \"%s\" }" : "\"%s\"", joined);
}

/* Networks nest or are apart; only the outermost may go into an interval set. */
static GPtrArray *outermost(const GArray *nets)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < nets->len; i++) {
		const IscNet *net = &g_array_index(nets, IscNet, i);
		gboolean is_inside = FALSE;
		for (guint k = 0; k < nets->len && !is_inside; k++) {
			const IscNet *other = &g_array_index(nets, IscNet, k);
			gboolean is_same = other->prefix == net->prefix;
			is_inside = k != i && isc_net_contains(other, net) && (!is_same || k < i);
		}
		if (!is_inside)
			g_ptr_array_add(out, isc_net_print(net));
	}
	return out;
}

static void append_fills(GString *s, const IscNftConfig *config)
{
	g_autoptr(GArray) nets = g_array_new(FALSE, FALSE, sizeof(IscNet));
	GPtrArray *resolvers = g_ptr_array_new_with_free_func(g_free);

	g_array_append_vals(nets, reserved, G_N_ELEMENTS(reserved));
	g_array_append_val(nets, config->subnet);
	if (config->dedicated.prefix)
		g_array_append_val(nets, config->dedicated);
	if (config->n_host_nets)
		g_array_append_vals(nets, config->host_nets, (guint)config->n_host_nets);
	for (gsize i = 0; i < config->n_resolvers; i++)
		g_ptr_array_add(resolvers, isc_address_print(config->resolvers[i]));

	append_fill(s, "reserved", outermost(nets));
	append_fill(s, "resolvers", resolvers);
}

static gboolean are_names_sound(const IscNftConfig *config, GError **error)
{
	const gchar *bad = NULL;

	if (!isc_nft_is_ifname(config->bridge))
		bad = config->bridge;
	else if (!isc_nft_is_ifname(config->tap_prefix) || strlen(config->tap_prefix) > 10)
		bad = config->tap_prefix;
	for (gsize i = 0; !bad && config->outside && config->outside[i]; i++)
		if (!isc_nft_is_ifname(config->outside[i]))
			bad = config->outside[i];
	if (!bad)
		return TRUE;
	g_autofree gchar *shown = isc_text_escape(bad, -1, 32);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no name of a network interface",
			shown);
	return FALSE;
}

/* A frame straight to a peer would die at the isolated port, but uncounted. */
static gchar *bridge_mac_rule(const IscNftConfig *config)
{
	static const guint8 none[6] = { 0 };
	const guint8 *m = config->bridge_mac;

	if (memcmp(m, none, sizeof none) == 0)
		return g_strdup("");
	return g_strdup_printf(
			"\t\tether daddr != %02x:%02x:%02x:%02x:%02x:%02x "
			"ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00 goto drop-peer\n",
			m[0], m[1], m[2], m[3], m[4], m[5]);
}

/* @lines for each network of nodes: two comparisons cost less than a look-up in a set of two.
 * %s is the network, %n the number of its bits and %b these. */
static gchar *for_each_net(const IscNftConfig *config, const gchar *lines)
{
	g_autoptr(GString) s = g_string_new(NULL);
	const IscNet *nets[] = { &config->subnet, &config->dedicated };

	for (gsize i = 0; i < G_N_ELEMENTS(nets); i++) {
		g_autofree gchar *text = isc_net_print(nets[i]);
		g_autoptr(GString) filled = g_string_new(lines);
		g_autofree gchar *n = g_strdup_printf("%u", nets[i]->prefix);
		g_autofree gchar *bits = g_strdup_printf("0x%x",
				nets[i]->prefix ? nets[i]->address >> (32 - nets[i]->prefix) : 0);
		g_string_replace(filled, "%s", text, 0);
		g_string_replace(filled, "%n", n, 0);
		g_string_replace(filled, "%b", bits, 0);
		if (nets[i]->prefix)
			g_string_append(s, filled->str);
	}
	return g_string_free(g_steal_pointer(&s), FALSE);
}

/* Packets for nodes come in by the outside interface, so it forwards; where the dock is no router,
 * it is not to become one to its other networks by that. */
static const gchar stray_rule[] = "\t\tmeta nfproto ipv4 iifname $OUTSIDE ct state != { "
				  "established, related } goto stray\n";

/* What a fragment takes in the kernel's pool, at most: one of 1,500 bytes lies in 2 KiB, and there
 * is what the kernel needs to know of it and of its packet. */
#define FRAGMENT_BYTES 3072

/* How many fragments a minute, and at once, so that no more than @bytes of them wait.  A fragment
 * leaves the pool when its packet is complete, or else after fragment_time. */
static void share(const IscNftConfig *config, guint64 bytes, guint *a_minute, guint *burst)
{
	const guint seconds = config->fragment_time ? config->fragment_time : 30;
	const guint64 n = CLAMP(bytes / FRAGMENT_BYTES, 4, 1u << 20);

	*burst = (guint)(n / 2);
	*a_minute = (guint)MAX(n / 2 * 60 / seconds, 1);
}

static void fill_in_shares(GString *s, const IscNftConfig *config)
{
	const guint64 pool = config->fragment_pool ? config->fragment_pool : 4u << 20;
	guint all, all_burst, one, one_burst;

	/* An eighth for a node; half for all of them, so that there is always room for the dock's
	 * own. */
	share(config, pool / 2, &all, &all_burst);
	share(config, pool / 8, &one, &one_burst);
	const struct {
		const gchar *word;
		guint value;
	} words[] = {
		{ "$ALL_FRAGMENTS", all },
		{ "$ALL_FRAGMENT_BURST", all_burst },
		{ "$FRAGMENTS", one },
		{ "$FRAGMENT_BURST", one_burst },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++) {
		g_autofree gchar *value = g_strdup_printf("%u", words[i].value);
		g_string_replace(s, words[i].word, value, 0);
	}
}

static void fill_in(GString *s, const IscNftConfig *config)
{
	g_autofree gchar *bridge = g_strdup_printf("\"%s*\"", config->bridge);
	g_autofree gchar *outside = name_set(config->outside);
	g_autofree gchar *foreign = for_each_net(
			config, "\t\t@nh,96,%n %b goto foreign\n\t\t@nh,128,%n %b goto foreign\n");
	g_autofree gchar *spoofed = for_each_net(config, "\t\tip saddr %s goto drop-spoof\n");
	g_autofree gchar *mark = g_strdup_printf("0x%08x", ISC_NFT_ACCEPT_MARK);
	g_autofree gchar *passed = g_strdup_printf("0x%08x", ISC_NFT_PASSED_MARK);
	g_autofree gchar *uids = g_strdup_printf("%u-%u", config->uid_first, config->uid_last);
	g_autofree gchar *daemon = g_strdup_printf("%u", config->daemon_uid);
	g_autofree gchar *bridges = g_strdup_printf("0x%08x", ISC_NFT_BRIDGES);
	g_autofree gchar *taps = g_strdup_printf("0x%08x", ISC_NFT_TAPS);
	g_autofree gchar *to_bridge = bridge_mac_rule(config);
	g_autofree gchar *buckets = g_strdup_printf("%d", ISC_NFT_BUCKETS);
	const gboolean is_given = config->leave_first != 0;
	g_autofree gchar *leave = g_strdup_printf("%u-%u",
			is_given ? config->leave_first : ISC_NFT_LEAVE_FIRST,
			is_given ? config->leave_last : ISC_NFT_LEAVE_LAST);
	const struct {
		const gchar *word, *value;
	} words[] = {
		{ "$TO_BRIDGE", to_bridge },
		{ "$STRAY", config->is_router ? "" : stray_rule },
		{ "$LEAVE", leave },
		{ "$BRIDGES", bridges },
		{ "$TAPS", taps },
		{ "$TAP", config->tap_prefix },
		{ "$BRIDGE", bridge },
		{ "$OUTSIDE", outside },
		{ "$FOREIGN", foreign },
		{ "$SPOOFED", spoofed },
		{ "$MARK", mark },
		{ "$PASSED", passed },
		{ "$NODE_UIDS", uids },
		{ "$DAEMON_UID", daemon },
		{ "$BUCKETS", buckets },
	};

	fill_in_shares(s, config);
	/* The values were checked: none can bring in a word or a rule of its own. */
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		g_string_replace(s, words[i].word, words[i].value, 0);
}

gchar *isc_nft_render_base(const IscNftConfig *config, GError **error)
{
	if (!are_names_sound(config, error))
		return NULL;

	GString *s = g_string_new(NULL);
	isc_nft_append_state(s, /* is_bridge= */ TRUE);
	isc_nft_append_state(s, /* is_bridge= */ FALSE);
	append_fills(s, config);
	g_string_append(s, "flush table bridge " ISC_NFT_TABLE "\nflush table inet " ISC_NFT_TABLE
			   "\n");

	g_string_append(s, "table bridge " ISC_NFT_TABLE " {\n");
	isc_nft_append_chains(s, config, /* is_bridge= */ TRUE);
	g_string_append(s, bridge_rules);
	g_string_append(s, "}\ntable inet " ISC_NFT_TABLE " {\n");
	isc_nft_append_chains(s, config, /* is_bridge= */ FALSE);
	g_string_append(s, inet_rules);
	g_string_append(s, "}\n");
	fill_in(s, config);
	return g_string_free(s, FALSE);
}

guint isc_nft_count_rules(const gchar *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	gboolean is_in_chain = FALSE;
	guint n = 0;

	for (gsize i = 0; lines[i]; i++) {
		if (!g_str_has_prefix(lines[i], "\t\t"))
			is_in_chain = g_str_has_prefix(lines[i], "\tchain ");
		else if (is_in_chain && !strstr(lines[i], " hook "))
			n++;
	}
	return n;
}

gchar *isc_nft_guard_name(guint n)
{
	return n ? g_strdup_printf(ISC_NFT_GUARD "-%u", n) : g_strdup(ISC_NFT_GUARD);
}

gchar *isc_nft_render_guard(const IscNftConfig *config, guint n, GError **error)
{
	if (!are_names_sound(config, error))
		return NULL;
	GString *s = g_string_new("table inet $GUARD {\n\tflags owner\n");
	g_autofree gchar *name = isc_nft_guard_name(n);
	g_string_append(s, guard_rules);
	g_string_append(s, "}\n");
	g_string_replace(s, "$GUARD", name, 0);
	fill_in(s, config);
	return g_string_free(s, FALSE);
}

const gchar *isc_nft_render_delete(void)
{
	return "table bridge " ISC_NFT_TABLE "\ndelete table bridge " ISC_NFT_TABLE "\n"
	       "table inet " ISC_NFT_TABLE "\ndelete table inet " ISC_NFT_TABLE "\n";
}
