#include "daemon/ready.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "model/health.h"

#define PROBE_MS 2000 /* for one try */
#define PROBE_AGAIN_US 100000
#define CHECK_MS 10000     /* for a command inside … */
#define CHECK_MORE_MS 2000 /* … to be ordered and answered */
#define JOB_SAYS_S 5

static const gchar *const init_failures[ISC_N_INIT_FAILURES] = {
	[ISC_INIT_OK] = "nothing",
	[ISC_INIT_MODULES] = "its kernel modules",
	[ISC_INIT_ROOT] = "its root image",
	[ISC_INIT_OVERLAY] = "its overlay",
	[ISC_INIT_CONFIG] = "its configuration",
	[ISC_INIT_NETWORK] = "its network",
	[ISC_INIT_AUDIT] = "its audit",
	[ISC_INIT_SERVICE] = "its service",
	[ISC_INIT_VOLUME] = "one of its volumes",
};

gchar *isc_ready_health(const IscNode *node, const IscImage *image)
{
	const gchar *own = node->spec->upkeep.health;
	if (node->spec->job.is_job || g_strcmp0(own, ISC_HEALTH_NONE) == 0)
		return NULL; /* a job is looked at when it ends */
	return isc_health_resolve(own ? own : image->health, image->ports);
}

static gboolean has_news(const IscRun *run, gpointer data)
{
	(void)data;
	return run->ready || run->stopped || run->failure || run->gone;
}

/* A job counts as started when its service runs, or has run. */
static gboolean has_begun(const IscRun *run, gpointer data)
{
	(void)data;
	return run->started || run->ready || run->stopped || run->failure;
}

static gboolean has_begun_or_gone(const IscRun *run, gpointer data)
{
	return has_begun(run, data) || run->gone;
}

/* What helps, where the errno alone does not say it. */
static const gchar *advice(const IscRun *run)
{
	if (run->failure == ISC_INIT_VOLUME && run->failure_errno == EROFS)
		return "; a volume's folder must be one of the image, or below a writable path";
	if (run->failure == ISC_INIT_VOLUME && run->failure_errno == EMEDIUMTYPE)
		return "; it holds no ext4 and was used before: it is left as it is";
	return "";
}

/* Why it will not get ready; FALSE where it still may. */
static gboolean is_hopeless(IscDock *dock, const IscNode *node, GError **error)
{
	const gchar *name = node->spec->name;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	const IscRun *run = isc_dock_run(dock, name);
	if (run->failure)
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"node '%s' could not bring up %s: %s%s", name,
				init_failures[run->failure],
				g_strerror((int)CLAMP(run->failure_errno, 0, 4095)), advice(run));
	else if (run->stopped)
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"the service of node '%s' ended with status %" G_GINT64_FORMAT
				", signal %" G_GINT64_FORMAT " before it was ready; what it said "
				"is in '%s/nodes/%s/service.log'",
				name, run->exit_status, run->exit_signal, dock->config->log_dir,
				name);
	else if (run->gone)
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"node '%s' went down before it was ready", name);
	else
		return FALSE;
	return TRUE;
}

/* What a node that does not serve looks like; all else is trouble of the dock itself. */
static gboolean is_nodes_fault(int err)
{
	return err == ECONNREFUSED || err == ETIMEDOUT || err == ECONNRESET ||
	       err == EHOSTUNREACH || err == EHOSTDOWN;
}

/* A TCP connection to the node; the answer to the probe is read by the collector, not here. */
static int connect_to(
		const IscAddressPlan *plan, const IscNode *node, guint16 port, IscProbe *failed)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(isc_node_address(plan, node)) };
	isc_autofd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err = 0;
	socklen_t len = sizeof(err);

	*failed = ISC_PROBE_UNKNOWN;
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		struct pollfd p = { fd, POLLOUT, 0 };
		err = errno;
		if (err == EINPROGRESS && poll(&p, 1, PROBE_MS) != 1)
			err = ETIMEDOUT;
		else if (err == EINPROGRESS && getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
			return -1;
	}
	if (err) {
		*failed = is_nodes_fault(err) ? ISC_PROBE_BAD : ISC_PROBE_UNKNOWN;
		return -1;
	}
	return isc_steal_fd(&fd);
}

static gboolean is_probed(const IscRun *run, gpointer data)
{
	return run->probe_id == *(guint32 *)data;
}

static gboolean is_checked(const IscRun *run, gpointer data)
{
	return run->check_id == *(guint32 *)data || run->gone;
}

