#include "engine/rtnl.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "base/error.h"

#define LISTEN_BYTES (1024 * 1024) /* of a listener: a burst of changes */

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

struct nl_sock *isc_rtnl_listen(const int *groups, const gchar *what, GError **error)
{
	g_autoptr(IscNlSock) sock = nl_socket_alloc();
	if (!sock)
		g_error("out of memory");
	nl_socket_disable_seq_check(sock);
	int err = nl_connect(sock, NETLINK_ROUTE);
	if (err >= 0)
		err = nl_socket_set_nonblocking(sock);
	if (err >= 0)
		err = nl_socket_set_buffer_size(sock, LISTEN_BYTES, 0);
	for (; err >= 0 && *groups != RTNLGRP_NONE; groups++)
		err = nl_socket_add_membership(sock, *groups);
	if (err >= 0)
		return g_steal_pointer(&sock);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "cannot watch %s: %s", what,
			nl_geterror(err));
	return NULL;
}

GSource *isc_rtnl_attach(
		struct nl_sock *sock, GMainContext *context, GUnixFDSourceFunc func, gpointer data)
{
	GSource *source = g_unix_fd_source_new(nl_socket_get_fd(sock), G_IO_IN | G_IO_ERR);
	g_source_set_callback(source, G_SOURCE_FUNC(func), data, NULL);
	g_source_attach(source, context);
	return source;
}

void isc_rtnl_detach(GSource **source)
{
	if (!*source)
		return;
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
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
