#include "engine/address-watch.h"

#include <glib-unix.h>
#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "base/error.h"

#define SETTLE_MS 20 /* DHCP takes an address away and gives it back in one go */

struct IscAddressWatch {
	struct nl_sock *socket;
	GMainContext *context;
	GSource *source; /* the socket */
	GSource *later;  /* the call back that is due, or NULL */
	void (*changed)(gpointer data);
	gpointer data;
};

static gboolean on_settled(gpointer data)
{
	IscAddressWatch *w = data;

	g_clear_pointer(&w->later, g_source_unref);
	w->changed(w->data);
	return G_SOURCE_REMOVE;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
	IscAddressWatch *w = data;
	int err;

	(void)fd;
	(void)condition;
	/* What was said does not matter: all is read anew.  An overflow (-NLE_NOMEM) is a change,
	 * too. */
	while ((err = nl_recvmsgs_default(w->socket)) == 0 || err == -NLE_NOMEM)
		;
	if (w->later)
		return G_SOURCE_CONTINUE;
	w->later = g_timeout_source_new(SETTLE_MS);
	g_source_set_callback(w->later, on_settled, w, NULL);
	g_source_attach(w->later, w->context);
	return G_SOURCE_CONTINUE;
}

IscAddressWatch *isc_address_watch_new(GMainContext *context, void (*changed)(gpointer data),
		gpointer data, GError **error)
{
	g_autoptr(IscAddressWatch) w = g_new0(IscAddressWatch, 1);
	int err;

	w->changed = changed;
	w->data = data;
	w->context = context ? g_main_context_ref(context) : NULL;
	w->socket = nl_socket_alloc();
	if (!w->socket)
		g_error("out of memory");
	nl_socket_disable_seq_check(w->socket);
	if ((err = nl_connect(w->socket, NETLINK_ROUTE)) < 0 ||
			(err = nl_socket_set_nonblocking(w->socket)) < 0 ||
			(err = nl_socket_add_membership(w->socket, RTNLGRP_IPV4_IFADDR)) < 0 ||
			(err = nl_socket_add_membership(w->socket, RTNLGRP_IPV4_NETCONF)) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"cannot watch the dock's networks: %s", nl_geterror(err));
		return NULL;
	}
	w->source = g_unix_fd_source_new(nl_socket_get_fd(w->socket), G_IO_IN | G_IO_ERR);
	g_source_set_callback(w->source, G_SOURCE_FUNC(on_readable), w, NULL);
	g_source_attach(w->source, w->context);
	return g_steal_pointer(&w);
}

static void drop(GSource **source)
{
	if (!*source)
		return;
	g_source_destroy(*source);
	g_clear_pointer(source, g_source_unref);
}

void isc_address_watch_free(IscAddressWatch *w)
{
	if (!w)
		return;
	drop(&w->source);
	drop(&w->later);
	nl_socket_free(w->socket);
	g_clear_pointer(&w->context, g_main_context_unref);
	g_free(w);
}
