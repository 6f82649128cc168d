#include "collector/trail-verify.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/name.h"
#include "collector/trail-diagnose.h"

#define READ_BYTES (256u * 1024)
#define CLOCK_STEP (2 * G_USEC_PER_SEC)

/* Bytes read ahead; [at, buf->len) are not done with. */
typedef struct {
	IscByteSource source;
	GByteArray *buf;
	gsize at;
	gboolean failed;
} Input;

/* The first block of a file. */
typedef struct {
	guint32 segment;
	guint64 index;
	guint8 head[ISC_CHAIN_HASH];
} Start;

struct IscTrailVerify {
	const IscTrailExpect *expect;
	IscTrailRecordFunc func;
	gpointer data;
	Input log, chain;
	gboolean any;      /* a block was seen */
	gboolean file_any; /* … in this file */
	gboolean in_block; /* the block at chain.at is good, its lines are being read */
	guint32 entry;     /* next line of it */
	gint64 first_uptime;
	IscChainHeader last;
	guint8 head[ISC_CHAIN_HASH];
	guint64 log_bytes; /* of this file, covered */
	guint64 next;      /* number of the next record */
	gsize anchors_met;
	GArray *starts;      /* of Start: the files seen */
	guint64 first_index; /* of the first block seen */
	gboolean is_late;    /* it begins with a later file, and no block has said why so far */
	gboolean is_hollow;  /* … behind one whose chain is empty */
	IscTrailReport report;
};

const gchar *isc_trail_fault_name(IscTrailFault fault)
{
	static const gchar *const names[] = { "good", "edited", "removed", "inserted", "reordered",
		"truncated", "resealed", "replayed", "swapped", "damaged" };
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == ISC_N_TRAIL_FAULTS);
	return (guint)fault < G_N_ELEMENTS(names) ? names[fault] : "?";
}

void isc_trail_report_clear(IscTrailReport *report)
{
	g_clear_pointer(&report->detail, g_free);
}

/* --- input
 * ---------------------------------------------------------------------------------------- */

static gssize read_fd(gpointer self, guint8 *buf, gsize len)
{
	gssize n;
	do
		n = read(*(const int *)self, buf, len);
	while (n < 0 && errno == EINTR);
	return n;
}

IscByteSource isc_source_fd(const int *fd)
{
	return (IscByteSource){ read_fd, (gpointer)fd };
}

static gssize read_bytes(gpointer self, guint8 *buf, gsize len)
{
	IscBytes *b = self;
	gsize n = MIN(len, b->left);
	if (n)
		memcpy(buf, b->next, n);
	b->next += n;
	b->left -= n;
	return (gssize)n;
}

IscByteSource isc_source_bytes(IscBytes *bytes)
{
	return (IscByteSource){ read_bytes, bytes };
}

static gsize have(const Input *in)
{
	return in->buf->len - in->at;
}

/* Reads once; FALSE at the end. */
static gboolean read_more(Input *in)
{
	if (in->at > READ_BYTES) {
		g_byte_array_remove_range(in->buf, 0, (guint)in->at);
		in->at = 0;
	}
	guint len = in->buf->len;
	g_byte_array_set_size(in->buf, len + READ_BYTES);
	gssize n = in->source.read ? in->source.read(in->source.self, in->buf->data + len,
						     READ_BYTES)
				   : 0;
	if (n < 0)
		in->failed = TRUE;
	g_byte_array_set_size(in->buf, len + (guint)MAX(n, 0));
	return n > 0;
}

static void input_reset(Input *in, IscByteSource source)
{
	in->source = source;
	g_byte_array_set_size(in->buf, 0);
	in->at = 0;
}

/* --- faults
 * --------------------------------------------------------------------------------------- */

static gboolean fault(IscTrailVerify *v, IscTrailFault kind, guint64 record, const gchar *format,
		...) G_GNUC_PRINTF(4, 5);
static gboolean fault(
		IscTrailVerify *v, IscTrailFault kind, guint64 record, const gchar *format, ...)
{
	if (v->report.fault != ISC_TRAIL_GOOD)
		return FALSE;
	va_list args;
	va_start(args, format);
	v->report.detail = g_strdup_vprintf(format, args);
	va_end(args);
	v->report.fault = kind;
	v->report.record = record;
	v->report.segment = v->last.segment + !v->file_any;
	return FALSE;
}

/* The line at log.at is not the one that entry v->entry of the block at chain.at promises: how not?
 */
