#include "model/bandwidth.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "model/rate.h"

static gboolean fail(const gchar *text, const gchar *at, GError **error, const gchar *why)
{
	g_autofree gchar *shown = isc_text_escape(text, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "bandwidth '%s', position %u: %s", shown,
			(guint)(at - text) + 1, why);
	return FALSE;
}

/* "10M" at @*at, and moves it behind. */
static gboolean take_rate(const gchar *text, const gchar **at, guint64 *out, GError **error)
{
	const gchar *p = *at;
	guint64 value;

	if (!isc_rate_take(&p, 'k', &value))
		return fail(text, p, error, "a number of bits per second expected, like 10M");
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

gchar *isc_bandwidth_print(const IscBandwidth *b)
{
	GString *s = g_string_new(NULL);

	if (b->in) {
		g_string_append(s, "in:");
		isc_rate_append(s, b->in, 'k');
	}
	if (b->out) {
		g_string_append(s, s->len ? " out:" : "out:");
		isc_rate_append(s, b->out, 'k');
	}
	return g_string_free(s, FALSE);
}
