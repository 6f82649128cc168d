#pragma once
/* The image's own health check (Health=exec:), run when the dock asks for it: in the service's
 * namespaces and control group, as its user, confined as it is.  PID 1 never waits for it. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "init/nodeconf.h"
#include "init/service.h"

enum {
	ISC_CHECK_MS_MAX = 600000,
	ISC_CHECK_LATE = 124, /* its status when it was killed for taking too long, as timeout(1)'s
			       */
};

typedef struct {
	pid_t child; /* that waits for the command; 0: none runs */
	uint32_t id; /* of the order */
} IscCheck;

/* Runs conf->check for at most @ms.  @secret (@secret_len bytes) is wiped in the child, which has a
 * copy of PID 1's memory.  Returns 0 or -errno: ENOENT there is no command, EBUSY one runs already,
 * ESRCH the service does not run. */
int isc_check_start(IscCheck *check, const IscNodeConf *conf, const IscService *service,
		uint32_t id, int64_t ms, void *secret, size_t secret_len);

/* The child has ended with @status (of waitpid).  Returns the command's exit status, 128 and its
 * signal, 126 or 127 if it could not be run, or ISC_CHECK_LATE. */
int isc_check_ended(IscCheck *check, int status);