/* A node that does not answer in time is at fault, as one that says no. */
static IscProbe run_check(IscDock *dock, const IscNode *node, GCancellable *cancel)
{
	const gchar *name = node->spec->name;
	guint32 id = isc_dock_next_id(dock);
	IscLinkMsg msg = isc_link_msg(ISC_LINK_ORDER, name, node->slot);
	msg.a = ISC_ORDER_CHECK;
	msg.b = id;
	msg.c = CHECK_MS;
	if (!isc_link_send(dock->link, &msg, -1, NULL))
		return ISC_PROBE_UNKNOWN;
	if (!isc_dock_wait(dock, name, is_checked, &id,
			    g_get_monotonic_time() +
					    (CHECK_MS + CHECK_MORE_MS) * G_TIME_SPAN_MILLISECOND,
			    cancel))
		return g_cancellable_is_cancelled(cancel) ? ISC_PROBE_UNKNOWN : ISC_PROBE_BAD;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	const IscRun *run = isc_dock_run(dock, name);
	return run->check_id == id && run->check_status == 0 ? ISC_PROBE_GOOD : ISC_PROBE_BAD;
}

IscProbe isc_ready_probe(
		IscDock *dock, const IscNode *node, const gchar *health, GCancellable *cancel)
{
	if (!isc_health_port(health))
		return run_check(dock, node, cancel);
	IscProbe failed;
	isc_autofd int fd = connect_to(&dock->config->plan, node, isc_health_port(health), &failed);
	if (fd < 0)
		return failed;
	const gchar *path = isc_health_path(health);
	if (!path)
		return ISC_PROBE_GOOD;

	guint32 id = isc_dock_next_id(dock);
	IscLinkMsg msg = isc_link_msg(ISC_LINK_PROBE, node->spec->name, node->slot);
	msg.a = id;
	msg.b = PROBE_MS;
	g_strlcpy(msg.text, path, sizeof(msg.text));
	if (!isc_link_send(dock->link, &msg, fd, NULL) ||
			!isc_dock_wait(dock, node->spec->name, is_probed, &id,
					g_get_monotonic_time() +
							(PROBE_MS + 1000) * G_TIME_SPAN_MILLISECOND,
					cancel))
		return ISC_PROBE_UNKNOWN;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	gint64 status = isc_dock_run(dock, node->spec->name)->probe_status;
	return status >= 200 && status < 400 ? ISC_PROBE_GOOD : ISC_PROBE_BAD;
}

static gboolean timed_out(
		const IscNode *node, GCancellable *cancel, const gchar *what, GError **error)
{
	if (g_cancellable_is_cancelled(cancel))
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "interrupted by another order");
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT,
				"node '%s' was not ready within %u s%s", node->spec->name,
				node->spec->timeout_s, what);
	return FALSE;
}

static gboolean wait_for_job(IscDock *dock, const IscNode *node, gint64 deadline,
		GCancellable *cancel, GError **error)
{
	const gchar *name = node->spec->name;
	if (!isc_dock_wait(dock, name, has_begun_or_gone, NULL, deadline, cancel))
		return timed_out(node, cancel, "; it never said that its service runs", error);
	/* What it said may come behind the end of its domain. */
	(void)isc_dock_wait(dock, name, has_begun, NULL,
			g_get_monotonic_time() + JOB_SAYS_S * G_USEC_PER_SEC, cancel);
	g_mutex_lock(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	gboolean began = run->started || run->ready || run->stopped;
	run->ready = began && !run->stopped;
	g_mutex_unlock(&dock->lock);
	return began || is_hopeless(dock, node, error) ? began : timed_out(node, cancel, "", error);
}

gboolean isc_ready_wait(IscDock *dock, const IscNode *node, const IscImage *image,
		GCancellable *cancel, GError **error)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *health = isc_ready_health(node, image);
	gint64 deadline = g_get_monotonic_time() + node->spec->timeout_s * G_USEC_PER_SEC;

	if (node->spec->job.is_job)
		return wait_for_job(dock, node, deadline, cancel, error);
	gboolean news = isc_dock_wait(dock, name, has_news, NULL, deadline, cancel);
	while (news && !is_hopeless(dock, node, error)) {
		if (!health || isc_ready_probe(dock, node, health, cancel) == ISC_PROBE_GOOD)
			return TRUE;
		if (g_get_monotonic_time() >= deadline || g_cancellable_is_cancelled(cancel))
			break;
		g_usleep(PROBE_AGAIN_US);
	}
	if (error && *error)
		return FALSE;

	g_autofree gchar *what =
			g_strconcat(news ? "; it says it is, but its health check does not hold: "
					 : "; it never said it was",
					news && health ? health : "", NULL);
	return timed_out(node, cancel, what, error);
}
