#include "render/nft-base.h"

/* What becomes of a packet that is judged, and what is counted and logged of it.
 *
 * A dropped packet goes to the chain of its kind: a named counter, the kind as mark (it is dropped,
 * so the mark reaches nobody), a counter per node and kind, a log line unless that node and kind
 * have had theirs, drop.
 *
 * A connection that is let through goes, with its first packet alone, to the chain of its kind: a
 * counter, one per node, a log line unless the node has had its share, accept.  No mark: those of
 * packets from outside are somebody else's. */

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
	{ TRUE,  ISC_DROP_FRAGMENT,   "",     BY_PORT,     FALSE, "drop" },
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
	/* The keys are ip daddr and ip saddr, which would each ask first whether it is IPv4: known by then. */
	{ ISC_PASS_EXPOSED, "open",  "@nh,128,32", "to",   "drop-full-in", "accept" },
	{ ISC_PASS_ALLOWED, "allow", "@nh,96,32",  "from", "drop-full",    "goto pass" },
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

/* To one port of one host there are as many connections of all nodes as there are ports that they
 * leave from: no node may have them all. */
static guint connections_out(const IscNftConfig *config)
{
	const guint first = config->leave_first ? config->leave_first : ISC_NFT_LEAVE_FIRST;
	const guint last = config->leave_first ? config->leave_last : ISC_NFT_LEAVE_LAST;
	return MIN(connections(config), MAX((last - first + 1) / 4, 1));
}

static void append_pass_chain(GString *s, const IscNftConfig *config, gsize row)
{
	const gchar *name = isc_pass_name(pass_chains[row].kind), *key = pass_chains[row].key;
	const gchar *verdict = pass_chains[row].verdict, *chain = pass_chains[row].chain;
	guint rate = log_rate(config);
	guint most = pass_chains[row].kind == ISC_PASS_ALLOWED ? connections_out(config)
							       : connections(config);

	g_string_append_printf(s,
			"\tchain %s {\n"
			"\t\tct status confirmed %s\n"
			"\t\tadd @held-%s { %s ct count over %u } goto %s\n"
			"\t\tcounter name \"%s\" update @count-%s { %s counter }",
			chain, verdict, name, key, most, pass_chains[row].full,
			isc_pass_counter(pass_chains[row].kind), name, key);
	if (config->log_group)
		g_string_append_printf(s,
				" update @log-%s { %s limit rate %u/second burst %u packets } "
				"log prefix \"isc:%s:%s:%s\" group %u snaplen 128",
				name, key, rate, 2 * rate, name, pass_chains[row].whose, chain,
				config->log_group);
	g_string_append_printf(s, "\n\t\t%s\n\t}\n", verdict);
}

void isc_nft_append_chains(GString *s, const IscNftConfig *config, gboolean is_bridge)
{
	for (gsize i = 0; i < G_N_ELEMENTS(drop_chains); i++)
		if (drop_chains[i].is_bridge == is_bridge)
			append_drop_chain(s, config, &drop_chains[i]);
	for (gsize i = 0; i < G_N_ELEMENTS(pass_chains) && !is_bridge; i++)
		append_pass_chain(s, config, i);
}

/* Sets, maps and counters: declared anew they keep what they hold. */
void isc_nft_append_state(GString *s, gboolean is_bridge)
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
				   "\t\tflags dynamic,timeout\n\t\ttimeout 1m\n\t}\n"
				   "\tset fragment-rate {\n\t\ttype ifname\n\t\tsize 65536\n"
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
