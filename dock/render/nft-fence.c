#include <string.h>

#include "base/error.h"
#include "render/egress.h"
#include "render/nft.h"

/* What a node is to the boundary, and the elements that stand for it; declared in nft.h. */

/* --- fences ---------------------------------------------------------------------------------- */

IscFence *isc_fence_copy(const IscFence *fence)
{
	IscFence *copy = g_memdup2(fence, sizeof *fence);
	copy->expose = fence->expose ? g_array_copy(fence->expose) : NULL;
	copy->egress = fence->egress ? g_array_copy(fence->egress) : NULL;
	return copy;
}

void isc_fence_clear(IscFence *fence)
{
	g_clear_pointer(&fence->expose, g_array_unref);
	g_clear_pointer(&fence->egress, g_array_unref);
}

void isc_fence_free(IscFence *fence)
{
	if (!fence)
		return;
	isc_fence_clear(fence);
	g_free(fence);
}

IscBalance *isc_balance_new(const gchar *name, GArray *expose)
{
	IscBalance *balance = g_new0(IscBalance, 1);
	g_strlcpy(balance->name, name, sizeof balance->name);
	balance->expose = g_array_ref(expose);
	balance->slots = g_array_new(FALSE, FALSE, sizeof(guint));
	return balance;
}

void isc_balance_free(IscBalance *balance)
{
	if (!balance)
		return;
	g_array_unref(balance->expose);
	g_array_unref(balance->slots);
	g_free(balance);
}

/* --- elements: fields to bytes --------------------------------------------------------------- */

static guint8 *put_u32(guint8 *at, guint32 host_order)
{
	guint32 value = GUINT32_TO_BE(host_order);
	memcpy(at, &value, sizeof value);
	return at + 4;
}

static guint8 *put_u16(guint8 *at, guint16 host_order)
{
	guint16 value = GUINT16_TO_BE(host_order);
	memcpy(at, &value, sizeof value);
	return at + 4;
}

static guint8 *put_mark(guint8 *at, guint32 mark)
{
	memcpy(at, &mark, sizeof mark);
	return at + 4;
}

static guint8 *put_proto(guint8 *at, IscProto proto)
{
	*at = (guint8)proto;
	return at + 4;
}

static IscNftElement *add(GArray *out, IscNftSet set)
{
	const IscNftElement empty = { .set = set };
	g_array_append_val(out, empty);
	return &g_array_index(out, IscNftElement, out->len - 1);
}

/* One value per field: the end of an interval is its beginning. */
static void close_key(IscNftElement *e)
{
	memcpy(e->key_end, e->key, sizeof e->key);
}

static void add_address(GArray *out, IscNftSet set, guint32 address, guint64 rate)
{
	IscNftElement *e = add(out, set);
	put_u32(e->key, address);
	e->rate = rate;
	close_key(e);
}

static void add_self(GArray *out, guint32 address)
{
	IscNftElement *e = add(out, ISC_NFT_SELVES);
	put_u32(put_u32(e->key, address), address);
	close_key(e);
}

static void add_pins(GArray *out, const IscFence *fence)
{
	const IscNftSet pins[] = { ISC_NFT_PIN_MAC,
		fence->quarantined ? ISC_NFT_CUT : ISC_NFT_PIN };

	for (gsize i = 0; i < G_N_ELEMENTS(pins); i++) {
		IscNftElement *e = add(out, pins[i]);
		memcpy(e->key, fence->tap, strlen(fence->tap));
		if (pins[i] != ISC_NFT_CUT)
			memcpy(e->key + 16, fence->mac, 6);
		if (pins[i] == ISC_NFT_PIN)
			put_u32(e->key + 24, fence->address);
		close_key(e);
	}
}

