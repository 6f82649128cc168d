#include "collector/chain.h"

#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/anchor.h"
#include "base/error.h"
#include "base/file.h"

#define KEY_MAGIC 0x3159454b43535349ull

typedef struct __attribute__((packed)) {
	guint64 magic;
	guint64 index;
	guint8 seed[32];
	guint8 check[16];
} Slot;
G_STATIC_ASSERT(sizeof(Slot) == ISC_CHAIN_SLOT);

/* Each use of BLAKE2b and Ed25519 says what it is for, so that no output can stand for another. */
static const guint8 for_sign[] = "isc-chain sign v1";
static const guint8 for_next[] = "isc-chain next v1";
static const guint8 for_slot[] = "isc-chain slot v1";
static const gchar for_block[8] = "iscblk1";
static const gchar for_origin[8] = "iscorg1";
static const gchar for_trim[8] = "isctrm1";

/* --- reading
 * -------------------------------------------------------------------------------------- */

static gsize payload_wanted(const IscChainHeader *h)
{
	switch ((IscChainKind)h->kind) {
	case ISC_CHAIN_GENESIS:
	case ISC_CHAIN_SEGMENT:
		return sizeof(IscChainOrigin);
	case ISC_CHAIN_BATCH:
		return h->n * sizeof(IscChainEntry);
	case ISC_CHAIN_OPEN:
		return sizeof(IscChainNote);
	case ISC_CHAIN_TRIM:
		return sizeof(IscChainTrim);
	case ISC_CHAIN_CLOSE:
	case ISC_CHAIN_ROTATE:
		return 0;
	}
	return G_MAXSIZE;
}

IscBlockState isc_block_parse(const guint8 *bytes, gsize len, IscBlock *out)
{
	const IscChainHeader *h = (const IscChainHeader *)bytes;

	if (len < sizeof *h)
		return ISC_BLOCK_SHORT;
	if (h->magic != ISC_CHAIN_MAGIC || h->reserved != 0 || h->n > ISC_CHAIN_RECORDS_MAX ||
			h->len < sizeof *h + ISC_CHAIN_SIG || h->len > ISC_CHAIN_BLOCK_MAX)
		return ISC_BLOCK_BAD;
	if (h->kind != ISC_CHAIN_BATCH && h->n != 0)
		return ISC_BLOCK_BAD;
	gsize payload = h->len - sizeof *h - ISC_CHAIN_SIG;
	if (payload != payload_wanted(h))
		return ISC_BLOCK_BAD;
	if (len < h->len)
		return ISC_BLOCK_SHORT;

	IscBlock block = { h, bytes + sizeof *h, payload, bytes + h->len - ISC_CHAIN_SIG };
	if (h->kind == ISC_CHAIN_BATCH) {
		const IscChainEntry *e = isc_block_entries(&block);
		for (guint32 i = 0; i < h->n; i++)
			if (e[i].len == 0 || e[i].len > ISC_CHAIN_LINE_MAX)
				return ISC_BLOCK_BAD;
	}
	*out = block;
	return ISC_BLOCK_OK;
}

const IscChainEntry *isc_block_entries(const IscBlock *block)
{
	return (const IscChainEntry *)block->payload;
}

guint64 isc_block_log_bytes(const IscBlock *block)
{
	guint64 sum = 0;
	for (guint32 i = 0; i < block->header->n; i++)
		sum += isc_block_entries(block)[i].len;
	return sum;
}

void isc_block_hash(const IscBlock *block, guint8 out[ISC_CHAIN_HASH])
{
	crypto_generichash(out, ISC_CHAIN_HASH, (const guint8 *)block->header,
			block->header->len - ISC_CHAIN_SIG, NULL, 0);
}

static void signed_bytes(const gchar purpose[8], const guint8 hash[32], guint8 out[40])
{
	memcpy(out, purpose, 8);
	memcpy(out + 8, hash, 32);
}

gboolean isc_block_is_signed(const IscBlock *block)
{
	guint8 hash[ISC_CHAIN_HASH], message[40];
	isc_block_hash(block, hash);
	signed_bytes(for_block, hash, message);
	return crypto_sign_verify_detached(
			       block->sig, message, sizeof message, block->header->pub) == 0;
}

