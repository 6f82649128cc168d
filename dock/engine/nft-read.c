#include "engine/nft-read.h"

#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "base/error.h"
#include "engine/nft-msg.h"

#define DUMP_TRIES 8 /* a dump during which the ruleset changes is begun anew */

typedef struct nl_cb IscNlCb;
static void cb_unref(IscNlCb *cb)
{
	nl_cb_put(cb);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNlCb, cb_unref)

struct IscNftReader {
	struct nl_sock *socket;
};

static gboolean fail(GError **error, int err, const gchar *what)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "nf_tables, %s: %s", what, nl_geterror(err));
	return FALSE;
}

IscNftReader *isc_nft_reader_new(GError **error)
{
	g_autoptr(IscNftReader) reader = g_new0(IscNftReader, 1);

	reader->socket = nl_socket_alloc();
	if (!reader->socket)
		g_error("out of memory");
	int err = nl_connect(reader->socket, NETLINK_NETFILTER);
	if (err < 0) {
		fail(error, err, "cannot connect");
		return NULL;
	}
	nl_socket_enable_msg_peek(reader->socket);
	return g_steal_pointer(&reader);
}

void isc_nft_reader_free(IscNftReader *reader)
{
	if (!reader)
		return;
	nl_socket_free(reader->socket);
	g_free(reader);
}

/* Sends @msg and hands each answer to @each until the kernel is done.  Returns 0 or a negative
 * libnl error. */
static int exchange(IscNftReader *reader, IscNlMsg *msg, nl_recvmsg_msg_cb_t each, gpointer data)
{
	g_autoptr(IscNlCb) own = nl_socket_get_cb(reader->socket); /* a reference of ours */
	g_autoptr(IscNlCb) cb = nl_cb_clone(own);
	if (!cb)
		g_error("out of memory");
	gboolean is_dump = (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, each, data);

	int err = nl_send_auto(reader->socket, msg);
	if (err < 0)
		return err;
	err = nl_recvmsgs(reader->socket, cb);
	/* The answer to a plain request comes before, and apart from, its acknowledgement. */
	return err < 0 || is_dump ? MIN(err, 0) : nl_wait_for_ack(reader->socket);
}

static int dump(IscNftReader *reader, guint type, gboolean is_bridge, guint table_attr,
		guint set_attr, const gchar *set, nl_recvmsg_msg_cb_t each, gpointer data)
{
	g_autoptr(IscNlMsg) msg = isc_nft_msg_new(type, NLM_F_DUMP, is_bridge);

	if (nla_put_string(msg, (int)table_attr, ISC_NFT_TABLE) < 0 ||
			(set && nla_put_string(msg, (int)set_attr, set) < 0))
		g_error("out of memory");
	return exchange(reader, msg, each, data);
}

/* --- elements -------------------------------------------------------------------------------- */

/* Copies the value within @attr (NFTA_SET_ELEM_KEY, …) to @to; FALSE if it is not @len bytes long.
 */
static gboolean take_value(struct nlattr *attr, guint8 *to, guint len)
{
	struct nlattr *value =
			attr ? nla_find(nla_data(attr), nla_len(attr), NFTA_DATA_VALUE) : NULL;
	if (!value || nla_len(value) != (int)len)
		return FALSE;
	memcpy(to, nla_data(value), len);
	return TRUE;
}

static guint64 take_be64(struct nlattr *attr)
{
	guint64 value = 0;
	if (attr && nla_len(attr) == 8)
		memcpy(&value, nla_data(attr), sizeof value);
	return GUINT64_FROM_BE(value);
}

