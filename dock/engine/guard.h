#pragma once
#include <glib.h>

#include "render/nft.h"

/* The table that only its owner may change or flush (isc_nft_render_guard()).  The owner is a
 * netlink socket, and the table ends with the last descriptor of it: who is handed one keeps the
 * table standing when this process is gone.  Nothing can be done with it but that, for nf_tables
 * asks whoever sends for CAP_NET_ADMIN.
 *
 * So there may be a guard of an earlier process when one is made; this one then gets another name,
 * and both hold until the earlier one's descriptor is closed. */

typedef struct IscGuard IscGuard;

/* Puts the table in force.  Errors: ISC_ERROR_HOST. */
IscGuard *isc_guard_new(const IscNftConfig *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Closes this process's descriptors. */
void isc_guard_free(IscGuard *guard);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscGuard, isc_guard_free)

/* Takes the table away, whoever else has a descriptor. */
gboolean isc_guard_remove(IscGuard *guard, GError **error) G_GNUC_WARN_UNUSED_RESULT;

int isc_guard_fd(const IscGuard *guard);       /* borrowed */
guint32 isc_guard_port(const IscGuard *guard); /* netlink port that its changes come from */

/* The netlink sockets of netfilter that this process has open now, by port: port → fd.  libnftables
 * hides its own, and leaves it open across exec: that is mended here.  Returns: (transfer full) */
GHashTable *isc_netfilter_sockets(void);
