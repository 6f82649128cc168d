#include "base/minisign.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

/* The layouts below are those of minisign 0.11; all fields are bytes, so that nothing is padded. */
typedef struct {
	guint8 algorithm[2]; /* "Ed" */
	guint8 id[8];
	guint8 key[32];
} PublicBlob;

typedef struct {
	guint8 algorithm[2]; /* "ED": over the BLAKE2b-512 of the file; "Ed", over the file, is
				refused */
	guint8 id[8];
	guint8 signature[64];
} SignatureBlob;

typedef struct {
	guint8 algorithm[2];     /* "Ed" */
	guint8 kdf[2];           /* 0 0: not encrypted */
	guint8 checksum_type[2]; /* "B2" */
	guint8 salt[32];
	guint8 ops_limit[8], mem_limit[8];
	guint8 id[8];
	guint8 key[64];      /* seed and public key */
	guint8 checksum[32]; /* minisign leaves it zero in keys without a password */
} SecretBlob;

G_STATIC_ASSERT(sizeof(PublicBlob) == 42);
G_STATIC_ASSERT(sizeof(SignatureBlob) == 74);
G_STATIC_ASSERT(sizeof(SecretBlob) == 158);

#define UNTRUSTED "untrusted comment: "
#define TRUSTED "trusted comment: "
#define KEY_FILE_MAX 1024 /* bytes of a key file */
#define COMMENT_MAX 1024  /* bytes of a trusted comment that we sign */

static gboolean ready(GError **error)
{
	if (sodium_init() >= 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "libsodium does not start");
	return FALSE;
}

/* Base64 of exactly @size bytes, padded, nothing around it. */
static gboolean decode(const gchar *text, gpointer out, gsize size)
{
	/* Where char is signed, libsodium 1.0.18 takes bytes above 0x7f for '/' or '+': such a text
	 * would be a second spelling of the same signature. */
	for (const gchar *p = text; *p; p++)
		if (!g_ascii_isalnum(*p) && !strchr("+/=", *p))
			return FALSE;
	gsize len = 0;
	return sodium_base642bin(out, size, text, strlen(text), NULL, &len, NULL,
			       sodium_base64_VARIANT_ORIGINAL) == 0 &&
	       len == size;
}

/* Returns: (transfer full) */
static gchar *encode(gconstpointer bytes, gsize size)
{
	gsize len = sodium_base64_ENCODED_LEN(size, sodium_base64_VARIANT_ORIGINAL);
	gchar *text = g_malloc(len);
	return sodium_bin2base64(text, len, bytes, size, sodium_base64_VARIANT_ORIGINAL);
}

/* The lines of @text without their ends; NULL if it holds a NUL.  Returns: (transfer full) */
static gchar **lines_of(const gchar *text, gsize len)
{
	if (memchr(text, '\0', len))
		return NULL;
	g_autofree gchar *copy = g_strndup(text, len);
	gchar **lines = g_strsplit(copy, "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		gsize n = strlen(lines[i]);
		if (n > 0 && lines[i][n - 1] == '\r')
			lines[i][n - 1] = '\0';
	}
	return lines;
}

/* --- public keys -------------------------------------------------------------------- */

gboolean isc_public_key_parse(const gchar *text, gsize len, IscPublicKey *out, GError **error)
{
	if (!ready(error))
		return FALSE;
	PublicBlob blob;
	g_auto(GStrv) lines = len <= KEY_FILE_MAX ? lines_of(text, len) : NULL;
	const gchar *line = lines ? lines[0] : NULL;
	if (line && g_str_has_prefix(line, UNTRUSTED))
		line = lines[1];
	if (!line || !decode(g_strstrip((gchar *)line), &blob, sizeof blob) ||
			memcmp(blob.algorithm, "Ed", 2) != 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"no minisign public key: wanted one comment line and one line of "
				"base64");
		return FALSE;
	}
	memcpy(out->id, blob.id, sizeof out->id);
	memcpy(out->key, blob.key, sizeof out->key);
	return TRUE;
}

static gchar *id_text(const guint8 id[8])
{
	GString *text = g_string_sized_new(17);
	for (gsize i = 8; i-- > 0;) /* a little-endian number, as minisign prints it */
		g_string_append_printf(text, "%02X", id[i]);
	return g_string_free(text, FALSE);
}

gchar *isc_public_key_id(const IscPublicKey *key)
{
	return id_text(key->id);
}

/* --- verify ------------------------------------------------------------------------- */

