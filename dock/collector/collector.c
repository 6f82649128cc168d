#include "collector/collector.h"

#include <glib-unix.h>
#include <netinet/in.h>
#include <string.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/anchor.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "collector/link-server.h"
#include "collector/guest.h"
#include "collector/packet-log.h"
#include "collector/probe.h"

#define WORKERS 4 /* threads that wait for the disk */
#define TICK_S 5
#define PROBES_MAX 1024u
#define STOP_S 5 /* for the last commits */

typedef struct {
	IscGuestHost host;
	IscLinkPeers peers;
	IscLinkServer *link;
	IscPacketLog *packets;
	int guard;         /* of isc-dockd's; -1: none */
	GHashTable *nodes; /* name → IscGuest, owned */
	guint probes;
	guint tick_timer;
	GMainLoop *loop;
	gboolean stopping;
} Collector;

typedef struct {
	Collector *collector;
	IscLinkMsg msg; /* the question */
} Question;

static void tell(gpointer self, const IscLinkMsg *msg)
{
	Collector *c = self;
	isc_link_server_send(c->link, msg);
}

static void answer(Collector *c, const IscLinkMsg *question, IscLinkKind kind, gint64 b)
{
	IscLinkMsg m = *question;
	m.kind = (guint16)kind;
	if (kind == ISC_LINK_CLOSED && question->kind == ISC_LINK_ORDER)
		m.channel = ISC_CHANNEL_CONTROL;
	m.b = b;
	m.c = m.d = m.e = 0;
	memset(m.text, 0, sizeof m.text);
	isc_link_server_send(c->link, &m);
}

/* --- nodes
 * ---------------------------------------------------------------------------------------- */

static gboolean on_tick(gpointer data)
{
	Collector *c = data;
	GHashTableIter i;
	gpointer node;

	g_hash_table_iter_init(&i, c->nodes);
	while (g_hash_table_iter_next(&i, NULL, &node))
		isc_guest_tick(node);
	if (g_hash_table_size(c->nodes) > 0)
		return G_SOURCE_CONTINUE;
	c->tick_timer = 0;
	return G_SOURCE_REMOVE;
}

static IscGuest *find(Collector *c, const IscLinkMsg *m)
{
	IscGuest *node = g_hash_table_lookup(c->nodes, m->node);
	if (node)
		isc_guest_set_slot(node, m->slot);
	return node;
}

/* Also one that it does not serve now, if it left a trail: the collector may have died in between.
 */
static IscGuest *find_or_open(Collector *c, const IscLinkMsg *m, gboolean create)
{
	IscGuest *node = find(c, m);
	int parent;
	const gchar *folder;
	isc_guest_place(&c->host, m->node, &parent, &folder);
	if (node || (!create && faccessat(parent, folder, F_OK, 0) != 0))
		return node;
	node = isc_guest_new(&c->host, m->node, m->slot);
	g_hash_table_insert(c->nodes, (gpointer)isc_guest_name(node), node);
	if (!c->tick_timer)
		c->tick_timer = g_timeout_add_seconds(TICK_S, on_tick, c);
	return node;
}

static gboolean is_socket(int fd, gboolean tcp)
{
	int type, domain;
	socklen_t len = sizeof type;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM)
		return FALSE;
	len = sizeof domain;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0)
		return FALSE;
	return tcp ? domain == AF_INET || domain == AF_INET6 : domain == AF_UNIX;
}

static void attach(Collector *c, const IscLinkMsg *m, int taken)
{
	isc_autofd int fd = taken;
	if (c->stopping)
		return;
	if (!is_socket(fd, FALSE)) {
		g_warning("node %s: what came for channel %u is no unix stream socket", m->node,
				m->channel);
		answer(c, m, ISC_LINK_CLOSED, 0);
		return;
	}
	IscGuest *node = find_or_open(c, m, TRUE);
	if (isc_guest_is_closing(node))
		answer(c, m, ISC_LINK_CLOSED, 0); /* wait for FORGOTTEN first */
	else
		isc_guest_attach(node, (IscChannel)m->channel, isc_steal_fd(&fd));
}

static void drop(Collector *c, IscGuest *node);

static void on_stopped(IscGuest *node, gpointer data)
{
	drop(data, node);
}

