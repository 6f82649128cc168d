#include "cli/args.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"

#define WORD_MAX 31 /* bytes of a word that a suggestion is sought for */

struct IscArgs {
	GPtrArray *words;   /* of gchar*, owned; NULL at the end once parsed */
	GHashTable *values; /* option name (static) → GPtrArray of gchar*, NULL at its end */
};

void isc_args_free(IscArgs *args)
{
	if (!args)
		return;
	g_ptr_array_unref(args->words);
	g_hash_table_unref(args->values);
	g_free(args);
}

/* --- what was probably meant ------------------------------------------------------------------ */

/* Optimal string alignment: insert, delete, change, or swap two neighbours.  Both at most WORD_MAX
 * bytes. */
static guint distance(const gchar *a, const gchar *b)
{
	gsize n = strlen(a), m = strlen(b);
	guint d[WORD_MAX + 1][WORD_MAX + 1];

	for (gsize i = 0; i <= n; i++)
		d[i][0] = (guint)i;
	for (gsize j = 0; j <= m; j++)
		d[0][j] = (guint)j;
	for (gsize i = 1; i <= n; i++) {
		for (gsize j = 1; j <= m; j++) {
			guint best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
			best = MIN(best, MIN(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = MIN(best, d[i - 2][j - 2] + 1);
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const gchar *isc_args_nearest(const gchar *word, const gchar *const *known)
{
	gsize len = strlen(word);
	if (len == 0 || len > WORD_MAX)
		return NULL;

	const gchar *best = NULL, *beginning = NULL;
	guint least = MAX(1, MIN(2, (guint)len / 2)) + 1, beginnings = 0;
	for (; *known; known++) {
		if (strlen(*known) > WORD_MAX)
			continue;
		guint d = distance(word, *known);
		if (d < least) {
			least = d;
			best = *known;
		}
		if (g_str_has_prefix(*known, word)) {
			beginning = *known;
			beginnings++;
		}
	}
	return beginnings == 1 ? beginning : best;
}

/* --- parsing ---------------------------------------------------------------------------------- */

static const IscOption *find_long(const IscOption *const *sets, const gchar *name, gsize len)
{
	for (; *sets; sets++)
		for (const IscOption *o = *sets; o->name; o++)
			if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
				return o;
	return NULL;
}

static const IscOption *find_short(const IscOption *const *sets, gchar letter)
{
	for (; *sets; sets++)
		for (const IscOption *o = *sets; o->name; o++)
			if (o->letter == letter)
				return o;
	return NULL;
}

static gboolean unknown(const IscOption *const *sets, const gchar *given, GError **error)
{
	g_autofree gchar *shown = isc_text_escape(given, -1, 64);
	g_autoptr(GPtrArray) known = g_ptr_array_new();
	for (; *sets; sets++)
		for (const IscOption *o = *sets; o->name; o++)
			g_ptr_array_add(known, (gpointer)o->name);
	g_ptr_array_add(known, NULL);

	const gchar *near = NULL;
	if (g_str_has_prefix(given, "--")) {
		g_autofree gchar *name = g_strndup(given + 2, strcspn(given + 2, "="));
		near = isc_args_nearest(name, (const gchar *const *)known->pdata);
	}
	if (near)
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"unknown option '%s': did you mean '--%s'?", shown, near);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"unknown option '%s': --help lists those there are", shown);
	return FALSE;
}

static gboolean take(IscArgs *args, const IscOption *option, const gchar *value, GError **error)
{
	GPtrArray *values = g_hash_table_lookup(args->values, option->name);
	if (values && option->kind == ISC_OPT_VALUE) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "--%s is given twice",
				option->name);
		return FALSE;
	}
	if (!values) {
		values = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(values, NULL);
		g_hash_table_insert(args->values, (gpointer)option->name, values);
	}
	if (value)
		g_ptr_array_insert(values, (gint)values->len - 1, g_strdup(value));
	return TRUE;
}

/* One word that starts with '-'.  *@i moves on where the value is the next word. */
static gboolean parse_long(IscArgs *args, gchar *const *argv, gsize *i,
		const IscOption *const *sets, GError **error)
{
	const gchar *name = argv[*i] + 2;
	gsize len = strcspn(name, "=");
	const gchar *value = name[len] ? name + len + 1 : NULL;
	const IscOption *option = find_long(sets, name, len);
	if (!option)
		return unknown(sets, argv[*i], error);

	if (option->kind == ISC_OPT_FLAG) {
		if (!value)
			return take(args, option, NULL, error);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "--%s takes no value",
				option->name);
		return FALSE;
	}
	if (!value)
		value = argv[*i + 1] ? argv[++*i] : NULL;
	if (value)
		return take(args, option, value, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "--%s needs a value: --%s %s",
			option->name, option->name, option->value);
	return FALSE;
}

