#include "collector/packet-trail.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "collector/link.h"
#include "collector/trail-writer.h"

#define SEGMENT_BYTES ((goffset)8 << 20)
#define WAITING_MAX 4096u /* lines; what packet-who.h lets through is less by far */
#define RETRY_US (10 * G_USEC_PER_SEC)

typedef struct {
	gint64 time;
	gboolean is_note;
	gchar *text;
} Line;

struct IscPacketTrail {
	const IscPacketTrailHost *host;
	gchar node[ISC_LINK_NAME];
	GArray *waiting; /* of Line */
	guint64 lost;
	gint64 failed_at;  /* µs, monotonic; 0: it did not */
	gint64 written_at; /* … when lines went to the thread last; 0: never */
	gboolean is_due;   /* a line waits that should not */
	guint32 told_file; /* the open one when its end was told last; 0: never */

	/* of the thread, while busy */
	IscTrailWriter *writer;
	gint keep_mib; /* as the writer was told */
	GArray *flight;
	guint64 flight_lost;
	GError *error;
	gint busy; /* atomic */
};

static void line_clear(gpointer line)
{
	g_free(((Line *)line)->text);
}

static GArray *lines_new(void)
{
	GArray *lines = g_array_new(FALSE, FALSE, sizeof(Line));
	g_array_set_clear_func(lines, line_clear);
	return lines;
}

void isc_packet_trail_name(const gchar *node, gchar out[ISC_PACKET_TRAIL_NAME])
{
	memset(out, 0, ISC_PACKET_TRAIL_NAME);
	out[0] = ISC_TRAIL_PACKETS;
	g_strlcpy(out + 1, node, ISC_PACKET_TRAIL_NAME - 1);
}

IscPacketTrail *isc_packet_trail_new(const IscPacketTrailHost *host, const gchar *node)
{
	IscPacketTrail *t = g_new0(IscPacketTrail, 1);
	t->host = host;
	g_strlcpy(t->node, *node ? node : ISC_TRAIL_DOCK, sizeof t->node);
	t->waiting = lines_new();
	t->flight = lines_new();
	return t;
}

void isc_packet_trail_free(IscPacketTrail *t)
{
	if (!t)
		return;
	g_clear_pointer(&t->writer, isc_trail_writer_free);
	g_array_unref(t->waiting);
	g_array_unref(t->flight);
	g_clear_error(&t->error);
	g_free(t);
}

static void add(IscPacketTrail *t, gint64 time, gboolean is_note, const gchar *text)
{
	const Line line = { time, is_note, g_strdup(text) };
	if (t->waiting->len < WAITING_MAX) {
		g_array_append_val(t->waiting, line);
		return;
	}
	g_free(line.text);
	t->lost++;
}

void isc_packet_trail_add(IscPacketTrail *t, gint64 time, const gchar *text)
{
	add(t, time, FALSE, text);
	t->is_due = TRUE;
}

void isc_packet_trail_add_calm(IscPacketTrail *t, gint64 time, const gchar *text)
{
	add(t, time, FALSE, text);
}

void isc_packet_trail_note(IscPacketTrail *t, gint64 time, const gchar *text)
{
	add(t, time, TRUE, text);
	t->is_due = TRUE;
}

void isc_packet_trail_hurry(IscPacketTrail *t)
{
	t->is_due = TRUE;
}

/* --- in the thread -------------------------------------------------------------------------------
 */

static int make_dir(int at, const gchar *name, GError **error)
{
	if (mkdirat(at, name, 0750) != 0 && errno != EEXIST) {
		isc_error_set_errno(error, errno, "cannot make '%s'", name);
		return -1;
	}
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		isc_error_set_errno(error, errno, "cannot open '%s'", name);
	return fd;
}

static gboolean open_writer(IscPacketTrail *t, GError **error)
{
	gboolean is_dock = g_str_equal(t->node, ISC_TRAIL_DOCK);
	gchar name[ISC_PACKET_TRAIL_NAME];
	isc_autofd int node = make_dir(is_dock ? t->host->log_fd : t->host->nodes_fd,
			is_dock ? "dock" : t->node, error);
	isc_autofd int dir = node < 0 ? -1 : make_dir(node, ISC_PACKET_TRAIL_FOLDER, error);
	gboolean broken = FALSE;
	if (dir < 0)
		return FALSE;
	isc_packet_trail_name(t->node, name);
	t->keep_mib = 0;
	t->writer = isc_trail_writer_open(dir, name, t->host->root, SEGMENT_BYTES, &broken, error);
	if (t->writer && broken)
		isc_trail_writer_note(t->writer, g_get_real_time(), ISC_LINE_ERR,
				"op=network-broken-trail res=failed");
	return t->writer != NULL;
}