static void hash(const gchar *message, gsize len, guint8 out[64])
{
	crypto_generichash(out, 64, (const guint8 *)message, len, NULL, 0);
}

static gboolean refuse(GError **error, const gchar *why)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "the signature does not hold: %s", why);
	return FALSE;
}

/* The four lines of a .minisig; what they say is not believed yet.  @lines: (out) (transfer full)
 */
static gboolean parse_signature(const gchar *sig, gsize len, SignatureBlob *blob, guint8 global[64],
		gchar ***lines, GError **error)
{
	g_auto(GStrv) l = len <= ISC_MINISIGN_SIG_MAX ? lines_of(sig, len) : NULL;
	guint n = l ? g_strv_length(l) : 0;
	gboolean ends = n == 4 || (n == 5 && !*l[4]);
	if (!ends || !g_str_has_prefix(l[0], UNTRUSTED) || !g_str_has_prefix(l[2], TRUSTED) ||
			!decode(l[1], blob, sizeof *blob) || !decode(l[3], global, 64))
		return refuse(error, "it is no minisign signature file");
	if (memcmp(blob->algorithm, "Ed", 2) == 0)
		return refuse(error, "it is of minisign's legacy kind; sign again without -l");
	if (memcmp(blob->algorithm, "ED", 2) != 0)
		return refuse(error, "its algorithm is unknown");
	*lines = g_steal_pointer(&l);
	return TRUE;
}

static const IscPublicKey *find_key(const IscPublicKey *keys, gsize n_keys, const guint8 id[8])
{
	for (gsize i = 0; i < n_keys; i++)
		if (memcmp(keys[i].id, id, 8) == 0)
			return &keys[i];
	return NULL;
}

gboolean isc_minisign_verify(const IscPublicKey *keys, gsize n_keys, const gchar *message,
		gsize message_len, const gchar *sig, gsize sig_len, gchar **trusted_comment,
		gsize *signer, GError **error)
{
	SignatureBlob blob;
	guint8 global[64];
	g_auto(GStrv) lines = NULL;
	if (!ready(error) || !parse_signature(sig, sig_len, &blob, global, &lines, error))
		return FALSE;

	g_autofree gchar *id = id_text(blob.id);
	const IscPublicKey *key = find_key(keys, n_keys, blob.id);
	if (!key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"signed by key %s, which is not trusted; if you trust its owner, "
				"add "
				"the .pub file of that key to the trusted keys",
				id);
		return FALSE;
	}

	guint8 digest[64];
	hash(message, message_len, digest);
	if (crypto_sign_verify_detached(blob.signature, digest, sizeof digest, key->key) != 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"the signature by key %s does not hold: the content was changed "
				"after "
				"it was signed",
				id);
		return FALSE;
	}
	const gchar *comment = lines[2] + strlen(TRUSTED);
	g_autoptr(GByteArray) signed_too = g_byte_array_new();
	g_byte_array_append(signed_too, blob.signature, sizeof blob.signature);
	g_byte_array_append(signed_too, (const guint8 *)comment, (guint)strlen(comment));
	if (crypto_sign_verify_detached(global, signed_too->data, signed_too->len, key->key) != 0)
		return refuse(error, "its trusted comment was changed");

	if (trusted_comment)
		*trusted_comment = g_strdup(comment);
	if (signer)
		*signer = (gsize)(key - keys);
	return TRUE;
}

/* --- keys and signing --------------------------------------------------------------- */

static gboolean write_new(const gchar *path, mode_t mode, const gchar *text, GError **error)
{
	isc_autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"'%s' exists already; a key is never overwritten", path);
		return FALSE;
	}
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot make '%s'", path);
	gboolean ok = isc_file_write_all(fd, text, strlen(text), error);
	if (ok && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		ok = isc_error_set_errno(error, errno, "cannot write");
	if (!ok) {
		unlink(path);
		g_prefix_error(error, "'%s': ", path);
	}
	return ok;
}

