#include "engine/vm-libvirt.h"

#include <libvirt-glib/libvirt-glib.h>
#include <string.h>

#include "base/error.h"
#include "engine/vm-private.h"
#include "render/domain-xml.h"

#define RETRY_FIRST_MS 250
#define RETRY_MAX_MS 5000
#define KEEPALIVE_S                                                                                \
	5 /* a libvirtd that says nothing for KEEPALIVE_S * (KEEPALIVE_MISSES + 1) is gone */
#define KEEPALIVE_MISSES 3

enum {
	EVENT_LIFECYCLE,
	EVENT_IO_ERROR,
	EVENT_JOB,
	N_EVENTS
};

typedef struct {
	gchar *domain;
	IscVmJobFunc func;
	gpointer data;
} JobListener;

/* Counted: a thread that is stuck in virConnectOpen() may outlive isc_vm_free(). */
struct _IscVm {
	gchar *uri;
	IscVmOwner owner;
	gpointer data;

	GMutex lock; /* guards conn; held for moments only, never across a call of libvirt's that
			can block */
	virConnect *conn;    /* NULL: not connected */
	GRecMutex jobs_lock; /* guards jobs; held while a listener runs */
	GPtrArray *jobs;     /* JobListener; few: linear */

	/* main context only */
	int callbacks[N_EVENTS]; /* ids at conn, or -1 */
	guint retry;             /* source id of the next attempt, or 0 */
	guint retry_ms;
	gboolean opening; /* a thread is at it */
	gboolean freed;
};

typedef struct {
	IscVm *vm;
	virConnect *conn;
} Attempt;

static void open_later(IscVm *vm);
static void on_close(virConnectPtr conn, int reason, void *data);

/* --- errors
 * --------------------------------------------------------------------------------------- */

static void swallow(void *data, virErrorPtr error)
{
	(void)data;
	(void)error;
}

static IscError code_of(const virError *e)
{
	switch (e->code) {
	case VIR_ERR_NO_DOMAIN:
	case VIR_ERR_NO_SECRET:
	case VIR_ERR_NO_DOMAIN_METADATA:
		return ISC_ERROR_NOT_FOUND;
	case VIR_ERR_OPERATION_INVALID:
	case VIR_ERR_DOM_EXIST:
	case VIR_ERR_RESOURCE_BUSY:
		return ISC_ERROR_STATE;
	case VIR_ERR_XML_ERROR:
	case VIR_ERR_XML_DETAIL:
	case VIR_ERR_XML_INVALID_SCHEMA:
	case VIR_ERR_INVALID_ARG:
		return ISC_ERROR_INVALID;
	case VIR_ERR_OPERATION_TIMEOUT:
	case VIR_ERR_AGENT_UNRESPONSIVE:
		return ISC_ERROR_TIMEOUT;
	case VIR_ERR_NO_CONNECT:
	case VIR_ERR_INVALID_CONN:
	case VIR_ERR_NO_SUPPORT:
	case VIR_ERR_CONFIG_UNSUPPORTED:
	case VIR_ERR_AUTH_FAILED:
	case VIR_ERR_ACCESS_DENIED:
	case VIR_ERR_OPERATION_DENIED:
	case VIR_ERR_RPC:
		return ISC_ERROR_HOST;
	default:
		/* A connection that broke under a call shows as one of RPC's own errors. */
		return e->domain == VIR_FROM_RPC || e->domain == VIR_FROM_REMOTE ? ISC_ERROR_HOST
										 : ISC_ERROR_FAILED;
	}
}

gboolean isc_vm_set_error(GError **error, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *what = g_strdup_vprintf(format, args);
	va_end(args);

	const virError *e = virGetLastError();
	if (!e || e->code == VIR_ERR_OK)
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "%s: libvirt did not say why",
				what);
	else
		g_set_error(error, ISC_ERROR, code_of(e), "%s: %s", what, e->message);
	return FALSE;
}

