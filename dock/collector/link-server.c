#include "collector/link-server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/name.h"
#include "collector/probe.h"

#define QUEUE_MAX 4096u

struct IscLinkServer {
	IscReactor *reactor;
	int listen_fd, fd; /* fd: -1 while nobody is connected */
	IscWatch *listen_watch, *watch;
	const IscLinkPeers *peers;
	const IscLinkOps *ops;
	gpointer self;
	GQueue queue; /* IscLinkMsg, owned */
};

/* The kind of a drop, and the name of an interface as the dock's are: both go into the packet log.
 */
static gboolean is_word(const gchar *text, gsize max)
{
	gsize len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return len > 0 && len <= max && text[len] == '\0';
}

gboolean isc_link_msg_is_valid(const IscLinkMsg *m, gsize len, gboolean has_fd)
{
	if (len != sizeof *m || m->version != ISC_LINK_VERSION || m->flags != 0 ||
			!memchr(m->node, '\0', sizeof m->node) ||
			!memchr(m->text, '\0', sizeof m->text))
		return FALSE;
	gboolean is_docks = m->node[0] == '\0' &&
			    (m->kind == ISC_LINK_PACKETS || m->kind == ISC_LINK_DROPPED ||
					    m->kind == ISC_LINK_KEEP || m->kind == ISC_LINK_GUARD);
	if (!is_docks && !isc_name_is_trail(m->node))
		return FALSE;
	if (!is_docks && !isc_name_is_valid(m->node) &&
			(m->kind == ISC_LINK_ATTACH ? m->channel != ISC_CHANNEL_AUDIT
						    : m->kind != ISC_LINK_FLUSH))
		return FALSE;
	switch (m->kind) {
	case ISC_LINK_ATTACH:
		return has_fd && m->channel < ISC_N_CHANNELS;
	case ISC_LINK_PROBE:
		return has_fd && isc_probe_target_is_valid(m->text);
	case ISC_LINK_ORDER:
		return !has_fd && m->a >= ISC_ORDER_FREEZE && m->a <= ISC_ORDER_CHECK &&
		       m->b >= 0 && m->b <= G_MAXUINT32;
	case ISC_LINK_FORGET:
	case ISC_LINK_FLUSH:
		return !has_fd;
	case ISC_LINK_PACKETS:
		return has_fd && is_docks && m->a > 0 && m->a <= G_MAXUINT16;
	case ISC_LINK_FENCE:
		return !has_fd && m->a >= 0 && m->a <= G_MAXINT32 && m->b >= 0 &&
		       m->b <= G_MAXUINT32 && m->c >= 0 && m->c >> 48 == 0 && m->d >= 0 &&
		       m->d <= G_MAXUINT32 && is_word(m->text, ISC_LINK_WORD - 1);
	case ISC_LINK_DROPPED:
		return !has_fd && m->a >= 0 && m->b >= 0 && m->b <= 2 &&
		       is_word(m->text, ISC_LINK_WORD - 1);
	case ISC_LINK_GUARD:
		return has_fd && is_docks;
	case ISC_LINK_KEEP:
		return !has_fd && is_docks &&
		       (m->a == 0 || (m->a >= ISC_LINK_KEEP_MIN && m->a <= G_MAXINT32));
	default:
		return FALSE;
	}
}

static void hang_up(IscLinkServer *s)
{
	g_clear_pointer(&s->watch, isc_watch_free);
	isc_clear_fd(&s->fd);
	g_queue_clear_full(&s->queue, g_free);
}

/* The kernel hands over as many descriptors as there were sent: none may stay open unseen. */
static int take_fds(struct msghdr *h, gsize *n)
{
	int first = -1;
	*n = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		gsize count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (gsize i = 0; i < count; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if ((*n)++ == 0)
				first = fd;
			else
				close(fd);
		}
	}
	return first;
}

static void read_one(IscLinkServer *s)
{
	IscLinkMsg m;
	union {
		struct cmsghdr align;
		gchar bytes[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec iov = { &m, sizeof m };
	struct msghdr h = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control };

	ssize_t len = recvmsg(s->fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	gsize n_fds = 0;
	isc_autofd int fd = len >= 0 ? take_fds(&h, &n_fds) : -1;
	if (len <= 0) {
		hang_up(s);
		return;
	}
	if ((h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || n_fds > 1 ||
			!isc_link_msg_is_valid(&m, (gsize)len, n_fds == 1)) {
		g_warning("link: a message that is none; hanging up");
		hang_up(s);
		return;
	}
	s->ops->message(s->self, &m, isc_steal_fd(&fd));
}

static void flush(IscLinkServer *s)
{
	while (s->fd >= 0 && !g_queue_is_empty(&s->queue)) {
		g_autofree IscLinkMsg *m = g_queue_peek_head(&s->queue);
		ssize_t n = send(s->fd, m, sizeof *m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS)) {
			m = NULL; /* stays in the queue */
			break;
		}
		g_queue_pop_head(&s->queue);
		if (n < 0) {
			hang_up(s);
			return;
		}
	}
	if (s->watch)
		isc_watch_set(s->watch, EPOLLIN | (g_queue_is_empty(&s->queue) ? 0 : EPOLLOUT));
}

static void on_ready(guint32 events, gpointer data)
{
	IscLinkServer *s = data;
	if (events & EPOLLOUT)
		flush(s);
	if (s->fd >= 0 && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		read_one(s);
}

static gboolean may_connect(const IscLinkServer *s, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return FALSE;
	for (gsize i = 0; i < s->peers->n_uids; i++)
		if (s->peers->uids[i] == peer.uid)
			return TRUE;
	g_warning("link: uid %u may not connect", peer.uid);
	return FALSE;
}

static void on_connect(guint32 events, gpointer data)
{
	IscLinkServer *s = data;
	(void)events;

	isc_autofd int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 || !may_connect(s, fd))
		return;
	hang_up(s);
	s->fd = isc_steal_fd(&fd);
	s->watch = isc_watch_new(s->reactor, s->fd, EPOLLIN, on_ready, s);
	s->ops->connected(s->self);
}

IscLinkServer *isc_link_server_new(IscReactor *reactor, int listen_fd, const IscLinkPeers *peers,
		const IscLinkOps *ops, gpointer self)
{
	IscLinkServer *s = g_new0(IscLinkServer, 1);
	*s = (IscLinkServer){ .reactor = reactor,
		.listen_fd = listen_fd,
		.fd = -1,
		.peers = peers,
		.ops = ops,
		.self = self };
	g_queue_init(&s->queue);
	s->listen_watch = isc_watch_new(reactor, listen_fd, EPOLLIN, on_connect, s);
	return s;
}

void isc_link_server_free(IscLinkServer *s)
{
	hang_up(s);
	isc_watch_free(s->listen_watch);
	close(s->listen_fd);
	g_free(s);
}

void isc_link_server_send(IscLinkServer *s, const IscLinkMsg *m)
{
	if (s->fd < 0)
		return;
	if (g_queue_get_length(&s->queue) >= QUEUE_MAX) {
		g_warning("link: isc-dockd does not read; hanging up");
		hang_up(s);
		return;
	}
	g_queue_push_tail(&s->queue, g_memdup2(m, sizeof *m));
	flush(s);
}
