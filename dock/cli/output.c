#include "cli/output.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/name.h"

/* --- text ------------------------------------------------------------------------------------- */

static gboolean is_unfit(gunichar c)
{
	return g_unichar_iscntrl(c) || g_unichar_type(c) == G_UNICODE_FORMAT ||
	       g_unichar_type(c) == G_UNICODE_LINE_SEPARATOR ||
	       g_unichar_type(c) == G_UNICODE_PARAGRAPH_SEPARATOR;
}

gchar *isc_output_bytes(const gchar *bytes, gsize len)
{
	gboolean fits = g_utf8_validate_len(bytes, len, NULL);
	for (const gchar *p = bytes; fits && p < bytes + len; p = g_utf8_next_char(p))
		fits = !is_unfit(g_utf8_get_char(p));
	return fits ? g_strndup(bytes, len) : isc_text_escape(bytes, (gssize)len, G_MAXSIZE);
}

gchar *isc_output_text(const gchar *text)
{
	return isc_output_bytes(text, strlen(text));
}

gchar *isc_output_time(gint64 seconds)
{
	if (seconds <= 0)
		return g_strdup("-");
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_local(seconds);
	return when ? g_date_time_format(when, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

gchar *isc_output_size(guint64 bytes)
{
	static const gchar *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	gdouble n = (gdouble)bytes;
	guint unit = 0;
	for (; n >= 1024 && unit + 1 < G_N_ELEMENTS(units); unit++)
		n /= 1024;
	gchar number[32];
	g_ascii_formatd(number, sizeof number, unit == 0 ? "%.0f" : "%.1f", n);
	return g_strdup_printf("%s %s", number, units[unit]);
}

gboolean isc_output_flush(GString *out, GError **error)
{
	gboolean ok = isc_file_write_all(STDOUT_FILENO, out->str, out->len, error);
	if (!ok)
		g_prefix_error(error, "standard output: ");
	g_string_truncate(out, 0);
	return ok;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static IscJson *json_double(gdouble d)
{
	if (!isfinite(d))
		return NULL;
	gchar text[G_ASCII_DTOSTR_BUF_SIZE];
	/* The shortest form that reads back as the same number: 0.1, not 0.10000000000000001. */
	for (int digits = 15; digits <= 17; digits++) {
		g_autofree gchar *format = g_strdup_printf("%%.%dg", digits);
		g_ascii_formatd(text, sizeof text, format, d);
		if (g_ascii_strtod(text, NULL) == d) /* exactly: that is the question */
			break;
	}
	return json_object_new_double_s(d, text);
}

static IscJson *json_dictionary(GVariant *dict)
{
	IscJson *object = json_object_new_object();
	for (gsize i = 0; i < g_variant_n_children(dict); i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(dict, i);
		g_autoptr(GVariant) key = g_variant_get_child_value(entry, 0);
		g_autoptr(GVariant) value = g_variant_get_child_value(entry, 1);
		g_autofree gchar *name = g_variant_is_of_type(key, G_VARIANT_TYPE_STRING)
							 ? g_variant_dup_string(key, NULL)
							 : g_variant_print(key, FALSE);
		json_object_object_add(object, name, isc_output_to_json(value));
	}
	return object;
}

static IscJson *json_container(GVariant *value)
{
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY))
		return json_dictionary(value);
	IscJson *array = json_object_new_array();
	for (gsize i = 0; i < g_variant_n_children(value); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(value, i);
		json_object_array_add(array, isc_output_to_json(child));
	}
	return array;
}

IscJson *isc_output_to_json(GVariant *value)
{
	switch (g_variant_classify(value)) {
	case G_VARIANT_CLASS_BOOLEAN:
		return json_object_new_boolean(g_variant_get_boolean(value));
	case G_VARIANT_CLASS_BYTE:
		return json_object_new_int64(g_variant_get_byte(value));
	case G_VARIANT_CLASS_INT16:
		return json_object_new_int64(g_variant_get_int16(value));
	case G_VARIANT_CLASS_UINT16:
		return json_object_new_int64(g_variant_get_uint16(value));
	case G_VARIANT_CLASS_INT32:
		return json_object_new_int64(g_variant_get_int32(value));
	case G_VARIANT_CLASS_UINT32:
		return json_object_new_int64(g_variant_get_uint32(value));
	case G_VARIANT_CLASS_INT64:
		return json_object_new_int64(g_variant_get_int64(value));
	case G_VARIANT_CLASS_UINT64:
		return json_object_new_uint64(g_variant_get_uint64(value));
	case G_VARIANT_CLASS_HANDLE:
		return json_object_new_int64(g_variant_get_handle(value));
	case G_VARIANT_CLASS_DOUBLE:
		return json_double(g_variant_get_double(value));
	case G_VARIANT_CLASS_STRING:
	case G_VARIANT_CLASS_OBJECT_PATH:
	case G_VARIANT_CLASS_SIGNATURE:
		return json_object_new_string(g_variant_get_string(value, NULL));
	case G_VARIANT_CLASS_VARIANT: {
		g_autoptr(GVariant) inner = g_variant_get_variant(value);
		return isc_output_to_json(inner);
	}
	case G_VARIANT_CLASS_MAYBE: {
		g_autoptr(GVariant) inner = g_variant_get_maybe(value);
		return inner ? isc_output_to_json(inner) : NULL;
	}
	case G_VARIANT_CLASS_ARRAY:
	case G_VARIANT_CLASS_TUPLE:
	case G_VARIANT_CLASS_DICT_ENTRY:
		return json_container(value);
	}
	g_assert_not_reached();
}

void isc_output_json(GString *out, IscJson *json, gboolean pretty)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
		    (pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : 0);
	const gchar *text = json_object_to_json_string_ext(json, flags);
	/* Only strings hold characters beyond ASCII, so \u is right wherever one of these stands.
	 */
	for (const gchar *p = text; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		if (c < 0x7f || !is_unfit(c))
			g_string_append_unichar(out, c);
		else if (c < 0x10000)
			g_string_append_printf(out, "\\u%04x", c);
		else
			g_string_append_printf(out, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10),
					0xdc00 + (c & 0x3ff));
	}
	g_string_append_c(out, '\n');
}

