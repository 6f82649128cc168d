#include "forward/forward.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "forward/positions.h"
#include "forward/source.h"

#define BATCH_BYTES (1u << 20) /* of one connection */
#define SEND_BYTES (64u * 1024)
#define IDLE_MS 500
#define RETRY_MS 1000
#define RETRY_MAX_MS 15000
#define SCAN_US (2 * G_USEC_PER_SEC) /* between two looks for new trails */
#define SOURCES_MAX 100000u

typedef struct {
	const IscForward *f;
	GHashTable *confirmed; /* key → IscForwardPos */
	GPtrArray *sources;    /* of IscForwardSource */
	GHashTable *known;     /* keys of the sources, borrowed from them */
	gint64 scanned;
	gboolean refused; /* that is said once */
	guint retry_ms;
	/* the batch */
	const IscForwardSource *source; /* whose records come now */
	GString *out;
	gsize sent; /* bytes */
	GError *error;
} Run;

/* --- sources ------------------------------------------------------------------------------- */

static void add_source(
		Run *r, int parent_fd, const gchar *folder, IscForwardKind kind, const gchar *node)
{
	g_autofree gchar *key = isc_forward_key(kind, node);
	if (!r->f->kinds[kind] || g_hash_table_contains(r->known, key) ||
			r->sources->len >= SOURCES_MAX)
		return;
	isc_autofd int fd =
			openat(parent_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		if (errno == EACCES && !r->refused)
			g_warning("may not read '%s': is its user in the group isc-dock?", folder);
		r->refused |= errno == EACCES;
		return;
	}
	g_autoptr(GError) why = NULL;
	IscForwardSource *s = isc_forward_source_new(
			fd, kind, node, g_hash_table_lookup(r->confirmed, key), &why);
	if (!s) {
		g_warning("%s", why->message);
		return;
	}
	g_ptr_array_add(r->sources, s);
	g_hash_table_add(r->known, (gpointer)isc_forward_source_key(s));
}

static void add_node(Run *r, int nodes_fd, const gchar *name)
{
	g_autofree gchar *packets = g_strconcat(name, "/network", NULL);
	add_source(r, nodes_fd, name, ISC_FORWARD_AUDIT, name);
	add_source(r, nodes_fd, packets, ISC_FORWARD_PACKETS, name);
	add_source(r, nodes_fd, name, ISC_FORWARD_LOGS, name);
}

static void scan(Run *r)
{
	gint64 now = g_get_monotonic_time();
	if (r->scanned && now - r->scanned < SCAN_US)
		return;
	r->scanned = now;
	add_source(r, r->f->log_fd, "dock", ISC_FORWARD_ACTS, ISC_TRAIL_DOCK);
	add_source(r, r->f->log_fd, "dock/network", ISC_FORWARD_PACKETS, ISC_TRAIL_DOCK);
	int fd = openat(r->f->log_fd, "nodes", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && errno == EACCES && !r->refused) {
		g_warning("may not read the trails: is its user in the group isc-dock?");
		r->refused = TRUE;
	}
	if (!dir) {
		isc_clear_fd(&fd);
		return;
	}
	for (struct dirent *e; (e = readdir(dir));)
		if (isc_name_is_valid(e->d_name))
			add_node(r, dirfd(dir), e->d_name);
	closedir(dir);
	for (guint i = 0; i < r->sources->len; i++) {
		IscForwardSource *s = r->sources->pdata[i];
		guint64 n = isc_forward_source_bound(s, r->f->max);
		if (n > 0)
			g_warning("%s: %" G_GUINT64_FORMAT " records are not delivered: more "
				  "waits for the receiver than Spool= or PacketLogKeep= allow; "
				  "%" G_GUINT64_FORMAT " in all",
					isc_forward_source_key(s), n,
					isc_forward_source_pos(s)->skipped);
	}
}

/* --- a batch ------------------------------------------------------------------------------- */

