#include "collector/guest.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "collector/guest-private.h"
#include "collector/trail-verify.h"

#define COMMIT_MS 15 /* from the first record to its commit; the disk has the rest of 50 ms */
#define LOG_FULL (512u * 1024) /* bytes of service log that wait for a commit */
#define RETRY_MS 1000
#define RETRY_MAX_MS 30000
#define DRAIN_MS 2000
#define STUCK_US (10 * G_USEC_PER_SEC)
#define SILENT_US (20 * G_USEC_PER_SEC)
#define ANCHOR_US ((gint64)600 * G_USEC_PER_SEC)

/* Per node.  A build of a large program makes about 2,000 commands a second, five records of 200
 * bytes each. */
#define AUDIT_BYTES (8 << 20)
#define AUDIT_RECORDS 50000
#define LOG_BYTES (1 << 20)
#define LOG_LINES 5000
#define EVENTS 20
#define BURST 16 /* seconds' worth */

typedef enum {
	JOB_OPEN,
	JOB_TRAIL,
	JOB_LOG,
} JobKind;

typedef struct {
	IscGuest *node;
	JobKind kind;
} Job;

static void fail(IscGuest *n, const GError *error);
static void go_on(IscGuest *n);

/* --- gates
 * ---------------------------------------------------------------------------------------- */

static gboolean on_refill(gpointer data)
{
	IscGuest *n = data;
	n->refill_timer = 0;
	isc_guest_gate(n);
	return G_SOURCE_REMOVE;
}

void isc_guest_gate(IscGuest *n)
{
	gboolean open = n->state == NODE_OPEN && !n->closing;
	gint64 now = g_get_monotonic_time();
	guint audit = MAX(isc_bucket_wait(&n->audit_bytes, now),
			isc_bucket_wait(&n->audit_records, now));
	guint log = MAX(isc_bucket_wait(&n->log_bytes, now), isc_bucket_wait(&n->log_records, now));
	guint events = isc_bucket_wait(&n->events, now);

	isc_port_set_reading(&n->ports[ISC_CHANNEL_AUDIT],
			open && !audit && !(n->trail_busy && isc_trail_writer_is_full(n->trail)));
	isc_port_set_reading(&n->ports[ISC_CHANNEL_LOG],
			open && !audit && !log &&
					!(n->log_busy && isc_service_log_pending(n->log) >
									 LOG_FULL));
	isc_port_set_reading(&n->ports[ISC_CHANNEL_CONTROL], open && !events);

	guint wait = MAX(MAX(audit, log), events);
	if (open && wait && !n->refill_timer)
		n->refill_timer = g_timeout_add(CLAMP(wait, 10, 1000), on_refill, n);
}

/* --- commits
 * -------------------------------------------------------------------------------------- */

static void push(IscGuest *n, JobKind kind)
{
	Job *job = g_new(Job, 1);
	*job = (Job){ n, kind };
	g_thread_pool_push(n->host->pool, job, NULL);
}

static void acknowledge(IscGuest *n)
{
	const IscTrailMark *d = isc_trail_writer_durable(n->trail);
	if (d->session != n->mark.session)
		return;
	IscPort *control = &n->ports[ISC_CHANNEL_CONTROL];
	isc_port_ack(&n->ports[ISC_CHANNEL_AUDIT], d->frame);
	/* A heartbeat that tells of no loss has no line that could get lost. */
	isc_port_ack(control, d->control >= n->control_needs ? control->last : d->control);
}

static void commit(IscGuest *n)
{
	if (n->state != NODE_OPEN || n->closing)
		return;
	if (!n->trail_busy) {
		isc_guest_put_notes(n, FALSE);
		if (isc_trail_writer_begin(n->trail, FALSE)) {
			n->trail_busy = TRUE;
			n->commits_begun++;
			push(n, JOB_TRAIL);
		} else {
			acknowledge(n); /* heartbeats */
		}
	}
	if (!n->log_busy && isc_service_log_begin(n->log)) {
		n->log_busy = TRUE;
		push(n, JOB_LOG);
	}
	isc_guest_gate(n);
}

