#pragma once
#include <glib.h>

#include "collector/trail-writer.h"

/*
 * Where the packet log of one node goes: a trail as that of its audit (trail-writer.h), in the
 * folder "network" within the node's; for what is nobody's, within that of the dock's own trail.
 * So it is chained and sealed in the same way, ausearch -if reads it, and it outlives the node.
 *
 * Its lines are of type NETFILTER_PKT; what was left out is a DAEMON_CONFIG line.  Files are opened
 * when there is something to write, in a thread: a slow disk holds up no socket.
 */

#define ISC_PACKET_TRAIL_FOLDER "network"
#define ISC_PACKET_TRAIL_NAME 32

typedef struct IscPacketTrail IscPacketTrail;

typedef struct {
	int log_fd, nodes_fd;   /* folder of the dock's folder, and of the nodes' */
	const IscSealKey *root; /* of the dock */
	GThreadPool *pool;      /* one thread; of isc_packet_trail_run_job() */
	gint keep_mib;          /* atomic: of closed files of each trail; 0: all */
	/* How far the trail of @node's packets is on disk, when it was opened and at each new file;
	 * in the main thread.  NULL: nobody wants to know */
	void (*tell_end)(gpointer self, const gchar *node, const IscTrailState *end);
	gpointer self;
} IscPacketTrailHost;

/* The name that the trail's first block bears: the node's with ISC_TRAIL_PACKETS before it, cut at
 * 31 characters.  So no trail of packets passes for one of audit. */
void isc_packet_trail_name(const gchar *node, gchar out[ISC_PACKET_TRAIL_NAME]);

/* @node: ISC_TRAIL_DOCK, "": what is nobody's.  Opens nothing yet. */
IscPacketTrail *isc_packet_trail_new(const IscPacketTrailHost *host, const gchar *node);

/* What was not flushed is lost.  Not while the pool is at work on it: see is_busy(). */
void isc_packet_trail_free(IscPacketTrail *trail);

/* @text: printable. */
void isc_packet_trail_add(IscPacketTrail *trail, gint64 time, const gchar *text);

/* One that may wait for others, for up to ISC_PACKET_TRAIL_CALM_S: what is let through is no news,
 * and each commit costs the disk two syncs. */
#define ISC_PACKET_TRAIL_CALM_S 10
void isc_packet_trail_add_calm(IscPacketTrail *trail, gint64 time, const gchar *text);
void isc_packet_trail_note(IscPacketTrail *trail, gint64 time, const gchar *text);

/* Has the pool write what there is; nothing where it is still at the last.  Lines that the disk
 * refuses are lost, and the next line says how many. */
void isc_packet_trail_flush(IscPacketTrail *trail);
void isc_packet_trail_hurry(IscPacketTrail *trail); /* nothing waits for others any more */
gboolean isc_packet_trail_is_busy(const IscPacketTrail *trail); /* or has lines that wait */

/* GFunc of the pool. */
void isc_packet_trail_run_job(gpointer trail, gpointer data);
