#pragma once
#include "collector/link.h"
#include "collector/packet-trail.h"
#include "collector/reactor.h"

/*
 * The packet log: reads the netlink socket that isc-dockd bound and handed over (this process could
 * make none), gives each packet to a node (packet-who.h), writes it to that node's trail
 * (packet-trail.h), and asks isc-dockd for the kernel's counters, for the number of those that are
 * not there.
 *
 * The socket is this process's own: while isc-dockd is down the log goes on, and when this process
 * dies the kernel lets go of the group and isc-dockd binds it anew.
 */

typedef struct IscPacketLog IscPacketLog;

/* Upward: LISTENS and COUNT. */
typedef void (*IscPacketLogTell)(gpointer self, const IscLinkMsg *msg);

/* @host: its pool is made here.  Errors: no thread. */
IscPacketLog *isc_packet_log_new(IscReactor *reactor, const IscPacketTrailHost *host,
		IscPacketLogTell tell, gpointer self, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Writes out what is there. */
void isc_packet_log_free(IscPacketLog *log);

/* isc-dockd has connected: says what is read. */
void isc_packet_log_hello(IscPacketLog *log);

/* FENCE, DROPPED, PACKETS, KEEP.  @fd: (transfer full), of PACKETS; else -1. */
void isc_packet_log_message(IscPacketLog *log, const IscLinkMsg *msg, int fd);
