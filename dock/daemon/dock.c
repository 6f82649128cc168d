#include "daemon/dock.h"

#include <malloc.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"
#include "base/name.h"
#include "daemon/acts-link.h"
#include "daemon/act.h"
#include "daemon/balance.h"
#include "daemon/bus.h"
#include "daemon/env.h"
#include "daemon/monitor.h"
#include "daemon/packets.h"
#include "daemon/silence.h"
#include "engine/links.h"

IscRun *isc_dock_run(IscDock *dock, const gchar *name)
{
	IscRun *run = g_hash_table_lookup(dock->runs, name);
	if (!run) {
		run = g_new0(IscRun, 1);
		g_hash_table_insert(dock->runs, g_strdup(name), run);
	}
	return run;
}

gboolean isc_dock_is_busy(IscDock *dock, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	return isc_dock_run(dock, name)->busy != NULL;
}

void isc_dock_reset_claims(IscDock *dock, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	const IscRun kept = *run;
	*run = (IscRun){ .busy = kept.busy,
		.busy_since = kept.busy_since,
		.cancel = kept.cancel,
		.key = kept.key,
		.verifying = kept.verifying,
		.defined = kept.defined,
		.defined_until = kept.defined_until,
		.states = kept.states,
		.boundary = kept.boundary };
}

guint32 isc_dock_next_id(IscDock *dock)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	return ++dock->last_id;
}

gboolean isc_dock_wait(IscDock *dock, const gchar *name,
		gboolean (*is_so)(const IscRun *run, gpointer data), gpointer data, gint64 deadline,
		GCancellable *cancel)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	while (!is_so(isc_dock_run(dock, name), data)) {
		/* A cancellable has no part in the condition: look at it four times a second. */
		gint64 next = MIN(deadline, g_get_monotonic_time() + 250 * G_TIME_SPAN_MILLISECOND);
		(void)g_cond_wait_until(&dock->changed, &dock->lock, next);
		if (g_get_monotonic_time() >= deadline ||
				(cancel && g_cancellable_is_cancelled(cancel)))
			return is_so(isc_dock_run(dock, name), data);
	}
	return TRUE;
}

void isc_dock_event(IscDock *dock, const gchar *node, const gchar *kind, const gchar *level,
		guint caller, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *text = g_strdup_vprintf(format, args);
	va_end(args);

	IscEventRow row = { .node = (gchar *)node,
		.kind = (gchar *)kind,
		.level = (gchar *)level,
		.text = text,
		.caller = caller };
	g_autoptr(GError) why = NULL;
	if (!isc_register_add_event(dock->reg, &row, &why))
		g_warning("event '%s' of '%s' is not in the register: %s", kind, node,
				why->message);

	isc_act_event(dock, &row);
	int priority = g_str_equal(level, "alarm")  ? LOG_ALERT
		       : g_str_equal(level, "warn") ? LOG_WARNING
						    : LOG_NOTICE;
	syslog(LOG_DAEMON | priority,
			"event seq=%" G_GUINT64_FORMAT " node=%s kind=%s caller=%d %s", row.seq,
			*node ? node : "-", kind, (int)caller, text);
	if (dock->bus)
		isc_bus_event(dock->bus, &row);
}

void isc_dock_set_state(IscDock *dock, const gchar *name, IscNodeState state, const gchar *reason,
		guint caller)
{
	static const gchar *const kinds[ISC_N_NODE_STATES] = {
		[ISC_NODE_DISABLED] = "node.disabled",
		[ISC_NODE_ENABLING] = "node.enabling",
		[ISC_NODE_READY] = "node.ready",
		[ISC_NODE_UNREADY] = "node.unready",
		[ISC_NODE_SUSPENDED] = "node.suspended",
		[ISC_NODE_QUARANTINED] = "node.quarantined",
		[ISC_NODE_FAILED] = "node.failed",
		[ISC_NODE_DISABLING] = "node.disabling",
		[ISC_NODE_DESTROYING] = "node.destroying",
	};
	g_autoptr(GError) why = NULL;
	if (!isc_register_set_state(dock->reg, name, state, reason, &why))
		g_warning("state of '%s': %s", name, why->message);
	g_mutex_lock(&dock->lock);
	isc_dock_run(dock, name)->states++;
	g_mutex_unlock(&dock->lock);
	isc_silence_listen(
			dock); /* one that was resumed, but not to life, gives no beat that would */
	isc_dock_event(dock, name, kinds[state],
			state == ISC_NODE_QUARANTINED                           ? "alarm"
			: state == ISC_NODE_FAILED || state == ISC_NODE_UNREADY ? "warn"
										: "info",
			caller, "%s is %s%s%s", name, isc_node_state_name(state),
			reason && *reason ? ": " : "", reason ? reason : "");
	if (dock->bus)
		isc_bus_node_changed(dock->bus, name, state);
	if (dock->monitor)
		isc_monitor_follow(dock->monitor, name, state);
	isc_balance_follow(dock, name);
}