/* --- values and cells ------------------------------------------------------------------------- */

gchar *isc_output_value(GVariant *value)
{
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
		g_autoptr(GVariant) inner = g_variant_get_variant(value);
		return isc_output_value(inner);
	}
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING))
		return isc_output_text(g_variant_get_string(value, NULL));
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
		return g_strdup(g_variant_get_boolean(value) ? "yes" : "no");
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE)) {
		gchar text[G_ASCII_DTOSTR_BUF_SIZE];
		return g_strdup(g_ascii_formatd(
				text, sizeof text, "%.6g", g_variant_get_double(value)));
	}
	if (!g_variant_is_container(value))
		return g_variant_print(value, FALSE);

	gboolean is_dict = g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY);
	g_autoptr(GString) joined = g_string_new(NULL);
	for (gsize i = 0; i < g_variant_n_children(value); i++) {
		g_autoptr(GVariant) child = g_variant_get_child_value(value, i);
		g_string_append(joined, i > 0 ? ", " : "");
		if (is_dict) {
			g_autoptr(GVariant) key = g_variant_get_child_value(child, 0);
			g_autoptr(GVariant) inner = g_variant_get_child_value(child, 1);
			g_autofree gchar *left = isc_output_value(key);
			g_autofree gchar *right = isc_output_value(inner);
			g_string_append_printf(joined, "%s=%s", left, right);
		} else {
			g_autofree gchar *text = isc_output_value(child);
			g_string_append(joined, text);
		}
	}
	return g_string_free(g_steal_pointer(&joined), FALSE);
}

gchar *isc_output_show_time(GVariant *row, const gchar *key)
{
	gint64 seconds = 0;
	g_variant_lookup(row, key, "x", &seconds);
	return isc_output_time(seconds);
}

gchar *isc_output_show_size(GVariant *row, const gchar *key)
{
	guint64 bytes = 0;
	return g_variant_lookup(row, key, "t", &bytes) ? isc_output_size(bytes) : NULL;
}

gchar *isc_output_show_short(GVariant *row, const gchar *key)
{
	const gchar *digest = NULL;
	if (!g_variant_lookup(row, key, "&s", &digest))
		return NULL;
	g_autofree gchar *text = isc_output_text(digest);
	return g_strndup(text, 12);
}

gchar *isc_output_show_yes(GVariant *row, const gchar *key)
{
	gboolean yes = FALSE;
	if (!g_variant_lookup(row, key, "b", &yes))
		return NULL;
	return g_strdup(yes ? "yes" : "no");
}

/* --- tables ----------------------------------------------------------------------------------- */

/* Columns of a terminal that @text takes; it has no control characters. */
static guint width(const gchar *text)
{
	guint n = 0;
	for (const gchar *p = text; *p; p = g_utf8_next_char(p)) {
		gunichar c = g_utf8_get_char(p);
		n += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
	}
	return n;
}

static void append_padded(GString *out, const gchar *text, guint to)
{
	g_string_append(out, text);
	for (guint n = width(text); n < to; n++)
		g_string_append_c(out, ' ');
}

static gchar *cell(GVariant *row, const IscColumn *column)
{
	if (column->show) {
		g_autofree gchar *text = column->show(row, column->key);
		return g_strdup(text && *text ? text : "-");
	}
	g_autoptr(GVariant) value = g_variant_lookup_value(row, column->key, NULL);
	g_autofree gchar *text = value ? isc_output_value(value) : NULL;
	return g_strdup(text && *text ? text : "-");
}

