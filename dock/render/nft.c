#include "render/nft.h"

#include <string.h>

#include "base/error.h"
#include "render/nft-base.h"

typedef enum {
	F_END,
	F_IFNAME,
	F_ETHER,
	F_IPV4,
	F_PROTO,
	F_PORT,
	F_MARK,   /* in the machine's byte order */
	F_CLASS,  /* a mark in an interval set: nft turns it to network order there */
	F_BUCKET, /* a number, in the machine's byte order */
} Field;

/* What a field takes in a key: its size, padded to 32-bit registers. */
static const guint8 field_size[] = { 0, 16, 8, 4, 4, 4, 4, 4, 4 };
static const gchar *const field_type[] = { NULL, "ifname", "ether_addr", "ipv4_addr", "inet_proto",
	"inet_service", "mark", "mark", NULL };

#define STRING(x) #x
#define NUMBER(x) STRING(x)
#define NODES 65536  /* more than there are slots */
#define PORTS 131072 /* of TCP and UDP */
#define BUCKET "numgen random mod " NUMBER(ISC_NFT_BUCKETS)

typedef struct {
	IscNftSetInfo info;
	Field key[5], data[3];
	gboolean is_rate;
	/* Where a field has no type with a name: "typeof".  It says tcp for both protocols, as
	 * nft 1.0.6 does not read back what it wrote of "th". */
	const gchar *of;
	/* Elements at most; 0: any number.  A set that cannot grow is found in faster by the
	 * kernel, so those that every packet meets have it. */
	guint most;
} SetRow;

/* clang-format off */
static const SetRow sets[ISC_N_NFT_SETS] = {
	/*                          bridge  name            interval key data   fields */
	[ISC_NFT_PIN_MAC] =      { { TRUE,  "pin-mac",      FALSE, 24, 0 }, { F_IFNAME, F_ETHER }, { 0 }, FALSE, NULL, NODES },
	[ISC_NFT_PIN] =          { { TRUE,  "pin",          FALSE, 28, 0 }, { F_IFNAME, F_ETHER, F_IPV4 }, { 0 }, FALSE, NULL, NODES },
	[ISC_NFT_CUT] =          { { TRUE,  "cut",          FALSE, 16, 0 }, { F_IFNAME }, { 0 }, FALSE },
	[ISC_NFT_NODES] =        { { FALSE, "nodes",        FALSE,  4, 0 }, { F_IPV4 }, { 0 }, FALSE },
	[ISC_NFT_QUARANTINED] =  { { FALSE, "quarantined",  FALSE,  4, 0 }, { F_IPV4 }, { 0 }, FALSE },
	[ISC_NFT_EXPOSE] =       { { FALSE, "expose",       FALSE,  8, 8 }, { F_PROTO, F_PORT }, { F_IPV4, F_PORT }, FALSE, NULL, PORTS },
	[ISC_NFT_EXPOSE_AT] =    { { FALSE, "expose-at",    FALSE, 12, 8 }, { F_IPV4, F_PROTO, F_PORT }, { F_IPV4, F_PORT }, FALSE },
	[ISC_NFT_HEALTH] =       { { FALSE, "health",       FALSE,  8, 0 }, { F_IPV4, F_PORT }, { 0 }, FALSE },
	[ISC_NFT_PEER] =         { { FALSE, "peers",        FALSE, 16, 0 }, { F_IPV4, F_IPV4, F_PROTO, F_PORT }, { 0 }, FALSE },
	[ISC_NFT_EGRESS] =       { { FALSE, "egress",       FALSE, 16, 0 }, { F_IPV4, F_PROTO, F_IPV4, F_PORT }, { 0 }, FALSE },
	[ISC_NFT_EGRESS_OPEN] =  { { FALSE, "egress-open",  FALSE,  4, 0 }, { F_IPV4 }, { 0 }, FALSE },
	[ISC_NFT_EGRESS_CLASS] = { { FALSE, "egress-class", FALSE,  4, 4 }, { F_IPV4 }, { F_MARK }, FALSE },
	[ISC_NFT_WIDE_NAMED] =   { { FALSE, "wide-named",   TRUE,  16, 0 }, { F_CLASS, F_PROTO, F_IPV4, F_PORT }, { 0 }, FALSE },
	[ISC_NFT_WIDE] =         { { FALSE, "wide",         TRUE,  16, 0 }, { F_CLASS, F_PROTO, F_IPV4, F_PORT }, { 0 }, FALSE },
	[ISC_NFT_ICMP_NAMED] =   { { FALSE, "icmp-named",   TRUE,   8, 0 }, { F_CLASS, F_IPV4 }, { 0 }, FALSE },
	[ISC_NFT_ICMP] =         { { FALSE, "icmp-wide",    TRUE,   8, 0 }, { F_CLASS, F_IPV4 }, { 0 }, FALSE },
	[ISC_NFT_RATE_UP] =      { { FALSE, "rate-up",      FALSE,  4, 0 }, { F_IPV4 }, { 0 }, TRUE },
	[ISC_NFT_RATE_DOWN] =    { { FALSE, "rate-down",    FALSE,  4, 0 }, { F_IPV4 }, { 0 }, TRUE },
	[ISC_NFT_GROUP] =        { { FALSE, "groups",       FALSE,  4, 4 }, { F_IPV4 }, { F_MARK }, FALSE },
	[ISC_NFT_EGRESS_HOST] =  { { FALSE, "egress-host",  FALSE, 16, 0 }, { F_IPV4, F_PROTO, F_IPV4, F_PORT }, { 0 }, FALSE },
	[ISC_NFT_GROUP_PEER] =   { { FALSE, "group-peers",  FALSE, 16, 0 }, { F_IPV4, F_MARK, F_PROTO, F_PORT }, { 0 }, FALSE },
	[ISC_NFT_BALANCE] =      { { FALSE, "balance",      FALSE, 12, 8 }, { F_PROTO, F_PORT, F_BUCKET }, { F_IPV4, F_PORT }, FALSE,
				   "ip protocol . tcp dport . " BUCKET " : ip daddr . tcp dport" },
	[ISC_NFT_BALANCE_AT] =   { { FALSE, "balance-at",   FALSE, 16, 8 }, { F_IPV4, F_PROTO, F_PORT, F_BUCKET }, { F_IPV4, F_PORT }, FALSE,
				   "ip daddr . ip protocol . tcp dport . " BUCKET " : ip daddr . tcp dport" },
	[ISC_NFT_ORDINARY] =     { { FALSE, "ordinary",     FALSE,  4, 0 }, { F_IPV4 }, { 0 }, FALSE, NULL, NODES },
	[ISC_NFT_SELVES] =       { { FALSE, "selves",       FALSE,  8, 0 }, { F_IPV4, F_IPV4 }, { 0 }, FALSE },
};

