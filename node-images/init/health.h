#pragma once
/* Does the service answer, seen from inside the node?  Never blocks: one check at a time, driven by
 * PID 1's loop. */
#include <stdbool.h>
#include <stdint.h>

#include "init/nodeconf.h"

typedef struct {
	int fd;           /* of the check that runs, else -1 */
	bool wants_write; /* watch fd for writing (connecting), else for reading */
	bool asked;       /* http: the request is out */
	unsigned turn;    /* which of the addresses is next */
	size_t len;
	char reply[16];
	int64_t end_ms;    /* when the running check has failed */
	int64_t next_ms;   /* when the next one starts; 0: never */
	unsigned pause;    /* ms between checks until the first that holds; grows */
	unsigned failures; /* in a row */
	bool ready;        /* it holds */
} IscHealth;

typedef enum {
	ISC_HEALTH_SAME,
	ISC_HEALTH_READY,     /* it holds now */
	ISC_HEALTH_UNHEALTHY, /* it held and has failed three times since */
} IscHealthChange;

/* Begins at @now; with health=none nothing is ever checked. */
void isc_health_start(IscHealth *health, const IscNodeConf *conf, int64_t now);

/* No more checks. */
void isc_health_stop(IscHealth *health);

/* To be called when fd is ready (@ready) or end_ms or next_ms has come. */
IscHealthChange isc_health_step(
		IscHealth *health, const IscNodeConf *conf, bool ready, int64_t now);

/* When to call at the latest; 0: never. */
int64_t isc_health_deadline(const IscHealth *health);
