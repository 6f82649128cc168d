#include "base/name.h"

#include <string.h>

#include "base/error.h"

static gboolean is_within(const gchar *text, const gchar *first, const gchar *more, gsize max)
{
	if (!text || !*text || !strchr(first, *text))
		return FALSE;
	gsize len = strspn(text, more);
	return text[len] == '\0' && len <= max;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

gboolean isc_name_is_valid(const gchar *name)
{
	return is_within(name, LOWER, LOWER DIGIT "-", ISC_NAME_MAX);
}

gboolean isc_name_is_trail(const gchar *name)
{
	return isc_name_is_valid(name) || g_strcmp0(name, ISC_TRAIL_DOCK) == 0;
}

gboolean isc_name_check(const gchar *what, const gchar *name, GError **error)
{
	if (isc_name_is_valid(name))
		return TRUE;
	g_autofree gchar *shown = isc_text_escape(name ? name : "", -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is no %s name: use 1 to %d of a-z, 0-9 and '-', the first one a "
			"letter",
			shown, what, ISC_NAME_MAX);
	return FALSE;
}

gboolean isc_digest_is_valid(const gchar *digest)
{
	return is_within(digest, "abcdef" DIGIT, "abcdef" DIGIT, ISC_DIGEST_LEN) &&
	       strlen(digest) == ISC_DIGEST_LEN;
}

gboolean isc_version_is_valid(const gchar *version)
{
	return is_within(version, DIGIT UPPER LOWER, DIGIT UPPER LOWER ".+~-", 64);
}

gboolean isc_key_is_valid(const gchar *key)
{
	return is_within(key, UPPER LOWER "_", UPPER LOWER DIGIT "_.-", 63);
}

gchar *isc_text_escape(const gchar *bytes, gssize len, gsize max)
{
	gsize n = len < 0 ? strlen(bytes) : (gsize)len;
	gsize end = MIN(n, max);
	GString *out = g_string_sized_new(end + 8);

	for (gsize i = 0; i < end;) {
		gunichar c = g_utf8_get_char_validated(bytes + i, (gssize)(n - i));
		gboolean bad = c == (gunichar)-1 || c == (gunichar)-2 || c == 0;
		gsize step = bad ? 1 : (gsize)g_unichar_to_utf8(c, NULL);

		if (bad || c == '\\' || g_unichar_iscntrl(c) ||
				g_unichar_type(c) == G_UNICODE_FORMAT ||
				g_unichar_type(c) == G_UNICODE_LINE_SEPARATOR)
			for (gsize k = 0; k < step; k++)
				g_string_append_printf(out, "\\x%02x", (guchar)bytes[i + k]);
		else
			g_string_append_len(out, bytes + i, (gssize)step);
		i += step;
	}
	if (end < n)
		g_string_append(out, "…");
	return g_string_free(out, FALSE);
}

static gboolean is_label(const gchar *label)
{
	gsize len = strlen(label);
	return len >= 1 && len <= 63 && label[0] != '-' && label[len - 1] != '-' &&
	       strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

gboolean isc_host_is_valid(const gchar *text)
{
	if (!text || strlen(text) > ISC_HOST_MAX)
		return FALSE;
	g_auto(GStrv) labels = g_strsplit(text, ".", -1);
	guint n = g_strv_length(labels);
	for (guint i = 0; i < n; i++)
		if (!is_label(labels[i]))
			return FALSE;
	/* No top-level domain is a number (RFC 3696): this is an address, or meant as one. */
	return n >= 2 && strspn(labels[n - 1], "0123456789") != strlen(labels[n - 1]);
}
