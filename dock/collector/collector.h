#pragma once
#include <glib.h>

#include "collector/chain.h"

/* The collector as a whole: nodes by name, the link to isc-dockd, probes, the threads that write.
 */

typedef struct {
	int listen_fd; /* of the link; taken over */
	int log_fd;    /* LOGDIR; taken over */
	int nodes_fd;  /* LOGDIR/nodes; taken over */
	IscSealKey root;
	guint32 uids[3]; /* that may connect to the link */
	gsize n_uids;
} IscCollectorSetup;

/* Runs until SIGTERM or SIGINT: then every trail is committed and closed in order.
 * Errors: ISC_ERROR_FAILED (no epoll, no threads). */
gboolean isc_collector_run(const IscCollectorSetup *setup, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