gboolean isc_vm_last_error_is(int code)
{
	const virError *e = virGetLastError();
	return e && e->code == code;
}

/* --- events
 * --------------------------------------------------------------------------------------- */

static gboolean is_ours(virDomain *domain)
{
	const char *name = virDomainGetName(domain);
	return name && g_str_has_prefix(name, ISC_DOMAIN_PREFIX);
}

static void tell(IscVm *vm, virDomain *domain, IscVmEventKind kind, const gchar *detail)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	virDomainGetUUIDString(domain, uuid);
	const IscVmEvent event = { kind, virDomainGetName(domain), uuid, detail };
	if (!vm->freed && vm->owner.event)
		vm->owner.event(vm->data, &event);
}

/* What libvirt calls event and detail, as one of ours and a word.  Numbers: libvirt-domain.h. */
static const gchar *const stopped_words[] = { "shutdown", "destroyed", "crashed", "migrated",
	"saved", "failed", "from-snapshot" };
static const gchar *const suspended_words[] = { "paused", "migrated", "ioerror", "watchdog",
	"restored", "from-snapshot", "api-error", "postcopy", "postcopy-failed" };
static const gchar *const started_words[] = { "booted", "migrated", "restored", "from-snapshot",
	"wakeup" };
static const gchar *const resumed_words[] = { "unpaused", "migrated", "from-snapshot", "postcopy" };
static const gchar *const defined_words[] = { "added", "updated", "renamed", "from-snapshot" };
static const gchar *const undefined_words[] = { "removed", "renamed" };
static const gchar *const crashed_words[] = { "panicked", "crashloaded" };

#define WORDS(kind, words)                                                                         \
	{                                                                                          \
		kind, words, G_N_ELEMENTS(words)                                                   \
	}
static const struct {
	IscVmEventKind kind;
	const gchar *const *words;
	gsize n_words;
} lifecycle[] = {
	[VIR_DOMAIN_EVENT_DEFINED] = WORDS(ISC_VM_DEFINED, defined_words),
	[VIR_DOMAIN_EVENT_UNDEFINED] = WORDS(ISC_VM_UNDEFINED, undefined_words),
	[VIR_DOMAIN_EVENT_STARTED] = WORDS(ISC_VM_STARTED, started_words),
	[VIR_DOMAIN_EVENT_SUSPENDED] = WORDS(ISC_VM_SUSPENDED, suspended_words),
	[VIR_DOMAIN_EVENT_RESUMED] = WORDS(ISC_VM_RESUMED, resumed_words),
	[VIR_DOMAIN_EVENT_STOPPED] = WORDS(ISC_VM_STOPPED, stopped_words),
	[VIR_DOMAIN_EVENT_CRASHED] = WORDS(ISC_VM_CRASHED, crashed_words),
};

static int on_lifecycle(virConnectPtr conn, virDomainPtr domain, int event, int detail, void *data)
{
	(void)conn;
	/* SHUTDOWN (the guest is about to stop) and PMSUSPENDED are followed by, or are not, news.
	 */
	if (!is_ours(domain) || event < 0 || event >= (int)G_N_ELEMENTS(lifecycle) ||
			!lifecycle[event].words)
		return 0;

	IscVmEventKind kind = lifecycle[event].kind;
	if (event == VIR_DOMAIN_EVENT_STOPPED &&
			(detail == VIR_DOMAIN_EVENT_STOPPED_CRASHED ||
					detail == VIR_DOMAIN_EVENT_STOPPED_FAILED))
		kind = ISC_VM_CRASHED;
	const gchar *word = detail >= 0 && (gsize)detail < lifecycle[event].n_words
					    ? lifecycle[event].words[detail]
					    : "unknown";
	tell(data, domain, kind, word);
	return 0;
}

