#pragma once
#include "daemon/set-work.h"

/* Rules and limits of a set: what the verbs expose, unexpose, allow, deny and limit do to one.
 *
 * They are those of the set's spec, which is written first; each member then follows it by a plan
 * of its own, one transaction each.  So there is one way for an order, for taking it back, and for
 * what a crash left half done: the spec says what shall be, and whoever differs is brought to it.
 */

/* Each member has the rules and limits that the set's spec gives it, but for those that are going.
 * After isc_set_work_look(). */
gboolean isc_set_follows(const IscSetWork *w);

/* Brings to it whoever differs and is not at something of his own.  TRUE: none is left that could
 * follow and does not.  Errors: as isc_verb_run(), of the first that could not. */
gboolean isc_set_follow(IscSetWork *w, GError **error) G_GNUC_WARN_UNUSED_RESULT;
