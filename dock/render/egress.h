#pragma once
#include "render/nft.h"

/* Egress rules, sorted into the sets that stand for them. */

/* A rectangle of addresses and ports; both ends belong to it. */
typedef struct {
	guint32 address_first, address_last;
	guint16 port_first, port_last;
} IscEgressBox;

/**
 * isc_egress_boxes:
 * @proto: rules of other protocols are left out
 * @named: TRUE: rules that lie within a reserved network and so name it; FALSE: the others
 *
 * Wide rules only: those for one host and few ports are elements of the exact set.  Overlaps are
 * resolved: the kernel refuses overlapping intervals. Returns: (transfer full): GArray of
 * IscEgressBox, disjoint, sorted
 */
GArray *isc_egress_boxes(
		const IscNftConfig *config, const GArray *egress, IscProto proto, gboolean named);

/* One host and at most this many ports: exact elements rather than a class. */
#define ISC_EGRESS_EXACT_PORTS 16
gboolean isc_egress_is_exact(const IscEgress *rule);
