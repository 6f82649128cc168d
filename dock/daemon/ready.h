#pragma once
#include "daemon/dock.h"

/* When a node counts as ready: it says so itself and, where it or its image has a Health=, a probe
 * from outside agrees. */

/* What is probed: the node's Health=, else the image's; NULL: nothing.  (transfer full) */
gchar *isc_ready_health(const IscNode *node, const IscImage *image);

typedef enum {
	ISC_PROBE_GOOD,
	ISC_PROBE_BAD,     /* it did not answer as it should */
	ISC_PROBE_UNKNOWN, /* it could not be asked: that is not the node's fault */
} IscProbe;

/* One probe, from the dock's side of the boundary, which blocks for 2 s, at most 5; a command that
 * is run inside (then the answer is the node's word) for 10 s, at most 12. */
IscProbe isc_ready_probe(
		IscDock *dock, const IscNode *node, const gchar *health, GCancellable *cancel);

/**
 * isc_ready_wait:
 * Blocks until the node is ready, it ends, @cancel fires or the spec's time is up.
 * Errors: ISC_ERROR_TIMEOUT, ISC_ERROR_FAILED (the service ended, init gave up, the domain is
 * gone), ISC_ERROR_STATE.
 */
gboolean isc_ready_wait(IscDock *dock, const IscNode *node, const IscImage *image,
		GCancellable *cancel, GError **error);