static void on_io_error(virConnectPtr conn, virDomainPtr domain, const char *src, const char *alias,
		int action, const char *reason, void *data)
{
	(void)conn;
	(void)alias;
	if (!is_ours(domain) || action != VIR_DOMAIN_EVENT_IO_ERROR_PAUSE)
		return;
	g_autofree gchar *detail = g_strdup_printf(
			"%s: %s", src && *src ? src : "disk", reason && *reason ? reason : "error");
	tell(data, domain, ISC_VM_IO_ERROR, detail);
}

static void on_job(virConnectPtr conn, virDomainPtr domain, virTypedParameterPtr params,
		int n_params, void *data)
{
	IscVm *vm = data;
	const char *why = NULL;
	int ok = 0;

	(void)conn;
	(void)virTypedParamsGetBoolean(params, n_params, VIR_DOMAIN_JOB_SUCCESS, &ok);
	(void)virTypedParamsGetString(params, n_params, VIR_DOMAIN_JOB_ERRMSG, &why);
	const char *name = virDomainGetName(domain);

	g_rec_mutex_lock(&vm->jobs_lock);
	for (guint i = 0; i < vm->jobs->len; i++) {
		const JobListener *job = g_ptr_array_index(vm->jobs, i);
		if (g_strcmp0(job->domain, name) == 0) {
			job->func(job->data, name, ok == 1, why ? why : "");
			break;
		}
	}
	g_rec_mutex_unlock(&vm->jobs_lock);
}

static void job_listener_free(gpointer p)
{
	JobListener *job = p;
	g_free(job->domain);
	g_free(job);
}

void isc_vm_listen_job(IscVm *vm, const gchar *domain, IscVmJobFunc func, gpointer data)
{
	g_rec_mutex_lock(&vm->jobs_lock);
	for (guint i = 0; i < vm->jobs->len; i++) {
		const JobListener *job = g_ptr_array_index(vm->jobs, i);
		if (g_strcmp0(job->domain, domain) == 0) {
			g_ptr_array_remove_index_fast(vm->jobs, i);
			break;
		}
	}
	if (func) {
		JobListener *job = g_new0(JobListener, 1);
		*job = (JobListener){ g_strdup(domain), func, data };
		g_ptr_array_add(vm->jobs, job);
	}
	g_rec_mutex_unlock(&vm->jobs_lock);
}

/* --- connection
 * ----------------------------------------------------------------------------------- */

static void destroy(gpointer p)
{
	IscVm *vm = p;
	g_free(vm->uri);
	g_ptr_array_unref(vm->jobs);
	g_mutex_clear(&vm->lock);
	g_rec_mutex_clear(&vm->jobs_lock);
}

static void unref(gpointer vm)
{
	g_atomic_rc_box_release_full(vm, destroy);
}

virConnect *isc_vm_use(IscVm *vm, GError **error)
{
	g_mutex_lock(&vm->lock);
	virConnect *conn = vm->conn;
	if (conn)
		virConnectRef(conn);
	g_mutex_unlock(&vm->lock);

	if (!conn)
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"not connected to libvirtd (%s): is it running?  It is tried again "
				"by "
				"itself",
				vm->uri);
	return conn;
}

gboolean isc_vm_is_connected(IscVm *vm)
{
	g_mutex_lock(&vm->lock);
	gboolean up = vm->conn != NULL;
	g_mutex_unlock(&vm->lock);
	return up;
}

gchar *isc_vm_versions(IscVm *vm)
{
	unsigned long lib = 0, hv = 0;
	g_autoptr(IscVirConnect) conn = isc_vm_use(vm, NULL);
	if (!conn || virConnectGetLibVersion(conn, &lib) < 0 || virConnectGetVersion(conn, &hv) < 0)
		return g_strdup("");
	return g_strdup_printf("libvirt %lu.%lu.%lu, QEMU %lu.%lu.%lu", lib / 1000000,
			lib / 1000 % 1000, lib % 1000, hv / 1000000, hv / 1000 % 1000, hv % 1000);
}

