#pragma once
#include <glib.h>

/* Lines of a file that grows: its end, and what is added.  The bytes come from guests: nothing here
 * looks into them. */

#define ISC_TRAIL_LINE_MAX (64 * 1024) /* bytes; a longer line comes in pieces */

typedef struct IscTrail IscTrail;

/* @line: without its newline, not NUL-terminated.  Returns: FALSE to stop */
typedef gboolean (*IscLineFunc)(const gchar *line, gsize len, gpointer data);

/**
 * isc_trail_new:
 * @fd: a regular file; taken over, closed by isc_trail_free()
 * @lines: begin with the last so many lines; 0: at the start
 *
 * Errors: ISC_ERROR_FAILED.
 * Returns: (transfer full)
 */
IscTrail *isc_trail_new(int fd, guint lines, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* How many lines there are from where it began to where the file ended then; 0 where @lines was 0.
 */
guint isc_trail_found(const IscTrail *trail);

/* Hands out the whole lines that are there and not handed out yet.  A file that became shorter is
 * read from its start: it was cut and begun anew.  *@any (may be NULL): whether there was one.
 * Errors: ISC_ERROR_FAILED; not where @func stopped it. */
gboolean isc_trail_read(IscTrail *trail, IscLineFunc func, gpointer data, gboolean *any,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Hands out a last line that has no newline; at the end of a file that will not grow. */
void isc_trail_finish(IscTrail *trail, IscLineFunc func, gpointer data);

/* The file behind @trail was renamed or removed since it was opened: it may no longer be the one
 * that is written to.  Then ask for it again. */
gboolean isc_trail_looks_replaced(const IscTrail *trail);

/* Whether @fd (borrowed) is of the file that @trail reads. */
gboolean isc_trail_is_of(const IscTrail *trail, int fd);

/* Goes on with @fd (taken over) from its start, unless it is the file that @trail has already: then
 * only closes it. Returns: TRUE where it is another file */
gboolean isc_trail_replace(IscTrail *trail, int fd);

/* Borrowed. */
int isc_trail_fd(const IscTrail *trail);

void isc_trail_free(IscTrail *trail);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscTrail, isc_trail_free)
