#pragma once
#include <glib-unix.h>
#include <netlink/msg.h>

/* Questions to rtnetlink and what it tells unasked.  Memory that cannot be had ends the process, as
 * with GLib. */

typedef struct nl_msg IscNlMsg;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNlMsg, nlmsg_free)

/* @type: RTM_…; @flags: NLM_F_… beside NLM_F_REQUEST; @head: what the type has in front of its
 * attributes.  Returns: (transfer full) */
IscNlMsg *isc_rtnl_message(int type, int flags, const void *head, gsize len);

/* Attributes. */
void isc_rtnl_put(IscNlMsg *msg, int type, const void *data, gsize len);
void isc_rtnl_put_u8(IscNlMsg *msg, int type, guint8 value);
void isc_rtnl_put_u32(IscNlMsg *msg, int type, guint32 value);
void isc_rtnl_put_address(IscNlMsg *msg, int type, guint32 host_order);
struct nlattr *isc_rtnl_nest(IscNlMsg *msg, int type); /* ended by nla_nest_end() */

/* Sends @msg; @each, where given, gets every answer.  Returns 0 or a negative libnl error. */
int isc_rtnl_talk(IscNlMsg *msg, nl_recvmsg_msg_cb_t each, gpointer data);

/* A socket that hears of @groups (RTNLGRP_…, ended by RTNLGRP_NONE) and does not block.  Returns:
 * (transfer full) NULL: ISC_ERROR_HOST, "cannot watch @what: …" */
struct nl_sock *isc_rtnl_listen(const int *groups, const gchar *what, GError **error);
/* A source for @sock that is attached to @context; ended by isc_rtnl_detach(). */
GSource *isc_rtnl_attach(
		struct nl_sock *sock, GMainContext *context, GUnixFDSourceFunc func, gpointer data);
/* Ends a source, or does nothing where *@source is NULL. */
void isc_rtnl_detach(GSource **source);

/* Sets @error from @err of isc_rtnl_talk(): ISC_ERROR_NOT_FOUND where there is no such thing, else
 * ISC_ERROR_HOST.  Returns: FALSE */
gboolean isc_rtnl_fail(GError **error, int err, const gchar *what, const gchar *name);
