#pragma once
#include <glib.h>

/* How much a node may send and receive.  A plain value. */
typedef struct {
	guint64 in;  /* bits per second to the node; 0: no limit */
	guint64 out; /* bits per second from it; 0: no limit */
} IscBandwidth;

#define ISC_BANDWIDTH_MIN G_GUINT64_CONSTANT(64000)        /* less starves TCP */
#define ISC_BANDWIDTH_MAX G_GUINT64_CONSTANT(100000000000) /* 100 Gbit/s */

/**
 * isc_bandwidth_parse:
 * @text: "10M" (both directions), "in:10M", "out:512k" or "in:10M out:512k".  Bits per second; k, M
 * and G are powers of 1000, as in tc(8) and iperf3(1).
 *
 * Errors: ISC_ERROR_INVALID with the text and the position (from 1) of what is wrong.
 */
gboolean isc_bandwidth_parse(const gchar *text, IscBandwidth *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The canonical text, parse(print(x)) = x; "" where nothing is limited.  Returns: (transfer full)
 */
gchar *isc_bandwidth_print(const IscBandwidth *bandwidth);
