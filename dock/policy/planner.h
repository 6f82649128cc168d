#pragma once
#include "model/plan.h"

/* Pure: what stands and what is asked for → the steps.  The only place that knows the order of
 * things: the overlay before its secret, the fence (read back) before the tap, the tap before the
 * domain. */

typedef struct {
	gboolean enable;          /* provision: also start */
	gboolean running;         /* release: its domain is there */
	gboolean pause;           /* quarantine: also stop the vCPUs */
	gboolean ask;             /* disable: let the guest power off first */
	const gchar *snapshot;    /* snapshot verbs: its name; quarantine: its evidence's and why */
	const gchar *const *make; /* provision: volumes to be made, as ISC_STEP_VOLUME takes them;
				     NULL: none */
	const gchar *refill;      /* snapshot restore: as ISC_STEP_REFILL takes it; NULL or "":
				     there are no volumes */
	const gchar *volume;      /* volume attach, detach: as ISC_STEP_ATTACH takes it */
	const gchar *const *drop; /* snapshot create: those that go afterwards, NULL at the end */
	const gchar *rules;       /* expose, unexpose, allow, deny: policy/rule-change.h */
	const gchar *limits;      /* limit: policy/limit-change.h */
} IscPlanOptions;

/**
 * isc_planner_plan:
 * @node: as it stands; not kept
 * @options: what the verb takes; not kept
 *
 * The verb has passed isc_node_check_verb().
 * Returns: (transfer full)
 */
IscPlan *isc_planner_plan(IscVerb verb, const IscNode *node, const IscPlanOptions *options);

/* An upgrade goes in two plans, because the second one deals with a node of another image; and a
 * third one where the second failed.  The node keeps its name, address, uid and trail: while it is
 * started from the new image, a stand-in of the same image has its ports. */
typedef enum {
	ISC_UPGRADE_BESIDE,  /* the new image is verified; the stand-in, the ports lead to it */
	ISC_UPGRADE_OVER,    /* the node itself; then its ports lead to it again */
	ISC_UPGRADE_BACK,    /* the node as it was */
	ISC_UPGRADE_CLEAR,   /* it runs: only the stand-in goes */
	ISC_UPGRADE_GIVE_UP, /* an order came in between: both go, the image is as it was */
} IscUpgradePart;

typedef struct {
	gboolean stand_in;   /* FALSE: the node is down meanwhile */
	guint drain_s;       /* that open connections get */
	const gchar *digest; /* of the new image */
	const gchar *change; /* ISC_STEP_IMAGE's argument */
} IscUpgradeOptions;

/**
 * isc_planner_upgrade:
 * @plan: (inout): the steps are added
 * @node: as it stands; one that does not run is not started
 */
void isc_planner_upgrade(IscPlan *plan, IscUpgradePart part, const IscNode *node,
		const IscUpgradeOptions *options);

/**
 * isc_planner_volume:
 * @verb: one of a volume, see model/node.h
 * @subject: '@' and the volume's name: stands in the journal where a node's would
 * @arg: of its only step
 *
 * Returns: (transfer full)
 */
IscPlan *isc_planner_volume(IscVerb verb, const gchar *subject, const gchar *arg);

/**
 * isc_planner_recover:
 * @plan: one that the journal shows as begun and not ended
 * @reached: the index of the last step that may have been made
 *
 * A plan that was building something is taken back; one that was taking something away, or cutting
 * something off, is made to its end.  Safe to be interrupted and asked for again. Returns:
 * (transfer full)
 */
IscPlan *isc_planner_recover(const IscPlan *plan, guint reached);
