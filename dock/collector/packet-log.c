#include "collector/packet-log.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collector/packet-who.h"

#define DATAGRAM_MAX (128u * 1024) /* the kernel's bundles have 64 KiB at most */
#define DATAGRAMS_A_ROUND 16u      /* then the nodes' ports get their turn */
#define TICK_MS 250
#define RETRY_S 5                         /* while there is no socket */
#define SETTLE_US (400 * 1000)            /* what the kernel counted is on its way for so long */
#define ASK_FIRST_US G_USEC_PER_SEC       /* from the first packet to the first question */
#define ASK_US (5 * G_USEC_PER_SEC)       /* from question to question */
#define ASK_CALM_US (20 * G_USEC_PER_SEC) /* … while all of its packets are let through */
#define URGENT 2u /* questions after a drop: the second is for what came after the first */
#define GONE_US (5 * G_USEC_PER_SEC) /* late packets of a node whose tap is gone */
#define WARN_US ((gint64)60 * G_USEC_PER_SEC)
#define LAST_MS 500u /* for the last lines of a node */

struct IscPacketLog {
	IscReactor *reactor;
	IscPacketTrailHost host;
	IscPacketLogTell tell;
	gpointer self;
	IscPacketWho *who;
	int fd; /* -1: none */
	guint16 group;
	IscWatch *watch;
	guint32 next_seq;
	gboolean has_seq;
	guint64 overrun; /* packets that the kernel had no room for; not told yet */
	gint64 warned_at;
	gboolean is_at_work; /* in on_tick(): something to do next time, too */
	guint tick, retry;
	GString *text;
	guint8 *buffer;
};

static void schedule(IscPacketLog *l);

static void forget_node(IscPacketNode *n)
{
	g_clear_pointer((IscPacketTrail **)&n->trail, isc_packet_trail_free);
}

IscPacketLog *isc_packet_log_new(IscReactor *reactor, const IscPacketTrailHost *host,
		IscPacketLogTell tell, gpointer self, GError **error)
{
	GThreadPool *pool = g_thread_pool_new(isc_packet_trail_run_job, NULL, 1, TRUE, error);
	if (!pool)
		return NULL;
	IscPacketLog *l = g_new0(IscPacketLog, 1);
	*l = (IscPacketLog){ .reactor = reactor,
		.host = *host,
		.tell = tell,
		.self = self,
		.who = isc_packet_who_new(forget_node),
		.fd = -1,
		.text = g_string_sized_new(ISC_PACKET_TEXT_MAX),
		.buffer = g_malloc(DATAGRAM_MAX) };
	l->host.pool = pool;
	return l;
}

/* --- lines ---------------------------------------------------------------------------------------
 */

static IscPacketTrail *trail_of(IscPacketLog *l, IscPacketNode *n)
{
	if (!n->trail)
		n->trail = isc_packet_trail_new(&l->host, n->name);
	return n->trail;
}

static void on_packet(const IscPacket *p, gpointer data)
{
	IscPacketLog *l = data;
	if (p->has_seq) {
		if (l->has_seq)
			l->overrun += p->seq - l->next_seq;
		l->has_seq = TRUE;
		l->next_seq = p->seq + 1;
	}
	if (!*p->kind)
		return;
	IscPacketNode *n = isc_packet_who_of(l->who, p);
	gint64 now = g_get_monotonic_time();
	gboolean is_accepted = isc_packet_kind_is_accepted(p->kind);
	if (!n->is_watched)
		n->asked_at = is_accepted ? now : now - ASK_US + ASK_FIRST_US;
	n->is_lively = n->is_watched = TRUE;
	if (!is_accepted)
		n->urgent = URGENT;
	schedule(l);
	if (!isc_packet_count_take(n, p->kind, now))
		return;
	g_string_truncate(l->text, 0);
	isc_packet_print(l->text, p);
	if (*n->tap)
		g_string_append_printf(l->text, " tap=%s", n->tap);
	else if (p->port)
		g_string_append_printf(l->text, " if=%u", p->port);
	(is_accepted ? isc_packet_trail_add_calm : isc_packet_trail_add)(
			trail_of(l, n), g_get_real_time(), l->text->str);
}

