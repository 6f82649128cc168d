#pragma once
#include <sys/stat.h>

#include "engine/qcow2.h"
#include "engine/volume.h"

/* What the files of volumes share. */

/* Copies @len bytes from @from at @from_offset to @to at @to_offset. */
gboolean isc_volume_copy_bytes(
		int from, off_t from_offset, int to, off_t to_offset, gsize len, GError **error);

/* Reads where the LUKS region of @fd is, and that it is as our volumes have it. */
gboolean isc_volume_find_region(int fd, IscQcow2 *info, GError **error);

/* ISC_ERROR_INVALID unless @key is 64 lower-case hex digits. */
gboolean isc_volume_check_key(const gchar *key, GError **error);

/* Opens a volume that may belong to a node's uid.  The dock may chown, but not ignore permissions,
 * so where it is not let in it takes the file first; the O_PATH descriptor makes sure that all
 * steps mean the same file.
 * @was: (out): owner before; @taken: (out): whether it changed
 * Returns: fd, or -1 with errno set */
int isc_volume_open_taken(const gchar *path, int flags, struct stat *was, gboolean *taken);

/* All that the tables of the volume name is there.  What is cut off within its last cluster does
 * not show.  Errors: ISC_ERROR_INVALID. */
gboolean isc_volume_check_whole(const gchar *path, const gchar *key, GError **error);

/* Runs qemu-img with @key to be read from /proc/self/fd/3.  @argv: NULL at its end; holds no
 * secret. Errors: ISC_ERROR_HOST with what it said. */
gboolean isc_volume_run_qemu_img(const gchar *key, const gchar *const *argv, GError **error);
