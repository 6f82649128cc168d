#pragma once
#include "forward/source.h"

/* How far each source was delivered: a text file, a line each: KEY SEGMENT BLOCK RECORD SKIPPED.
 * Replaced as one act. */

#define ISC_POSITIONS_FILE "positions"

/* key (owned) → IscForwardPos (owned).  Pure.  Errors: ISC_ERROR_INVALID naming the line. */
GHashTable *isc_positions_parse(const gchar *text, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
gchar *isc_positions_print(GHashTable *positions);

/* A file that is not there is empty.  Errors: as isc_positions_parse(), isc_file_read(). */
GHashTable *isc_positions_load(int dir_fd, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gboolean isc_positions_save(int dir_fd, GHashTable *positions, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

void isc_positions_set(GHashTable *positions, const gchar *key, const IscForwardPos *pos);
