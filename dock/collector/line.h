#pragma once
#include <glib.h>

#include "collector/chain.h"

/* Lines of audit.log, in the format that auditd writes: "type=NAME msg=TEXT\n".  Pure. */

#define ISC_LINE_TEXT_MAX 8970 /* bytes of a kernel text: MAX_AUDIT_MESSAGE_LENGTH of libaudit */

/**
 * isc_line_add_kernel:
 * @out: the line is added at its end, newline included
 * @type: the kernel's message type; 1200..1299 are refused: they are the dock's own
 * @text: as it came from the guest, "audit(SECONDS.MS:SERIAL): …"
 * @flags: (out): ISC_RECORD_ESCAPED or 0
 *
 * The text is copied as it is.  Control characters (a newline above all, with which a message of a
 * program that may write audit records could forge a line) become \xNN. Returns: FALSE and nothing
 * added, where no kernel can have written this
 */
gboolean isc_line_add_kernel(
		GString *out, guint16 type, const gchar *text, gsize len, guint16 *flags);

/* What the dock adds to the trail: types that no kernel takes from its users, so that no guest can
 * write such a line. */
typedef enum {
	ISC_LINE_START = 1200,  /* DAEMON_START */
	ISC_LINE_END = 1201,    /* DAEMON_END */
	ISC_LINE_CONFIG = 1203, /* DAEMON_CONFIG */
	ISC_LINE_ERR = 1209,    /* DAEMON_ERR */
	ISC_LINE_PACKET = 1324, /* NETFILTER_PKT; in the packet log alone, where no guest writes */
} IscLineType;

/* Serials of the dock's lines are above this one, those of a kernel far below. */
#define ISC_LINE_SERIAL 4000000000u

/* A line of the dock's own.  @time: µs since 1970; @serial: a counter; the text must be printable.
 */
void isc_line_add_dock(GString *out, IscLineType type, gint64 time, guint32 serial,
		const gchar *format, ...) G_GNUC_PRINTF(5, 6);

/* The dock's line that keeps a record which isc_line_add_kernel() refused: in hex, cut at 2048
 * bytes. */
void isc_line_add_malformed(GString *out, gint64 time, guint32 serial, guint16 type,
		const gchar *text, gsize len);
