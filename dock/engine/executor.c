#include "engine/engine.h"

#include "base/error.h"

static gboolean do_step(const IscEngine *engine, const IscStep *step, gboolean down,
		const IscNode *node, GCancellable *cancel, GError **error)
{
	const IscAdapter *adapter = &engine->adapters[step->kind];
	if (!down)
		return adapter->up(engine->self, node, step->arg, cancel, error);
	return !adapter->down || adapter->down(engine->self, node, step->arg, NULL, error);
}

/* In reverse, and whatever fails: leaving less behind is always better.  Also where that cannot be
 * written down, the disk being full: the journal has the step as begun, so that after a crash it
 * would be undone once more, which does no harm. */
static void undo(const IscEngine *engine, const IscPlan *plan, guint done, const IscNode *node,
		const IscObserver *observer)
{
	while (done-- > 0) {
		const IscStep *step = &g_array_index(plan->steps, IscStep, done);
		if (step->mode != ISC_MODE_UP)
			continue;
		g_autoptr(GError) unwritten = NULL;
		g_autoptr(GError) why = NULL;
		if (!observer->before(observer->data, plan, done, /* undoing= */ TRUE, &unwritten))
			observer->failed(observer->data, plan, done, unwritten);
		if (!do_step(engine, step, TRUE, node, NULL, &why))
			observer->failed(observer->data, plan, done, why);
	}
}

gboolean isc_engine_run(const IscEngine *engine, const IscPlan *plan, const IscNode *node,
		const IscObserver *observer, GCancellable *cancel, gboolean *undone, GError **error)
{
	g_autoptr(GError) first = NULL;
	*undone = FALSE;

	for (guint i = 0; i < plan->steps->len; i++) {
		const IscStep *step = &g_array_index(plan->steps, IscStep, i);
		g_autoptr(GError) why = NULL;
		gboolean hard = step->mode == ISC_MODE_UP || step->mode == ISC_MODE_STAYS;
		/* READY only waits, looks at @cancel itself, and may find that it is no matter. */
		gboolean cancelled = hard && step->kind != ISC_STEP_READY && cancel &&
				     g_cancellable_is_cancelled(cancel);

		if (cancelled)
			g_set_error(&why, ISC_ERROR, ISC_ERROR_STATE,
					"interrupted by another order");
		else if (observer->before(observer->data, plan, i, FALSE, &why) &&
				do_step(engine, step, step->mode == ISC_MODE_DOWN, node, cancel,
						&why))
			continue;

		observer->failed(observer->data, plan, i, why);
		if (!hard) {
			if (!first)
				first = g_steal_pointer(&why);
			continue;
		}

		/* The failed step too: it may have done a part before it was stopped. */
		undo(engine, plan, cancelled ? i : i + 1, node, observer);
		*undone = TRUE;
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}

	if (!first)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&first));
	return FALSE;
}
