#pragma once
#include <glib.h>

/* LUKS1 headers in memory: aes-xts-plain64 with 512-bit keys, sha256; key slot 0 used.  Keys of
 * users are 64 hex characters, which the caller has checked.  May be called from several threads.
 */

#define ISC_LUKS_AREA 2068480 /* bytes of header and eight key slots: where payload may begin */
#define ISC_LUKS_USED                                                                              \
	262144 /* bytes at its start that header and slot 0 take; the rest is never read */

/**
 * isc_luks_new:
 * A header with a fresh random volume key, sealed with @key; neither is in it in clear.
 *
 * Errors: ISC_ERROR_HOST (no memory), ISC_ERROR_FAILED (libcryptsetup says no).
 * Returns: fd of a memory file that begins with the header, to be closed by the caller; or -1
 */
int isc_luks_new(const gchar *key, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_luks_add:
 * @fd: memory file that begins with a header; changed
 * @key: one that opens it; @more: one that shall open it as well; text of any length
 * @iterations: of PBKDF2 for @more: ISC_LUKS_ITERATIONS_KEY for a random key, …_TEXT for what
 * people make up
 *
 * Errors: ISC_ERROR_VERIFY: @key does not open it; ISC_ERROR_FAILED: no slot is free, …
 */
gboolean isc_luks_add(int fd, const gchar *key, const gchar *more, guint iterations, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
#define ISC_LUKS_ITERATIONS_KEY 1000
#define ISC_LUKS_ITERATIONS_TEXT 1000000

/* Erases all slots but the one that @key opens.  Errors: as above. */
gboolean isc_luks_keep_only(int fd, const gchar *key, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Does @key open the header that the memory file @fd begins with?  Errors: ISC_ERROR_VERIFY: it
 * does not, or there is no such header. */
gboolean isc_luks_check(int fd, const gchar *key, GError **error) G_GNUC_WARN_UNUSED_RESULT;
