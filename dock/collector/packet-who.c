#include "collector/packet-who.h"

#include <string.h>

#define LINE 1000 /* units of the bucket */

struct IscPacketWho {
	GHashTable *names;                    /* → IscPacketNode, owned */
	GHashTable *ports, *addresses, *uids; /* → the same, borrowed */
	IscPacketNode *dock;                  /* owned */
	void (*freed)(IscPacketNode *node);
};

static IscPacketNode *node_new(const gchar *name)
{
	IscPacketNode *n = g_new0(IscPacketNode, 1);
	g_strlcpy(n->name, name, sizeof n->name);
	n->counts = g_array_new(FALSE, TRUE, sizeof(IscPacketCount));
	return n;
}

static void node_free(IscPacketWho *w, IscPacketNode *n)
{
	w->freed(n);
	g_array_unref(n->counts);
	g_free(n);
}

IscPacketWho *isc_packet_who_new(void (*freed)(IscPacketNode *node))
{
	IscPacketWho *w = g_new0(IscPacketWho, 1);
	w->names = g_hash_table_new(g_str_hash, g_str_equal);
	w->ports = g_hash_table_new(NULL, NULL);
	w->addresses = g_hash_table_new(NULL, NULL);
	w->uids = g_hash_table_new(NULL, NULL);
	w->dock = node_new("");
	w->freed = freed;
	return w;
}

void isc_packet_who_free(IscPacketWho *w)
{
	GHashTableIter i;
	gpointer node;

	g_hash_table_iter_init(&i, w->names);
	while (g_hash_table_iter_next(&i, NULL, &node))
		node_free(w, node);
	node_free(w, w->dock);
	g_hash_table_unref(w->names);
	g_hash_table_unref(w->ports);
	g_hash_table_unref(w->addresses);
	g_hash_table_unref(w->uids);
	g_free(w);
}

static void point(GHashTable *table, guint32 key, IscPacketNode *node)
{
	if (key)
		g_hash_table_insert(table, GUINT_TO_POINTER(key), node);
}

/* Another node may have it by now. */
static void unpoint(GHashTable *table, guint32 key, const IscPacketNode *node)
{
	if (g_hash_table_lookup(table, GUINT_TO_POINTER(key)) == node)
		g_hash_table_remove(table, GUINT_TO_POINTER(key));
}

static void unpoint_all(IscPacketWho *w, const IscPacketNode *n)
{
	unpoint(w->ports, n->port, n);
	unpoint(w->addresses, n->address, n);
	unpoint(w->uids, n->uid, n);
}

IscPacketNode *isc_packet_who_add(IscPacketWho *w, const IscLinkMsg *m)
{
	IscPacketNode *n = isc_packet_who_find(w, m->node);
	if (!n) {
		n = node_new(m->node);
		g_hash_table_insert(w->names, n->name, n);
	}
	unpoint_all(w, n);
	n->gone_at = 0;
	n->slot = m->slot;
	n->port = (guint32)m->a;
	n->address = (guint32)m->b;
	n->uid = (guint32)m->d;
	for (guint i = 0; i < sizeof n->mac; i++)
		n->mac[i] = (guint8)(m->c >> (40 - 8 * i));
	g_strlcpy(n->tap, m->text, sizeof n->tap);
	point(w->ports, n->port, n);
	point(w->addresses, n->address, n);
	point(w->uids, n->uid, n);
	return n;
}

void isc_packet_who_remove(IscPacketWho *w, IscPacketNode *n)
{
	unpoint_all(w, n);
	g_hash_table_remove(w->names, n->name);
	node_free(w, n);
}

IscPacketNode *isc_packet_who_find(IscPacketWho *w, const gchar *name)
{
	return *name ? g_hash_table_lookup(w->names, name) : w->dock;
}

/* The bridge lets no other sender through; if it did, the MAC would not be the node's either. */
static gboolean has_its_mac(const IscPacket *p, const IscPacketNode *n)
{
	return !p->has_macs || memcmp(p->from_mac, n->mac, sizeof n->mac) == 0;
}

