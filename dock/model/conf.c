#include "model/conf.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"

#define CONF_MAX_BYTES (64 * 1024)
#define SHOWN_MAX 64 /* bytes of a wrong key that an error repeats */

struct IscConf {
	gchar *what;
	GArray *entries; /* IscConfEntry; its strings live in @strings */
	GStringChunk *strings;
};

void isc_conf_free(IscConf *conf)
{
	if (!conf)
		return;
	g_free(conf->what);
	g_array_unref(conf->entries);
	g_string_chunk_free(conf->strings);
	g_free(conf);
}

const IscConfEntry *isc_conf_entries(const IscConf *conf, gsize *n)
{
	*n = conf->entries->len;
	return (const IscConfEntry *)(const void *)conf->entries->data;
}

const IscConfEntry *isc_conf_get(const IscConf *conf, const gchar *section, const gchar *key)
{
	for (guint i = conf->entries->len; i-- > 0;) {
		const IscConfEntry *e = &g_array_index(conf->entries, IscConfEntry, i);
		if (g_str_equal(e->section, section) && g_str_equal(e->key, key))
			return e;
	}
	return NULL;
}

static gboolean line_error(const IscConf *conf, guint line, GError **error, const gchar *format,
		...) G_GNUC_PRINTF(4, 5);
static gboolean line_error(
		const IscConf *conf, guint line, GError **error, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *message = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s:%u: %s", conf->what, line, message);
	return FALSE;
}

gboolean isc_conf_error(const IscConf *conf, const IscConfEntry *entry, GError **error,
		const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *message = g_strdup_vprintf(format, args);
	va_end(args);
	return line_error(conf, entry->line, error, "%s: %s", entry->key, message);
}

/* --- "did you mean" ----------------------------------------------------------------- */

/* Levenshtein distance, case-blind, of two short words; words above 31 bytes are "far". */
static guint distance(const gchar *a, const gchar *b)
{
	gsize n = strlen(a), m = strlen(b);
	guint row[32];
	if (n > 31 || m > 31)
		return G_MAXUINT;
	for (guint j = 0; j <= m; j++)
		row[j] = j;
	for (guint i = 1; i <= n; i++) {
		guint corner = row[0];
		row[0] = i;
		for (guint j = 1; j <= m; j++) {
			guint same = g_ascii_tolower(a[i - 1]) != g_ascii_tolower(b[j - 1]);
			guint best = MIN(corner + same, MIN(row[j], row[j - 1]) + 1);
			corner = row[j];
			row[j] = best;
		}
	}
	return row[m];
}

/* The known word nearest to @word, if near enough to be a slip of the pen.  @section: NULL to look
 * among sections. */
static const gchar *nearest(const IscConfKey *keys, const gchar *section, const gchar *word)
{
	const gchar *best = NULL;
	guint least = 3;
	for (; keys->section; keys++) {
		const gchar *known = section ? keys->key : keys->section;
		if (section && !g_str_equal(keys->section, section))
			continue;
		guint d = distance(word, known);
		if (d < least && d < strlen(known)) {
			least = d;
			best = known;
		}
	}
	return best;
}

static gboolean unknown(const IscConf *conf, guint line, const IscConfKey *keys,
		const gchar *section, const gchar *word, GError **error)
{
	g_autofree gchar *shown = isc_text_escape(word, -1, SHOWN_MAX);
	const gchar *near = nearest(keys, section, word);
	g_autofree gchar *where = section ? g_strdup_printf(" in [%s]", section) : g_strdup("");
	g_autofree gchar *hint =
			near ? g_strdup_printf("; did you mean '%s'?", near) : g_strdup("");
	return line_error(conf, line, error, "unknown %s '%s'%s%s", section ? "key" : "section",
			shown, where, hint);
}

/* --- parsing ------------------------------------------------------------------------ */

static const IscConfKey *known_key(const IscConfKey *keys, const gchar *section, const gchar *key)
{
	for (; keys->section; keys++)
		if (g_str_equal(keys->section, section) && g_str_equal(keys->key, key))
			return keys;
	return NULL;
}

static const gchar *known_section(const IscConfKey *keys, const gchar *section)
{
	for (; keys->section; keys++)
		if (g_str_equal(keys->section, section))
			return keys->section;
	return NULL;
}

