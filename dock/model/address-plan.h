#pragma once
#include "model/node.h"

#define ISC_BRIDGE_MAX 8 /* bytes: "-65000" and a NUL must go behind it into IFNAMSIZ */

/* How addresses are given out: [Network] of dock.conf.  A node's place follows from the plan, its
 * slot and its model, and so does not change while it stands; the plan may change only while no
 * node does. */
typedef struct {
	IscNet subnet;    /* of the nodes on the common bridge; its first address is the bridge's */
	IscNet dedicated; /* each node with a bridge of its own gets a /30 of it */
	gchar bridge[ISC_BRIDGE_MAX + 1]; /* the common one; a node's own is BRIDGE-SLOT */
} IscAddressPlan;

typedef struct {
	guint32 address, gateway; /* host byte order */
	guint8 prefix;            /* of their network, bits */
	gchar bridge[16];
} IscPlace;

/* 10.77.0.0/16, 10.78.0.0/20, "isc0". */
IscAddressPlan isc_address_plan_default(void);

/* Errors: ISC_ERROR_INVALID: the networks overlap, are too small or too large, or no hosts can live
 * there; naming the key of dock.conf. */
gboolean isc_address_plan_check(const IscAddressPlan *plan, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* One line; equal plans print the same.  Returns: (transfer full) */
gchar *isc_address_plan_print(const IscAddressPlan *plan);

/* The slots that nodes of @model may have: dedicated ones the last of all, so that neither kind
 * takes the other's. */
IscSlots isc_address_plan_slots(const IscAddressPlan *plan, IscNetworkModel model);

/* @slot: one of isc_address_plan_slots() */
IscPlace isc_address_plan_place(const IscAddressPlan *plan, guint slot, IscNetworkModel model);

/* The common bridge: its own address as @address. */
IscPlace isc_address_plan_common(const IscAddressPlan *plan);

IscPlace isc_node_place(const IscAddressPlan *plan, const IscNode *node);
guint32 isc_node_address(const IscAddressPlan *plan, const IscNode *node);
gchar *isc_node_address_text(const IscAddressPlan *plan, const IscNode *node); /* (transfer full) */

/**
 * isc_address_plan_check_host:
 * @host_nets: of IscNet: what the host is in by itself
 *
 * Errors: ISC_ERROR_STATE: one of them overlaps the network for nodes of @model.
 */
gboolean isc_address_plan_check_host(const IscAddressPlan *plan, IscNetworkModel model,
		const GArray *host_nets, GError **error) G_GNUC_WARN_UNUSED_RESULT;
