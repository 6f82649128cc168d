#include "engine/rtnl.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "base/error.h"

typedef struct nl_sock IscNlSock;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNlSock, nl_socket_free)

gboolean isc_rtnl_fail(GError **error, int err, const gchar *what, const gchar *name)
{
	g_set_error(error, ISC_ERROR,
			err == -NLE_NODEV || err == -NLE_OBJ_NOTFOUND ? ISC_ERROR_NOT_FOUND
								      : ISC_ERROR_HOST,
			"%s '%s': %s", what, name, nl_geterror(err));
	return FALSE;
}

IscNlMsg *isc_rtnl_message(int type, int flags, const void *head, gsize len)
{
	IscNlMsg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);
	if (!msg || nlmsg_append(msg, (void *)head, len, NLMSG_ALIGNTO) < 0)
		g_error("out of memory");
	return msg;
}

void isc_rtnl_put(IscNlMsg *msg, int type, const void *data, gsize len)
{
	if (nla_put(msg, type, (int)len, data) < 0)
		g_error("out of memory");
}

void isc_rtnl_put_u8(IscNlMsg *msg, int type, guint8 value)
{
	isc_rtnl_put(msg, type, &value, sizeof value);
}

void isc_rtnl_put_u32(IscNlMsg *msg, int type, guint32 value)
{
	isc_rtnl_put(msg, type, &value, sizeof value);
}

void isc_rtnl_put_address(IscNlMsg *msg, int type, guint32 host_order)
{
	isc_rtnl_put_u32(msg, type, GUINT32_TO_BE(host_order));
}

struct nlattr *isc_rtnl_nest(IscNlMsg *msg, int type)
{
	struct nlattr *nest = nla_nest_start(msg, type);
	if (!nest)
		g_error("out of memory");
	return nest;
}

int isc_rtnl_talk(IscNlMsg *msg, nl_recvmsg_msg_cb_t each, gpointer data)
{
	g_autoptr(IscNlSock) sock = nl_socket_alloc();
	if (!sock)
		g_error("out of memory");
	int err = nl_connect(sock, NETLINK_ROUTE);
	if (err < 0)
		return err;
	gboolean is_dump = (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	if (each)
		nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, each, data);
	err = nl_send_auto(sock, msg);
	if (err < 0)
		return err;
	if (!is_dump && !each)
		return nl_wait_for_ack(sock);
	err = nl_recvmsgs_default(sock);
	return MIN(err, 0);
}
