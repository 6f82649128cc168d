#pragma once
#include <glib.h>

#include "collector/link.h"

/* isc-dockd's end of the socket to isc-collectord.  Connects by itself, again and again; what is
 * sent while there is no collector is refused, not kept: QEMU connects again, and the channel is
 * attached then. */
typedef struct IscLink IscLink;

/* Called in the main context for each message from the collector; @msg is borrowed and its node
 * name has been validated.  With @msg NULL: the collector is there (@up) or gone. */
typedef void (*IscLinkFunc)(gpointer data, const IscLinkMsg *msg, gboolean up);

/**
 * isc_link_new:
 * @path: of the collector's socket
 * @peer_uid: uid the collector must have; root is taken too
 *
 * Returns: (transfer full)
 */
IscLink *isc_link_new(const gchar *path, guint peer_uid, IscLinkFunc func, gpointer data);
void isc_link_free(IscLink *link);

gboolean isc_link_is_up(IscLink *link);

/* Sends @msg, with @fd where >= 0 (stays the caller's).  Any thread.  Errors: ISC_ERROR_HOST: no
 * collector. */
gboolean isc_link_send(IscLink *link, const IscLinkMsg *msg, int fd, GError **error);

/* A message of @kind for @node, zeroed otherwise. */
IscLinkMsg isc_link_msg(IscLinkKind kind, const gchar *node, guint slot);
