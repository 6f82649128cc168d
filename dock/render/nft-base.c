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
 *  - inet checks the sender against @nodes although the bridge has done so;
 *  - packets from nodes get a mark in inet/prerouting, and a routing rule (engine/links.h, fence)
 * refuses to route packets from the bridge that lack it: `nft flush ruleset` closes the way out
 * rather than opening it;
 *  - a table that only its owner may change or flush, and which goes when the owner does, stands
 * behind the rules: the guard.  It closes the way to the dock itself, which no routing rule of ours
 * comes before, and the way of what was between two hooks when the rules went; and it keeps
 * connections translated that were open before.
 *
 * A dropped packet goes to the chain of its kind: a named counter, the kind as mark (it is dropped,
 * so the mark reaches nobody), a counter per node and kind, a log line unless that node and kind
 * have had theirs, drop.
 *
 * A connection that is let through goes, with its first packet alone, to the chain of its kind: a
 * counter, one per node, a log line unless the node has had its share, accept.  No mark: those of
 * packets from outside are somebody else's. */

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

/* Whose packet it was, for the count per node. */
typedef enum {
	BY_PORT,     /* the tap it came from */
	BY_SENDER,   /* ip saddr */
	BY_RECEIVER, /* ip daddr */
	BY_OWNER,    /* the uid of the socket */
	BY_NOBODY,   /* no node, or one that the packet only claims */
} Whose;

typedef struct {
	gboolean is_bridge;
	IscDropKind kind;
	const gchar *suffix; /* of the chain, where one kind has several */
	Whose whose;
	gboolean is_silent; /* counted, not logged */
	const gchar *verdict;
} DropChain;

