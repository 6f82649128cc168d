#include "forward/log-source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collector/service-log.h"

#define FLAGS (O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
#define ROOM (256u * 1024) /* bytes read at once; a line has 33 KiB at most */
#define STAMP 24u          /* "2026-01-02T03:04:05.678Z" */
#define LOOKS 3u           /* for a file that moves while it is looked for */
#define LOST "lines of this log were rotated away before they could be delivered"

struct IscLogSource {
	int dir_fd, fd; /* fd: the file of pos.segment; -1: not open */
	gchar *name;
	IscForwardPos pos;
	guint missed; /* looks in vain */
	gchar *room;
};

IscLogSource *isc_log_source_new(
		int dir_fd, const gchar *name, const IscForwardPos *pos, GError **error)
{
	int fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		isc_error_set_errno(error, errno, "folder of '%s'", name);
		return NULL;
	}
	IscLogSource *s = g_new0(IscLogSource, 1);
	s->dir_fd = fd;
	s->fd = -1;
	s->name = g_strdup(name);
	s->pos = pos ? *pos : (IscForwardPos){ .segment = 1 };
	s->room = g_malloc(ROOM);
	return s;
}

void isc_log_source_free(IscLogSource *s)
{
	if (!s)
		return;
	isc_clear_fd(&s->fd);
	isc_clear_fd(&s->dir_fd);
	g_free(s->name);
	g_free(s->room);
	g_free(s);
}

const IscForwardPos *isc_log_source_pos(const IscLogSource *s)
{
	return &s->pos;
}

void isc_log_source_seek(IscLogSource *s, const IscForwardPos *pos)
{
	if (pos->segment != s->pos.segment)
		isc_clear_fd(&s->fd);
	s->pos = *pos;
}

/* --- files --------------------------------------------------------------------------------- */

/* @n: 0: service.log, else service.log.N.  Returns: fd or -1 */
static int open_nth(const IscLogSource *s, guint n)
{
	g_autofree gchar *name = n ? g_strdup_printf("service.log.%u", n) : g_strdup("service.log");
	return openat(s->dir_fd, name, FLAGS);
}

static guint64 inode_of(int fd)
{
	struct stat st;
	return fd >= 0 && fstat(fd, &st) == 0 ? (guint64)st.st_ino : 0;
}

/* Which file it is, whatever its name; an inode alone is given to another one soon.  0: it has no
 * whole line yet. */
static guint32 id_of(int fd)
{
	gchar stamp[STAMP + 1] = "";
	if (fd < 0 || pread(fd, stamp, STAMP, 0) != STAMP)
		return 0;
	guint64 inode = inode_of(fd);
	return (guint32)(g_str_hash(stamp) ^ inode ^ inode >> 32) | 0x80000000u;
}

static void take_file(IscLogSource *s, int *fd, guint32 id)
{
	isc_clear_fd(&s->fd);
	s->fd = isc_steal_fd(fd);
	s->pos.segment = id;
	s->pos.block = 0;
	s->missed = 0;
}

/* The oldest that there is. */
static gboolean take_oldest(IscLogSource *s)
{
	for (guint n = ISC_SERVICE_LOG_FILES; n-- > 0;) {
		isc_autofd int fd = open_nth(s, n);
		guint32 id = id_of(fd);
		if (id == 0)
			continue;
		take_file(s, &fd, id);
		return TRUE;
	}
	return FALSE;
}

static gboolean is_start(const IscForwardPos *pos)
{
	return pos->segment == 1 && pos->block == 0 && pos->record == 0;
}

/* Where the file that we read is gone.  FALSE: it is looked for once more. */
static gboolean give_up(IscLogSource *s, IscTrailRecordFunc func, gpointer data)
{
	if (++s->missed < LOOKS || !take_oldest(s))
		return FALSE;
	s->pos.skipped++;
	const IscTrailRecord r = { .number = ++s->pos.record,
		.time = g_get_real_time(),
		.type = 1209,
		.flags = ISC_RECORD_DOCK,
		.line = LOST,
		.len = strlen(LOST) };
	func(&r, data);
	return TRUE;
}

/* The file of the position, after a start. */
static gboolean open_again(IscLogSource *s, IscTrailRecordFunc func, gpointer data)
{
	if (is_start(&s->pos))
		return take_oldest(s);
	for (guint n = 0; n < ISC_SERVICE_LOG_FILES; n++) {
		isc_autofd int fd = open_nth(s, n);
		if (id_of(fd) != s->pos.segment)
			continue;
		s->fd = isc_steal_fd(&fd);
		s->missed = 0;
		return TRUE;
	}
	return give_up(s, func, data);
}

