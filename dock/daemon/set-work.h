#pragma once
#include "daemon/sets.h"

/* One order on a set, under its lock: what sets.c and set-change.c share.  Zeroed, then begun; ends
 * by itself. */
typedef struct {
	IscDock *dock;
	const IscSetRequest *request;
	IscSetOutcome *out;
	GCancellable *cancel;
	gchar *lock; /* owned; NULL: it is not held */
	gint64 began;
	IscReplicaSet *set; /* owned; NULL: it does not stand */
	GPtrArray *members; /* of IscNode, by number */
	guint step;         /* for the progress display */
} IscSetWork;

/* Takes the set for @verb, which is what another order is told that meets it.  Errors: as
 * isc_verbs_take(). */
gboolean isc_set_work_begin(IscSetWork *w, IscVerb verb, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_set_work_end(IscSetWork *w);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscSetWork, isc_set_work_end)

/* What stands of it now: fills in `set` and `members`.  Errors: ISC_ERROR_NOT_FOUND. */
gboolean isc_set_work_look(IscSetWork *w, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Errors: ISC_ERROR_STATE: it is being destroyed. */
gboolean isc_set_work_is_wanted(const IscSetWork *w, GError **error) G_GNUC_WARN_UNUSED_RESULT;

guint isc_set_work_number(const IscSetWork *w, const IscNode *member);

/* Shows that it is at member @number. */
void isc_set_work_progress(IscSetWork *w, const gchar *sign, guint number);

/* @warnings: of gchar*, or NULL; of member @name */
void isc_set_work_warn(IscSetWork *w, const gchar *name, const GPtrArray *warnings);