void isc_dock_set_trouble(IscDock *dock, const gchar *trouble)
{
	g_mutex_lock(&dock->lock);
	gboolean same = g_strcmp0(dock->trouble, trouble) == 0;
	if (!same) {
		g_free(dock->trouble);
		dock->trouble = g_strdup(trouble);
	}
	g_mutex_unlock(&dock->lock);
	if (same)
		return;
	isc_dock_event(dock, "", trouble ? "dock.degraded" : "dock.ok", trouble ? "alarm" : "info",
			ISC_CALLER_DOCK, "%s", trouble ? trouble : "the dock is whole again");
	if (dock->bus)
		isc_bus_state_changed(dock->bus);
}

gchar *isc_dock_node_dir(const IscDock *dock, const gchar *name)
{
	return g_build_filename(dock->config->state_dir, "nodes", name, NULL);
}

gchar *isc_dock_node_run_dir(const IscDock *dock, const gchar *name)
{
	return g_build_filename(dock->config->run_dir, "nodes", name, NULL);
}

gchar *isc_dock_outside_address(const IscDock *dock)
{
	g_autoptr(GArray) all = dock->outside ? isc_links_addresses(dock->outside, NULL) : NULL;
	return all && all->len ? isc_address_print(g_array_index(all, guint32, 0)) : g_strdup("");
}

/* What a node says of itself, filed.  Numbers only; ranges are checked where they are shown. */
static void file_claim(IscDock *dock, IscRun *run, const IscLinkMsg *msg)
{
	switch ((IscWireEventKind)msg->a) {
	case ISC_EVENT_BOOTED:
		run->booted = TRUE;
		break;
	case ISC_EVENT_STARTED:
		run->started = TRUE;
		break;
	case ISC_EVENT_READY:
		run->ready = TRUE;
		run->unhealthy = FALSE;
		break;
	case ISC_EVENT_STOPPED:
		run->stopped = TRUE;
		run->stopped_at = g_get_monotonic_time();
		run->ready = FALSE;
		run->exit_status = msg->b;
		run->exit_signal = msg->c;
		break;
	case ISC_EVENT_HEARTBEAT:
		run->heartbeat = g_get_monotonic_time();
		run->audit_lost = msg->b;
		run->audit_dropped = msg->c;
		break;
	case ISC_EVENT_FROZEN:
		run->frozen = (guint32)msg->b;
		break;
	case ISC_EVENT_THAWED:
		run->thawed = (guint32)msg->b;
		break;
	case ISC_EVENT_FAILED:
		run->failure = CLAMP(msg->b, 1, ISC_N_INIT_FAILURES - 1);
		run->failure_errno = msg->c;
		break;
	case ISC_EVENT_BYE:
		run->bye = TRUE;
		break;
	case ISC_EVENT_UNHEALTHY:
		run->unhealthy = TRUE;
		run->ready = FALSE;
		break;
	case ISC_EVENT_CHECKED:
		run->check_id = (guint32)msg->b;
		run->check_status = msg->c;
		break;
	default:
		break;
	}
	g_cond_broadcast(&dock->changed);
}

/* A node that runs, undisturbed by a verb, is what its health says. */
static void follow_health(IscDock *dock, const gchar *name, gboolean ready)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	if (!node || node->spec->job.is_job)
		return;
	if (ready && node->state == ISC_NODE_UNREADY && !isc_monitor_is_bad(dock->monitor, name))
		isc_dock_set_state(dock, name, ISC_NODE_READY, NULL, ISC_CALLER_DOCK);
	else if (!ready && node->state == ISC_NODE_READY)
		isc_monitor_unready(dock, name, "its health check inside does not hold");
}

