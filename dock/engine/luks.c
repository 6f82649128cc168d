/* PBKDF2 stretches weak passphrases.  Ours is 256 random bits: guessing it is hopeless with one
 * iteration or with a million, so the least that LUKS1 allows (1000) takes nothing from its
 * strength, and opening the volume costs a millisecond instead of seconds.
 *
 * Format: LUKS1 On-Disk Format Specification 1.2.3. */
#include "engine/luks.h"

#include <errno.h>
#include <libcryptsetup.h>
#include <nettle/pbkdf2.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#define PBKDF_ITERATIONS ISC_LUKS_ITERATIONS_KEY
#define VOLUME_KEY_SIZE 64 /* bytes: two AES-256 keys, as XTS takes them */
#define SLOT_OFFSET 4096   /* bytes: of key slot 0, by libcryptsetup and QEMU alike */
#define STRIPES 4000
/* the stripes of the volume key, rounded up to 4096 bytes */
#define SLOT_SIZE ((VOLUME_KEY_SIZE * STRIPES + 4095) / 4096 * 4096)
#define N_SLOTS 8
/* bytes of a header file: libcryptsetup wants some payload, too */
#define MEMORY (4 * 1024 * 1024)

G_STATIC_ASSERT(ISC_LUKS_USED == SLOT_OFFSET + SLOT_SIZE);
G_STATIC_ASSERT(ISC_LUKS_AREA == SLOT_OFFSET + N_SLOTS * SLOT_SIZE);

typedef struct crypt_device IscCrypt;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscCrypt, crypt_free)

/* libcryptsetup keeps process-wide state (crypto back-end, random source, log) and promises no
 * thread safety, not even between handles. */
static GMutex crypt_lock;

/* Without a callback libcryptsetup prints to stdout. */
static void keep_last_error(int level, const char *message, void *user)
{
	if (level == CRYPT_LOG_ERROR)
		g_strlcpy(user, message, 256);
}

/* A handle on @fd, which is no block device: libcryptsetup wants a path, /proc gives one that needs
 * no name in any folder.  Makes @fd long enough.  @log: 256 bytes, outlives the handle */
static IscCrypt *crypt_open(int fd, gchar *log, GError **error)
{
	g_autofree gchar *path = g_strdup_printf("/proc/self/fd/%d", fd);
	IscCrypt *crypt = NULL;
	log[0] = '\0';
	int r = ftruncate(fd, MEMORY) < 0 ? -errno : crypt_init(&crypt, path);
	if (r < 0) {
		isc_error_set_errno(error, -r, "cannot use libcryptsetup on a memory file");
		return NULL;
	}
	crypt_set_log_callback(crypt, keep_last_error, log);
	crypt_set_rng_type(crypt, CRYPT_RNG_URANDOM);
	return crypt;
}

static gboolean crypt_error(GError **error, int r, const gchar *what, gchar *log)
{
	g_strchomp(log);
	return isc_error_set_errno(
			error, -r, "cannot %s%s%s%s", what, *log ? " (" : "", log, *log ? ")" : "");
}

/* LUKS1 On-Disk Format Specification, "partition header"; numbers are big-endian. */
typedef struct {
	guint8 magic[6];
	guint16 version;
	gchar cipher_name[32], cipher_mode[32], hash_spec[32];
	guint32 payload_offset; /* sectors of 512 bytes */
	guint32 key_bytes;
	guint8 digest[20], digest_salt[32]; /* of the volume key: PBKDF2 */
	guint32 digest_iterations;
	gchar uuid[40];
	struct {
		guint32 active, iterations;
		guint8 salt[32];
		guint32 offset; /* sectors */
		guint32 stripes;
	} slots[N_SLOTS];
} __attribute__((packed)) LuksHeader;
G_STATIC_ASSERT(sizeof(LuksHeader) == 592);

#define SLOT_UNUSED 0x0000deadu

/* An empty header for the volume key @key.  crypt_format() would do it, but overwrites all eight
 * key slots with noise first, which is half of a volume's price and means nothing in a file that
 * nobody has written to. */
static void print_header(const guint8 key[VOLUME_KEY_SIZE], LuksHeader *out)
{
	*out = (LuksHeader){ .magic = { 'L', 'U', 'K', 'S', 0xba, 0xbe },
		.version = GUINT16_TO_BE(1),
		.cipher_name = "aes",
		.cipher_mode = "xts-plain64",
		.hash_spec = "sha256",
		.payload_offset = GUINT32_TO_BE(ISC_LUKS_AREA / 512),
		.key_bytes = GUINT32_TO_BE(VOLUME_KEY_SIZE),
		.digest_iterations = GUINT32_TO_BE(PBKDF_ITERATIONS) };
	randombytes_buf(out->digest_salt, sizeof out->digest_salt);
	pbkdf2_hmac_sha256(VOLUME_KEY_SIZE, key, PBKDF_ITERATIONS, sizeof out->digest_salt,
			out->digest_salt, sizeof out->digest, out->digest);
	g_autofree gchar *uuid = g_uuid_string_random();
	g_strlcpy(out->uuid, uuid, sizeof out->uuid);
	for (guint i = 0; i < N_SLOTS; i++) {
		out->slots[i].active = GUINT32_TO_BE(SLOT_UNUSED);
		out->slots[i].offset = GUINT32_TO_BE((guint32)(SLOT_OFFSET + i * SLOT_SIZE) / 512);
		out->slots[i].stripes = GUINT32_TO_BE(STRIPES);
	}
}

