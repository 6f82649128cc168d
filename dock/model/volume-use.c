#include "model/volume-use.h"

#include <string.h>

#include "base/error.h"

/* --- size ---------------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	gchar letter;
	guint mib;
} units[] = { { 'T', 1048576 }, { 'G', 1024 }, { 'M', 1 } };
/* clang-format on */

gboolean isc_volume_size_parse(const gchar *text, guint *mib, GError **error)
{
	gchar *end = NULL;
	guint64 n = g_ascii_isdigit(*text) ? g_ascii_strtoull(text, &end, 10) : 0;
	guint factor = 1;
	for (gsize i = 0; end && i < G_N_ELEMENTS(units); i++)
		if (*end && g_ascii_toupper(*end) == units[i].letter && !end[1]) {
			factor = units[i].mib;
			end++;
		}
	if (end && !*end && n <= ISC_VOLUME_SIZE_MAX && n * factor >= ISC_VOLUME_SIZE_MIN &&
			n * factor <= ISC_VOLUME_SIZE_MAX) {
		*mib = (guint)(n * factor);
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(text, -1, 32);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is no size of a volume: use a number with M, G or T behind it, %dM "
			"to %dT",
			shown, ISC_VOLUME_SIZE_MIN, ISC_VOLUME_SIZE_MAX / 1048576);
	return FALSE;
}

gchar *isc_volume_size_print(guint mib)
{
	for (gsize i = 0; i < G_N_ELEMENTS(units); i++)
		if (mib % units[i].mib == 0)
			return g_strdup_printf("%u%c", mib / units[i].mib, units[i].letter);
	g_assert_not_reached(); /* the last unit leaves no rest */
}

/* --- use ----------------------------------------------------------------------------------- */

static gboolean is_below(const gchar *path, const gchar *folder)
{
	gsize n = strlen(folder);
	return strncmp(path, folder, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* The guest takes the same: node-images/init/nodeconf.c. */
static const gchar *why_no_path(const gchar *path)
{
	static const gchar *const own[] = { "/dev", "/etc", "/proc", "/run", "/sys", "/tmp" };
	static const gchar good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789/._-+@";
	gsize len = strlen(path);
	if (*path != '/' || len > ISC_VOLUME_PATH_MAX || strspn(path, good) != len)
		return "wants an absolute path of letters, digits and / . _ - + @";
	if (len == 1 || path[len - 1] == '/' || strstr(path, "//") || strstr(path, "/./") ||
			strstr(path, "/../") || g_str_has_suffix(path, "/.") ||
			g_str_has_suffix(path, "/.."))
		return "wants a path below / without '.', '..' or empty parts";
	for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
		if (is_below(path, own[i]))
			return "the node makes that folder itself at each start; choose another";
	return NULL;
}

gboolean isc_volume_use_parse(const gchar *text, IscVolumeUse *out, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(text, ":", 4);
	guint n = g_strv_length(parts);
	if (n != 2 && n != 3) {
		g_autofree gchar *shown = isc_text_escape(text, -1, 80);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is no volume: use NAME:PATH or NAME:PATH:SIZE", shown);
		return FALSE;
	}
	const gchar *why = why_no_path(parts[1]);
	IscVolumeUse use = { .size_mib = 0 };
	if (!isc_name_check("volume", parts[0], error) ||
			(n == 3 && !isc_volume_size_parse(parts[2], &use.size_mib, error)))
		return FALSE;
	if (why) {
		g_autofree gchar *shown = isc_text_escape(parts[1], -1, 80);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s': %s", shown, why);
		return FALSE;
	}
	g_strlcpy(use.name, parts[0], sizeof use.name);
	g_strlcpy(use.path, parts[1], sizeof use.path);
	*out = use;
	return TRUE;
}

gchar *isc_volume_use_print(const IscVolumeUse *use)
{
	g_autofree gchar *size = use->size_mib ? isc_volume_size_print(use->size_mib) : NULL;
	return g_strconcat(use->name, ":", use->path, size ? ":" : NULL, size, NULL);
}

const gchar *isc_volume_use_conflict(const IscVolumeUse *a, const IscVolumeUse *b)
{
	if (g_str_equal(a->name, b->name))
		return "name";
	return is_below(a->path, b->path) || is_below(b->path, a->path) ? "path" : NULL;
}

gchar *isc_volume_clone_name(
		const gchar *name, const gchar *node, const gchar *clone, GError **error)
{
	g_autofree gchar *prefix = g_strconcat(node, "-", NULL);
	gboolean named = g_str_has_prefix(name, prefix) && name[strlen(prefix)];
	g_autofree gchar *made =
			g_strconcat(clone, "-", named ? name + strlen(prefix) : name, NULL);
	if (isc_name_is_valid(made))
		return g_steal_pointer(&made);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"the copy of volume '%s' would be called '%s', which is longer than %d "
			"bytes: choose a shorter name for the node",
			name, made, ISC_NAME_MAX);
	return NULL;
}
