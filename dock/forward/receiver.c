#include "forward/receiver.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"

#define CONNECT_MS 5000
#define STALL_MS 30000   /* without a byte going out */
#define CONFIRM_MS 60000 /* for the receiver to read on to the end */
#define LOOK_MS 20

struct IscReceiver {
	gchar *address; /* for messages */
	gchar *host, *port, *path;
	int fd; /* -1: not connected */
	int stop_fd;
	gboolean is_stream;
};

IscReceiver *isc_receiver_new(const gchar *address, int stop_fd, GError **error)
{
	g_autoptr(IscReceiver) r = g_new0(IscReceiver, 1);
	struct sockaddr_un un;
	r->fd = -1;
	r->stop_fd = stop_fd;
	r->address = g_strdup(address);
	const gchar *colon = strrchr(address, ':');
	guint64 port;
	if (g_str_has_prefix(address, "unix:/") && strlen(address + 5) < sizeof un.sun_path) {
		r->path = g_strdup(address + strlen("unix:"));
		return g_steal_pointer(&r);
	}
	if (g_str_has_prefix(address, "tcp:") && colon > address + strlen("tcp:") &&
			g_ascii_string_to_unsigned(colon + 1, 10, 1, 65535, &port, NULL)) {
		r->host = g_strndup(address + 4, (gsize)(colon - address) - 4);
		r->port = g_strdup(colon + 1);
		/* [::1] */
		if (*r->host == '[' && g_str_has_suffix(r->host, "]")) {
			memmove(r->host, r->host + 1, strlen(r->host));
			r->host[strlen(r->host) - 1] = '\0';
		}
		return g_steal_pointer(&r);
	}
	g_autofree gchar *shown = isc_text_escape(address, -1, 100);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is no receiver: write tcp:HOST:PORT or unix:/PATH", shown);
	return NULL;
}

void isc_receiver_free(IscReceiver *r)
{
	if (!r)
		return;
	isc_clear_fd(&r->fd);
	g_free(r->address);
	g_free(r->host);
	g_free(r->port);
	g_free(r->path);
	g_free(r);
}

gboolean isc_receiver_is_stream(const IscReceiver *r)
{
	return r->is_stream;
}

/* Closes the connection.  Returns: FALSE */
static gboolean failed(IscReceiver *r, GError **error, const gchar *why)
{
	isc_clear_fd(&r->fd);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "receiver '%s': %s", r->address, why);
	return FALSE;
}

/* Until @events or @ms are over.  FALSE with @error: time is up, or we are told to stop. */
static gboolean wait_for(IscReceiver *r, short events, int ms, GError **error)
{
	struct pollfd fds[] = { { r->fd, events, 0 }, { r->stop_fd, POLLIN, 0 } };
	int n;
	do
		n = poll(fds, G_N_ELEMENTS(fds), ms);
	while (n < 0 && errno == EINTR);
	if (n > 0 && fds[1].revents)
		return failed(r, error, "interrupted");
	return n > 0 || failed(r, error, n < 0 ? g_strerror(errno) : "does not answer in time");
}

/* --- connecting ---------------------------------------------------------------------------- */

static gboolean finish_connect(IscReceiver *r, int rc, GError **error)
{
	int err = rc == 0 ? 0 : errno;
	socklen_t len = sizeof err;
	if (err == EINPROGRESS) {
		if (!wait_for(r, POLLOUT, CONNECT_MS, error))
			return FALSE;
		if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
			err = errno;
	}
	return err == 0 || failed(r, error, g_strerror(err));
}

static gboolean open_tcp(IscReceiver *r, GError **error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *all = NULL;
	int rc = getaddrinfo(r->host, r->port, &hints, &all);
	if (rc != 0)
		return failed(r, error, gai_strerror(rc));
	gboolean ok = FALSE;
	for (const struct addrinfo *a = all; a && !ok; a = a->ai_next) {
		g_clear_error(error);
		r->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (r->fd < 0) {
			failed(r, error, g_strerror(errno));
			continue;
		}
		ok = finish_connect(r, connect(r->fd, a->ai_addr, a->ai_addrlen), error);
	}
	freeaddrinfo(all);
	return ok;
}