/* Lets libcryptsetup seal @volume_key with @key in slot 0 of the header in @fd.  It checks the
 * header when it loads it, and the digest before it takes the key, so a header that it would not
 * have made itself ends here. */
static gboolean seal(int fd, const guint8 *volume_key, const gchar *key, GError **error)
{
	const struct crypt_pbkdf_type pbkdf = { .type = CRYPT_KDF_PBKDF2,
		.hash = "sha256",
		.iterations = PBKDF_ITERATIONS,
		.flags = CRYPT_PBKDF_NO_BENCHMARK };
	gchar log[256];
	g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&crypt_lock);
	g_autoptr(IscCrypt) crypt = crypt_open(fd, log, error);
	if (!crypt)
		return FALSE;
	int r = crypt_load(crypt, CRYPT_LUKS1, NULL);
	if (r >= 0)
		r = crypt_set_pbkdf_type(crypt, &pbkdf);
	if (r >= 0)
		r = crypt_keyslot_add_by_volume_key(crypt, 0, (const char *)volume_key,
				VOLUME_KEY_SIZE, key, strlen(key));
	return r >= 0 || crypt_error(error, r, "make a LUKS header", log);
}

int isc_luks_new(const gchar *key, GError **error)
{
	guint8 *volume_key = sodium_init() < 0 ? NULL : sodium_malloc(VOLUME_KEY_SIZE);
	if (!volume_key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "no memory for a key");
		return -1;
	}
	LuksHeader header;
	randombytes_buf(volume_key, VOLUME_KEY_SIZE);
	print_header(volume_key, &header);
	isc_autofd int fd = isc_file_new_memory("isc-volume", error);
	gboolean ok = fd >= 0 && isc_file_write_all(fd, &header, sizeof header, error) &&
		      seal(fd, volume_key, key, error);
	sodium_free(volume_key); /* zeroes */
	return ok ? isc_steal_fd(&fd) : -1;
}

/* Call with the lock held.  Returns: the slot that @key opens, or -1 with ISC_ERROR_VERIFY */
static int find_slot(IscCrypt *crypt, const gchar *key, gchar *log, GError **error)
{
	int r = crypt_load(crypt, CRYPT_LUKS1, NULL);
	if (r >= 0) /* no name: nothing is activated, the key is only tried */
		r = crypt_activate_by_passphrase(crypt, NULL, CRYPT_ANY_SLOT, key, strlen(key), 0);
	if (r >= 0)
		return r;
	g_strchomp(log);
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "the key does not open it%s%s",
			*log ? ": " : "", log);
	return -1;
}

gboolean isc_luks_check(int fd, const gchar *key, GError **error)
{
	gchar log[256];
	g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&crypt_lock);
	g_autoptr(IscCrypt) crypt = crypt_open(fd, log, error);
	return crypt && find_slot(crypt, key, log, error) >= 0;
}

gboolean isc_luks_add(int fd, const gchar *key, const gchar *more, guint iterations, GError **error)
{
	const struct crypt_pbkdf_type pbkdf = { .type = CRYPT_KDF_PBKDF2,
		.hash = "sha256",
		.iterations = iterations,
		.flags = CRYPT_PBKDF_NO_BENCHMARK };
	gchar log[256];
	g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&crypt_lock);
	g_autoptr(IscCrypt) crypt = crypt_open(fd, log, error);
	if (!crypt)
		return FALSE;
	int r = crypt_load(crypt, CRYPT_LUKS1, NULL);
	if (r >= 0)
		r = crypt_set_pbkdf_type(crypt, &pbkdf);
	if (r >= 0)
		r = crypt_keyslot_add_by_passphrase(
				crypt, CRYPT_ANY_SLOT, key, strlen(key), more, strlen(more));
	if (r == -EPERM) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "the key does not open it");
		return FALSE;
	}
	return r >= 0 || crypt_error(error, r, "add a key", log);
}

gboolean isc_luks_keep_only(int fd, const gchar *key, GError **error)
{
	gchar log[256];
	g_autoptr(GMutexLocker) lock = g_mutex_locker_new(&crypt_lock);
	g_autoptr(IscCrypt) crypt = crypt_open(fd, log, error);
	int keep = crypt ? find_slot(crypt, key, log, error) : -1;
	if (keep < 0)
		return FALSE;
	for (int i = 0; i < N_SLOTS; i++) {
		crypt_keyslot_info info = crypt_keyslot_status(crypt, i);
		if (i == keep || (info != CRYPT_SLOT_ACTIVE && info != CRYPT_SLOT_ACTIVE_LAST))
			continue;
		int r = crypt_keyslot_destroy(crypt, i);
		if (r < 0)
			return crypt_error(error, r, "erase a key", log);
	}
	return TRUE;
}