static const gchar *const drop_names[ISC_N_DROPS] = {
	NULL, "mac", "ip", "arp", "dhcp", "ipv6", "vlan", "option", "other", "quarantine", "peer", "host",
	"reserved", "egress", "invalid", "ingress", "spoof", "rate", "local", "uid", "full", "fragment",
};
/* clang-format on */

const gchar *isc_drop_name(IscDropKind kind)
{
	return kind > 0 && kind < ISC_N_DROPS ? drop_names[kind] : "?";
}

const gchar *isc_pass_name(IscPassKind kind)
{
	return kind == ISC_PASS_EXPOSED ? "exposed" : "allowed";
}

const gchar *isc_pass_counter(IscPassKind kind)
{
	return kind == ISC_PASS_EXPOSED ? "opened" : "allowed";
}

const IscNftSetInfo *isc_nft_set_info(IscNftSet set)
{
	g_assert(set < ISC_N_NFT_SETS);
	return &sets[set].info;
}

gboolean isc_nft_element_is_shared(const IscNftElement *e)
{
	return sets[e->set].key[0] == F_CLASS;
}

guint isc_nft_element_hash(gconstpointer element)
{
	const IscNftElement *e = element;
	guint hash = 5381 + e->set;

	for (gsize i = 0; i < sizeof e->key; i++)
		hash = hash * 33 + e->key[i];
	return hash;
}

gboolean isc_nft_element_equal(gconstpointer a, gconstpointer b)
{
	const IscNftElement *x = a, *y = b;
	return x->set == y->set && memcmp(x->key, y->key, sizeof x->key) == 0 &&
	       memcmp(x->key_end, y->key_end, sizeof x->key_end) == 0;
}

/* --- elements: bytes to text ----------------------------------------------------------------- */

static guint32 get_u32(const guint8 *at)
{
	guint32 value;
	memcpy(&value, at, sizeof value);
	return GUINT32_FROM_BE(value);
}

static guint get_u16(const guint8 *at)
{
	return (guint)at[0] << 8 | at[1];
}

static void print_addresses(GString *s, guint32 first, guint32 last)
{
	g_autofree gchar *a = isc_address_print(first), *b = isc_address_print(last);
	guint32 span = last - first; /* a network: span is 2^n - 1 and first a multiple of 2^n */

	g_string_append(s, a);
	if (first == last)
		return;
	if ((span & (span + 1)) == 0 && (first & span) == 0)
		g_string_append_printf(s, "/%d", span == G_MAXUINT32 ? 0 : __builtin_clz(span));
	else
		g_string_append_printf(s, "-%s", b);
}

