#include "policy/network.h"

#include <string.h>

#include "base/error.h"
#include "model/replica.h"
#include "render/egress.h"

typedef enum {
	AT_NODE,
	AT_DOCK,
	AT_OUTSIDE,
} Place;

typedef struct {
	Place place;
	const IscNetworkNode *node; /* AT_NODE */
	gboolean is_named;          /* by a name, not an address */
	guint32 address;            /* 0: any there */
} End;

typedef struct {
	const IscNetwork *network;
	End from, to;
	IscProto proto;
	guint16 port; /* 0 for ICMP */
	IscNetworkAnswer *out;
} Question;

const gchar *isc_verdict_name(IscVerdict verdict)
{
	static const gchar *const names[] = { "denied", "allowed", "partly", "not judged" };
	return names[verdict];
}

void isc_network_answer_clear(IscNetworkAnswer *answer)
{
	g_clear_pointer(&answer->rule, g_free);
	g_clear_pointer(&answer->why, g_free);
	g_clear_pointer(&answer->hosts, g_ptr_array_unref);
}

/* --- what is asked ------------------------------------------------------------------------- */

static gboolean is_among(guint32 address, const guint32 *list, gsize n)
{
	for (gsize i = 0; i < n; i++)
		if (list[i] == address)
			return TRUE;
	return FALSE;
}

static gboolean parse_address(const IscNetwork *n, const IscNet *net, End *out)
{
	*out = (End){ .place = AT_OUTSIDE, .address = net->address };
	for (gsize i = 0; i < n->n_nodes; i++)
		if (n->nodes[i].fence->address == net->address)
			*out = (End){ AT_NODE, &n->nodes[i], FALSE, net->address };
	if (is_among(net->address, n->dock, n->n_dock))
		out->place = AT_DOCK;
	return TRUE;
}

static gboolean parse_end(const IscNetwork *n, const gchar *text, End *out, GError **error)
{
	IscNet net;
	if (g_str_equal(text, "outside") || g_str_equal(text, "dock")) {
		*out = (End){ *text == 'd' ? AT_DOCK : AT_OUTSIDE, NULL, TRUE, 0 };
		return TRUE;
	}
	if (isc_net_parse(text, &net, NULL) && net.prefix == 32)
		return parse_address(n, &net, out);
	if (!isc_name_is_valid(text)) {
		g_autofree gchar *shown = isc_text_escape(text, -1, 64);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is neither a node's name, 'outside', 'dock' nor an IPv4 "
				"address",
				shown);
		return FALSE;
	}
	for (gsize i = 0; i < n->n_nodes; i++)
		if (g_str_equal(n->nodes[i].fence->name, text)) {
			*out = (End){ AT_NODE, &n->nodes[i], TRUE, n->nodes[i].fence->address };
			return TRUE;
		}
	for (gsize i = 0; i < n->n_nodes; i++)
		if (g_str_equal(n->nodes[i].fence->set, text)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, ISC_NO_NODE_BUT_A_SET,
					text, text);
			return FALSE;
		}
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
			"no node '%s'; 'isc-vm list' shows those there are", text);
	return FALSE;
}

static gboolean parse_port(const gchar *text, Question *q, GError **error)
{
	guint64 port = 0;
	const gchar *slash = strchr(text, '/');
	q->proto = g_str_equal(text, "icmp")        ? ISC_PROTO_ICMP
		   : g_str_has_prefix(text, "udp/") ? ISC_PROTO_UDP
						    : ISC_PROTO_TCP;
	gboolean ok = q->proto == ISC_PROTO_ICMP ||
		      ((!slash || q->proto == ISC_PROTO_UDP || g_str_has_prefix(text, "tcp/")) &&
				      g_ascii_string_to_unsigned(slash ? slash + 1 : text, 10, 1,
						      65535, &port, NULL));
	q->port = (guint16)port;
	if (ok)
		return TRUE;
	g_autofree gchar *shown = isc_text_escape(text, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no port: N, tcp/N, udp/N or icmp",
			shown);
	return FALSE;
}

/* --- answers ------------------------------------------------------------------------------- */

static void G_GNUC_PRINTF(6, 7) answer(Question *q, IscVerdict verdict, IscDropKind kind,
		const gchar *where, gchar *rule, const gchar *why, ...)
{
	va_list args;
	va_start(args, why);
	*q->out = (IscNetworkAnswer){ verdict, kind, rule ? rule : g_strdup("none"), where,
		g_strdup_vprintf(why, args), NULL };
	va_end(args);
}