gboolean isc_minisign_keygen(const gchar *secret_path, const gchar *public_path, GError **error)
{
	if (!ready(error))
		return FALSE;
	SecretBlob secret = { .algorithm = { 'E', 'd' }, .checksum_type = { 'B', '2' } };
	PublicBlob public = { .algorithm = { 'E', 'd' } };
	crypto_sign_keypair(public.key, secret.key);
	randombytes_buf(secret.id, sizeof secret.id);
	memcpy(public.id, secret.id, sizeof public.id);

	g_autofree gchar *id = id_text(public.id);
	g_autofree gchar *line = encode(&secret, sizeof secret);
	g_autofree gchar *secret_text =
			g_strconcat(UNTRUSTED "minisign secret key ", id, "\n", line, "\n", NULL);
	g_autofree gchar *public_line = encode(&public, sizeof public);
	g_autofree gchar *public_text = g_strconcat(
			UNTRUSTED "minisign public key ", id, "\n", public_line, "\n", NULL);

	gboolean ok = write_new(secret_path, 0600, secret_text, error);
	if (ok && !write_new(public_path, 0644, public_text, error)) {
		unlink(secret_path);
		ok = FALSE;
	}
	sodium_memzero(&secret, sizeof secret);
	sodium_memzero(line, strlen(line));
	sodium_memzero(secret_text, strlen(secret_text));
	return ok;
}

static gboolean parse_secret(const gchar *text, gsize len, SecretBlob *blob)
{
	guint8 public[32], key[64];
	g_auto(GStrv) lines = lines_of(text, len);
	gboolean ok = lines && g_str_has_prefix(lines[0], UNTRUSTED) && lines[1] &&
		      decode(lines[1], blob, sizeof *blob) && memcmp(blob->algorithm, "Ed", 2) == 0;
	for (gsize i = 0; lines && lines[i]; i++)
		sodium_memzero(lines[i], strlen(lines[i]));
	/* The key holds its public half: derived anew it tells a damaged file, for which minisign
	 * has no checksum in keys without a password. */
	ok = ok && crypto_sign_seed_keypair(public, key, blob->key) == 0 &&
	     sodium_memcmp(key, blob->key, sizeof key) == 0;
	sodium_memzero(key, sizeof key);
	return ok;
}

static gboolean load_secret(const gchar *path, SecretBlob *blob, GError **error)
{
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "cannot open key file '%s': %s",
				path, g_strerror(errno));
		return FALSE;
	}
	if (st.st_mode & 077) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"key file '%s' is open to others than its owner (mode %04o): "
				"chmod 600 it, or make a new key if others have seen it",
				path, st.st_mode & 07777);
		return FALSE;
	}
	gsize len;
	g_autofree gchar *text = isc_file_read_fd(fd, path, KEY_FILE_MAX, &len, error);
	if (!text)
		return FALSE;
	gboolean ok = parse_secret(text, len, blob);
	sodium_memzero(text, len);
	if (ok)
		return TRUE;
	gboolean locked = blob->kdf[0] != 0;
	sodium_memzero(blob, sizeof *blob);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no %s", path,
			locked ? "key without a password: take it off with 'minisign -C -W'"
			       : "minisign secret key");
	return FALSE;
}

static gboolean check_comment(const gchar *comment, GError **error)
{
	gboolean ok = strlen(comment) <= COMMENT_MAX && g_utf8_validate(comment, -1, NULL);
	for (const gchar *p = comment; ok && *p; p = g_utf8_next_char(p))
		ok = !g_unichar_iscntrl(g_utf8_get_char(p));
	if (!ok)
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"a trusted comment is one line of at most %d bytes", COMMENT_MAX);
	return ok;
}

gchar *isc_minisign_sign(const gchar *secret_path, const gchar *message, gsize message_len,
		const gchar *trusted_comment, GError **error)
{
	SecretBlob secret = { 0 };
	if (!ready(error) || !check_comment(trusted_comment, error) ||
			!load_secret(secret_path, &secret, error))
		return NULL;

	SignatureBlob blob = { .algorithm = { 'E', 'D' } };
	guint8 digest[64], global[64];
	memcpy(blob.id, secret.id, sizeof blob.id);
	hash(message, message_len, digest);
	crypto_sign_detached(blob.signature, NULL, digest, sizeof digest, secret.key);

	g_autoptr(GByteArray) signed_too = g_byte_array_new();
	g_byte_array_append(signed_too, blob.signature, sizeof blob.signature);
	g_byte_array_append(signed_too, (const guint8 *)trusted_comment,
			(guint)strlen(trusted_comment));
	crypto_sign_detached(global, NULL, signed_too->data, signed_too->len, secret.key);
	sodium_memzero(&secret, sizeof secret);

	g_autofree gchar *signature = encode(&blob, sizeof blob);
	g_autofree gchar *global_text = encode(global, sizeof global);
	return g_strconcat(UNTRUSTED "signature from isc-image\n", signature, "\n" TRUSTED,
			trusted_comment, "\n", global_text, "\n", NULL);
}
