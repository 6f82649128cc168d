#pragma once
#include <glib.h>

#include "model/image.h"

/* One file of an image, read from a folder that may be hostile. */

/* Where the files of an image are taken from. */
typedef struct {
	/* A new fd at the start of @file, to be closed by the caller; or -1 with @error naming the
	 * file. */
	int (*open)(gpointer data, const gchar *file, GError **error);
	gpointer data;
} IscImageSource;

/* A folder: data is GINT_TO_POINTER(its fd).  Follows no link.  Errors: ISC_ERROR_NOT_FOUND,
 * ISC_ERROR_INVALID (a link). */
int isc_part_open_at(gpointer dir_fd, const gchar *file, GError **error);

/* A regular file of the manifest's size?  Errors: ISC_ERROR_INVALID (folder, device);
 * ISC_ERROR_VERIFY (size). */
gboolean isc_part_check(int fd, const IscImagePart *part, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_part_open:
 * Opens @part in @dir_fd, following no link, and checks that it is a regular file of the manifest's
 * size.
 *
 * Errors, naming the file: ISC_ERROR_NOT_FOUND; ISC_ERROR_INVALID (link, folder, device);
 * ISC_ERROR_VERIFY (size). Returns: fd, to be closed by the caller; or -1
 */
int isc_part_open(int dir_fd, const IscImagePart *part, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_part_stream:
 * @from: from isc_part_open(), at its start
 * @to: gets the same bytes; -1: only check
 *
 * Reads to the end while hashing.  What is hashed is the buffer that is written, so somebody who
 * changes the source meanwhile changes both or neither. Errors: ISC_ERROR_VERIFY naming the file:
 * another size or SHA-256 than the manifest's; as isc_file_write_all().
 */
gboolean isc_part_stream(int from, int to, const IscImagePart *part, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