static gboolean open_unix(IscReceiver *r, int type, GError **error)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	g_strlcpy(a.sun_path, r->path, sizeof a.sun_path);
	isc_clear_fd(&r->fd);
	r->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0)
		return failed(r, error, g_strerror(errno));
	return finish_connect(r, connect(r->fd, (const struct sockaddr *)&a, sizeof a), error);
}

gboolean isc_receiver_open(IscReceiver *r, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (r->fd >= 0)
		return TRUE;
	r->is_stream = TRUE;
	if (r->host)
		return open_tcp(r, error);
	if (open_unix(r, SOCK_STREAM, &why))
		return TRUE;
	r->is_stream = FALSE;
	if (open_unix(r, SOCK_DGRAM, NULL))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

/* --- a batch ------------------------------------------------------------------------------- */

/* What a receiver says is of no interest; that it ends is. */
static gboolean has_ended(IscReceiver *r, int *err)
{
	gchar room[512];
	for (;;) {
		gssize n = recv(r->fd, room, sizeof room, MSG_DONTWAIT);
		*err = n < 0 ? errno : 0;
		if (n > 0 || (n < 0 && errno == EINTR))
			continue;
		return n == 0 || *err != EAGAIN;
	}
}

gboolean isc_receiver_send(IscReceiver *r, const gchar *bytes, gsize len, GError **error)
{
	int err;
	while (len > 0) {
		gssize n = send(r->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return failed(r, error, g_strerror(errno));
		if (n >= 0 && !r->is_stream)
			return TRUE;
		if (n >= 0) {
			bytes += n;
			len -= (gsize)n;
		} else if (!wait_for(r, POLLOUT, STALL_MS, error)) {
			return FALSE;
		}
		if (r->is_stream && has_ended(r, &err))
			return failed(r, error, "has hung up");
	}
	return TRUE;
}

/* TRUE: nothing that we sent is on its way or waits to be read (as far as the kernel knows). */
static gboolean is_empty(IscReceiver *r)
{
	int waiting = 0;
	return ioctl(r->fd, SIOCOUTQ, &waiting) == 0 && waiting == 0;
}

static gboolean wait_empty(IscReceiver *r, GError **error)
{
	for (guint i = 0; !is_empty(r); i++) {
		struct pollfd stop = { r->stop_fd, POLLIN, 0 };
		int err = 0;
		socklen_t len = sizeof err;
		if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &err, &len) == 0 && err != 0)
			return failed(r, error, g_strerror(err));
		if (i > CONFIRM_MS / LOOK_MS)
			return failed(r, error, "does not read on");
		if (poll(&stop, 1, LOOK_MS) > 0)
			return failed(r, error, "interrupted");
	}
	return TRUE;
}

gboolean isc_receiver_confirm(IscReceiver *r, GError **error)
{
	int err = 0;
	socklen_t len = sizeof err;
	if (!r->is_stream)
		return wait_empty(r, error);
	/* An end that comes before ours is not the answer to it. */
	if (has_ended(r, &err))
		return failed(r, error, "has hung up");
	if (shutdown(r->fd, SHUT_WR) != 0)
		return failed(r, error, g_strerror(errno));
	gint64 until = g_get_monotonic_time() + (gint64)CONFIRM_MS * 1000;
	while (!has_ended(r, &err)) {
		gint64 left = (until - g_get_monotonic_time()) / 1000;
		if (left <= 0)
			return failed(r, error, "does not end a connection that we ended");
		if (!wait_for(r, POLLIN, (int)left, error))
			return FALSE;
	}
	if (err != 0)
		return failed(r, error, g_strerror(err));
	/* Its end may have crossed ours: then our last bytes are answered by a reset. */
	if (!wait_empty(r, error))
		return FALSE;
	if (getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0 || err != 0)
		return failed(r, error, g_strerror(err));
	isc_clear_fd(&r->fd);
	return TRUE;
}
