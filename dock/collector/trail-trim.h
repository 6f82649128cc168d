#pragma once
#include "collector/trail-files.h"
#include "collector/trail-writer.h"

/*
 * Retention: the oldest closed files of a trail go, so that a trail that nobody looks at fills no
 * disk.  For trail-writer.c alone.
 *
 * First a block that says so is on disk, with the dock's own signature under the first block of
 * what is kept; then files go, oldest first, of each the chain before the log.  A crash on the way
 * leaves more files than the record says, never less; the next time they go.  Files of an earlier
 * trail that was found broken are evidence: while there is one nothing goes.
 */

/**
 * isc_trail_trim:
 * @keep: bytes of closed files, log and chain together, that may stay
 * @out: what went, if anything
 *
 * Errors: ISC_ERROR_HOST, ISC_ERROR_FAILED: the record of it could not be written.  A file that
 * cannot be removed is no error.
 */
gboolean isc_trail_trim(IscTrailFiles *f, guint64 keep, IscTrailTrimmed *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
