#pragma once
#include <glib.h>

#include "base/cleanup.h"

/* Lines of a packet log, as isc-collectord writes them (collector/packet-trail.h).  Pure. */

typedef struct {
	gint64 time;       /* µs since 1970 */
	gboolean is_note;  /* of the dock's own: what was left out */
	gchar kind[24];    /* "mac"; "" where the line is of none */
	const gchar *text; /* behind the stamp; borrowed, @len bytes, no NUL */
	gsize len;
} IscPacketLine;

/* FALSE: no line of a packet log. */
gboolean isc_packet_line_parse(const gchar *line, gsize len, IscPacketLine *out);

/* {"node": "web", "time": …, "kind": "mac", "rule": "bridge/drop-mac", "saddr": …}; numbers as
 * numbers.  What was left out has "op", "left-out", "lines" and "dropped" or "accepted".  Returns:
 * (transfer full) */
IscJson *isc_packet_line_json(const IscPacketLine *line, const gchar *node);

/* "2024-05-01 12:00:03.123  web  mac bridge/drop-mac smac=…", cleaned for a terminal.  Returns:
 * (transfer full) */
gchar *isc_packet_line_text(const IscPacketLine *line, const gchar *node);

/* Of a connection that was let through, or of such as were left out; of what was dropped.  Neither
 * where the line is of no kind. */
gboolean isc_packet_line_is_accepted(const IscPacketLine *line);
gboolean isc_packet_line_is_dropped(const IscPacketLine *line);

/* Packets that the line stands for: one, or as many as it says were left out. */
guint64 isc_packet_line_count(const IscPacketLine *line);
