#include "daemon/options.h"

#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "base/name.h"

/* clang-format off */
static const struct {
	const gchar *name, *type;
	gsize offset;
} table[] = {
	{ "dry-run", "b", offsetof(IscOptions, dry_run) },
	{ "enable",  "b", offsetof(IscOptions, enable) },
	{ "force",   "b", offsetof(IscOptions, force) },
	{ "keep",    "u", offsetof(IscOptions, keep) },
	{ "memory",  "b", offsetof(IscOptions, memory) },
	{ "pause",   "b", offsetof(IscOptions, pause) },
	{ "repair",  "b", offsetof(IscOptions, repair) },
	{ "seconds", "u", offsetof(IscOptions, seconds) },
	{ "timeout", "u", offsetof(IscOptions, timeout) },
	{ "in-place", "b", offsetof(IscOptions, in_place) },
	{ "drain",   "u", offsetof(IscOptions, drain) },
};
/* clang-format on */

static gboolean take(const gchar *key, GVariant *value, const gchar *allowed, IscOptions *out,
		GError **error)
{
	g_autofree gchar *word = g_strconcat(key, " ", NULL);
	const gchar *at = strstr(allowed, word);

	for (gsize i = 0; at && (at == allowed || at[-1] == ' ') && i < G_N_ELEMENTS(table); i++) {
		if (!g_str_equal(table[i].name, key))
			continue;
		if (!g_variant_is_of_type(value, G_VARIANT_TYPE(table[i].type))) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"option '%s' must be of type '%s'", key, table[i].type);
			return FALSE;
		}
		g_variant_get(value, table[i].type, (gchar *)out + table[i].offset);
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(key, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "no option '%s' here; there are: %s",
			shown, *allowed ? allowed : "none");
	return FALSE;
}

gboolean isc_options_parse(GVariant *dict, const gchar *allowed, IscOptions *out, GError **error)
{
	GVariantIter iter;
	const gchar *key;
	GVariant *value;

	*out = (IscOptions){ .enable = TRUE, .drain = G_MAXUINT };
	g_variant_iter_init(&iter, dict);
	while (g_variant_iter_next(&iter, "{&sv}", &key, &value)) {
		gboolean ok = take(key, value, allowed, out, error);
		g_variant_unref(value);
		if (!ok)
			return FALSE;
	}
	if (out->timeout > 3600) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"option 'timeout' is above 3600 s");
		return FALSE;
	}
	if (out->drain > 3600 && out->drain != G_MAXUINT) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "option 'drain' is above 3600 s");
		return FALSE;
	}
	return TRUE;
}
