#include "collector/service-log.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"

#define LOG "service.log"
#define POS "service.pos"
#define POS_MAGIC 0x31534f5043534931ull

/* Two of them, written in turn: one is whole whenever the power fails. */
typedef struct __attribute__((packed)) {
	guint64 magic;
	guint64 turn;
	guint64 session;
	guint64 seq;
	guint64 size;  /* of service.log */
	guint64 inode; /* … which file that was */
	guint8 check[16];
} Pos;
G_STATIC_ASSERT(sizeof(Pos) == 64);

struct IscServiceLog {
	int dir_fd, fd, pos_fd;
	goffset max_bytes;
	Pos pos; /* on disk; between begin() and end() of the thread that runs work() */
	GString *pending, *flight;
	guint64 session, seq;               /* marked */
	guint64 flight_session, flight_seq; /* … for the commit under way */
	guint64 durable_session, durable_seq;
	gboolean changed, in_flight;
	GError *failed;
};

static void check_of(const Pos *pos, guint8 out[16])
{
	crypto_generichash(out, 16, (const guint8 *)pos, G_STRUCT_OFFSET(Pos, check), NULL, 0);
}

static gboolean store_pos(IscServiceLog *l, Pos *pos, GError **error)
{
	pos->magic = POS_MAGIC;
	pos->turn++;
	check_of(pos, pos->check);
	ssize_t n = pwrite(l->pos_fd, pos, sizeof *pos, pos->turn % 2 ? sizeof *pos : 0);
	if (n != sizeof *pos || fdatasync(l->pos_fd) != 0)
		return isc_error_set_errno(error, n < 0 || n == sizeof *pos ? errno : EIO, POS);
	l->pos = *pos;
	return TRUE;
}

static void load_pos(int pos_fd, Pos *out)
{
	Pos both[2];
	guint8 check[16];
	memset(&both, 0, sizeof both);
	if (pread(pos_fd, both, sizeof both, 0) < 0)
		return;
	for (gsize i = 0; i < 2; i++) {
		check_of(&both[i], check);
		if (both[i].magic == POS_MAGIC && memcmp(check, both[i].check, sizeof check) == 0 &&
				both[i].turn > out->turn)
			*out = both[i];
	}
}

gboolean isc_service_log_reach(int dir_fd, guint64 *inode, guint64 *size)
{
	Pos pos = { 0 };
	isc_autofd int fd = openat(dir_fd, POS, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0)
		load_pos(fd, &pos);
	*inode = pos.inode;
	*size = pos.size;
	return pos.turn > 0;
}

