#pragma once
#include "daemon/bus.h"

/* Handlers: what is in force, and what it means. */
GVariant *isc_network_show_call(IscCall *call, GError **error);
GVariant *isc_network_explain_call(IscCall *call, GError **error);
