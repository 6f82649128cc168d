#pragma once
#include "collector/link.h"
#include "collector/reactor.h"

/* The collector's end of the socket to isc-dockd: one connection at a time, a new one replaces the
 * old.  Checks who connects (SO_PEERCRED) and that each message is one: its size, version, kind,
 * name, and the fd it must carry. */

typedef struct {
	void (*connected)(gpointer self);
	/* @fd: (transfer full); -1 where the kind carries none */
	void (*message)(gpointer self, const IscLinkMsg *msg, int fd);
} IscLinkOps;

typedef struct {
	guint32 *uids; /* that may connect; borrowed */
	gsize n_uids;
} IscLinkPeers;

typedef struct IscLinkServer IscLinkServer;

/* @listen_fd: (transfer full): SOCK_SEQPACKET, listening */
IscLinkServer *isc_link_server_new(IscReactor *reactor, int listen_fd, const IscLinkPeers *peers,
		const IscLinkOps *ops, gpointer self);
void isc_link_server_free(IscLinkServer *server);

/* Queues one message; nobody connected: dropped (the state comes again when somebody connects).  A
 * peer that does not read 4,096 messages is cut off. */
void isc_link_server_send(IscLinkServer *server, const IscLinkMsg *msg);

/* Whether @msg, with (@has_fd) or without a descriptor, is one that isc-dockd may send.  Pure. */
gboolean isc_link_msg_is_valid(const IscLinkMsg *msg, gsize len, gboolean has_fd);