static void add_exposes(GArray *out, const IscFence *fence)
{
	guint32 to = fence->stand_in ? fence->stand_in : fence->address;
	/* Shared ports are elements of the set, see isc_nft_balance_elements(). */
	for (guint i = 0; !*fence->set && fence->expose && i < fence->expose->len; i++) {
		const IscExpose *x = &g_array_index(fence->expose, IscExpose, i);
		for (guint k = 0; k <= (guint)(x->host_last - x->host_first); k++) {
			IscNftElement *e =
					add(out, x->outside ? ISC_NFT_EXPOSE_AT : ISC_NFT_EXPOSE);
			guint8 *at = e->key;
			if (x->outside)
				at = put_u32(at, x->outside);
			put_u16(put_proto(at, x->proto), (guint16)(x->host_first + k));
			put_u16(put_u32(e->data, to), (guint16)(x->node_first + k));
			close_key(e);
		}
	}
}

/* The buckets of one port go round the members. */
static void add_buckets(GArray *out, const IscExpose *x, guint k, const guint32 *addresses, gsize n)
{
	for (guint bucket = 0; bucket < ISC_NFT_BUCKETS; bucket++) {
		IscNftElement *e = add(out, x->outside ? ISC_NFT_BALANCE_AT : ISC_NFT_BALANCE);
		guint8 *at = e->key;
		if (x->outside)
			at = put_u32(at, x->outside);
		at = put_u16(put_proto(at, x->proto), (guint16)(x->host_first + k));
		put_mark(at, bucket);
		put_u16(put_u32(e->data, addresses[bucket % n]), (guint16)(x->node_first + k));
		close_key(e);
	}
}

GArray *isc_nft_balance_elements(const GArray *expose, const guint32 *addresses, gsize n)
{
	GArray *out = g_array_new(FALSE, TRUE, sizeof(IscNftElement));
	for (guint i = 0; n && i < expose->len; i++) {
		const IscExpose *x = &g_array_index(expose, IscExpose, i);
		for (guint k = 0; k <= (guint)(x->host_last - x->host_first); k++)
			add_buckets(out, x, k, addresses, n);
	}
	return out;
}

static void add_exact(GArray *out, IscNftSet set, guint32 from, guint32 to, const IscEgress *rule)
{
	for (guint port = rule->port_first; port <= rule->port_last; port++) {
		IscNftElement *e = add(out, set);
		guint8 *at = put_u32(e->key, from);
		if (set == ISC_NFT_PEER)
			at = put_proto(put_u32(at, to), rule->proto);
		else
			at = put_u32(put_proto(at, rule->proto), to);
		put_u16(at, (guint16)port);
		close_key(e);
	}
}

guint32 isc_nft_group_id(const gchar *name)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 digest[32];
	gsize len = sizeof digest;
	guint32 id;

	g_checksum_update(sum, (const guchar *)name, (gssize)strlen(name));
	g_checksum_get_digest(sum, digest, &len);
	memcpy(&id, digest, sizeof id);
	return id | 0x80000000u;
}

static void add_membership(GArray *out, const IscFence *fence)
{
	IscNftElement *e = add(out, ISC_NFT_GROUP);
	put_u32(e->key, fence->address);
	put_mark(e->data, isc_nft_group_id(fence->group));
	close_key(e);
}

/* One element a port, whatever the number of nodes in the group. */
static void add_group_rule(GArray *out, const IscFence *fence, const IscEgress *rule)
{
	for (guint port = rule->port_first; port <= rule->port_last; port++) {
		IscNftElement *e = add(out, ISC_NFT_GROUP_PEER);
		guint8 *at = put_u32(e->key, fence->address);
		at = put_mark(at, isc_nft_group_id(rule->name));
		put_u16(put_proto(at, rule->proto), (guint16)port);
		close_key(e);
	}
}

static void add_boxes(
		GArray *out, IscNftSet set, guint32 class_id, IscProto proto, const GArray *boxes)
{
	for (guint i = 0; i < boxes->len; i++) {
		const IscEgressBox *box = &g_array_index(boxes, IscEgressBox, i);
		IscNftElement *e = add(out, set);
		guint8 *at = put_u32(e->key, class_id), *end = put_u32(e->key_end, class_id);
		if (proto != ISC_PROTO_ICMP) {
			at = put_proto(at, proto);
			end = put_proto(end, proto);
		}
		at = put_u32(at, box->address_first);
		end = put_u32(end, box->address_last);
		if (proto != ISC_PROTO_ICMP) {
			put_u16(at, box->port_first);
			put_u16(end, box->port_last);
		}
	}
}