static gboolean on_commit(gpointer data)
{
	IscGuest *n = data;
	n->commit_timer = 0;
	commit(n);
	if (n->notes->len > 0)
		isc_guest_schedule(n);
	return G_SOURCE_REMOVE;
}

void isc_guest_schedule(IscGuest *n)
{
	if (n->state != NODE_OPEN || n->closing)
		return;
	if ((!n->trail_busy && isc_trail_writer_is_full(n->trail)) ||
			(!n->log_busy && isc_service_log_pending(n->log) > LOG_FULL))
		commit(n);
	else if (!n->commit_timer)
		n->commit_timer = g_timeout_add(COMMIT_MS, on_commit, n);
	isc_guest_gate(n);
}

static void answer_flushes(IscGuest *n)
{
	for (guint i = 0; i < n->flushes->len;) {
		const Flush f = g_array_index(n->flushes, Flush, i);
		if (f.wait_for > n->commits_done) {
			i++;
			continue;
		}
		g_array_remove_index(n->flushes, i);
		isc_guest_tell_state(n, ISC_LINK_FLUSHED, f.id);
	}
}

void isc_guest_flush(IscGuest *n, gint64 id)
{
	isc_guest_put_notes(n, TRUE);
	/* A commit under way may not hold all; the one after it does. */
	gboolean more = n->state != NODE_OPEN || isc_trail_writer_pending(n->trail) > 0;
	Flush f = { id, n->commits_begun + (more ? 1 : 0) };
	g_array_append_val(n->flushes, f);
	commit(n);
	answer_flushes(n);
}

/* To isc-dockd, to where this process's messages go (the journal), and into the dock's own trail:
 * places that the trail's files do not reach. */
static void anchor(IscGuest *n)
{
	IscTrailState s;
	isc_trail_writer_state(n->trail, &s);
	IscTrailAnchor a = { .block = s.block };
	memcpy(a.head, s.head, sizeof a.head);
	g_autofree gchar *text = isc_trail_anchor_print(&a);
	g_message("anchor of %s: %s, %" G_GUINT64_FORMAT " records", n->name, text, s.records);
	isc_guest_tell_state(n, ISC_LINK_FLUSHED, -1);
	n->host->ops->tell_end(n->host->self, n->name, &s);
	n->anchored_at = g_get_monotonic_time();
	n->anchored_file = s.segment;
}

/* A file that is begun says that there were others: without them and it the trail would look like a
 * shorter one. */
static gboolean is_to_be_anchored(const IscGuest *n)
{
	IscTrailState s;
	isc_trail_writer_state(n->trail, &s);
	return n->state == NODE_CLOSED || s.segment != n->anchored_file ||
	       g_get_monotonic_time() - n->anchored_at > ANCHOR_US;
}

static void trail_done(IscGuest *n)
{
	g_autoptr(GError) error = NULL;
	n->trail_busy = FALSE;
	if (!isc_trail_writer_end(n->trail, &error)) {
		fail(n, error);
		return;
	}
	n->commits_done = n->commits_begun;
	acknowledge(n);
	answer_flushes(n);
	if (is_to_be_anchored(n))
		anchor(n);
	go_on(n);
}

static void log_done(IscGuest *n)
{
	g_autoptr(GError) error = NULL;
	n->log_busy = FALSE;
	if (!isc_service_log_end(n->log, &error)) {
		fail(n, error);
		return;
	}
	guint64 session, seq;
	isc_service_log_durable(n->log, &session, &seq);
	if (session == n->ports[ISC_CHANNEL_LOG].session)
		isc_port_ack(&n->ports[ISC_CHANNEL_LOG], seq);
	go_on(n);
}

/* --- files
 * ---------------------------------------------------------------------------------------- */

void isc_guest_place(const IscGuestHost *host, const gchar *name, int *fd, const gchar **folder)
{
	gboolean is_dock = g_str_equal(name, ISC_TRAIL_DOCK);
	*fd = is_dock ? host->log_fd : host->nodes_fd;
	*folder = is_dock ? "dock" : name;
}