static void origin_message(const IscChainOrigin *origin, const guint8 pub[32], guint8 out[40])
{
	guint8 hash[32];
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, sizeof hash);
	crypto_generichash_update(&state, (const guint8 *)origin->name, sizeof origin->name);
	crypto_generichash_update(&state, origin->trail, sizeof origin->trail);
	crypto_generichash_update(&state, pub, 32);
	crypto_generichash_final(&state, hash, sizeof hash);
	signed_bytes(for_origin, hash, out);
}

gboolean isc_chain_origin_is_signed(
		const IscChainOrigin *origin, const guint8 pub[32], const guint8 root[32])
{
	guint8 message[40];
	origin_message(origin, pub, message);
	return crypto_sign_verify_detached(origin->sig, message, sizeof message, root) == 0;
}

static void trim_message(const IscChainTrim *trim, const gchar name[32], const guint8 trail[16],
		guint8 out[40])
{
	guint8 hash[32];
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, sizeof hash);
	crypto_generichash_update(&state, (const guint8 *)name, 32);
	crypto_generichash_update(&state, trail, 16);
	crypto_generichash_update(&state, (const guint8 *)trim, G_STRUCT_OFFSET(IscChainTrim, sig));
	crypto_generichash_final(&state, hash, sizeof hash);
	signed_bytes(for_trim, hash, out);
}

void isc_chain_trim_sign(IscChainTrim *trim, const gchar name[32], const guint8 trail[16],
		const IscSealKey *root)
{
	guint8 message[40];
	trim_message(trim, name, trail, message);
	crypto_sign_detached(trim->sig, NULL, message, sizeof message, root->secret);
}

gboolean isc_chain_trim_is_signed(const IscChainTrim *trim, const gchar name[32],
		const guint8 trail[16], const guint8 root[32])
{
	guint8 message[40];
	trim_message(trim, name, trail, message);
	return crypto_sign_verify_detached(trim->sig, message, sizeof message, root) == 0;
}

/* --- keys
 * ----------------------------------------------------------------------------------------- */

static void derive(const guint8 seed[32], const guint8 *purpose, gsize len, guint8 out[32])
{
	crypto_generichash(out, 32, purpose, len, seed, 32);
}

static void pair_from_seed(IscChainKey *key)
{
	guint8 seed[32];
	derive(key->seed, for_sign, sizeof for_sign, seed);
	crypto_sign_seed_keypair(key->pub, key->secret, seed);
	sodium_memzero(seed, sizeof seed);
}

void isc_chain_key_new(IscChainKey *key)
{
	key->index = 0;
	randombytes_buf(key->seed, sizeof key->seed);
	pair_from_seed(key);
}

void isc_chain_key_evolve(IscChainKey *key, guint64 index)
{
	guint8 next[32];
	for (; key->index < index; key->index++) {
		derive(key->seed, for_next, sizeof for_next, next);
		memcpy(key->seed, next, sizeof next);
	}
	sodium_memzero(next, sizeof next);
	pair_from_seed(key);
}

static void slot_check(const Slot *slot, guint8 out[16])
{
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, 16);
	crypto_generichash_update(&state, for_slot, sizeof for_slot);
	crypto_generichash_update(&state, (const guint8 *)slot, G_STRUCT_OFFSET(Slot, check));
	crypto_generichash_final(&state, out, 16);
}

void isc_chain_key_print(const IscChainKey *key, guint8 out[ISC_CHAIN_SLOT])
{
	Slot slot = { KEY_MAGIC, key->index, { 0 }, { 0 } };
	memcpy(slot.seed, key->seed, sizeof slot.seed);
	slot_check(&slot, slot.check);
	memcpy(out, &slot, sizeof slot);
	sodium_memzero(&slot, sizeof slot);
}

gboolean isc_chain_key_parse(const guint8 *bytes, gsize len, IscChainKey *out)
{
	Slot slot;
	guint8 check[16];
	if (len != sizeof slot)
		return FALSE;
	memcpy(&slot, bytes, sizeof slot);
	slot_check(&slot, check);
	if (slot.magic != KEY_MAGIC || memcmp(check, slot.check, sizeof check) != 0)
		return FALSE;
	out->index = slot.index;
	memcpy(out->seed, slot.seed, sizeof out->seed);
	pair_from_seed(out);
	sodium_memzero(&slot, sizeof slot);
	return TRUE;
}

