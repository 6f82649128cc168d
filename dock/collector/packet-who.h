#pragma once
#include "collector/link.h"
#include "collector/packet.h"
#include "collector/quota.h"

/*
 * Whose packet it was, and how many of a kind there were.  Pure.
 *
 * isc-dockd tells what is a node's: tap, address, MAC, uid.  A packet is given to a node by what
 * the kernel says of it alone, or by an address that the bridge has proven to be the sender's.
 *
 * A flood must neither fill the disk nor hide what else a node does.  So each kind of each node has
 * a share of its own: some lines at once, then one every few seconds.  What goes beyond, here or
 * already in the kernel, is counted: the kernel's counter of the drops, less the lines there are.
 */

typedef struct {
	gchar kind[ISC_PACKET_KIND];
	IscBucket bucket;      /* thousandths of a line */
	guint64 base, total;   /* of the kernel's counter: where we began, and now */
	guint64 lines;         /* that were written */
	guint64 seen_left_out; /* came here and were not written */
	guint64 told;          /* left out, and on record */
} IscPacketCount;

typedef struct {
	gchar name[ISC_LINK_NAME]; /* "": the dock: what is nobody's */
	gchar tap[ISC_LINK_WORD];
	guint32 port, address, uid, slot; /* 0: none */
	guint8 mac[6];
	GArray *counts; /* of IscPacketCount; at most ISC_PACKET_KINDS */

	/* for packet-log.c */
	gpointer trail;
	gint64 asked_at, count_at; /* µs, monotonic; count_at 0: no answer waits */
	gint64 gone_at;            /* its tap is gone; 0: it is there */
	gboolean is_lively;        /* packets came since it was last asked for */
	gboolean is_watched;       /* is asked for now and then */
	guint urgent; /* times that it is to be asked for soon: packets of it were dropped */
} IscPacketNode;

#define ISC_PACKET_KINDS 32
#define ISC_PACKET_BURST 30  /* lines of a kind at once */
#define ISC_PACKET_EVERY_S 5 /* then one in so many seconds */

typedef struct IscPacketWho IscPacketWho;

/* @freed: called for each node that goes, before its memory. */
IscPacketWho *isc_packet_who_new(void (*freed)(IscPacketNode *node));
void isc_packet_who_free(IscPacketWho *who);

/* Takes a FENCE with a tap.  Returns: the node, borrowed */
IscPacketNode *isc_packet_who_add(IscPacketWho *who, const IscLinkMsg *fence);
void isc_packet_who_remove(IscPacketWho *who, IscPacketNode *node);

/* NULL: no such node; "": the dock itself, which is always there. */
IscPacketNode *isc_packet_who_find(IscPacketWho *who, const gchar *name);

/* The node that @packet is held against, or the dock. */
IscPacketNode *isc_packet_who_of(IscPacketWho *who, const IscPacket *packet);

void isc_packet_who_each(
		IscPacketWho *who, void (*func)(IscPacketNode *node, gpointer data), gpointer data);

/* @now: µs, monotonic.  Returns: whether the packet gets a line */
gboolean isc_packet_count_take(IscPacketNode *node, const gchar *kind, gint64 now);

/* The kernel's counter.  @is_base: what was counted before is not ours to tell. */
void isc_packet_count_set(IscPacketNode *node, const gchar *kind, guint64 total, gboolean is_base,
		gint64 now);

/* How many are left out and not told yet; they count as told then. */
guint64 isc_packet_count_left_out(IscPacketCount *count);

/* The kernel counts from 0 again: the node got a new fence. */
void isc_packet_count_reset(IscPacketNode *node);
