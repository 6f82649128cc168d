#pragma once
/*
 * The one service of the node, in namespaces of its own (pid, mount, ipc, uts, cgroup).
 *
 *   PID 1 ── ns-init (pid 1 of the namespace; puts the tree together, starts, waits; then holds no
 * right) └─ pre commands, one after the other, then the service; both confined (confine.h)
 *
 * ns-init is started early and builds the tree while PID 1 sets up network and audit; nothing of
 * the image runs before isc_service_go().  When the service's first process ends, ns-init ends, and
 * the kernel kills what is left.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "init/nodeconf.h"

typedef struct {
	pid_t ns_init; /* 0: not started, or gone and reaped */
	pid_t pid;     /* of the service, as PID 1 sees it; 0 before it was executed */
	int link;      /* SOCK_SEQPACKET from ns-init */
	int out, err;  /* read ends of its stdout and stderr, nonblocking; -1 when closed */
	bool built;    /* its tree stands */
	bool executed; /* the service's program runs */
	bool ended;    /* the service has run and ended: status is what waitpid said */
	int status;
	uint64_t memory; /* bytes that it may use, of isc_service_limit() */
	int failure;     /* IscInitFailure, if it could not be brought up */
	int failure_errno;
	int failure_status; /* a pre command's exit status, or 128 + signal */
} IscService;

/* Starts ns-init; service->memory is set.  @scrub (@scrub_len bytes) is wiped in it: it has a copy
 * of PID 1's memory.
 * @overlay: an overlay disk is mounted.  Returns 0 or -errno. */
int isc_service_prepare(IscService *service, const IscNodeConf *conf, bool overlay, void *scrub,
		size_t scrub_len);

/* Waits until the tree stands.  The audit rules come only then: what init itself mounts is no news.
 * Returns 0 or -errno (service->failure says where). */
int isc_service_wait_built(IscService *service);

/* Lets it start the service. */
void isc_service_go(IscService *service);

/* Reads what ns-init says; call when link is readable. */
void isc_service_read(IscService *service);

/* Sends @signal to the service's first process; SIGKILL goes to all. */
void isc_service_signal(IscService *service, int signal);

/* A child in the service's control group, with clone's @flags besides.  As fork(2). */
pid_t isc_service_fork(uint64_t flags);

/* What the service finds in its environment; static, the same at each call. */
char **isc_service_environment(const IscNodeConf *conf);

/* A control group for the service, so that neither its memory nor its processes push PID 1 aside,
 * nor the kernel's own threads, of which one brings the audit records.
 * Without cgroup2 nothing is limited.  @reserve: bytes of memory that stay out of its reach.
 * Returns the bytes that are left for it, 0 where nobody knows. */
uint64_t isc_service_limit(uint64_t reserve);
