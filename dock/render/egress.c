#include "render/egress.h"

#include <stdlib.h>

gboolean isc_egress_is_exact(const IscEgress *rule)
{
	return rule->kind == ISC_EGRESS_NET && rule->proto != ISC_PROTO_ICMP &&
	       rule->net.prefix == 32 &&
	       rule->port_last - rule->port_first < ISC_EGRESS_EXACT_PORTS;
}

/* A rule names a reserved network only if it lies within it: 0.0.0.0/0 is no way to the metadata
 * service. */
static gboolean is_named(const IscNftConfig *config, const IscNet *net)
{
	gsize n;
	const IscNet *reserved = isc_nft_reserved(&n);

	if (net->prefix == 32)
		return TRUE;
	for (gsize i = 0; i < n; i++)
		if (isc_net_contains(&reserved[i], net))
			return TRUE;
	for (gsize i = 0; i < config->n_host_nets; i++)
		if (isc_net_contains(&config->host_nets[i], net))
			return TRUE;
	return FALSE;
}

gboolean isc_nft_is_reserved(const IscNftConfig *config, guint32 address)
{
	const IscNet host = { address, 32 };
	gsize n;
	const IscNet *reserved = isc_nft_reserved(&n);

	for (gsize i = 0; i < n; i++)
		if (isc_net_contains(&reserved[i], &host))
			return TRUE;
	for (gsize i = 0; i < config->n_host_nets; i++)
		if (isc_net_contains(&config->host_nets[i], &host))
			return TRUE;
	return isc_nft_is_nodes_address(config, address);
}

static gboolean is_metadata(guint32 address)
{
	gsize n;
	const guint32 *metadata = isc_nft_metadata(&n);

	for (gsize i = 0; i < n; i++)
		if (metadata[i] == address)
			return TRUE;
	return FALSE;
}

IscEgressAnswer isc_egress_judge(const IscNftConfig *config, const GArray *egress,
		const IscEgress *rule, guint32 address)
{
	const IscNet host = { address, 32 };

	if (!isc_nft_is_reserved(config, address))
		return ISC_EGRESS_ANSWER_FREE;
	for (guint i = 0; egress && i < egress->len; i++) {
		const IscEgress *other = &g_array_index(egress, IscEgress, i);
		if (other->kind == ISC_EGRESS_NET && other->proto == rule->proto &&
				is_named(config, &other->net) &&
				isc_net_contains(&other->net, &host) &&
				(other->net.prefix == 32 || !is_metadata(address)))
			return ISC_EGRESS_ANSWER_NAMED;
	}
	return ISC_EGRESS_ANSWER_REFUSED;
}

static gint compare_u32(gconstpointer a, gconstpointer b)
{
	guint32 x = *(const guint32 *)a, y = *(const guint32 *)b;
	return x < y ? -1 : x > y;
}

static gint compare_boxes_by_port(gconstpointer a, gconstpointer b)
{
	const IscEgressBox *x = a, *y = b;
	return (gint)x->port_first - (gint)y->port_first;
}

/* Cuts the metadata addresses out of @box: only a rule for that very address may open them. */
static void add_without_metadata(GArray *boxes, IscEgressBox box)
{
	gsize n;
	const guint32 *metadata = isc_nft_metadata(&n);

	for (gsize i = 0; i < n; i++) { /* ascending */
		if (metadata[i] < box.address_first || metadata[i] > box.address_last)
			continue;
		IscEgressBox below = box;
		below.address_last = metadata[i] - 1;
		if (metadata[i] > box.address_first)
			g_array_append_val(boxes, below);
		if (metadata[i] == box.address_last)
			return;
		box.address_first = metadata[i] + 1;
	}
	g_array_append_val(boxes, box);
}

static gboolean has_same_ports(const IscEgressBox *a, const IscEgressBox *b, guint n)
{
	for (guint i = 0; i < n; i++)
		if (a[i].port_first != b[i].port_first || a[i].port_last != b[i].port_last)
			return FALSE;
	return TRUE;
}

/* Appends to @out the merged port ranges of all @boxes that hold the addresses @first..@last. Where
 * the slice below (the @n_before last of @out) ends just there and has the same ports, it grows
 * instead. */
static guint add_slice(
		GArray *out, const GArray *boxes, guint32 first, guint32 last, guint n_before)
{
	g_autoptr(GArray) slice = g_array_new(FALSE, FALSE, sizeof(IscEgressBox));

	for (guint i = 0; i < boxes->len; i++) { /* sorted by port_first */
		IscEgressBox box = g_array_index(boxes, IscEgressBox, i);
		if (box.address_first > first || box.address_last < last)
			continue;
		IscEgressBox *top = slice->len ? &g_array_index(slice, IscEgressBox, slice->len - 1)
					       : NULL;
		if (top && box.port_first <= top->port_last + 1) {
			top->port_last = MAX(top->port_last, box.port_last);
			continue;
		}
		box.address_first = first;
		box.address_last = last;
		g_array_append_val(slice, box);
	}
	if (slice->len == 0)
		return 0;
	IscEgressBox *before = &g_array_index(out, IscEgressBox, out->len - n_before);
	if (n_before == slice->len && before->address_last + 1 == first &&
			has_same_ports(before, (IscEgressBox *)(void *)slice->data, n_before)) {
		for (guint i = 0; i < n_before; i++)
			before[i].address_last = last;
		return n_before;
	}
	g_array_append_vals(out, slice->data, slice->len);
	return slice->len;
}

GArray *isc_egress_boxes(
		const IscNftConfig *config, const GArray *egress, IscProto proto, gboolean named)
{
	g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(IscEgressBox));
	g_autoptr(GArray) cuts = g_array_new(FALSE, FALSE, sizeof(guint32));
	GArray *out = g_array_new(FALSE, FALSE, sizeof(IscEgressBox));

	for (guint i = 0; egress && i < egress->len; i++) {
		const IscEgress *rule = &g_array_index(egress, IscEgress, i);
		if (rule->kind != ISC_EGRESS_NET || rule->proto != proto ||
				isc_egress_is_exact(rule) || is_named(config, &rule->net) != named)
			continue;
		const IscEgressBox box = { rule->net.address, isc_net_last(&rule->net),
			rule->port_first, rule->port_last };
		if (named && rule->net.prefix < 32)
			add_without_metadata(boxes, box);
		else
			g_array_append_val(boxes, box);
	}
	g_array_sort(boxes, compare_boxes_by_port);

	/* Between two cuts every address is in the same boxes. */
	for (guint i = 0; i < boxes->len; i++) {
		const IscEgressBox *box = &g_array_index(boxes, IscEgressBox, i);
		g_array_append_val(cuts, box->address_first);
		if (box->address_last < G_MAXUINT32) {
			guint32 behind = box->address_last + 1;
			g_array_append_val(cuts, behind);
		}
	}
	g_array_sort(cuts, compare_u32);
	for (guint i = 0, n_before = 0; i < cuts->len; i++) {
		guint32 first = g_array_index(cuts, guint32, i);
		guint32 last = i + 1 < cuts->len ? g_array_index(cuts, guint32, i + 1) - 1
						 : G_MAXUINT32;
		if (i + 1 < cuts->len && last + 1 == first)
			continue; /* the same cut twice */
		n_before = add_slice(out, boxes, first, last, n_before);
	}
	return out;
}
