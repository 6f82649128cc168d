#pragma once
#include "base/minisign.h"
#include "model/image.h"

/* A finished image folder: reading, signing and verifying it. */

/* Reads and parses DIR/manifest.json.  @bytes: (out) (optional) (transfer full), @len: (out)
 * (optional). Errors: ISC_ERROR_NOT_FOUND, ISC_ERROR_INVALID.  Returns: (transfer full) */
IscImage *isc_imagedir_load(const gchar *dir, gchar **bytes, gsize *len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Fills size and digest of @part from DIR/part.file. */
gboolean isc_imagedir_measure(const gchar *dir, IscImagePart *part, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Signs DIR/manifest.json with the key in @secret_path; replaces a signature. */
gboolean isc_imagedir_sign(const gchar *dir, const gchar *secret_path, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_imagedir_verify:
 * @keys: trusted
 * @signer: (out) (transfer full): id of the key that signed
 *
 * Signature, then size and digest of every part, then that nothing else lies in the folder.
 * Errors: ISC_ERROR_VERIFY, naming the file; ISC_ERROR_NOT_FOUND: no manifest.
 * Returns: (transfer full): the manifest
 */
IscImage *isc_imagedir_verify(const gchar *dir, const IscPublicKey *keys, gsize n_keys,
		gchar **signer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* ${XDG_CONFIG_HOME:-$HOME/.config}/isc-dock/publisher.key.  Returns: (transfer full) */
gchar *isc_publisher_key(void);

/* The public key beside a secret one: "x.key" → "x.pub", else "x" → "x.pub".  Returns: (transfer
 * full) */
gchar *isc_publisher_public(const gchar *secret_path);

/* Makes the pair unless @secret_path is there; *@made tells.  Errors: ISC_ERROR_FAILED. */
gboolean isc_publisher_ensure(const gchar *secret_path, gboolean *made, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
