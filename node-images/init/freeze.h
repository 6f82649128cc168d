#pragma once
/* Freezing the node's writable file systems, so that the dock can copy the disks.  Writing out what
 * is dirty takes as long as it takes: a child does it, PID 1 never waits. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	ISC_FREEZE_MS_MAX = 600000,
	ISC_FREEZE_FDS = 5,
};

typedef struct {
	int fds[ISC_FREEZE_FDS]; /* folders, one on each file system */
	size_t n;                /* 0: there is none, and freezing is a matter of form */
	pid_t child;             /* that freezes just now; 0: none */
	bool frozen;
	uint32_t id;    /* of the order */
	int64_t end_ms; /* thaw by then, whoever forgot to ask; 0: not frozen and not freezing */
} IscFreeze;

/* What there is to be told to the dock. */
typedef enum {
	ISC_FREEZE_NOTHING,
	ISC_FREEZE_FROZEN,
	ISC_FREEZE_THAWED, /* or could not be frozen: *@error is an errno */
} IscFreezeNews;

/* Starts to freeze, for at most @ms.  Frozen already: only the time and the id are new. */
IscFreezeNews isc_freeze_start(IscFreeze *freeze, uint32_t id, int64_t ms, int64_t now, int *error);

/* The child has ended with @status (of waitpid). */
IscFreezeNews isc_freeze_child(IscFreeze *freeze, int status, int64_t now, int *error);

/* Thaws now. */
IscFreezeNews isc_freeze_thaw(IscFreeze *freeze, int *error);
