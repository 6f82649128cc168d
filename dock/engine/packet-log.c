#include "engine/packet-log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"

/* The kernel hands packets on in bundles: of so many, or after so long. */
#define BUNDLE 32u
#define BUNDLE_CS 10u /* hundredths of a second */
#define BUNDLE_BYTES (64u * 1024)
#define WAITING_BYTES (4 << 20) /* that wait for the reader; then the kernel drops, and tells */

typedef struct nl_sock IscNlSock;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNlSock, nl_socket_free)

typedef struct {
	int attr;
	gconstpointer value;
	int len;
} Setting;

/* linux/netfilter/nfnetlink_log.h, NFULNL_MSG_CONFIG: one setting of the group. */
static int set(IscNlSock *sock, guint16 group, const Setting *s)
{
	const struct nfgenmsg head = { .version = NFNETLINK_V0, .res_id = htons(group) };
	struct nl_msg *msg = nlmsg_alloc_simple(
			NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK);

	if (!msg || nlmsg_append(msg, (void *)&head, sizeof head, NLMSG_ALIGNTO) < 0 ||
			nla_put(msg, s->attr, s->len, s->value) < 0)
		g_error("out of memory");
	return nl_send_sync(sock, msg); /* takes it over */
}

/* Tells of each packet what conntrack knows of its connection, where the kernel can; the log does
 * without else. */
static int set_flags(IscNlSock *sock, guint16 group)
{
	const guint16 with = htons(NFULNL_CFG_F_SEQ | NFULNL_CFG_F_CONNTRACK);
	const guint16 without = htons(NFULNL_CFG_F_SEQ);
	int err = set(sock, group, &(Setting){ NFULA_CFG_FLAGS, &with, sizeof with });
	return err < 0 ? set(sock, group, &(Setting){ NFULA_CFG_FLAGS, &without, sizeof without })
		       : err;
}

static int set_all(IscNlSock *sock, guint16 group)
{
	const struct nfulnl_msg_config_cmd bind = { .command = NFULNL_CFG_CMD_BIND };
	const struct nfulnl_msg_config_mode mode = { .copy_range = htonl(ISC_PACKET_LOG_BYTES),
		.copy_mode = NFULNL_COPY_PACKET };
	const guint32 bytes = htonl(BUNDLE_BYTES), bundle = htonl(BUNDLE), wait = htonl(BUNDLE_CS);
	const Setting settings[] = {
		{ NFULA_CFG_CMD, &bind, sizeof bind },
		{ NFULA_CFG_MODE, &mode, sizeof mode },
		{ NFULA_CFG_NLBUFSIZ, &bytes, sizeof bytes },
		{ NFULA_CFG_QTHRESH, &bundle, sizeof bundle },
		{ NFULA_CFG_TIMEOUT, &wait, sizeof wait },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
		int err = set(sock, group, &settings[i]);
		if (err < 0)
			return err;
	}
	return set_flags(sock, group);
}

int isc_packet_log_open(guint16 group, GError **error)
{
	const int bytes = WAITING_BYTES;
	g_autoptr(IscNlSock) sock = nl_socket_alloc();
	if (!sock)
		g_error("out of memory");
	/* Packets come in between the answers, and answer nothing. */
	nl_socket_disable_seq_check(sock);
	int err = nl_connect(sock, NETLINK_NETFILTER);
	if (err >= 0)
		err = set_all(sock, group);
	if (err == -NLE_PERM || err == -NLE_BUSY) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"packet log: another program reads NFLOG group %u (its netlink "
				"port is in /proc/net/netfilter/nfnetlink_log): end it",
				group);
		return -1;
	}
	if (err < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "packet log: NFLOG group %u: %s",
				group, nl_geterror(err));
		return -1;
	}
	(void)setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
	isc_autofd int fd = fcntl(nl_socket_get_fd(sock), F_DUPFD_CLOEXEC, 3);
	if (fd < 0 || fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
		isc_error_set_errno(error, errno, "packet log");
		return -1;
	}
	return isc_steal_fd(&fd);
}
