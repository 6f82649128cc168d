#pragma once
#include "daemon/bus.h"

/*
 * What the dock itself does, as records of its own audit trail ("@dock", LOGDIR/dock).  Standard
 * Linux audit format, so that ausearch and aureport read them:
 *
 *   USER_CMD      a call of the API: op=call api=, roles=, vm=, cmd= (arguments), order=, ms=,
 *                 data= (why it was refused)
 *   VIRT_CONTROL  an order on a node began or ended: op= (verb), reason=begun|ended|undone, vm=,
 *                 uuid=, order=, cmd= (the plan), data= (what went wrong)
 *   USYS_CONFIG   op=step (about to be made, or taken back), op=step-failed, op=decision (policy:
 *                 rule=), op=event (kind=, level=: drift and the like)
 *
 * uid is the caller's, as the bus knows it, and the dock's own where nobody called.  Free text is
 * quoted, or in hex where it holds more than plain characters (ausearch -i shows it).  Secrets are
 * not in it: see isc_act_arguments().
 *
 * All may be called in any thread, and do not wait for the disk.
 */

void isc_act_call(const IscCall *call, gint64 began, const GError *why);
void isc_act_order_begin(
		IscDock *dock, const IscPlan *plan, guint64 order, const IscNode *node, guint uid);
void isc_act_step(IscDock *dock, const IscPlan *plan, guint64 order, guint index, gboolean undoing);
void isc_act_step_failed(
		IscDock *dock, const IscPlan *plan, guint64 order, guint index, const GError *why);
void isc_act_order_end(IscDock *dock, const IscPlan *plan, guint64 order, const IscNode *node,
		guint uid, gboolean undone, const GError *why);

/* @why: NULL where the policy lets the node in */
void isc_act_decision(IscDock *dock, const IscNode *node, const GError *why);

void isc_act_event(IscDock *dock, const IscEventRow *row);

/**
 * isc_act_arguments:
 * @params: of a call of @method
 *
 * One line for the record.  What may be secret is masked: values of keys that sound like it, the
 * environment in a node file, and any text of several lines, of which only length and hash are
 * told.  Returns: (transfer full)
 */
gchar *isc_act_arguments(const gchar *method, GVariant *params);

/* "text" as a value of an audit record: in quotes, or in hex; looks at @max bytes.  (transfer full)
 */
gchar *isc_act_value(const gchar *text, gsize max);
