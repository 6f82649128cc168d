#include "store/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"

#define KEY_BYTES 32
#define DOCK_KEY "dock.key"
#define DOCK_KEY_BYTES crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define SUFFIX ".sealed"
#define ID_NAMES_MAX 4
#define ID_MAX (ID_NAMES_MAX * (ISC_NAME_MAX + 1))

static const guint8 magic[8] = { 'I', 'S', 'C', 'K', 'E', 'Y', '0', '1' };

/* ID.sealed, byte by byte; what is authenticated besides is magic and id. */
typedef struct {
	guint8 magic[8];
	guint8 nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
	guint8 sealed[KEY_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES];
} Sealed;
G_STATIC_ASSERT(sizeof(Sealed) == 8 + 24 + 32 + 16);

struct IscKey {
	gchar hex[2 * KEY_BYTES + 1];
};

struct IscKeyStore {
	gchar *folder;
	int fd;
	guint8 *dock_key; /* sodium_malloc, read-only */
};

/* --- keys --------------------------------------------------------------------------- */

static IscKey *new_key(void)
{
	if (sodium_init() < 0)
		g_error("libsodium does not start");
	IscKey *key = sodium_malloc(sizeof *key);
	if (!key)
		g_error("no memory for a key"); /* as g_malloc() does */
	memset(key, 0, sizeof *key);
	return key;
}

static IscKey *new_key_from_bytes(guint8 bytes[KEY_BYTES])
{
	IscKey *key = new_key();
	sodium_bin2hex(key->hex, sizeof key->hex, bytes, KEY_BYTES);
	sodium_memzero(bytes, KEY_BYTES);
	return key;
}

IscKey *isc_key_new_random(void)
{
	guint8 bytes[KEY_BYTES];
	if (sodium_init() < 0)
		g_error("libsodium does not start");
	randombytes_buf(bytes, sizeof bytes);
	return new_key_from_bytes(bytes);
}

IscKey *isc_key_new_from_hex(const gchar *hex, GError **error)
{
	if (!isc_digest_is_valid(hex)) { /* the same alphabet and length */
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"a key is 64 lower-case hex digits");
		return NULL;
	}
	IscKey *key = new_key();
	memcpy(key->hex, hex, sizeof key->hex);
	return key;
}

const gchar *isc_key_hex(const IscKey *key)
{
	return key->hex;
}

void isc_key_free(IscKey *key)
{
	sodium_free(key); /* zeroes */
}

gboolean isc_key_id_is_valid(const gchar *id)
{
	if (!id || strlen(id) >= ID_MAX)
		return FALSE;
	g_auto(GStrv) names = g_strsplit(id, ".", -1);
	guint n = g_strv_length(names);
	for (guint i = 0; i < n; i++)
		if (!isc_name_is_valid(names[i]))
			return FALSE;
	return n > 0 && n <= ID_NAMES_MAX;
}

/* --- the dock's own key ------------------------------------------------------------- */

static gboolean refuse(
		GError **error, const IscKeyStore *store, const gchar *file, const gchar *why)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "key store: '%s/%s' %s", store->folder,
			file, why);
	return FALSE;
}

/* Calls for each plain file name in the folder.  @ids: (nullable): gets the ids of sealed keys */
static gboolean scan(IscKeyStore *store, gboolean clean, GPtrArray *ids, GError **error)
{
	int fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(DIR) dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		int err = errno;
		if (fd >= 0)
			close(fd);
		return isc_error_set_errno(error, err, "cannot list '%s'", store->folder);
	}
	const struct dirent *entry;
	while ((entry = readdir(dir))) {
		const gchar *name = entry->d_name;
		if (clean && name[0] == '.' && g_str_has_suffix(name, ".tmp"))
			unlinkat(store->fd, name, 0); /* of a write that a crash cut short */
		if (!g_str_has_suffix(name, SUFFIX))
			continue;
		g_autofree gchar *id = g_strndup(name, strlen(name) - strlen(SUFFIX));
		if (isc_key_id_is_valid(id))
			g_ptr_array_add(ids, g_steal_pointer(&id));
	}
	return TRUE;
}

static gboolean make_dock_key(IscKeyStore *store, GError **error)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	if (!scan(store, TRUE, ids, error))
		return FALSE;
	/* A new key would look like a fresh start and make every volume unreadable, one by one. */
	if (ids->len > 0)
		return refuse(error, store, DOCK_KEY,
				"is gone, but sealed keys need it: put it back from a backup, let "
				"systemd give it as before (isc-dockd(8)), or remove the *.sealed "
				"files if their volumes are given up");
	randombytes_buf(store->dock_key, DOCK_KEY_BYTES);
	return isc_file_write(store->fd, DOCK_KEY, store->dock_key, DOCK_KEY_BYTES, 0600, error);
}

