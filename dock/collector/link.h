#pragma once
/*
 * Between isc-dockd and isc-collectord: a unix SOCK_SEQPACKET socket at ISC_LINK_SOCKET on which
 * the collector listens and isc-dockd connects (peer uid checked on both sides).  Each message is
 * one IscLinkMsg, fixed size, host byte order; ATTACH, PROBE and PACKETS carry one file descriptor
 * (SCM_RIGHTS).  Upward go numbers only: no byte that came from a guest ever reaches isc-dockd.
 */
#include <stdint.h>

#include "collector/wire.h"

#define ISC_LINK_VERSION 1u
#define ISC_LINK_SOCKET "collector.sock" /* below the run folder, 0660 isc-collect:isc-dock */
#define ISC_LINK_NAME 32                 /* node name with its NUL; see base/name.h */
#define ISC_LINK_KEEP_MIN 32 /* MiB: whoever takes over isc-dockd can have no less left */
#define ISC_LINK_WORD 16     /* kind of a drop, or name of a tap, with its NUL */

typedef enum {
	/* isc-dockd → collector */
	ISC_LINK_ATTACH = 1, /* fd: the connected socket of `channel` of `node`; replaces an earlier
				one */
	ISC_LINK_FORGET = 2, /* the node is gone: write out what is there, close its files; answered
				by FORGOTTEN; ATTACH the same name only behind that */
	ISC_LINK_ORDER = 3,  /* send an IscWireOrder {a: kind, b: id, c: argument} on the control
				port */
	ISC_LINK_PROBE = 4, /* fd: a connected TCP socket; text: "GET path" target, e.g. "/"; a: id;
			       b: ms to wait */
	ISC_LINK_FLUSH = 5, /* a: id; all audit records read so far to disk; answered by FLUSHED */
	ISC_LINK_FENCE = 6, /* whose packets are whose: a: index of the node's tap, 0: it has none
			       any more; b: its address (host byte order); c: its MAC, a number of
			       48 bits; d: its uid; text: name of the tap */
	ISC_LINK_PACKETS = 7, /* fd: a netlink socket, bound to NFLOG group a; node: "" */
	ISC_LINK_DROPPED = 8, /* text: a kind; a: packets of it that the kernel dropped for the node
				 in all; b: 1: count from there on; node "": what is nobody's */
	ISC_LINK_KEEP = 9,   /* node: ""; a: MiB of each packet log to keep besides the file that is
				being written, at least ISC_LINK_KEEP_MIN; 0: all */
	ISC_LINK_GUARD = 10, /* node: ""; fd: keeps the guard's table standing while isc-dockd is
				down (engine/guard.h); held until the next one, never used */

	/* collector → isc-dockd */
	ISC_LINK_EVENT = 16,     /* a claim of `node`: a: IscWireEventKind, b..e: a..d of the event.
				    After isc-dockd (re)connects     the latest
				    STARTED/READY/STOPPED/FAILED     of each node comes again, with c's
				    sign     untouched and flags = 1 */
	ISC_LINK_CLOSED = 17,    /* `channel` of `node` hung up */
	ISC_LINK_PROBED = 18,    /* a: id; b: HTTP status (100..599), 0: timed out, -1: no HTTP */
	ISC_LINK_FORGOTTEN = 19, /* b..e as FLUSHED */
	ISC_LINK_FLUSHED = 20,   /* a: id; b: audit records on disk; c: records known lost; d, e:
				    anchor of the trail, its last   block's number and the first 8
				    bytes   of that block's hash (trail-verify.h).  a = -1: no   answer
				    but an   anchor, sent by itself from time to time */
	ISC_LINK_BAD = 21,       /* `node` broke the protocol; a: how often so far; b: IscWireBad */
	ISC_LINK_REFUSED = 22, /* the collector cannot keep the trail of `node` (disk full, …): a:
				  errno */
	ISC_LINK_LISTENS = 23, /* a: the NFLOG group that it reads, 0: none.  The first message on
				  each connection; answered by FENCE and DROPPED of all nodes (not
				  where b is 1: it asks again), and PACKETS where it reads none */
	ISC_LINK_COUNT = 24,   /* asks for DROPPED of `node` ("": of what is nobody's) */
} IscLinkKind;

/* How a node broke the protocol (b of BAD).  Ten times and it counts as flagged: what it says is
 * still kept. */
typedef enum {
	ISC_BAD_FRAME = 1,   /* header: magic, length, session, type or reserved bytes */
	ISC_BAD_RECORDS = 2, /* the payload is not the records that the header counts */
	ISC_BAD_RECORD = 3,  /* a record that the kernel cannot have written; kept in hex */
	ISC_BAD_EVENT = 4,   /* an event that does not exist */
	ISC_BAD_SLOW = 5,    /* half a frame, then nothing */
	ISC_BAD_JUMP = 6,    /* sequence numbers are missing: something was lost on the way */
	ISC_BAD_TRAIL = 7,   /* not the node's fault: its trail on disk is not as it was left (a new
				one was begun) */
	ISC_N_BAD,
} IscWireBad;

typedef struct {
	uint32_t version;         /* ISC_LINK_VERSION */
	uint16_t kind;            /* IscLinkKind */
	uint16_t channel;         /* IscChannel, where it matters */
	uint32_t flags;           /* 1: replayed */
	uint32_t slot;            /* the dock's number of the node; echoed */
	char node[ISC_LINK_NAME]; /* NUL-terminated, valid by isc_name_is_trail(); ISC_TRAIL_DOCK
				     has an audit channel only, of which isc-dockd is the guest */
	int64_t a, b, c, d, e;
	char text[128]; /* NUL-terminated; PROBE, FENCE and DROPPED only */
} IscLinkMsg;
