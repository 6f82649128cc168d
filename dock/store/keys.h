#pragma once
#include <glib.h>

/* Keys of volumes, and where those that must outlive a start are kept.
 *
 * An IscKey is 256 random bits as 64 lower-case hex characters, in memory that is locked, guarded,
 * kept out of core dumps and zeroed when freed (libsodium).
 *
 * The key store is a folder with one file per key, ID.sealed, encrypted with XChaCha20-Poly1305 by
 * the dock's own key (dock.key beside them, 0600); the id is authenticated, so that files cannot be
 * swapped.  Whoever reads the folder as the dock can open the keys: the seal is for copies and
 * backups made without dock.key.  Where systemd keeps dock.key (systemd-creds: sealed by the TPM,
 * the host's key, or both) it is not in the folder, and neither a copy of the disk nor a backup
 * opens. */

typedef struct IscKey IscKey;

/* Returns: (transfer full) */
IscKey *isc_key_new_random(void);

/* Errors: ISC_ERROR_INVALID unless @hex is 64 lower-case hex digits (not shown).  Returns:
 * (transfer full) */
IscKey *isc_key_new_from_hex(const gchar *hex, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* 64 hex characters and a NUL; borrowed.  Make no copies that nobody zeroes. */
const gchar *isc_key_hex(const IscKey *key);

void isc_key_free(IscKey *key);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscKey, isc_key_free)

typedef struct IscKeyStore IscKeyStore;

/* A key's id: one to four names (isc_name_is_valid()) joined by dots, e.g. "web.snapshot.monday".
 */
gboolean isc_key_id_is_valid(const gchar *id);

/**
 * isc_key_store_open:
 * @folder: made with mode 0700 if it is not there; so is dock.key in it
 * @credentials: (nullable): the folder where a service gets its credentials from systemd; a
 * dock.key in there is taken, and none is made
 *
 * Errors: ISC_ERROR_VERIFY: dock.key is lost while sealed keys lie there (put it back from a
 * backup), damaged, open to others, or not the one that systemd gives; ISC_ERROR_FAILED,
 * ISC_ERROR_HOST. Returns: (transfer full): may be used by several threads
 */
IscKeyStore *isc_key_store_open(const gchar *folder, const gchar *credentials, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_key_store_free(IscKeyStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscKeyStore, isc_key_store_free)

/* Durable when it returns.  Saving the same key again is no error; another one under that id is
 * ISC_ERROR_STATE: data may depend on the one that is there. */
gboolean isc_key_store_save(IscKeyStore *store, const gchar *id, const IscKey *key, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Errors: ISC_ERROR_NOT_FOUND; ISC_ERROR_VERIFY: damaged, of another id, or sealed by another
 * dock.key. Returns: (transfer full) */
IscKey *isc_key_store_load(IscKeyStore *store, const gchar *id, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Overwrites, syncs, removes.  A missing one is no error. */
gboolean isc_key_store_erase(IscKeyStore *store, const gchar *id, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* All ids, sorted.  Returns: (transfer full) (array zero-terminated=1) */
gchar **isc_key_store_list(IscKeyStore *store, GError **error) G_GNUC_WARN_UNUSED_RESULT;
