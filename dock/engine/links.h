#pragma once
#include <glib.h>

#include "model/rules.h"

/* The dock's bridge and the nodes' taps, by rtnetlink and sysctl.  Needs CAP_NET_ADMIN, not root.
 * Every function is idempotent and takes interface names of at most 15 bytes. */

typedef struct {
	const gchar *name; /* "isc0" */
	guint32 gateway;   /* the bridge's own address, host byte order */
	guint8 prefix;     /* of the nodes' subnet, bits */
	guint8 mac[6];     /* fixed: else it changes with the ports, and nodes keep it in their ARP
			      tables */
	guint32 accept_mark; /* see isc_links_bridge_setup(); 0: no such rule */
} IscBridge;

/**
 * isc_links_bridge_setup:
 * Makes the bridge, or brings one that stands to this form: no STP, no multicast snooping, no IPv6,
 * forwarding on for this interface alone, proxy ARP towards its own subnet (nodes are isolated from
 * each other, what rules allow between them goes through the dock), no redirects.  Last it goes up.
 *
 * With @accept_mark a routing rule refuses to route packets from the bridge that lack the mark,
 * which the firewall puts on: if someone flushes the ruleset, nodes reach nothing rather than
 * everything. Errors: ISC_ERROR_HOST.
 */
gboolean isc_links_bridge_setup(const IscBridge *bridge, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean isc_links_bridge_remove(const IscBridge *bridge, GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	const gchar *name;   /* "isct2" */
	const gchar *bridge; /* "isc0" */
	guint8 mac[6];       /* the node's */
	guint32 address;     /* the node's, host byte order */
	guint32 uid;         /* who may open it: the node's hypervisor */
} IscTap;

/**
 * isc_links_tap_add:
 * A persistent tap with virtio headers, as port of the bridge: isolated, locked to the node's MAC
 * (static FDB entry, no learning, no flooding), no IPv6; and the node's permanent entry in the
 * dock's ARP table.  It stays down. A tap of that name with another owner or form is replaced.
 * Errors: ISC_ERROR_HOST.
 */
gboolean isc_links_tap_add(const IscTap *tap, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Gives the node's MAC to its port once more, and to its address: the kernel takes it from a port
 * where another link has the same MAC.  Errors: ISC_ERROR_NOT_FOUND: no such port. */
gboolean isc_links_pin(const IscTap *port, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Deletes the interface @index, and the ARP entry of @port, whose tap it was. */
gboolean isc_links_cut_off(const IscTap *port, guint index, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Deletes tap and ARP entry; missing ones are no error. */
gboolean isc_links_tap_remove(const IscTap *tap, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes an existing interface @name such a port; for tests, whose nodes are veths.
 * isc_links_tap_add() without the tap. */
gboolean isc_links_port_setup(const IscTap *port, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Errors: ISC_ERROR_NOT_FOUND: no such interface; ISC_ERROR_HOST. */
gboolean isc_links_set_up(const gchar *name, gboolean up, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean isc_links_is_up(const gchar *name, gboolean *up, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sets every interface down whose name begins with @prefix: all of them are tried, the first error
 * is told. */
gboolean isc_links_all_down(const gchar *prefix, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether @name exists and is an isolated bridge port of @bridge (NULL: of any): what holds nodes
 * apart at layer 2. */
gboolean isc_links_is_isolated(const gchar *name, const gchar *bridge, gboolean *isolated,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The interface that the IPv4 default route of the lowest metric leaves by.
 * Errors: ISC_ERROR_NOT_FOUND: there is none.  Returns: (transfer full) */
gchar *isc_links_outside(GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The networks the dock itself is in, but for loopback, @bridge (may be NULL) and @bridge-….
 * Returns: (transfer full): GArray of IscNet */
GArray *isc_links_host_nets(const gchar *bridge, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The dock's IPv4 addresses on @name.  Returns: (transfer full): GArray of guint32 */
GArray *isc_links_addresses(const gchar *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Routes IPv4 packets that come in by @name; for the outside interface.  Others are left as they
 * are. */
gboolean isc_links_forward(const gchar *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same for @outside (may be NULL), @bridge and @bridge-…: who writes net.ipv4.ip_forward makes
 * it so or otherwise for every interface there is. */
gboolean isc_links_forward_again(const gchar *bridge, const gchar *outside, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Whether somebody has made the host a router on all of its interfaces (net.ipv4.ip_forward); what
 * isc_links_forward() does is no such thing. */
gboolean isc_links_is_router(void);