#define denied(q, kind, where, ...) answer(q, ISC_VERDICT_DENIED, kind, where, NULL, __VA_ARGS__)

static gchar *expose_text(const IscFence *fence, const IscExpose *rule)
{
	g_autofree gchar *text = isc_expose_print(rule);
	return g_strdup_printf("Expose=%s of node '%s'", text, fence->name);
}

static gchar *egress_text(const IscFence *fence, const IscEgress *rule)
{
	g_autofree gchar *text = isc_egress_print(rule);
	return g_strdup_printf("Egress=%s of node '%s'", text, fence->name);
}

/* --- out of a node ------------------------------------------------------------------------- */

static gboolean is_in_ports(const Question *q, guint16 first, guint16 last)
{
	return q->proto == ISC_PROTO_ICMP || (q->port >= first && q->port <= last);
}

/* Whether @rule alone, in the sets for @named or other networks, holds the target: by the boxes
 * that go to the kernel. */
static gboolean is_in_boxes(const Question *q, const IscEgress *rule, gboolean named)
{
	g_autoptr(GArray) alone = g_array_new(FALSE, FALSE, sizeof(IscEgress));
	g_array_append_val(alone, *rule);
	g_autoptr(GArray) boxes = isc_egress_boxes(q->network->config, alone, q->proto, named);
	for (guint i = 0; i < boxes->len; i++) {
		const IscEgressBox *box = &g_array_index(boxes, IscEgressBox, i);
		if (q->to.address >= box->address_first && q->to.address <= box->address_last &&
				is_in_ports(q, box->port_first, box->port_last))
			return TRUE;
	}
	return FALSE;
}

static gboolean is_exactly(const Question *q, const IscEgress *rule)
{
	return isc_egress_is_exact(rule) && rule->proto == q->proto &&
	       rule->net.address == q->to.address &&
	       is_in_ports(q, rule->port_first, rule->port_last);
}

typedef enum {
	BEFORE_RESERVED, /* rules that name their target, so that it may lie in a reserved network
			  */
	BEHIND_RESERVED,
} Part;

/* The target is one of the addresses that the name in @rule stands for, and may be by it. */
static gboolean is_by_host(
		const Question *q, const IscFence *fence, const IscEgress *rule, Part part)
{
	const GArray *known = q->network->hosts ? g_hash_table_lookup(q->network->hosts, rule->name)
						: NULL;
	if (rule->proto != q->proto || !is_in_ports(q, rule->port_first, rule->port_last))
		return FALSE;
	for (guint i = 0; known && i < known->len; i++)
		if (g_array_index(known, guint32, i) == q->to.address)
			return isc_egress_judge(q->network->config, fence->egress, rule,
					       q->to.address) ==
			       (part == BEFORE_RESERVED ? ISC_EGRESS_ANSWER_NAMED
							: ISC_EGRESS_ANSWER_FREE);
	return FALSE;
}

/* The rule that lets the packet out in this part of chain outward, or NULL. */
static const IscEgress *find_egress(const Question *q, const IscFence *fence, Part part)
{
	for (guint i = 0; fence->egress && i < fence->egress->len; i++) {
		const IscEgress *rule = &g_array_index(fence->egress, IscEgress, i);
		if (part == BEHIND_RESERVED && rule->kind == ISC_EGRESS_OPEN)
			return rule;
		if (rule->kind == ISC_EGRESS_HOST && is_by_host(q, fence, rule, part))
			return rule;
		if (rule->kind != ISC_EGRESS_NET)
			continue;
		if (part == BEFORE_RESERVED ? is_exactly(q, rule) ||
								is_in_boxes(q, rule,
										/* named= */ TRUE)
					    : is_in_boxes(q, rule, /* named= */ FALSE))
			return rule;
	}
	return NULL;
}

static gboolean is_open(const IscFence *fence)
{
	for (guint i = 0; fence->egress && i < fence->egress->len; i++)
		if (g_array_index(fence->egress, IscEgress, i).kind == ISC_EGRESS_OPEN)
			return TRUE;
	return FALSE;
}

