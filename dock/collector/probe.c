#include "collector/probe.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct IscProbe {
	IscWatch *watch;
	int fd;
	guint timer;
	gchar *request; /* what is still to be sent */
	gsize sent;
	gchar answer[ISC_PROBE_ANSWER_MAX];
	gsize have;
	IscProbeFunc func;
	gpointer data;
};

gint isc_probe_parse(const gchar *bytes, gsize len)
{
	static const gchar start[] = "HTTP/1.";
	gsize n = MIN(len, sizeof start - 1);

	if (memcmp(bytes, start, n) != 0)
		return -1;
	/* "HTTP/1.x NNN" and something behind it. */
	static const gchar form[] = "dbddde";
	for (gsize i = n; i < len && i - n < sizeof form - 1; i++) {
		gchar c = bytes[i], f = form[i - n];
		if ((f == 'd' && !g_ascii_isdigit(c)) || (f == 'b' && c != ' ') ||
				(f == 'e' && c != ' ' && c != '\r' && c != '\n'))
			return -1;
	}
	if (len < sizeof start - 1 + sizeof form - 1)
		return len < ISC_PROBE_ANSWER_MAX ? 0 : -1;
	const gchar *p = bytes + sizeof start - 1 + 2;
	gint status = (p[0] - '0') * 100 + (p[1] - '0') * 10 + (p[2] - '0');
	return status >= 100 && status <= 599 ? status : -1;
}

gboolean isc_probe_target_is_valid(const gchar *target)
{
	gsize n = strlen(target);
	if (n == 0 || n > 127 || target[0] != '/')
		return FALSE;
	for (gsize i = 0; i < n; i++)
		if (target[i] <= ' ' || target[i] >= 0x7f)
			return FALSE;
	return TRUE;
}

static void finish(IscProbe *p, gint status)
{
	IscProbeFunc func = p->func;
	gpointer data = p->data;

	isc_watch_free(p->watch);
	close(p->fd);
	g_clear_handle_id(&p->timer, g_source_remove);
	g_free(p->request);
	g_free(p);
	func(status, data);
}

static gboolean on_timeout(gpointer data)
{
	IscProbe *p = data;
	p->timer = 0;
	finish(p, 0);
	return G_SOURCE_REMOVE;
}

static void on_ready(guint32 events, gpointer data)
{
	IscProbe *p = data;
	gsize left = strlen(p->request) - p->sent;

	if (left > 0 && (events & EPOLLOUT)) {
		ssize_t n = send(p->fd, p->request + p->sent, left, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			finish(p, -1);
			return;
		}
		p->sent += (gsize)MAX(n, 0);
		if (p->sent == strlen(p->request))
			isc_watch_set(p->watch, EPOLLIN);
		return;
	}
	ssize_t n = recv(p->fd, p->answer + p->have, sizeof p->answer - p->have, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	p->have += (gsize)MAX(n, 0);
	gint status = p->have ? isc_probe_parse(p->answer, p->have) : 0;
	if (status != 0)
		finish(p, status);
	else if (n <= 0)
		finish(p, -1);
}

IscProbe *isc_probe_start(IscReactor *reactor, int fd, const gchar *target, gint64 ms,
		IscProbeFunc func, gpointer data)
{
	IscProbe *p = g_new0(IscProbe, 1);
	p->fd = fd;
	p->func = func;
	p->data = data;
	p->request = g_strdup_printf("GET %s HTTP/1.0\r\nHost: node\r\n\r\n", target);
	p->timer = g_timeout_add((guint)CLAMP(ms, 1, 60000), on_timeout, p);
	p->watch = isc_watch_new(reactor, fd, EPOLLIN | EPOLLOUT, on_ready, p);
	return p;
}
