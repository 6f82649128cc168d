#pragma once
#include <glib.h>

/* A number of something a second with a unit behind it: "512k", "10M", "2G", "64000".  Units are
 * powers of 1000.  The letter for the first one is the caller's: k where bits are counted, as in
 * tc(8), K for bytes, as in systemd.resource-control(5). */

/**
 * isc_rate_take:
 * @at: the text; moved behind the number and its unit
 * @kilo: 'k' or 'K'; the other one is no unit
 * @out: G_MAXUINT64 where the number is larger
 *
 * Returns: FALSE, and all as it was, where there is no number
 */
gboolean isc_rate_take(const gchar **at, gchar kilo, guint64 *out);

/* The shortest text that reads back as @rate, 1 and above, exactly. */
void isc_rate_append(GString *out, guint64 rate, gchar kilo);
