#include "engine/firewall-watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"

#define RETRY_MS 1000       /* while the boundary cannot be restored */
#define MIN_INTERVAL_MS 100 /* between two restorations: somebody may be fighting us */
#define AUTHOR_MS 10        /* who made a change is announced last, and may be on its way yet */

struct IscFirewallWatch {
	IscFirewall *fw;
	IscFirewallCallback callback;
	gpointer data;
	struct nl_sock *socket;
	GMainContext *context;
	GSource *source;   /* the socket */
	GSource *later;    /* the next attempt, or NULL */
	gboolean is_dirty; /* someone else has changed our tables, or announcements were lost */
	gboolean is_down;  /* the last restoration failed */
	gint64 last;       /* monotonic, of the last restoration */
	gint64 noticed;    /* monotonic, since when something is amiss; 0: nothing is */
	gchar *who;
};

static gboolean restore(gpointer data);

static void schedule(IscFirewallWatch *w, guint ms)
{
	if (w->later)
		return;
	w->later = g_timeout_source_new(ms);
	g_source_set_callback(w->later, restore, w, NULL);
	g_source_attach(w->later, w->context);
}

static void unschedule(IscFirewallWatch *w)
{
	if (!w->later)
		return;
	g_source_destroy(w->later);
	g_clear_pointer(&w->later, g_source_unref);
}

static gboolean restore(gpointer data)
{
	IscFirewallWatch *w = data;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *why = NULL;
	gboolean intact = FALSE;

	unschedule(w);
	w->is_dirty = FALSE;
	if (w->noticed == 0)
		w->noticed = g_get_monotonic_time();
	if (!isc_firewall_is_intact(w->fw, &intact, &why, &error))
		why = g_strdup("the rules cannot be read");
	if (intact && !w->is_down) { /* it was not ours, or has been changed back */
		g_clear_pointer(&w->who, g_free);
		w->noticed = 0;
		return G_SOURCE_REMOVE;
	}

	g_clear_error(&error);
	if (!intact && !isc_firewall_sync(w->fw, &error))
		schedule(w, RETRY_MS);
	w->last = g_get_monotonic_time();
	const IscFirewallEvent event = { .who = w->who ? w->who : "unknown",
		.why = why ? why : "was down",
		.error = error,
		.took = w->last - w->noticed,
		.again = w->is_down };
	w->is_down = error != NULL;
	if (!error)
		w->noticed = 0;
	w->callback(&event, w->data);
	g_clear_pointer(&w->who, g_free);
	return G_SOURCE_REMOVE;
}

/* The kernel tells pid and name; whose process it is stands in /proc, where it has not ended yet
 * and is seen from here. */
static gchar *user_of(guint32 pid, const gchar *name)
{
	struct stat st;
	g_autofree gchar *dir = g_strdup_printf("/proc/%u", pid);
	g_autofree gchar *path = g_strconcat(dir, "/comm", NULL);
	g_autofree gchar *comm = NULL;

	if (!g_file_get_contents(path, &comm, NULL, NULL) || !g_str_equal(g_strchomp(comm), name) ||
			stat(dir, &st) < 0)
		return g_strdup("");
	return g_strdup_printf(", uid %u", st.st_uid);
}

/* The end of a transaction: who made it. */
static void note_author(IscFirewallWatch *w, struct nlmsghdr *head)
{
	struct nlattr *tb[NFTA_GEN_MAX + 1];

	if (nlmsg_parse(head, sizeof(struct nfgenmsg), tb, NFTA_GEN_MAX, NULL) < 0 ||
			!tb[NFTA_GEN_PROC_PID] || !tb[NFTA_GEN_PROC_NAME])
		return;
	const guint32 pid = ntohl(nla_get_u32(tb[NFTA_GEN_PROC_PID]));
	g_autofree gchar *raw = g_strndup(
			nla_data(tb[NFTA_GEN_PROC_NAME]), (gsize)nla_len(tb[NFTA_GEN_PROC_NAME]));
	g_autofree gchar *user = user_of(pid, raw);
	/* A process may call itself anything. */
	g_autofree gchar *name = isc_text_escape(raw, -1, 16);
	g_free(w->who);
	w->who = g_strdup_printf("%s, pid %u%s", name, pid, user);
}

