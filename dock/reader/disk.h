#pragma once
#include <glib.h>

/* An encrypted qcow2 file that is open, made readable as a plain disk for others in the same box: a
 * QEMU without a machine opens it by its descriptor, gets the key over its control socket, and
 * serves it, read-only, on a unix socket (NBD).  The key is in no argv and in no file. */

typedef struct IscDisk IscDisk;

/**
 * isc_disk_open:
 * @fd: the qcow2 file, open for reading; not kept
 * @key: 64 hex digits; not kept
 * @socket: path of the NBD socket to be made; the export is named ISC_DISK_EXPORT
 *
 * Errors: ISC_ERROR_HOST (no QEMU), ISC_ERROR_VERIFY (the key does not open it, or it is none).
 */
#define ISC_DISK_EXPORT "disk"
IscDisk *isc_disk_open(int fd, const gchar *key, const gchar *socket, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_disk_close(IscDisk *disk);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscDisk, isc_disk_close)
