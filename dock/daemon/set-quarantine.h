#pragma once
#include "daemon/set-work.h"

/* A set that is in quarantine as a whole: quarantine and release of its name.
 *
 * First all members are cut off, before any lock or journal; then the register has that the set is
 * in quarantine; then each member follows, by a plan of its own.  So a crash is mended by looking:
 * where the set is in quarantine, so is each of its members.  Until it is released it is neither
 * filled nor scaled, upgraded or trimmed. */

/* Each member that is not going is in quarantine, if the set is.  After isc_set_work_look(). */
gboolean isc_set_is_held(const IscSetWork *w);

/* Makes it so.  Errors: as isc_verb_run(), naming the members that are not. */
gboolean isc_set_hold(IscSetWork *w, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Errors: ISC_ERROR_POLICY: the set is in quarantine. */
gboolean isc_set_is_free(const IscSetWork *w, GError **error) G_GNUC_WARN_UNUSED_RESULT;
