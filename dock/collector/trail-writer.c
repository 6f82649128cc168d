#include "collector/trail-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <libaudit.h>
#include <sodium.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collector/trail-files.h"
#include "collector/trail-trim.h"

/* A commit is handed over in one piece once it is this large, so that memory a node holds is
 * bounded. */
#define FULL_BYTES (512u * 1024)
#define FULL_RECORDS 8192u

typedef struct {
	gint64 time;
	guint64 frame;
	guint32 len;
	guint16 type, flags;
} Line;

typedef struct {
	GString *text;
	GArray *lines; /* Line */
	IscTrailMark mark;
	guint64 lost, bad;
	gboolean changed; /* marks or counters are to be written, also without a line */
} Batch;

struct IscTrailWriter {
	IscTrailFiles files; /* between begin() and end(): of the thread that runs work() */
	goffset segment_bytes;
	guint64 keep; /* bytes of closed files; 0: all */
	IscTrailTrimmed trimmed;
	gboolean at_boundary; /* the last line written ends an event */
	Batch pending, flight;
	gboolean in_flight, close;
	GError *failed; /* of work() */
	guint32 serial;
	IscTrailMark durable;
	IscTrailState state;
};

static void batch_init(Batch *b)
{
	b->text = g_string_sized_new(4096);
	b->lines = g_array_new(FALSE, FALSE, sizeof(Line));
}

static void batch_clear(Batch *b)
{
	if (b->text)
		g_string_free(b->text, TRUE);
	g_clear_pointer(&b->lines, g_array_unref);
}

static void note_state(IscTrailWriter *t)
{
	const IscChainHeader *h = &t->files.last;
	t->durable = (IscTrailMark){ h->session, h->frame, h->control, h->kernel_lost };
	t->state = (IscTrailState){ .records = t->files.next - 1,
		.lost = h->lost,
		.bad = h->bad,
		.block = h->index,
		.segment = t->files.segment };
	memcpy(t->state.head, t->files.head, sizeof t->state.head);
}

IscTrailWriter *isc_trail_writer_open(int dir_fd, const gchar *name, const IscSealKey *root,
		goffset segment_bytes, gboolean *broken, GError **error)
{
	gboolean anew = FALSE;
	g_autoptr(IscTrailWriter) t = g_new0(IscTrailWriter, 1);

	isc_trail_files_init(&t->files);
	batch_init(&t->pending);
	batch_init(&t->flight);
	t->segment_bytes = segment_bytes ? segment_bytes : ISC_TRAIL_SEGMENT_BYTES;
	t->at_boundary = TRUE;
	t->files.root = root;
	g_strlcpy(t->files.name, name, sizeof t->files.name);
	t->files.dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (t->files.dir_fd < 0) {
		isc_error_set_errno(error, errno, "folder of '%s'", name);
		return NULL;
	}
	if (!isc_trail_files_open(&t->files, &anew, error)) {
		g_prefix_error(error, "trail of '%s': ", name);
		return NULL;
	}
	note_state(t);
	t->pending.mark = t->durable;
	t->pending.lost = t->state.lost;
	t->pending.bad = t->state.bad;
	t->serial = (guint32)t->state.records;
	if (broken)
		*broken = anew;
	return g_steal_pointer(&t);
}

void isc_trail_writer_free(IscTrailWriter *t)
{
	if (!t)
		return;
	isc_trail_files_clear(&t->files);
	batch_clear(&t->pending);
	batch_clear(&t->flight);
	g_clear_error(&t->failed);
	g_free(t);
}

/* --- collecting
 * ----------------------------------------------------------------------------------- */

static void add_line(IscTrailWriter *t, gsize start, gint64 time, guint64 frame, guint16 type,
		guint16 flags)
{
	if (t->pending.lines->len >= ISC_CHAIN_RECORDS_MAX) {
		g_string_truncate(t->pending.text, start);
		isc_trail_writer_count_lost(t, 1);
		return;
	}
	Line line = { time, frame, (guint32)(t->pending.text->len - start), type, flags };
	g_array_append_val(t->pending.lines, line);
}

gboolean isc_trail_writer_add(IscTrailWriter *t, gint64 time, guint64 frame, guint16 type,
		const gchar *text, gsize len)
{
	gsize start = t->pending.text->len;
	guint16 flags;

	if (isc_line_add_kernel(t->pending.text, type, text, len, &flags)) {
		add_line(t, start, time, frame, type, flags);
		return TRUE;
	}
	isc_line_add_malformed(t->pending.text, time, ++t->serial, type, text, len);
	add_line(t, start, time, frame, ISC_LINE_ERR, ISC_RECORD_DOCK);
	return FALSE;
}

void isc_trail_writer_note(
		IscTrailWriter *t, gint64 time, IscLineType type, const gchar *format, ...)
{
	gsize start = t->pending.text->len;
	va_list args;

	va_start(args, format);
	g_autofree gchar *text = g_strdup_vprintf(format, args);
	va_end(args);
	isc_line_add_dock(t->pending.text, type, time, ++t->serial, "%s", text);
	add_line(t, start, time, t->pending.mark.frame, (guint16)type, ISC_RECORD_DOCK);
}

void isc_trail_writer_mark(IscTrailWriter *t, const IscTrailMark *mark)
{
	t->pending.mark = *mark;
	t->pending.changed = TRUE;
}

void isc_trail_writer_count_lost(IscTrailWriter *t, guint64 n)
{
	t->pending.lost += n;
	t->pending.changed = TRUE;
}

