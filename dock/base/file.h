#pragma once
#include <glib.h>
#include <sys/types.h>

/* Files, fd first.  Every path given here is ours (state, configuration); names that came from
 * outside have passed base/name.h before they became part of one. */

/**
 * isc_file_read:
 * @dir_fd: directory @path is relative to, or AT_FDCWD
 * @max: bytes; a longer file is refused, not cut
 *
 * Opens with O_NOFOLLOW|O_CLOEXEC and takes regular files only.
 * Errors: ISC_ERROR_NOT_FOUND (no such file), ISC_ERROR_INVALID (too long, no regular file),
 * ISC_ERROR_FAILED. Returns: (transfer full): the bytes, with a NUL behind the last one; @len may
 * be NULL
 */
gchar *isc_file_read(int dir_fd, const gchar *path, gsize max, gsize *len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* As isc_file_read() from an open fd's current position; @what names it in errors. */
gchar *isc_file_read_fd(int fd, const gchar *what, gsize max, gsize *len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_file_write:
 * Replaces @path by @bytes as one act: temporary file beside it, fsync, rename, fsync of the
 * folder. After a crash there is the old content or the new, never a mixture.
 * @mode: of the new file, e.g. 0600, whatever the umask
 */
gboolean isc_file_write(int dir_fd, const gchar *path, const void *bytes, gsize len, mode_t mode,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* write(2) until all of it is written; retries EINTR.  Errors: as isc_error_set_errno(). */
gboolean isc_file_write_all(int fd, const void *bytes, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Copies @from (from its start, @size bytes) to @to, holes kept (SEEK_DATA); reflinks where the
 * file system can. */
gboolean isc_file_copy_sparse(int from, int to, goffset size, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* mkdir -p for one level: makes @path with exactly @mode, or takes the folder that stands there and
 * sets @mode. */
gboolean isc_file_mkdir(const gchar *path, mode_t mode, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes a tree below @path, and @path; never follows a link.  A missing one is no error. */
gboolean isc_file_remove_tree(const gchar *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sets or clears `chattr +i`.  A file system that has no such flag is no error: *@done tells (may
 * be NULL). */
gboolean isc_file_set_immutable(int fd, gboolean on, gboolean *done, GError **error);

/* Lower-case SHA-256 of the whole file behind @fd (read from offset 0; the position does not
 * matter).
 * @out: 65 bytes.  Errors: ISC_ERROR_FAILED on read errors. */
gboolean isc_file_sha256(int fd, gchar out[65], GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* An empty file in memory only (memfd, close-on-exec) for bytes that must not touch a disk.  @name:
 * for /proc. Returns: fd, or -1 with error set */
int isc_file_new_memory(const gchar *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;