/* What there is no line for goes on record as a number.  Returns: whether there was something */
static gboolean tell_left_out(IscPacketLog *l, IscPacketNode *n)
{
	gboolean any = FALSE;
	for (guint i = 0; i < n->counts->len; i++) {
		IscPacketCount *c = &g_array_index(n->counts, IscPacketCount, i);
		guint64 left_out = isc_packet_count_left_out(c);
		if (left_out == 0)
			continue;
		any = TRUE;
		g_string_printf(l->text,
				"op=network-left-out kind=%s left-out=%" G_GUINT64_FORMAT
				" lines=%" G_GUINT64_FORMAT " %s=%" G_GUINT64_FORMAT " res=success",
				c->kind, left_out, c->lines,
				isc_packet_kind_is_accepted(c->kind) ? "accepted" : "dropped",
				MAX(c->total - c->base, c->lines + c->told));
		isc_packet_trail_note(trail_of(l, n), g_get_real_time(), l->text->str);
	}
	return any;
}

static void tell_overrun(IscPacketLog *l)
{
	gint64 now = g_get_monotonic_time();
	if (l->overrun == 0 || now - l->warned_at < WARN_US)
		return;
	g_warning("packet log: %" G_GUINT64_FORMAT " packets came faster than they were read",
			l->overrun);
	g_string_printf(l->text, "op=network-overrun packets=%" G_GUINT64_FORMAT " res=failed",
			l->overrun);
	IscPacketNode *dock = isc_packet_who_find(l->who, "");
	isc_packet_trail_note(trail_of(l, dock), g_get_real_time(), l->text->str);
	l->overrun = 0;
	l->warned_at = now;
}

/* --- the socket ----------------------------------------------------------------------------------
 */

static void hang_up(IscPacketLog *l)
{
	g_clear_pointer(&l->watch, isc_watch_free);
	isc_clear_fd(&l->fd);
	l->group = 0;
	l->has_seq = FALSE;
}