static gboolean flush(Run *r)
{
	if (r->out->len == 0)
		return TRUE;
	gboolean ok = isc_receiver_send(r->f->receiver, r->out->str, r->out->len, &r->error);
	r->sent += r->out->len;
	g_string_truncate(r->out, 0);
	return ok;
}

static void on_record(const IscTrailRecord *record, gpointer data)
{
	Run *r = data;
	if (r->error || !isc_receiver_open(r->f->receiver, &r->error))
		return;
	gboolean is_stream = isc_receiver_is_stream(r->f->receiver);
	isc_forward_print(r->out, &r->f->style, isc_forward_source_kind(r->source),
			isc_forward_source_node(r->source), record, is_stream);
	if (!is_stream || r->out->len >= SEND_BYTES)
		(void)flush(r);
}

/* A block of each in turn, so that a loud one does not hold up the others.  TRUE: there was one */
static gboolean take_round(Run *r)
{
	gboolean any = FALSE;
	for (guint i = 0; i < r->sources->len && !r->error; i++) {
		g_autoptr(GError) why = NULL;
		IscForwardSource *s = r->sources->pdata[i];
		r->source = s;
		if (isc_forward_source_next(s, on_record, r, &why))
			any = TRUE;
		else if (why)
			g_debug("%s", why->message);
	}
	return any;
}

static void keep_positions(Run *r)
{
	g_autoptr(GError) why = NULL;
	for (guint i = 0; i < r->sources->len; i++)
		isc_positions_set(r->confirmed, isc_forward_source_key(r->sources->pdata[i]),
				isc_forward_source_pos(r->sources->pdata[i]));
	/* Then they are sent once more after a restart. */
	if (!isc_positions_save(r->f->state_fd, r->confirmed, &why))
		g_warning("%s", why->message);
}

static void go_back(Run *r)
{
	static const IscForwardPos start = { .segment = 1 };
	for (guint i = 0; i < r->sources->len; i++) {
		IscForwardSource *s = r->sources->pdata[i];
		const IscForwardPos *pos =
				g_hash_table_lookup(r->confirmed, isc_forward_source_key(s));
		isc_forward_source_seek(s, pos ? pos : &start);
	}
}

/* Returns: ms until the next one */
static guint run_batch(Run *r)
{
	scan(r);
	r->sent = 0;
	while (r->sent + r->out->len < BATCH_BYTES && !r->error && take_round(r))
		;
	if (!r->error && r->out->len == 0 && r->sent == 0)
		return IDLE_MS;
	if (!r->error && flush(r) && isc_receiver_confirm(r->f->receiver, &r->error)) {
		if (r->retry_ms > RETRY_MS)
			g_message("the receiver is there again");
		r->retry_ms = RETRY_MS;
		keep_positions(r);
		return r->sent >= BATCH_BYTES ? 0 : IDLE_MS;
	}
	if (r->retry_ms == RETRY_MS)
		g_warning("%s; what is not delivered waits", r->error->message);
	g_clear_error(&r->error);
	g_string_truncate(r->out, 0);
	go_back(r);
	guint wait = r->retry_ms;
	r->retry_ms = MIN(r->retry_ms * 2, RETRY_MAX_MS);
	return wait;
}

gboolean isc_forward_run(const IscForward *f, GError **error)
{
	Run r = { .f = f, .retry_ms = RETRY_MS };
	r.confirmed = isc_positions_load(f->state_fd, error);
	if (!r.confirmed)
		return FALSE;
	r.sources = g_ptr_array_new_with_free_func((GDestroyNotify)isc_forward_source_free);
	r.known = g_hash_table_new(g_str_hash, g_str_equal);
	r.out = g_string_new(NULL);

	struct pollfd stop = { f->stop_fd, POLLIN, 0 };
	guint wait = 0;
	while (poll(&stop, 1, (int)wait) <= 0)
		wait = run_batch(&r);

	g_clear_error(&r.error);
	g_hash_table_unref(r.known);
	g_ptr_array_unref(r.sources);
	g_hash_table_unref(r.confirmed);
	g_string_free(r.out, TRUE);
	return TRUE;
}
