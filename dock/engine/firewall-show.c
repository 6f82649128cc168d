#include "engine/firewall-show.h"

#include <string.h>

#include "engine/nft-read.h"

struct IscFirewallShow {
	GArray *sets[ISC_N_NFT_SETS]; /* of IscNftElement */
};

static IscFirewallShow *show_empty(void)
{
	return g_new0(IscFirewallShow, 1);
}

IscFirewallShow *isc_firewall_show_read(GError **error)
{
	g_autoptr(IscFirewallShow) show = show_empty();
	IscNftReader *reader = isc_nft_reader_new(error);
	gboolean ok = reader != NULL;
	for (guint set = 0; ok && set < ISC_N_NFT_SETS; set++)
		ok = (show->sets[set] = isc_nft_read_set(reader, (IscNftSet)set, error)) != NULL;
	isc_nft_reader_free(reader);
	return ok ? g_steal_pointer(&show) : NULL;
}

IscFirewallShow *isc_firewall_show_new(const GArray *elements)
{
	IscFirewallShow *show = show_empty();
	for (guint set = 0; set < ISC_N_NFT_SETS; set++)
		show->sets[set] = g_array_new(FALSE, FALSE, sizeof(IscNftElement));
	for (guint i = 0; i < elements->len; i++) {
		const IscNftElement *e = &g_array_index(elements, IscNftElement, i);
		g_array_append_val(show->sets[e->set], *e);
	}
	return show;
}

void isc_firewall_show_free(IscFirewallShow *show)
{
	if (!show)
		return;
	for (guint set = 0; set < ISC_N_NFT_SETS; set++)
		g_clear_pointer(&show->sets[set], g_array_unref);
	g_free(show);
}

void isc_firewall_view_clear(IscFirewallView *view)
{
	g_clear_pointer(&view->expose, g_ptr_array_unref);
	g_clear_pointer(&view->egress, g_ptr_array_unref);
}

/* --- the kernel's form back to values (render/nft.h, IscNftElement) -----------------------------
 */

static guint32 get_u32(const guint8 *at)
{
	return (guint32)at[0] << 24 | (guint32)at[1] << 16 | (guint32)at[2] << 8 | at[3];
}

static guint16 get_u16(const guint8 *at)
{
	return (guint16)(at[0] << 8 | at[1]);
}

static gboolean has_key(const IscFirewallShow *show, IscNftSet set, const guint8 *key, gsize len)
{
	for (guint i = 0; i < show->sets[set]->len; i++)
		if (memcmp(g_array_index(show->sets[set], IscNftElement, i).key, key, len) == 0)
			return TRUE;
	return FALSE;
}

static gboolean has_address(const IscFirewallShow *show, IscNftSet set, guint32 address)
{
	const guint32 key = GUINT32_TO_BE(address);
	return has_key(show, set, (const guint8 *)&key, sizeof key);
}

/* One port of one target; neighbours become a range again. */
typedef struct {
	guint32 at; /* expose: outside address; egress: target */
	IscProto proto;
	guint16 port;
	gint offset; /* expose: port in the node minus @port */
} Port;

static gint compare_ports(gconstpointer a, gconstpointer b)
{
	const Port *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->proto != y->proto)
		return (gint)x->proto - (gint)y->proto;
	return (gint)x->port - (gint)y->port;
}

/* How many of @ports from @i on are one range. */
static guint run_length(const GArray *ports, guint i)
{
	const Port *first = &g_array_index(ports, Port, i);
	guint n = 1;
	for (; i + n < ports->len; n++) {
		const Port *next = &g_array_index(ports, Port, i + n);
		if (next->at != first->at || next->proto != first->proto ||
				next->port != first->port + n || next->offset != first->offset)
			break;
	}
	return n;
}

static gchar *print_expose(const Port *first, guint n)
{
	const IscExpose x = { .proto = first->proto,
		.outside = first->at,
		.host_first = first->port,
		.host_last = (guint16)(first->port + n - 1),
		.node_first = (guint16)(first->port + first->offset) };
	return isc_expose_print(&x);
}

static gchar *print_egress(const Port *first, guint n)
{
	const IscEgress e = { .kind = ISC_EGRESS_NET,
		.proto = first->proto,
		.net = { first->at, 32 },
		.port_first = first->port,
		.port_last = (guint16)(first->port + n - 1) };
	return isc_egress_print(&e);
}

static void join(GArray *ports, GPtrArray *out, gchar *(*print)(const Port *first, guint n))
{
	g_array_sort(ports, compare_ports);
	for (guint i = 0, n; i < ports->len; i += n) {
		n = run_length(ports, i);
		g_ptr_array_add(out, print(&g_array_index(ports, Port, i), n));
	}
}

/* --- one node -------------------------------------------------------------------------------- */

