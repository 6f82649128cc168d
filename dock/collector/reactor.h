#pragma once
#include <glib.h>
#include <sys/epoll.h>

/* epoll below the GLib main loop: the cost of a wake-up does not grow with the number of nodes, and
 * GLib's timers still work.  Level-triggered, one call a ready fd and round: a loud node gets its
 * turn, and no more. */

typedef struct IscReactor IscReactor;
typedef struct IscWatch IscWatch;

typedef void (*IscWatchFunc)(
		guint32 events, gpointer data); /* EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLERR */

IscReactor *isc_reactor_new(GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_reactor_free(IscReactor *reactor);

/* @fd stays the caller's; remove the watch before closing it. */
IscWatch *isc_watch_new(
		IscReactor *reactor, int fd, guint32 events, IscWatchFunc func, gpointer data);

/* 0: sees nothing at all, not even that the other end hung up. */
void isc_watch_set(IscWatch *watch, guint32 events);
void isc_watch_free(IscWatch *watch); /* fine within its own callback; NULL is fine */
