#pragma once
#include <glib.h>

/* A stream of bytes sealed with libsodium's secretstream (XChaCha20-Poly1305): for what is too
 * large for memory and must not be on a disk in the clear.
 *
 * Format: "ISCSEAL1", the stream's header (24 bytes), then blocks of 64 KiB of plaintext, each 17
 * bytes longer; the last one, which may be shorter or empty, carries the tag FINAL.  What is cut
 * off, changed, moved or doubled does not open. */

#define ISC_SEAL_MAGIC "ISCSEAL1"

/**
 * isc_seal:
 * @from: read to its end
 * @key: 64 hex digits; not kept
 *
 * What passes through is in locked memory only, and zeroed.
 */
gboolean isc_seal(int from, int to, const gchar *key, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The opposite.  Errors: ISC_ERROR_VERIFY: none such, another key, or not whole; what was written
 * by then is worth nothing. */
gboolean isc_unseal(int from, int to, const gchar *key, GError **error) G_GNUC_WARN_UNUSED_RESULT;