/* What reserved network the target is in, as text, or NULL.  (transfer full) */
static gchar *reserved_by(const Question *q)
{
	const IscNftConfig *config = q->network->config;
	const IscNet to = { q->to.address, 32 };
	gsize n;
	const IscNet *reserved = isc_nft_reserved(&n);
	for (gsize i = 0; i < n; i++)
		if (isc_net_contains(&reserved[i], &to))
			return isc_net_print(&reserved[i]);
	for (gsize i = 0; i < config->n_host_nets; i++)
		if (isc_net_contains(&config->host_nets[i], &to))
			return isc_net_print(&config->host_nets[i]);
	if (!isc_nft_is_nodes_address(config, q->to.address))
		return NULL;
	return isc_net_print(isc_net_contains(&config->subnet, &to) ? &config->subnet
								    : &config->dedicated);
}

static const gchar outward[] = "inet forward, chain outward";

static void node_to_address(Question *q, const IscFence *fence)
{
	const IscEgress *rule = find_egress(q, fence, BEFORE_RESERVED);
	g_autofree gchar *reserved = reserved_by(q);
	if (rule) {
		answer(q, ISC_VERDICT_ALLOWED, 0, outward, egress_text(fence, rule),
				"the rule names the target; it leaves with the dock's address");
		return;
	}
	if (is_open(fence) && q->port == 53 &&
			is_among(q->to.address, q->network->config->resolvers,
					q->network->config->n_resolvers)) {
		answer(q, ISC_VERDICT_ALLOWED, 0, outward,
				g_strdup_printf("Egress=open of node '%s'", fence->name),
				"it is one of the dock's name servers");
		return;
	}
	if (reserved) {
		denied(q, ISC_DROP_RESERVED, outward,
				"the target is in %s, which nodes reach only by a rule that lies "
				"within it",
				reserved);
		return;
	}
	rule = find_egress(q, fence, BEHIND_RESERVED);
	if (rule)
		answer(q, ISC_VERDICT_ALLOWED, 0, outward, egress_text(fence, rule),
				"it leaves with the dock's address, by the outside interface "
				"alone");
	else
		denied(q, ISC_DROP_EGRESS, outward, "no Egress= rule of node '%s' allows it",
				fence->name);
}

/* "outside" as a whole: everywhere, somewhere or nowhere. */
static void node_to_outside(Question *q, const IscFence *fence)
{
	static const IscNet all = { 0, 0 };
	const IscEgress *some = NULL;
	for (guint i = 0; fence->egress && i < fence->egress->len; i++) {
		const IscEgress *rule = &g_array_index(fence->egress, IscEgress, i);
		gboolean fits = (rule->kind == ISC_EGRESS_NET || rule->kind == ISC_EGRESS_HOST) &&
				rule->proto == q->proto &&
				is_in_ports(q, rule->port_first, rule->port_last);
		if (rule->kind == ISC_EGRESS_OPEN ||
				(fits && rule->kind == ISC_EGRESS_NET &&
						isc_net_contains(&rule->net, &all))) {
			answer(q, ISC_VERDICT_ALLOWED, 0, outward, egress_text(fence, rule),
					"to every address but those of reserved networks");
			return;
		}
		if (fits && !some)
			some = rule;
	}
	if (some)
		answer(q, ISC_VERDICT_PARTLY, 0, outward, egress_text(fence, some),
				"to the addresses that its rules name; ask for one of them");
	else
		denied(q, ISC_DROP_EGRESS, outward, "no Egress= rule of node '%s' allows it",
				fence->name);
}

static gboolean names_peer(const IscEgress *rule, const IscFence *fence, const IscFence *peer)
{
	if (rule->kind == ISC_EGRESS_GROUP)
		return g_str_equal(rule->name, fence->group) &&
		       g_str_equal(rule->name, peer->group);
	return rule->kind == ISC_EGRESS_NODE && g_str_equal(rule->name, peer->name);
}

static gboolean is_up(Question *q, const IscNetworkNode *node)
{
	if (node->is_up && !node->is_down)
		return TRUE;
	if (node->is_up)
		denied(q, (IscDropKind)0, "",
				"the boundary of node '%s' is down, and with it its link: 'isc-vm "
				"network show %s' says why",
				node->fence->name, node->fence->name);
	else
		denied(q, (IscDropKind)0, "", "node '%s' does not run: it has no link",
				node->fence->name);
	return FALSE;
}