static void on_event(IscDock *dock, const IscLinkMsg *msg)
{
	g_mutex_lock(&dock->lock);
	IscRun *run = isc_dock_run(dock, msg->node);
	gboolean dropped = msg->a == ISC_EVENT_HEARTBEAT &&
			   (msg->b > run->audit_lost || msg->c > run->audit_dropped);
	file_claim(dock, run, msg);
	gboolean busy = run->busy != NULL;
	g_mutex_unlock(&dock->lock);

	if (msg->a == ISC_EVENT_HEARTBEAT)
		isc_silence_listen(dock);
	if (dropped)
		isc_dock_event(dock, msg->node, "audit.lost", "warn", ISC_CALLER_DOCK,
				"%s lost audit records: %" G_GINT64_FORMAT
				" by the kernel, %" G_GINT64_FORMAT
				" by the agent since it started",
				msg->node, msg->b, msg->c);
	if (msg->a == ISC_EVENT_STOPPED && !(msg->flags & 1))
		isc_dock_event(dock, msg->node, "service.stopped", "info", ISC_CALLER_DOCK,
				"the service of %s ended with status %" G_GINT64_FORMAT
				", signal %" G_GINT64_FORMAT,
				msg->node, msg->b, msg->c);
	if (!busy && (msg->a == ISC_EVENT_READY || msg->a == ISC_EVENT_UNHEALTHY))
		follow_health(dock, msg->node, msg->a == ISC_EVENT_READY);
}

static void on_answer(IscDock *dock, const IscLinkMsg *msg)
{
	/* An anchor that nobody asked for: it must not pass for the answer to a flush, nor hide
	 * one. */
	if (msg->kind == ISC_LINK_FLUSHED && msg->a == -1)
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	IscRun *run = isc_dock_run(dock, msg->node);
	if (msg->kind == ISC_LINK_PROBED) {
		run->probe_id = (guint32)msg->a;
		run->probe_status = msg->b;
	} else {
		run->flush_id = (guint32)msg->a;
	}
	g_cond_broadcast(&dock->changed);
}

void isc_dock_on_link(gpointer data, const IscLinkMsg *msg, gboolean up)
{
	IscDock *dock = data;
	if (!msg) {
		if (up && dock->acts_link)
			isc_acts_link_attach(dock->acts_link);
		if (up)
			isc_silence_listen(dock); /* nor does one that fell silent meanwhile */
		else if (!dock->stopping)
			isc_packets_on_loss(dock);
		if (!dock->stopping)
			isc_dock_set_trouble(dock, up ? NULL
						      : "isc-collectord does not answer: audit "
							"waits in the nodes");
		return;
	}

	switch ((IscLinkKind)msg->kind) {
	case ISC_LINK_EVENT:
		on_event(dock, msg);
		break;
	case ISC_LINK_PROBED:
	case ISC_LINK_FLUSHED:
	case ISC_LINK_FORGOTTEN:
		on_answer(dock, msg);
		break;
	case ISC_LINK_BAD:
		if (msg->a == 1 || msg->a == 10 || msg->a % 1000 == 0)
			isc_dock_event(dock, msg->node, "channel.bad",
					msg->a >= 10 ? "alarm" : "warn", ISC_CALLER_DOCK,
					"%s sent %" G_GINT64_FORMAT " broken frames", msg->node,
					msg->a);
		break;
	case ISC_LINK_REFUSED:
		isc_dock_event(dock, msg->node, "trail.refused", "alarm", ISC_CALLER_DOCK,
				"the trail of %s cannot be kept: %s", msg->node,
				g_strerror((int)msg->a));
		break;
	case ISC_LINK_LISTENS:
	case ISC_LINK_COUNT:
		isc_packets_on_link(dock, msg);
		break;
	case ISC_LINK_FENCE:
	case ISC_LINK_PACKETS:
	case ISC_LINK_DROPPED:
	case ISC_LINK_KEEP:
	case ISC_LINK_GUARD:
	case ISC_LINK_CLOSED:
	case ISC_LINK_ATTACH:
	case ISC_LINK_FORGET:
	case ISC_LINK_ORDER:
	case ISC_LINK_PROBE:
	case ISC_LINK_FLUSH:
		break;
	}
}

IscNode *isc_dock_load_node(IscDock *dock, const gchar *name, GError **error)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, error);
	if (!node || !isc_env_fetch(dock, node, error))
		return NULL;
	return g_steal_pointer(&node);
}

/* --- work for other threads ---------------------------------------------------------------- */

typedef struct {
	void (*run)(IscDock *dock, gpointer data);
	gpointer data;
} Job;

void isc_dock_do(IscDock *dock, void (*run)(IscDock *dock, gpointer data), gpointer data)
{
	Job *job = g_new(Job, 1);
	*job = (Job){ run, data };
	g_thread_pool_push(dock->pool, job, NULL);
}

void isc_dock_work(gpointer item, gpointer data)
{
	g_autofree Job *job = item;
	IscDock *dock = data;
	job->run(dock, job->data);
	/* What many orders at once took is not kept for the day when as many come again. */
	if (g_thread_pool_unprocessed(dock->pool) == 0)
		(void)malloc_trim(0);
}
