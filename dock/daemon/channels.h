#pragma once
#include "daemon/link.h"
#include "model/node.h"

/* The sockets QEMU connects a node's three virtio-serial ports to.  isc-dockd listens, looks at who
 * connects (SO_PEERCRED: the node's own uid, nobody else) and hands the connection to the collector
 * unread. */
typedef struct IscChannels IscChannels;

/* @refused: told in the main context when a process that is not the node's QEMU tries; may be NULL
 */
typedef void (*IscChannelsRefused)(gpointer data, const gchar *node, IscChannel channel, guint uid);

IscChannels *isc_channels_new(
		const gchar *run_dir, IscLink *link, IscChannelsRefused refused, gpointer data);
void isc_channels_free(IscChannels *channels);

/* Listens for @node below RUNDIR/nodes/NAME (0660, group: the node's).  Again: replaces the
 * sockets. */
gboolean isc_channels_open(IscChannels *channels, const IscNode *node, GError **error);

/* Stops listening and removes the sockets; what is connected stays with the collector.  None is no
 * error. */
void isc_channels_close(IscChannels *channels, const gchar *node);

/* RUNDIR/nodes/NAME/audit.sock, …  Returns: (transfer full) */
gchar *isc_channels_path(const gchar *run_dir, const gchar *node, IscChannel channel);
