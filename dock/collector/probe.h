#pragma once
#include <glib.h>

#include "collector/reactor.h"

#define ISC_PROBE_ANSWER_MAX 4096 /* bytes of an answer that are looked at */

/* The status of an HTTP answer's first bytes: 100..599; 0: more bytes are needed; -1: this is no
 * HTTP.  Pure. */
gint isc_probe_parse(const gchar *bytes, gsize len);

/* Whether @target may stand in a request line: starts with '/', printable ASCII without blanks, at
 * most 127 bytes. */
gboolean isc_probe_target_is_valid(const gchar *target);

/* @status: as ISC_LINK_PROBED: 100..599, 0: timed out, -1: no HTTP. */
typedef void (*IscProbeFunc)(gint status, gpointer data);

typedef struct IscProbe IscProbe;

/**
 * isc_probe_start:
 * @fd: (transfer full): connected TCP socket
 * @ms: to wait, 1..60000; others are clamped
 *
 * Sends "GET TARGET HTTP/1.0" and calls @func once; then the probe is gone.
 */
IscProbe *isc_probe_start(IscReactor *reactor, int fd, const gchar *target, gint64 ms,
		IscProbeFunc func, gpointer data);
