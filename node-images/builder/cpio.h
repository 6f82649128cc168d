#pragma once
#include <glib.h>
#include <sys/types.h>

/* Archives in "newc" format, as the kernel unpacks them (Documentation/driver-api/early-userspace/
 * buffer-format.rst).  Owner root:root, fixed date, numbered in the order they are added: equal
 * contents give equal bytes. */

typedef struct IscCpio IscCpio;

/* @mtime: of every entry, seconds since the epoch, 0..2^32-1 */
IscCpio *isc_cpio_new(guint32 mtime);

/* @path: relative, no leading slash; parents must have been added before. */
void isc_cpio_add_dir(IscCpio *cpio, const gchar *path, mode_t mode);
void isc_cpio_add_file(
		IscCpio *cpio, const gchar *path, mode_t mode, const void *bytes, guint32 len);
void isc_cpio_add_char_device(
		IscCpio *cpio, const gchar *path, mode_t mode, guint major, guint minor);

/* Adds the trailer.  Returns: (transfer full): the archive, padded to 512 bytes; @cpio is freed. */
GByteArray *isc_cpio_end(IscCpio *cpio);
