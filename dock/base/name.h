#pragma once
#include <glib.h>

/* The only validators of names.  Whatever arrives from outside passes one of these before any
 * other use: they decide what may become part of a path, an XML value, an nft text or a log line.
 */

#define ISC_NAME_MAX 31   /* bytes of a node, image, snapshot, volume or group name */
#define ISC_DIGEST_LEN 64 /* hex digits of a SHA-256 */

/* The dock's own trail stands under this name; no node can have it. */
#define ISC_TRAIL_DOCK "@dock"

/* Before the name of a trail: its packet log, which is a trail of its own
 * (collector/packet-trail.h). */
#define ISC_TRAIL_PACKETS '+'

/* A name that a trail can have: a node's, or the dock's. */
gboolean isc_name_is_trail(const gchar *name);

/* A node, image, snapshot, … name: [a-z][a-z0-9-]{0,30}.  NULL is no name. */
gboolean isc_name_is_valid(const gchar *name);

/* As above, with an error that says what (@what: "node", "image", …) and which rule is broken.
 * Errors: ISC_ERROR_INVALID.  The name is shown escaped and cut at 64 bytes. */
gboolean isc_name_check(const gchar *what, const gchar *name, GError **error);

/* 64 lower-case hex digits. */
gboolean isc_digest_is_valid(const gchar *digest);

/* An image version: [0-9A-Za-z][0-9A-Za-z.+~-]{0,63}. */
gboolean isc_version_is_valid(const gchar *version);

/* A label or environment key: [A-Za-z_][A-Za-z0-9_.-]{0,62}. */
/* A full host name in lower case: labels of a-z, 0-9 and '-', at least two, at most ISC_HOST_MAX
 * bytes; not an address. */
#define ISC_HOST_MAX 100
gboolean isc_host_is_valid(const gchar *text);

gboolean isc_key_is_valid(const gchar *key);

/**
 * isc_text_escape:
 * @bytes: anything, also from a guest; @len: its length, or -1 where it ends in NUL
 * @max: bytes of @bytes to look at, at most; what is cut shows as "…"
 *
 * For terminals and logs: control characters (ESC, CR, LF, DEL, C1), backslash and bytes that are
 * no valid UTF-8 become \xNN, so that no guest can move a cursor or forge a line. Returns:
 * (transfer full)
 */
gchar *isc_text_escape(const gchar *bytes, gssize len, gsize max);
