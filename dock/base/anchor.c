#include "base/anchor.h"

#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"

#define KEY_PREFIX "ed25519 "

gboolean isc_seal_pub_parse(const gchar *text, gsize len, guint8 out[32], GError **error)
{
	const gsize at = strlen(KEY_PREFIX);
	guint8 key[32];
	gsize n;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\0'))
		len--;
	if (len == at + 2 * sizeof key && memcmp(text, KEY_PREFIX, at) == 0 &&
			sodium_hex2bin(key, sizeof key, text + at, len - at, NULL, &n, NULL) == 0 &&
			n == sizeof key) {
		memcpy(out, key, sizeof key);
		sodium_memzero(key, sizeof key);
		return TRUE;
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"no seal key: want \"" KEY_PREFIX "\" and %" G_GSIZE_FORMAT " hex digits",
			2 * sizeof key);
	return FALSE;
}

gchar *isc_trail_anchor_print(const IscTrailAnchor *anchor)
{
	gchar hex[2 * sizeof anchor->head + 1];
	sodium_bin2hex(hex, sizeof hex, anchor->head, sizeof anchor->head);
	return g_strdup_printf("%" G_GUINT64_FORMAT ":%s", anchor->block, hex);
}

gboolean isc_trail_anchor_parse(const gchar *text, IscTrailAnchor *out, GError **error)
{
	const gchar *colon = strchr(text, ':');
	g_autofree gchar *number = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;
	IscTrailAnchor anchor;
	gsize n;

	if (number && g_ascii_string_to_unsigned(number, 10, 0, G_MAXUINT64, &anchor.block, NULL) &&
			strlen(colon + 1) == 2 * sizeof anchor.head &&
			sodium_hex2bin(anchor.head, sizeof anchor.head, colon + 1,
					2 * sizeof anchor.head, NULL, &n, NULL) == 0 &&
			n == sizeof anchor.head) {
		*out = anchor;
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(text, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is no anchor: want BLOCK:HASH, as 'audit verify' prints the end of a "
			"trail",
			shown);
	return FALSE;
}