void isc_output_table(GString *out, GVariant *rows, const IscColumn *columns)
{
	gsize n_rows = g_variant_n_children(rows), n = 0;
	while (columns[n].title)
		n++;

	g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
	for (gsize c = 0; c < n; c++)
		g_ptr_array_add(cells, g_strdup(columns[c].title));
	for (gsize r = 0; r < n_rows; r++) {
		g_autoptr(GVariant) row = g_variant_get_child_value(rows, r);
		for (gsize c = 0; c < n; c++)
			g_ptr_array_add(cells, cell(row, &columns[c]));
	}

	g_autofree guint *widths = g_new0(guint, n);
	for (guint i = 0; i < cells->len; i++)
		widths[i % n] = MAX(widths[i % n], width(cells->pdata[i]));
	for (guint i = 0; i < cells->len; i++) {
		gboolean last = i % n == n - 1;
		append_padded(out, cells->pdata[i], last ? 0 : widths[i % n] + 2);
		if (last)
			g_string_append_c(out, '\n');
	}
}

void isc_output_names(GString *out, GVariant *rows, gboolean json)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(IscJson) array = json_object_new_array();
	for (gsize r = 0; r < g_variant_n_children(rows); r++) {
		g_autoptr(GVariant) row = g_variant_get_child_value(rows, r);
		const gchar *name = NULL;
		if (!g_variant_lookup(row, "name", "&s", &name) ||
				!g_hash_table_add(seen, g_strdup(name)))
			continue;
		json_object_array_add(array, json_object_new_string(name));
		g_autofree gchar *text = isc_output_text(name);
		if (!json)
			g_string_append_printf(out, "%s\n", text);
	}
	if (json)
		isc_output_json(out, array, TRUE);
}

/* --- key: value ------------------------------------------------------------------------------- */

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const gchar *const *)a, *(const gchar *const *)b);
}

/* The keys of @dict: those of @first that it has, then the others, sorted. */
static GPtrArray *order_keys(GVariant *dict, const gchar *const *first)
{
	GPtrArray *keys = g_ptr_array_new_with_free_func(g_free);
	for (const gchar *const *f = first; f && *f; f++) {
		g_autoptr(GVariant) value = g_variant_lookup_value(dict, *f, NULL);
		if (value)
			g_ptr_array_add(keys, g_strdup(*f));
	}

	g_autoptr(GPtrArray) others = g_ptr_array_new_with_free_func(g_free);
	GVariantIter iter;
	const gchar *key;
	g_variant_iter_init(&iter, dict);
	while (g_variant_iter_next(&iter, "{&sv}", &key, NULL))
		if (!first || !g_strv_contains(first, key))
			g_ptr_array_add(others, g_strdup(key));
	g_ptr_array_sort(others, compare_names);
	for (guint i = 0; i < others->len; i++)
		g_ptr_array_add(keys, g_steal_pointer(&others->pdata[i]));
	return keys;
}

static gchar *show_pair(GVariant *dict, const gchar *key, GVariant *value)
{
	static const gchar *const times[] = { "since", "created", "imported", "restart-last",
		"restart-at", "schedule-next", "due", "started", "ended", NULL };
	if (g_strv_contains(times, key) && g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
		return isc_output_show_time(dict, key);
	if (g_str_equal(key, "size") && g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
		return isc_output_show_size(dict, key);
	return isc_output_value(value);
}

static void append_below(GString *out, const gchar *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		if (!lines[i][0] && !lines[i + 1])
			break; /* the newline that ends the text */
		g_autofree gchar *line = isc_output_text(lines[i]);
		g_string_append_printf(out, "%s%s\n", *line ? "    " : "", line);
	}
}

static void append_pairs_below(GString *out, GVariant *dict)
{
	g_autoptr(GString) inner = g_string_new(NULL);
	isc_output_pairs(inner, dict, NULL);
	append_below(out, inner->str);
}

void isc_output_pairs(GString *out, GVariant *dict, const gchar *const *first)
{
	g_autoptr(GPtrArray) keys = order_keys(dict, first);
	guint widest = 0;
	for (guint i = 0; i < keys->len; i++) {
		g_autofree gchar *shown = isc_output_text(keys->pdata[i]);
		widest = MAX(widest, width(shown));
	}

	for (guint i = 0; i < keys->len; i++) {
		const gchar *key = keys->pdata[i];
		g_autoptr(GVariant) value = g_variant_lookup_value(dict, key, NULL);
		gboolean is_text = g_variant_is_of_type(value, G_VARIANT_TYPE_STRING);
		g_autofree gchar *shown = isc_output_text(key);
		g_autofree gchar *label = g_strdup_printf("%s:", shown);

		if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT)) {
			g_string_append_printf(out, "%s\n", label);
			append_pairs_below(out, value);
		} else if (is_text && strchr(g_variant_get_string(value, NULL), '\n')) {
			g_string_append_printf(out, "%s\n", label);
			append_below(out, g_variant_get_string(value, NULL));
		} else {
			g_autofree gchar *text = show_pair(dict, key, value);
			append_padded(out, label, *text ? widest + 2 : 0);
			g_string_append_printf(out, "%s\n", text);
		}
	}
}
