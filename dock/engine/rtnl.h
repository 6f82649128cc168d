#pragma once
#include <glib.h>
#include <netlink/msg.h>

/* One question to rtnetlink, and its answers.  Memory that cannot be had ends the process, as with
 * GLib. */

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

/* Sets @error from @err of isc_rtnl_talk(): ISC_ERROR_NOT_FOUND where there is no such thing, else
 * ISC_ERROR_HOST.  Returns: FALSE */
gboolean isc_rtnl_fail(GError **error, int err, const gchar *what, const gchar *name);