/* Two keys would each open a part of the store. */
static gboolean is_the_same(IscKeyStore *store, GError **error)
{
	guint8 other[DOCK_KEY_BYTES];
	isc_autofd int fd =
			openat(store->fd, DOCK_KEY, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return TRUE;
	gboolean same = fd >= 0 && read(fd, other, sizeof other) == (gssize)sizeof other &&
			sodium_memcmp(other, store->dock_key, sizeof other) == 0;
	sodium_memzero(other, sizeof other);
	return same || refuse(error, store, DOCK_KEY,
				       "is not the one that systemd gives: remove the one that "
				       "does not open the *.sealed files");
}

/* TRUE with *@given: systemd had one. */
static gboolean take_credential(
		IscKeyStore *store, const gchar *credentials, gboolean *given, GError **error)
{
	g_autofree gchar *path = credentials ? g_build_filename(credentials, DOCK_KEY, NULL) : NULL;
	isc_autofd int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	struct stat st;
	*given = fd >= 0;
	if (fd < 0)
		return !path || errno == ENOENT ||
		       isc_error_set_errno(error, errno, "cannot open '%s'", path);
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	if (fstat(fd, &st) < 0 || st.st_size != DOCK_KEY_BYTES ||
			read(fd, store->dock_key, DOCK_KEY_BYTES) != DOCK_KEY_BYTES) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"credential '%s' is no key of %u bytes: seal the dock's with "
				"systemd-creds again",
				path, (guint)DOCK_KEY_BYTES);
		return FALSE;
	}
	return is_the_same(store, error) && scan(store, TRUE, ids, error);
}

static gboolean load_dock_key(IscKeyStore *store, const gchar *credentials, GError **error)
{
	gboolean given;
	if (!take_credential(store, credentials, &given, error))
		return FALSE;
	if (given)
		return TRUE;
	isc_autofd int fd =
			openat(store->fd, DOCK_KEY, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return make_dock_key(store, error);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return isc_error_set_errno(
				error, errno, "cannot open '%s/" DOCK_KEY "'", store->folder);
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		return refuse(error, store, DOCK_KEY,
				"is open to others than its owner: chmod 600 it, and think of who "
				"has seen it");
	if (st.st_size != DOCK_KEY_BYTES ||
			read(fd, store->dock_key, DOCK_KEY_BYTES) != DOCK_KEY_BYTES)
		return refuse(error, store, DOCK_KEY, "is damaged: put it back from a backup");
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	return scan(store, TRUE, ids, error);
}

IscKeyStore *isc_key_store_open(const gchar *folder, const gchar *credentials, GError **error)
{
	if (sodium_init() < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "libsodium does not start");
		return NULL;
	}
	if (!isc_file_mkdir(folder, 0700, error))
		return NULL;
	g_autoptr(IscKeyStore) store = g_new0(IscKeyStore, 1);
	store->folder = g_strdup(folder);
	store->fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->fd < 0) {
		isc_error_set_errno(error, errno, "cannot open '%s'", folder);
		return NULL;
	}
	store->dock_key = sodium_malloc(DOCK_KEY_BYTES);
	if (!store->dock_key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "no memory for the dock's key");
		return NULL;
	}
	if (!load_dock_key(store, credentials, error))
		return NULL;
	sodium_mprotect_readonly(store->dock_key);
	return g_steal_pointer(&store);
}

void isc_key_store_free(IscKeyStore *store)
{
	if (!store)
		return;
	sodium_free(store->dock_key);
	isc_clear_fd(&store->fd);
	g_free(store->folder);
	g_free(store);
}

/* --- sealed keys -------------------------------------------------------------------- */

static gboolean check_id(const gchar *id, GError **error)
{
	if (isc_key_id_is_valid(id))
		return TRUE;
	g_autofree gchar *shown = isc_text_escape(id ? id : "", -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is no key id: 1 to 4 names joined by dots", shown);
	return FALSE;
}

/* What is authenticated beside the key.  @out: sizeof magic + ID_MAX bytes.  Returns: its length */
static gsize associated(const gchar *id, guint8 *out)
{
	gsize n = strlen(id);
	memcpy(out, magic, sizeof magic);
	memcpy(out + sizeof magic, id, n);
	return sizeof magic + n;
}

static gboolean write_sealed(IscKeyStore *store, const gchar *id, const gchar *file,
		const IscKey *key, GError **error)
{
	Sealed sealed;
	guint8 ad[sizeof magic + ID_MAX], bytes[KEY_BYTES];
	gsize ad_len = associated(id, ad);
	memcpy(sealed.magic, magic, sizeof magic);
	randombytes_buf(sealed.nonce, sizeof sealed.nonce);
	sodium_hex2bin(bytes, sizeof bytes, key->hex, 2 * KEY_BYTES, NULL, NULL, NULL);
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed.sealed, NULL, bytes, sizeof bytes, ad,
			ad_len, NULL, sealed.nonce, store->dock_key);
	sodium_memzero(bytes, sizeof bytes);
	return isc_file_write(store->fd, file, &sealed, sizeof sealed, 0600, error);
}

