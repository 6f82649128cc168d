#include "forward/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "forward/log-source.h"

#define FLAGS (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
#define SEGMENT_MAX 1000000u

struct IscForwardSource {
	IscForwardKind kind;
	gchar *key, *node;
	IscLogSource *log;            /* of a log, which has nothing of what follows */
	int dir_fd, log_fd, chain_fd; /* the files of pos.segment; -1: not open */
	gboolean is_closed;           /* they have their number: nothing is added any more */
	IscForwardPos pos;
	guint64 n_gone; /* records that retention took before they were read, not told yet */
	GByteArray *block, *lines; /* room */
};

/* --- names --------------------------------------------------------------------------------- */

static const gchar *const kinds[ISC_N_FORWARD_KINDS] = { "audit", "acts", "packets", "logs" };

const gchar *isc_forward_kind_name(IscForwardKind kind)
{
	return kinds[kind];
}

gboolean isc_forward_kinds_parse(const gchar *text, gboolean out[ISC_N_FORWARD_KINDS], gchar **bad)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
	for (guint k = 0; k < ISC_N_FORWARD_KINDS; k++)
		out[k] = g_strv_contains((const gchar *const *)words, kinds[k]);
	for (guint i = 0; words[i]; i++) {
		gboolean known = *words[i] == '\0';
		for (guint k = 0; k < ISC_N_FORWARD_KINDS; k++)
			known |= g_str_equal(words[i], kinds[k]);
		if (!known) {
			*bad = g_strdup(words[i]);
			return FALSE;
		}
	}
	return TRUE;
}

gchar *isc_forward_key(IscForwardKind kind, const gchar *node)
{
	const gchar prefix[] = { kind == ISC_FORWARD_PACKETS ? ISC_TRAIL_PACKETS
				 : kind == ISC_FORWARD_LOGS  ? ISC_FORWARD_LOG
							     : '\0',
		'\0' };
	return g_strconcat(prefix, node, NULL);
}

gboolean isc_forward_key_is_valid(const gchar *key)
{
	return isc_name_is_trail(key + (*key == ISC_TRAIL_PACKETS || *key == ISC_FORWARD_LOG));
}

/* --- life ---------------------------------------------------------------------------------- */

IscForwardSource *isc_forward_source_new(int dir_fd, IscForwardKind kind, const gchar *node,
		const IscForwardPos *pos, GError **error)
{
	g_autoptr(IscForwardSource) s = g_new0(IscForwardSource, 1);
	s->kind = kind;
	s->node = g_strdup(node);
	s->key = isc_forward_key(kind, node);
	s->log_fd = s->chain_fd = s->dir_fd = -1;
	s->block = g_byte_array_new();
	s->lines = g_byte_array_new();
	s->pos = pos ? *pos : (IscForwardPos){ .segment = 1 };
	if (kind == ISC_FORWARD_LOGS) {
		s->log = isc_log_source_new(dir_fd, node, pos, error);
		return s->log ? g_steal_pointer(&s) : NULL;
	}
	s->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (s->dir_fd >= 0)
		return g_steal_pointer(&s);
	isc_error_set_errno(error, errno, "folder of '%s'", node);
	return NULL;
}

static void shut(IscForwardSource *s)
{
	isc_clear_fd(&s->log_fd);
	isc_clear_fd(&s->chain_fd);
}

void isc_forward_source_free(IscForwardSource *s)
{
	if (!s)
		return;
	shut(s);
	isc_clear_fd(&s->dir_fd);
	g_clear_pointer(&s->log, isc_log_source_free);
	g_free(s->key);
	g_free(s->node);
	g_byte_array_unref(s->block);
	g_byte_array_unref(s->lines);
	g_free(s);
}

const gchar *isc_forward_source_key(const IscForwardSource *s)
{
	return s->key;
}

const gchar *isc_forward_source_node(const IscForwardSource *s)
{
	return s->node;
}

IscForwardKind isc_forward_source_kind(const IscForwardSource *s)
{
	return s->kind;
}

const IscForwardPos *isc_forward_source_pos(const IscForwardSource *s)
{
	return s->log ? isc_log_source_pos(s->log) : &s->pos;
}

void isc_forward_source_seek(IscForwardSource *s, const IscForwardPos *pos)
{
	if (s->log)
		isc_log_source_seek(s->log, pos);
	if (pos->segment != s->pos.segment)
		shut(s);
	s->pos = *pos;
}

