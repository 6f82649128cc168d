#pragma once
/*
 * The chain beside the audit lines: what an auditor checks them with.  Pure: bytes in, bytes out.
 *
 * audit.log holds the lines, audit.chain one block for each group commit, appended and never
 * changed:
 *
 *   IscChainHeader (208 bytes) · payload · Ed25519 signature (64 bytes)      all numbers
 * little-endian
 *
 * The payload of a BATCH is one IscChainEntry (48 bytes) for each line, with the BLAKE2b-256 of its
 * bytes, newline included; so the first bad line is named, and told from one that was put in, taken
 * out or moved.  The hash of a block (BLAKE2b-256 of header and payload) stands in the next block's
 * `prev`: a chain over every record.
 *
 * Keys go forward only.  Block i is signed by key i, which is used once; it names the public half
 * of key i + 1; seed i + 1 is BLAKE2b of seed i, and seed i is overwritten as soon as the block is
 * on disk.  Who takes over the dock at block i can lie from then on, but no key is left that could
 * sign another block i - 1, not even the key of the dock itself, which signs the first block only.
 * Everybody can check this with the public halves alone.
 */
#include <glib.h>

#define ISC_CHAIN_MAGIC 0x42435349u /* "ISCB" */
#define ISC_CHAIN_HASH 32
#define ISC_CHAIN_SIG 64
#define ISC_CHAIN_RECORDS_MAX 65536u /* records of one block */
#define ISC_CHAIN_LINE_MAX 32768u    /* bytes of one line, newline included */
#define ISC_CHAIN_BLOCK_MAX                                                                        \
	(sizeof(IscChainHeader) + ISC_CHAIN_RECORDS_MAX * sizeof(IscChainEntry) + ISC_CHAIN_SIG)

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

typedef enum {
	ISC_CHAIN_GENESIS = 1, /* first of a trail; payload: IscChainOrigin, signed by the dock's
				  own key as well */
	ISC_CHAIN_SEGMENT = 2, /* first of a later file; payload: IscChainOrigin */
	ISC_CHAIN_BATCH = 3,   /* payload: n entries */
	ISC_CHAIN_OPEN = 4,    /* the collector took the trail up again; payload: IscChainNote */
	ISC_CHAIN_CLOSE = 5,   /* the node is gone, or the collector ended in order; no payload */
	ISC_CHAIN_ROTATE = 6,  /* last of a file: the next one goes on; no payload */
	ISC_CHAIN_TRIM = 7,    /* retention: earlier files go now; payload: IscChainTrim */
} IscChainKind;

/* flags of a header */
#define ISC_CHAIN_BROKEN                                                                           \
	1u /* GENESIS: begun anew because what lay there was not as it had been left */

/* flags of an entry */
#define ISC_RECORD_DOCK 1u    /* the dock's own line; no guest wrote it */
#define ISC_RECORD_ESCAPED 2u /* control characters of the guest's text were written as \xNN */

typedef struct __attribute__((packed)) {
	guint32 magic;
	guint32 len; /* of the whole block, signature included */
	guint16 kind;
	guint16 flags;
	guint32 n;      /* entries */
	guint64 index;  /* 0, 1, 2 … through all files of the trail: also the number of the key */
	guint64 first;  /* number of the first record of this block, from 1 */
	guint64 offset; /* bytes of this file's audit.log before it */
	gint64 time;    /* host clock, µs since 1970 */
	gint64 uptime;  /* µs since the host's boot (CLOCK_BOOTTIME): shows a clock that was set */
	guint64 session; /* of the guest: everything up to `frame` on the audit and `control` on the
			    control port */
	guint64 frame;   /* … is on disk with this block */
	guint64 control;
	guint64 kernel_lost; /* the guest kernel's own counter in this session, as last claimed */
	guint64 lost;        /* records known lost, since the trail began */
	guint64 bad;         /* times that the node broke the protocol, since the trail began */
	guint32 segment;     /* number of the file, from 1 */
	guint32 reserved;    /* 0 */
	guint8 prev[ISC_CHAIN_HASH];     /* hash of the block before; 0 in GENESIS */
	guint8 pub[ISC_CHAIN_HASH];      /* the key that signed this block */
	guint8 next_pub[ISC_CHAIN_HASH]; /* the only key that may sign the next one */
} IscChainHeader;
G_STATIC_ASSERT(sizeof(IscChainHeader) == 208);

typedef struct __attribute__((packed)) {
	guint32 len;   /* bytes of the line, newline included: 1..ISC_CHAIN_LINE_MAX */
	guint32 age;   /* µs from its arrival to the block's `time` */
	guint16 type;  /* audit message type */
	guint16 flags; /* ISC_RECORD_… */
	guint32 frame; /* header.frame minus the frame that brought it */
	guint8 hash[ISC_CHAIN_HASH];
} IscChainEntry;
G_STATIC_ASSERT(sizeof(IscChainEntry) == 48);

