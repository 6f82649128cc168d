#pragma once
#include "model/upkeep.h"

/* Pure: is a node that ended started anew, and when?  The same ceiling as systemd's: a window opens
 * with the first restart; when StartLimitBurst= of them have been made and it has not passed, there
 * is no further one.  Within a window each pause is twice the one before. */

typedef enum {
	ISC_RESTART_NOT_WANTED, /* Restart= does not ask for it */
	ISC_RESTART_REFUSED,    /* the node may not run */
	ISC_RESTART_CEILING,    /* too many already */
	ISC_RESTART_DUE,        /* record->next_at says when */
} IscRestartVerdict;

/**
 * isc_restart_decide:
 * @record: (inout): with ISC_RESTART_DUE the restart is entered; else next_at becomes 0
 * @now: s since the epoch
 */
IscRestartVerdict isc_restart_decide(
		const IscUpkeep *upkeep, IscRestartRecord *record, IscEnding ending, gint64 now);