static gboolean line_is_bad(IscTrailVerify *v)
{
	while (have(&v->log) < ISC_DIAGNOSE_BYTES && read_more(&v->log))
		;
	while (have(&v->chain) < ISC_DIAGNOSE_BYTES + ISC_CHAIN_BLOCK_MAX && read_more(&v->chain))
		;
	/* Both buffers may have moved. */
	IscDiagnosis d;
	isc_trail_diagnose(v->chain.buf->data + v->chain.at, have(&v->chain), v->entry,
			v->log.buf->data + v->log.at, have(&v->log), v->log_bytes == 0, &d);
	return fault(v, d.fault, v->next, "%s", d.detail);
}

/* --- blocks
 * --------------------------------------------------------------------------------------- */

static gboolean check_origin(IscTrailVerify *v, const IscBlock *b)
{
	const IscChainHeader *h = b->header;
	const IscChainOrigin *o = (const IscChainOrigin *)b->payload;
	const guint8 *root = v->expect->root ? v->expect->root : o->root;
	gchar name[33] = { 0 };

	memcpy(name, o->name, sizeof o->name);
	/* As far as the block has room for it; see isc_packet_trail_name(). */
	if (v->expect->name && strncmp(name, v->expect->name, sizeof o->name - 1) != 0)
		return fault(v, ISC_TRAIL_SWAPPED, v->next, "this is the trail of another node");
	if (v->any && memcmp(o->trail, v->report.trail, sizeof o->trail) != 0) {
		if (h->kind == ISC_CHAIN_GENESIS && (h->flags & ISC_CHAIN_BROKEN))
			return fault(v, ISC_TRAIL_RESEALED, v->next,
					"a new trail begins here: the collector found the one "
					"before not "
					"as it had left it");
		return fault(v, ISC_TRAIL_SWAPPED, v->next, "file %u belongs to another trail",
				h->segment);
	}
	guint32 want = v->any ? v->last.segment + 1 : 1;
	gboolean is_late = !v->any && h->kind == ISC_CHAIN_SEGMENT && h->segment > 1;
	if (is_late)
		want = h->segment; /* retention, if there is a block that says so: check_trim() */
	if (h->segment < want)
		return fault(v, ISC_TRAIL_REPLAYED, v->next, "file %u stands where file %u belongs",
				h->segment, want);
	if (h->kind == ISC_CHAIN_GENESIS && (h->flags & ISC_CHAIN_BROKEN) && h->segment > want)
		return fault(v, ISC_TRAIL_REMOVED, v->next,
				"a new trail begins here, the broken one before it is missing");
	if (h->segment > want)
		return fault(v, ISC_TRAIL_REMOVED, v->next, "file %u is missing", want);
	if ((h->kind == ISC_CHAIN_GENESIS) != !v->any && !is_late)
		return fault(v, ISC_TRAIL_SWAPPED, v->next, "the trail does not begin here");
	if (!v->any && !is_late && !isc_chain_origin_is_signed(o, h->pub, root))
		return fault(v, ISC_TRAIL_RESEALED, v->next,
				"the beginning is not signed by the key of the dock");
	memcpy(v->report.root, o->root, sizeof v->report.root);
	memcpy(v->report.trail, o->trail, sizeof v->report.trail);
	memcpy(v->report.name, o->name, sizeof v->report.name - 1);
	if (is_late) {
		v->is_late = TRUE;
		v->next = h->first;
		v->report.trimmed_files = h->segment - 1;
		v->report.trimmed_records = h->first - 1;
	}
	return TRUE;
}

/* Retention has told which block begins what it left.  A record of earlier files than are there
 * says nothing any more. */
static gboolean check_trim(IscTrailVerify *v, const IscBlock *b)
{
	const IscChainTrim *t = (const IscChainTrim *)b->payload;
	const guint8 *root = v->expect->root ? v->expect->root : v->report.root;

	if (!isc_chain_trim_is_signed(t, v->report.name, v->report.trail, root))
		return fault(v, ISC_TRAIL_RESEALED, v->next,
				"what it says of retention is not signed by the key of the dock");
	for (guint i = 0; i < v->starts->len; i++) {
		const Start *s = &g_array_index(v->starts, Start, i);
		if (s->segment != t->segment)
			continue;
		if (s->index != t->index || memcmp(s->head, t->head, sizeof s->head) != 0)
			return fault(v, ISC_TRAIL_RESEALED, v->next,
					"file %u is not the one that retention left", s->segment);
		v->is_late = FALSE;
		v->report.trimmed_time = b->header->time;
	}
	return TRUE;
}

