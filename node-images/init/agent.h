#pragma once
/*
 * The one loop of PID 1: takes audit records and log lines, keeps them for the dock, watches the
 * service, obeys the dock's few orders, and at the end powers the machine off.
 *
 *   RUNNING ──(POWEROFF order)──> STOPPING ──(service gone)──> DRAINING ──(acknowledged, or 3 s)──>
 * LEAVING ──> off └──────(service ends, or could not be brought up)───────────┘ (BYE, or 1 s)
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "init/audit.h"
#include "init/channel.h"
#include "init/check.h"
#include "init/freeze.h"
#include "init/health.h"
#include "init/lines.h"
#include "init/nodeconf.h"
#include "init/service.h"

typedef enum {
	ISC_PHASE_RUNNING,
	ISC_PHASE_STOPPING,
	ISC_PHASE_DRAINING,
	ISC_PHASE_LEAVING,
	ISC_PHASE_OFF,
} IscPhase;

typedef struct {
	IscNodeConf conf;
	IscPort port[ISC_N_CHANNELS];
	IscAudit audit;
	IscService service;
	IscHealth health;
	IscFreeze freeze;
	IscCheck check;
	IscLines out, err;
	IscPhase phase;
	int ports;         /* epoll of the ports, edge-triggered */
	int signals;       /* signalfd of SIGCHLD */
	bool started;      /* STARTED is told */
	bool told_stopped; /* STOPPED or FAILED is told */
	int64_t ready_ms;  /* without Health=: when it counts as ready; 0: not waiting */
	int64_t beat_ms;   /* next heartbeat */
	int64_t kill_ms;   /* STOPPING: when SIGTERM becomes SIGKILL */
	int64_t end_ms;    /* DRAINING, LEAVING: when waiting is over */
	uint64_t beat_seq; /* number of the last heartbeat's frame */
	bool counts;       /* DRAINING: the kernel is asked for the last time what it lost */
	bool counted;      /* … and has answered */
} IscAgent;

/* Opens the three ports and the signals.  Returns 0 or -errno. */
int isc_agent_open(IscAgent *agent);

/* Tells the dock; d of every event is ms since boot. */
void isc_agent_tell(IscAgent *agent, uint32_t kind, int64_t a, int64_t b, int64_t c);

/* The service could not be brought up: tells the dock and turns to DRAINING. */
void isc_agent_fail(IscAgent *agent, int failure, int error, int status);

/* Runs until the machine is to be powered off. */
void isc_agent_run(IscAgent *agent);
