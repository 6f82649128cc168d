#include "engine/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_tcp.h>

#include "base/error.h"
#include "engine/conntrack-end.h"

typedef struct nfct_handle IscNfct;
static void handle_close(IscNfct *handle)
{
	nfct_close(handle);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNfct, handle_close)

/* Which flows to end. */
typedef struct {
	guint32 node;
	const IscExpose *expose; /* NULL: any */
	const GArray *strays;    /* of IscExpose; NULL: not looked for */
	const IscAddressPlan *plan;
	const IscEgress *egress; /* NULL: any */
	const GArray *peers;     /* of guint32; where a rule by name led to */
	GPtrArray *found;        /* of struct nf_conntrack */
} Search;

static guint32 address_of(const struct nf_conntrack *ct, enum nf_conntrack_attr attr)
{
	return ntohl(nfct_get_attr_u32(ct, attr));
}

static gboolean is_in_ports(guint port, guint first, guint last)
{
	return port >= first && port <= last;
}

static gboolean is_by_expose(const struct nf_conntrack *ct, const Search *s)
{
	const IscExpose *x = s->expose;
	guint port = ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST));

	/* Redirected: it was for the dock, the node answers. */
	return address_of(ct, ATTR_REPL_IPV4_SRC) == s->node &&
	       address_of(ct, ATTR_ORIG_IPV4_DST) != s->node &&
	       nfct_get_attr_u8(ct, ATTR_L4PROTO) == x->proto &&
	       is_in_ports(port, x->host_first, x->host_last) &&
	       (!x->outside || address_of(ct, ATTR_ORIG_IPV4_DST) == x->outside);
}

static gboolean is_stray(const struct nf_conntrack *ct, const Search *s)
{
	const IscNet from = { address_of(ct, ATTR_ORIG_IPV4_SRC), 32 };
	guint32 to = address_of(ct, ATTR_ORIG_IPV4_DST);
	guint port = ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST));

	if (nfct_get_attr_u8(ct, ATTR_L4PROTO) != ISC_PROTO_UDP ||
			address_of(ct, ATTR_REPL_IPV4_SRC) != to ||
			isc_net_contains(&s->plan->subnet, &from) ||
			isc_net_contains(&s->plan->dedicated, &from))
		return FALSE;
	for (guint i = 0; i < s->strays->len; i++) {
		const IscExpose *x = &g_array_index(s->strays, IscExpose, i);
		if (x->proto == ISC_PROTO_UDP && is_in_ports(port, x->host_first, x->host_last) &&
				(!x->outside || to == x->outside))
			return TRUE;
	}
	return FALSE;
}

static gboolean is_peer(guint32 address, const Search *s)
{
	for (guint i = 0; s->peers && i < s->peers->len; i++)
		if (g_array_index(s->peers, guint32, i) == address)
			return TRUE;
	return FALSE;
}

static gboolean is_by_egress(const struct nf_conntrack *ct, const Search *s)
{
	const IscEgress *e = s->egress;
	const IscNet to = { address_of(ct, ATTR_ORIG_IPV4_DST), 32 };

	if (address_of(ct, ATTR_ORIG_IPV4_SRC) != s->node)
		return FALSE;
	if (e->kind == ISC_EGRESS_OPEN)
		return TRUE;
	if (e->kind == ISC_EGRESS_DENY || nfct_get_attr_u8(ct, ATTR_L4PROTO) != e->proto)
		return FALSE;
	if (e->kind == ISC_EGRESS_NET ? !isc_net_contains(&e->net, &to) : !is_peer(to.address, s))
		return FALSE;
	return e->proto == ISC_PROTO_ICMP ||
	       is_in_ports(ntohs(nfct_get_attr_u16(ct, ATTR_ORIG_PORT_DST)), e->port_first,
			       e->port_last);
}

/* Not yet closed from both ends. */
static gboolean is_under_way(const struct nf_conntrack *ct)
{
	switch (nfct_get_attr_u8(ct, ATTR_TCP_STATE)) {
	case TCP_CONNTRACK_SYN_SENT:
	case TCP_CONNTRACK_SYN_RECV:
	case TCP_CONNTRACK_ESTABLISHED:
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
		return TRUE;
	default:
		return FALSE;
	}
}

typedef int OnFlow(enum nf_conntrack_msg_type, struct nf_conntrack *, void *);

