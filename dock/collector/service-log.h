#pragma once
#include <glib.h>

/*
 * What a service wrote to stdout and stderr: service.log, lines "2026-01-02T03:04:05.678Z stdout
 * TEXT", control characters and whatever is no UTF-8 as \xNN.  Bounded: service.log, service.log.1,
 * .2 and .3 of 4 MiB each, the oldest goes.  Not sealed: it is the service's own word.
 *
 * service.pos holds how much of service.log is acknowledged; open() cuts off what is behind it, so
 * that after a crash nothing is there twice.  Commits work as those of a trail (trail-writer.h):
 * begin(), work() in any thread, end().
 */

#define ISC_SERVICE_LOG_BYTES (4u << 20)
#define ISC_SERVICE_LOG_FILES 4

typedef struct IscServiceLog IscServiceLog;

/* @max_bytes: of one file; 0: ISC_SERVICE_LOG_BYTES.  Errors: ISC_ERROR_HOST (no space),
 * ISC_ERROR_FAILED. */
IscServiceLog *isc_service_log_open(int dir_fd, goffset max_bytes, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_service_log_free(IscServiceLog *log);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscServiceLog, isc_service_log_free)

/* @stream: 1 stdout, 2 stderr; anything else is shown as "?".  @time: µs since 1970. */
void isc_service_log_add(
		IscServiceLog *log, gint64 time, guint16 stream, const gchar *text, gsize len);
void isc_service_log_add_lost(IscServiceLog *log, gint64 time, guint64 n);

/* What the next commit makes durable. */
void isc_service_log_mark(IscServiceLog *log, guint64 session, guint64 seq);
void isc_service_log_durable(const IscServiceLog *log, guint64 *session, guint64 *seq);

/* For who reads the files beside the collector: bytes of service.log that stay whatever happens,
 * and the inode of that file, which is not service.log while that is being rotated.  FALSE: nothing
 * yet */
gboolean isc_service_log_reach(int dir_fd, guint64 *inode, guint64 *size);

gsize isc_service_log_pending(const IscServiceLog *log);
gboolean isc_service_log_begin(IscServiceLog *log);
void isc_service_log_work(IscServiceLog *log);
gboolean isc_service_log_end(IscServiceLog *log, GError **error) G_GNUC_WARN_UNUSED_RESULT;