/* The dock's own trail is ended last: the ends of the others go into it. */
static void stop_dock(Collector *c)
{
	IscGuest *dock = g_hash_table_lookup(c->nodes, ISC_TRAIL_DOCK);
	guint left = g_hash_table_size(c->nodes);
	if (left == 0)
		g_main_loop_quit(c->loop);
	else if (left == 1 && dock)
		isc_guest_close(dock, FALSE, on_stopped, c);
}

static void drop(Collector *c, IscGuest *node)
{
	g_hash_table_remove(c->nodes, isc_guest_name(node));
	if (c->stopping)
		stop_dock(c);
}

static void forget_done(IscGuest *node, gpointer data)
{
	Question *q = data;
	Collector *c = q->collector;
	IscLinkMsg m = q->msg;

	m.kind = ISC_LINK_FORGOTTEN;
	isc_guest_fill_state(node, &m);
	isc_link_server_send(c->link, &m);
	g_free(q);
	drop(c, node);
}

static void forget(Collector *c, const IscLinkMsg *m)
{
	IscGuest *node = find_or_open(c, m, FALSE);
	if (!node) {
		answer(c, m, ISC_LINK_FORGOTTEN, 0);
		return;
	}
	Question *q = g_new(Question, 1);
	*q = (Question){ c, *m };
	if (!isc_guest_close(node, TRUE, forget_done, q))
		g_free(q);
}

/* --- how far trails are
 * -------------------------------------------------------------------------- */

/* A line in the dock's own trail, so that files that are missing at the end of another are missed:
 * `isc-vm audit verify` looks for it.  It is written when what it speaks of is on disk. */
static void note_end(Collector *c, const gchar *prefix, const gchar *name, const IscTrailState *end)
{
	IscTrailAnchor a = { .block = end->block };
	memcpy(a.head, end->head, sizeof a.head);
	g_autofree gchar *text = isc_trail_anchor_print(&a);
	const IscLinkMsg docks = { .node = ISC_TRAIL_DOCK };
	IscGuest *dock = g_hash_table_lookup(c->nodes, ISC_TRAIL_DOCK);
	if (!dock && !c->stopping)
		dock = find_or_open(c, &docks, TRUE);
	if (dock && !isc_guest_is_closing(dock))
		isc_guest_note(dock, ISC_LINE_CONFIG,
				ISC_TRAIL_END_OP "%s%s file=%u end=%s records=%" G_GUINT64_FORMAT
						 " res=success",
				prefix, name, end->segment, text, end->records);
}

/* Of its own end it could say nothing that its end does not take along. */
static void tell_end(gpointer self, const gchar *name, const IscTrailState *end)
{
	if (!g_str_equal(name, ISC_TRAIL_DOCK))
		note_end(self, "", name, end);
}

static void tell_packets_end(gpointer self, const gchar *node, const IscTrailState *end)
{
	static const gchar prefix[] = { ISC_TRAIL_PACKETS, '\0' };
	note_end(self, prefix, node, end);
}

static const IscGuestOps node_ops = { tell, tell_end };

/* --- probes
 * --------------------------------------------------------------------------------------- */

static void on_probed(gint status, gpointer data)
{
	g_autofree Question *q = data;
	q->collector->probes--;
	answer(q->collector, &q->msg, ISC_LINK_PROBED, status);
}

static void probe(Collector *c, const IscLinkMsg *m, int taken)
{
	isc_autofd int fd = taken;
	if (!is_socket(fd, TRUE) || c->probes >= PROBES_MAX) {
		answer(c, m, ISC_LINK_PROBED, -1);
		return;
	}
	Question *q = g_new(Question, 1);
	*q = (Question){ c, *m };
	c->probes++;
	isc_probe_start(c->host.reactor, isc_steal_fd(&fd), m->text, m->b, on_probed, q);
}

/* --- link
 * ----------------------------------------------------------------------------------------- */

static void on_connected(gpointer self)
{
	Collector *c = self;
	GHashTableIter i;
	gpointer node;

	isc_packet_log_hello(c->packets);
	g_hash_table_iter_init(&i, c->nodes);
	while (g_hash_table_iter_next(&i, NULL, &node))
		isc_guest_replay(node);
}