/* Takes the connection away from everybody and lets go of it; main context. */
static gboolean drop(IscVm *vm)
{
	g_mutex_lock(&vm->lock);
	virConnect *conn = g_steal_pointer(&vm->conn);
	g_mutex_unlock(&vm->lock);
	if (!conn)
		return FALSE;

	/* Each registration holds a reference on the connection: without this it would stay for
	 * ever. */
	for (gsize i = 0; i < N_EVENTS; i++)
		if (vm->callbacks[i] >= 0)
			virConnectDomainEventDeregisterAny(conn, vm->callbacks[i]);
	virConnectUnregisterCloseCallback(conn, on_close);
	virConnectClose(conn);
	return TRUE;
}

typedef struct {
	IscVm *vm;
	virConnect *conn; /* only to compare */
	int reason;
} Closing;

static void closing_free(gpointer p)
{
	Closing *closing = p;
	unref(closing->vm);
	g_free(closing);
}

static gboolean lost(gpointer p)
{
	static const gchar *const words[] = { "an error on the connection", "libvirtd ended it",
		"libvirtd did not answer any more", "this side ended it" };
	const Closing *closing = p;
	IscVm *vm = closing->vm;

	if (vm->freed || vm->conn != closing->conn || !drop(vm))
		return G_SOURCE_REMOVE;
	if (vm->owner.connection)
		vm->owner.connection(vm->data, FALSE,
				closing->reason >= 0 && closing->reason < (int)G_N_ELEMENTS(words)
						? words[closing->reason]
						: "unknown reason");
	vm->retry_ms = RETRY_FIRST_MS;
	open_later(vm);
	return G_SOURCE_REMOVE;
}

/* Called from inside libvirt, which holds locks of the connection: everything else happens from the
 * main loop. */
static void on_close(virConnectPtr conn, int reason, void *data)
{
	Closing *closing = g_new0(Closing, 1);
	*closing = (Closing){ g_atomic_rc_box_acquire(data), conn, reason };
	g_idle_add_full(G_PRIORITY_HIGH, lost, closing, closing_free);
}

static gchar *why_not(const gchar *uri)
{
	const virError *e = virGetLastError();
	return g_strdup_printf(
			"cannot reach libvirt at %s: %s: is libvirtd running (systemctl start "
			"libvirtd), and is this user in group libvirt?",
			uri, e && e->message ? e->message : "no reason given");
}

static gboolean announce(gpointer p)
{
	IscVm *vm = p;
	if (!vm->freed && isc_vm_is_connected(vm) && vm->owner.connection)
		vm->owner.connection(vm->data, TRUE, "");
	return G_SOURCE_REMOVE;
}

static int listen_to(IscVm *vm, virConnect *conn, int id, virConnectDomainEventGenericCallback func)
{
	int callback = virConnectDomainEventRegisterAny(
			conn, NULL, id, func, g_atomic_rc_box_acquire(vm), unref);
	if (callback < 0)
		unref(vm); /* then libvirt did not keep it */
	return callback;
}

/* Events first, then the connection is given out: who asks for domains afterwards misses nothing in
 * between.  Drivers that lack some of this (test:) are fine. */
static void take(IscVm *vm, virConnect *conn)
{
	(void)virConnectSetKeepAlive(conn, KEEPALIVE_S, KEEPALIVE_MISSES);
	/* No reference: drop() takes it back before @vm goes (and a driver without it would never
	 * give one back). */
	(void)virConnectRegisterCloseCallback(conn, on_close, vm, NULL);
	vm->callbacks[EVENT_LIFECYCLE] = listen_to(vm, conn, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
			VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle));
	vm->callbacks[EVENT_IO_ERROR] = listen_to(vm, conn, VIR_DOMAIN_EVENT_ID_IO_ERROR_REASON,
			VIR_DOMAIN_EVENT_CALLBACK(on_io_error));
	vm->callbacks[EVENT_JOB] = listen_to(vm, conn, VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
			VIR_DOMAIN_EVENT_CALLBACK(on_job));
	g_mutex_lock(&vm->lock);
	vm->conn = conn;
	g_mutex_unlock(&vm->lock);
	vm->retry_ms = RETRY_FIRST_MS;
	/* Lost before anybody listened: nobody would tell. */
	if (virConnectIsAlive(conn) == 0)
		on_close(conn, VIR_CONNECT_CLOSE_REASON_ERROR, vm);
}