static int open_file(const IscServiceLog *l, const gchar *name, int flags, GError **error)
{
	int fd = openat(l->dir_fd, name, flags | O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		isc_error_set_errno(error, errno, "cannot open '%s'", name);
	return fd;
}

/* Cuts off what was not acknowledged; the guest sends it again. */
static gboolean cut(IscServiceLog *l, GError **error)
{
	struct stat st;
	if (fstat(l->fd, &st) != 0)
		return isc_error_set_errno(error, errno, LOG);
	/* Another file than the one of the mark: rotation began it, and nothing in it is
	 * acknowledged. */
	goffset keep = st.st_ino == l->pos.inode ? MIN((goffset)l->pos.size, st.st_size) : 0;
	if (l->pos.turn == 0)
		keep = 0;
	if (st.st_size > keep && ftruncate(l->fd, keep) != 0)
		return isc_error_set_errno(error, errno, "cannot cut '" LOG "'");
	Pos pos = l->pos;
	pos.size = (guint64)keep;
	pos.inode = st.st_ino;
	return store_pos(l, &pos, error);
}

IscServiceLog *isc_service_log_open(int dir_fd, goffset max_bytes, GError **error)
{
	g_autoptr(IscServiceLog) l = g_new0(IscServiceLog, 1);
	l->fd = l->pos_fd = -1;
	l->max_bytes = max_bytes ? max_bytes : ISC_SERVICE_LOG_BYTES;
	l->pending = g_string_new(NULL);
	l->flight = g_string_new(NULL);
	l->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (l->dir_fd < 0) {
		isc_error_set_errno(error, errno, "folder of the service log");
		return NULL;
	}
	l->pos_fd = open_file(l, POS, 0, error);
	if (l->pos_fd < 0)
		return NULL;
	l->fd = open_file(l, LOG, O_APPEND, error);
	if (l->fd < 0)
		return NULL;
	load_pos(l->pos_fd, &l->pos);
	if (!cut(l, error))
		return NULL;
	l->session = l->durable_session = l->pos.session;
	l->seq = l->durable_seq = l->pos.seq;
	return g_steal_pointer(&l);
}

void isc_service_log_free(IscServiceLog *l)
{
	if (!l)
		return;
	isc_clear_fd(&l->fd);
	isc_clear_fd(&l->pos_fd);
	isc_clear_fd(&l->dir_fd);
	g_string_free(l->pending, TRUE);
	g_string_free(l->flight, TRUE);
	g_clear_error(&l->failed);
	g_free(l);
}

/* --- collecting
 * ----------------------------------------------------------------------------------- */

static void add_stamp(GString *out, gint64 time)
{
	time_t seconds = (time_t)(time / G_USEC_PER_SEC);
	struct tm tm;
	gmtime_r(&seconds, &tm);
	g_string_append_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ ", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			(int)(time % G_USEC_PER_SEC / 1000));
}

static gboolean is_plain(const gchar *text, gsize len)
{
	for (gsize i = 0; i < len; i++)
		if ((guchar)text[i] < 0x20 || (guchar)text[i] >= 0x7f || text[i] == '\\')
			return FALSE;
	return TRUE;
}

void isc_service_log_add(
		IscServiceLog *l, gint64 time, guint16 stream, const gchar *text, gsize len)
{
	add_stamp(l->pending, time);
	g_string_append(l->pending, stream == 1 ? "stdout " : stream == 2 ? "stderr " : "? ");
	if (is_plain(text, len))
		g_string_append_len(l->pending, text, (gssize)len);
	else {
		g_autofree gchar *shown = isc_text_escape(text, (gssize)len, len);
		g_string_append(l->pending, shown);
	}
	g_string_append_c(l->pending, '\n');
}

void isc_service_log_add_lost(IscServiceLog *l, gint64 time, guint64 n)
{
	add_stamp(l->pending, time);
	g_string_append_printf(l->pending, "dock %" G_GUINT64_FORMAT " lines lost here\n", n);
}

void isc_service_log_mark(IscServiceLog *l, guint64 session, guint64 seq)
{
	l->session = session;
	l->seq = seq;
	l->changed = TRUE;
}

void isc_service_log_durable(const IscServiceLog *l, guint64 *session, guint64 *seq)
{
	*session = l->durable_session;
	*seq = l->durable_seq;
}

gsize isc_service_log_pending(const IscServiceLog *l)
{
	return l->pending->len;
}

/* --- commit
 * --------------------------------------------------------------------------------------- */

gboolean isc_service_log_begin(IscServiceLog *l)
{
	if (l->in_flight || (!l->changed && l->pending->len == 0))
		return FALSE;
	GString *empty = l->flight;
	l->flight = l->pending;
	l->pending = empty;
	g_string_truncate(l->pending, 0);
	l->flight_session = l->session;
	l->flight_seq = l->seq;
	l->changed = FALSE;
	l->in_flight = TRUE;
	return TRUE;
}

static gboolean rotate(IscServiceLog *l, GError **error)
{
	for (gint n = ISC_SERVICE_LOG_FILES - 1; n >= 1; n--) {
		g_autofree gchar *to = g_strdup_printf(LOG ".%d", n);
		g_autofree gchar *from = n > 1 ? g_strdup_printf(LOG ".%d", n - 1) : g_strdup(LOG);
		if (renameat(l->dir_fd, from, l->dir_fd, to) != 0 && errno != ENOENT)
			return isc_error_set_errno(error, errno, "cannot rename '%s'", from);
	}
	isc_clear_fd(&l->fd);
	l->fd = open_file(l, LOG, O_APPEND | O_TRUNC, error);
	struct stat st;
	if (l->fd < 0)
		return FALSE;
	if (fstat(l->fd, &st) != 0 || fsync(l->dir_fd) != 0)
		return isc_error_set_errno(error, errno, LOG);
	Pos pos = l->pos;
	pos.size = 0;
	pos.inode = st.st_ino;
	return store_pos(l, &pos, error);
}

void isc_service_log_work(IscServiceLog *l)
{
	if ((goffset)l->pos.size >= l->max_bytes && !rotate(l, &l->failed))
		return;
	if (l->flight->len > 0 &&
			!isc_file_write_all(l->fd, l->flight->str, l->flight->len, &l->failed))
		return;
	if (l->flight->len > 0 && fdatasync(l->fd) != 0) {
		isc_error_set_errno(&l->failed, errno, LOG);
		return;
	}
	Pos pos = l->pos;
	pos.session = l->flight_session;
	pos.seq = l->flight_seq;
	pos.size += l->flight->len;
	if (!store_pos(l, &pos, &l->failed))
		g_prefix_error(&l->failed, "service log: ");
}

gboolean isc_service_log_end(IscServiceLog *l, GError **error)
{
	l->in_flight = FALSE;
	if (!l->failed) {
		l->durable_session = l->flight_session;
		l->durable_seq = l->flight_seq;
		return TRUE;
	}
	g_propagate_error(error, g_steal_pointer(&l->failed));
	return FALSE;
}
