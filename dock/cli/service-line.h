#pragma once
#include "base/cleanup.h"

/* Lines of a service's log, as isc-collectord writes them (collector/service-log.h):
 * "2026-01-02T03:04:05.678Z stdout TEXT".  The stamp is the dock's, TEXT is the guest's.  Pure. */

#define ISC_SERVICE_STAMP 24 /* bytes of the time; as text they sort like the times */

/* FALSE: it has none, being a piece of a longer one, or what no collector wrote. */
gboolean isc_service_line_stamp(const gchar *line, gsize len, gchar out[ISC_SERVICE_STAMP + 1]);

/* {"time": …, "stream": "stdout", "text": …}, or only the text.  Returns: (transfer full) */
IscJson *isc_service_line_json(const gchar *line, gsize len);
