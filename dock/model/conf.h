#pragma once
#include <glib.h>

/* Key files in the style of systemd units: `[Section]`, `Key=Value`, '#' and ';' comments at a
 * line's start, a trailing backslash continues a line, a key may repeat.  Unlike GKeyFile it keeps
 * each entry's line, so that errors can name it, and repeated keys.  node files, image.conf and
 * dock.conf are all read by it. */

typedef struct {
	const gchar *section; /* borrowed from the IscConf */
	const gchar *key;
	const gchar *value; /* white space around it is cut off; UTF-8, no control characters but
			       tab */
	guint line;         /* from 1 */
} IscConfEntry;

/* What a file may hold; ends with { NULL }. */
typedef struct {
	const gchar *section, *key;
	gboolean repeats; /* else a second one is an error */
} IscConfKey;

typedef struct IscConf IscConf;

/**
 * isc_conf_parse:
 * @what: named in errors, e.g. the path
 * @text: UTF-8, need not end in NUL; @len: at most 64 KiB
 * @keys: all that is allowed
 *
 * Errors: ISC_ERROR_INVALID "WHAT:LINE: …": unknown section or key (with the nearest known one),
 * repeated key, no '=', bad UTF-8, NUL, control characters. Returns: (transfer full)
 */
IscConf *isc_conf_parse(const gchar *what, const gchar *text, gsize len, const IscConfKey *keys,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* In the file's order.  @n: (out).  Borrowed. */
const IscConfEntry *isc_conf_entries(const IscConf *conf, gsize *n);

/* The last entry of that key, or NULL. */
const IscConfEntry *isc_conf_get(const IscConf *conf, const gchar *section, const gchar *key);

/* Sets ISC_ERROR_INVALID "WHAT:LINE: KEY: MESSAGE".  Returns FALSE. */
gboolean isc_conf_error(const IscConf *conf, const IscConfEntry *entry, GError **error,
		const gchar *format, ...) G_GNUC_PRINTF(4, 5);

void isc_conf_free(IscConf *conf);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscConf, isc_conf_free)
