#pragma once
#include <glib.h>

/* How the dock keeps a node going: when it is started anew, and how its health is looked at.  Keys
 * Restart=, RestartSec=, RestartMaxDelaySec=, StartLimitBurst=, StartLimitIntervalSec= (as in
 * systemd.service(5) and systemd.unit(5)), Health=, HealthInterval=, HealthRetries= (as Podman's)
 * of a node file. */

typedef enum {
	ISC_RESTART_NO,
	ISC_RESTART_ON_FAILURE,
	ISC_RESTART_ALWAYS,
	ISC_N_RESTARTS,
} IscRestart;

#define ISC_RESTART_S 1u
#define ISC_RESTART_MAX_S 60u
#define ISC_RESTART_BURST 5u
#define ISC_RESTART_INTERVAL_S 600u
#define ISC_HEALTH_INTERVAL_S 30u
#define ISC_HEALTH_RETRIES 3u

typedef struct {
	IscRestart restart;
	guint delay_s;     /* s before the first restart, 0..3600; doubles with each one … */
	guint delay_max_s; /* … up to this, 1..86400 */
	guint burst;       /* so many restarts within interval_s, then no more; 0: no ceiling */
	guint interval_s;  /* 1..604800 */
	gchar *health;     /* see model/health.h, or NULL: as the image says; owned */
	guint health_interval_s; /* between two probes while it runs, 0..3600; 0: none */
	guint health_retries;    /* failures in a row that make it unready, 1..100 */
} IscUpkeep;

void isc_upkeep_init(IscUpkeep *upkeep);  /* the presets above */
void isc_upkeep_clear(IscUpkeep *upkeep); /* frees what it owns */

const gchar *isc_restart_name(IscRestart restart); /* "no", "on-failure", "always"; static */

/* Why a node that was to run does not, or not as it should. */
typedef enum {
	ISC_ENDING_CLEAN,     /* its service ended with status 0, by itself */
	ISC_ENDING_FAILED,    /* it ended otherwise, or did not get ready */
	ISC_ENDING_UNHEALTHY, /* it runs, and its health check does not hold */
	ISC_ENDING_REFUSED,   /* it may no longer run here: policy, or its image */
	ISC_ENDING_HOST,      /* the host went down under it */
} IscEnding;

/* What became of Restart= so far; kept in the register. */
typedef struct {
	guint total;         /* restarts since the node was made */
	guint in_window;     /* of them, since … */
	gint64 window_start; /* s since the epoch; 0: none */
	gint64 last;         /* s since the epoch, of the last restart; 0: none */
	gint64 next_at;      /* s since the epoch, when it is due; 0: none is */
	gchar reason[200];   /* of the last one: one line */
} IscRestartRecord;