/* Bytes of the file at hand that are there for good; *@is_last: it is the one that grows. */
static guint64 durable(const IscLogSource *s, gboolean *is_last)
{
	struct stat st;
	guint64 inode = 0, size = 0;
	isc_autofd int last = open_nth(s, 0);
	if (fstat(s->fd, &st) != 0)
		return 0;
	*is_last = last < 0 || inode_of(last) == (guint64)st.st_ino;
	if (!*is_last)
		return (guint64)st.st_size;
	if (!isc_service_log_reach(s->dir_fd, &inode, &size) || inode != (guint64)st.st_ino)
		return 0;
	return MIN(size, (guint64)st.st_size);
}

/* The one that follows the file at hand, which is read to its end. */
static gboolean take_next(IscLogSource *s, IscTrailRecordFunc func, gpointer data)
{
	for (guint n = 1; n < ISC_SERVICE_LOG_FILES; n++) {
		isc_autofd int fd = open_nth(s, n);
		if (fd < 0 || inode_of(fd) != inode_of(s->fd))
			continue;
		isc_autofd int next = open_nth(s, n - 1);
		guint32 id = id_of(next);
		/* Moved on meanwhile, or nothing is in it yet. */
		if (id == 0 || inode_of(next) == inode_of(s->fd))
			return FALSE;
		take_file(s, &next, id);
		return TRUE;
	}
	return give_up(s, func, data);
}

/* --- lines --------------------------------------------------------------------------------- */

static gboolean starts(const gchar *text, gsize len, const gchar *word)
{
	return len >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

/* "2026-01-02T03:04:05.678Z stdout TEXT" */
static void hand_out(IscLogSource *s, const gchar *line, gsize len, IscTrailRecordFunc func,
		gpointer data)
{
	static const struct {
		const gchar *word;
		guint16 type, flags;
	} streams[] = { { " stdout ", 1, 0 }, { " stderr ", 2, 0 }, { " ? ", 0, 0 },
		{ " dock ", 1209, ISC_RECORD_DOCK } };
	gchar stamp[STAMP + 1] = "";
	IscTrailRecord r = { .number = ++s->pos.record, .line = line, .len = len };
	memcpy(stamp, line, MIN(len, STAMP));
	g_autoptr(GDateTime) when = g_date_time_new_from_iso8601(stamp, NULL);
	r.time = when ? g_date_time_to_unix(when) * G_USEC_PER_SEC +
						 g_date_time_get_microsecond(when)
		      : g_get_real_time();
	for (gsize i = 0; when && i < G_N_ELEMENTS(streams); i++) {
		if (!starts(line + STAMP, len - STAMP, streams[i].word))
			continue;
		gsize skip = STAMP + strlen(streams[i].word);
		r.type = streams[i].type;
		r.flags = streams[i].flags;
		r.line = line + skip;
		r.len = len - skip;
		break;
	}
	func(&r, data);
}

/* Whole lines of [pos.block, @end).  FALSE: there is none */
static gboolean read_lines(IscLogSource *s, guint64 end, IscTrailRecordFunc func, gpointer data)
{
	gsize want = s->pos.block < end ? (gsize)MIN(end - s->pos.block, ROOM) : 0, at = 0;
	gssize n = want > 0 ? pread(s->fd, s->room, want, (off_t)s->pos.block) : 0;
	while (n > 0 && at < (gsize)n) {
		const gchar *line = s->room + at, *nl = memchr(line, '\n', (gsize)n - at);
		/* What fills all the room without an end is no line of the collector's. */
		if (!nl && (at > 0 || n < (gssize)ROOM))
			break;
		gsize len = nl ? (gsize)(nl - line) : (gsize)n;
		hand_out(s, line, len, func, data);
		at += len + (nl ? 1 : 0);
	}
	s->pos.block += at;
	return at > 0;
}

gboolean isc_log_source_next(IscLogSource *s, IscTrailRecordFunc func, gpointer data)
{
	gboolean is_last = TRUE;
	if (s->fd < 0 && !open_again(s, func, data))
		return FALSE;
	guint64 end = durable(s, &is_last);
	if (read_lines(s, end, func, data))
		return TRUE;
	return !is_last && take_next(s, func, data) &&
	       read_lines(s, durable(s, &is_last), func, data);
}
