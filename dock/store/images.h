#pragma once
#include <glib.h>
#include <sys/types.h>

#include "model/image.h"
#include "store/part.h"
#include "store/trust.h"

/* The images of a dock: one folder per image, named by its digest, which is the SHA-256 of its
 * manifest.  Nothing enters without a trusted signature, and nothing in it ever changes: files are
 * 0444 and immutable where the file system can.  QEMU of every node reads the same files, as
 * "others": each has a uid and a gid of its own.
 *
 * Functions may be called by several threads.  One process at a time owns a store. */

typedef struct IscImageStore IscImageStore;

typedef struct {
	IscImage *image;    /* NULL where the manifest cannot be read */
	gchar digest[65];   /* also the name of its folder */
	gint64 imported;    /* seconds since the epoch */
	gboolean immutable; /* every file has chattr +i */
	gchar *problem;     /* NULL, or why @image is NULL */
} IscStoredImage;

void isc_stored_image_free(IscStoredImage *stored);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscStoredImage, isc_stored_image_free)

/**
 * isc_image_store_open:
 * @folder: made (0711) if it is not there
 * @uid, @gid: who shall own the files, e.g. root; -1: leave them ours
 *
 * Removes what interrupted imports and removals left.
 * Errors: ISC_ERROR_FAILED.  Returns: (transfer full)
 */
IscImageStore *isc_image_store_open(const gchar *folder, uid_t uid, gid_t gid, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_image_store_free(IscImageStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscImageStore, isc_image_store_free)

/**
 * isc_image_store_import_from:
 * @source: hostile: it may change while it is read
 * @was_there: (out) (optional): TRUE: it had been imported before, and holds
 *
 * Verifies the signature, then copies each part while it hashes it, and takes the image only if
 * each copy is what the manifest says: what is stored was verified, whatever happens to the source
 * meanwhile. Errors: ISC_ERROR_VERIFY (unknown key, changed bytes; the message names what),
 * ISC_ERROR_INVALID (links, wrong manifest), ISC_ERROR_NOT_FOUND (a file is missing),
 * ISC_ERROR_HOST (no space), ISC_ERROR_FAILED. Returns: (transfer full): what was imported
 */
IscImage *isc_image_store_import_from(IscImageStore *store, const IscImageSource *source,
		const IscTrust *trust, gboolean *was_there, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The same checks, and nothing is stored.  The free space is not looked at. */
IscImage *isc_image_store_check_from(IscImageStore *store, const IscImageSource *source,
		const IscTrust *trust, gboolean *was_there, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The import from a folder. */
IscImage *isc_image_store_import(IscImageStore *store, const gchar *path, const IscTrust *trust,
		gboolean *was_there, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All, sorted by name, then newest first; those without a manifest last.  Signatures are not
 * checked here. Returns: (transfer full) (element-type IscStoredImage) */
GPtrArray *isc_image_store_list(IscImageStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_image_store_find:
 * @ref: NAME (the newest by date of creation), NAME:VERSION, sha256:HEX, or HEX, where HEX may be
 * the first 12 or more digits of the digest
 *
 * Errors: ISC_ERROR_NOT_FOUND; ISC_ERROR_INVALID: no reference, or a prefix that fits several.
 * Returns: (transfer full)
 */
IscImage *isc_image_store_find(IscImageStore *store, const gchar *ref, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_image_store_verify:
 * Checks signature, digest, and the hash of every part again, by one fd each.  Reads the whole
 * image.
 * @signer: (out) (optional) (transfer full): id of the key that signed
 * Errors: ISC_ERROR_VERIFY naming what does not hold, also where a file is missing;
 * ISC_ERROR_NOT_FOUND (no such image). Returns: (transfer full): the manifest that was verified
 */
IscImage *isc_image_store_verify(IscImageStore *store, const gchar *digest, const IscTrust *trust,
		gchar **signer, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The caller has made sure that no node uses it.  A missing one is no error. */
gboolean isc_image_store_remove(IscImageStore *store, const gchar *digest, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The path of a part, for the domain XML.  Returns: (transfer full) */
gchar *isc_image_store_part_path(IscImageStore *store, const IscImage *image, IscPartKind kind);
