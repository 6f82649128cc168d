#include "policy/limit-change.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"

#define WHAT "limit"
#define NONE "none"

/* Where a key stands in a node file, and whether it may be missing there. */
static const struct {
	const gchar *section, *key;
	gboolean may_be_none;
} table[] = {
	{ "Resources", "CPUQuota", TRUE },
	{ "Resources", "CPUWeight", TRUE },
	{ "Resources", "IOReadBandwidth", TRUE },
	{ "Resources", "IOWriteBandwidth", TRUE },
	{ "Resources", "IOPS", TRUE },
	{ "Resources", "Memory", FALSE },
	{ "Resources", "VCPUs", FALSE },
	{ "Network", "Bandwidth", TRUE },
};

static gint row_of(const gchar *text, gsize len)
{
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
		if (strlen(table[i].key) == len && strncmp(table[i].key, text, len) == 0)
			return (gint)i;
	return -1;
}

/* The value of a key as the canonical file has it, or "none".  (transfer full) */
static gchar *value_of(const IscSpec *spec, guint row)
{
	g_autofree gchar *text = isc_spec_print_public(spec);
	g_autofree gchar *start = g_strconcat("\n", table[row].key, "=", NULL);
	const gchar *at = strstr(text, start);
	if (!at)
		return g_strdup(NONE);
	at += strlen(start);
	return g_strndup(at, strcspn(at, "\n"));
}

/* "limit:14: CPUQuota: 'x' is no …" → "CPUQuota=: 'x' is no …": the file is one that nobody wrote.
 */
static void name_key(GError **error, const gchar *key)
{
	if (!error || !*error)
		return;
	g_autofree gchar *start = g_strconcat(key, ": ", NULL);
	const gchar *at = strstr((*error)->message, start);
	gchar *message = g_strdup_printf(
			"%s=: %s", key, at ? at + strlen(start) : (*error)->message);
	g_free((*error)->message);
	(*error)->message = message;
}

/* @spec with another value for one key: its file without that key's line, and with a new one. */
static IscSpec *with_value(const IscSpec *spec, guint row, const gchar *value, GError **error)
{
	g_autofree gchar *text = isc_spec_print_public(spec);
	g_autofree gchar *start = g_strconcat(table[row].key, "=", NULL);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autoptr(GString) out = g_string_new(NULL);
	for (gsize i = 0; lines[i]; i++)
		if (!g_str_has_prefix(lines[i], start))
			g_string_append_printf(out, "%s\n", lines[i]);
	if (!g_str_equal(value, NONE))
		g_string_append_printf(
				out, "[%s]\n%s=%s\n", table[row].section, table[row].key, value);
	IscSpec *with = isc_spec_parse(WHAT, out->str, out->len, error);
	if (!with)
		name_key(error, table[row].key);
	return with;
}

static gboolean is_one_line(const gchar *value)
{
	gsize len = strlen(value);
	for (const gchar *p = value; *p; p++)
		if (*p < ' ' || *p > '~' || *p == ';' || *p == '>' || *p == '\\')
			return FALSE;
	return len > 0 && len < 100;
}

/* "KEY=VALUE" → its row and value. */
static gboolean split(const gchar *text, guint *row, const gchar **value, GError **error)
{
	const gchar *equals = strchr(text, '=');
	gint found = equals ? row_of(text, (gsize)(equals - text)) : -1;
	g_autofree gchar *shown = isc_text_escape(text, -1, 64);
	if (found < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is no limit: wants KEY=VALUE, KEY one of CPUQuota, "
				"CPUWeight, IOReadBandwidth, IOWriteBandwidth, IOPS, Bandwidth, "
				"Memory, VCPUs",
				shown);
		return FALSE;
	}
	*row = (guint)found;
	*value = equals + 1;
	if (!is_one_line(*value) || (g_str_equal(*value, NONE) && !table[found].may_be_none)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no value for %s=", shown,
				table[found].key);
		return FALSE;
	}
	return TRUE;
}

gchar *isc_limit_change_plan(const IscSpec *spec, const gchar *const *texts, GError **error)
{
	g_autoptr(GString) change = g_string_new(NULL);
	gboolean seen[G_N_ELEMENTS(table)] = { 0 };
	if (!texts || !texts[0]) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"no limit is given: name one that shall change");
		return NULL;
	}
	for (gsize i = 0; texts[i]; i++) {
		guint row;
		const gchar *value;
		if (!split(texts[i], &row, &value, error))
			return NULL;
		if (seen[row]) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s= is given twice",
					table[row].key);
			return NULL;
		}
		seen[row] = TRUE;
		g_autoptr(IscSpec) next = with_value(spec, row, value, error);
		if (!next)
			return NULL;
		g_autofree gchar *was = value_of(spec, row), *is = value_of(next, row);
		if (!g_str_equal(was, is))
			g_string_append_printf(change, "%s%s=%s>%s", change->len ? "; " : "",
					table[row].key, was, is);
	}
	return g_string_free(g_steal_pointer(&change), FALSE);
}

static IscSpec *make_one(const IscSpec *spec, const gchar *part, gboolean back, GError **error)
{
	const gchar *equals = strchr(part, '='), *to = equals ? strchr(equals, '>') : NULL;
	gint row = to ? row_of(part, (gsize)(equals - part)) : -1;
	if (row < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no change of a limit",
				part);
		return NULL;
	}
	g_autofree gchar *was = g_strndup(equals + 1, (gsize)(to - equals) - 1);
	return with_value(spec, (guint)row, back ? was : to + 1, error);
}

IscSpec *isc_limit_change_work_out(
		const IscSpec *spec, const gchar *change, gboolean back, GError **error)
{
	g_auto(GStrv) parts = g_strsplit(change, "; ", -1);
	g_autoptr(IscSpec) out = isc_spec_copy(spec);
	for (gsize i = 0; parts[i]; i++) {
		IscSpec *next = make_one(out, parts[i], back, error);
		if (!next)
			return NULL;
		isc_spec_free(out);
		out = next;
	}
	return g_steal_pointer(&out);
}

gchar **isc_limit_change_between(const IscSpec *from, const IscSpec *to)
{
	GPtrArray *out = g_ptr_array_new();
	for (guint row = 0; row < G_N_ELEMENTS(table); row++) {
		g_autofree gchar *was = value_of(from, row), *is = value_of(to, row);
		if (!g_str_equal(was, is))
			g_ptr_array_add(out, g_strconcat(table[row].key, "=", is, NULL));
	}
	g_ptr_array_add(out, NULL);
	return (gchar **)g_ptr_array_free(out, FALSE);
}

gboolean isc_limit_change_asks_for_more(const IscSpec *from, const IscSpec *to)
{
	return to->memory_mib > from->memory_mib || to->vcpus > from->vcpus ||
	       isc_limits_cpu_percent(&to->limits, to->vcpus) >
			       isc_limits_cpu_percent(&from->limits, from->vcpus);
}

gchar *isc_limit_change_waits(const IscSpec *from, const IscSpec *to)
{
	gboolean memory = from->memory_mib != to->memory_mib, vcpus = from->vcpus != to->vcpus;
	return g_strdup(memory && vcpus ? "Memory=, VCPUs="
			: memory        ? "Memory="
			: vcpus         ? "VCPUs="
					: "");
}
