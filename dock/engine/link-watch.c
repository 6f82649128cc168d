#include "engine/link-watch.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "base/error.h"
#include "engine/rtnl.h"

#define SETTLE_MS 5 /* one that changes its MAC again and again is told of once */
/* Messages a turn of the main loop: whoever changes a MAC as fast as it can does not hold it up. */
#define TURN_MAX 256

typedef struct {
	const gchar *prefix;
	gboolean (*is_bad)(const guint8 mac[6]);
	GArray *found; /* of IscLinkTrouble */
} Search;

struct IscLinkWatch {
	Search search;
	struct nl_sock *socket;
	GMainContext *context;
	GSource *source; /* the socket */
	GSource *later;  /* the call back that is due, or NULL */
	void (*amiss)(const IscLinkTrouble *trouble, gpointer data);
	gpointer data;
};

static void add(Search *s, const IscLinkTrouble *trouble)
{
	for (guint i = 0; i < s->found->len; i++)
		if (g_array_index(s->found, IscLinkTrouble, i).index == trouble->index)
			return;
	g_array_append_val(s->found, *trouble);
}

static int on_message(struct nl_msg *msg, void *data)
{
	Search *s = data;
	struct nlmsghdr *head = nlmsg_hdr(msg);
	const struct ifinfomsg *info = nlmsg_data(head);
	struct nlattr *tb[IFLA_MAX + 1];
	IscLinkTrouble trouble = { 0 };

	/* A bridge tells of its ports in messages of its own family, too. */
	if (head->nlmsg_type != RTM_NEWLINK ||
			nlmsg_parse(head, sizeof *info, tb, IFLA_MAX, NULL) < 0 ||
			info->ifi_family != AF_UNSPEC || !tb[IFLA_IFNAME] || !tb[IFLA_MASTER] ||
			!tb[IFLA_ADDRESS] || nla_len(tb[IFLA_ADDRESS]) != sizeof trouble.mac)
		return NL_OK;
	nla_strlcpy(trouble.name, tb[IFLA_IFNAME], sizeof trouble.name);
	memcpy(trouble.mac, nla_data(tb[IFLA_ADDRESS]), sizeof trouble.mac);
	trouble.index = (guint)info->ifi_index;
	if (g_str_has_prefix(trouble.name, s->prefix) && s->is_bad(trouble.mac))
		add(s, &trouble);
	return NL_OK;
}

GArray *isc_link_watch_find(
		const gchar *prefix, gboolean (*is_bad)(const guint8 mac[6]), GError **error)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(IscLinkTrouble));
	Search s = { prefix, is_bad, found };
	int err = -NLE_DUMP_INTR;

	for (guint tries = 0; tries < 10 && err == -NLE_DUMP_INTR; tries++) {
		g_autoptr(IscNlMsg) msg =
				isc_rtnl_message(RTM_GETLINK, NLM_F_DUMP, &head, sizeof head);
		err = isc_rtnl_talk(msg, on_message, &s);
	}
	if (err == 0)
		return g_steal_pointer(&found);
	isc_rtnl_fail(error, err, "cannot list the dock's interfaces beginning with", prefix);
	return NULL;
}

static gboolean on_settled(gpointer data)
{
	IscLinkWatch *w = data;
	g_autoptr(GArray) found = w->search.found;

	g_clear_pointer(&w->later, g_source_unref);
	w->search.found = g_array_new(FALSE, FALSE, sizeof(IscLinkTrouble));
	for (guint i = 0; i < found->len; i++)
		w->amiss(&g_array_index(found, IscLinkTrouble, i), w->data);
	return G_SOURCE_REMOVE;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
	IscLinkWatch *w = data;
	const IscLinkTrouble lost = { 0 };
	int err = 0;

	(void)fd;
	(void)condition;
	for (guint n = 0; n < TURN_MAX && err != -NLE_AGAIN; n++) {
		err = nl_recvmsgs_default(w->socket);
		if (err == -NLE_NOMEM) /* the kernel had more to say than the socket holds */
			add(&w->search, &lost);
	}
	if (w->later || w->search.found->len == 0)
		return G_SOURCE_CONTINUE;
	w->later = g_timeout_source_new(SETTLE_MS);
	g_source_set_callback(w->later, on_settled, w, NULL);
	g_source_attach(w->later, w->context);
	return G_SOURCE_CONTINUE;
}

IscLinkWatch *isc_link_watch_new(GMainContext *context, const gchar *prefix,
		gboolean (*is_bad)(const guint8 mac[6]),
		void (*amiss)(const IscLinkTrouble *trouble, gpointer data), gpointer data,
		GError **error)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_NONE };
	g_autoptr(IscLinkWatch) w = g_new0(IscLinkWatch, 1);

	w->search = (Search){ prefix, is_bad, g_array_new(FALSE, FALSE, sizeof(IscLinkTrouble)) };
	w->amiss = amiss;
	w->data = data;
	w->context = context ? g_main_context_ref(context) : NULL;
	w->socket = isc_rtnl_listen(groups, "the nodes' links", error);
	if (!w->socket)
		return NULL;
	nl_socket_modify_cb(w->socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, &w->search);
	w->source = isc_rtnl_attach(w->socket, w->context, on_readable, w);
	return g_steal_pointer(&w);
}

void isc_link_watch_free(IscLinkWatch *w)
{
	if (!w)
		return;
	isc_rtnl_detach(&w->source);
	isc_rtnl_detach(&w->later);
	nl_socket_free(w->socket);
	g_clear_pointer(&w->search.found, g_array_unref);
	g_clear_pointer(&w->context, g_main_context_unref);
	g_free(w);
}
