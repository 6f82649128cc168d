#pragma once
#include "daemon/bus.h"

/* Method → handler; one table in handlers.c. */

/* @interface: "Dock1", "Dock1.Node".  Returns: borrowed; NULL for one that does not exist */
const IscHandler *isc_handlers_find(const gchar *interface, const gchar *method);
