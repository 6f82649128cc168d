#pragma once
#include "daemon/bus.h"

/* The Fsck method: register, libvirt, firewall and files against each other. */
GVariant *isc_fsck(IscCall *call, GError **error);