/* A port that is shared has an element for each bucket. */
static void drop_repeats(GArray *ports)
{
	guint kept = 0;
	g_array_sort(ports, compare_ports);
	for (guint i = 0; i < ports->len; i++) {
		const Port port = g_array_index(ports, Port, i);
		if (kept && compare_ports(&g_array_index(ports, Port, kept - 1), &port) == 0)
			continue;
		g_array_index(ports, Port, kept++) = port;
	}
	g_array_set_size(ports, kept);
}

static void take_exposes(const IscFirewallShow *show, guint32 address, GPtrArray *out)
{
	static const IscNftSet sets[] = { ISC_NFT_EXPOSE, ISC_NFT_BALANCE, ISC_NFT_EXPOSE_AT,
		ISC_NFT_BALANCE_AT };
	g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(Port));
	for (gsize s = 0; s < G_N_ELEMENTS(sets); s++)
		for (guint i = 0; i < show->sets[sets[s]]->len; i++) {
			const IscNftElement *e =
					&g_array_index(show->sets[sets[s]], IscNftElement, i);
			gboolean has_at = s >= 2;
			const guint8 *key = e->key + (has_at ? 4 : 0);
			if (get_u32(e->data) != address)
				continue;
			const Port port = { has_at ? get_u32(e->key) : 0, (IscProto)key[0],
				get_u16(key + 4),
				(gint)get_u16(e->data + 4) - (gint)get_u16(key + 4) };
			g_array_append_val(ports, port);
		}
	drop_repeats(ports);
	join(ports, out, print_expose);
}

static void take_exact(const IscFirewallShow *show, IscNftSet set, guint32 address, GPtrArray *out)
{
	g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(Port));
	for (guint i = 0; i < show->sets[set]->len; i++) {
		const IscNftElement *e = &g_array_index(show->sets[set], IscNftElement, i);
		const Port port = { get_u32(e->key + 8), (IscProto)e->key[4], get_u16(e->key + 12),
			0 };
		if (get_u32(e->key) == address)
			g_array_append_val(ports, port);
	}
	join(ports, out, print_egress);
}

static void take_peers(const IscFirewallShow *show, guint32 address, IscFirewallNames names,
		gpointer data, GPtrArray *out)
{
	g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(Port));
	for (guint i = 0; i < show->sets[ISC_NFT_PEER]->len; i++) {
		const IscNftElement *e = &g_array_index(show->sets[ISC_NFT_PEER], IscNftElement, i);
		const Port port = { get_u32(e->key + 4), (IscProto)e->key[8], get_u16(e->key + 12),
			0 };
		if (get_u32(e->key) == address)
			g_array_append_val(ports, port);
	}
	g_array_sort(ports, compare_ports);
	for (guint i = 0, n; i < ports->len; i += n) {
		const Port *first = &g_array_index(ports, Port, i);
		g_autofree gchar *shown = isc_address_print(first->at);
		const gchar *name = names(first->at, data);
		n = run_length(ports, i);
		gchar *range = n > 1 ? g_strdup_printf("-%u", first->port + n - 1) : g_strdup("");
		g_ptr_array_add(out,
				g_strdup_printf("node:%s:%s/%u%s", name ? name : shown,
						isc_proto_name(first->proto), first->port, range));
		g_free(range);
	}
}

/* Rules for the node's own group, whose name only @fence tells: the kernel has its number. */
static void take_group(const IscFirewallShow *show, const IscFence *fence, GPtrArray *out)
{
	g_autoptr(GArray) ports = g_array_new(FALSE, FALSE, sizeof(Port));
	const guint32 id = isc_nft_group_id(fence->group);
	for (guint i = 0; i < show->sets[ISC_NFT_GROUP_PEER]->len; i++) {
		const IscNftElement *e =
				&g_array_index(show->sets[ISC_NFT_GROUP_PEER], IscNftElement, i);
		const Port port = { 0, (IscProto)e->key[8], get_u16(e->key + 12), 0 };
		if (get_u32(e->key) == fence->address && memcmp(e->key + 4, &id, sizeof id) == 0)
			g_array_append_val(ports, port);
	}
	g_array_sort(ports, compare_ports);
	for (guint i = 0, n; i < ports->len; i += n) {
		const Port *first = &g_array_index(ports, Port, i);
		n = run_length(ports, i);
		IscEgress e = { .kind = ISC_EGRESS_GROUP,
			.proto = first->proto,
			.port_first = first->port,
			.port_last = (guint16)(first->port + n - 1) };
		g_strlcpy(e.name, fence->group, sizeof e.name);
		g_ptr_array_add(out, isc_egress_print(&e));
	}
}

/* A network, or two ends of what the kernel merged. */
static gchar *print_range(guint32 first, guint32 last)
{
	guint32 span = last - first;
	g_autofree gchar *a = isc_address_print(first), *b = isc_address_print(last);
	if ((span & (span + 1)) != 0 || (first & span) != 0)
		return g_strdup_printf("%s-%s", a, b);
	const IscNet net = { first, (guint8)(span == G_MAXUINT32 ? 0
						    : span == 0  ? 32
								 : __builtin_clz(span)) };
	return isc_net_print(&net);
}

