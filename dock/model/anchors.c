#include "model/anchors.h"

#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"

#define SIGNATURE "untrusted comment:" /* how one begins, see base/minisign.c */

void isc_anchors_free(IscAnchors *a)
{
	if (!a)
		return;
	g_hash_table_unref(a->trails);
	g_free(a->text);
	g_free(a->signature);
	g_free(a);
}

static gboolean parse_line(IscAnchors *a, const gchar *line, GError **error)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t\r", -1);
	guint n = 0;
	for (guint i = 0; words[i]; i++)
		if (*words[i])
			words[n++] = words[i];
		else
			g_free(words[i]);
	words[n] = NULL;
	if (n == 0 || *words[0] == '#')
		return TRUE;
	if (n == 3 && g_str_equal(words[0], "key")) {
		g_autofree gchar *key = g_strconcat(words[1], " ", words[2], NULL);
		a->has_key = TRUE;
		return isc_seal_pub_parse(key, strlen(key), a->key, error);
	}
	IscTrailAnchor anchor;
	if (n < 2 || !isc_name_is_trail(words[0] + (*words[0] == ISC_TRAIL_PACKETS))) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"want 'NAME BLOCK:HASH …', as 'audit anchor' prints it");
		return FALSE;
	}
	if (!isc_trail_anchor_parse(words[1], &anchor, error))
		return FALSE;
	GArray *list = g_hash_table_lookup(a->trails, words[0]);
	if (!list) {
		list = g_array_new(FALSE, FALSE, sizeof(IscTrailAnchor));
		g_hash_table_insert(a->trails, g_strdup(words[0]), list);
	}
	g_array_append_val(list, anchor);
	return TRUE;
}

/* Where the signature begins in @text; its length where there is none. */
static gsize find_signature(const gchar *text, gsize len)
{
	if (g_str_has_prefix(text, SIGNATURE))
		return 0;
	const gchar *at = strstr(text, "\n" SIGNATURE);
	return at ? (gsize)(at + 1 - text) : len;
}

IscAnchors *isc_anchors_parse(const gchar *text, gsize len, GError **error)
{
	g_autoptr(IscAnchors) a = g_new0(IscAnchors, 1);
	a->trails = g_hash_table_new_full(
			g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
	if (memchr(text, '\0', len)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "it is no text");
		return NULL;
	}
	a->text = g_strndup(text, len);
	a->text_len = find_signature(a->text, len);
	if (a->text_len < len) {
		a->signature = g_strdup(a->text + a->text_len);
		a->text[a->text_len] = '\0';
	}
	g_auto(GStrv) lines = g_strsplit(a->text, "\n", -1);
	for (guint i = 0; lines[i]; i++)
		if (!parse_line(a, lines[i], error)) {
			g_prefix_error(error, "line %u: ", i + 1);
			return NULL;
		}
	if (g_hash_table_size(a->trails) > 0)
		return g_steal_pointer(&a);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "no anchor is in it");
	return NULL;
}

gboolean isc_anchors_check(
		const IscAnchors *a, const IscPublicKey *key, gchar **comment, GError **error)
{
	return isc_minisign_verify(key, 1, a->text, a->text_len, a->signature, strlen(a->signature),
			comment, NULL, error);
}

void isc_anchors_print_head(GString *out, gint64 now, const guint8 key[32])
{
	gchar hex[65];
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(now);
	g_autofree gchar *shown = g_date_time_format(when, "%Y-%m-%d %H:%M:%S UTC");
	g_string_append_printf(out,
			"# ends of audit trails, %s; check with: isc-vm audit verify --all "
			"--anchors THIS_FILE\n"
			"key ed25519 %s\n",
			shown, sodium_bin2hex(hex, sizeof hex, key, 32));
}

void isc_anchors_print_trail(
		GString *out, const gchar *name, const IscTrailAnchor *end, guint64 records)
{
	g_autofree gchar *text = isc_trail_anchor_print(end);
	g_string_append_printf(out, "%s %s %" G_GUINT64_FORMAT "\n", name, text, records);
}
