#include "daemon/schedule.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"
#include "daemon/jobs.h"
#include "model/calendar.h"

#define RETRY_S 10 /* after a register that could not be read or written */
#define STARTERS 4 /* at once; others wait, and the workers that operators need stay free */

static gint64 now_s(void)
{
	return g_get_real_time() / G_USEC_PER_SEC;
}

static gboolean calendar_of(const IscNode *node, IscCalendar *out)
{
	const IscJobSpec *job = &node->spec->job;
	return *job->schedule && !job->is_paused && isc_calendar_parse(job->schedule, out, NULL);
}

/* --- one run ------------------------------------------------------------------------------- */

typedef struct {
	gchar *name;
	guint64 run;
} Start;

/* One that could not even be tried counts as missed, with the reason. */
static void start_run(gpointer data, gpointer user_data)
{
	Start *start = data;
	IscDock *dock = user_data;
	g_autoptr(GError) why = NULL;
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = { .verb = ISC_VERB_ENABLE,
		.node = start->name,
		.caller = ISC_CALLER_DOCK,
		.run = start->run };
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, start->name, NULL);
	if (node && !dock->stopping) {
		if (!isc_verb_run(dock, &request, &out, &why))
			isc_jobs_end(dock, node, start->run,
					out.order ? ISC_RUN_FAILED : ISC_RUN_MISSED, -1, 0,
					why->message);
		else if (out.done)
			isc_jobs_end(dock, node, start->run, ISC_RUN_MISSED, -1, 0,
					"somebody else had started it just before");
	}
	g_free(start->name);
	g_free(start);
}

static gboolean begin(IscDock *dock, const IscNode *node, const gchar *cause, gint64 due)
{
	guint64 run = isc_jobs_enter(
			dock, node, cause, due, ISC_RUN_RUNNING, ISC_CALLER_DOCK, NULL);
	if (!run)
		return FALSE;
	Start *start = g_new(Start, 1);
	*start = (Start){ g_strdup(node->spec->name), run };
	g_thread_pool_push(dock->starters, start, NULL);
	return TRUE;
}

static const gchar *why_not(const IscNode *node)
{
	if (node->state == ISC_NODE_QUARANTINED)
		return "the node is in quarantine";
	return isc_node_state_is_up(node->state) ? "the run before has not ended" : NULL;
}

static gboolean miss(IscDock *dock, const IscNode *node, gint64 due, const gchar *why)
{
	return isc_jobs_enter(dock, node, "schedule", due, ISC_RUN_MISSED, ISC_CALLER_DOCK, why) !=
	       0;
}

/* @node is due: what follows is on record before anything is done.  FALSE: it could not be put on
 * record, and nothing is done. */
static gboolean deal_with(IscDock *dock, const IscNode *node, const IscJobDue *is)
{
	IscCalendar calendar;
	g_autoptr(GTimeZone) zone = g_time_zone_new_local();
	g_autoptr(GError) why = NULL;
	IscJobDue next = { .last = now_s(), .owed = is->owed };
	guint missed = 0;
	gboolean persistent = node->spec->job.is_persistent;
	const gchar *obstacle = why_not(node);

	gboolean run = calendar_of(node, &calendar) &&
		       isc_job_decide(&calendar, is->due, next.last, is->last, zone, &next.due,
				       &missed);
	gboolean catch_up = missed > 0 && !run && persistent;
	if (missed > 0) {
		g_autofree gchar *text = g_strdup_printf(
				"%u time%s: isc-dockd was down, or the clock was set", missed,
				missed > 1 ? "s" : "");
		if (!miss(dock, node, is->due, text))
			return FALSE;
	}
	if (run && obstacle && !miss(dock, node, next.last, obstacle))
		return FALSE;
	if ((run || catch_up) && obstacle)
		next.owed = persistent && node->state != ISC_NODE_QUARANTINED;
	if (!isc_register_set_due(dock->reg, node->uuid, &next, &why)) {
		g_warning("schedule of '%s': %s", node->spec->name, why->message);
		return FALSE;
	}
	if ((run || catch_up) && !obstacle)
		(void)begin(dock, node, run ? "schedule" : "catch-up", run ? next.last : is->due);
	return TRUE;
}

