#include "daemon/monitor.h"

#include "daemon/ready.h"
#include "daemon/restart.h"
#include "daemon/steps.h"

#define ENDING_S 10 /* that a node may take from the end of its service to its own */
#define PROBERS 8   /* at once: nodes that hang delay the look at others, never a verb */

typedef struct {
	gchar *health;
	guint interval_s, retries;
	guint failures;    /* in a row */
	gint64 probed;     /* monotonic µs of the last answer or silence; 0: none yet */
	gboolean is_going; /* a probe is under way */
	GSource *timer;
} Watch;

struct IscMonitor {
	IscDock *dock;
	GThreadPool *pool;
	GMutex lock;
	GHashTable *watches; /* name → Watch */
};

static void watch_free(gpointer data)
{
	Watch *watch = data;
	if (watch->timer) {
		g_source_destroy(watch->timer);
		g_source_unref(watch->timer);
	}
	g_free(watch->health);
	g_free(watch);
}

/* --- what follows from a probe -----------------------------------------------------------------
 */

typedef struct {
	gchar *name, *why;
} Unready;

static void restart(IscDock *dock, gpointer data)
{
	Unready *u = data;
	isc_restart_unhealthy(dock, u->name, u->why);
	g_free(u->name);
	g_free(u->why);
	g_free(u);
}

static void restart_soon(IscDock *dock, const gchar *name, const gchar *why)
{
	Unready *u = g_new(Unready, 1);
	*u = (Unready){ g_strdup(name), g_strdup(why) };
	isc_dock_do(dock, restart, u);
}

void isc_monitor_unready(IscDock *dock, const gchar *name, const gchar *why)
{
	isc_dock_set_state(dock, name, ISC_NODE_UNREADY, why, ISC_CALLER_DOCK);
	restart_soon(dock, name, why);
}

static gboolean says_it_is_ready(IscDock *dock, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	const IscRun *run = isc_dock_run(dock, name);
	return run->ready && !run->unhealthy;
}

/* A verb under way looks at the node itself; one whose service has ended is about to power off, and
 * its end says more than a probe that fails meanwhile.  That it has ended is the node's word, so it
 * is taken for a moment only. */
static gboolean is_passed_over(IscDock *dock, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	const IscRun *run = isc_dock_run(dock, name);
	return run->busy || (run->stopped && g_get_monotonic_time() - run->stopped_at <
							     ENDING_S * G_USEC_PER_SEC);
}

/* Enters the result; how many failures in a row that makes, 0 where it holds, -1 where it says
 * nothing. */
static gint enter(IscMonitor *monitor, const gchar *name, IscProbe result, guint *retries)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&monitor->lock);
	Watch *watch = g_hash_table_lookup(monitor->watches, name);
	if (!watch)
		return -1;
	watch->is_going = FALSE;
	if (result == ISC_PROBE_UNKNOWN)
		return -1;
	watch->probed = g_get_monotonic_time();
	watch->failures = result == ISC_PROBE_GOOD ? 0 : watch->failures + 1;
	*retries = watch->retries;
	return (gint)watch->failures;
}

static void judge(
		IscDock *dock, const gchar *name, const gchar *health, gint failures, guint retries)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	if (!node || failures < 0 || is_passed_over(dock, name))
		return;
	if (failures == 0) {
		if (node->state == ISC_NODE_UNREADY && says_it_is_ready(dock, name))
			isc_dock_set_state(dock, name, ISC_NODE_READY, NULL, ISC_CALLER_DOCK);
		return;
	}
	/* Again after 2, 4, 8, … rounds: the ceiling of restarts may have passed. */
	guint rounds = (guint)failures / retries;
	if ((guint)failures % retries != 0 || (rounds & (rounds - 1)) != 0)
		return;
	g_autofree gchar *why = g_strdup_printf(
			"health check %s failed %d times in a row", health, failures);
	if (node->state == ISC_NODE_READY)
		isc_monitor_unready(dock, name, why);
	else if (node->state == ISC_NODE_UNREADY)
		restart_soon(dock, name, why);
}

/* In a thread of the monitor's pool. */
static void probe(gpointer data, gpointer user_data)
{
	g_autofree gchar *name = data;
	IscMonitor *monitor = user_data;
	IscDock *dock = monitor->dock;
	g_autofree gchar *health = NULL;
	guint retries = 1;

	g_mutex_lock(&monitor->lock);
	const Watch *watch = g_hash_table_lookup(monitor->watches, name);
	if (watch)
		health = g_strdup(watch->health);
	g_mutex_unlock(&monitor->lock);
	g_autoptr(IscNode) node = health ? isc_register_get_node(dock->reg, name, NULL) : NULL;
	IscProbe result = node && !dock->stopping && !is_passed_over(dock, name)
					  ? isc_ready_probe(dock, node, health, NULL)
					  : ISC_PROBE_UNKNOWN;
	gint failures = enter(monitor, name, result, &retries);
	if (!dock->stopping)
		judge(dock, name, health, failures, retries);
}

