#pragma once
#include "forward/source.h"

/*
 * The log of one service as the forwarder reads it: service.log and those before it, up to what the
 * collector holds for durable (service.pos), so that nothing goes out that a restart of it would
 * write once more.  No seal, no numbers: a line's number is how many were handed out before it.
 *
 * In its IscForwardPos "segment" says which file (from its inode and its first line's time, as
 * names move on), "block" the byte in it, "record" the lines so far, "skipped" how often files were
 * rotated away before they were read: how many lines that were nobody knows.
 */
typedef struct IscLogSource IscLogSource;

/* @dir_fd: the node's folder; not kept.  Returns: (transfer full), NULL with ISC_ERROR_FAILED */
IscLogSource *isc_log_source_new(int dir_fd, const gchar *name, const IscForwardPos *pos,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_log_source_free(IscLogSource *source);

const IscForwardPos *isc_log_source_pos(const IscLogSource *source);
void isc_log_source_seek(IscLogSource *source, const IscForwardPos *pos);

/* Hands out the next lines: type 1 (stdout), 2 (stderr) or 0, text without time and stream; what
 * the dock adds has ISC_RECORD_DOCK.  Returns: FALSE where there are none (yet) */
gboolean isc_log_source_next(IscLogSource *source, IscTrailRecordFunc func, gpointer data);