static gboolean keep_bound(IscPacketTrail *t, GError **error)
{
	gint keep = g_atomic_int_get(&t->host->keep_mib);
	if (keep == t->keep_mib)
		return TRUE;
	t->keep_mib = keep;
	return isc_trail_writer_keep(t->writer, (guint64)keep << 20, error);
}

/* What retention has taken away is a line as well, for those who read no chain. */
static void tell_trimmed(IscPacketTrail *t)
{
	IscTrailTrimmed gone = isc_trail_writer_trimmed(t->writer);
	g_autoptr(GError) why = NULL;
	if (gone.to == 0)
		return;
	isc_trail_writer_note(t->writer, g_get_real_time(), ISC_LINE_CONFIG,
			"op=network-trimmed files=%u-%u bytes=%" G_GUINT64_FORMAT
			" first-record=%" G_GUINT64_FORMAT " keep-mib=%d res=success",
			gone.from, gone.to, gone.bytes, gone.first, t->keep_mib);
	/* The chain has it all the same; the next lines find out whether the disk is well. */
	if (isc_trail_writer_commit(t->writer, FALSE, &why))
		return;
	g_warning("packet log of '%s': %s", t->node, why->message);
	g_clear_pointer(&t->writer, isc_trail_writer_free);
}

static gboolean write_flight(IscPacketTrail *t, GError **error)
{
	if ((!t->writer && !open_writer(t, error)) || !keep_bound(t, error))
		return FALSE;
	if (t->flight_lost > 0)
		isc_trail_writer_note(t->writer, g_get_real_time(), ISC_LINE_ERR,
				"op=network-lost lines=%" G_GUINT64_FORMAT " res=failed",
				t->flight_lost);
	for (guint i = 0; i < t->flight->len; i++) {
		const Line *line = &g_array_index(t->flight, Line, i);
		isc_trail_writer_note(t->writer, line->time,
				line->is_note ? ISC_LINE_CONFIG : ISC_LINE_PACKET, "%s",
				line->text);
	}
	if (!isc_trail_writer_commit(t->writer, FALSE, error))
		return FALSE;
	tell_trimmed(t);
	return TRUE;
}

void isc_packet_trail_run_job(gpointer data, gpointer unused)
{
	IscPacketTrail *t = data;
	(void)unused;
	if (!write_flight(t, &t->error))
		g_clear_pointer(&t->writer, isc_trail_writer_free);
	g_atomic_int_set(&t->busy, 0);
}

/* --- in the main thread --------------------------------------------------------------------------
 */

static void tell_end(IscPacketTrail *t)
{
	IscTrailState end;
	if (!t->writer || !t->host->tell_end)
		return;
	isc_trail_writer_state(t->writer, &end);
	if (end.segment == t->told_file)
		return;
	t->told_file = end.segment;
	t->host->tell_end(t->host->self, t->node, &end);
}

static void settle(IscPacketTrail *t)
{
	if (t->error) {
		g_warning("packet log of '%s': %s", t->node, t->error->message);
		g_clear_error(&t->error);
		t->lost += t->flight->len + t->flight_lost;
		t->failed_at = g_get_monotonic_time();
	} else {
		t->failed_at = 0;
		tell_end(t);
	}
	g_array_set_size(t->flight, 0);
	t->flight_lost = 0;
}

/* Whether what waits may go on waiting. */
static gboolean is_calm(const IscPacketTrail *t, gint64 now)
{
	return !t->is_due && t->written_at &&
	       now - t->written_at < ISC_PACKET_TRAIL_CALM_S * G_USEC_PER_SEC;
}

void isc_packet_trail_flush(IscPacketTrail *t)
{
	gint64 now = g_get_monotonic_time();
	if (g_atomic_int_get(&t->busy))
		return;
	if (t->flight->len > 0)
		settle(t);
	if (t->waiting->len == 0 || is_calm(t, now) ||
			(t->failed_at && now - t->failed_at < RETRY_US))
		return;
	t->written_at = now;
	t->is_due = FALSE;
	GArray *empty = t->flight;
	t->flight = t->waiting;
	t->waiting = empty;
	t->flight_lost = t->lost;
	t->lost = 0;
	g_atomic_int_set(&t->busy, 1);
	g_thread_pool_push(t->host->pool, t, NULL);
}

gboolean isc_packet_trail_is_busy(const IscPacketTrail *t)
{
	return g_atomic_int_get(&t->busy) || t->waiting->len > 0 || t->flight->len > 0;
}