/* The wide rules as elements of class @class_id; none where there are no wide rules. */
static GArray *wide_elements(const IscNftConfig *config, const GArray *egress, guint32 class_id)
{
	static const struct {
		IscProto proto;
		gboolean named;
		IscNftSet set;
	} kinds[] = {
		{ ISC_PROTO_TCP, TRUE, ISC_NFT_WIDE_NAMED },
		{ ISC_PROTO_UDP, TRUE, ISC_NFT_WIDE_NAMED },
		{ ISC_PROTO_ICMP, TRUE, ISC_NFT_ICMP_NAMED },
		{ ISC_PROTO_TCP, FALSE, ISC_NFT_WIDE },
		{ ISC_PROTO_UDP, FALSE, ISC_NFT_WIDE },
		{ ISC_PROTO_ICMP, FALSE, ISC_NFT_ICMP },
	};
	GArray *out = g_array_new(FALSE, TRUE, sizeof(IscNftElement));

	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autoptr(GArray) boxes =
				isc_egress_boxes(config, egress, kinds[i].proto, kinds[i].named);
		add_boxes(out, kinds[i].set, class_id, kinds[i].proto, boxes);
	}
	return out;
}

/* A class is named by a hash of its rules, so that a restarted daemon gives it the same name.  Bit
 * 31 keeps it apart from every other mark we use.  Whoever applies the elements refuses two classes
 * of one name. */
static guint32 class_of(const GArray *wide)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint8 digest[32];
	gsize len = sizeof digest;
	guint32 id;

	g_checksum_update(sum, (const guchar *)wide->data,
			(gssize)(wide->len * sizeof(IscNftElement)));
	g_checksum_get_digest(sum, digest, &len);
	memcpy(&id, digest, sizeof id);
	return id | 0x80000000u;
}

static void add_wide(GArray *out, const IscNftConfig *config, const IscFence *fence)
{
	g_autoptr(GArray) unnamed = wide_elements(config, fence->egress, 0);
	if (unnamed->len == 0)
		return;
	guint32 id = class_of(unnamed);
	g_autoptr(GArray) wide = wide_elements(config, fence->egress, id);

	IscNftElement *e = add(out, ISC_NFT_EGRESS_CLASS);
	put_u32(e->key, fence->address);
	put_mark(e->data, id);
	close_key(e);
	g_array_append_vals(out, wide->data, wide->len);
}

static void add_by_name(GArray *out, const IscNftConfig *config, const IscFence *fence,
		const IscEgress *rule, IscNftResolve resolve, gpointer data)
{
	g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(guint32));

	resolve(rule, addresses, data);
	for (guint i = 0; i < addresses->len; i++) {
		const guint32 to = g_array_index(addresses, guint32, i);
		const IscEgressAnswer answer =
				rule->kind == ISC_EGRESS_HOST
						? isc_egress_judge(config, fence->egress, rule, to)
						: ISC_EGRESS_ANSWER_FREE;
		if (rule->kind == ISC_EGRESS_NODE)
			add_exact(out, ISC_NFT_PEER, fence->address, to, rule);
		else if (answer == ISC_EGRESS_ANSWER_NAMED)
			add_exact(out, ISC_NFT_EGRESS, fence->address, to, rule);
		else if (answer == ISC_EGRESS_ANSWER_FREE)
			add_exact(out, ISC_NFT_EGRESS_HOST, fence->address, to, rule);
	}
}

static void add_egress(GArray *out, const IscNftConfig *config, const IscFence *fence,
		IscNftResolve resolve, gpointer data)
{
	gboolean is_open = FALSE;

	for (guint i = 0; fence->egress && i < fence->egress->len; i++) {
		const IscEgress *rule = &g_array_index(fence->egress, IscEgress, i);
		if (isc_egress_is_exact(rule))
			add_exact(out, ISC_NFT_EGRESS, fence->address, rule->net.address, rule);
		else if ((rule->kind == ISC_EGRESS_NODE || rule->kind == ISC_EGRESS_HOST) &&
				resolve)
			add_by_name(out, config, fence, rule, resolve, data);
		else if (rule->kind == ISC_EGRESS_GROUP && strcmp(rule->name, fence->group) == 0)
			add_group_rule(out, fence, rule);
		is_open |= rule->kind == ISC_EGRESS_OPEN;
	}
	if (is_open)
		add_address(out, ISC_NFT_EGRESS_OPEN, fence->address, 0);
	add_wide(out, config, fence);
}

