#pragma once
#include "daemon/dock.h"
#include "model/copy.h"

/* Manifests of copies (snapshots, evidence), and the key that the dock signs them with:
 * STATEDIR/keys/signing.key, minisign's format; signing.pub beside it verifies, here and anywhere.
 */

/* Makes the key where there is none.  Errors: ISC_ERROR_VERIFY: the public half is lost. */
gboolean isc_copies_open(IscDock *dock, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* STATEDIR/keys/signing.pub.  (transfer full) */
gchar *isc_copies_public_key_path(const IscDock *dock);

/* A copy of @node as it stands: all but what is still to be found out.  (transfer full) */
IscCopy *isc_copies_describe(IscCopyKind kind, const IscNode *node, const gchar *name);

/* Adds those of @files that are in @dir, with their hashes.  @files: NULL at the end. */
gboolean isc_copies_add_files(IscCopy *copy, const gchar *dir, const gchar *const *files,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The signature of @text, as a .minisig file has it.  @comment: one line, signed, too.  Returns:
 * (transfer full) */
gchar *isc_copies_sign_text(IscDock *dock, const gchar *text, const gchar *comment, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Writes @text to @path and its signature to @path.minisig, in this order: what has no signature
 * was not finished. */
gboolean isc_copies_write_signed(IscDock *dock, const gchar *path, const gchar *text,
		const gchar *comment, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes @manifest (a path) and its signature, @manifest.minisig, in this order: what has no
 * signature was not finished. */
gboolean isc_copies_sign(IscDock *dock, const IscCopy *copy, const gchar *manifest, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Errors: ISC_ERROR_NOT_FOUND: not finished; ISC_ERROR_VERIFY: not signed by this dock.
 * Returns: (transfer full) */
IscCopy *isc_copies_load(IscDock *dock, const gchar *manifest, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