static gboolean check_place(IscTrailVerify *v, const IscBlock *b)
{
	const IscChainHeader *h = b->header;
	gboolean origin = h->kind == ISC_CHAIN_GENESIS || h->kind == ISC_CHAIN_SEGMENT;

	if (origin != !v->file_any)
		return fault(v, ISC_TRAIL_SWAPPED, v->next,
				origin ? "a file begins within a file"
				       : "the file has no beginning");
	if (origin && !check_origin(v, b))
		return FALSE;
	if (!v->any && !v->is_late)
		return h->index == 0 && h->first == 1 ? TRUE
						      : fault(v, ISC_TRAIL_REMOVED, 1,
									"the trail does not begin "
									"at its beginning");
	if (!v->any)
		return TRUE;
	if (h->index < v->last.index + 1)
		return fault(v, ISC_TRAIL_REPLAYED, v->next,
				"block %" G_GUINT64_FORMAT " comes again", h->index);
	if (h->index > v->last.index + 1)
		return fault(v, ISC_TRAIL_REMOVED, v->next,
				"the blocks behind %" G_GUINT64_FORMAT " are missing",
				v->last.index);
	if (!origin && h->segment != v->last.segment)
		return fault(v, ISC_TRAIL_SWAPPED, v->next, "the block is of another file");
	return TRUE;
}

static gboolean check_seal(IscTrailVerify *v, const IscBlock *b)
{
	const IscChainHeader *h = b->header;
	gboolean is_signed = isc_block_is_signed(b);

	if (v->any && memcmp(h->pub, v->last.next_pub, sizeof h->pub) != 0)
		return is_signed ? fault(v, ISC_TRAIL_RESEALED, v->next,
						   "block %" G_GUINT64_FORMAT
						   " is signed by a key that is not its own",
						   h->index)
				 : fault(v, ISC_TRAIL_EDITED, v->next,
						   "block %" G_GUINT64_FORMAT
						   " of the chain was changed",
						   h->index);
	if (!is_signed)
		return fault(v, ISC_TRAIL_EDITED, v->next,
				"block %" G_GUINT64_FORMAT " of the chain was changed", h->index);
	if (v->any && memcmp(h->prev, v->head, sizeof h->prev) != 0)
		return fault(v, ISC_TRAIL_RESEALED, v->next,
				"block %" G_GUINT64_FORMAT " does not follow the one before it",
				h->index);
	if (h->first != v->next || h->offset != v->log_bytes)
		return fault(v, ISC_TRAIL_RESEALED, v->next,
				"block %" G_GUINT64_FORMAT " miscounts the records", h->index);
	return TRUE;
}

static gboolean check_anchors(IscTrailVerify *v, guint64 index)
{
	for (gsize i = 0; i < v->expect->n_anchors; i++) {
		const IscTrailAnchor *a = &v->expect->anchors[i];
		if (a->block != index)
			continue;
		v->anchors_met++;
		if (memcmp(a->head, v->head, sizeof a->head) != 0)
			return fault(v, ISC_TRAIL_RESEALED, v->next,
					"block %" G_GUINT64_FORMAT
					" is not the one that was anchored",
					index);
	}
	return TRUE;
}

static void note_block(IscTrailVerify *v, const IscBlock *b)
{
	const IscChainHeader *h = b->header;
	IscTrailReport *r = &v->report;

	if (!v->any) {
		r->first_time = h->time;
		v->first_index = h->index;
	} else {
		/* A reboot of the host starts uptime again; only a step within one run can be told.
		 */
		gint64 step = (h->time - v->last.time) - (h->uptime - v->last.uptime);
		if (h->uptime > v->last.uptime && ABS(step) > CLOCK_STEP)
			r->clock_steps++;
	}
	r->last_time = h->time;
	r->lost = h->lost;
	r->bad = h->bad;
	r->blocks++;
	r->last_block = h->index;
	r->closed = h->kind == ISC_CHAIN_CLOSE;
	if (h->kind == ISC_CHAIN_OPEN) {
		const IscChainNote *note = (const IscChainNote *)b->payload;
		r->restarts++;
		r->cut += note->cut_log + note->cut_chain;
	}
	v->last = *h;
	v->any = v->file_any = TRUE;
	isc_block_hash(b, v->head);
	memcpy(r->head, v->head, sizeof r->head);
	if (h->kind == ISC_CHAIN_GENESIS || h->kind == ISC_CHAIN_SEGMENT) {
		Start start = { .segment = h->segment, .index = h->index };
		memcpy(start.head, v->head, sizeof start.head);
		g_array_append_val(v->starts, start);
	}
}

