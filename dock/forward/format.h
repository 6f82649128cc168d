#pragma once
#include <glib.h>

#include "forward/source.h"

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
	guint facility[ISC_N_FORWARD_KINDS], level[ISC_N_FORWARD_KINDS]; /* of ordinary records */
	const gchar *host; /* of the dock: printable, no spaces */
} IscForwardStyle;

/**
 * isc_forward_values_parse:
 * @text: words, each VALUE (of every kind that has none of its own) or KIND:VALUE: "local6
 *   logs:daemon"
 * @parse: isc_forward_facility_parse() or isc_forward_level_parse()
 * @bad: (out) (transfer full): the word at fault
 *
 * FALSE: a word is wrong, or a kind has no value.
 */
gboolean isc_forward_values_parse(const gchar *text, gboolean (*parse)(const gchar *, guint *),
		guint out[ISC_N_FORWARD_KINDS], gchar **bad);

/**
 * isc_forward_print:
 * @out: the message is added at its end
 * @node: whose it is
 * @framed: RFC 6587 octet counting, for streams
 *
 * The record's text is passed on byte by byte: the collector has made control characters visible.
 */
void isc_forward_print(GString *out, const IscForwardStyle *style, IscForwardKind kind,
		const gchar *node, const IscTrailRecord *record, gboolean framed);
