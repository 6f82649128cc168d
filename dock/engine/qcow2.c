#include "engine/qcow2.h"

#include <string.h>

#include "base/error.h"

#define MAGIC 0x514649fbu /* "QFI\xfb" */
#define EXTENSION_END 0u
#define EXTENSION_CRYPTO 0x0537be77u
#define EXTENSION_LENGTH 0x4953434cu /* "ISCL": ours */
#define LENGTH_BYTES 16              /* of it, its head included */
#define CRYPT_LUKS 2
#define HEADER_V3_MIN 104
#define FILE_MAX (G_GUINT64_CONSTANT(1) << 56)

static guint32 be32(const guint8 *p)
{
	guint32 n;
	memcpy(&n, p, sizeof n);
	return GUINT32_FROM_BE(n);
}

static guint64 be64(const guint8 *p)
{
	guint64 n;
	memcpy(&n, p, sizeof n);
	return GUINT64_FROM_BE(n);
}

static gboolean bad(GError **error, const gchar *why)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "no qcow2 file as the dock makes them: %s",
			why);
	return FALSE;
}

/* Walks the extensions from @pos: type, length, data padded to 8 bytes.  Behind the crypto one they
 * may go on out of sight.  *@end: where the last one is, or 0; *@noted: ours, or 0 */
static gboolean walk(const guint8 *bytes, gsize len, gsize pos, IscQcow2 *out, gsize *end,
		gsize *noted, GError **error)
{
	gboolean found = FALSE;
	*end = *noted = 0;
	for (;;) {
		if (pos > len || len - pos < 8)
			return found || bad(error, "its header extensions do not end");
		guint32 type = be32(bytes + pos), size = be32(bytes + pos + 4);
		if (type == EXTENSION_END) {
			*end = pos;
			return found || bad(error, "it names no LUKS region");
		}
		pos += 8;
		if (size > len - pos)
			return found || bad(error, "a header extension is too long");
		if (type == EXTENSION_CRYPTO) {
			if (size != 16)
				return bad(error, "its crypto extension has a wrong size");
			out->luks_offset = be64(bytes + pos);
			out->luks_length = be64(bytes + pos + 8);
			found = TRUE;
		} else if (type == EXTENSION_LENGTH && size == 8) {
			out->length = be64(bytes + pos);
			*noted = pos - 8;
		}
		pos += ((gsize)size + 7) & ~(gsize)7;
	}
}

gboolean isc_qcow2_parse(const guint8 *bytes, gsize len, IscQcow2 *out, GError **error)
{
	if (len < 512 || be32(bytes) != MAGIC)
		return bad(error, "wrong magic");
	if (be32(bytes + 4) != 3)
		return bad(error, "not version 3");
	if (be64(bytes + 8) != 0)
		return bad(error, "it has a backing file");
	guint32 cluster_bits = be32(bytes + 20);
	if (cluster_bits < 9 || cluster_bits > 21)
		return bad(error, "its cluster size is out of range");
	if (be32(bytes + 32) != CRYPT_LUKS)
		return bad(error, "it is not encrypted with LUKS");
	if (be64(bytes + 72) != 0)
		return bad(error, "it is dirty, corrupt, or has an external data file");
	guint32 header_length = be32(bytes + 100);
	if (header_length < HEADER_V3_MIN || header_length % 8 != 0)
		return bad(error, "its header length is out of range");

	/* The header and its extensions lie in the first cluster. */
	guint64 cluster = G_GUINT64_CONSTANT(1) << cluster_bits;
	IscQcow2 found = { .size = be64(bytes + 24) };
	gsize end, noted;
	if (!walk(bytes, (gsize)MIN(len, cluster), header_length, &found, &end, &noted, error))
		return FALSE;
	if (found.luks_offset < cluster || found.luks_offset % cluster != 0 ||
			found.luks_offset > FILE_MAX || found.luks_length == 0 ||
			found.luks_length > FILE_MAX)
		return bad(error, "its LUKS region is out of range");
	*out = found;
	return TRUE;
}

gboolean isc_qcow2_note_length(guint8 *bytes, gsize len, guint64 length, GError **error)
{
	static const guint8 nothing[LENGTH_BYTES];
	IscQcow2 info;
	gsize end, noted;
	if (!isc_qcow2_parse(bytes, len, &info, error))
		return FALSE;
	gsize room = (gsize)MIN(len, G_GUINT64_CONSTANT(1) << be32(bytes + 20));
	if (!walk(bytes, room, be32(bytes + 100), &info, &end, &noted, error))
		return FALSE;
	/* Behind the end: its own 8 bytes, and as many as ours takes, hold nothing. */
	gboolean fits = end && room - end >= LENGTH_BYTES + 8 &&
			memcmp(bytes + end, nothing, 8) == 0 &&
			memcmp(bytes + end + 8, nothing, LENGTH_BYTES) == 0;
	if (!noted && !fits) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"its header has no room for another extension");
		return FALSE;
	}
	const guint32 head[] = { GUINT32_TO_BE(EXTENSION_LENGTH), GUINT32_TO_BE(8) };
	const guint64 value = GUINT64_TO_BE(length);
	guint8 *at = bytes + (noted ? noted : end);
	memcpy(at, head, sizeof head);
	memcpy(at + sizeof head, &value, sizeof value);
	return TRUE;
}