static gboolean is_host_of(const IscNet *net, guint32 address)
{
	const IscNet host = { address, 32 };
	return net->prefix > 0 && isc_net_contains(net, &host);
}

gboolean isc_nft_is_nodes_address(const IscNftConfig *config, guint32 address)
{
	return is_host_of(&config->subnet, address) || is_host_of(&config->dedicated, address);
}

/* Not the address of a network, a bridge or everybody. */
static gboolean is_node_address(const IscNftConfig *config, guint32 address)
{
	return is_host_of(&config->dedicated, address)
			       ? address % 4 == 2
			       : is_host_of(&config->subnet, address) &&
						 address > config->subnet.address + 1 &&
						 address < isc_net_last(&config->subnet);
}

static gboolean is_sound(const IscNftConfig *config, const IscFence *fence, GError **error)
{
	const gchar *what = NULL;

	if (!isc_name_check("node", fence->name, error) ||
			(*fence->group && !isc_name_check("group", fence->group, error)))
		return FALSE;
	if (!isc_nft_is_ifname(fence->tap) || !g_str_has_prefix(fence->tap, config->tap_prefix))
		what = "its tap's name does not begin as the rules expect";
	else if (fence->mac[0] & 1)
		what = "its MAC is a group address";
	else if (!is_node_address(config, fence->address))
		what = "its address is not one for nodes";
	else if ((fence->expose && fence->expose->len > ISC_RULES_MAX) ||
			(fence->egress && fence->egress->len > ISC_RULES_MAX))
		what = "it has too many rules";
	if (!what)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "node '%s': %s", fence->name, what);
	return FALSE;
}

/* Two rules may stand for the same element: "tcp:192.0.2.1:80" and "tcp:192.0.2.1:80-81". */
static void drop_repeats(GArray *elements)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(isc_nft_element_hash, isc_nft_element_equal);
	guint kept = 0;

	for (guint i = 0; i < elements->len; i++) {
		IscNftElement *e = &g_array_index(elements, IscNftElement, i);
		IscNftElement *to = &g_array_index(elements, IscNftElement, kept);
		if (g_hash_table_contains(seen, e))
			continue;
		*to = *e;
		g_hash_table_add(seen, to);
		kept++;
	}
	g_array_set_size(elements, kept);
}

GArray *isc_nft_fence_elements(const IscNftConfig *config, const IscFence *fence,
		IscNftResolve resolve, gpointer data, GError **error)
{
	if (!is_sound(config, fence, error))
		return NULL;

	GArray *out = g_array_new(FALSE, TRUE, sizeof(IscNftElement));
	add_pins(out, fence);
	add_address(out, ISC_NFT_NODES, fence->address, 0);
	add_self(out, fence->address);
	if (!fence->quarantined && !fence->rate_up && !fence->rate_down)
		add_address(out, ISC_NFT_ORDINARY, fence->address, 0);
	if (fence->quarantined)
		add_address(out, ISC_NFT_QUARANTINED, fence->address, 0);
	if (fence->health_port) {
		IscNftElement *e = add(out, ISC_NFT_HEALTH);
		put_u16(put_u32(e->key, fence->address), fence->health_port);
		close_key(e);
	}
	if (fence->rate_up)
		add_address(out, ISC_NFT_RATE_UP, fence->address, fence->rate_up);
	if (fence->rate_down)
		add_address(out, ISC_NFT_RATE_DOWN, fence->address, fence->rate_down);
	if (*fence->group)
		add_membership(out, fence);
	add_exposes(out, fence);
	add_egress(out, config, fence, resolve, data);
	drop_repeats(out);
	return out;
}
