#include "model/bandwidth.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"

static gboolean fail(const gchar *text, const gchar *at, GError **error, const gchar *why)
{
	g_autofree gchar *shown = isc_text_escape(text, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "bandwidth '%s', position %u: %s", shown,
			(guint)(at - text) + 1, why);
	return FALSE;
}

static guint64 unit_of(gchar c)
{
	switch (c) {
	case 'k':
		return 1000;
	case 'M':
		return 1000 * 1000;
	case 'G':
		return 1000 * 1000 * 1000;
	default:
		return 0;
	}
}

/* "10M" at @*at, and moves it behind. */
static gboolean take_rate(const gchar *text, const gchar **at, guint64 *out, GError **error)
{
	const gchar *p = *at;
	guint64 value = 0;

	while (g_ascii_isdigit(*p) && value <= ISC_BANDWIDTH_MAX)
		value = value * 10 + (guint64)(*p++ - '0');
	if (p == *at)
		return fail(text, p, error, "a number of bits per second expected, like 10M");
	if (unit_of(*p) && value <= ISC_BANDWIDTH_MAX)
		value *= unit_of(*p++);
	if (*p != '\0' && *p != ' ')
		return fail(text, p, error,
				"only k, M or G (bits per second, times 1000) may follow a number");
	if (value < ISC_BANDWIDTH_MIN || value > ISC_BANDWIDTH_MAX)
		return fail(text, *at, error, "must be 64k to 100G bits per second");
	*at = p;
	*out = value;
	return TRUE;
}

static gboolean take_part(const gchar *text, const gchar **at, IscBandwidth *b, GError **error)
{
	const gchar *begin = *at;
	guint64 *to;

	if (g_str_has_prefix(begin, "in:"))
		to = &b->in;
	else if (g_str_has_prefix(begin, "out:"))
		to = &b->out;
	else
		return fail(text, begin, error, "'in:' or 'out:' expected");
	if (*to)
		return fail(text, begin, error, "this direction a second time");
	*at = strchr(begin, ':') + 1;
	return take_rate(text, at, to, error);
}

gboolean isc_bandwidth_parse(const gchar *text, IscBandwidth *out, GError **error)
{
	IscBandwidth b = { 0 };
	const gchar *at = text;

	if (g_ascii_isdigit(*at)) {
		if (!take_rate(text, &at, &b.in, error))
			return FALSE;
		if (*at)
			return fail(text, at, error,
					"one rate is for both directions: write in:RATE out:RATE");
		b.out = b.in;
	} else {
		do {
			at += strspn(at, " ");
			if (!take_part(text, &at, &b, error))
				return FALSE;
		} while (*at);
	}
	*out = b;
	return TRUE;
}

static void append_rate(GString *s, guint64 rate)
{
	static const gchar units[] = "GMk";

	for (const gchar *u = units; *u; u++)
		if (rate % unit_of(*u) == 0) {
			g_string_append_printf(
					s, "%" G_GUINT64_FORMAT "%c", rate / unit_of(*u), *u);
			return;
		}
	g_string_append_printf(s, "%" G_GUINT64_FORMAT, rate);
}

gchar *isc_bandwidth_print(const IscBandwidth *b)
{
	GString *s = g_string_new(NULL);

	if (b->in) {
		g_string_append(s, "in:");
		append_rate(s, b->in);
	}
	if (b->out) {
		g_string_append(s, s->len ? " out:" : "out:");
		append_rate(s, b->out);
	}
	return g_string_free(s, FALSE);
}
