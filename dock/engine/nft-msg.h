#pragma once
/* What reading and writing of nf_tables by netlink share.  For nft-read.c and nft-write.c alone. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <sys/socket.h>

#include "render/nft.h"

typedef struct nl_msg IscNlMsg;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNlMsg, nlmsg_free)

/* @type: NFT_MSG_…; ends the process where there is no memory, as GLib does. */
static inline IscNlMsg *isc_nft_msg_new(guint type, int flags, gboolean is_bridge)
{
	const struct nfgenmsg head = { .nfgen_family = is_bridge ? NFPROTO_BRIDGE : NFPROTO_INET,
		.version = NFNETLINK_V0 };
	IscNlMsg *msg = nlmsg_alloc_size(65536);

	if (!msg ||
			!nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ,
					NFNL_SUBSYS_NFTABLES << 8 | (int)type, 0,
					NLM_F_REQUEST | flags) ||
			nlmsg_append(msg, (void *)&head, sizeof head, NLMSG_ALIGNTO) < 0)
		g_error("out of memory");
	return msg;
}

/* Nests @len bytes as NFTA_DATA_VALUE in @type. */
static inline gboolean isc_nft_msg_put_value(
		IscNlMsg *msg, int type, const guint8 *bytes, guint len)
{
	struct nlattr *nest = nla_nest_start(msg, type | NLA_F_NESTED);
	if (!nest || nla_put(msg, NFTA_DATA_VALUE, (int)len, bytes) < 0)
		return FALSE;
	nla_nest_end(msg, nest);
	return TRUE;
}
