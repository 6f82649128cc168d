#pragma once
#include "model/node.h"

/* Pure: may this node run here, now, beside those that stand?  Every refusal names its rule. */

typedef struct {
	gboolean emulated;    /* nodes run without hardware virtualisation */
	guint max_memory_mib; /* of all nodes together; 0: no ceiling */
	guint max_nodes;
	guint max_vcpus;       /* of one node: the host's processors */
	guint max_cpu_percent; /* of all nodes that run together, in percent of one of its CPUs */
	guint64 max_disk_mib;  /* that overlays, volumes and snapshots may come to take together */
	guint64 volumes_mib;   /* of it: volumes, with those that the node wants made */
	guint64 snapshots_mib; /* of it: what all snapshots take */
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

/* May a volume be made, or grow, by @mib, as far as the ceiling goes? */
gboolean isc_policy_admit_volume(const IscAdmitHost *host, const gchar *name, guint mib,
		const GPtrArray *others, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* May a snapshot of @node be taken that needs @mib at most, as far as the ceiling goes? */
gboolean isc_policy_admit_snapshot(const IscAdmitHost *host, const IscNode *node, guint64 mib,
		const GPtrArray *others, GError **error) G_GNUC_WARN_UNUSED_RESULT;
