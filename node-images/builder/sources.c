#include "builder/sources.h"

#include <string.h>

#include "base/error.h"

/* One mirror with its suites, whatever format it was written in. */
typedef struct {
	gchar **uris, **suites, **components;
	gchar *signed_by; /* path, or NULL */
} Source;

static void source_free(Source *source)
{
	g_strfreev(source->uris);
	g_strfreev(source->suites);
	g_strfreev(source->components);
	g_free(source->signed_by);
	g_free(source);
}

static gchar **words_of(const gchar *text)
{
	g_auto(GStrv) pieces = g_strsplit_set(text ? text : "", " \t\n", -1);
	g_autoptr(GStrvBuilder) words = g_strv_builder_new();
	for (gsize i = 0; pieces[i]; i++)
		if (*pieces[i])
			g_strv_builder_add(words, pieces[i]);
	return g_strv_builder_end(words);
}

static gboolean has_word(const gchar *text, const gchar *word)
{
	g_auto(GStrv) words = words_of(text);
	return g_strv_contains((const gchar *const *)words, word);
}

/* --- deb822: stanzas of "Field: value", a line that begins with a space goes on --- */

static GHashTable *parse_stanza(const gchar *text)
{
	GHashTable *fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree gchar *key = NULL;
	for (gsize i = 0; lines[i]; i++) {
		if (lines[i][0] == '#')
			continue;
		if (key && (lines[i][0] == ' ' || lines[i][0] == '\t')) {
			const gchar *so_far = g_hash_table_lookup(fields, key);
			g_hash_table_replace(fields, g_strdup(key),
					g_strconcat(so_far, "\n", lines[i], NULL));
			continue;
		}
		const gchar *colon = strchr(lines[i], ':');
		if (!colon)
			continue;
		g_free(key);
		g_autofree gchar *name = g_strndup(lines[i], (gsize)(colon - lines[i]));
		key = g_ascii_strdown(g_strstrip(name), -1);
		g_hash_table_replace(fields, g_strdup(key), g_strstrip(g_strdup(colon + 1)));
	}
	return fields;
}

static void add_stanza(GPtrArray *sources, const gchar *text)
{
	g_autoptr(GHashTable) fields = parse_stanza(text);
	const gchar *enabled = g_hash_table_lookup(fields, "enabled");
	const gchar *architectures = g_hash_table_lookup(fields, "architectures");
	const gchar *signed_by = g_hash_table_lookup(fields, "signed-by");
	if (!has_word(g_hash_table_lookup(fields, "types"), "deb"))
		return;
	if (enabled && (g_ascii_strcasecmp(enabled, "no") == 0 ||
				       g_ascii_strcasecmp(enabled, "false") == 0 ||
				       g_str_equal(enabled, "0")))
		return;
	if (architectures && !has_word(architectures, "amd64"))
		return;

	Source *source = g_new0(Source, 1);
	source->uris = words_of(g_hash_table_lookup(fields, "uris"));
	source->suites = words_of(g_hash_table_lookup(fields, "suites"));
	source->components = words_of(g_hash_table_lookup(fields, "components"));
	source->signed_by = g_strdup(signed_by);
	g_ptr_array_add(sources, source);
}

static void parse_deb822(GPtrArray *sources, const gchar *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autoptr(GString) stanza = g_string_new(NULL);
	for (gsize i = 0;; i++) {
		g_autofree gchar *bare = lines[i] ? g_strstrip(g_strdup(lines[i])) : NULL;
		if (bare && *bare) {
			g_string_append_printf(stanza, "%s\n", g_strchomp(lines[i]));
			continue;
		}
		if (stanza->len)
			add_stanza(sources, stanza->str);
		g_string_truncate(stanza, 0);
		if (!lines[i])
			break;
	}
}

/* --- one line: deb [ option=value … ] URI SUITE COMPONENT… ---------------------------------------
 */

static void parse_line(GPtrArray *sources, gchar *line)
{
	gchar *comment = strchr(line, '#');
	if (comment)
		*comment = '\0';
	g_strstrip(line);
	if (!g_str_has_prefix(line, "deb") || !g_ascii_isspace(line[3]))
		return;

	gchar *rest = g_strchug(line + 3);
	g_autofree gchar *signed_by = NULL;
	if (*rest == '[') {
		gchar *end = strchr(rest, ']');
		if (!end)
			return;
		*end = '\0';
		g_auto(GStrv) options = words_of(rest + 1);
		for (gsize i = 0; options[i]; i++) {
			if (g_str_has_prefix(options[i], "signed-by="))
				signed_by = g_strdup(options[i] + 10);
			if (!g_str_has_prefix(options[i], "arch="))
				continue;
			g_autofree gchar *list = g_strdelimit(g_strdup(options[i] + 5), ",", ' ');
			if (!has_word(list, "amd64"))
				return;
		}
		rest = end + 1;
	}
	g_auto(GStrv) words = words_of(rest);
	if (g_strv_length(words) < 3)
		return;
	Source *source = g_new0(Source, 1);
	source->uris = words_of(words[0]);
	source->suites = words_of(words[1]);
	source->components = g_strdupv(words + 2);
	source->signed_by = g_steal_pointer(&signed_by);
	g_ptr_array_add(sources, source);
}