IscPacketNode *isc_packet_who_of(IscPacketWho *w, const IscPacket *p)
{
	IscPacketNode *n = NULL;

	switch (p->whose) {
	case ISC_WHOSE_PORT:
		n = g_hash_table_lookup(w->ports, GUINT_TO_POINTER(p->port));
		break;
	case ISC_WHOSE_FROM:
		n = p->is_ip ? g_hash_table_lookup(w->addresses, GUINT_TO_POINTER(p->from)) : NULL;
		n = n && has_its_mac(p, n) ? n : NULL;
		break;
	case ISC_WHOSE_TO:
		n = p->is_ip ? g_hash_table_lookup(w->addresses, GUINT_TO_POINTER(p->to)) : NULL;
		break;
	case ISC_WHOSE_UID:
		n = g_hash_table_lookup(w->uids, GUINT_TO_POINTER(p->uid));
		break;
	case ISC_WHOSE_NOBODY:
		break;
	}
	return n ? n : w->dock;
}

void isc_packet_who_each(
		IscPacketWho *w, void (*func)(IscPacketNode *node, gpointer data), gpointer data)
{
	g_autoptr(GList) all = g_hash_table_get_values(w->names);
	for (GList *i = all; i; i = i->next)
		func(i->data, data); /* may remove it */
	func(w->dock, data);
}

/* --- counting ------------------------------------------------------------------------------------
 */

/* NULL: there are too many kinds; the rules know fewer. */
static IscPacketCount *count_of(IscPacketNode *n, const gchar *kind, gint64 now)
{
	for (guint i = 0; i < n->counts->len; i++) {
		IscPacketCount *c = &g_array_index(n->counts, IscPacketCount, i);
		if (strcmp(c->kind, kind) == 0)
			return c;
	}
	if (n->counts->len == ISC_PACKET_KINDS)
		return NULL;
	g_array_set_size(n->counts, n->counts->len + 1);
	IscPacketCount *c = &g_array_index(n->counts, IscPacketCount, n->counts->len - 1);
	g_strlcpy(c->kind, kind, sizeof c->kind);
	isc_bucket_init(&c->bucket, LINE / ISC_PACKET_EVERY_S, (gint64)LINE * ISC_PACKET_BURST,
			now);
	return c;
}

gboolean isc_packet_count_take(IscPacketNode *n, const gchar *kind, gint64 now)
{
	IscPacketCount *c = count_of(n, kind, now);
	if (!c)
		return FALSE;
	if (isc_bucket_wait(&c->bucket, now) > 0) {
		c->seen_left_out++;
		return FALSE;
	}
	isc_bucket_take(&c->bucket, LINE, now);
	c->lines++;
	return TRUE;
}

void isc_packet_count_set(
		IscPacketNode *n, const gchar *kind, guint64 total, gboolean is_base, gint64 now)
{
	IscPacketCount *c = count_of(n, kind, now);
	if (!c)
		return;
	if (is_base && c->total == 0 && c->lines == 0)
		c->base = total;
	/* Somebody has emptied the set: what it held is told as far as it was known. */
	if (total < c->total) {
		c->base = 0;
		c->lines = c->told = c->seen_left_out = 0;
	}
	c->total = total;
}

guint64 isc_packet_count_left_out(IscPacketCount *c)
{
	guint64 dropped = c->total - c->base;
	guint64 out = MAX(dropped > c->lines ? dropped - c->lines : 0, c->seen_left_out);
	if (out <= c->told)
		return 0;
	guint64 n = out - c->told;
	c->told = out;
	return n;
}

void isc_packet_count_reset(IscPacketNode *n)
{
	for (guint i = 0; i < n->counts->len; i++) {
		IscPacketCount *c = &g_array_index(n->counts, IscPacketCount, i);
		c->base = c->total = c->lines = c->seen_left_out = c->told = 0;
	}
}
