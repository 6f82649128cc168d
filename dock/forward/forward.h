#pragma once
#include "forward/format.h"
#include "forward/receiver.h"

/* Delivers the audit trails, the nodes' and the dock's own, the packet logs and the logs of
 * services to a receiver of syslog: every record at least once, in the order of its source.  Their
 * files are the spool; how far each was delivered is written down once the receiver has read it. */

typedef struct {
	int log_fd;   /* LOGDIR */
	int state_fd; /* where the positions are kept */
	int stop_fd;  /* readable: end */
	guint64 max; /* bytes of log that may wait in one trail; more is passed over, and counted */
	gboolean kinds[ISC_N_FORWARD_KINDS]; /* which are delivered */
	IscForwardStyle style;
	IscReceiver *receiver; /* borrowed */
} IscForward;

/* Until stop_fd says so.  Errors: the positions cannot be read. */
gboolean isc_forward_run(const IscForward *forward, GError **error) G_GNUC_WARN_UNUSED_RESULT;
