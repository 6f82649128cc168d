#include "cli/anchors.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "cli/audit-report.h"

void isc_anchors_free(IscAnchors *a)
{
	if (!a)
		return;
	g_hash_table_unref(a->trails);
	g_free(a);
}

static gboolean parse_line(IscAnchors *a, const gchar *line, GError **error)
{
	g_auto(GStrv) words = g_strsplit_set(line, " \t", -1);
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
	if (!isc_audit_anchor_parse(words[1], &anchor, error))
		return FALSE;
	GArray *list = g_hash_table_lookup(a->trails, words[0]);
	if (!list) {
		list = g_array_new(FALSE, FALSE, sizeof(IscTrailAnchor));
		g_hash_table_insert(a->trails, g_strdup(words[0]), list);
	}
	g_array_append_val(list, anchor);
	return TRUE;
}

IscAnchors *isc_anchors_parse(const gchar *text, gsize len, GError **error)
{
	g_autoptr(IscAnchors) a = g_new0(IscAnchors, 1);
	a->trails = g_hash_table_new_full(
			g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
	g_autofree gchar *copy = g_strndup(text, len);
	g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
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

void isc_anchors_print_trail(GString *out, const gchar *name, const IscTrailReport *report)
{
	g_autofree gchar *end = isc_audit_anchor_print(report);
	g_string_append_printf(out, "%s %s %" G_GUINT64_FORMAT "\n", name, end, report->records);
}

void isc_anchors_print_key(GString *out, const guint8 key[32])
{
	g_autofree gchar *hex = isc_audit_hex(key, 32);
	g_string_append_printf(out, "key ed25519 %s\n", hex);
}
