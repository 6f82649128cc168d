#include "daemon/link.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"

#define RETRY_MS 250

struct IscLink {
	gchar *path;
	guint peer_uid;
	IscLinkFunc func;
	gpointer data;
	GMutex lock; /* guards fd: other threads send */
	int fd;      /* -1: not connected */
	guint watch, retry;
};

static void schedule(IscLink *link);

static void drop(IscLink *link)
{
	g_mutex_lock(&link->lock);
	isc_clear_fd(&link->fd);
	g_mutex_unlock(&link->lock);
	g_clear_handle_id(&link->watch, g_source_remove);
	link->func(link->data, NULL, FALSE);
	schedule(link);
}

/* The collector is trusted with nothing but its numbers: wrong size, version or name ends the
 * connection. */
static gboolean is_sound(const IscLinkMsg *msg, gssize len)
{
	return len == sizeof(*msg) && msg->version == ISC_LINK_VERSION &&
	       memchr(msg->node, 0, sizeof(msg->node)) &&
	       (msg->node[0] == '\0' || isc_name_is_trail(msg->node));
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
	IscLink *link = data;
	(void)condition;

	for (guint i = 0; i < 64; i++) {
		IscLinkMsg msg;
		gssize len = recv(fd, &msg, sizeof(msg), MSG_DONTWAIT);
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return G_SOURCE_CONTINUE;
		if (!is_sound(&msg, len)) {
			link->watch = 0;
			drop(link);
			return G_SOURCE_REMOVE;
		}
		link->func(link->data, &msg, TRUE);
	}
	return G_SOURCE_CONTINUE;
}

static gboolean try_connect(IscLink *link)
{
	isc_autofd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (fd < 0 ||
			g_strlcpy(addr.sun_path, link->path, sizeof(addr.sun_path)) >=
					sizeof(addr.sun_path) ||
			connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
			getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return FALSE;
	if (peer.uid != link->peer_uid && peer.uid != 0) {
		g_warning("'%s' is served by uid %u, not by the collector: refused", link->path,
				peer.uid);
		return FALSE;
	}

	/* A collector that hangs must not hang the dock. */
	const struct timeval limit = { .tv_sec = 2 };
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	link->watch = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, link);
	g_mutex_lock(&link->lock);
	link->fd = isc_steal_fd(&fd);
	g_mutex_unlock(&link->lock);
	link->func(link->data, NULL, TRUE);
	return TRUE;
}

static gboolean on_retry(gpointer data)
{
	IscLink *link = data;
	if (!try_connect(link))
		return G_SOURCE_CONTINUE;
	link->retry = 0;
	return G_SOURCE_REMOVE;
}

static void schedule(IscLink *link)
{
	if (!link->retry)
		link->retry = g_timeout_add(RETRY_MS, on_retry, link);
}

IscLink *isc_link_new(const gchar *path, guint peer_uid, IscLinkFunc func, gpointer data)
{
	IscLink *link = g_new0(IscLink, 1);
	link->path = g_strdup(path);
	link->peer_uid = peer_uid;
	link->func = func;
	link->data = data;
	link->fd = -1;
	g_mutex_init(&link->lock);
	if (!try_connect(link))
		schedule(link);
	return link;
}

void isc_link_free(IscLink *link)
{
	if (!link)
		return;
	g_clear_handle_id(&link->watch, g_source_remove);
	g_clear_handle_id(&link->retry, g_source_remove);
	isc_clear_fd(&link->fd);
	g_mutex_clear(&link->lock);
	g_free(link->path);
	g_free(link);
}

gboolean isc_link_is_up(IscLink *link)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&link->lock);
	return link->fd >= 0;
}

gboolean isc_link_send(IscLink *link, const IscLinkMsg *msg, int fd, GError **error)
{
	struct iovec iov = { (gpointer)msg, sizeof(*msg) };
	union {
		struct cmsghdr align;
		gchar room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct msghdr out = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		out.msg_control = control.room;
		out.msg_controllen = sizeof(control.room);
		struct cmsghdr *head = CMSG_FIRSTHDR(&out);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	}

	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&link->lock);
	if (link->fd >= 0 && sendmsg(link->fd, &out, MSG_NOSIGNAL) == sizeof(*msg))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"isc-collectord does not answer at '%s': start it", link->path);
	return FALSE;
}

IscLinkMsg isc_link_msg(IscLinkKind kind, const gchar *node, guint slot)
{
	IscLinkMsg msg = { .version = ISC_LINK_VERSION, .kind = (uint16_t)kind, .slot = slot };
	g_strlcpy(msg.node, node, sizeof(msg.node));
	return msg;
}