/* Bytes per second of the limit that an element carries; 0: none. */
static guint64 take_limit(struct nlattr *attr)
{
	struct nlattr *expr[NFTA_EXPR_MAX + 1], *tb[NFTA_LIMIT_MAX + 1];

	if (!attr || nla_parse_nested(expr, NFTA_EXPR_MAX, attr, NULL) < 0 ||
			!expr[NFTA_EXPR_DATA] ||
			nla_parse_nested(tb, NFTA_LIMIT_MAX, expr[NFTA_EXPR_DATA], NULL) < 0)
		return 0;
	guint64 unit = take_be64(tb[NFTA_LIMIT_UNIT]);
	return unit ? take_be64(tb[NFTA_LIMIT_RATE]) / unit : 0;
}

typedef struct {
	IscNftSet set;
	GArray *out; /* of IscNftElement */
} Elements;

/* Hands the attributes of each element in @msg to @each; those that cannot be read are left out. */
static int walk(struct nl_msg *msg, void (*each)(struct nlattr **tb, gpointer data), gpointer data)
{
	struct nlattr *list = nlmsg_find_attr(
			nlmsg_hdr(msg), sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *item, *tb[NFTA_SET_ELEM_MAX + 1];
	int rest;

	if (!list)
		return NL_OK;
	nla_for_each_nested(item, list, rest)
	{
		if (nla_parse_nested(tb, NFTA_SET_ELEM_MAX, item, NULL) == 0)
			each(tb, data);
	}
	return NL_OK;
}

static void take_element(struct nlattr **tb, gpointer data)
{
	Elements *e = data;
	const IscNftSetInfo *info = isc_nft_set_info(e->set);
	IscNftElement element = { .set = e->set };

	if (!take_value(tb[NFTA_SET_ELEM_KEY], element.key, info->key_len))
		return;
	if (!take_value(tb[NFTA_SET_ELEM_KEY_END], element.key_end, info->key_len))
		memcpy(element.key_end, element.key, sizeof element.key);
	if (info->data_len)
		take_value(tb[NFTA_SET_ELEM_DATA], element.data, info->data_len);
	element.rate = take_limit(tb[NFTA_SET_ELEM_EXPR]);
	g_array_append_val(e->out, element);
}

static int on_elements(struct nl_msg *msg, void *data)
{
	return walk(msg, take_element, data);
}

/* Asks for one element; @key_end: of an interval set, else NULL.  The kernel answers with it, or
 * with ENOENT. */
static IscNlMsg *request_for(gboolean is_bridge, const gchar *set, const guint8 *key,
		const guint8 *key_end, guint len)
{
	IscNlMsg *msg = isc_nft_msg_new(NFT_MSG_GETSETELEM, NLM_F_ACK, is_bridge);
	struct nlattr *list, *item;

	if (nla_put_string(msg, NFTA_SET_ELEM_LIST_TABLE, ISC_NFT_TABLE) < 0 ||
			nla_put_string(msg, NFTA_SET_ELEM_LIST_SET, set) < 0 ||
			!(list = nla_nest_start(msg, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED)) ||
			!(item = nla_nest_start(msg, NFTA_LIST_ELEM | NLA_F_NESTED)) ||
			!isc_nft_msg_put_value(msg, NFTA_SET_ELEM_KEY, key, len) ||
			(key_end && !isc_nft_msg_put_value(
						    msg, NFTA_SET_ELEM_KEY_END, key_end, len)))
		g_error("out of memory");
	nla_nest_end(msg, item);
	nla_nest_end(msg, list);
	return msg;
}

gboolean isc_nft_read_has(IscNftReader *reader, const GPtrArray *elements, gboolean *all,
		const IscNftElement **missing, GError **error)
{
	g_autoptr(GArray) found = g_array_new(FALSE, TRUE, sizeof(IscNftElement));

	if (missing)
		*missing = NULL;
	*all = TRUE;
	for (guint i = 0; i < elements->len; i++) {
		const IscNftElement *e = g_ptr_array_index(elements, i);
		Elements answer = { e->set, found };
		const IscNftSetInfo *info = isc_nft_set_info(e->set);
		g_autoptr(IscNlMsg) msg = request_for(info->is_bridge, info->name, e->key,
				info->is_interval ? e->key_end : NULL, info->key_len);
		g_array_set_size(found, 0);
		int err = exchange(reader, msg, on_elements, &answer);
		if (err < 0 && err != -NLE_OBJ_NOTFOUND)
			return fail(error, err, "cannot read an element back");
		const IscNftElement *got = (const IscNftElement *)(void *)found->data;
		if (err == 0 && found->len == 1 && isc_nft_element_equal(got, e) &&
				got->rate == e->rate &&
				memcmp(got->data, e->data, sizeof e->data) == 0)
			continue;
		if (missing)
			*missing = e;
		*all = FALSE;
		break;
	}
	return TRUE;
}

GArray *isc_nft_read_set(IscNftReader *reader, IscNftSet set, GError **error)
{
	const IscNftSetInfo *info = isc_nft_set_info(set);
	g_autoptr(GArray) out = g_array_new(FALSE, TRUE, sizeof(IscNftElement));
	Elements elements = { set, out };
	int err = 0;

	for (guint i = 0; i < DUMP_TRIES; i++) {
		g_array_set_size(out, 0);
		err = dump(reader, NFT_MSG_GETSETELEM, info->is_bridge, NFTA_SET_ELEM_LIST_TABLE,
				NFTA_SET_ELEM_LIST_SET, info->name, on_elements, &elements);
		if (err != -NLE_DUMP_INTR)
			break;
	}
	if (err < 0 && err != -NLE_OBJ_NOTFOUND) {
		fail(error, err, "cannot read a set back");
		return NULL;
	}
	return g_steal_pointer(&out);
}

/* --- rules ----------------------------------------------------------------------------------- */

typedef struct {
	GChecksum *sum;
	guint table_attr;
	guint n;
} Print;

static int on_printable(struct nl_msg *msg, void *data)
{
	Print *print = data;
	struct nlmsghdr *head = nlmsg_hdr(msg);
	struct nlattr *table =
			nlmsg_find_attr(head, sizeof(struct nfgenmsg), (int)print->table_attr);

	if (!table || nla_strcmp(table, ISC_NFT_TABLE) != 0)
		return NL_OK;
	/* The nfgenmsg holds the generation, which every change by anyone moves. */
	g_checksum_update(print->sum, (guint8 *)nlmsg_data(head) + sizeof(struct nfgenmsg),
			nlmsg_datalen(head) - (gssize)sizeof(struct nfgenmsg));
	print->n++;
	return NL_OK;
}

static int print_once(IscNftReader *reader, GChecksum *sum, guint *n_rules)
{
	static const struct {
		guint type, table_attr;
	} kinds[] = {
		{ NFT_MSG_GETTABLE, NFTA_TABLE_NAME },
		{ NFT_MSG_GETCHAIN, NFTA_CHAIN_TABLE },
		{ NFT_MSG_GETRULE, NFTA_RULE_TABLE },
	};

	*n_rules = 0;
	for (guint i = 0; i < 2 * G_N_ELEMENTS(kinds); i++) {
		Print print = { sum, kinds[i / 2].table_attr, 0 };
		int err = dump(reader, kinds[i / 2].type, i % 2, print.table_attr, 0, NULL,
				on_printable, &print);
		if (err < 0 && err != -NLE_OBJ_NOTFOUND)
			return err;
		if (kinds[i / 2].type == NFT_MSG_GETRULE)
			*n_rules += print.n;
	}
	return 0;
}

gchar *isc_nft_read_print(IscNftReader *reader, guint *n_rules, GError **error)
{
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	guint n;
	int err = 0;

	for (guint i = 0; i < DUMP_TRIES; i++) {
		g_checksum_reset(sum);
		err = print_once(reader, sum, &n);
		if (err != -NLE_DUMP_INTR)
			break;
	}
	if (err < 0) {
		fail(error, err, "cannot read the rules back");
		return NULL;
	}
	if (n_rules)
		*n_rules = n;
	return g_strdup(g_checksum_get_string(sum));
}

/* --- counters -------------------------------------------------------------------------------- */

static void take_counter(struct nlattr *attr, guint64 *packets, guint64 *bytes)
{
	struct nlattr *tb[NFTA_COUNTER_MAX + 1];
	if (!attr || nla_parse_nested(tb, NFTA_COUNTER_MAX, attr, NULL) < 0)
		return;
	*packets += take_be64(tb[NFTA_COUNTER_PACKETS]);
	*bytes += take_be64(tb[NFTA_COUNTER_BYTES]);
}

typedef struct {
	gboolean is_bridge;
	GArray *out; /* of IscNftCount */
} Counts;

static void take_count(struct nlattr **tb, gpointer data)
{
	Counts *c = data;
	IscNftCount count = { .is_bridge = c->is_bridge };
	struct nlattr *expr[NFTA_EXPR_MAX + 1];
	guint8 key[20];
	guint32 mark;
	const guint len = c->is_bridge ? 20 : 8; /* tap . mark, address . mark */

	if (!take_value(tb[NFTA_SET_ELEM_KEY], key, len) || !tb[NFTA_SET_ELEM_EXPR] ||
			nla_parse_nested(expr, NFTA_EXPR_MAX, tb[NFTA_SET_ELEM_EXPR], NULL) < 0)
		return;
	memcpy(&mark, key + len - 4, sizeof mark);
	if (mark == 0 || mark >= ISC_N_DROPS)
		return;
	count.kind = (IscDropKind)mark;
	if (c->is_bridge)
		memcpy(count.tap, key, 15);
	else
		count.address = (guint32)key[0] << 24 | (guint32)key[1] << 16 |
				(guint32)key[2] << 8 | key[3];
	take_counter(expr[NFTA_EXPR_DATA], &count.packets, &count.bytes);
	g_array_append_val(c->out, count);
}

static int on_counts(struct nl_msg *msg, void *data)
{
	return walk(msg, take_count, data);
}

GArray *isc_nft_read_counts(IscNftReader *reader, GError **error)
{
	g_autoptr(GArray) out = g_array_new(FALSE, TRUE, sizeof(IscNftCount));

	for (guint i = 0, tries = 0; i < 2; i++) {
		Counts counts = { (gboolean)i, out };
		guint before = out->len;
		int err = dump(reader, NFT_MSG_GETSETELEM, counts.is_bridge,
				NFTA_SET_ELEM_LIST_TABLE, NFTA_SET_ELEM_LIST_SET, "dropped",
				on_counts, &counts);
		if (err == -NLE_DUMP_INTR && ++tries < DUMP_TRIES) {
			g_array_set_size(out, before);
			i--;
			continue;
		}
		if (err < 0 && err != -NLE_OBJ_NOTFOUND) {
			fail(error, err, "cannot read the counters");
			return NULL;
		}
	}
	return g_steal_pointer(&out);
}

GArray *isc_nft_read_counts_of(
		IscNftReader *reader, const gchar *tap, guint32 address, GError **error)
{
	g_autoptr(GArray) out = g_array_new(FALSE, TRUE, sizeof(IscNftCount));
	const guint32 sender = GUINT32_TO_BE(address);

	for (guint i = 0; i < 2 * (ISC_N_DROPS - 1); i++) {
		Counts counts = { (gboolean)(i % 2), out };
		const guint len = counts.is_bridge ? 20 : 8;
		const guint32 mark = 1 + i / 2;
		guint8 key[20] = { 0 };
		if (counts.is_bridge)
			g_strlcpy((gchar *)key, tap, 16);
		else
			memcpy(key, &sender, sizeof sender);
		memcpy(key + len - 4, &mark, sizeof mark);
		g_autoptr(IscNlMsg) msg = request_for(counts.is_bridge, "dropped", key, NULL, len);
		int err = exchange(reader, msg, on_counts, &counts);
		if (err < 0 && err != -NLE_OBJ_NOTFOUND) {
			fail(error, err, "cannot read the counters");
			return NULL;
		}
	}
	return g_steal_pointer(&out);
}

/* The element of one node, or none. */
static void take_pass(struct nlattr **tb, gpointer data)
{
	guint64 *passed = data, bytes = 0;
	struct nlattr *expr[NFTA_EXPR_MAX + 1];

	if (tb[NFTA_SET_ELEM_EXPR] &&
			nla_parse_nested(expr, NFTA_EXPR_MAX, tb[NFTA_SET_ELEM_EXPR], NULL) == 0)
		take_counter(expr[NFTA_EXPR_DATA], passed, &bytes);
}

static int on_passes(struct nl_msg *msg, void *data)
{
	return walk(msg, take_pass, data);
}

gboolean isc_nft_read_passes_of(
		IscNftReader *reader, guint32 address, guint64 passed[ISC_N_PASSES], GError **error)
{
	const guint32 key = GUINT32_TO_BE(address);

	for (guint kind = 0; kind < ISC_N_PASSES; kind++) {
		g_autofree gchar *set = g_strconcat("count-", isc_pass_name(kind), NULL);
		g_autoptr(IscNlMsg) msg =
				request_for(FALSE, set, (const guint8 *)&key, NULL, sizeof key);
		passed[kind] = 0;
		int err = exchange(reader, msg, on_passes, &passed[kind]);
		if (err < 0 && err != -NLE_OBJ_NOTFOUND)
			return fail(error, err, "cannot read the counters");
	}
	return TRUE;
}

typedef struct {
	guint64 *packets, *bytes, *passed;
} Sums;

static int on_sum(struct nl_msg *msg, void *data)
{
	Sums *sums = data;
	struct nlattr *tb[NFTA_OBJ_MAX + 1];
	guint64 packets = 0, bytes = 0;

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct nfgenmsg), tb, NFTA_OBJ_MAX, NULL) < 0 ||
			!tb[NFTA_OBJ_TABLE] || nla_strcmp(tb[NFTA_OBJ_TABLE], ISC_NFT_TABLE) != 0 ||
			!tb[NFTA_OBJ_NAME])
		return NL_OK;
	const gchar *name = nla_get_string(tb[NFTA_OBJ_NAME]);
	take_counter(tb[NFTA_OBJ_DATA], &packets, &bytes);
	for (guint kind = 0; kind < ISC_N_PASSES; kind++)
		if (strcmp(name, isc_pass_counter(kind)) == 0)
			sums->passed[kind] += packets;
	for (guint kind = 1; kind < ISC_N_DROPS && g_str_has_prefix(name, "drop-"); kind++) {
		if (strcmp(name + 5, isc_drop_name((IscDropKind)kind)) != 0)
			continue;
		sums->packets[kind] += packets;
		sums->bytes[kind] += bytes;
	}
	return NL_OK;
}

gboolean isc_nft_read_sums(IscNftReader *reader, guint64 packets[ISC_N_DROPS],
		guint64 bytes[ISC_N_DROPS], guint64 passed[ISC_N_PASSES], GError **error)
{
	Sums sums = { packets, bytes, passed };

	for (guint tries = 0; tries < DUMP_TRIES; tries++) {
		int err = 0;
		memset(packets, 0, sizeof *packets * ISC_N_DROPS);
		memset(bytes, 0, sizeof *bytes * ISC_N_DROPS);
		memset(passed, 0, sizeof *passed * ISC_N_PASSES);
		for (gint is_bridge = 0; is_bridge < 2 && err == 0; is_bridge++)
			err = dump(reader, NFT_MSG_GETOBJ, is_bridge, NFTA_OBJ_TABLE, 0, NULL,
					on_sum, &sums);
		if (err == 0 || err == -NLE_OBJ_NOTFOUND)
			return TRUE;
		if (err != -NLE_DUMP_INTR)
			return fail(error, err, "cannot read the counters");
	}
	return fail(error, -NLE_DUMP_INTR, "cannot read the counters");
}