/* --- who is looked at --------------------------------------------------------------------------
 */

typedef struct {
	IscMonitor *monitor;
	gchar *name;
} Tick;

static void tick_free(gpointer data)
{
	g_free(((Tick *)data)->name);
	g_free(data);
}

static gboolean on_tick(gpointer data)
{
	const Tick *tick = data;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&tick->monitor->lock);
	Watch *watch = g_hash_table_lookup(tick->monitor->watches, tick->name);
	if (watch && !watch->is_going) {
		watch->is_going = TRUE;
		g_thread_pool_push(tick->monitor->pool, g_strdup(tick->name), NULL);
	}
	return G_SOURCE_CONTINUE;
}

static Watch *watch_new(IscMonitor *monitor, const IscNode *node)
{
	g_autoptr(IscImage) image = isc_steps_image(monitor->dock, node, NULL);
	g_autofree gchar *health = image ? isc_ready_health(node, image) : NULL;
	if (!health || !node->spec->upkeep.health_interval_s)
		return NULL;
	Watch *watch = g_new0(Watch, 1);
	watch->health = g_steal_pointer(&health);
	watch->interval_s = node->spec->upkeep.health_interval_s;
	watch->retries = node->spec->upkeep.health_retries;
	Tick *tick = g_new(Tick, 1);
	*tick = (Tick){ monitor, g_strdup(node->spec->name) };
	watch->timer = g_timeout_source_new_seconds(watch->interval_s);
	g_source_set_callback(watch->timer, on_tick, tick, tick_free);
	g_source_attach(watch->timer, NULL);
	return watch;
}

void isc_monitor_follow(IscMonitor *monitor, const gchar *name, IscNodeState state)
{
	gboolean is_looked_at = state == ISC_NODE_READY || state == ISC_NODE_UNREADY;
	g_mutex_lock(&monitor->lock);
	gboolean has = g_hash_table_contains(monitor->watches, name);
	if (has && !is_looked_at)
		g_hash_table_remove(monitor->watches, name);
	g_mutex_unlock(&monitor->lock);
	if (has || !is_looked_at)
		return;

	g_autoptr(IscNode) node = isc_register_get_node(monitor->dock->reg, name, NULL);
	Watch *watch = node ? watch_new(monitor, node) : NULL;
	if (!watch)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&monitor->lock);
	g_hash_table_replace(monitor->watches, g_strdup(name), watch);
}

gboolean isc_monitor_is_bad(IscMonitor *monitor, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&monitor->lock);
	const Watch *watch = g_hash_table_lookup(monitor->watches, name);
	return watch && watch->failures > 0;
}

void isc_monitor_show(IscMonitor *monitor, const gchar *name, GVariantBuilder *b)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&monitor->lock);
	const Watch *watch = g_hash_table_lookup(monitor->watches, name);
	g_variant_builder_add(b, "{sv}", "health-failures",
			g_variant_new_uint32(watch ? watch->failures : 0));
	if (watch && watch->probed)
		g_variant_builder_add(b, "{sv}", "health-age",
				g_variant_new_double(
						(gdouble)(g_get_monotonic_time() - watch->probed) /
						G_USEC_PER_SEC));
}

/* --- life --------------------------------------------------------------------------------------
 */

IscMonitor *isc_monitor_new(IscDock *dock, GError **error)
{
	GThreadPool *pool;
	IscMonitor *monitor = g_new0(IscMonitor, 1);
	monitor->dock = dock;
	g_mutex_init(&monitor->lock);
	monitor->watches = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, watch_free);
	pool = g_thread_pool_new(probe, monitor, PROBERS, FALSE, error);
	if (!pool) {
		isc_monitor_free(monitor);
		return NULL;
	}
	monitor->pool = pool;
	return monitor;
}

void isc_monitor_start(IscMonitor *monitor)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(monitor->dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		isc_monitor_follow(monitor, node->spec->name, node->state);
	}
}

void isc_monitor_stop(IscMonitor *monitor)
{
	if (monitor->pool)
		g_thread_pool_free(monitor->pool, /* immediate= */ TRUE, /* wait= */ TRUE);
	monitor->pool = NULL;
}

void isc_monitor_free(IscMonitor *monitor)
{
	if (!monitor)
		return;
	isc_monitor_stop(monitor);
	g_hash_table_unref(monitor->watches);
	g_mutex_clear(&monitor->lock);
	g_free(monitor);
}