static void parse_list(GPtrArray *sources, const gchar *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (gsize i = 0; lines[i]; i++)
		parse_line(sources, lines[i]);
}

/* --- the choice ------------------------------------------------------------------- */

/* By whom it is signed tells Debian's own archive from others that also call their suite "bookworm"
 * and their component "main". */
static gboolean is_debian(const Source *source)
{
	if (!g_strv_contains((const gchar *const *)source->components, "main"))
		return FALSE;
	if (!source->signed_by)
		return TRUE;
	g_autofree gchar *name = g_path_get_basename(source->signed_by);
	return source->signed_by[0] == '/' && g_str_has_prefix(name, "debian-archive-");
}

/* "bookworm" of "bookworm", "bookworm-updates", "bookworm-security", "bookworm/updates"; NULL for
 * others such as backports, which apt would not prefer, but "Packages=x=1.2~bpo" could reach. */
static gchar *base_of(const gchar *suite, const gchar **tail)
{
	static const gchar *const tails[] = { "-updates", "-security", "/updates" };
	for (gsize i = 0; i < G_N_ELEMENTS(tails); i++)
		if (g_str_has_suffix(suite, tails[i])) {
			*tail = tails[i];
			return g_strndup(suite, strlen(suite) - strlen(tails[i]));
		}
	*tail = "";
	return strpbrk(suite, "-/") ? NULL : g_strdup(suite);
}

/* Prints what of @source belongs to @host_suite, under the name @suite. */
static void print_source(GString *out, const Source *source, const gchar *host_suite,
		const gchar *suite, const gchar *keyring)
{
	static const gchar *const own[] = { "main", "contrib", "non-free", "non-free-firmware",
		NULL };
	g_autoptr(GString) suites = g_string_new(NULL);
	for (gsize i = 0; source->suites[i]; i++) {
		const gchar *tail;
		g_autofree gchar *base = base_of(source->suites[i], &tail);
		if (g_strcmp0(base, host_suite) == 0)
			g_string_append_printf(suites, " %s%s", suite, tail);
	}
	if (!suites->len)
		return;

	g_autofree gchar *uris = g_strjoinv(" ", source->uris);
	g_string_append_printf(out,
			"%sTypes: deb\nURIs: %s\nSuites:%s\nComponents:", out->len ? "\n" : "",
			uris, suites->str);
	for (gsize i = 0; source->components[i]; i++)
		if (g_strv_contains(own, source->components[i]))
			g_string_append_printf(out, " %s", source->components[i]);
	g_string_append(out, "\n");
	const gchar *by = keyring ? keyring : source->signed_by;
	if (by)
		g_string_append_printf(out, "Signed-By: %s\n", by);
}

/* The host's own suite: that of its first Debian source. */
static gchar *first_suite(const GPtrArray *sources)
{
	for (guint i = 0; i < sources->len; i++) {
		const Source *source = g_ptr_array_index(sources, i);
		for (gsize k = 0; source->suites[k]; k++) {
			const gchar *tail;
			gchar *base = base_of(source->suites[k], &tail);
			if (base)
				return base;
		}
	}
	return NULL;
}

gchar *isc_sources_select(const IscSourcesFile *files, gsize n_files, const gchar *suite,
		const gchar *keyring, gboolean *substituted, GError **error)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify)source_free);
	for (gsize i = 0; i < n_files; i++) {
		if (g_str_has_suffix(files[i].name, ".sources"))
			parse_deb822(all, files[i].text);
		else
			parse_list(all, files[i].text);
	}
	for (guint i = all->len; i-- > 0;)
		if (!is_debian(g_ptr_array_index(all, i)))
			g_ptr_array_remove_index(all, i);

	g_autoptr(GString) out = g_string_new(NULL);
	for (guint i = 0; i < all->len; i++)
		print_source(out, g_ptr_array_index(all, i), suite, suite, keyring);
	if (substituted)
		*substituted = out->len == 0;
	g_autofree gchar *host_suite = out->len ? NULL : first_suite(all);
	for (guint i = 0; host_suite && i < all->len; i++)
		print_source(out, g_ptr_array_index(all, i), host_suite, suite, keyring);
	if (out->len)
		return g_string_free(g_steal_pointer(&out), FALSE);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"the host's apt has no source of Debian packages: add one to "
			"/etc/apt/sources.list.d, see sources.list(5)");
	return NULL;
}