static void node_to_node(Question *q, const IscFence *fence, const IscNetworkNode *peer)
{
	static const gchar to_peer[] = "inet forward, chain to-peer";
	if (peer->fence == fence) {
		answer(q, ISC_VERDICT_NOT_JUDGED, 0, "", NULL, "it does not leave the node");
		return;
	}
	if (peer->is_up && peer->fence->quarantined) {
		denied(q, ISC_DROP_QUARANTINE, "inet forward, chain peer-checks",
				"node '%s' is in quarantine", peer->fence->name);
		return;
	}
	if (peer->is_up && !is_up(q, peer))
		return;
	for (guint i = 0; fence->egress && i < fence->egress->len; i++) {
		const IscEgress *rule = &g_array_index(fence->egress, IscEgress, i);
		if (!names_peer(rule, fence, peer->fence) || rule->proto != q->proto ||
				!is_in_ports(q, rule->port_first, rule->port_last))
			continue;
		if (peer->is_up && rule->kind == ISC_EGRESS_GROUP)
			answer(q, ISC_VERDICT_ALLOWED, 0, to_peer, egress_text(fence, rule),
					"both are nodes of group '%s'", fence->group);
		else if (peer->is_up)
			answer(q, ISC_VERDICT_ALLOWED, 0, to_peer, egress_text(fence, rule),
					"the rule names node '%s'", peer->fence->name);
		else
			answer(q, ISC_VERDICT_DENIED, ISC_DROP_PEER, to_peer,
					egress_text(fence, rule),
					"the rule holds when node '%s' runs, and it does not",
					peer->fence->name);
		return;
	}
	denied(q, ISC_DROP_PEER, to_peer,
			"nodes reach each other by rule only, and node '%s' has no "
			"Egress=node:%s:… for it",
			fence->name, peer->fence->name);
}

static void from_node(Question *q)
{
	g_assert(q->from.node); /* so parse_end() leaves it */
	const IscFence *fence = q->from.node->fence;
	if (!is_up(q, q->from.node))
		return;
	if (q->proto == ISC_PROTO_UDP && (q->port == 67 || q->port == 68))
		denied(q, ISC_DROP_DHCP, "bridge prerouting, chain not-tcp",
				"nodes neither ask for nor give addresses by DHCP");
	else if (fence->quarantined)
		denied(q, ISC_DROP_QUARANTINE, "bridge prerouting, chain liar",
				"node '%s' is in quarantine", fence->name);
	else if (q->to.place == AT_OUTSIDE && q->to.address >= 0xe0000000)
		denied(q, q->to.address == G_MAXUINT32 ? ISC_DROP_HOST : ISC_DROP_RESERVED,
				q->to.address == G_MAXUINT32 ? "inet input, chain to-host"
							     : "inet prerouting, chain mark-node",
				"nodes send to single addresses only");
	else if (q->to.place == AT_NODE)
		node_to_node(q, fence, q->to.node);
	else if (q->to.place == AT_DOCK)
		denied(q, ISC_DROP_HOST, "inet input, chain to-host",
				"nodes reach no address of the dock; what it exposes is for the "
				"outside alone");
	else if (q->to.address)
		node_to_address(q, fence);
	else
		node_to_outside(q, fence);
}

/* --- from outside -------------------------------------------------------------------------- */

/* The expose rule with @port of the dock (@in_node: of the node), and whose it is; one for a given
 * address wins. */
/* Of those that share a port, one that has it now is the better answer. */
static gboolean is_better(const IscNetworkNode *node, const IscNetworkNode *found)
{
	return *node->fence->set && node->is_ready && !node->fence->quarantined &&
	       (!found->is_ready || found->fence->quarantined);
}

static const IscExpose *find_expose(const Question *q, const IscNetworkNode *only, gboolean in_node,
		const IscNetworkNode **owner)
{
	const IscExpose *found = NULL;
	for (gsize i = 0; i < q->network->n_nodes; i++) {
		const IscNetworkNode *node = &q->network->nodes[i];
		const GArray *rules = node->fence->expose;
		for (guint k = 0; rules && (!only || node == only) && k < rules->len; k++) {
			const IscExpose *x = &g_array_index(rules, IscExpose, k);
			guint first = in_node ? x->node_first : x->host_first;
			guint last = first + (guint)(x->host_last - x->host_first);
			gboolean there = in_node || !x->outside || !q->to.address ||
					 x->outside == q->to.address;
			if (x->proto != q->proto || q->port < first || q->port > last || !there ||
					(found && (found->outside || !x->outside) &&
							!is_better(node, *owner)))
				continue;
			found = x;
			*owner = node;
		}
	}
	return found;
}