/* C1 controls (U+0080..U+009F) count too: terminals obey them. */
static gboolean has_control(const gchar *text)
{
	for (const gchar *p = text; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (c != '\t' && g_unichar_iscntrl(c))
			return TRUE;
	}
	return FALSE;
}

/* One logical line, continuations joined, white space around it cut off.  @section: (inout) */
static gboolean parse_line(IscConf *conf, gchar *line, guint number, const IscConfKey *keys,
		const gchar **section, GError **error)
{
	if (line[0] == '[') {
		gsize len = strlen(line);
		if (len < 3 || line[len - 1] != ']')
			return line_error(conf, number, error, "a section is written [Name]");
		line[len - 1] = '\0';
		*section = known_section(keys, line + 1);
		return *section || unknown(conf, number, keys, NULL, line + 1, error);
	}

	gchar *equals = strchr(line, '=');
	if (!equals || equals == line)
		return line_error(conf, number, error, "neither [Section] nor Key=Value");
	*equals = '\0';
	const gchar *key = g_strchomp(line);
	const gchar *value = g_strstrip(equals + 1);
	if (!*section)
		return line_error(
				conf, number, error, "a [Section] must stand before the first key");

	const IscConfKey *known = known_key(keys, *section, key);
	if (!known)
		return unknown(conf, number, keys, *section, key, error);
	const IscConfEntry *before = known->repeats ? NULL : isc_conf_get(conf, *section, key);
	if (before)
		return line_error(conf, number, error, "%s: stands in line %u already", known->key,
				before->line);

	IscConfEntry entry = { *section, known->key, g_string_chunk_insert(conf->strings, value),
		number };
	/* The names are copied as well: @keys may live on the caller's stack. */
	entry.section = g_string_chunk_insert_const(conf->strings, entry.section);
	entry.key = g_string_chunk_insert_const(conf->strings, entry.key);
	g_array_append_val(conf->entries, entry);
	return TRUE;
}

static gboolean check_text(const IscConf *conf, const gchar *text, gsize len, GError **error)
{
	if (len > CONF_MAX_BYTES)
		return line_error(
				conf, 1, error, "longer than the %d bytes allowed", CONF_MAX_BYTES);
	const gchar *end;
	if (g_utf8_validate_len(text, len, &end))
		return TRUE;
	guint line = 1;
	for (const gchar *p = text; p < end; p++)
		line += *p == '\n';
	return line_error(conf, line, error, *end ? "no valid UTF-8" : "a NUL byte");
}

IscConf *isc_conf_parse(const gchar *what, const gchar *text, gsize len, const IscConfKey *keys,
		GError **error)
{
	g_autoptr(IscConf) conf = g_new0(IscConf, 1);
	conf->what = g_strdup(what);
	conf->entries = g_array_new(FALSE, FALSE, sizeof(IscConfEntry));
	conf->strings = g_string_chunk_new(1024);
	if (!check_text(conf, text, len, error))
		return NULL;

	const gchar *section = NULL;
	const gchar *p = text, *end = text + len;
	g_autoptr(GString) whole = g_string_new(NULL);
	guint first = 1; /* of the lines joined in @whole */
	for (guint number = 1; p < end; number++) {
		const gchar *newline = memchr(p, '\n', (gsize)(end - p));
		const gchar *stop = newline ? newline : end;
		if (whole->len == 0)
			first = number;
		g_autofree gchar *piece = g_strstrip(g_strndup(p, (gsize)(stop - p)));
		p = newline ? newline + 1 : end;
		if (has_control(piece)) {
			line_error(conf, number, error, "a control character");
			return NULL;
		}
		/* As in systemd: a comment between continued lines is left out, not joined. */
		if (piece[0] == '#' || piece[0] == ';')
			continue;
		gsize n = strlen(piece);
		gboolean continued = n > 0 && piece[n - 1] == '\\';
		if (continued)
			piece[n - 1] = ' ';
		g_string_append(whole, piece);
		if (continued)
			continue;

		g_strstrip(whole->str);
		if (*whole->str && !parse_line(conf, whole->str, first, keys, &section, error))
			return NULL;
		g_string_truncate(whole, 0);
	}
	if (whole->len > 0) {
		line_error(conf, first, error, "ends in '\\', but no line follows");
		return NULL;
	}
	return g_steal_pointer(&conf);
}
