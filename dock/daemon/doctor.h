#pragma once
#include "daemon/bus.h"

/* The Doctor method: what on this host is not as a dock wants it, and how to mend it. */
GVariant *isc_doctor(IscCall *call, GError **error);
