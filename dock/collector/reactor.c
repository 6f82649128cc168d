#include "collector/reactor.h"

#include <errno.h>
#include <glib-unix.h>
#include <unistd.h>

#include "base/error.h"

#define EVENTS 64

struct IscReactor {
	int fd;
	guint source;
	gboolean dispatching;
	GSList *dead; /* freed watches whose events may still be in the batch at hand */
};

struct IscWatch {
	IscReactor *reactor;
	int fd;
	guint32 events;
	IscWatchFunc func; /* NULL: dead */
	gpointer data;
};

static gboolean on_ready(gint fd, GIOCondition condition, gpointer data)
{
	IscReactor *r = data;
	struct epoll_event events[EVENTS];
	(void)condition;

	int n = epoll_wait(fd, events, EVENTS, 0);
	r->dispatching = TRUE;
	for (int i = 0; i < n; i++) {
		IscWatch *w = events[i].data.ptr;
		if (w->func && w->events)
			w->func(events[i].events, w->data);
	}
	r->dispatching = FALSE;
	g_slist_free_full(g_steal_pointer(&r->dead), g_free);
	return G_SOURCE_CONTINUE;
}

IscReactor *isc_reactor_new(GError **error)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0) {
		isc_error_set_errno(error, errno, "epoll");
		return NULL;
	}
	IscReactor *r = g_new0(IscReactor, 1);
	r->fd = fd;
	r->source = g_unix_fd_add(fd, G_IO_IN, on_ready, r);
	return r;
}

void isc_reactor_free(IscReactor *r)
{
	g_source_remove(r->source);
	close(r->fd);
	g_free(r);
}

static void control(IscWatch *w, int op, guint32 events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };
	if (epoll_ctl(w->reactor->fd, op, w->fd, &e) != 0)
		g_error("epoll_ctl: %s", g_strerror(errno)); /* a bug, or no kernel memory left */
}

IscWatch *isc_watch_new(IscReactor *r, int fd, guint32 events, IscWatchFunc func, gpointer data)
{
	IscWatch *w = g_new0(IscWatch, 1);
	*w = (IscWatch){ r, fd, 0, func, data };
	isc_watch_set(w, events);
	return w;
}

void isc_watch_set(IscWatch *w, guint32 events)
{
	if (events == w->events)
		return;
	/* Taken out altogether: epoll reports a hang-up even where nothing was asked for. */
	control(w, !events ? EPOLL_CTL_DEL : !w->events ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, events);
	w->events = events;
}

void isc_watch_free(IscWatch *w)
{
	if (!w)
		return;
	isc_watch_set(w, 0);
	w->func = NULL;
	if (w->reactor->dispatching)
		w->reactor->dead = g_slist_prepend(w->reactor->dead, w);
	else
		g_free(w);
}