static void through_expose(Question *q, const IscNetworkNode *node, const IscExpose *x,
		guint16 host, guint16 inside)
{
	const IscFence *fence = node->fence;
	g_autofree gchar *rule = expose_text(fence, x);
	if (!is_up(q, node))
		return;
	if (fence->quarantined)
		answer(q, ISC_VERDICT_DENIED, ISC_DROP_QUARANTINE, "inet forward, chain to-node",
				g_steal_pointer(&rule), "node '%s' is in quarantine", fence->name);
	else if (*fence->set && !node->is_ready)
		answer(q, ISC_VERDICT_DENIED, (IscDropKind)0, "inet prerouting, chain redirect-in",
				g_steal_pointer(&rule),
				"node '%s' is not ready: new connections go to the other members "
				"of set "
				"'%s'",
				fence->name, fence->set);
	else if (*fence->set)
		answer(q, ISC_VERDICT_ALLOWED, 0, "inet forward, chain to-known",
				g_steal_pointer(&rule),
				"port %s/%u of the dock leads to port %u of each member of set "
				"'%s' "
				"that is ready, by chance",
				isc_proto_name(q->proto), host, inside, fence->set);
	else
		answer(q, ISC_VERDICT_ALLOWED, 0, "inet forward, chain to-known",
				g_steal_pointer(&rule),
				"port %s/%u of the dock leads to port %u of node '%s'",
				isc_proto_name(q->proto), host, inside, fence->name);
}

static void outside_to_dock(Question *q)
{
	const IscNetworkNode *owner = NULL;
	const IscExpose *x = q->port ? find_expose(q, NULL, /* in_node= */ FALSE, &owner) : NULL;
	if (x && owner->is_up && (!*owner->fence->set || owner->is_ready))
		through_expose(q, owner, x, q->port,
				(guint16)(x->node_first + (q->port - x->host_first)));
	else
		answer(q, ISC_VERDICT_NOT_JUDGED, 0, "inet prerouting, chain publish",
				x ? expose_text(owner->fence, x) : NULL,
				"%s: it is for the dock itself, whose own filter decides",
				!x                   ? "no node exposes it"
				: *owner->fence->set ? "no member of its set is ready"
						     : "the node does not run");
}

static void outside_to_service(Question *q)
{
	const IscNetworkNode *node = q->to.node, *owner = NULL;
	const IscExpose *x = q->port ? find_expose(q, node, /* in_node= */ TRUE, &owner) : NULL;
	if (x) {
		through_expose(q, node, x, (guint16)(x->host_first + (q->port - x->node_first)),
				q->port);
		return;
	}
	const IscExpose *hint = q->port ? find_expose(q, node, /* in_node= */ FALSE, &owner) : NULL;
	if (hint)
		denied(q, ISC_DROP_INGRESS, "inet forward, chain to-known",
				"the node does not expose its port %u; the dock's port %u leads to "
				"its port %u",
				q->port, q->port, hint->node_first + (q->port - hint->host_first));
	else
		denied(q, ISC_DROP_INGRESS, "inet forward, chain to-known",
				"node '%s' does not expose it", node->fence->name);
}

static void from_outside(Question *q)
{
	const IscNftConfig *config = q->network->config;
	if (q->from.address && isc_nft_is_nodes_address(config, q->from.address))
		denied(q, ISC_DROP_SPOOF, "inet prerouting, chain foreign",
				"the sender's address is one of the nodes' network");
	else if (q->to.place == AT_NODE && q->to.is_named)
		outside_to_service(q);
	else if (q->to.place == AT_NODE ||
			(q->to.place == AT_DOCK && q->to.address &&
					isc_nft_is_nodes_address(config, q->to.address)))
		denied(q, ISC_DROP_INGRESS, "inet prerouting, chain foreign",
				"nobody outside reaches an address of the nodes' network");
	else if (q->to.place == AT_DOCK)
		outside_to_dock(q);
	else if (isc_nft_is_nodes_address(config, q->to.address))
		denied(q, ISC_DROP_INGRESS, "inet prerouting, chain foreign",
				"nobody outside reaches an address of the nodes' network");
	else
		answer(q, ISC_VERDICT_NOT_JUDGED, 0, "", NULL, "it does not concern a node");
}

