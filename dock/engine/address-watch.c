#include "engine/address-watch.h"

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include "engine/rtnl.h"

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
	static const int groups[] = { RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_NETCONF, RTNLGRP_NONE };
	g_autoptr(IscAddressWatch) w = g_new0(IscAddressWatch, 1);

	w->changed = changed;
	w->data = data;
	w->context = context ? g_main_context_ref(context) : NULL;
	w->socket = isc_rtnl_listen(groups, "the dock's networks", error);
	if (!w->socket)
		return NULL;
	w->source = isc_rtnl_attach(w->socket, w->context, on_readable, w);
	return g_steal_pointer(&w);
}

void isc_address_watch_free(IscAddressWatch *w)
{
	if (!w)
		return;
	isc_rtnl_detach(&w->source);
	isc_rtnl_detach(&w->later);
	nl_socket_free(w->socket);
	g_clear_pointer(&w->context, g_main_context_unref);
	g_free(w);
}