static void print_field(GString *s, Field field, const guint8 *at, const guint8 *end)
{
	guint32 mark;

	switch (field) {
	case F_IFNAME:
		g_string_append_printf(s, "\"%.15s\"", (const gchar *)at);
		break;
	case F_ETHER:
		g_string_append_printf(s, "%02x:%02x:%02x:%02x:%02x:%02x", at[0], at[1], at[2],
				at[3], at[4], at[5]);
		break;
	case F_IPV4:
		print_addresses(s, get_u32(at), get_u32(end));
		break;
	case F_PROTO:
		g_string_append_printf(s, "%u", *at);
		break;
	case F_PORT:
		g_string_append_printf(s, "%u", get_u16(at));
		if (get_u16(end) != get_u16(at))
			g_string_append_printf(s, "-%u", get_u16(end));
		break;
	case F_MARK:
		memcpy(&mark, at, sizeof mark);
		g_string_append_printf(s, "0x%08x", mark);
		break;
	case F_CLASS:
		g_string_append_printf(s, "0x%08x", get_u32(at));
		break;
	case F_BUCKET:
		memcpy(&mark, at, sizeof mark);
		g_string_append_printf(s, "%u", mark);
		break;
	case F_END:
	default:
		g_assert_not_reached();
	}
}

static void print_fields(GString *s, const Field *fields, const guint8 *at, const guint8 *end)
{
	for (gsize i = 0, offset = 0; fields[i] != F_END; offset += field_size[fields[i++]]) {
		if (i > 0)
			g_string_append(s, " . ");
		print_field(s, fields[i], at + offset, end + offset);
	}
}

/* A tenth of a second's worth, but always a packet with all its segments. */
guint32 isc_nft_burst(guint64 rate)
{
	return (guint32)MIN(MAX(rate / 10, 65536), G_MAXUINT32);
}

static void print_element(GString *s, const IscNftElement *e, gboolean with_value)
{
	const SetRow *row = &sets[e->set];

	print_fields(s, row->key, e->key, e->key_end);
	if (!with_value)
		return;
	if (row->is_rate)
		g_string_append_printf(s,
				" limit rate over %" G_GUINT64_FORMAT
				" bytes/second burst %u bytes",
				e->rate, isc_nft_burst(e->rate));
	if (row->info.data_len) {
		g_string_append(s, " : ");
		print_fields(s, row->data, e->data, e->data);
	}
}

gchar *isc_nft_element_print(const IscNftElement *element)
{
	GString *s = g_string_new(NULL);
	print_element(s, element, /* with_value= */ TRUE);
	return g_string_free(s, FALSE);
}

static void render_elements(
		GString *s, const gchar *verb, const GPtrArray *elements, gboolean with_value)
{
	for (guint set = 0; elements && set < ISC_N_NFT_SETS; set++) {
		gboolean is_first = TRUE;
		for (guint i = 0; i < elements->len; i++) {
			const IscNftElement *e = g_ptr_array_index(elements, i);
			if (e->set != set)
				continue;
			if (is_first)
				g_string_append_printf(s, "%s element %s " ISC_NFT_TABLE " %s { ",
						verb, sets[set].info.is_bridge ? "bridge" : "inet",
						sets[set].info.name);
			else
				g_string_append(s, ", ");
			is_first = FALSE;
			print_element(s, e, with_value);
		}
		if (!is_first)
			g_string_append(s, " }\n");
	}
}

gchar *isc_nft_render_change(const GPtrArray *gone, const GPtrArray *come)
{
	GString *s = g_string_new(NULL);
	render_elements(s, "delete", gone, /* with_value= */ FALSE);
	render_elements(s, "add", come, /* with_value= */ TRUE);
	return g_string_free(s, FALSE);
}

gchar *isc_nft_render_flush(void)
{
	GString *s = g_string_new(NULL);

	for (guint i = 0; i < ISC_N_NFT_SETS; i++)
		g_string_append_printf(s, "flush %s %s " ISC_NFT_TABLE " %s\n",
				sets[i].info.data_len ? "map" : "set",
				sets[i].info.is_bridge ? "bridge" : "inet", sets[i].info.name);
	return g_string_free(s, FALSE);
}

/* --- declarations of the sets, for nft-base.c ------------------------------------------------ */

static void append_types(GString *s, const Field *fields)
{
	for (gsize i = 0; fields[i] != F_END; i++)
		g_string_append_printf(s, "%s%s", i ? " . " : "", field_type[fields[i]]);
}

void isc_nft_append_sets(GString *s, gboolean is_bridge)
{
	for (guint i = 0; i < ISC_N_NFT_SETS; i++) {
		const SetRow *row = &sets[i];
		if (row->info.is_bridge != is_bridge)
			continue;
		g_string_append_printf(s, "\t%s %s {\n\t\ttype%s ",
				row->info.data_len ? "map" : "set", row->info.name,
				row->of ? "of" : "");
		if (row->of)
			g_string_append(s, row->of);
		else
			append_types(s, row->key);
		if (row->info.data_len && !row->of) {
			g_string_append(s, " : ");
			append_types(s, row->data);
		}
		if (row->most)
			g_string_append_printf(s, "\n\t\tsize %u", row->most);
		if (row->info.is_interval)
			g_string_append(s, "\n\t\tflags interval");
		if (row->is_rate)
			g_string_append(s, "\n\t\tlimit rate over 1000000000 bytes/second");
		g_string_append(s, "\n\t}\n");
	}
}
