#pragma once
#include <glib.h>

/* The folder an image is built into, as one act: all work is done in ".NAME.building" beside it,
 * which takes its place by one rename at the end.  An interrupted build leaves that folder, never a
 * half image; the next one clears it. */

typedef struct {
	gchar *target; /* owned; what the caller asked for */
	gchar *work;   /* owned; PARENT/.NAME.building */
	gchar *image;  /* owned; WORK/image: becomes @target */
	int lock;      /* fd of @work, locked */
} IscOutDir;

/**
 * isc_outdir_open:
 * Errors: ISC_ERROR_STATE: @target holds something that is no image, or another build is at it;
 * ISC_ERROR_FAILED. Returns: (transfer full)
 */
IscOutDir *isc_outdir_open(const gchar *target, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Syncs, and puts IMAGE in the place of the target. */
gboolean isc_outdir_commit(IscOutDir *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes all that is left of the work. */
void isc_outdir_free(IscOutDir *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscOutDir, isc_outdir_free)
