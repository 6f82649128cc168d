#pragma once
#include "daemon/dock.h"

/* The agent of a node tells every five seconds that it is there.  One that says nothing more,
 * though its node runs and its machine is not halted, is an alarm: its kernel hangs, or belongs to
 * somebody who wants no more on record (T18). */

/* Looks once, a while from now, and again as long as one is silent.  So the beats of the others
 * keep it going, and where no node runs no timer does.  From any thread, as often as you like. */
void isc_silence_listen(IscDock *dock);

/* Looks now. */
void isc_silence_look(IscDock *dock);
