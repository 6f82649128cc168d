#pragma once
/* What takes a process its rights, just before it becomes the service. */
#include "init/nodeconf.h"

/* Session, signals, limits, bounding set, securebits, groups and user, capabilities (only the
 * declared ones: permitted, effective, inheritable, ambient), working directory, no_new_privs,
 * seccomp.  uid 0 gains nothing by being 0. Nothing can be undone.  Returns 0 or -errno. */
int isc_confine(const IscNodeConf *conf);

/* Takes all capabilities from a process that has nothing left to do but wait. */
void isc_confine_drop_all(void);

/* Only the filter of system calls; no_new_privs must be set.  Returns 0 or -errno. */
int isc_confine_seccomp(void);
