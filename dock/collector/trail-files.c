#include "collector/trail-files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sodium.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#define LOG "audit.log"
#define CHAIN "audit.chain"
#define KEY "chain.key"

void isc_trail_files_init(IscTrailFiles *f)
{
	memset(f, 0, sizeof *f);
	f->dir_fd = f->log_fd = f->chain_fd = f->key_fd = -1;
}

static void close_pair(IscTrailFiles *f)
{
	isc_clear_fd(&f->log_fd);
	isc_clear_fd(&f->chain_fd);
}

void isc_trail_files_clear(IscTrailFiles *f)
{
	close_pair(f);
	isc_clear_fd(&f->key_fd);
	isc_clear_fd(&f->dir_fd);
	sodium_memzero(&f->key, sizeof f->key);
}

/* chattr, as far as it goes: without CAP_LINUX_IMMUTABLE or on tmpfs it does not, and that is no
 * error. */
static void set_flags(int fd, int flags)
{
	int now;
	if (ioctl(fd, FS_IOC_GETFLAGS, &now) != 0)
		return;
	int then = (now & ~(FS_APPEND_FL | FS_IMMUTABLE_FL)) | flags;
	if (then != now)
		(void)ioctl(fd, FS_IOC_SETFLAGS, &then);
}

void isc_trail_files_unprotect(int fd)
{
	set_flags(fd, 0);
}

/* --- writing
 * -------------------------------------------------------------------------------------- */

static gboolean store_key(IscTrailFiles *f, GError **error)
{
	guint8 slot[ISC_CHAIN_SLOT];
	isc_chain_key_print(&f->key, slot);
	ssize_t n = pwrite(f->key_fd, slot, sizeof slot, 0);
	sodium_memzero(slot, sizeof slot);
	return n == sizeof slot || isc_error_set_errno(error, n < 0 ? errno : EIO, KEY);
}

static gint64 now_of(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (gint64)t.tv_sec * G_USEC_PER_SEC + t.tv_nsec / 1000;
}

