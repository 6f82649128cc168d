#pragma once
#include "model/spec.h"

/* Pure: what the verb limit makes of a node.
 *
 * A change is a text, "KEY=OLD>NEW; KEY=OLD>NEW": the argument of ISC_STEP_LIMITS, thus in the
 * journal.  It names only what really changes, with what was, so that it can be taken back.  "none"
 * stands for no limit. */

/**
 * isc_limit_change_plan:
 * @spec: as it stands
 * @texts: "KEY=VALUE" as the caller wrote them, NULL-terminated; VALUE as in a node file, or "none"
 *
 * Errors: ISC_ERROR_INVALID: no such key or value.
 * Returns: (transfer full): the change; "" where everything is so already
 */
gchar *isc_limit_change_plan(const IscSpec *spec, const gchar *const *texts, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_limit_change_work_out:
 * @spec: of the same node, whatever its other keys are by now
 * @back: the reverse
 *
 * Carrying a change out twice is carrying it out once.
 * Errors: ISC_ERROR_INVALID: @change is none.
 * Returns: (transfer full): @spec with it, without its environment
 */
IscSpec *isc_limit_change_work_out(const IscSpec *spec, const gchar *change, gboolean back,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "KEY=VALUE" of each limit of @to that @from has not, as isc_limit_change_plan() takes them.
 * (transfer full), NULL-terminated, perhaps empty */
gchar **isc_limit_change_between(const IscSpec *from, const IscSpec *to);

/* Whether @to asks for more of what nodes share than @from: then the ceilings are looked at. */
gboolean isc_limit_change_asks_for_more(const IscSpec *from, const IscSpec *to);

/* The keys that a running node has only from its next start on and that differ, "Memory=, VCPUs=",
 * or "".  (transfer full) */
gchar *isc_limit_change_waits(const IscSpec *from, const IscSpec *to);
