#include "engine/nft-write.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "base/error.h"
#include "engine/nft-msg.h"

#define ELEMENTS_PER_MESSAGE 256      /* the list is one attribute of at most 64 KiB */
#define SEND_BUFFER (8 * 1024 * 1024) /* bytes; a transaction is one datagram */

struct IscNftWriter {
	struct nl_sock *socket;
};

IscNftWriter *isc_nft_writer_new(GError **error)
{
	g_autoptr(IscNftWriter) writer = g_new0(IscNftWriter, 1);
	const int size = SEND_BUFFER;

	writer->socket = nl_socket_alloc();
	if (!writer->socket)
		g_error("out of memory");
	int err = nl_connect(writer->socket, NETLINK_NETFILTER);
	if (err < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "nf_tables, cannot connect: %s",
				nl_geterror(err));
		return NULL;
	}
	/* Beyond the limit of ordinary users with CAP_NET_ADMIN; without it, up to that limit. */
	int fd = nl_socket_get_fd(writer->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	return g_steal_pointer(&writer);
}

void isc_nft_writer_free(IscNftWriter *writer)
{
	if (!writer)
		return;
	nl_socket_free(writer->socket);
	g_free(writer);
}

guint32 isc_nft_writer_port(const IscNftWriter *writer)
{
	return nl_socket_get_local_port(writer->socket);
}

/* --- the batch ------------------------------------------------------------------------------- */

typedef struct {
	IscNftWriter *writer;
	GByteArray *bytes;
	GPtrArray *sets;     /* by sequence number from @first on: the set's name */
	guint32 first, last; /* sequence numbers of the messages between begin and end */
} Batch;

static void append(Batch *b, IscNlMsg *msg)
{
	struct nlmsghdr *head = nlmsg_hdr(msg);

	head->nlmsg_seq = nl_socket_use_seq(b->writer->socket);
	head->nlmsg_pid = isc_nft_writer_port(b->writer);
	g_byte_array_append(b->bytes, (const guint8 *)head, head->nlmsg_len);
	g_byte_array_set_size(b->bytes, NLMSG_ALIGN(b->bytes->len));
	b->last = head->nlmsg_seq;
}

static void append_mark(Batch *b, int type)
{
	const struct nfgenmsg head = { .version = NFNETLINK_V0,
		.res_id = htons(NFNL_SUBSYS_NFTABLES) };
	g_autoptr(IscNlMsg) msg = nlmsg_alloc_simple(type, NLM_F_REQUEST);

	if (!msg || nlmsg_append(msg, (void *)&head, sizeof head, NLMSG_ALIGNTO) < 0)
		g_error("out of memory");
	append(b, msg);
}

/* "limit rate over RATE bytes/second burst … bytes" of one element. */
static gboolean put_limit(IscNlMsg *msg, guint64 rate)
{
	struct nlattr *expr = nla_nest_start(msg, NFTA_SET_ELEM_EXPR | NLA_F_NESTED), *data;

	if (!expr || nla_put_string(msg, NFTA_EXPR_NAME, "limit") < 0 ||
			!(data = nla_nest_start(msg, NFTA_EXPR_DATA | NLA_F_NESTED)) ||
			nla_put_u64(msg, NFTA_LIMIT_RATE, GUINT64_TO_BE(rate)) < 0 ||
			nla_put_u64(msg, NFTA_LIMIT_UNIT, GUINT64_TO_BE((guint64)1)) < 0 ||
			nla_put_u32(msg, NFTA_LIMIT_BURST, htonl(isc_nft_burst(rate))) < 0 ||
			nla_put_u32(msg, NFTA_LIMIT_TYPE, htonl(NFT_LIMIT_PKT_BYTES)) < 0 ||
			nla_put_u32(msg, NFTA_LIMIT_FLAGS, htonl(NFT_LIMIT_F_INV)) < 0)
		return FALSE;
	nla_nest_end(msg, data);
	nla_nest_end(msg, expr);
	return TRUE;
}

static gboolean put_element(IscNlMsg *msg, const IscNftElement *e, gboolean comes)
{
	const IscNftSetInfo *info = isc_nft_set_info(e->set);
	struct nlattr *item = nla_nest_start(msg, NFTA_LIST_ELEM | NLA_F_NESTED);

	if (!item || !isc_nft_msg_put_value(msg, NFTA_SET_ELEM_KEY, e->key, info->key_len) ||
			(info->is_interval && !isc_nft_msg_put_value(msg, NFTA_SET_ELEM_KEY_END,
							      e->key_end, info->key_len)) ||
			(comes && info->data_len &&
					!isc_nft_msg_put_value(msg, NFTA_SET_ELEM_DATA, e->data,
							info->data_len)) ||
			(comes && e->rate && !put_limit(msg, e->rate)))
		return FALSE;
	nla_nest_end(msg, item);
	return TRUE;
}

static IscNlMsg *begin_list(
		gboolean comes, gboolean is_bridge, const gchar *set, struct nlattr **list)
{
	IscNlMsg *msg = isc_nft_msg_new(comes ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
			(comes ? NLM_F_CREATE : 0) | NLM_F_ACK, is_bridge);

	if (nla_put_string(msg, NFTA_SET_ELEM_LIST_TABLE, ISC_NFT_TABLE) < 0 ||
			nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, set) < 0 ||
			!(*list = nla_nest_start(msg, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED)))
		g_error("out of memory");
	return msg;
}

static void end_list(Batch *b, IscNlMsg *msg, struct nlattr *list, const gchar *set)
{
	nla_nest_end(msg, list);
	append(b, msg);
	g_ptr_array_add(b->sets, (gpointer)set);
}

