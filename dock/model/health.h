#pragma once
#include <glib.h>

/* How the dock finds out whether a service serves: Health= of an image and of a node file.
 *
 *   tcp:PORT            it takes a connection
 *   http:[PORT]/path    it answers with a status of 200 to 399; without PORT at the first TCP port
 *                       that the image names
 *   exec:COMMAND        a command of the image ends with status 0; it is run in the node, as the
 *                       service's user and as confined, whenever the dock asks
 */

#define ISC_HEALTH_NONE "none" /* in a node file: not even what the image says */
#define ISC_HEALTH_PATH 255u   /* bytes of a path at most, of a command's words together 1024 */

/* Whether @text is one of the above, in one line; a path is without blanks, a command's words are
 * split as a shell does it, at most 31, the first one an absolute path. */
gboolean isc_health_is_valid(const gchar *text);

/* The TCP port that a valid probe names; 0: it names none, or @text is NULL. */
guint16 isc_health_port(const gchar *text);

/* The path of an http probe, within @text; NULL of any other. */
const gchar *isc_health_path(const gchar *text);

/* The words of an exec probe, NULL of any other.  (transfer full) */
gchar **isc_health_command(const gchar *text);

/**
 * isc_health_resolve:
 * @text: (nullable): a valid probe
 * @ports: (nullable): "80/tcp", "5000-5010/udp", as an image names them
 *
 * Returns: (transfer full): @text with its port filled in where it had none; NULL where there is
 * no TCP port to fill in, or @text is NULL.
 */
gchar *isc_health_resolve(const gchar *text, gchar *const *ports);
