#pragma once
#include "daemon/verbs.h"

#define ISC_DRAIN_S 10u /* where nothing else is said */

/* upgrade and rollback: another image under a node that stays what it is: name, address, uid, keys
 * of its environment, rules, trail.
 *
 * 1. A stand-in, "NAME-next", is started from the new image, with nothing exposed.  If it does not
 *    get ready, nothing has happened.
 * 2. In one transaction the node's exposed ports lead to the stand-in; connections that are open
 *    get time to end.
 * 3. The node is stopped and started from the new image.  If that fails it is started from the old
 *    one; if that fails, too, the stand-in goes on serving, and the node is failed.
 * 4. The ports lead back, open connections get time to end, the stand-in is destroyed.
 *
 * After a crash the stand-in still serves where it did; isc_upgrade_mend() goes on from there.
 * What a rollback goes back to is the image before: it stays on the dock until the next upgrade. */

/**
 * isc_upgrade_run:
 * @request: verb ISC_VERB_UPGRADE with image, or ISC_VERB_ROLLBACK; drain_s, in_place
 *
 * Errors: those of admission (today's policy on the new image); ISC_ERROR_STATE: nothing to roll
 * back to; what kept the new image from getting ready, the node then runs as before.
 */
gboolean isc_upgrade_run(IscDock *dock, const IscRequest *request, IscOutcome *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* What stands in for node @name meanwhile.  Returns: (transfer full) (nullable) */
IscNode *isc_upgrade_stand_in(IscDock *dock, const gchar *name);

/* Whether @request may be made to @node: a stand-in is nobody's to deal with.  Where an order ends
 * a node whose upgrade is stuck, its stand-in goes first.  Errors: ISC_ERROR_STATE. */
gboolean isc_upgrade_admits(IscDock *dock, const IscNode *node, const IscRequest *request,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Deals with what interrupted upgrades left; in a worker thread, from time to time. */
void isc_upgrade_mend(IscDock *dock);