typedef struct __attribute__((packed)) {
	gchar name[32];            /* of the node, NUL-padded */
	guint8 trail[16];          /* random: this trail and no other */
	guint8 root[32];           /* public key of the dock (seal.pub) */
	guint8 sig[ISC_CHAIN_SIG]; /* GENESIS: the dock's, over name, trail and pub; else 0 */
} IscChainOrigin;

typedef struct __attribute__((packed)) {
	guint64 cut_log; /* bytes behind the last sealed record that were cut off: never
			    acknowledged, so sent again */
	guint64 cut_chain;
} IscChainNote;

/* What retention leaves.  The trail then begins with a file whose first block no other vouches for:
 * the dock's own key does, for that block as it stands, and the chain of keys for this record of
 * it.  So files that somebody else takes away are still found to be missing. */
typedef struct __attribute__((packed)) {
	guint32 segment;             /* number of the first file that is kept */
	guint32 reserved;            /* 0 */
	guint64 index;               /* of its first block */
	guint64 first;               /* number of its first record */
	guint8 head[ISC_CHAIN_HASH]; /* hash of its first block */
	guint8 sig[ISC_CHAIN_SIG];   /* the dock's, over name, trail and all above */
} IscChainTrim;

/* A block as it lies in memory; borrowed from the bytes given. */
typedef struct {
	const IscChainHeader *header;
	const guint8 *payload;
	gsize payload_len;
	const guint8 *sig;
} IscBlock;

typedef enum {
	ISC_BLOCK_OK,
	ISC_BLOCK_SHORT, /* goes on behind @len */
	ISC_BLOCK_BAD,   /* no block */
} IscBlockState;

/* Finds the block at the start of @bytes; checks structure, not signature.  Never reads beyond
 * @len. */
IscBlockState isc_block_parse(const guint8 *bytes, gsize len, IscBlock *out)
		G_GNUC_WARN_UNUSED_RESULT;

/* The entries of a BATCH; header->n of them. */
const IscChainEntry *isc_block_entries(const IscBlock *block);

/* Bytes of audit.log that the block covers. */
guint64 isc_block_log_bytes(const IscBlock *block);

void isc_block_hash(const IscBlock *block, guint8 out[ISC_CHAIN_HASH]);

/* Whether the signature is by the key that the block itself names. */
gboolean isc_block_is_signed(const IscBlock *block);

/* Whether @origin carries the signature of @root over a first block whose key is @pub. */
gboolean isc_chain_origin_is_signed(
		const IscChainOrigin *origin, const guint8 pub[32], const guint8 root[32]);

/* The dock's own key pair: seal.key and seal.pub. */
typedef struct {
	guint8 pub[32];
	guint8 secret[64];
} IscSealKey;

/* Signs @trim, which is filled in but for `sig`.  @name: 32 bytes, NUL-padded */
void isc_chain_trim_sign(IscChainTrim *trim, const gchar name[32], const guint8 trail[16],
		const IscSealKey *root);
gboolean isc_chain_trim_is_signed(const IscChainTrim *trim, const gchar name[32],
		const guint8 trail[16], const guint8 root[32]);

/* Takes the one in @dir_fd, or makes it: "seal.key" 0600 and "seal.pub" 0644, each "ed25519 " and
 * hex digits. Errors: ISC_ERROR_INVALID (no usable key, or one that others can read),
 * ISC_ERROR_FAILED. */
gboolean isc_seal_key_load(int dir_fd, IscSealKey *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The evolving key.  Secret: clear with sodium_memzero(). */
typedef struct {
	guint64 index;
	guint8 seed[32];
	guint8 pub[32];
	guint8 secret[64];
} IscChainKey;

#define ISC_CHAIN_SLOT 64 /* bytes of a key on disk (chain.key) */

void isc_chain_key_new(IscChainKey *key);                   /* random, index 0 */
void isc_chain_key_evolve(IscChainKey *key, guint64 index); /* forward to @index */
void isc_chain_key_print(const IscChainKey *key, guint8 out[ISC_CHAIN_SLOT]);
gboolean isc_chain_key_parse(const guint8 *bytes, gsize len, IscChainKey *out)
		G_GNUC_WARN_UNUSED_RESULT;

void isc_chain_origin_init(IscChainOrigin *origin, const gchar *name, const guint8 trail[16],
		const IscSealKey *root, const guint8 pub[32], gboolean sign);

/**
 * isc_block_append:
 * @out: the block is added at its end
 * @header: magic, len, index and the keys are filled in here, the rest by the caller
 * @key: signs, and moves on by one
 * @hash: (out): of the new block
 */
void isc_block_append(GByteArray *out, IscChainHeader *header, const void *payload,
		gsize payload_len, IscChainKey *key, guint8 hash[ISC_CHAIN_HASH]);
