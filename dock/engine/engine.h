#pragma once
#include <gio/gio.h>

#include "model/plan.h"

/* The only door to the outside world.  Each call blocks, either does all of its work or none, and
 * is safe to repeat.
 * @self is the adapter's own; @arg the step's.  @cancel is looked at by what can take long. */
typedef struct {
	gboolean (*up)(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
			GError **error);
	gboolean (*down)(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
			GError **error);
} IscAdapter;

/* The real dock has libvirt, nft and disks here; a test has fakes.  An adapter without `down` has
 * no undo. */
typedef struct {
	const IscAdapter *adapters; /* ISC_N_STEP_KINDS of them; borrowed */
	gpointer self;              /* given to each */
} IscEngine;

/* Told before each step is made: the journal, progress.  FALSE stops the plan as a failed step
 * does. */
typedef struct {
	gboolean (*before)(gpointer data, const IscPlan *plan, guint index, gboolean undoing,
			GError **error);
	void (*failed)(gpointer data, const IscPlan *plan, guint index, const GError *why);
	gpointer data;
} IscObserver;

/**
 * isc_engine_run:
 *
 * Carries @plan out.  When a step fails that must not, the ones made before it are undone in
 * reverse order (what fails there is reported to the observer and does not stop the rest). When
 * only SOFT and DOWN steps failed, the plan is through, and *@error is the first of them: the
 * return value is TRUE exactly when every step was made.
 * *@undone: (out): TRUE when the plan was taken back
 */
gboolean isc_engine_run(const IscEngine *engine, const IscPlan *plan, const IscNode *node,
		const IscObserver *observer, GCancellable *cancel, gboolean *undone, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
