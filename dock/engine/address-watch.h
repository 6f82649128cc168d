#pragma once
#include <gio/gio.h>

/* Tells that the dock has got or lost an IPv4 address, or that it forwards where it did not, or no
 * longer where it did (net.ipv4.ip_forward and its kin), by the kernel's own announcements
 * (rtnetlink groups RTNLGRP_IPV4_IFADDR and RTNLGRP_IPV4_NETCONF): nothing is polled. */

typedef struct IscAddressWatch IscAddressWatch;

/**
 * isc_address_watch_new:
 * @context: (nullable): where to listen and call back; NULL: the default one
 * @changed: called some milliseconds after a change, once for a burst of them
 *
 * Errors: ISC_ERROR_HOST.
 */
IscAddressWatch *isc_address_watch_new(GMainContext *context, void (*changed)(gpointer data),
		gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_address_watch_free(IscAddressWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscAddressWatch, isc_address_watch_free)
