#pragma once
#include <glib.h>

#include "collector/trail-verify.h"

/* Records as messages for a receiver of syslog.  Pure. */

typedef enum {
	ISC_FORMAT_RFC5424, /* with structured data: whose record, its number, the boot of the guest
			     */
	ISC_FORMAT_BARE,    /* RFC 5424 without structured data */
	ISC_FORMAT_JOURNAL, /* the fields of journald's native protocol */
	ISC_N_FORMATS,
} IscForwardFormat;

/* "rfc5424", "bare", "journal".  FALSE: no such one */
gboolean isc_forward_format_parse(const gchar *name, IscForwardFormat *out);

/* "local6" → 22, "info" → 6.  FALSE: no such one */
gboolean isc_forward_facility_parse(const gchar *name, guint *out);
gboolean isc_forward_level_parse(const gchar *name, guint *out);

typedef struct {
	IscForwardFormat format;
	guint facility, level; /* level: of ordinary records */
	const gchar *host;     /* of the dock: printable, no spaces */
} IscForwardStyle;

/**
 * isc_forward_print:
 * @out: the message is added at its end
 * @name: of the trail
 * @framed: RFC 6587 octet counting, for streams
 *
 * The record's text is passed on byte by byte: the collector has made control characters visible.
 */
void isc_forward_print(GString *out, const IscForwardStyle *style, const gchar *name,
		const IscTrailRecord *record, gboolean framed);
