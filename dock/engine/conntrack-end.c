#include "engine/conntrack-end.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "base/error.h"

#define MESSAGE_MAX 4096

struct IscFlowEnder {
	struct nl_sock *socket;
};

IscFlowEnder *isc_flow_ender_new(GError **error)
{
	g_autoptr(IscFlowEnder) ender = g_new0(IscFlowEnder, 1);
	ender->socket = nl_socket_alloc();
	if (!ender->socket)
		g_error("no memory for a netlink socket"); /* as g_malloc() does */
	int err = nl_connect(ender->socket, NETLINK_NETFILTER);
	if (err == 0)
		return g_steal_pointer(&ender);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "cannot open the connection table: %s",
			nl_geterror(err));
	return NULL;
}

void isc_flow_ender_free(IscFlowEnder *ender)
{
	if (!ender)
		return;
	nl_socket_free(ender->socket);
	g_free(ender);
}

static gboolean has_ports(const struct nf_conntrack *flow)
{
	guint8 proto = nfct_get_attr_u8(flow, ATTR_L4PROTO);
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

static void put_u32(struct nl_msg *msg, int type, guint32 value)
{
	if (nla_put_u32(msg, type, value) < 0)
		g_error("no room in a netlink message");
}

static void put_u16(struct nl_msg *msg, int type, guint16 value)
{
	if (nla_put_u16(msg, type, value) < 0)
		g_error("no room in a netlink message");
}

static struct nlattr *nest(struct nl_msg *msg, int type)
{
	struct nlattr *begun = nla_nest_start(msg, type | NLA_F_NESTED);
	if (!begun)
		g_error("no room in a netlink message");
	return begun;
}

/* The answer's direction; libnetfilter_conntrack builds no message of that alone. */
static void put_reply(struct nl_msg *msg, const struct nf_conntrack *flow)
{
	struct nlattr *tuple = nest(msg, CTA_TUPLE_REPLY);
	struct nlattr *ip = nest(msg, CTA_TUPLE_IP);
	put_u32(msg, CTA_IP_V4_SRC, nfct_get_attr_u32(flow, ATTR_REPL_IPV4_SRC));
	put_u32(msg, CTA_IP_V4_DST, nfct_get_attr_u32(flow, ATTR_REPL_IPV4_DST));
	nla_nest_end(msg, ip);
	struct nlattr *proto = nest(msg, CTA_TUPLE_PROTO);
	if (nla_put_u8(msg, CTA_PROTO_NUM, nfct_get_attr_u8(flow, ATTR_L4PROTO)) < 0)
		g_error("no room in a netlink message");
	put_u16(msg, CTA_PROTO_SRC_PORT, nfct_get_attr_u16(flow, ATTR_REPL_PORT_SRC));
	put_u16(msg, CTA_PROTO_DST_PORT, nfct_get_attr_u16(flow, ATTR_REPL_PORT_DST));
	nla_nest_end(msg, proto);
	nla_nest_end(msg, tuple);
}

static struct nl_msg *new_message(const struct nf_conntrack *flow)
{
	const struct nfgenmsg head = { .nfgen_family = AF_INET, .version = NFNETLINK_V0 };
	struct nl_msg *msg = nlmsg_alloc_size(MESSAGE_MAX);
	if (!msg ||
			!nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ,
					NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, 0,
					NLM_F_ACK) ||
			nlmsg_append(msg, (void *)&head, sizeof head, NLMSG_ALIGNTO) < 0)
		g_error("no memory for a netlink message");
	if (has_ports(flow))
		put_reply(msg, flow);
	else if (nfct_nlmsg_build(nlmsg_hdr(msg), flow) < 0)
		g_error("no room in a netlink message");
	put_u32(msg, CTA_ID, htonl(nfct_get_attr_u32(flow, ATTR_ID)));
	return msg;
}

gboolean isc_flow_end(
		IscFlowEnder *ender, const struct nf_conntrack *flow, gboolean *was, GError **error)
{
	int err = nl_send_sync(ender->socket, new_message(flow)); /* which it frees */
	*was = err >= 0;
	if (err >= 0 || err == -NLE_OBJ_NOTFOUND)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "cannot end a connection: %s",
			nl_geterror(err));
	return FALSE;
}
