#pragma once
#include <glib.h>

#include "model/address-plan.h"
#include "model/rules.h"

/* Ends connections that are open, by taking them out of the kernel's connection table: the next
 * packet is judged by the rules that hold now.  Only flows of the node named are touched.  Needs
 * CAP_NET_ADMIN. */

/**
 * isc_conntrack_end_node:
 * @address: of the node, host byte order
 * @ended: (out) (optional): how many
 *
 * All flows from and to the node.  Errors: ISC_ERROR_HOST.
 */
gboolean isc_conntrack_end_node(guint32 address, guint *ended, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Flows that came to the node through @expose: after the port has been closed. */
gboolean isc_conntrack_end_expose(guint32 address, const IscExpose *expose, guint *ended,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_conntrack_end_strays:
 * @expose: of IscExpose
 * @plan: what nodes send is left alone
 * @ended: (out) (optional): how many
 *
 * UDP flows to a port of @expose that were entered while no rule redirected it: an entry is not
 * translated later on, so whoever goes on sending would never reach the node.  TCP needs none of
 * this, its SYN was refused.  Without a UDP port in @expose the table is not read.  Errors:
 * ISC_ERROR_HOST.
 */
gboolean isc_conntrack_end_strays(const GArray *expose, const IscAddressPlan *plan, guint *ended,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How many TCP connections that came to the node through a port of @expose (of IscExpose) are not
 * at their end. */
gboolean isc_conntrack_count_exposed(guint32 address, const GArray *expose, guint *n,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Flows that the node opened and @rule allowed: after the rule has been taken away. ISC_EGRESS_OPEN
 * means all that it opened.  @peers: of guint32, where a rule that names its target led to; NULL
 * for the others. */
gboolean isc_conntrack_end_egress(guint32 address, const IscEgress *rule, const GArray *peers,
		guint *ended, GError **error) G_GNUC_WARN_UNUSED_RESULT;
