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

/* What becomes of an address that a name in a rule stands for.  Who answers for a name must not
 * gain a way to the dock's neighbours by it (DNS rebinding). */
typedef enum {
	ISC_EGRESS_ANSWER_FREE,  /* allowed, outside */
	ISC_EGRESS_ANSWER_NAMED, /* reserved, and another rule of the node lies in that network */
	ISC_EGRESS_ANSWER_REFUSED,
} IscEgressAnswer;

/* @egress: all rules of the node; @rule: the one with the name */
IscEgressAnswer isc_egress_judge(const IscNftConfig *config, const GArray *egress,
		const IscEgress *rule, guint32 address);

/* One host and at most this many ports: exact elements rather than a class. */
#define ISC_EGRESS_EXACT_PORTS 16
gboolean isc_egress_is_exact(const IscEgress *rule);
