#pragma once
#include "daemon/dock.h"

/* When a node counts as ready: it says so itself and, where the image has a Health=, a probe from
 * outside agrees. */

/* The TCP port of Health=, or 0. */
guint16 isc_ready_health_port(const IscImage *image);

/**
 * isc_ready_wait:
 * Blocks until the node is ready, it ends, @cancel fires or the spec's time is up.
 * Errors: ISC_ERROR_TIMEOUT, ISC_ERROR_FAILED (the service ended, init gave up, the domain is
 * gone), ISC_ERROR_STATE.
 */
gboolean isc_ready_wait(IscDock *dock, const IscNode *node, const IscImage *image,
		GCancellable *cancel, GError **error);