static void from_dock(Question *q)
{
	static const gchar from_host[] = "inet output, chain from-host";
	if (q->to.place != AT_NODE) {
		answer(q, ISC_VERDICT_NOT_JUDGED, 0, "", NULL, "it does not concern a node");
		return;
	}
	const IscFence *fence = q->to.node->fence;
	if (!is_up(q, q->to.node))
		return;
	if (fence->quarantined)
		denied(q, ISC_DROP_QUARANTINE, from_host, "node '%s' is in quarantine",
				fence->name);
	else if (q->proto == ISC_PROTO_TCP && fence->health_port && q->port == fence->health_port)
		answer(q, ISC_VERDICT_PARTLY, 0, from_host,
				g_strdup_printf("Health= of node '%s''s image", fence->name),
				"isc-dockd may probe it; no other program of the dock may");
	else
		denied(q, ISC_DROP_LOCAL, from_host,
				"programs of the dock reach no node, but for health probes");
}

static void judge(Question *q)
{
	switch (q->from.place) {
	case AT_NODE:
		from_node(q);
		break;
	case AT_DOCK:
		from_dock(q);
		break;
	case AT_OUTSIDE:
		from_outside(q);
		break;
	}
}

/* --- to a host by its name ----------------------------------------------------------------- */

/* The rule of the sender that names @host, or NULL. */
static const IscEgress *rule_for_host(const Question *q, const gchar *host)
{
	const GArray *rules = q->from.node ? q->from.node->fence->egress : NULL;
	for (guint i = 0; rules && i < rules->len; i++) {
		const IscEgress *rule = &g_array_index(rules, IscEgress, i);
		if (rule->kind == ISC_EGRESS_HOST && g_str_equal(rule->name, host) &&
				rule->proto == q->proto &&
				is_in_ports(q, rule->port_first, rule->port_last))
			return rule;
	}
	return NULL;
}

/* Each address is asked about by itself.  Where they differ, @q gets what holds for those that are
 * reached. */
static void to_addresses(Question *q, const gchar *host, const GArray *known)
{
	GPtrArray *hosts = g_ptr_array_new_with_free_func(g_free);
	gboolean differ = FALSE;
	for (guint i = 0; i < known->len; i++) {
		const IscNet net = { g_array_index(known, guint32, i), 32 };
		IscNetworkAnswer one = { 0 };
		Question each = *q;
		g_autofree gchar *address = isc_address_print(net.address);
		each.out = &one;
		parse_address(q->network, &net, &each.to);
		judge(&each);
		g_ptr_array_add(hosts, g_strdup_printf("%s: %s, %s", address,
						       isc_verdict_name(one.verdict), one.rule));
		differ = differ || (i > 0 && one.verdict != q->out->verdict);
		if (i > 0 && one.verdict != ISC_VERDICT_ALLOWED) {
			isc_network_answer_clear(&one);
			continue;
		}
		isc_network_answer_clear(q->out);
		*q->out = one;
	}
	q->out->hosts = hosts;
	if (!differ)
		return;
	q->out->verdict = ISC_VERDICT_PARTLY;
	q->out->kind = 0;
	g_free(q->out->why);
	q->out->why = g_strdup_printf("of the %u addresses that '%s' stands for now, some are "
				      "reached and some are not",
			known->len, host);
}

static gboolean to_host(Question *q, const gchar *host, GError **error)
{
	const GArray *known =
			q->network->hosts ? g_hash_table_lookup(q->network->hosts, host) : NULL;
	const IscEgress *rule = rule_for_host(q, host);
	if (known && known->len)
		to_addresses(q, host, known);
	else if (q->from.place != AT_NODE && known)
		answer(q, ISC_VERDICT_NOT_JUDGED, 0, "", NULL, "it does not concern a node");
	else if (known || rule)
		answer(q, ISC_VERDICT_DENIED, ISC_DROP_EGRESS, outward,
				rule ? egress_text(q->from.node->fence, rule) : NULL,
				"'%s' stands for no address now; 'isc-vm network show %s' says "
				"why",
				host, q->from.node->fence->name);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no rule names the host '%s', so the dock does not look it up; "
				"ask for an address",
				host);
	return q->out->why != NULL;
}

gboolean isc_network_explain(const IscNetwork *network, const gchar *from, const gchar *to,
		const gchar *port, IscNetworkAnswer *out, GError **error)
{
	Question q = { .network = network, .out = out };
	gboolean by_name = isc_host_is_valid(to);
	if (!parse_end(network, from, &q.from, error) ||
			(!by_name && !parse_end(network, to, &q.to, error)) ||
			!parse_port(port, &q, error))
		return FALSE;
	if (by_name)
		return to_host(&q, to, error);
	judge(&q);
	return TRUE;
}