/* Elements are grouped by set, as one message holds those of one set. */
static void append_elements(Batch *b, const GPtrArray *elements, gboolean comes)
{
	for (guint set = 0; elements && set < ISC_N_NFT_SETS; set++) {
		const IscNftSetInfo *info = isc_nft_set_info((IscNftSet)set);
		guint i = 0;
		while (i < elements->len) {
			g_autoptr(IscNlMsg) msg = NULL;
			struct nlattr *list;
			for (guint n = 0; i < elements->len && n < ELEMENTS_PER_MESSAGE; i++) {
				const IscNftElement *e = g_ptr_array_index(elements, i);
				if (e->set != set)
					continue;
				if (!msg)
					msg = begin_list(comes, info->is_bridge, info->name, &list);
				if (!put_element(msg, e, comes))
					g_error("out of memory");
				n++;
			}
			if (msg)
				end_list(b, msg, list, info->name);
		}
	}
}

/* Counters exist only of kinds that have happened: added first, each can be deleted. */
static void append_forget(Batch *b, const IscFence *fence, gboolean is_bridge, gboolean comes)
{
	struct nlattr *list;
	g_autoptr(IscNlMsg) msg = begin_list(comes, is_bridge, "dropped", &list);
	const guint key_len = is_bridge ? 20 : 8;

	for (guint32 kind = 1; kind < ISC_N_DROPS; kind++) {
		guint8 key[20] = { 0 };
		const guint32 address = htonl(fence->address);
		struct nlattr *item = nla_nest_start(msg, NFTA_LIST_ELEM | NLA_F_NESTED);
		if (is_bridge)
			memcpy(key, fence->tap, strlen(fence->tap));
		else
			memcpy(key, &address, sizeof address);
		memcpy(key + key_len - 4, &kind, sizeof kind);
		if (!item || !isc_nft_msg_put_value(msg, NFTA_SET_ELEM_KEY, key, key_len))
			g_error("out of memory");
		nla_nest_end(msg, item);
	}
	end_list(b, msg, list, "dropped");
}

/* The same of what was let through. */
static void append_forget_passes(Batch *b, const IscFence *fence, IscPassKind kind, gboolean comes)
{
	const gchar *set = kind == ISC_PASS_EXPOSED ? "count-exposed" : "count-allowed";
	const guint32 address = htonl(fence->address);
	struct nlattr *list;
	g_autoptr(IscNlMsg) msg = begin_list(comes, FALSE, set, &list);
	struct nlattr *item = nla_nest_start(msg, NFTA_LIST_ELEM | NLA_F_NESTED);

	if (!item || !isc_nft_msg_put_value(msg, NFTA_SET_ELEM_KEY, (const guint8 *)&address,
				     sizeof address))
		g_error("out of memory");
	nla_nest_end(msg, item);
	end_list(b, msg, list, set);
}

/* --- sending --------------------------------------------------------------------------------- */

/* The kernel has done its work, and queued all answers, when send returns: one per message, and of
 * a failure that concerns the whole, one for the first. */
static gboolean take_answers(Batch *b, GError **error)
{
	guint8 buffer[16384] __attribute__((aligned(8)));
	guint n_good = 0;
	int failure = 0;
	const gchar *set = "?";

	for (;;) {
		ssize_t got = recv(nl_socket_get_fd(b->writer->socket), buffer, sizeof buffer,
				MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			break;
		if (got < 0)
			return isc_error_set_errno(
					error, errno, "nf_tables, cannot read the answer");
		int rest = (int)got;
		for (struct nlmsghdr *head = (struct nlmsghdr *)(void *)buffer;
				nlmsg_ok(head, rest); head = nlmsg_next(head, &rest)) {
			const struct nlmsgerr *e = nlmsg_data(head);
			if (head->nlmsg_type != NLMSG_ERROR)
				continue;
			guint32 index = head->nlmsg_seq - b->first;
			if (e->error == 0)
				n_good++;
			else if (!failure)
				set = index < b->sets->len ? g_ptr_array_index(b->sets, index)
							   : "?";
			failure = failure ? failure : -e->error;
		}
	}
	if (!failure && n_good == b->sets->len)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "nf_tables, set '%s': %s", set,
			failure ? g_strerror(failure) : "no answer");
	return FALSE;
}

gboolean isc_nft_write(IscNftWriter *writer, const GPtrArray *gone, const GPtrArray *come,
		const IscFence *forget, GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	g_autoptr(GPtrArray) sets = g_ptr_array_new();
	Batch b = { writer, bytes, sets, 0, 0 };

	append_mark(&b, NFNL_MSG_BATCH_BEGIN);
	b.first = b.last + 1;
	append_elements(&b, gone, /* comes= */ FALSE);
	append_elements(&b, come, /* comes= */ TRUE);
	for (guint i = 0; forget && i < 4; i++)
		append_forget(&b, forget, /* is_bridge= */ i < 2, /* comes= */ i % 2 == 0);
	for (guint i = 0; forget && i < 2 * ISC_N_PASSES; i++)
		append_forget_passes(&b, forget, (IscPassKind)(i / 2), /* comes= */ i % 2 == 0);
	if (sets->len == 0)
		return TRUE;
	append_mark(&b, NFNL_MSG_BATCH_END);

	int err = nl_sendto(writer->socket, bytes->data, bytes->len);
	if (err < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "nf_tables, cannot send: %s",
				nl_geterror(err));
		return FALSE;
	}
	return take_answers(&b, error);
}
