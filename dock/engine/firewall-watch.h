#pragma once
#include <gio/gio.h>

#include "engine/firewall-nft.h"

/* Sees at once when somebody else changes our tables, and puts them back.  Listens to the kernel's
 * own announcements (nfnetlink group NFNLGRP_NFTABLES), so nothing is polled. */

typedef struct {
	const gchar *who;    /* "nft, pid 4711, uid 0", or "unknown"; as far as the kernel tells */
	const gchar *why;    /* what was amiss */
	const GError *error; /* NULL: the boundary stands again.  Else it does not: take the links
				down */
	gint64 took;         /* µs since it was noticed */
	gboolean again;      /* the last attempt had failed */
} IscFirewallEvent;

/* Called in the watch's main context, with the boundary already restored or found impossible to
 * restore.  While it is, attempts go on each second, and the first one that works is reported too.
 */
typedef void (*IscFirewallCallback)(const IscFirewallEvent *event, gpointer data);

typedef struct IscFirewallWatch IscFirewallWatch;

/**
 * isc_firewall_watch_new:
 * @fw: must outlive the watch
 * @context: (nullable): where to listen; NULL: the default one
 *
 * Errors: ISC_ERROR_HOST.
 */
IscFirewallWatch *isc_firewall_watch_new(IscFirewall *fw, GMainContext *context,
		IscFirewallCallback callback, gpointer data, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_firewall_watch_free(IscFirewallWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscFirewallWatch, isc_firewall_watch_free)
