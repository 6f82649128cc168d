#pragma once
#include <glib.h>

/* Reads one path of the file system on a disk, in the appliance of libguestfs: the host's kernel
 * never sees it.
 *
 * What goes to the output: for a folder 'd' and a JSON list, one object an entry: name, type
 * ("file", "folder", "link", "other"), mode ("0644"), uid, gid, size, modified, and of a link
 * target; names are escaped (isc_text_escape).  For a file 'f' and its bytes. */

#define ISC_LOOK_ENTRIES_MAX 10000
#define ISC_LOOK_LIST_MAX (16 * 1024 * 1024)

/**
 * isc_look:
 * @socket: NBD, see reader/disk.h
 * @path: absolute, within that file system
 * @out: fd
 *
 * Errors: ISC_ERROR_HOST: libguestfs does not start; ISC_ERROR_VERIFY: no ext4 file system;
 * ISC_ERROR_NOT_FOUND; ISC_ERROR_INVALID: neither folder nor file; ISC_ERROR_FAILED.
 */
gboolean isc_look(const gchar *socket, const gchar *path, int out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
