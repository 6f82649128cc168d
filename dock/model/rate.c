#include "model/rate.h"

static guint64 unit_of(gchar c, gchar kilo)
{
	if (c == kilo)
		return 1000;
	return c == 'M' ? 1000 * 1000 : c == 'G' ? 1000 * 1000 * 1000 : 0;
}

gboolean isc_rate_take(const gchar **at, gchar kilo, guint64 *out)
{
	const gchar *p = *at;
	guint64 value = 0;
	gboolean fits = TRUE;

	for (; g_ascii_isdigit(*p); p++)
		fits = fits && g_uint64_checked_mul(&value, value, 10) &&
		       g_uint64_checked_add(&value, value, (guint64)(*p - '0'));
	if (p == *at)
		return FALSE;
	guint64 unit = unit_of(*p, kilo);
	if (unit) {
		fits = fits && g_uint64_checked_mul(&value, value, unit);
		p++;
	}
	*at = p;
	*out = fits ? value : G_MAXUINT64;
	return TRUE;
}

void isc_rate_append(GString *out, guint64 rate, gchar kilo)
{
	const gchar units[] = { 'G', 'M', kilo };

	for (gsize i = 0; i < G_N_ELEMENTS(units); i++) {
		guint64 unit = unit_of(units[i], kilo);
		if (rate % unit == 0) {
			g_string_append_printf(
					out, "%" G_GUINT64_FORMAT "%c", rate / unit, units[i]);
			return;
		}
	}
	g_string_append_printf(out, "%" G_GUINT64_FORMAT, rate);
}
