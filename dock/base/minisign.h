#pragma once
#include <glib.h>

/* Signatures that `minisign -V` and `minisign -S` understand (format:
 * https://jedisct1.github.io/minisign/, "Signature format"): Ed25519 over the BLAKE2b-512 of the
 * file ("ED"), and the global signature over signature and trusted comment. Secret keys are kept in
 * minisign's own unencrypted form (KDF "\0\0"), mode 0600. */

#define ISC_MINISIGN_SIG_MAX 4096 /* bytes of a .minisig file */

typedef struct {
	guint8 id[8];   /* key id */
	guint8 key[32]; /* Ed25519 public key */
} IscPublicKey;

/* Parses a .pub file (comment line, base64 line) or the bare base64 line.  Errors:
 * ISC_ERROR_INVALID. */
gboolean isc_public_key_parse(const gchar *text, gsize len, IscPublicKey *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The id as minisign prints it: 16 upper-case hex digits.  Returns: (transfer full) */
gchar *isc_public_key_id(const IscPublicKey *key);

/**
 * isc_minisign_verify:
 * @keys: those that are trusted; @n_keys may be 0: then nothing verifies
 * @message: what was signed
 * @sig: the text of the .minisig file
 * @trusted_comment: (out) (optional) (transfer full): the signed comment
 * @signer: (out) (optional): which of @keys signed
 *
 * Errors: ISC_ERROR_VERIFY: malformed, unknown key (named), wrong signature.
 */
gboolean isc_minisign_verify(const IscPublicKey *keys, gsize n_keys, const gchar *message,
		gsize message_len, const gchar *sig, gsize sig_len, gchar **trusted_comment,
		gsize *signer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes a key pair: @secret_path (0600, must not exist: ISC_ERROR_STATE) and @public_path (0644).
 */
gboolean isc_minisign_keygen(const gchar *secret_path, const gchar *public_path, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Signs @message with the key in @secret_path.  Returns: (transfer full) the text of the .minisig
 * file. Errors: ISC_ERROR_INVALID (no usable key file; one that is group- or world-readable is
 * refused). */
gchar *isc_minisign_sign(const gchar *secret_path, const gchar *message, gsize message_len,
		const gchar *trusted_comment, GError **error) G_GNUC_WARN_UNUSED_RESULT;
