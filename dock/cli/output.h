#pragma once
#include <glib.h>

#include "base/cleanup.h"

/* How results are shown: as tables and "key: value" lines for people, as JSON for programs.
 * All of it prints into a GString, so that tests can read it; isc_output_flush() writes it out. */

/**
 * isc_output_text:
 * For a terminal: control characters, bytes that are no UTF-8 and characters that reorder or hide
 * text become \xNN. Text that has none of them stays as it is, backslashes included. Returns:
 * (transfer full)
 */
gchar *isc_output_text(const gchar *text);

/* The same for bytes that may hold NUL. */
gchar *isc_output_bytes(const gchar *bytes, gsize len);

/* Seconds since the epoch as local time, "2024-05-01 12:00:03"; "-" for 0 and below.  Returns:
 * (transfer full) */
gchar *isc_output_time(gint64 seconds);

/* Bytes as "12.3 MiB".  Returns: (transfer full) */
gchar *isc_output_size(guint64 bytes);

/* --- JSON --- */

/**
 * isc_output_to_json:
 * Any GVariant: dictionaries become objects (keys that are no text are printed as text), arrays and
 * tuples arrays, variants what they hold, an empty maybe null; numbers that JSON cannot say (NaN,
 * infinity) null. Returns: (transfer full)
 */
IscJson *isc_output_to_json(GVariant *value) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_output_json:
 * @pretty: indented over several lines; else one line, for streams
 *
 * Appends @json and a newline.  Characters that a terminal might obey (DEL, C1 controls,
 * bidirectional marks) are written \uNNNN: what was a text of the guest's stays data, also for
 * somebody who reads the JSON on a terminal.
 */
void isc_output_json(GString *out, IscJson *json, gboolean pretty);

/* --- tables --- */

typedef struct {
	const gchar *title; /* NULL ends the columns */
	const gchar *key;   /* in the row's dictionary */
	/* Returns: (transfer full) the cell; NULL: as isc_output_value() shows the key's value, "-"
	 * where absent */
	gchar *(*show)(GVariant *row, const gchar *key);
} IscColumn;

/* Cells: (transfer full) for IscColumn.show */
gchar *isc_output_show_time(GVariant *row, const gchar *key);  /* x: seconds since the epoch */
gchar *isc_output_show_size(GVariant *row, const gchar *key);  /* t: bytes */
gchar *isc_output_show_short(GVariant *row, const gchar *key); /* s: a digest, first 12 digits */
gchar *isc_output_show_yes(GVariant *row, const gchar *key);   /* b: yes, no */

/* @rows: aa{sv}.  Columns are as wide as their widest cell (wide characters count two), two spaces
 * apart; no white space at line ends. */
void isc_output_table(GString *out, GVariant *rows, const IscColumn *columns);

/* The "name" of each row, once each, one a line or as a JSON array: for scripts and completion. */
void isc_output_names(GString *out, GVariant *rows, gboolean json);

/* One value on one line: texts as isc_output_text(), arrays joined by ", ", booleans yes/no; "" for
 * an empty one. Returns: (transfer full) */
gchar *isc_output_value(GVariant *value);

/**
 * isc_output_pairs:
 * @dict: a{sv}
 * @first: keys to show first, in this order; NULL at the end; the others follow, sorted
 *
 * "key: value" lines, values aligned.  Dictionaries and texts of several lines are shown indented
 * below their key. Keys that end in a time or size of the API ("since", "created", "imported",
 * "size") are shown as such.
 */
void isc_output_pairs(GString *out, GVariant *dict, const gchar *const *first);

/* Writes @out to standard output and empties it.  Errors: ISC_ERROR_FAILED (disk full, closed pipe,
 * …). */
gboolean isc_output_flush(GString *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