static void on_message(gpointer self, const IscLinkMsg *m, int fd)
{
	Collector *c = self;

	switch ((IscLinkKind)m->kind) {
	case ISC_LINK_ATTACH:
		attach(c, m, fd);
		break;
	case ISC_LINK_PROBE:
		probe(c, m, fd);
		break;
	case ISC_LINK_FORGET:
		forget(c, m);
		break;
	case ISC_LINK_ORDER: {
		IscWireOrder order = { (guint32)m->a, (guint32)m->b, m->c };
		IscGuest *node = find(c, m);
		if (node)
			isc_guest_order(node, &order);
		else
			answer(c, m, ISC_LINK_CLOSED, 0);
		break;
	}
	case ISC_LINK_FLUSH: {
		IscGuest *node = find_or_open(c, m, FALSE);
		if (node)
			isc_guest_flush(node, m->a);
		else
			answer(c, m, ISC_LINK_FLUSHED, 0);
		break;
	}
	case ISC_LINK_FENCE:
	case ISC_LINK_PACKETS:
	case ISC_LINK_DROPPED:
	case ISC_LINK_KEEP:
		isc_packet_log_message(c->packets, m, fd);
		break;
	case ISC_LINK_GUARD:
		isc_clear_fd(&c->guard);
		c->guard = fd;
		break;
	case ISC_LINK_LISTENS:
	case ISC_LINK_COUNT:
	case ISC_LINK_EVENT:
	case ISC_LINK_CLOSED:
	case ISC_LINK_PROBED:
	case ISC_LINK_FORGOTTEN:
	case ISC_LINK_FLUSHED:
	case ISC_LINK_BAD:
	case ISC_LINK_REFUSED:
		break; /* our own; isc_link_msg_is_valid() lets none through */
	}
}

static const IscLinkOps link_ops = { on_connected, on_message };

/* --- the end
 * -------------------------------------------------------------------------------------- */

static gboolean on_stop_timeout(gpointer data)
{
	Collector *c = data;
	g_main_loop_quit(c->loop);
	return G_SOURCE_REMOVE;
}

static gboolean on_signal(gpointer data)
{
	Collector *c = data;
	if (c->stopping)
		return G_SOURCE_CONTINUE;
	c->stopping = TRUE;
	g_timeout_add_seconds(STOP_S, on_stop_timeout, c);
	g_autoptr(GList) nodes = g_hash_table_get_values(c->nodes);
	for (GList *i = nodes; i; i = i->next)
		if (!g_str_equal(isc_guest_name(i->data), ISC_TRAIL_DOCK))
			isc_guest_close(i->data, FALSE, on_stopped, c);
	stop_dock(c);
	return G_SOURCE_CONTINUE;
}

gboolean isc_collector_run(const IscCollectorSetup *setup, GError **error)
{
	Collector c = { .peers = { (guint32 *)setup->uids, setup->n_uids }, .guard = -1 };

	c.host = (IscGuestHost){ .nodes_fd = setup->nodes_fd,
		.log_fd = setup->log_fd,
		.root = setup->root,
		.ops = &node_ops,
		.self = &c };
	c.host.reactor = isc_reactor_new(error);
	if (!c.host.reactor)
		return FALSE;
	/* Exclusive: the threads exist before the first byte of a guest is read, or not at all. */
	c.host.pool = g_thread_pool_new(isc_guest_run_job, NULL, WORKERS, TRUE, error);
	const IscPacketTrailHost packets = { .log_fd = c.host.log_fd,
		.nodes_fd = c.host.nodes_fd,
		.root = &c.host.root,
		.tell_end = tell_packets_end,
		.self = &c };
	if (c.host.pool)
		c.packets = isc_packet_log_new(c.host.reactor, &packets, tell, &c, error);
	if (!c.packets) {
		isc_reactor_free(c.host.reactor);
		return FALSE;
	}
	c.nodes = g_hash_table_new_full(
			g_str_hash, g_str_equal, NULL, (GDestroyNotify)isc_guest_free);
	c.loop = g_main_loop_new(NULL, FALSE);
	c.link = isc_link_server_new(c.host.reactor, setup->listen_fd, &c.peers, &link_ops, &c);
	g_unix_signal_add(SIGTERM, on_signal, &c);
	g_unix_signal_add(SIGINT, on_signal, &c);

	g_main_loop_run(c.loop);

	/* What is still busy after the time to stop is left to the crash recovery of the next
	 * start. */
	g_thread_pool_free(c.host.pool, FALSE, TRUE);
	isc_packet_log_free(c.packets);
	isc_link_server_free(c.link);
	g_hash_table_unref(c.nodes);
	g_main_loop_unref(c.loop);
	isc_reactor_free(c.host.reactor);
	isc_clear_fd(&c.guard);
	close(setup->nodes_fd);
	close(setup->log_fd);
	return TRUE;
}