/* TRUE: the line was good, go on.  *@wait: there is no more for now. */
static gboolean take_line(IscTrailVerify *v, const IscBlock *b, gboolean *wait)
{
	const IscChainEntry *e = &isc_block_entries(b)[v->entry];
	guint8 hash[ISC_CHAIN_HASH];

	while (have(&v->log) < e->len)
		if (!read_more(&v->log)) {
			*wait = TRUE;
			return FALSE;
		}
	const guint8 *line = v->log.buf->data + v->log.at;
	crypto_generichash(hash, sizeof hash, line, e->len, NULL, 0);
	if (memcmp(hash, e->hash, sizeof hash) != 0 || line[e->len - 1] != '\n')
		return line_is_bad(v);
	if (v->func) {
		IscTrailRecord r = { .number = v->next,
			.time = b->header->time - e->age,
			.session = b->header->session,
			.frame = b->header->frame - MIN(b->header->frame, e->frame),
			.type = e->type,
			.flags = e->flags,
			.line = (const gchar *)line,
			.len = e->len - 1 };
		v->func(&r, v->data);
	}
	v->log.at += e->len;
	v->log_bytes += e->len;
	v->next++;
	v->entry++;
	v->report.records++;
	return TRUE;
}

/* One block, as far as it is there.  FALSE: stop, because of a fault or of an end. */
static gboolean take_block(IscTrailVerify *v)
{
	IscBlock b;
	IscBlockState state;

	while ((state = isc_block_parse(v->chain.buf->data + v->chain.at, have(&v->chain), &b)) ==
			ISC_BLOCK_SHORT)
		if (!read_more(&v->chain))
			return FALSE;
	if (state == ISC_BLOCK_BAD)
		return fault(v, ISC_TRAIL_DAMAGED, v->next,
				"no block stands behind block %" G_GUINT64_FORMAT " of the chain",
				v->any ? v->last.index : 0);
	if (!v->in_block) {
		if (!check_place(v, &b) || !check_seal(v, &b))
			return FALSE;
		v->in_block = TRUE;
		v->entry = 0;
	}
	while (v->entry < b.header->n) {
		gboolean wait = FALSE;
		if (!take_line(v, &b, &wait))
			return FALSE;
	}
	note_block(v, &b);
	gboolean ok = b.header->kind != ISC_CHAIN_TRIM || check_trim(v, &b);
	v->chain.at += b.header->len;
	v->in_block = FALSE;
	return ok && check_anchors(v, v->last.index);
}

/* --- the whole
 * ------------------------------------------------------------------------------------ */

IscTrailVerify *isc_trail_verify_new(
		const IscTrailExpect *expect, IscTrailRecordFunc func, gpointer data)
{
	IscTrailVerify *v = g_new0(IscTrailVerify, 1);
	v->expect = expect;
	v->func = func;
	v->data = data;
	v->log.buf = g_byte_array_sized_new(64); /* so that there is an address, even for nothing */
	v->chain.buf = g_byte_array_sized_new(64);
	v->next = 1;
	v->starts = g_array_new(FALSE, FALSE, sizeof(Start));
	return v;
}

void isc_trail_verify_free(IscTrailVerify *v)
{
	if (!v)
		return;
	g_byte_array_unref(v->log.buf);
	g_byte_array_unref(v->chain.buf);
	isc_trail_report_clear(&v->report);
	g_array_unref(v->starts);
	g_free(v);
}

void isc_trail_verify_begin(IscTrailVerify *v, IscByteSource log, IscByteSource chain)
{
	input_reset(&v->log, log);
	input_reset(&v->chain, chain);
	v->file_any = v->in_block = FALSE;
	v->log_bytes = 0;
}

gboolean isc_trail_verify_run(IscTrailVerify *v)
{
	while (v->report.fault == ISC_TRAIL_GOOD && take_block(v))
		;
	return v->report.fault == ISC_TRAIL_GOOD;
}

gboolean isc_trail_verify_is_rotated(const IscTrailVerify *v)
{
	return v->file_any && v->last.kind == ISC_CHAIN_ROTATE;
}