/* FALSE: there is nothing more, or the socket is no good. */
static gboolean read_one(IscPacketLog *l)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { l->buffer, DATAGRAM_MAX };
	struct msghdr h = {
		.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n = recvmsg(l->fd, &h, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return FALSE;
	if (n < 0 && errno == ENOBUFS)
		return TRUE; /* the numbers of the packets tell how many are missing */
	if (n <= 0) {
		g_warning("packet log: %s", n < 0 ? g_strerror(errno) : "the socket ended");
		hang_up(l);
		isc_packet_log_hello(l);
		return FALSE;
	}
	/* Only the kernel has port 0. */
	if (h.msg_namelen == sizeof from && from.nl_pid == 0 && !(h.msg_flags & MSG_TRUNC))
		isc_packet_parse(l->buffer, (gsize)n, on_packet, l);
	return TRUE;
}

static void read_some(IscPacketLog *l)
{
	for (guint i = 0; i < DATAGRAMS_A_ROUND && l->fd >= 0 && read_one(l); i++)
		;
}

static void on_readable(guint32 events, gpointer data)
{
	(void)events;
	read_some(data);
}

static gboolean is_netfilter(int fd)
{
	int domain = 0, protocol = 0;
	socklen_t len = sizeof domain;
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_NETLINK &&
	       getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == NETLINK_NETFILTER;
}

static void take_socket(IscPacketLog *l, guint16 group, int taken)
{
	isc_autofd int fd = taken;
	if (!is_netfilter(fd)) {
		g_warning("packet log: what came is no netlink socket");
		return;
	}
	hang_up(l);
	l->fd = isc_steal_fd(&fd);
	l->group = group;
	l->watch = isc_watch_new(l->reactor, l->fd, EPOLLIN, on_readable, l);
}

/* --- asking --------------------------------------------------------------------------------------
 */

static void ask(IscPacketLog *l, IscPacketNode *n, gint64 now)
{
	IscLinkMsg m = { .version = ISC_LINK_VERSION, .kind = ISC_LINK_COUNT, .slot = n->slot };
	g_strlcpy(m.node, n->name, sizeof m.node);
	n->asked_at = now;
	n->is_lively = FALSE;
	n->urgent -= MIN(n->urgent, 1);
	l->tell(l->self, &m);
}

static void look_at(IscPacketNode *n, gpointer data)
{
	IscPacketLog *l = data;
	gint64 now = g_get_monotonic_time();

	if (n->count_at && now >= n->count_at) {
		n->count_at = 0;
		/* Nothing new and nothing left to tell: that was all for now. */
		n->is_watched = tell_left_out(l, n) || n->is_lively;
	}
	if (n->is_watched && !n->count_at &&
			now - n->asked_at >= (n->urgent ? ASK_US : ASK_CALM_US))
		ask(l, n, now);
	if (n->trail)
		isc_packet_trail_flush(n->trail);
	gboolean is_busy = n->trail && isc_packet_trail_is_busy(n->trail);
	if (n->gone_at && !is_busy && now - n->gone_at > GONE_US) {
		isc_packet_who_remove(l->who, n);
		return;
	}
	l->is_at_work |= is_busy || n->is_watched || n->count_at || n->gone_at;
}

static gboolean on_tick(gpointer data)
{
	IscPacketLog *l = data;
	l->is_at_work = FALSE;
	tell_overrun(l);
	isc_packet_who_each(l->who, look_at, l);
	if (l->is_at_work || l->overrun)
		return G_SOURCE_CONTINUE;
	l->tick = 0;
	return G_SOURCE_REMOVE;
}

static void schedule(IscPacketLog *l)
{
	if (!l->tick)
		l->tick = g_timeout_add(TICK_MS, on_tick, l);
}

/* --- isc-dockd -----------------------------------------------------------------------------------
 */

static void take_fence(IscPacketLog *l, const IscLinkMsg *m)
{
	IscPacketNode *n = isc_packet_who_find(l->who, m->node);
	gint64 now = g_get_monotonic_time();
	if (m->a == 0 && n) {
		/* Its last packets are read before they are nobody's. */
		read_some(l);
		tell_left_out(l, n);
		n->gone_at = now;
		if (n->trail)
			isc_packet_trail_hurry(n->trail);
		n->is_watched = FALSE;
		n->count_at = 0;
		schedule(l);
	}
	if (m->a == 0)
		return;
	if (n && (n->port != (guint32)m->a || n->gone_at))
		isc_packet_count_reset(n);
	isc_packet_who_add(l->who, m);
}

static void take_count(IscPacketLog *l, const IscLinkMsg *m)
{
	IscPacketNode *n = isc_packet_who_find(l->who, m->node);
	gint64 now = g_get_monotonic_time();
	if (!n)
		return;
	if (m->b != 2) {
		isc_packet_count_set(n, m->text, (guint64)m->a, m->b == 1, now);
		return;
	}
	n->count_at = now + SETTLE_US;
	schedule(l);
}

static void say_hello(IscPacketLog *l, gboolean is_again)
{
	const IscLinkMsg m = {
		.version = ISC_LINK_VERSION, .kind = ISC_LINK_LISTENS, .a = l->group, .b = is_again
	};
	l->tell(l->self, &m);
}

static gboolean on_retry(gpointer data)
{
	IscPacketLog *l = data;
	if (l->fd < 0) {
		say_hello(l, TRUE);
		return G_SOURCE_CONTINUE;
	}
	l->retry = 0;
	return G_SOURCE_REMOVE;
}

void isc_packet_log_hello(IscPacketLog *l)
{
	say_hello(l, FALSE);
	if (l->fd < 0 && !l->retry)
		l->retry = g_timeout_add_seconds(RETRY_S, on_retry, l);
}

void isc_packet_log_message(IscPacketLog *l, const IscLinkMsg *m, int fd)
{
	if (m->kind == ISC_LINK_PACKETS)
		take_socket(l, (guint16)m->a, fd);
	else if (m->kind == ISC_LINK_FENCE)
		take_fence(l, m);
	else if (m->kind == ISC_LINK_DROPPED)
		take_count(l, m);
	else if (m->kind == ISC_LINK_KEEP)
		g_atomic_int_set(&l->host.keep_mib, (gint)m->a);
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void last_words(IscPacketNode *n, gpointer data)
{
	IscPacketLog *l = data;
	tell_left_out(l, n);
	if (n->trail)
		isc_packet_trail_hurry(n->trail);
	/* A disk that refuses must not keep the process from its end. */
	for (guint i = 0; i < LAST_MS && n->trail && isc_packet_trail_is_busy(n->trail); i++) {
		isc_packet_trail_flush(n->trail);
		g_usleep(1000);
	}
}

void isc_packet_log_free(IscPacketLog *l)
{
	if (!l)
		return;
	if (l->fd >= 0)
		read_some(l);
	hang_up(l);
	g_clear_handle_id(&l->tick, g_source_remove);
	g_clear_handle_id(&l->retry, g_source_remove);
	isc_packet_who_each(l->who, last_words, l);
	g_thread_pool_free(l->host.pool, FALSE, TRUE);
	isc_packet_who_free(l->who);
	g_string_free(l->text, TRUE);
	g_free(l->buffer);
	g_free(l);
}