/* clang-format off */
static const DropChain drop_chains[] = {
	{ TRUE,  ISC_DROP_MAC,        "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_MAC,        "-out", BY_NOBODY,   FALSE, "drop" },
	{ TRUE,  ISC_DROP_IP,         "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_ARP,        "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_DHCP,       "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_IPV6,       "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_VLAN,       "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_OPTION,     "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_OTHER,      "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_QUARANTINE, "",     BY_PORT,     FALSE, "drop" },
	{ TRUE,  ISC_DROP_PEER,       "",     BY_PORT,     FALSE, "drop" },
	{ FALSE, ISC_DROP_IP,         "",     BY_NOBODY,   FALSE, "drop" },
	{ FALSE, ISC_DROP_IPV6,       "",     BY_NOBODY,   FALSE, "drop" },
	{ FALSE, ISC_DROP_QUARANTINE, "",     BY_SENDER,   FALSE, "drop" },
	{ FALSE, ISC_DROP_QUARANTINE, "-in",  BY_RECEIVER, FALSE, "drop" },
	{ FALSE, ISC_DROP_RATE,       "",     BY_SENDER,   TRUE,  "drop" },
	{ FALSE, ISC_DROP_RATE,       "-in",  BY_RECEIVER, TRUE,  "drop" },
	{ FALSE, ISC_DROP_INVALID,    "",     BY_SENDER,   FALSE, "drop" },
	{ FALSE, ISC_DROP_PEER,       "",     BY_SENDER,   FALSE, "drop" },
	{ FALSE, ISC_DROP_HOST,       "",     BY_SENDER,   FALSE, "drop" },
	{ FALSE, ISC_DROP_RESERVED,   "",     BY_SENDER,   FALSE, "drop" },
	{ FALSE, ISC_DROP_EGRESS,     "",     BY_SENDER,   FALSE, "drop" },
	{ FALSE, ISC_DROP_INGRESS,    "",     BY_RECEIVER, FALSE, "drop" },
	{ FALSE, ISC_DROP_INGRESS,    "-by",  BY_NOBODY,   FALSE, "drop" },
	{ FALSE, ISC_DROP_SPOOF,      "",     BY_NOBODY,   FALSE, "drop" },
	{ FALSE, ISC_DROP_FULL,       "",     BY_SENDER,   FALSE, "drop" },
	{ FALSE, ISC_DROP_FULL,       "-in",  BY_RECEIVER, FALSE, "drop" },
	{ FALSE, ISC_DROP_LOCAL,      "",     BY_NOBODY,   FALSE, "reject with icmpx admin-prohibited" },
	{ FALSE, ISC_DROP_UID,        "",     BY_OWNER,    FALSE, "reject with icmpx admin-prohibited" },
};

/* conntrack confirms a connection when its first packet leaves: what finds it so is sent again, or
 * is one of several before the first answer. */
static const struct {
	IscPassKind kind;
	const gchar *chain, *key, *whose, *full, *verdict;
} pass_chains[] = {
	{ ISC_PASS_EXPOSED, "open",  "ip daddr", "to",   "drop-full-in", "accept" },
	{ ISC_PASS_ALLOWED, "allow", "ip saddr", "from", "drop-full",    "goto pass" },
};

static const struct {
	const gchar *key;  /* of the sets "dropped" and "logged"; NULL: there is none */
	const gchar *name; /* in the packet log, for its reader (collector/packet.h) */
} whose[] = {
	[BY_PORT] = { "iifname", "port" },
	[BY_SENDER] = { "ip saddr", "from" },
	[BY_RECEIVER] = { "ip daddr", "to" },
	[BY_OWNER] = { NULL, "uid" },
	[BY_NOBODY] = { NULL, "none" },
};

/* $WORDS stand for what the configuration says; see fill_in(). */
static const gchar bridge_rules[] =
	"\tchain prerouting {\n"
	"\t\ttype filter hook prerouting priority -300; policy accept;\n"
	"\t\tiifname \"$TAP*\" goto from-node\n"
	"\t}\n"
	/* What links.c has the ports "forward" comes here, too: STP, LLDP, EAPOL to their group addresses. */
	"\tchain protocol {\n"
	"\t\tether type { 8021q, 8021ad, 0x9100, 0x9200 } goto drop-vlan\n"
	"\t\tether type ip6 goto drop-ipv6\n"
	"\t\tether type != { arp, ip } goto drop-other\n"
	"\t}\n"
	"\tchain from-node {\n"
	"\t\tether type ip goto from-node-ip\n"
	"\t\tether type arp goto from-node-arp\n"
	"\t\tgoto protocol\n"
	"\t}\n"
	/* One look-up proves MAC and address of an honest packet; what fails it is told apart in chain liar. */
	"\tchain from-node-ip {\n"
	"\t\tiifname . ether saddr . ip saddr != @pin goto liar\n"
	"\t\tip hdrlength != 5 goto drop-option\n"
	"\t\tmeta l4proto != tcp jump not-tcp\n"
	"\t\tiifname @cut goto drop-quarantine\n"
	"$TO_BRIDGE"
	"\t}\n"
	"\tchain liar {\n"
	"\t\tiifname . ether saddr != @pin-mac goto drop-mac\n"
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
	"\t\tiifname . arp saddr ether . arp saddr ip != @pin goto drop-arp\n"
	"\t\tupdate @arp-rate { iifname limit rate over 50/second burst 100 packets } goto drop-arp\n"
	"\t\tiifname @cut goto drop-quarantine\n"
	/* The dock answers for a peer only where it finds a route to it, see inet/prerouting. */
	"\t\tmeta mark set $MARK\n"
	"\t}\n"
	/* Whoever holds a tap may change its MAC (SIOCSIFHWADDR asks for no right), and the bridge then takes what is for
	 * that MAC to be for this port: a hypervisor that was taken over would get what is for a sibling. */
	"\tchain output {\n"
	"\t\ttype filter hook output priority -300; policy accept;\n"
	"\t\toifname \"$TAP*\" oifname . ether daddr != @pin-mac goto drop-mac-out\n"
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
	"\t\tiifname $BRIDGE goto mark-node\n"
	"$FOREIGN"
	"\t}\n"
	"\tchain mark-node {\n"
	"\t\tip daddr & 224.0.0.0 == 224.0.0.0 ip daddr != 255.255.255.255 goto drop-reserved\n"
	"\t\tmeta mark set $MARK\n"
	"\t}\n"
	"\tchain foreign {\n"
	"\t\tiifname \"lo\" accept\n"
	"$SPOOFED"
	"\t\tgoto drop-ingress\n"
	"\t}\n"
	/* From outside only: a node that knocks at the dock's outside address reaches nobody (hairpin). */
	"\tchain publish {\n"
	"\t\ttype nat hook prerouting priority -100; policy accept;\n"
	"\t\tiifname $OUTSIDE meta l4proto { tcp, udp } fib daddr type local goto redirect-in\n"
	"\t}\n"
	"\tchain redirect-in {\n"
	"\t\tdnat ip to ip daddr . meta l4proto . th dport map @expose-at\n"
	"\t\tdnat ip to meta l4proto . th dport map @expose\n"
	/* A member of a set by chance: one number a connection, which conntrack then keeps. */
	"\t\tdnat ip to ip daddr . meta l4proto . th dport . numgen random mod $BUCKETS map @balance-at\n"
	"\t\tdnat ip to meta l4proto . th dport . numgen random mod $BUCKETS map @balance\n"
	"\t}\n"
	"\tchain postrouting {\n"
	"\t\ttype nat hook postrouting priority 100; policy accept;\n"
	"\t\tiifname $BRIDGE oifname != $BRIDGE goto leave\n"
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
	"\t\tiifname $BRIDGE goto from-node\n"
	"\t\toifname $BRIDGE goto to-node\n"
	"$STRAY"
	"\t}\n"
	"\tchain pass {\n"
	"\t\tmeta mark set 0x00000000 accept\n"
	"\t}\n"
	"\tchain from-node {\n"
	"\t\tmeta nfproto ipv6 goto drop-ipv6\n"
	"\t\tip saddr != @nodes goto drop-ip\n"
	"\t\tip saddr @quarantined goto drop-quarantine\n"
	"\t\tip saddr @rate-up goto drop-rate\n"
	"\t\toifname $BRIDGE jump peer-checks\n"
	"\t\tct state established goto pass\n"
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
	"\t\tmeta nfproto ipv6 goto drop-ipv6\n"
	"\t\tip daddr @quarantined goto drop-quarantine-in\n"
	"\t\tip daddr @rate-down goto drop-rate-in\n"
	"\t\tct state established accept\n"
	"\t\tct state related meta l4proto icmp accept\n"
	"\t\tiifname $OUTSIDE ct state new ct status dnat goto open\n"
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
	"\t\tiifname $BRIDGE meta mark & $MARK == $MARK counter drop\n"
	"\t\tiifname != $BRIDGE oifname $BRIDGE goto to-node\n"
	"\t}\n"
	"\tchain to-node {\n"
	"\t\tct state { established, related } accept\n"
	"\t\tct status & dnat == 0 counter drop\n"
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

static guint log_rate(const IscNftConfig *config)
{
	return config->log_rate ? config->log_rate : 5;
}

/* Each node has its own share of each kind, in one look-up however many nodes there are: a flood by
 * one neither hides what another does nor costs the dock more than these few packets. */
static void append_log(GString *s, const IscNftConfig *config, const DropChain *c)
{
	const gchar *name = isc_drop_name(c->kind), *key = whose[c->whose].key;
	guint rate = log_rate(config);

	if (config->log_group == 0 || c->is_silent)
		return;
	if (key)
		g_string_append_printf(s, "\t\tupdate @logged { %s . meta mark", key);
	else if (c->whose == BY_OWNER)
		g_string_append(s, "\t\tupdate @logged-uid { meta skuid");
	g_string_append_printf(s, "%slimit rate %u/second burst %u packets%s",
			c->whose == BY_NOBODY ? "\t\t" : " ", rate, 2 * rate,
			c->whose == BY_NOBODY ? "" : " }");
	g_string_append_printf(s, " log prefix \"isc:%s:%s:drop-%s%s\" group %u snaplen 128\n",
			name, whose[c->whose].name, name, c->suffix, config->log_group);
}

static void append_drop_chain(GString *s, const IscNftConfig *config, const DropChain *c)
{
	const gchar *name = isc_drop_name(c->kind), *key = whose[c->whose].key;

	g_string_append_printf(s, "\tchain drop-%s%s {\n\t\tcounter name \"drop-%s\"\n", name,
			c->suffix, name);
	if (key)
		g_string_append_printf(s,
				"\t\tmeta mark set 0x%08x\n"
				"\t\tupdate @dropped { %s . meta mark counter }\n",
				c->kind, key);
	append_log(s, config, c);
	g_string_append_printf(s, "\t\t%s\n\t}\n", c->verdict);
}

/* The kernel has one table of connections for all, the dock's own log-ins too: a node may hold but
 * its share. */
static guint connections(const IscNftConfig *config)
{
	return config->connections ? config->connections : 8192;
}

static void append_pass_chain(GString *s, const IscNftConfig *config, gsize row)
{
	const gchar *name = isc_pass_name(pass_chains[row].kind), *key = pass_chains[row].key;
	const gchar *verdict = pass_chains[row].verdict, *chain = pass_chains[row].chain;
	guint rate = log_rate(config);

	g_string_append_printf(s,
			"\tchain %s {\n"
			"\t\tct status confirmed %s\n"
			"\t\tadd @held-%s { %s ct count over %u } goto %s\n"
			"\t\tcounter name \"%s\"\n"
			"\t\tupdate @count-%s { %s counter }\n",
			chain, verdict, name, key, connections(config), pass_chains[row].full,
			isc_pass_counter(pass_chains[row].kind), name, key);
	if (config->log_group)
		g_string_append_printf(s,
				"\t\tupdate @log-%s { %s limit rate %u/second burst %u packets } "
				"log prefix \"isc:%s:%s:%s\" group %u snaplen 128\n",
				name, key, rate, 2 * rate, name, pass_chains[row].whose, chain,
				config->log_group);
	g_string_append_printf(s, "\t\t%s\n\t}\n", verdict);
}

static void append_chains(GString *s, const IscNftConfig *config, gboolean is_bridge)
{
	for (gsize i = 0; i < G_N_ELEMENTS(drop_chains); i++)
		if (drop_chains[i].is_bridge == is_bridge)
			append_drop_chain(s, config, &drop_chains[i]);
	for (gsize i = 0; i < G_N_ELEMENTS(pass_chains) && !is_bridge; i++)
		append_pass_chain(s, config, i);
}

/* Sets, maps and counters: declared anew they keep what they hold. */
static void append_state(GString *s, gboolean is_bridge)
{
	gboolean is_done[ISC_N_DROPS] = { FALSE };
	const gchar *type = is_bridge ? "ifname" : "ipv4_addr";

	g_string_append_printf(s, "table %s " ISC_NFT_TABLE " {\n", is_bridge ? "bridge" : "inet");
	for (gsize i = 0; i < G_N_ELEMENTS(drop_chains); i++) {
		const DropChain *c = &drop_chains[i];
		if (c->is_bridge != is_bridge || is_done[c->kind])
			continue;
		g_string_append_printf(s, "\tcounter drop-%s {\n\t}\n", isc_drop_name(c->kind));
		is_done[c->kind] = TRUE;
	}
	g_string_append_printf(s,
			"\tset dropped {\n\t\ttype %s . mark\n\t\tsize 262144\n\t\tflags "
			"dynamic\n\t}\n"
			"\tset logged {\n\t\ttype %s . mark\n\t\tsize 262144\n"
			"\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\t}\n",
			type, type);
	if (is_bridge)
		g_string_append(s, "\tset arp-rate {\n\t\ttype ifname\n\t\tsize 65536\n"
				   "\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\t}\n");
	for (gsize i = 0; i < G_N_ELEMENTS(pass_chains) && !is_bridge; i++) {
		const gchar *name = isc_pass_name(pass_chains[i].kind);
		g_string_append_printf(s,
				"\tcounter %s {\n\t}\n"
				"\tset count-%s {\n\t\ttype ipv4_addr\n\t\tsize 65536\n"
				"\t\tflags dynamic\n\t}\n"
				"\tset held-%s {\n\t\ttype ipv4_addr\n\t\tsize 65536\n"
				"\t\tflags dynamic\n\t}\n"
				"\tset log-%s {\n\t\ttype ipv4_addr\n\t\tsize 65536\n"
				"\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\t}\n",
				isc_pass_counter(pass_chains[i].kind), name, name, name);
	}
	if (!is_bridge)
		g_string_append(s, "\tset logged-uid {\n\t\ttype uid\n\t\tsize 65536\n"
				   "\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\t}\n"
				   "\tset reserved {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t}\n"
				   "\tset resolvers {\n\t\ttype ipv4_addr\n\t}\n");
	isc_nft_append_sets(s, is_bridge);
	g_string_append(s, "}\n");
}

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

/* @lines for each network of nodes: two comparisons cost less than a look-up in a set of two. */
static gchar *for_each_net(const IscNftConfig *config, const gchar *lines)
{
	g_autoptr(GString) s = g_string_new(NULL);
	const IscNet *nets[] = { &config->subnet, &config->dedicated };

	for (gsize i = 0; i < G_N_ELEMENTS(nets); i++) {
		g_autofree gchar *text = isc_net_print(nets[i]);
		g_autoptr(GString) filled = g_string_new(lines);
		g_string_replace(filled, "%s", text, 0);
		if (nets[i]->prefix)
			g_string_append(s, filled->str);
	}
	return g_string_free(g_steal_pointer(&s), FALSE);
}

/* Packets for nodes come in by the outside interface, so it forwards; where the dock is no router,
 * it is not to become one to its other networks by that. */
static const gchar stray_rule[] =
		"\t\tmeta nfproto ipv4 iifname $OUTSIDE ct state new ct status & dnat == 0 goto "
		"drop-ingress-by\n";

static void fill_in(GString *s, const IscNftConfig *config)
{
	g_autofree gchar *bridge = g_strdup_printf("\"%s*\"", config->bridge);
	g_autofree gchar *outside = name_set(config->outside);
	g_autofree gchar *foreign = for_each_net(
			config, "\t\tip saddr %s goto foreign\n\t\tip daddr %s goto foreign\n");
	g_autofree gchar *spoofed = for_each_net(config, "\t\tip saddr %s goto drop-spoof\n");
	g_autofree gchar *mark = g_strdup_printf("0x%08x", ISC_NFT_ACCEPT_MARK);
	g_autofree gchar *passed = g_strdup_printf("0x%08x", ISC_NFT_PASSED_MARK);
	g_autofree gchar *uids = g_strdup_printf("%u-%u", config->uid_first, config->uid_last);
	g_autofree gchar *daemon = g_strdup_printf("%u", config->daemon_uid);
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

	/* The values were checked: none can bring in a word or a rule of its own. */
	for (gsize i = 0; i < G_N_ELEMENTS(words); i++)
		g_string_replace(s, words[i].word, words[i].value, 0);
}

gchar *isc_nft_render_base(const IscNftConfig *config, GError **error)
{
	if (!are_names_sound(config, error))
		return NULL;

	GString *s = g_string_new(NULL);
	append_state(s, /* is_bridge= */ TRUE);
	append_state(s, /* is_bridge= */ FALSE);
	append_fills(s, config);
	g_string_append(s, "flush table bridge " ISC_NFT_TABLE "\nflush table inet " ISC_NFT_TABLE
			   "\n");

	g_string_append(s, "table bridge " ISC_NFT_TABLE " {\n");
	append_chains(s, config, /* is_bridge= */ TRUE);
	g_string_append(s, bridge_rules);
	g_string_append(s, "}\ntable inet " ISC_NFT_TABLE " {\n");
	append_chains(s, config, /* is_bridge= */ FALSE);
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
