#pragma once
#include "model/node.h"

/* Pure: may this node run here, now, beside those that stand?  Every refusal names its rule. */

typedef struct {
	gboolean emulated;    /* nodes run without hardware virtualisation */
	guint max_memory_mib; /* of all nodes together; 0: no ceiling */
	guint max_nodes;
	guint max_vcpus;       /* of one node: the host's processors */
	guint64 disk_free_mib; /* where overlays are made */
} IscAdmitHost;

/**
 * isc_policy_admit:
 * @node: the one that asks; slot may be 0
 * @others: (element-type IscNode): all that stand; @node itself may be among them and is passed
 * over
 *
 * Errors: ISC_ERROR_POLICY "rule NAME: …" ; ISC_ERROR_STATE where a port is taken, naming by whom.
 */
gboolean isc_policy_admit_ports(const IscNode *node, const GPtrArray *others, GError **error)
		G_GNUC_WARN_UNUSED_RESULT; /* of it, only whether its ports are free */
gboolean isc_policy_admit(const IscAdmitHost *host, const IscNode *node, const GPtrArray *others,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
