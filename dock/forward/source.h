#pragma once
#include <glib.h>

#include "collector/trail-verify.h"

/* One audit trail as the forwarder reads it: block after block of the chain, so that only what is
 * sealed goes out, each record with its number and the dock's own time.  The trail's files are the
 * spool: nothing is copied. */

typedef struct {
	guint32 segment; /* number of the file, from 1 */
	guint64 block;   /* bytes of its audit.chain that are done with */
	guint64 record;  /* number of the last record that was delivered, or skipped; 0: none */
	guint64 skipped; /* records that were never delivered, because too many waited */
} IscForwardPos;

typedef struct IscForwardSource IscForwardSource;

/**
 * isc_forward_source_new:
 * @dir_fd: the trail's folder; not kept
 * @pos: NULL: from the start
 *
 * Returns: (transfer full), NULL with ISC_ERROR_FAILED
 */
IscForwardSource *isc_forward_source_new(int dir_fd, const gchar *name, const IscForwardPos *pos,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_forward_source_free(IscForwardSource *source);

const gchar *isc_forward_source_name(const IscForwardSource *source);

/* Where the next block is read. */
const IscForwardPos *isc_forward_source_pos(const IscForwardSource *source);

/* Back (or on) to @pos. */
void isc_forward_source_seek(IscForwardSource *source, const IscForwardPos *pos);

/* Hands out the records of the next block.
 * Returns: FALSE where there is no further one (yet), or with @error set: ISC_ERROR_FAILED, the
 * chain cannot be read, which is tried again later */
gboolean isc_forward_source_next(
		IscForwardSource *source, IscTrailRecordFunc func, gpointer data, GError **error);

/* Passes over blocks, oldest first, until at most @max bytes of log wait; counts their records.
 * Returns: how many were passed over now */
guint64 isc_forward_source_bound(IscForwardSource *source, guint64 max);