/* --- files --------------------------------------------------------------------------------- */

static int open_file(const IscForwardSource *s, const gchar *base, guint number)
{
	g_autofree gchar *name = number ? g_strdup_printf("%s.%u", base, number) : g_strdup(base);
	return openat(s->dir_fd, name, FLAGS);
}

/* The open pair is the one of @segment? */
static gboolean is_of(int chain_fd, guint32 segment)
{
	IscChainHeader h;
	return pread(chain_fd, &h, sizeof h, 0) == sizeof h && h.magic == ISC_CHAIN_MAGIC &&
	       h.segment == segment;
}

/* Retention took the file away while it was open here: nothing is added to it any more, either. */
static gboolean is_unlinked(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static gboolean has_number(const IscForwardSource *s, guint32 segment)
{
	isc_autofd int fd = open_file(s, "audit.chain", segment);
	return fd >= 0;
}

/* Opens the files of pos.segment.  FALSE: they are not there (yet). */
static gboolean open_pair(IscForwardSource *s)
{
	if (s->chain_fd >= 0 && !s->is_closed)
		s->is_closed = is_unlinked(s->chain_fd);
	if (s->chain_fd >= 0 && (s->is_closed || !has_number(s, s->pos.segment)))
		return TRUE;
	shut(s);
	s->chain_fd = open_file(s, "audit.chain", s->pos.segment);
	s->is_closed = s->chain_fd >= 0;
	if (!s->is_closed) {
		s->chain_fd = open_file(s, "audit.chain", 0);
		if (s->chain_fd >= 0 && !is_of(s->chain_fd, s->pos.segment))
			shut(s);
	}
	if (s->chain_fd >= 0)
		s->log_fd = open_file(s, "audit.log", s->is_closed ? s->pos.segment : 0);
	if (s->log_fd < 0)
		shut(s);
	return s->log_fd >= 0;
}

static gboolean is_there(const IscForwardSource *s, guint32 segment)
{
	isc_autofd int last = open_file(s, "audit.chain", 0);
	return has_number(s, segment) || (last >= 0 && is_of(last, segment));
}

/* Number of the open file; 0: there is none. */
static guint32 open_segment(const IscForwardSource *s)
{
	IscChainHeader h;
	isc_autofd int fd = open_file(s, "audit.chain", 0);
	return fd >= 0 && pread(fd, &h, sizeof h, 0) == sizeof h && h.magic == ISC_CHAIN_MAGIC
			       ? h.segment
			       : 0;
}

/* Whether the file of pos.segment was taken away.  In this order: when a later one is open, this
 * one has got its number already, if it is there at all. */
static gboolean is_gone(const IscForwardSource *s)
{
	g_autofree gchar *name = g_strdup_printf("audit.chain.%u", s->pos.segment);
	struct stat st;
	return open_segment(s) > s->pos.segment &&
	       fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

/* The first file there is from number @from on; 0: none.  Those in between went by retention. */
static guint32 first_from(const IscForwardSource *s, guint32 from)
{
	if (is_there(s, from))
		return from;
	guint32 last = open_segment(s), first = last >= from ? last : 0;
	int fd = openat(s->dir_fd, ".", FLAGS | O_DIRECTORY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		isc_clear_fd(&fd);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		static const gchar base[] = "audit.chain.";
		guint64 n;
		if (g_str_has_prefix(e->d_name, base) &&
				g_ascii_string_to_unsigned(e->d_name + strlen(base), 10, from,
						SEGMENT_MAX, &n, NULL) &&
				(first == 0 || n < first))
			first = (guint32)n;
	}
	if (dir)
		closedir(dir);
	return first;
}

/* A file that has its number and no further block: the next one goes on, also where this one was
 * left half (the collector begins a new trail beside a broken one).  So it does where this one is
 * not there any more. */
static gboolean next_segment(IscForwardSource *s)
{
	gboolean is_done = s->is_closed || (s->chain_fd < 0 && is_gone(s));
	if (!is_done || s->pos.segment >= SEGMENT_MAX)
		return FALSE;
	guint32 next = first_from(s, s->pos.segment + 1);
	if (next == 0)
		return FALSE;
	shut(s);
	s->pos.segment = next;
	s->pos.block = 0;
	return TRUE;
}

/* --- blocks -------------------------------------------------------------------------------- */

static gboolean read_at(int fd, GByteArray *out, gsize want, guint64 offset)
{
	g_byte_array_set_size(out, (guint)want);
	gsize have = 0;
	while (have < want) {
		gssize n = pread(fd, out->data + have, want - have, (off_t)(offset + have));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return FALSE;
		have += (gsize)n;
	}
	return TRUE;
}

/* FALSE: there is no whole one, or @error: what stands there is none. */
static gboolean read_block(IscForwardSource *s, IscBlock *out, GError **error)
{
	if (!read_at(s->chain_fd, s->block, sizeof(IscChainHeader), s->pos.block))
		return FALSE;
	guint32 len = ((const IscChainHeader *)(gconstpointer)s->block->data)->len;
	IscBlockState state = isc_block_parse(s->block->data, s->block->len, out);
	if (state == ISC_BLOCK_SHORT) {
		if (!read_at(s->chain_fd, s->block, len, s->pos.block))
			return FALSE;
		state = isc_block_parse(s->block->data, s->block->len, out);
	}
	if (state == ISC_BLOCK_OK)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
			"the chain of '%s' is damaged at byte %" G_GUINT64_FORMAT
			" of file %u; isc-vm audit verify says more",
			s->key, s->pos.block, s->pos.segment);
	return FALSE;
}

static gboolean find_block(IscForwardSource *s, IscBlock *out, GError **error)
{
	g_autoptr(GError) why = NULL;
	do {
		if (!open_pair(s))
			return next_segment(s) && open_pair(s) && read_block(s, out, error);
		if (read_block(s, out, &why))
			return TRUE;
		/* A damaged end of a file that is closed is not waited for. */
		if (why && !s->is_closed)
			break;
		g_clear_error(&why);
	} while (next_segment(s));
	if (why)
		g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

static void pass(IscForwardSource *s, const IscBlock *b)
{
	/* A trail that was begun anew counts from 1. */
	guint64 next = s->pos.record + 1;
	if (b->header->first > next) {
		s->pos.skipped += b->header->first - next;
		s->n_gone += b->header->first - next;
	}
	s->pos.block += b->header->len;
	s->pos.record = b->header->first + b->header->n - 1;
}

gboolean isc_forward_source_next(
		IscForwardSource *s, IscTrailRecordFunc func, gpointer data, GError **error)
{
	IscBlock b;
	if (s->log)
		return isc_log_source_next(s->log, func, data);
	if (!find_block(s, &b, error))
		return FALSE;
	const IscChainHeader *h = b.header;
	guint64 bytes = isc_block_log_bytes(&b);
	/* The lines are on disk before their block is. */
	if (!read_at(s->log_fd, s->lines, bytes, h->offset)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"the log of '%s' is shorter than its chain", s->key);
		return FALSE;
	}
	const IscChainEntry *e = isc_block_entries(&b);
	gsize at = 0;
	for (guint32 i = 0; i < h->n; i++) {
		IscTrailRecord r = { .number = h->first + i,
			.time = h->time - e[i].age,
			.session = h->session,
			.type = e[i].type,
			.flags = e[i].flags,
			.line = (const gchar *)s->lines->data + at,
			.len = e[i].len - 1 };
		func(&r, data);
		at += e[i].len;
	}
	pass(s, &b);
	return TRUE;
}

/* --- the bound ----------------------------------------------------------------------------- */

/* Bytes of log behind the block at hand. */
static guint64 waiting(const IscForwardSource *s, const IscBlock *b)
{
	struct stat st;
	guint64 sum = 0;
	if (fstat(s->log_fd, &st) == 0 && (guint64)st.st_size > b->header->offset)
		sum = (guint64)st.st_size - b->header->offset;
	for (guint32 n = s->pos.segment + 1; s->is_closed && n < SEGMENT_MAX; n++) {
		isc_autofd int numbered = open_file(s, "audit.log", n);
		isc_autofd int last = numbered < 0 ? open_file(s, "audit.log", 0) : -1;
		if (fstat(numbered >= 0 ? numbered : last, &st) == 0)
			sum += (guint64)st.st_size;
		if (numbered < 0)
			break;
	}
	return sum;
}

guint64 isc_forward_source_bound(IscForwardSource *s, guint64 max)
{
	IscBlock b;
	guint64 passed = 0;
	while (!s->log && find_block(s, &b, NULL) && waiting(s, &b) > max) {
		passed += b.header->n;
		pass(s, &b);
	}
	s->pos.skipped += passed;
	passed += s->n_gone;
	s->n_gone = 0;
	return passed;
}