static gboolean attempt_done(gpointer p)
{
	Attempt *attempt = p;
	IscVm *vm = attempt->vm;

	vm->opening = FALSE;
	if (vm->freed)
		g_clear_pointer(&attempt->conn, virConnectClose);
	else if (attempt->conn) {
		take(vm, g_steal_pointer(&attempt->conn));
		announce(vm);
	} else {
		open_later(vm);
	}
	return G_SOURCE_REMOVE;
}

static void attempt_free(gpointer p)
{
	Attempt *attempt = p;
	unref(attempt->vm);
	g_free(attempt);
}

/* virConnectOpen() blocks, for seconds where libvirtd has just started: never in the main thread.
 */
static gpointer open_thread(gpointer p)
{
	Attempt *attempt = p;

	attempt->conn = virConnectOpen(attempt->vm->uri);
	g_idle_add_full(G_PRIORITY_HIGH, attempt_done, attempt, attempt_free);
	return NULL;
}

static gboolean open_now(gpointer p)
{
	IscVm *vm = p;

	vm->retry = 0;
	if (vm->opening || isc_vm_is_connected(vm))
		return G_SOURCE_REMOVE;
	vm->opening = TRUE;
	Attempt *attempt = g_new0(Attempt, 1);
	attempt->vm = g_atomic_rc_box_acquire(vm);
	g_thread_unref(g_thread_new("vm-open", open_thread, attempt));
	return G_SOURCE_REMOVE;
}

static void open_later(IscVm *vm)
{
	if (vm->retry)
		return;
	vm->retry = g_timeout_add(vm->retry_ms, open_now, vm);
	vm->retry_ms = MIN(vm->retry_ms * 2, RETRY_MAX_MS);
}

void isc_vm_register_events(void)
{
	gvir_event_register();
	virSetErrorFunc(NULL, swallow);
}

IscVm *isc_vm_new(const gchar *uri, const IscVmOwner *owner, gpointer data)
{
	IscVm *vm = g_atomic_rc_box_new0(IscVm);

	vm->uri = g_strdup(uri ? uri : "qemu:///system");
	if (owner)
		vm->owner = *owner;
	vm->data = data;
	vm->jobs = g_ptr_array_new_with_free_func(job_listener_free);
	vm->retry_ms = RETRY_FIRST_MS;
	g_mutex_init(&vm->lock);
	g_rec_mutex_init(&vm->jobs_lock);
	return vm;
}

gboolean isc_vm_connect(IscVm *vm, GError **error)
{
	if (isc_vm_is_connected(vm))
		return TRUE;

	virConnect *conn = virConnectOpen(vm->uri);
	if (!conn) {
		g_autofree gchar *why = why_not(vm->uri);
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "%s", why);
		open_later(vm);
		return FALSE;
	}
	take(vm, conn);
	g_idle_add_full(G_PRIORITY_HIGH, announce, g_atomic_rc_box_acquire(vm), unref);
	return TRUE;
}

void isc_vm_free(IscVm *vm)
{
	if (!vm)
		return;
	vm->freed = TRUE;
	g_clear_handle_id(&vm->retry, g_source_remove);
	drop(vm);
	unref(vm);
}

const gchar *isc_vm_event_name(IscVmEventKind kind)
{
	static const gchar *const names[] = { "defined", "undefined", "started", "suspended",
		"resumed", "stopped", "crashed", "io-error" };
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == ISC_N_VM_EVENTS);
	return (guint)kind < ISC_N_VM_EVENTS ? names[kind] : "unknown";
}
