#pragma once
#include <glib.h>

#include "model/rules.h"

/* Ports of the dock that programs on it listen on.  Exposing one of them would take it away from
 * its program (the redirection comes first): exposing port 22 locks the administrator out. */

/**
 * isc_ports_find:
 * @table: /proc/net/tcp, tcp6, udp or udp6 (proc(5)); @len: bytes
 * @uid: (out) (optional): whose the socket is
 *
 * Pure.  Sockets bound to loopback, and those bound to another address than the one exposed, do not
 * matter. Returns: the lowest port of @expose that somebody listens on, or 0
 */
guint isc_ports_find(const gchar *table, gsize len, const IscExpose *expose, guint *uid);

/* Errors: ISC_ERROR_STATE: a program listens on a port of @expose. */
gboolean isc_ports_check_free(const IscExpose *expose, GError **error) G_GNUC_WARN_UNUSED_RESULT;