static gboolean open_files(IscGuest *n, GError **error)
{
	int parent;
	const gchar *folder;
	isc_guest_place(n->host, n->name, &parent, &folder);
	if (mkdirat(parent, folder, 0750) != 0 && errno != EEXIST)
		return isc_error_set_errno(error, errno, "folder of '%s'", n->name);
	isc_autofd int dir =
			openat(parent, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return isc_error_set_errno(error, errno, "folder of '%s'", n->name);
	n->trail = isc_trail_writer_open(dir, n->name, &n->host->root, 0, &n->broken, error);
	if (!n->trail)
		return FALSE;
	n->log = isc_service_log_open(dir, 0, error);
	return n->log != NULL;
}

static void close_files(IscGuest *n)
{
	if (!n->trail_busy)
		g_clear_pointer(&n->trail, isc_trail_writer_free);
	if (!n->log_busy)
		g_clear_pointer(&n->log, isc_service_log_free);
}

static gboolean on_retry(gpointer data)
{
	IscGuest *n = data;
	close_files(n);
	if (n->trail || n->log)
		return G_SOURCE_CONTINUE;
	n->retry_timer = 0;
	n->state = NODE_OPENING;
	push(n, JOB_OPEN);
	return G_SOURCE_REMOVE;
}

/* The disk refuses.  Nothing that was not acknowledged is lost: the guest holds it, and sends it
 * again. */
static void fail(IscGuest *n, const GError *error)
{
	gint64 why = g_error_matches(error, ISC_ERROR, ISC_ERROR_HOST) ? ENOSPC : EIO;
	g_warning("node %s: %s", n->name, error->message);
	n->state = NODE_FAILED;
	g_clear_handle_id(&n->commit_timer, g_source_remove);
	g_ptr_array_set_size(n->notes, 0);
	close_files(n);
	isc_guest_gate(n);
	isc_guest_tell(n, ISC_LINK_REFUSED, 0, (gint64[5]){ why });
	if (!n->retry_timer && !n->closing)
		n->retry_timer = g_timeout_add(n->retry_ms, on_retry, n);
	n->retry_ms = MIN(n->retry_ms * 2, RETRY_MAX_MS);
	go_on(n);
}

static void resume(IscGuest *n, IscChannel channel)
{
	const IscTrailMark *d = isc_trail_writer_durable(n->trail);
	guint64 session = d->session;
	guint64 seq = channel == ISC_CHANNEL_AUDIT ? d->frame : d->control;
	if (channel == ISC_CHANNEL_LOG)
		isc_service_log_durable(n->log, &session, &seq);
	isc_port_resume(&n->ports[channel], session, seq);
}

void isc_guest_resume_all(IscGuest *n)
{
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		resume(n, i);
}

static void open_done(IscGuest *n)
{
	if (n->open_error) {
		g_autoptr(GError) error = g_steal_pointer(&n->open_error);
		fail(n, error);
		return;
	}
	n->state = NODE_OPEN;
	n->retry_ms = RETRY_MS;
	n->anchored_file = 0;
	n->mark = *isc_trail_writer_durable(n->trail);
	n->control_needs = n->mark.control;
	n->within_event = FALSE;
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		isc_port_new_session(&n->ports[i], n->mark.session);
	n->ports[ISC_CHANNEL_AUDIT].last = n->mark.frame;
	n->ports[ISC_CHANNEL_CONTROL].last = n->mark.control;
	guint64 session, seq;
	isc_service_log_durable(n->log, &session, &seq);
	if (session == n->mark.session)
		n->ports[ISC_CHANNEL_LOG].last = seq;
	isc_guest_resume_all(n);
	/* What waited for a commit that failed comes again from the guest. */
	n->commits_begun++;
	n->commits_done = n->commits_begun;
	answer_flushes(n);
	if (n->broken)
		isc_guest_bad(n, ISC_CHANNEL_AUDIT, ISC_BAD_TRAIL);
	n->broken = FALSE;
	go_on(n);
}

static gboolean on_job_done(gpointer data)
{
	g_autofree Job *job = data;
	switch (job->kind) {
	case JOB_OPEN:
		open_done(job->node);
		break;
	case JOB_TRAIL:
		trail_done(job->node);
		break;
	case JOB_LOG:
		log_done(job->node);
		break;
	}
	return G_SOURCE_REMOVE;
}

void isc_guest_run_job(gpointer data, gpointer unused)
{
	Job *job = data;
	(void)unused;

	switch (job->kind) {
	case JOB_OPEN:
		if (!open_files(job->node, &job->node->open_error))
			g_prefix_error(&job->node->open_error, "node '%s': ", job->node->name);
		break;
	case JOB_TRAIL:
		isc_trail_writer_work(job->node->trail);
		break;
	case JOB_LOG:
		isc_service_log_work(job->node->log);
		break;
	}
	/* Before all else: while it waits, a port stays shut. */
	g_idle_add_full(G_PRIORITY_HIGH, on_job_done, job, NULL);
}

/* --- life
 * ----------------------------------------------------------------------------------------- */

IscGuest *isc_guest_new(const IscGuestHost *host, const gchar *name, guint32 slot)
{
	static const IscPortOps *const ops[] = { &isc_guest_audit_ops, &isc_guest_log_ops,
		&isc_guest_control_ops };
	gint64 now = g_get_monotonic_time();
	IscGuest *n = g_new0(IscGuest, 1);

	n->host = host;
	n->slot = slot;
	g_strlcpy(n->name, name, sizeof n->name);
	n->retry_ms = RETRY_MS;
	n->anchored_at = now;
	n->claims = g_array_new(FALSE, FALSE, sizeof(IscWireEvent));
	n->flushes = g_array_new(FALSE, FALSE, sizeof(Flush));
	n->notes = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		isc_port_init(&n->ports[i], i, host->reactor, ops[i], n);
	isc_bucket_init(&n->audit_bytes, AUDIT_BYTES, (gint64)AUDIT_BYTES * BURST, now);
	isc_bucket_init(&n->audit_records, AUDIT_RECORDS, AUDIT_RECORDS * BURST, now);
	isc_bucket_init(&n->log_bytes, LOG_BYTES, LOG_BYTES * BURST, now);
	isc_bucket_init(&n->log_records, LOG_LINES, LOG_LINES * BURST, now);
	isc_bucket_init(&n->events, EVENTS, EVENTS * BURST, now);
	n->state = NODE_OPENING;
	push(n, JOB_OPEN);
	return n;
}

void isc_guest_free(IscGuest *n)
{
	if (!n)
		return;
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		isc_port_clear(&n->ports[i]);
	g_clear_handle_id(&n->commit_timer, g_source_remove);
	g_clear_handle_id(&n->retry_timer, g_source_remove);
	g_clear_handle_id(&n->refill_timer, g_source_remove);
	g_clear_handle_id(&n->drain_timer, g_source_remove);
	close_files(n);
	g_clear_error(&n->open_error);
	g_array_unref(n->claims);
	g_array_unref(n->flushes);
	g_ptr_array_unref(n->notes);
	g_free(n);
}

void isc_guest_attach(IscGuest *n, IscChannel channel, int fd)
{
	isc_port_attach(&n->ports[channel], fd);
	if (n->state == NODE_OPEN)
		resume(n, channel);
	isc_guest_gate(n);
}

void isc_guest_order(IscGuest *n, const IscWireOrder *order)
{
	/* An order that goes nowhere must not look like one that is under way. */
	if (!isc_port_order(&n->ports[ISC_CHANNEL_CONTROL], order))
		isc_guest_tell(n, ISC_LINK_CLOSED, ISC_CHANNEL_CONTROL, (gint64[5]){ 0 });
}

static gboolean is_attached(const IscGuest *n)
{
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		if (n->ports[i].fd >= 0)
			return TRUE;
	return FALSE;
}

void isc_guest_hung_up(IscGuest *n, IscChannel channel)
{
	isc_port_detach(&n->ports[channel]);
	isc_guest_tell(n, ISC_LINK_CLOSED, channel, (gint64[5]){ 0 });
	if (n->closed)
		go_on(n); /* may free the node */
}

static gboolean on_drained(gpointer data)
{
	IscGuest *n = data;
	n->drain_timer = 0;
	go_on(n);
	return G_SOURCE_REMOVE;
}

gboolean isc_guest_is_closing(const IscGuest *n)
{
	return n->closed != NULL;
}

gboolean isc_guest_close(IscGuest *n, gboolean drain, IscGuestFunc func, gpointer data)
{
	if (n->closed) {
		if (!drain && n->drain_timer) {
			g_clear_handle_id(&n->drain_timer, g_source_remove);
			go_on(n);
		}
		return FALSE;
	}
	n->closed = func;
	n->closed_data = data;
	if (drain && is_attached(n)) {
		if (!n->drain_timer)
			n->drain_timer = g_timeout_add(DRAIN_MS, on_drained, n);
		return TRUE;
	}
	go_on(n);
	return TRUE;
}

/* Nothing is read any more: the last commit, then the end. */
static void go_on_closing(IscGuest *n)
{
	if (!n->closing) {
		n->closing = TRUE;
		g_clear_handle_id(&n->drain_timer, g_source_remove);
		g_clear_handle_id(&n->commit_timer, g_source_remove);
		g_clear_handle_id(&n->retry_timer, g_source_remove);
	}
	if (n->state == NODE_OPEN && !n->log_busy && isc_service_log_begin(n->log)) {
		n->log_busy = TRUE;
		push(n, JOB_LOG);
	}
	if (n->state == NODE_OPEN && !n->trail_busy) {
		isc_guest_put_notes(n, TRUE);
		n->state = NODE_CLOSED; /* set before the last commit: it is the one after which
					   nothing comes */
		n->trail_busy = isc_trail_writer_begin(n->trail, TRUE);
		push(n, JOB_TRAIL);
	}
	isc_guest_gate(n);
	if (n->trail_busy || n->log_busy || n->state == NODE_OPENING || n->state == NODE_OPEN)
		return;
	IscGuestFunc func = g_steal_pointer(&n->closed);
	if (func)
		func(n, n->closed_data); /* may free the node */
}

/* Whatever ended, what comes next? */
static void go_on(IscGuest *n)
{
	if (n->closed && !n->drain_timer) {
		go_on_closing(n);
		return;
	}
	if (n->drain_timer && !is_attached(n) && n->state == NODE_OPEN) {
		g_clear_handle_id(&n->drain_timer, g_source_remove);
		go_on_closing(n);
		return;
	}
	if (n->state != NODE_OPEN)
		return;
	isc_guest_schedule(n);
}

void isc_guest_tick(IscGuest *n)
{
	gint64 now = g_get_monotonic_time();
	IscPort *control = &n->ports[ISC_CHANNEL_CONTROL];

	if (n->state != NODE_OPEN)
		return;
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		if (isc_port_is_stuck(&n->ports[i], STUCK_US)) {
			isc_frame_parser_give_up(&n->ports[i].parser);
			n->ports[i].midway_at = 0;
			isc_guest_bad(n, i, ISC_BAD_SLOW);
		}
	/* A guest that booted anew within one connection waits for a RESUME that went to its
	 * predecessor. */
	if (control->heard_at > n->asked_at)
		n->silent = 0;
	if (control->fd >= 0 && now - MAX(control->heard_at, n->asked_at) >
						(gint64)SILENT_US << MIN(n->silent, 4)) {
		n->silent++;
		n->asked_at = now;
		isc_guest_resume_all(n);
	}
}

const gchar *isc_guest_name(const IscGuest *n)
{
	return n->name;
}

void isc_guest_set_slot(IscGuest *n, guint32 slot)
{
	n->slot = slot;
}