static int on_message(struct nl_msg *msg, void *data)
{
	IscFirewallWatch *w = data;
	struct nlmsghdr *head = nlmsg_hdr(msg);
	const guint type = head->nlmsg_type & 0xff;

	if (head->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
			isc_firewall_is_own_port(w->fw, head->nlmsg_pid))
		return NL_OK;
	if (type == NFT_MSG_NEWGEN) {
		if (w->is_dirty && !w->who)
			note_author(w, head);
		return NL_OK;
	}
	/* Attribute 1 is the table's name in all of them (NFTA_TABLE_NAME, NFTA_RULE_TABLE, …). */
	struct nlattr *table = nlmsg_find_attr(head, sizeof(struct nfgenmsg), NFTA_RULE_TABLE);
	if (table && nla_strcmp(table, ISC_NFT_TABLE) == 0)
		w->is_dirty = TRUE;
	return NL_OK;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
	IscFirewallWatch *w = data;

	(void)fd;
	(void)condition;
	for (;;) {
		int err = nl_recvmsgs_default(w->socket);
		if (err == -NLE_AGAIN)
			break;
		if (err < 0)
			w->is_dirty = TRUE; /* the kernel had more to say than the socket holds */
		if (err < 0 && err != -NLE_NOMEM && err != -NLE_DUMP_INTR)
			break;
	}
	if (!w->is_dirty)
		return G_SOURCE_CONTINUE;
	if (w->noticed == 0)
		w->noticed = g_get_monotonic_time();
	gint64 since = (g_get_monotonic_time() - w->last) / 1000;
	gint64 wait = w->last == 0 ? 0 : MAX(MIN_INTERVAL_MS - since, 0);
	if (!w->who)
		wait = MAX(wait, AUTHOR_MS);
	if (wait == 0)
		restore(w);
	else
		schedule(w, (guint)wait);
	return G_SOURCE_CONTINUE;
}

IscFirewallWatch *isc_firewall_watch_new(IscFirewall *fw, GMainContext *context,
		IscFirewallCallback callback, gpointer data, GError **error)
{
	g_autoptr(IscFirewallWatch) w = g_new0(IscFirewallWatch, 1);
	int err;

	w->fw = fw;
	w->callback = callback;
	w->data = data;
	w->context = context ? g_main_context_ref(context) : NULL;
	w->socket = nl_socket_alloc();
	if (!w->socket)
		g_error("out of memory");
	nl_socket_disable_seq_check(w->socket);
	nl_socket_modify_cb(w->socket, NL_CB_VALID, NL_CB_CUSTOM, on_message, w);
	if ((err = nl_connect(w->socket, NETLINK_NETFILTER)) < 0 ||
			(err = nl_socket_set_nonblocking(w->socket)) < 0 ||
			(err = nl_socket_set_buffer_size(w->socket, 1024 * 1024, 0)) < 0 ||
			(err = nl_socket_add_membership(w->socket, NFNLGRP_NFTABLES)) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "cannot watch the firewall: %s",
				nl_geterror(err));
		return NULL;
	}
	w->source = g_unix_fd_source_new(nl_socket_get_fd(w->socket), G_IO_IN | G_IO_ERR);
	g_source_set_callback(w->source, G_SOURCE_FUNC(on_readable), w, NULL);
	g_source_attach(w->source, w->context);
	return g_steal_pointer(&w);
}

void isc_firewall_watch_free(IscFirewallWatch *w)
{
	if (!w)
		return;
	if (w->source) {
		g_source_destroy(w->source);
		g_source_unref(w->source);
	}
	unschedule(w);
	nl_socket_free(w->socket);
	g_clear_pointer(&w->context, g_main_context_unref);
	g_free(w->who);
	g_free(w);
}