void isc_schedule_ended(IscDock *dock, const IscNode *node)
{
	IscJobDue due;
	g_autoptr(GError) why = NULL;
	if (!*node->spec->job.schedule || node->spec->job.is_paused || dock->stopping ||
			!isc_register_get_due(dock->reg, node->uuid, &due, &why) || !due.owed)
		return;
	due.owed = FALSE;
	if (!isc_register_set_due(dock->reg, node->uuid, &due, &why))
		g_warning("schedule of '%s': %s", node->spec->name, why->message);
	else
		(void)begin(dock, node, "catch-up", due.last);
}

/* --- the timer ----------------------------------------------------------------------------- */

static void set_timer(IscDock *dock, gint64 due)
{
	/* Cancelled when the clock is set: then everything is looked at anew. */
	const struct itimerspec at = { .it_value.tv_sec = (time_t)due };
	if (timerfd_settime(dock->schedule_fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &at,
			    NULL) < 0 &&
			errno != ECANCELED)
		g_warning("timer of schedules: %s", g_strerror(errno));
}

static gboolean look_at(IscDock *dock, const gchar *name)
{
	IscJobDue is;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	return node && isc_register_get_due(dock->reg, node->uuid, &is, NULL) &&
	       (is.due == 0 || deal_with(dock, node, &is));
}

/* A node that cannot be dealt with keeps no other one waiting. */
static void look(IscDock *dock)
{
	for (;;) {
		g_autoptr(GError) why = NULL;
		gint64 next, again = now_s() + RETRY_S;
		g_auto(GStrv) names = isc_register_list_due(dock->reg, now_s(), &next, &why);
		gboolean failed = names == NULL;
		if (!names)
			g_warning("schedules: %s", why->message);
		for (guint i = 0; names && names[i]; i++)
			failed |= !look_at(dock, names[i]);
		if (failed || !*names) {
			set_timer(dock, failed && (next == 0 || next > again) ? again : next);
			return;
		}
	}
}

static gboolean on_look(gpointer data)
{
	look(data);
	return G_SOURCE_REMOVE;
}

/* The clock was set: what is due earlier than it was, is. */
static void look_anew(IscDock *dock)
{
	g_autoptr(GTimeZone) zone = g_time_zone_new_local();
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		IscCalendar calendar;
		IscJobDue is;
		gint64 next;
		guint missed;
		if (!calendar_of(node, &calendar) ||
				!isc_register_get_due(dock->reg, node->uuid, &is, NULL))
			continue;
		(void)isc_job_decide(&calendar, 0, now_s(), is.last, zone, &next, &missed);
		if (next == 0 || (is.due != 0 && next >= is.due))
			continue;
		is.due = next;
		g_autoptr(GError) why = NULL;
		if (!isc_register_set_due(dock->reg, node->uuid, &is, &why))
			g_warning("schedule of '%s': %s", node->spec->name, why->message);
	}
}

static gboolean on_timer(gint fd, GIOCondition condition, gpointer data)
{
	IscDock *dock = data;
	guint64 n;
	(void)condition;
	if (read(fd, &n, sizeof(n)) < 0 && errno == ECANCELED)
		look_anew(dock);
	look(dock);
	return G_SOURCE_CONTINUE;
}

gboolean isc_schedule_add(IscDock *dock, const IscNode *node, GError **error)
{
	IscCalendar calendar;
	g_autoptr(GTimeZone) zone = g_time_zone_new_local();
	if (isc_node_is_stand_in(node) || !calendar_of(node, &calendar))
		return TRUE;
	const IscJobDue due = { .due = isc_calendar_next(&calendar, now_s(), zone) };
	if (!isc_register_set_due(dock->reg, node->uuid, &due, error))
		return FALSE;
	g_idle_add(on_look, dock);
	return TRUE;
}

gboolean isc_schedule_check(const IscSpec *spec, GError **error)
{
	IscCalendar calendar;
	g_autoptr(GTimeZone) zone = g_time_zone_new_local();
	if (!*spec->job.schedule)
		return TRUE;
	if (!isc_calendar_parse(spec->job.schedule, &calendar, error))
		return FALSE;
	if (isc_calendar_next(&calendar, now_s(), zone) != 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"node '%s': schedule '%s' does not come any more; give one that does "
			"('isc-vm job next' tells when), or none, and it runs now",
			spec->name, spec->job.schedule);
	return FALSE;
}