static gchar *print_wide(const IscNftElement *e, gboolean is_icmp)
{
	const guint8 *from = e->key + (is_icmp ? 4 : 8), *to = e->key_end + (is_icmp ? 4 : 8);
	g_autofree gchar *range = print_range(get_u32(from), get_u32(to));
	if (is_icmp)
		return g_strconcat("icmp:", range, NULL);
	guint16 first = get_u16(from + 4), last = get_u16(to + 4);
	return first == last ? g_strdup_printf("%s:%s:%u", isc_proto_name((IscProto)e->key[4]),
					       range, first)
			     : g_strdup_printf("%s:%s:%u-%u", isc_proto_name((IscProto)e->key[4]),
					       range, first, last);
}

/* The boxes of its class.  The class is a mark: in the machine's order in the map, in the network's
 * in the sets. */
static void take_wide(const IscFirewallShow *show, guint32 address, GPtrArray *out)
{
	static const IscNftSet sets[] = { ISC_NFT_WIDE_NAMED, ISC_NFT_WIDE, ISC_NFT_ICMP_NAMED,
		ISC_NFT_ICMP };
	guint32 class_id = 0;
	for (guint i = 0; i < show->sets[ISC_NFT_EGRESS_CLASS]->len; i++) {
		const IscNftElement *e =
				&g_array_index(show->sets[ISC_NFT_EGRESS_CLASS], IscNftElement, i);
		if (get_u32(e->key) == address)
			memcpy(&class_id, e->data, sizeof class_id);
	}
	for (gsize s = 0; class_id && s < G_N_ELEMENTS(sets); s++)
		for (guint i = 0; i < show->sets[sets[s]]->len; i++) {
			const IscNftElement *e =
					&g_array_index(show->sets[sets[s]], IscNftElement, i);
			if (get_u32(e->key) == class_id)
				g_ptr_array_add(out,
						print_wide(e, sets[s] == ISC_NFT_ICMP_NAMED ||
										sets[s] == ISC_NFT_ICMP));
		}
}

static guint16 health_port(const IscFirewallShow *show, guint32 address)
{
	for (guint i = 0; i < show->sets[ISC_NFT_HEALTH]->len; i++) {
		const IscNftElement *e =
				&g_array_index(show->sets[ISC_NFT_HEALTH], IscNftElement, i);
		if (get_u32(e->key) == address)
			return get_u16(e->key + 4);
	}
	return 0;
}

/* Bytes per second. */
static guint64 rate_of(const IscFirewallShow *show, IscNftSet set, guint32 address)
{
	for (guint i = 0; i < show->sets[set]->len; i++) {
		const IscNftElement *e = &g_array_index(show->sets[set], IscNftElement, i);
		if (get_u32(e->key) == address)
			return e->rate;
	}
	return 0;
}

void isc_firewall_show_node(IscFirewallShow *show, const IscFence *fence, IscFirewallNames names,
		gpointer data, IscFirewallView *out)
{
	guint8 pin[28] = { 0 };
	memcpy(pin, fence->tap, strlen(fence->tap));
	memcpy(pin + 16, fence->mac, 6);
	const guint32 address = GUINT32_TO_BE(fence->address);
	memcpy(pin + 24, &address, sizeof address);
	const guint32 self[] = { address, address };
	const gboolean is_let_in = has_key(show, ISC_NFT_PIN, pin, 28);
	const gboolean is_cut = has_key(show, ISC_NFT_CUT, pin, 16);
	const gboolean is_ordinary = has_address(show, ISC_NFT_ORDINARY, fence->address);

	*out = (IscFirewallView){
		.is_pinned = (is_let_in || is_cut) && has_key(show, ISC_NFT_PIN_MAC, pin, 24) &&
			     has_address(show, ISC_NFT_NODES, fence->address) &&
			     has_key(show, ISC_NFT_SELVES, (const guint8 *)self, 8),
		.is_cut = is_cut && !is_let_in,
		.is_quarantined = has_address(show, ISC_NFT_QUARANTINED, fence->address) &&
				  !is_ordinary,
		.health_port = health_port(show, fence->address),
		.expose = g_ptr_array_new_with_free_func(g_free),
		.egress = g_ptr_array_new_with_free_func(g_free)
	};
	if (!is_ordinary) {
		out->bandwidth.in = rate_of(show, ISC_NFT_RATE_DOWN, fence->address) * 8;
		out->bandwidth.out = rate_of(show, ISC_NFT_RATE_UP, fence->address) * 8;
	}
	take_exposes(show, fence->address, out->expose);
	take_exact(show, ISC_NFT_EGRESS, fence->address, out->egress);
	take_exact(show, ISC_NFT_EGRESS_HOST, fence->address, out->egress);
	take_peers(show, fence->address, names, data, out->egress);
	take_group(show, fence, out->egress);
	if (has_address(show, ISC_NFT_EGRESS_OPEN, fence->address))
		g_ptr_array_add(out->egress, g_strdup("open"));
	take_wide(show, fence->address, out->egress);
}
