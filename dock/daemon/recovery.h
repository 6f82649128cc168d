#pragma once
#include "daemon/dock.h"

/* What an earlier daemon left in the middle of a verb: the journal says how far it came, and its
 * plan is taken back or brought to its end (policy/planner.h says which). */

/* Ends what an earlier daemon left in the middle.  In main(), before the bus name is taken. */
void isc_recovery_run(IscDock *dock);

/* Destroys what was to be destroyed and could not be.  In a worker thread. */
void isc_recovery_finish(IscDock *dock);
