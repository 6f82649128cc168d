#pragma once
#include "model/bandwidth.h"
#include "render/nft.h"

/* What the kernel enforces, read back and put into the words of rules.  Reads by a netlink socket
 * of its own: it neither asks what was wanted (firewall-nft.h) nor waits for who changes it. */

/* One moment's elements of all sets.  Not thread-safe. */
typedef struct IscFirewallShow IscFirewallShow;

/* Errors: ISC_ERROR_HOST. */
IscFirewallShow *isc_firewall_show_read(GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* @elements: of IscNftElement; copied.  For tests. */
IscFirewallShow *isc_firewall_show_new(const GArray *elements);
void isc_firewall_show_free(IscFirewallShow *show);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscFirewallShow, isc_firewall_show_free)

typedef struct {
	gboolean is_pinned; /* its port is held to its MAC and address, and the address is a node's
			     */
	gboolean is_cut;    /* quarantine at its port … */
	gboolean is_quarantined; /* … and above */
	IscBandwidth bandwidth;  /* in whole bytes per second; 0: none */
	guint16 health_port;     /* 0: none */
	GPtrArray *expose;       /* of gchar*: as Expose=, ranges joined */
	GPtrArray *egress; /* of gchar*: as Egress=; wide rules as the kernel holds them, overlaps
			      merged */
} IscFirewallView;

/* The name of the node at @address, or NULL; borrowed. */
typedef const gchar *(*IscFirewallNames)(guint32 address, gpointer data);

/* @fence: of it only tap, MAC, address and group.  Release @out with isc_firewall_view_clear(). */
void isc_firewall_show_node(IscFirewallShow *show, const IscFence *fence, IscFirewallNames names,
		gpointer data, IscFirewallView *out);

void isc_firewall_view_clear(IscFirewallView *view);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscFirewallView, isc_firewall_view_clear)
