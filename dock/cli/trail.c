#include "cli/trail.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define CHUNK (64 * 1024)

struct IscTrail {
	int fd;
	goffset at;        /* of the next byte to read */
	GByteArray *begun; /* a line that has no newline yet */
	guint found;       /* lines from where it began, as asked for */
	gchar *name;       /* of the file when it was opened, as the kernel tells it */
};

/* pread(2): the offset of an fd that came over the bus may be shared with who sent it. */
static gssize read_at(int fd, gpointer bytes, gsize len, goffset at, GError **error)
{
	for (;;) {
		gssize n = pread(fd, bytes, len, at);
		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		isc_error_set_errno(error, errno, "cannot read the trail");
		return -1;
	}
}

/* The kernel follows a file's name through renames, and says "(deleted)" at the end; it asks for no
 * permission to the folder, which who reads the trail may not have.
 * Returns: (transfer full), NULL without /proc */
static gchar *current_name(int fd)
{
	g_autofree gchar *link = g_strdup_printf("/proc/self/fd/%d", fd);
	return g_file_read_link(link, NULL);
}

/* Where the last @lines lines start; a last one without a newline counts.  *@n_found:
 * how many those are */
static goffset find_start(int fd, goffset size, guint lines, guint *n_found, GError **error)
{
	g_autofree gchar *bytes = g_malloc(CHUNK);
	guint found = 0;
	for (goffset end = size; end > 0;) {
		goffset start = end > CHUNK ? end - CHUNK : 0;
		gssize n = read_at(fd, bytes, (gsize)(end - start), start, error);
		if (n < 0)
			return -1;
		for (gssize i = n - 1; i >= 0; i--)
			if (bytes[i] == '\n' && start + i != size - 1 && ++found == lines) {
				*n_found = found;
				return start + i + 1;
			}
		end = start;
	}
	*n_found = found + (size > 0); /* the first line has no newline before it */
	return 0;
}

IscTrail *isc_trail_new(int fd, guint lines, GError **error)
{
	g_autoptr(IscTrail) trail = g_new0(IscTrail, 1);
	trail->fd = fd;
	trail->begun = g_byte_array_new();
	struct stat st;
	if (fstat(fd, &st) < 0) {
		isc_error_set_errno(error, errno, "cannot stat the trail");
		return NULL;
	}
	trail->name = current_name(fd);
	if (lines > 0 && (trail->at = find_start(fd, st.st_size, lines, &trail->found, error)) < 0)
		return NULL;
	return g_steal_pointer(&trail);
}

void isc_trail_free(IscTrail *trail)
{
	if (!trail)
		return;
	isc_clear_fd(&trail->fd);
	g_byte_array_unref(trail->begun);
	g_free(trail->name);
	g_free(trail);
}

guint isc_trail_found(const IscTrail *trail)
{
	return trail->found;
}

int isc_trail_fd(const IscTrail *trail)
{
	return trail->fd;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Returns: FALSE where @func stopped it */
static gboolean hand_out(
		IscTrail *trail, const gchar *bytes, gsize len, IscLineFunc func, gpointer data)
{
	while (len > 0) {
		const gchar *newline = memchr(bytes, '\n', len);
		gsize piece = newline ? (gsize)(newline - bytes) : len;
		gsize room = ISC_TRAIL_LINE_MAX - trail->begun->len;
		gboolean is_whole = newline && piece <= room;

		g_byte_array_append(trail->begun, (const guint8 *)bytes, (guint)MIN(piece, room));
		if (is_whole || piece >= room) {
			const gchar *line =
					trail->begun->data ? (const gchar *)trail->begun->data : "";
			gboolean go_on = func(line, trail->begun->len, data);
			g_byte_array_set_size(trail->begun, 0);
			if (!go_on)
				return FALSE;
		}
		gsize used = is_whole ? piece + 1 : MIN(piece, room);
		bytes += used;
		len -= used;
	}
	return TRUE;
}

gboolean isc_trail_read(
		IscTrail *trail, IscLineFunc func, gpointer data, gboolean *any, GError **error)
{
	struct stat st;
	if (fstat(trail->fd, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot stat the trail");
	if (st.st_size < trail->at) {
		trail->at = 0;
		g_byte_array_set_size(trail->begun, 0);
	}

	g_autofree gchar *bytes = g_malloc(CHUNK);
	gboolean is_any = FALSE;
	for (;;) {
		gssize n = read_at(trail->fd, bytes, CHUNK, trail->at, error);
		if (n < 0)
			return FALSE;
		if (n == 0)
			break;
		is_any = TRUE;
		trail->at += n;
		if (!hand_out(trail, bytes, (gsize)n, func, data))
			break;
	}
	if (any)
		*any = is_any;
	return TRUE;
}

void isc_trail_finish(IscTrail *trail, IscLineFunc func, gpointer data)
{
	if (trail->begun->len > 0)
		func((const gchar *)trail->begun->data, trail->begun->len, data);
	g_byte_array_set_size(trail->begun, 0);
}

/* --- rotation --------------------------------------------------------------------------------- */

gboolean isc_trail_looks_replaced(const IscTrail *trail)
{
	g_autofree gchar *name = current_name(trail->fd);
	return g_strcmp0(name, trail->name) != 0;
}

gboolean isc_trail_is_of(const IscTrail *trail, int fd)
{
	struct stat old, new;
	return fstat(trail->fd, &old) == 0 && fstat(fd, &new) == 0 &&
	       old.st_dev == new.st_dev &&old.st_ino == new.st_ino;
}

gboolean isc_trail_replace(IscTrail *trail, int fd)
{
	isc_autofd int next = fd;
	g_free(trail->name);
	trail->name = current_name(next);
	if (isc_trail_is_of(trail, next))
		return FALSE;
	isc_clear_fd(&trail->fd);
	trail->fd = isc_steal_fd(&next);
	trail->at = 0;
	g_byte_array_set_size(trail->begun, 0);
	return TRUE;
}