gboolean isc_trail_files_write(IscTrailFiles *f, const gchar *lines, gsize lines_len,
		IscChainHeader *h, const void *payload, gsize payload_len, GError **error)
{
	g_autoptr(GByteArray) block = g_byte_array_new();
	guint8 head[ISC_CHAIN_HASH];

	h->segment = f->segment;
	h->first = f->next;
	h->offset = (guint64)f->offset;
	if (h->time == 0)
		h->time = now_of(CLOCK_REALTIME);
	h->uptime = now_of(CLOCK_BOOTTIME);
	memcpy(h->prev, f->head, sizeof h->prev);
	isc_block_append(block, h, payload, payload_len, &f->key, head);

	/* Lines first: who sees a block finds what it covers.  The key goes last, when nothing can
	 * ask for it again. */
	if (lines_len && !isc_file_write_all(f->log_fd, lines, lines_len, error))
		return FALSE;
	if (!isc_file_write_all(f->chain_fd, block->data, block->len, error))
		return FALSE;
	/* Both on their way before the first sync: then one commit of the file system's journal
	 * does for both. */
	(void)sync_file_range(f->log_fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	(void)sync_file_range(
			f->chain_fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	if (lines_len && fdatasync(f->log_fd) != 0)
		return isc_error_set_errno(error, errno, LOG);
	if (fdatasync(f->chain_fd) != 0)
		return isc_error_set_errno(error, errno, CHAIN);
	if (!store_key(f, error))
		return FALSE;

	f->offset += (goffset)lines_len;
	f->next += h->n;
	f->last = *h;
	memcpy(f->head, head, sizeof head);
	return TRUE;
}

/* What every block without records carries on from the one before. */
static IscChainHeader carry_on(const IscTrailFiles *f, IscChainKind kind)
{
	IscChainHeader h = f->last;
	h.kind = kind;
	h.flags = 0;
	h.n = 0;
	h.time = 0;
	return h;
}

gboolean isc_trail_files_mark(IscTrailFiles *f, IscChainKind kind, const void *payload,
		gsize payload_len, GError **error)
{
	IscChainHeader h = carry_on(f, kind);
	return isc_trail_files_write(f, NULL, 0, &h, payload, payload_len, error);
}

static int open_file(const IscTrailFiles *f, const gchar *name, int flags, GError **error)
{
	int fd = openat(f->dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		isc_error_set_errno(error, errno, "cannot open '%s'", name);
	return fd;
}

static gboolean sync_dir(const IscTrailFiles *f, GError **error)
{
	return fsync(f->dir_fd) == 0 || isc_error_set_errno(error, errno, "folder of the trail");
}

/* Makes the files of segment f->segment + 1 and writes their first block. */
static gboolean begin_segment(IscTrailFiles *f, gboolean genesis, gboolean broken, GError **error)
{
	close_pair(f);
	/* Chain first: a copy made by folder order then has no more chain than lines. */
	f->chain_fd = open_file(f, CHAIN, O_RDWR | O_APPEND | O_CREAT | O_TRUNC, error);
	if (f->chain_fd < 0)
		return FALSE;
	f->log_fd = open_file(f, LOG, O_RDWR | O_APPEND | O_CREAT | O_TRUNC, error);
	if (f->log_fd < 0 || !sync_dir(f, error))
		return FALSE;

	IscChainOrigin origin;
	IscChainHeader h = carry_on(f, genesis ? ISC_CHAIN_GENESIS : ISC_CHAIN_SEGMENT);
	f->segment++;
	f->offset = 0;
	if (genesis) {
		memset(&h, 0, sizeof h);
		h.kind = ISC_CHAIN_GENESIS;
		h.flags = broken ? ISC_CHAIN_BROKEN : 0;
		memset(f->head, 0, sizeof f->head);
		randombytes_buf(f->trail, sizeof f->trail);
		f->next = 1;
	}
	isc_chain_origin_init(&origin, f->name, f->trail, f->root, f->key.pub, genesis);
	if (!isc_trail_files_write(f, NULL, 0, &h, &origin, sizeof origin, error))
		return FALSE;
	/* Only now: a beginning that a crash cut off must be easy to begin again. */
	set_flags(f->chain_fd, FS_APPEND_FL);
	set_flags(f->log_fd, FS_APPEND_FL);
	return TRUE;
}

static gboolean exists(const IscTrailFiles *f, const gchar *name)
{
	struct stat st;
	return fstatat(f->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Puts the open pair aside as number @n.  Each step can be the last before a crash; doing all again
 * does no harm. */
static gboolean put_aside(IscTrailFiles *f, guint32 n, GError **error)
{
	static const gchar *const names[] = { LOG, CHAIN };

	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree gchar *to = g_strdup_printf("%s.%u", names[i], n);
		if (!exists(f, names[i]))
			continue;
		if (exists(f, to)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
					"'%s' is there already: move it away", to);
			return FALSE;
		}
		isc_autofd int fd = open_file(f, names[i], O_RDONLY, error);
		if (fd < 0)
			return FALSE;
		set_flags(fd, 0);
		if (renameat(f->dir_fd, names[i], f->dir_fd, to) != 0)
			return isc_error_set_errno(error, errno, "cannot rename '%s'", names[i]);
		set_flags(fd, FS_IMMUTABLE_FL);
	}
	return sync_dir(f, error);
}

gboolean isc_trail_files_rotate(IscTrailFiles *f, GError **error)
{
	return isc_trail_files_mark(f, ISC_CHAIN_ROTATE, NULL, 0, error) &&
	       put_aside(f, f->segment, error) && begin_segment(f, FALSE, FALSE, error);
}

/* --- taking up again
 * ------------------------------------------------------------------------------ */

typedef struct {
	gboolean any;                /* at least one whole block */
	IscChainHeader last, before; /* the last two; before.magic is 0 if there is one only */
	guint8 head[ISC_CHAIN_HASH], before_head[ISC_CHAIN_HASH];
	guint8 trail[16];
	goffset end, before_end; /* behind them in the file */
	goffset size;            /* of the file */
	guint64 log_bytes;       /* covered by all blocks */
	IscChainEntry *entries;  /* (owned) of the last one */
} Walk;

static void walk_clear(Walk *w)
{
	g_clear_pointer(&w->entries, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Walk, walk_clear)

/* Whether @b follows the blocks seen so far. */
static gboolean is_next(const Walk *w, const IscTrailFiles *f, const IscBlock *b)
{
	const IscChainHeader *h = b->header;
	gboolean origin = h->kind == ISC_CHAIN_GENESIS || h->kind == ISC_CHAIN_SEGMENT;

	if (!w->any)
		return origin && memcmp(((const IscChainOrigin *)b->payload)->name, f->name,
						 sizeof f->name) == 0;
	return !origin && h->index == w->last.index + 1 && h->offset == w->log_bytes &&
	       memcmp(h->prev, w->head, sizeof w->head) == 0 &&
	       memcmp(h->pub, w->last.next_pub, sizeof h->pub) == 0;
}

static void walk_block(Walk *w, const IscBlock *b)
{
	w->before = w->last;
	w->before_end = w->end;
	memcpy(w->before_head, w->head, sizeof w->head);
	if (!w->any)
		memcpy(w->trail, ((const IscChainOrigin *)b->payload)->trail, sizeof w->trail);
	w->any = TRUE;
	w->last = *b->header;
	w->end += b->header->len;
	w->log_bytes += isc_block_log_bytes(b);
	isc_block_hash(b, w->head);
	g_free(w->entries);
	w->entries = b->header->n ? g_memdup2(b->payload, b->payload_len) : NULL;
}

/* Goes through the blocks of @fd as far as they hang together. */
static gboolean walk(const IscTrailFiles *f, int fd, Walk *w, GError **error)
{
	gsize room = ISC_CHAIN_BLOCK_MAX + (1u << 20), have = 0;
	g_autofree guint8 *buf = g_malloc(room);

	for (;;) {
		ssize_t n = pread(fd, buf + have, room - have, w->size);
		if (n < 0)
			return isc_error_set_errno(error, errno, CHAIN);
		w->size += n;
		have += (gsize)n;

		gsize at = 0;
		IscBlock b;
		IscBlockState state;
		while ((state = isc_block_parse(buf + at, have - at, &b)) == ISC_BLOCK_OK &&
				is_next(w, f, &b)) {
			walk_block(w, &b);
			at += b.header->len;
		}
		memmove(buf, buf + at, have - at);
		have -= at;
		if (state != ISC_BLOCK_SHORT || n == 0)
			break;
	}
	struct stat st;
	if (fstat(fd, &st) != 0)
		return isc_error_set_errno(error, errno, CHAIN);
	w->size = st.st_size;
	return TRUE;
}

/* Whether the lines of the last block are in the log as they were signed. */
static gboolean lines_are_there(const IscTrailFiles *f, const Walk *w)
{
	g_autofree guint8 *line = g_malloc(ISC_CHAIN_LINE_MAX);
	goffset at = (goffset)w->last.offset;
	guint8 hash[ISC_CHAIN_HASH];

	for (guint32 i = 0; i < w->last.n; i++) {
		const IscChainEntry *e = &w->entries[i];
		if (pread(f->log_fd, line, e->len, at) != (ssize_t)e->len)
			return FALSE;
		crypto_generichash(hash, sizeof hash, line, e->len, NULL, 0);
		if (memcmp(hash, e->hash, sizeof hash) != 0)
			return FALSE;
		at += e->len;
	}
	return TRUE;
}

/* Cuts a file; one that chattr +a protects is freed first. */
static gboolean cut(int fd, goffset size, const gchar *name, GError **error)
{
	set_flags(fd, 0);
	if (ftruncate(fd, size) != 0)
		return isc_error_set_errno(error, errno, "cannot cut '%s'", name);
	set_flags(fd, FS_APPEND_FL);
	return TRUE;
}

static guint32 highest_aside(const IscTrailFiles *f, GError **error)
{
	guint32 max = 0;
	int fd = openat(f->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(DIR) dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		isc_error_set_errno(error, errno, "folder of the trail");
		isc_clear_fd(&fd);
		return G_MAXUINT32;
	}
	for (struct dirent *e; (e = readdir(dir));) {
		const gchar *number = g_str_has_prefix(e->d_name, LOG ".") ? e->d_name + sizeof LOG
				      : g_str_has_prefix(e->d_name, CHAIN ".")
						      ? e->d_name + sizeof CHAIN
						      : NULL;
		guint64 n;
		if (number && g_ascii_string_to_unsigned(number, 10, 1, G_MAXUINT32 - 2, &n, NULL))
			max = MAX(max, (guint32)n);
	}
	return max;
}

static gboolean fresh_key(IscTrailFiles *f, GError **error)
{
	guint8 slot[ISC_CHAIN_SLOT];
	isc_chain_key_new(&f->key);
	isc_chain_key_print(&f->key, slot);
	gboolean ok = isc_file_write(f->dir_fd, KEY, slot, sizeof slot, 0600, error);
	sodium_memzero(slot, sizeof slot);
	if (!ok)
		return FALSE;
	isc_clear_fd(&f->key_fd);
	f->key_fd = open_file(f, KEY, O_RDWR, error);
	return f->key_fd >= 0;
}

static gboolean begin_trail(IscTrailFiles *f, gboolean broken, GError **error)
{
	return fresh_key(f, error) && begin_segment(f, TRUE, broken, error);
}

/* Sealed records are missing or changed, or the key is.  What is there is evidence: it is kept as
 * it is. */
static gboolean begin_anew(IscTrailFiles *f, gboolean *broken, GError **error)
{
	close_pair(f);
	guint32 aside = highest_aside(f, error);
	if (aside == G_MAXUINT32)
		return FALSE;
	/* The files before it may be gone by retention; its number stays its own. */
	aside = MAX(aside, f->segment ? f->segment - 1 : 0);
	if (exists(f, LOG) || exists(f, CHAIN))
		aside++;
	if (!put_aside(f, aside, error))
		return FALSE;
	f->segment = aside;
	*broken = TRUE;
	return begin_trail(f, TRUE, error);
}

static void adopt(IscTrailFiles *f, const Walk *w)
{
	f->segment = w->last.segment;
	f->offset = (goffset)w->log_bytes;
	f->last = w->last;
	f->next = w->last.first + w->last.n;
	memcpy(f->head, w->head, sizeof f->head);
	memcpy(f->trail, w->trail, sizeof f->trail);
}

/* The key on disk may be some blocks behind (the power failed), never ahead: then sealed blocks are
 * gone. */
static gboolean key_fits(IscTrailFiles *f, const Walk *w)
{
	if (f->key.index > w->last.index + 1)
		return FALSE;
	isc_chain_key_evolve(&f->key, w->last.index + 1);
	return memcmp(f->key.pub, w->last.next_pub, sizeof f->key.pub) == 0;
}

/* The last block may be one whose commit did not end: it is good only with all its lines. */
static gboolean drop_unfinished(IscTrailFiles *f, Walk *w, goffset log_size)
{
	if ((guint64)log_size >= w->log_bytes && lines_are_there(f, w))
		return TRUE;
	if (f->key.index > w->last.index || w->before.magic == 0)
		return FALSE;
	w->log_bytes = w->last.offset;
	w->last = w->before;
	w->end = w->before_end;
	memcpy(w->head, w->before_head, sizeof w->head);
	return (guint64)log_size >= w->log_bytes;
}

/* Goes on with the open pair: @w is its chain. */
static gboolean resume(IscTrailFiles *f, Walk *w, gboolean *broken, GError **error)
{
	struct stat st;
	if (fstat(f->log_fd, &st) != 0)
		return isc_error_set_errno(error, errno, LOG);
	if (w->size - w->end > (goffset)ISC_CHAIN_BLOCK_MAX || !drop_unfinished(f, w, st.st_size) ||
			!key_fits(f, w))
		return begin_anew(f, broken, error);

	IscChainNote note = { (guint64)st.st_size - w->log_bytes, (guint64)(w->size - w->end) };
	adopt(f, w);
	if (note.cut_log && !cut(f->log_fd, f->offset, LOG, error))
		return FALSE;
	if (note.cut_chain && !cut(f->chain_fd, w->end, CHAIN, error))
		return FALSE;
	if (w->last.kind == ISC_CHAIN_ROTATE)
		return put_aside(f, f->segment, error) && begin_segment(f, FALSE, FALSE, error);

	return isc_trail_files_mark(f, ISC_CHAIN_OPEN, &note, sizeof note, error);
}

/* There is no open pair, or only the beginning of one: the last one put aside must end in ROTATE.
 */
static gboolean resume_behind(IscTrailFiles *f, guint32 aside, gboolean *broken, GError **error)
{
	g_auto(Walk) w = { 0 };
	g_autofree gchar *name = g_strdup_printf(CHAIN ".%u", aside);
	isc_autofd int fd = open_file(f, name, O_RDONLY, NULL);

	if (fd < 0)
		return begin_anew(f, broken, error);
	if (!walk(f, fd, &w, error))
		return FALSE;
	if (!w.any || w.last.kind != ISC_CHAIN_ROTATE || w.end != w.size || !key_fits(f, &w))
		return begin_anew(f, broken, error);
	adopt(f, &w);
	return begin_segment(f, FALSE, FALSE, error);
}

static gboolean load_key(IscTrailFiles *f)
{
	guint8 slot[ISC_CHAIN_SLOT + 1];
	f->key_fd = open_file(f, KEY, O_RDWR, NULL);
	if (f->key_fd < 0)
		return FALSE;
	ssize_t n = pread(f->key_fd, slot, sizeof slot, 0);
	gboolean ok = n > 0 && isc_chain_key_parse(slot, (gsize)n, &f->key);
	sodium_memzero(slot, sizeof slot);
	return ok;
}

gboolean isc_trail_files_open(IscTrailFiles *f, gboolean *broken, GError **error)
{
	guint32 aside = highest_aside(f, error);
	if (aside == G_MAXUINT32)
		return FALSE;
	gboolean has_log = exists(f, LOG), has_chain = exists(f, CHAIN);
	gboolean has_key = load_key(f);

	if (!has_log && !has_chain && aside == 0 && !exists(f, KEY))
		return begin_trail(f, FALSE, error);
	if (!has_key)
		return begin_anew(f, broken, error);

	g_auto(Walk) w = { 0 };
	if (has_chain) {
		f->chain_fd = open_file(f, CHAIN, O_RDWR | O_APPEND, error);
		if (f->chain_fd < 0 || !walk(f, f->chain_fd, &w, error))
			return FALSE;
		f->segment = w.any ? w.last.segment : 0;
	}
	if (has_log) {
		f->log_fd = open_file(f, LOG, O_RDWR | O_APPEND, error);
		if (f->log_fd < 0)
			return FALSE;
	}
	if (w.any && has_log)
		return resume(f, &w, broken, error);
	/* Rotation was cut off between the two renames: the log has its number already. */
	if (w.any && w.last.kind == ISC_CHAIN_ROTATE && aside == w.last.segment &&
			key_fits(f, &w)) {
		adopt(f, &w);
		return put_aside(f, f->segment, error) && begin_segment(f, FALSE, FALSE, error);
	}

	struct stat st = { 0 };
	if (w.any || w.size > (goffset)ISC_CHAIN_BLOCK_MAX ||
			(has_log && (fstat(f->log_fd, &st) != 0 || st.st_size != 0)))
		return begin_anew(f, broken, error);
	if (aside > 0)
		return resume_behind(f, aside, broken, error);
	return f->key.index == 0 ? begin_trail(f, FALSE, error) : begin_anew(f, broken, error);
}
