#pragma once
/* The node's one network interface, static, by ioctl: no DHCP, no IPv6, nothing listens. */
#include "init/nodeconf.h"

/* Brings up lo and, if the node has an address, the interface with its MAC (any but lo if it names
 * none). Returns 0 or -errno. */
int isc_network_up(const IscNodeConf *conf);
