#pragma once
#include <glib.h>

/* What the dock wants to know of a qcow2 file (qemu docs/interop/qcow2.txt), read without QEMU. */
typedef struct {
	guint64 size;        /* virtual, bytes */
	guint64 luks_offset; /* of the LUKS header within the file, bytes, a multiple of the cluster
				size */
	guint64 luks_length; /* bytes */
	guint64 length;      /* what isc_qcow2_note_length() noted, or 0 */
} IscQcow2;

/**
 * isc_qcow2_parse:
 * @bytes: the start of the file; @len: how much of it, at least 512 and best 4096
 *
 * Pure.  Takes version 3 with LUKS, and refuses what reaches out of the file: backing and data
 * files. Errors: ISC_ERROR_INVALID.
 */
gboolean isc_qcow2_parse(const guint8 *bytes, gsize len, IscQcow2 *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_qcow2_note_length:
 * @bytes: the start of a file that isc_qcow2_parse() takes, changed in place
 * @length: of the whole file, bytes
 *
 * Pure.  Adds it as a header extension of ours, which QEMU carries along, or changes the one that
 * is there: qcow2 itself does not say where its file ends.
 * Errors: ISC_ERROR_FAILED: there is no room for it.
 */
gboolean isc_qcow2_note_length(guint8 *bytes, gsize len, guint64 length, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