static gboolean parse_short(IscArgs *args, gchar *const *argv, gsize *i,
		const IscOption *const *sets, GError **error)
{
	for (const gchar *p = argv[*i] + 1; *p; p++) {
		const IscOption *option = find_short(sets, *p);
		if (!option)
			return unknown(sets, argv[*i], error);
		if (option->kind == ISC_OPT_FLAG) {
			if (!take(args, option, NULL, error))
				return FALSE;
			continue;
		}
		const gchar *value = p[1] ? p + 1 : argv[*i + 1] ? argv[++*i] : NULL;
		if (value)
			return take(args, option, value, error);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "-%c needs a value: -%c %s", *p,
				*p, option->value);
		return FALSE;
	}
	return TRUE;
}

IscArgs *isc_args_parse(gchar *const *argv, const IscOption *const *sets, GError **error)
{
	g_autoptr(IscArgs) args = g_new0(IscArgs, 1);
	args->words = g_ptr_array_new_with_free_func(g_free);
	args->values = g_hash_table_new_full(
			g_str_hash, g_str_equal, NULL, (GDestroyNotify)g_ptr_array_unref);

	gboolean ended = FALSE;
	for (gsize i = 0; argv[i]; i++) {
		const gchar *word = argv[i];
		if (ended || word[0] != '-' || word[1] == '\0')
			g_ptr_array_add(args->words, g_strdup(word));
		else if (g_str_equal(word, "--"))
			ended = TRUE;
		else if (word[1] == '-' ? !parse_long(args, argv, &i, sets, error)
					: !parse_short(args, argv, &i, sets, error))
			return NULL;
	}
	g_ptr_array_add(args->words, NULL);
	return g_steal_pointer(&args);
}

/* --- asking ----------------------------------------------------------------------------------- */

gchar *const *isc_args_words(const IscArgs *args, guint *n)
{
	if (n)
		*n = args->words->len - 1;
	return (gchar *const *)args->words->pdata;
}

gboolean isc_args_has(const IscArgs *args, const gchar *name)
{
	return g_hash_table_contains(args->values, name);
}

gchar *const *isc_args_list(const IscArgs *args, const gchar *name)
{
	static gchar *const none[] = { NULL };
	GPtrArray *values = g_hash_table_lookup(args->values, name);
	return values ? (gchar *const *)values->pdata : none;
}

const gchar *isc_args_get(const IscArgs *args, const gchar *name)
{
	return isc_args_list(args, name)[0];
}

gboolean isc_args_uint(const IscArgs *args, const gchar *name, guint min, guint max, guint *out,
		GError **error)
{
	const gchar *text = isc_args_get(args, name);
	if (!text)
		return TRUE;

	guint64 value;
	if (g_ascii_string_to_unsigned(text, 10, min, max, &value, NULL)) {
		*out = (guint)value;
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(text, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "--%s: '%s' is no number from %u to %u",
			name, shown, min, max);
	return FALSE;
}
