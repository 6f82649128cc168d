#include "daemon/take.h"

#include "base/error.h"
#include "daemon/reconcile.h"

#define QUARANTINE_WAIT_S 10 /* for the verb that a quarantine interrupts */

static gboolean is_idle(const IscRun *run, gpointer data)
{
	(void)data;
	return run->busy == NULL;
}

gboolean isc_verbs_take_for(IscDock *dock, const gchar *name, IscVerb verb, gboolean may_interrupt,
		GCancellable *cancel, GError **error)
{
	gboolean interrupts =
			may_interrupt && (verb == ISC_VERB_QUARANTINE || verb == ISC_VERB_DESTROY);
	g_mutex_lock(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	if (run->busy && interrupts) {
		run->seized = verb == ISC_VERB_QUARANTINE;
		g_cancellable_cancel(run->cancel);
		g_mutex_unlock(&dock->lock);
		(void)isc_dock_wait(dock, name, is_idle, NULL,
				g_get_monotonic_time() + QUARANTINE_WAIT_S * G_USEC_PER_SEC, NULL);
		g_mutex_lock(&dock->lock);
		run = isc_dock_run(dock, name);
	}
	if (run->busy) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"%s '%s' is busy with '%s' for %" G_GINT64_FORMAT
				" s; try again when it is through",
				*name == '@'   ? "volume"
				: *name == '*' ? "set"
					       : "node",
				name + (*name == '@' || *name == '*'), run->busy,
				(g_get_monotonic_time() - run->busy_since) / G_USEC_PER_SEC);
		g_mutex_unlock(&dock->lock);
		return FALSE;
	}
	run->busy = isc_verb_name(verb);
	run->busy_since = g_get_monotonic_time();
	run->cancel = cancel;
	g_mutex_unlock(&dock->lock);
	return TRUE;
}

gboolean isc_verbs_take(IscDock *dock, const gchar *name, IscVerb verb, GCancellable *cancel,
		GError **error)
{
	return isc_verbs_take_for(dock, name, verb, TRUE, cancel, error);
}

void isc_verbs_call_it(IscDock *dock, const gchar *name, const gchar *what)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	isc_dock_run(dock, name)->busy = what;
}

static gboolean starts(const gchar *verb)
{
	return verb && (g_str_equal(verb, isc_verb_name(ISC_VERB_PROVISION)) ||
				       g_str_equal(verb, isc_verb_name(ISC_VERB_ENABLE)) ||
				       g_str_equal(verb, isc_verb_name(ISC_VERB_SNAPSHOT_RESTORE)));
}

void isc_verbs_interrupt(IscDock *dock, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	if (!run->busy)
		return;
	run->seized = TRUE;
	g_cancellable_cancel(run->cancel);
}

gboolean isc_verbs_is_seized(IscDock *dock, const gchar *name, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	const IscRun *run = isc_dock_run(dock, name);
	if (!run->seized || !starts(run->busy))
		return FALSE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"interrupted: node '%s' is put into quarantine as it is", name);
	return TRUE;
}

void isc_verbs_give_back(IscDock *dock, const gchar *name)
{
	g_mutex_lock(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	/* Its end came while the verb was under way, which is when libvirt's events are not looked
	 * at: a job may be that short. */
	gboolean ended = starts(run->busy) && run->gone;
	run->busy = NULL;
	run->cancel = NULL;
	run->seized = FALSE;
	g_cond_broadcast(&dock->changed);
	g_mutex_unlock(&dock->lock);
	if (ended)
		isc_reconcile_ended(dock, name);
}
