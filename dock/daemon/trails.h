#pragma once
#include "daemon/bus.h"

/* The files that the collector writes, opened for whoever may read them.  They outlive their node,
 * so they are asked for by its name, not at its object.  Nothing here looks into them: they hold
 * bytes of guests. */

GVariant *isc_trails_open(IscCall *call, GError **error);       /* OpenTrail */
GVariant *isc_trails_open_chain(IscCall *call, GError **error); /* OpenChain */
GVariant *isc_trails_list(IscCall *call, GError **error);       /* ListTrails */