IscKey *isc_key_store_load(IscKeyStore *store, const gchar *id, GError **error)
{
	if (!check_id(id, error))
		return NULL;
	g_autofree gchar *file = g_strconcat(id, SUFFIX, NULL);
	g_autoptr(GError) inner = NULL;
	gsize len = 0;
	g_autofree gchar *text = isc_file_read(store->fd, file, sizeof(Sealed), &len, &inner);
	if (g_error_matches(inner, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"key store: no key '%s' in '%s'; what it encrypted cannot be read "
				"without it",
				id, store->folder);
		return NULL;
	}
	if (!text && !g_error_matches(inner, ISC_ERROR, ISC_ERROR_INVALID)) {
		g_propagate_prefixed_error(error, g_steal_pointer(&inner), "key store: ");
		return NULL;
	}
	Sealed sealed;
	if (len != sizeof sealed || memcmp(text, magic, sizeof magic) != 0) {
		refuse(error, store, file, "is no sealed key: put it back from a backup");
		return NULL;
	}
	memcpy(&sealed, text, sizeof sealed);

	guint8 ad[sizeof magic + ID_MAX], bytes[KEY_BYTES];
	gsize ad_len = associated(id, ad);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(bytes, NULL, NULL, sealed.sealed,
			    sizeof sealed.sealed, ad, ad_len, sealed.nonce, store->dock_key) != 0) {
		refuse(error, store, file,
				"does not open: it is damaged, of another id, or sealed with "
				"another " DOCK_KEY " than the one beside it");
		return NULL;
	}
	return new_key_from_bytes(bytes);
}

gboolean isc_key_store_save(IscKeyStore *store, const gchar *id, const IscKey *key, GError **error)
{
	g_autoptr(GError) inner = NULL;
	g_autoptr(IscKey) there = isc_key_store_load(store, id, &inner);
	if (there && sodium_memcmp(there->hex, key->hex, sizeof key->hex) == 0)
		return TRUE;
	if (there) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"key store: '%s' has another key already; erase it first", id);
		return FALSE;
	}
	if (!g_error_matches(inner, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		g_propagate_error(error, g_steal_pointer(&inner));
		return FALSE;
	}
	g_autofree gchar *file = g_strconcat(id, SUFFIX, NULL);
	if (write_sealed(store, id, file, key, error))
		return TRUE;
	g_prefix_error(error, "key store: ");
	return FALSE;
}

gboolean isc_key_store_erase(IscKeyStore *store, const gchar *id, GError **error)
{
	if (!check_id(id, error))
		return FALSE;
	g_autofree gchar *file = g_strconcat(id, SUFFIX, NULL);
	isc_autofd int fd = openat(store->fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return TRUE;
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return isc_error_set_errno(error, errno, "key store: cannot open '%s'", file);

	/* In place, not by truncating: that would leave the bytes in a free block. */
	guint8 noise[sizeof(Sealed)];
	randombytes_buf(noise, sizeof noise);
	for (off_t pos = 0; pos < st.st_size; pos += (off_t)sizeof noise)
		if (pwrite(fd, noise, (gsize)MIN((off_t)sizeof noise, st.st_size - pos), pos) < 0)
			return isc_error_set_errno(
					error, errno, "key store: cannot overwrite '%s'", file);
	if (fsync(fd) < 0 || (unlinkat(store->fd, file, 0) < 0 && errno != ENOENT) ||
			fsync(store->fd) < 0)
		return isc_error_set_errno(error, errno, "key store: cannot remove '%s'", file);
	return TRUE;
}

static gint compare_ids(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const gchar *const *)a, *(const gchar *const *)b);
}

gchar **isc_key_store_list(IscKeyStore *store, GError **error)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	if (!scan(store, FALSE, ids, error))
		return NULL;
	g_ptr_array_sort(ids, compare_ids);
	g_ptr_array_add(ids, NULL);
	return (gchar **)g_ptr_array_steal(ids, NULL);
}