void isc_trail_verify_end(IscTrailVerify *v, gboolean last)
{
	if (!isc_trail_verify_run(v))
		return;
	if (v->in_block) {
		line_is_bad(v);
		return;
	}
	/* Of a pair that goes by retention the chain goes first. */
	if (!v->any && !last && have(&v->chain) == 0) {
		v->is_hollow = TRUE;
		return;
	}
	gboolean strict = !last || v->expect->at_rest;
	if (!v->file_any && (strict || !v->any)) {
		fault(v, ISC_TRAIL_TRUNCATED, v->next, "the chain file is empty");
		return;
	}
	if (have(&v->chain) && strict) {
		fault(v, ISC_TRAIL_TRUNCATED, v->next, "the chain ends within a block");
		return;
	}
	if (!last && v->last.kind != ISC_CHAIN_ROTATE) {
		fault(v, ISC_TRAIL_TRUNCATED, v->next, "file %u ends too early", v->last.segment);
		return;
	}
	v->report.uncovered = have(&v->log);
	for (;;) {
		v->log.at = v->log.buf->len;
		if (!read_more(&v->log))
			break;
		v->report.uncovered += have(&v->log);
	}
	if (v->report.uncovered && (strict || v->report.closed || isc_trail_verify_is_rotated(v)))
		fault(v, ISC_TRAIL_INSERTED, v->next,
				"%" G_GUINT64_FORMAT " bytes stand behind the last sealed record",
				v->report.uncovered);
}

/* Files that are missing at the beginning, and nothing says why. */
static void judge_beginning(IscTrailVerify *v)
{
	if (v->report.fault != ISC_TRAIL_GOOD ||
			(!v->is_late && !(v->is_hollow && !v->first_index)))
		return;
	guint32 n = v->report.trimmed_files;
	if (v->is_hollow)
		fault(v, ISC_TRAIL_TRUNCATED, 1, "the chain file is empty");
	else if (n == 1)
		fault(v, ISC_TRAIL_REMOVED, 1, "file 1 is missing");
	else
		fault(v, ISC_TRAIL_REMOVED, 1, "files 1 to %u are missing", n);
	v->report.segment = 1;
}

/* Files that are missing at the end. */
static void judge_end(IscTrailVerify *v)
{
	const IscTrailExpect *e = v->expect;
	v->report.rotated = v->any && v->last.kind == ISC_CHAIN_ROTATE;
	if (v->report.fault != ISC_TRAIL_GOOD || !v->any)
		return;
	guint32 have = v->last.segment, want = e->files;
	if (v->report.rotated && (e->at_rest || e->whole))
		want = MAX(want, have + 1);
	if (want <= have)
		return;
	if (want == have + 1)
		fault(v, ISC_TRAIL_TRUNCATED, v->next, "file %u is missing", want);
	else
		fault(v, ISC_TRAIL_TRUNCATED, v->next, "files %u to %u are missing", have + 1,
				want);
	v->report.segment = have + 1;
}

static gsize trimmed_anchors(const IscTrailVerify *v)
{
	gsize n = 0;
	for (gsize i = 0; i < v->expect->n_anchors; i++)
		n += v->expect->anchors[i].block < v->first_index;
	return n;
}

gboolean isc_trail_verify_finish(IscTrailVerify *v, IscTrailReport *out)
{
	judge_beginning(v);
	judge_end(v);
	v->report.trimmed_anchors = (guint)trimmed_anchors(v);
	if (v->report.fault == ISC_TRAIL_GOOD &&
			v->anchors_met + v->report.trimmed_anchors < v->expect->n_anchors)
		fault(v, ISC_TRAIL_REPLAYED, v->next,
				"it ends at block %" G_GUINT64_FORMAT
				" though a later one was anchored: an older copy, or its end was "
				"cut off",
				v->report.last_block);
	*out = v->report;
	v->report.detail = NULL;
	return out->fault == ISC_TRAIL_GOOD;
}

gboolean isc_trail_verify_fds(const int *log_fds, const int *chain_fds, gsize n,
		const IscTrailExpect *expect, IscTrailRecordFunc func, gpointer data,
		IscTrailReport *out, GError **error)
{
	static const IscTrailExpect nothing;
	g_autoptr(IscTrailVerify) v = isc_trail_verify_new(expect ? expect : &nothing, func, data);

	for (gsize i = 0; i < n; i++) {
		isc_trail_verify_begin(v, isc_source_fd(&log_fds[i]), isc_source_fd(&chain_fds[i]));
		isc_trail_verify_end(v, i + 1 == n);
	}
	if (v->log.failed || v->chain.failed) {
		memset(out, 0, sizeof *out);
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "the trail cannot be read");
		return FALSE;
	}
	if (isc_trail_verify_finish(v, out))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"record %" G_GUINT64_FORMAT " in file %u: %s: %s", out->record,
			out->segment, isc_trail_fault_name(out->fault), out->detail);
	return FALSE;
}