/* --- pausing ------------------------------------------------------------------------------- */

/* Whoever dies between the two leaves a schedule that is paused and due: deal_with() forgets when.
 */
static gboolean enter_pause(IscDock *dock, IscNode *node, gboolean on, GError **error)
{
	IscCalendar calendar;
	g_autoptr(GTimeZone) zone = g_time_zone_new_local();
	IscJobDue due = { .last = now_s() };
	node->spec->job.is_paused = on;
	if (calendar_of(node, &calendar))
		due.due = isc_calendar_next(&calendar, due.last, zone);
	if (!on && !isc_register_set_due(dock->reg, node->uuid, &due, error))
		return FALSE;
	if (!isc_register_set_spec(dock->reg, node->spec, error))
		return FALSE;
	return !on || isc_register_set_due(dock->reg, node->uuid, &due, error);
}

/* With the node taken for it. */
static gboolean pause_one(
		IscDock *dock, const gchar *name, gboolean on, gboolean *changed, GError **error)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, error);
	if (!node)
		return FALSE;
	if (!*node->spec->job.schedule) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"node '%s' has no schedule that could be paused; 'isc-vm disable' "
				"stops it",
				name);
		return FALSE;
	}
	*changed = node->spec->job.is_paused != on;
	if (!*changed)
		return TRUE;
	if (!enter_pause(dock, node, on, error))
		return FALSE;
	/* The definition's copy of it; without libvirtd it is mended by the next reconciling. */
	if (!dock->engine.adapters[ISC_STEP_DEFINE].up(dock->engine.self, node, "", NULL, &why))
		g_message("node '%s': %s", name, why->message);
	return TRUE;
}

gboolean isc_schedule_pause(IscDock *dock, const gchar *name, gboolean on, guint caller,
		gboolean *changed, GError **error)
{
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	*changed = FALSE;
	if (!isc_verbs_take(dock, name, ISC_VERB_EXPOSE, cancel, error))
		return FALSE;
	gboolean ok = pause_one(dock, name, on, changed, error);
	isc_verbs_give_back(dock, name);
	if (!ok || !*changed)
		return ok;
	isc_dock_event(dock, name, on ? "job.paused" : "job.resumed", "info", caller,
			"%s: its schedule %s", name,
			on ? "is paused: nothing runs, and nothing counts as missed" : "goes on");
	g_idle_add(on_look, dock);
	return TRUE;
}

/* --- life ---------------------------------------------------------------------------------- */

/* A register that was lost has the nodes back from libvirt, but not when they are due; and what an
 * earlier daemon owed is owed still. */
static void take_up(IscDock *dock)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		IscJobDue is;
		g_autoptr(GError) why = NULL;
		if (*node->spec->job.schedule &&
				isc_register_get_due(dock->reg, node->uuid, &is, NULL) && !is.due &&
				!is.last && !isc_schedule_add(dock, node, &why))
			g_warning("schedule of '%s': %s", node->spec->name, why->message);
		if (!isc_node_state_is_up(node->state))
			isc_schedule_ended(dock, node);
	}
}

gboolean isc_schedule_start(IscDock *dock, GError **error)
{
	dock->schedule_fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (dock->schedule_fd < 0)
		return isc_error_set_errno(error, errno, "no timer for schedules");
	dock->starters = g_thread_pool_new(start_run, dock, STARTERS, FALSE, error);
	if (!dock->starters)
		return FALSE;
	dock->schedule_source = g_unix_fd_add(dock->schedule_fd, G_IO_IN, on_timer, dock);
	take_up(dock);
	look(dock);
	return TRUE;
}

void isc_schedule_stop(IscDock *dock)
{
	if (dock->schedule_source == 0)
		return;
	g_source_remove(dock->schedule_source);
	dock->schedule_source = 0;
	close(dock->schedule_fd);
	g_thread_pool_free(dock->starters, /* immediate= */ FALSE, /* wait= */ TRUE);
}