/* --- writing
 * -------------------------------------------------------------------------------------- */

void isc_chain_origin_init(IscChainOrigin *origin, const gchar *name, const guint8 trail[16],
		const IscSealKey *root, const guint8 pub[32], gboolean sign)
{
	memset(origin, 0, sizeof *origin);
	g_strlcpy(origin->name, name, sizeof origin->name);
	memcpy(origin->trail, trail, sizeof origin->trail);
	memcpy(origin->root, root->pub, sizeof origin->root);
	if (!sign)
		return;
	guint8 message[40];
	origin_message(origin, pub, message);
	crypto_sign_detached(origin->sig, NULL, message, sizeof message, root->secret);
}

void isc_block_append(GByteArray *out, IscChainHeader *header, const void *payload,
		gsize payload_len, IscChainKey *key, guint8 hash[ISC_CHAIN_HASH])
{
	guint start = out->len;
	guint8 message[40], sig[ISC_CHAIN_SIG], secret[64];

	header->magic = ISC_CHAIN_MAGIC;
	header->len = (guint32)(sizeof *header + payload_len + ISC_CHAIN_SIG);
	header->index = key->index;
	memcpy(header->pub, key->pub, sizeof header->pub);
	memcpy(secret, key->secret, sizeof secret);
	isc_chain_key_evolve(key, key->index + 1);
	memcpy(header->next_pub, key->pub, sizeof header->next_pub);

	g_byte_array_append(out, (const guint8 *)header, sizeof *header);
	if (payload_len)
		g_byte_array_append(out, payload, (guint)payload_len);
	crypto_generichash(hash, ISC_CHAIN_HASH, out->data + start, out->len - start, NULL, 0);
	signed_bytes(for_block, hash, message);
	crypto_sign_detached(sig, NULL, message, sizeof message, secret);
	g_byte_array_append(out, sig, sizeof sig);
	sodium_memzero(secret, sizeof secret);
}

/* --- the dock's own key ----------------------------------------------------------------------- */

static gboolean write_hex(
		int dir_fd, const gchar *name, const guint8 *bytes, mode_t mode, GError **error)
{
	gchar text[8 + 64 + 2] = "ed25519 ";
	sodium_bin2hex(text + 8, 65, bytes, 32);
	text[72] = '\n';
	gboolean ok = isc_file_write(dir_fd, name, text, 73, mode, error);
	sodium_memzero(text, sizeof text);
	return ok;
}

gboolean isc_seal_key_load(int dir_fd, IscSealKey *out, GError **error)
{
	guint8 seed[32];
	struct stat st;

	if (fstatat(dir_fd, "seal.key", &st, AT_SYMLINK_NOFOLLOW) != 0) {
		randombytes_buf(seed, sizeof seed);
		if (!write_hex(dir_fd, "seal.key", seed, 0600, error))
			return FALSE;
	} else if (st.st_mode & 077) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"seal.key: others can read it: chmod 600, and take a new one if "
				"somebody did");
		return FALSE;
	} else {
		gsize len;
		gchar *text = isc_file_read(dir_fd, "seal.key", 128, &len, error);
		gboolean ok = text && isc_seal_pub_parse(text, len, seed, error);
		if (text)
			sodium_memzero(text, len);
		g_free(text);
		if (!ok) {
			g_prefix_error(error, "seal.key: ");
			return FALSE;
		}
	}
	crypto_sign_seed_keypair(out->pub, out->secret, seed);
	sodium_memzero(seed, sizeof seed);

	g_autofree gchar *pub = isc_file_read(dir_fd, ISC_SEAL_PUB, 128, NULL, NULL);
	guint8 there[32];
	if (pub && isc_seal_pub_parse(pub, strlen(pub), there, NULL) &&
			memcmp(there, out->pub, 32) == 0)
		return TRUE;
	return write_hex(dir_fd, ISC_SEAL_PUB, out->pub, 0644, error);
}
