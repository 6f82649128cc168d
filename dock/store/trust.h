#pragma once
#include <glib.h>

#include "base/minisign.h"

/* The publishers whose images this dock takes: the *.pub files of a folder, e.g.
 * /etc/isc-dock/trusted.d. */
typedef struct {
	gchar *folder;      /* owned; named in errors */
	IscPublicKey *keys; /* owned */
	gchar **files;      /* owned; file names, same order, NULL at the end */
	gsize n;
} IscTrust;

/**
 * isc_trust_load:
 * @folder: not there, or empty: nobody is trusted, which is no error
 *
 * Errors: ISC_ERROR_VERIFY: folder or a file in it belongs to or may be written by somebody else
 * than root or ourselves; ISC_ERROR_INVALID: a *.pub file is no minisign public key;
 * ISC_ERROR_FAILED. Returns: (transfer full): never changed afterwards; load again to see new keys
 */
IscTrust *isc_trust_load(const gchar *folder, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* isc_minisign_verify() with all keys; an error names the folder.  @signer: (out) (optional)
 * (transfer full): key id */
gboolean isc_trust_verify(const IscTrust *trust, const gchar *message, gsize message_len,
		const gchar *sig, gsize sig_len, gchar **signer, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

void isc_trust_free(IscTrust *trust);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscTrust, isc_trust_free)
