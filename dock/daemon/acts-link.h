#pragma once
#include "daemon/dock.h"

/*
 * Brings the dock's acts (store/acts.h) to the collector, which writes them as it writes a guest's:
 * the dock is one more source that speaks collector/wire.h, over a socket pair that it hands to the
 * collector itself.  Nothing of the trail, its chain or its keys is in this process; what comes
 * back are the 32-byte headers of RESUME and ACK.
 *
 * While the collector is away acts stay in their store; what it has on disk is forgotten there.
 */
typedef struct IscActsLink IscActsLink;

/* In the main context, once dock->link stands. */
IscActsLink *isc_acts_link_new(IscDock *dock);
void isc_acts_link_free(IscActsLink *link);

/* The collector is there: (again). */
void isc_acts_link_attach(IscActsLink *link);

/* There are new acts.  Any thread. */
void isc_acts_link_kick(IscActsLink *link);