void isc_trail_writer_count_bad(IscTrailWriter *t)
{
	t->pending.bad++;
	t->pending.changed = TRUE;
}

gsize isc_trail_writer_pending(const IscTrailWriter *t)
{
	return t->pending.text->len;
}

gboolean isc_trail_writer_is_full(const IscTrailWriter *t)
{
	return t->pending.text->len >= FULL_BYTES || t->pending.lines->len >= FULL_RECORDS;
}

/* --- commit
 * --------------------------------------------------------------------------------------- */

gboolean isc_trail_writer_begin(IscTrailWriter *t, gboolean close)
{
	if (t->in_flight || (!close && t->pending.lines->len == 0 && !t->pending.changed))
		return FALSE;
	Batch empty = t->flight;
	t->flight = t->pending;
	t->pending = empty;
	g_string_truncate(t->pending.text, 0);
	g_array_set_size(t->pending.lines, 0);
	t->pending.mark = t->flight.mark;
	t->pending.lost = t->flight.lost;
	t->pending.bad = t->flight.bad;
	t->pending.changed = FALSE;
	t->in_flight = TRUE;
	t->close = close;
	return TRUE;
}

static guint32 clamp32(gint64 n)
{
	return (guint32)CLAMP(n, 0, (gint64)G_MAXUINT32);
}

static void fill_header(const Batch *b, IscChainHeader *h)
{
	h->session = b->mark.session;
	h->frame = b->mark.frame;
	h->control = b->mark.control;
	h->kernel_lost = b->mark.kernel_lost;
	h->lost = b->lost;
	h->bad = b->bad;
}

static gboolean trim(IscTrailWriter *t, GError **error)
{
	IscTrailTrimmed now = { 0 };
	if (t->keep == 0)
		return TRUE;
	if (!isc_trail_trim(&t->files, t->keep, &now, error))
		return FALSE;
	if (now.to == 0)
		return TRUE;
	now.from = t->trimmed.from ? t->trimmed.from : now.from;
	now.bytes += t->trimmed.bytes;
	t->trimmed = now;
	return TRUE;
}

gboolean isc_trail_writer_keep(IscTrailWriter *t, guint64 bytes, GError **error)
{
	t->keep = bytes;
	return trim(t, error);
}

IscTrailTrimmed isc_trail_writer_trimmed(IscTrailWriter *t)
{
	IscTrailTrimmed trimmed = t->trimmed;
	t->trimmed = (IscTrailTrimmed){ 0 };
	return trimmed;
}

/* One commit is one block: a block that stood alone would hold records of frames that were not
 * acknowledged. */
static gboolean write_batch(IscTrailWriter *t, GError **error)
{
	const Batch *b = &t->flight;
	gint64 now = g_get_real_time();
	const gchar *p = b->text->str;
	g_autofree IscChainEntry *entries = g_new(IscChainEntry, b->lines->len + 1);

	if (t->files.offset >= t->segment_bytes && t->at_boundary &&
			(!isc_trail_files_rotate(&t->files, error) || !trim(t, error)))
		return FALSE;
	for (guint i = 0; i < b->lines->len; i++) {
		const Line *line = &g_array_index(b->lines, Line, i);
		IscChainEntry *e = &entries[i];
		e->len = line->len;
		e->age = clamp32(now - line->time);
		e->type = line->type;
		e->flags = line->flags;
		e->frame = clamp32((gint64)(b->mark.frame - line->frame));
		crypto_generichash(e->hash, sizeof e->hash, (const guint8 *)p, line->len, NULL, 0);
		p += line->len;
	}
	IscChainHeader h = { .kind = ISC_CHAIN_BATCH, .n = b->lines->len, .time = now };
	fill_header(b, &h);
	if (!isc_trail_files_write(&t->files, b->text->str, b->text->len, &h, entries,
			    h.n * sizeof *entries, error))
		return FALSE;

	if (b->lines->len > 0) {
		const Line *last = &g_array_index(b->lines, Line, b->lines->len - 1);
		/* A line of the dock's is a whole event; a file that is far too long is cut
		 * wherever it is. */
		t->at_boundary = last->type == AUDIT_EOE || last->type < AUDIT_FIRST_EVENT ||
				 (last->flags & ISC_RECORD_DOCK) ||
				 t->files.offset > 2 * t->segment_bytes;
	}
	return TRUE;
}

void isc_trail_writer_work(IscTrailWriter *t)
{
	if ((t->flight.lines->len > 0 || t->flight.changed) && !write_batch(t, &t->failed))
		return;
	if (!t->close)
		return;
	IscChainHeader h = { .kind = ISC_CHAIN_CLOSE };
	fill_header(&t->flight, &h);
	if (!isc_trail_files_write(&t->files, NULL, 0, &h, NULL, 0, &t->failed))
		g_prefix_error(&t->failed, "closing: ");
}

gboolean isc_trail_writer_end(IscTrailWriter *t, GError **error)
{
	t->in_flight = FALSE;
	if (t->failed) {
		g_propagate_error(error, g_steal_pointer(&t->failed));
		return FALSE;
	}
	note_state(t);
	return TRUE;
}

gboolean isc_trail_writer_commit(IscTrailWriter *t, gboolean close, GError **error)
{
	if (!isc_trail_writer_begin(t, close))
		return TRUE;
	isc_trail_writer_work(t);
	return isc_trail_writer_end(t, error);
}

const IscTrailMark *isc_trail_writer_durable(const IscTrailWriter *t)
{
	return &t->durable;
}

void isc_trail_writer_state(const IscTrailWriter *t, IscTrailState *out)
{
	*out = t->state;
}
