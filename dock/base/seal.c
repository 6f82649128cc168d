#include "base/seal.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

#define BLOCK ((gsize)64 * 1024)
#define SEALED (BLOCK + crypto_secretstream_xchacha20poly1305_ABYTES)
#define KEY_BYTES crypto_secretstream_xchacha20poly1305_KEYBYTES
#define HEADER_BYTES crypto_secretstream_xchacha20poly1305_HEADERBYTES

/* All that is secret lies in here. */
typedef struct {
	guint8 key[KEY_BYTES];
	crypto_secretstream_xchacha20poly1305_state state;
	guint8 plain[BLOCK], sealed[SEALED];
} Work;

static void work_free(Work *work)
{
	sodium_free(work); /* zeroes it */
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Work, work_free)

static Work *work_new(const gchar *key, GError **error)
{
	g_autoptr(Work) work = sodium_init() < 0 ? NULL : sodium_malloc(sizeof(Work));
	gsize len = 0;
	if (!work) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "no locked memory for a key");
		return NULL;
	}
	if (sodium_hex2bin(work->key, KEY_BYTES, key, strlen(key), NULL, &len, NULL) != 0 ||
			len != KEY_BYTES) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "the key is no key");
		return NULL;
	}
	return g_steal_pointer(&work);
}

/* @max bytes, fewer only at the end.  Returns: -1 with error set */
static gssize fill(int fd, guint8 *out, gsize max, GError **error)
{
	gsize have = 0;
	while (have < max) {
		gssize n = read(fd, out + have, max - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			isc_error_set_errno(error, errno, "cannot read what is to be sealed");
			return -1;
		}
		if (n == 0)
			break;
		have += (gsize)n;
	}
	return (gssize)have;
}

gboolean isc_seal(int from, int to, const gchar *key, GError **error)
{
	guint8 header[HEADER_BYTES];
	g_autoptr(Work) work = work_new(key, error);
	if (!work)
		return FALSE;
	crypto_secretstream_xchacha20poly1305_init_push(&work->state, header, work->key);
	if (!isc_file_write_all(to, ISC_SEAL_MAGIC, strlen(ISC_SEAL_MAGIC), error) ||
			!isc_file_write_all(to, header, sizeof header, error))
		return FALSE;
	for (;;) {
		gssize n = fill(from, work->plain, BLOCK, error);
		unsigned long long len = 0;
		if (n < 0)
			return FALSE;
		gboolean last = (gsize)n < BLOCK;
		crypto_secretstream_xchacha20poly1305_push(&work->state, work->sealed, &len,
				work->plain, (unsigned long long)n, NULL, 0,
				last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
				     : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
		if (!isc_file_write_all(to, work->sealed, (gsize)len, error))
			return FALSE;
		if (last)
			return TRUE;
	}
}

static gboolean bad(GError **error, const gchar *why)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "sealed stream: %s", why);
	return FALSE;
}

gboolean isc_unseal(int from, int to, const gchar *key, GError **error)
{
	const gsize magic = strlen(ISC_SEAL_MAGIC);
	g_autoptr(Work) work = work_new(key, error);
	if (!work)
		return FALSE;
	gssize n = fill(from, work->sealed, magic + HEADER_BYTES, error);
	if (n < 0)
		return FALSE;
	if ((gsize)n != magic + HEADER_BYTES || memcmp(work->sealed, ISC_SEAL_MAGIC, magic) != 0)
		return bad(error, "it is none");
	if (crypto_secretstream_xchacha20poly1305_init_pull(
			    &work->state, work->sealed + magic, work->key) != 0)
		return bad(error, "its header is damaged");
	for (;;) {
		unsigned long long len = 0;
		unsigned char tag = 0;
		n = fill(from, work->sealed, SEALED, error);
		if (n < 0)
			return FALSE;
		if ((gsize)n < crypto_secretstream_xchacha20poly1305_ABYTES)
			return bad(error, "its end is missing");
		if (crypto_secretstream_xchacha20poly1305_pull(&work->state, work->plain, &len,
				    &tag, work->sealed, (unsigned long long)n, NULL, 0) != 0)
			return bad(error, "it does not open: another key, or it was changed");
		if (!isc_file_write_all(to, work->plain, (gsize)len, error))
			return FALSE;
		if (tag != crypto_secretstream_xchacha20poly1305_TAG_FINAL)
			continue;
		n = fill(from, work->sealed, 1, error);
		return n == 0 || (n > 0 && bad(error, "something is behind its end"));
	}
}