static gboolean dump(OnFlow *on_each, gpointer data, IscNfct *handle, GError **error)
{
	const guint8 family = AF_INET;
	nfct_callback_register(handle, NFCT_T_ALL, on_each, data);
	int rc = nfct_query(handle, NFCT_Q_DUMP, &family);
	int err = errno;
	nfct_callback_unregister(handle);
	return rc >= 0 ? TRUE : isc_error_set_errno(error, err, "cannot read the connection table");
}

static int on_flow(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *data)
{
	Search *s = data;
	gboolean is_wanted;

	(void)type;
	if (s->strays)
		is_wanted = is_stray(ct, s);
	else if (s->expose)
		is_wanted = is_by_expose(ct, s);
	else if (s->egress)
		is_wanted = is_by_egress(ct, s);
	else
		is_wanted = address_of(ct, ATTR_ORIG_IPV4_SRC) == s->node ||
			    address_of(ct, ATTR_REPL_IPV4_SRC) == s->node;
	if (!is_wanted)
		return NFCT_CB_CONTINUE;
	g_ptr_array_add(s->found, ct);
	return NFCT_CB_STOLEN;
}

static gboolean end_found(Search *s, guint *ended, GError **error)
{
	g_autoptr(IscNfct) handle = nfct_open(CONNTRACK, 0);
	guint n = 0;

	if (!handle)
		return isc_error_set_errno(error, errno, "cannot open the connection table");
	if (!dump(on_flow, s, handle, error))
		return FALSE;
	g_autoptr(IscFlowEnder) ender = isc_flow_ender_new(error);
	for (guint i = 0; ender && i < s->found->len; i++) {
		gboolean was;
		if (!isc_flow_end(ender, g_ptr_array_index(s->found, i), &was, error))
			return FALSE;
		n += was;
	}
	if (!ender)
		return FALSE;
	if (ended)
		*ended = n;
	return TRUE;
}

static void flow_free(gpointer ct)
{
	nfct_destroy(ct);
}

gboolean isc_conntrack_end_node(guint32 address, guint *ended, GError **error)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(flow_free);
	Search s = { .node = address, .found = found };
	return end_found(&s, ended, error);
}

gboolean isc_conntrack_end_expose(
		guint32 address, const IscExpose *expose, guint *ended, GError **error)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(flow_free);
	Search s = { .node = address, .expose = expose, .found = found };
	return end_found(&s, ended, error);
}

gboolean isc_conntrack_end_egress(guint32 address, const IscEgress *rule, const GArray *peers,
		guint *ended, GError **error)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(flow_free);
	Search s = { .node = address, .egress = rule, .peers = peers, .found = found };
	return end_found(&s, ended, error);
}

gboolean isc_conntrack_end_strays(
		const GArray *expose, const IscAddressPlan *plan, guint *ended, GError **error)
{
	g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(flow_free);
	Search s = { .strays = expose, .plan = plan, .found = found };
	gboolean is_udp = FALSE;

	for (guint i = 0; i < expose->len; i++)
		is_udp = is_udp || g_array_index(expose, IscExpose, i).proto == ISC_PROTO_UDP;
	if (!is_udp && ended)
		*ended = 0;
	return !is_udp || end_found(&s, ended, error);
}

typedef struct {
	Search search;
	const GArray *expose;
	guint n;
} Count;

static int on_counted(enum nf_conntrack_msg_type type, struct nf_conntrack *ct, void *data)
{
	Count *count = data;
	(void)type;
	for (guint i = 0; i < count->expose->len; i++) {
		count->search.expose = &g_array_index(count->expose, IscExpose, i);
		if (!is_by_expose(ct, &count->search) || !is_under_way(ct))
			continue;
		count->n++;
		break;
	}
	return NFCT_CB_CONTINUE;
}

gboolean isc_conntrack_count_exposed(
		guint32 address, const GArray *expose, guint *n, GError **error)
{
	Count count = { .search = { .node = address }, .expose = expose };
	g_autoptr(IscNfct) handle = nfct_open(CONNTRACK, 0);
	if (!handle)
		return isc_error_set_errno(error, errno, "cannot open the connection table");
	if (!dump(on_counted, &count, handle, error))
		return FALSE;
	*n = count.n;
	return TRUE;
}
