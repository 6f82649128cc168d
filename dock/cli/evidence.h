#pragma once
#include <glib.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "model/copy.h"

/* Evidence as it lies before isc-vm: files that are open, from the dock or from an exported folder;
 * whether it is what the dock signed is found out here, not believed. */

typedef struct {
	GHashTable *files; /* name → fd + 1 */
	gchar *key;        /* text of the dock's public key, or NULL */
	gsize key_len;
} IscEvidence;

/* From the dock.  Errors: as isc_client_call(). */
IscEvidence *isc_evidence_open(IscClient *client, const gchar *name, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* From an exported folder; the key is the one that lies in it, if any. */
IscEvidence *isc_evidence_open_folder(const gchar *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Takes the public key in @path, which came another way, in the place of its own. */
gboolean isc_evidence_take_key(IscEvidence *evidence, const gchar *path, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Borrowed fd at its start; -1 where there is no such file. */
int isc_evidence_fd(const IscEvidence *evidence, const gchar *file);

/**
 * isc_evidence_read:
 * @signer: (out) (optional) (transfer full): id of the key that signed it
 *
 * Errors: ISC_ERROR_VERIFY: no manifest, or not signed by the key.  Returns: (transfer full)
 */
IscCopy *isc_evidence_read(const IscEvidence *evidence, gchar **signer, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Are all files what the manifest says, and is there no other?  Errors: ISC_ERROR_VERIFY, naming
 * the first that is not. */
gboolean isc_evidence_check_files(const IscEvidence *evidence, const IscCopy *copy, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_browse:
 * @disk: its overlay.qcow2; @key: fd with the 64 hex digits that open it
 * @path: of a folder or file on it
 *
 * Reads it in a box of its own (isc-evidence-read) and prints it.  cli/browse.c.
 */
gboolean isc_browse(IscCli *cli, int disk, int key, const gchar *path, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

void isc_evidence_free(IscEvidence *evidence);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscEvidence, isc_evidence_free)
