#include "daemon/silence.h"

#include "base/error.h"
#include "base/name.h"

#define LOOK_S 10
#define SILENT_US (30 * G_USEC_PER_SEC) /* six beats */

static void look(IscDock *dock, gpointer data)
{
	(void)data;
	isc_silence_look(dock);
}

static gboolean on_time(gpointer data)
{
	isc_dock_do(data, look, NULL);
	return G_SOURCE_REMOVE;
}

void isc_silence_listen(IscDock *dock)
{
	if (!dock->stopping && g_atomic_int_compare_and_exchange(&dock->listens, 0, 1))
		g_timeout_add_seconds(LOOK_S, on_time, dock);
}

/* What was said before our time does not count. */
static gint64 silent_for(const IscDock *dock, const IscRun *run)
{
	return g_get_monotonic_time() - MAX(run->heartbeat, dock->began);
}

/* Whether the register says that @name runs, booted, and is not halted: what is in quarantine may
 * be.  One that does not is not asked for again before its state is set: most nodes that a dock
 * knows may be off. */
static gboolean is_to_be_heard(IscDock *dock, const gchar *name)
{
	g_autoptr(GError) why = NULL;
	g_mutex_lock(&dock->lock);
	guint64 states = isc_dock_run(dock, name)->states;
	g_mutex_unlock(&dock->lock);
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, &why);
	if (node && (node->state == ISC_NODE_READY || node->state == ISC_NODE_UNREADY))
		return TRUE;
	if (node || g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
		isc_dock_run(dock, name)->off = states + 1;
	}
	return FALSE;
}

static gboolean is_off(const IscRun *run)
{
	return run->off == run->states + 1;
}

static void tell(IscDock *dock, const gchar *name, gint64 since)
{
	if (since > SILENT_US)
		isc_dock_event(dock, name, "node.silent", "alarm", ISC_CALLER_DOCK,
				"the agent of %s has said nothing for %" G_GINT64_FORMAT
				" s: what goes on in it may not be on record",
				name, since / G_USEC_PER_SEC);
	else
		isc_dock_event(dock, name, "node.heard", "info", ISC_CALLER_DOCK,
				"the agent of %s is heard again", name);
}

/* It takes two looks: one that was resumed a moment ago has not had the time to say anything.
 * @can_hear: while the collector is away nobody can be heard.  Returns: whether to look again */
static gboolean look_at(IscDock *dock, const gchar *name, gboolean can_hear)
{
	gboolean must = can_hear && is_to_be_heard(dock, name);
	g_mutex_lock(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	gint64 since = silent_for(dock, run);
	gboolean is_heard = since <= SILENT_US, was_silent = run->silent;
	if (is_heard || !must || run->busy)
		run->suspect = run->silent = FALSE;
	else if (run->suspect)
		run->silent = TRUE;
	else
		run->suspect = TRUE;
	gboolean news = was_silent ? is_heard : run->silent;
	g_mutex_unlock(&dock->lock);
	if (news)
		tell(dock, name, since);
	return must && !is_heard;
}

/* Those that are silent, or were, or were taken to be. *@heard: some are not.  Returns: (transfer
 * full) */
static GPtrArray *list_suspects(IscDock *dock, gboolean *heard)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	GHashTableIter i;
	gpointer name, value;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	g_hash_table_iter_init(&i, dock->runs);
	while (g_hash_table_iter_next(&i, &name, &value)) {
		const IscRun *run = value;
		gboolean is_silent = silent_for(dock, run) > SILENT_US;
		*heard |= run->heartbeat > 0 && !is_silent;
		if (isc_name_is_valid(name) && !is_off(run) &&
				(run->silent || run->suspect || is_silent))
			g_ptr_array_add(names, g_strdup(name));
	}
	return names;
}

void isc_silence_look(IscDock *dock)
{
	gboolean again = FALSE, can_hear = isc_link_is_up(dock->link);
	g_autoptr(GPtrArray) names = list_suspects(dock, &again);
	for (guint i = 0; i < names->len; i++)
		again |= look_at(dock, names->pdata[i], can_hear);
	g_atomic_int_set(&dock->listens, 0);
	if (again)
		isc_silence_listen(dock);
}
