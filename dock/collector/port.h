#pragma once
#include "collector/frame.h"
#include "collector/reactor.h"

/* One channel of one node: its socket, its parser, what goes back to the guest, and the order of
 * its frames. */

typedef enum {
	ISC_PORT_TAKE, /* the next in order */
	ISC_PORT_DROP, /* is there already, or comes again once those before it came */
	ISC_PORT_JUMP, /* take it; those between are lost */
} IscPortVerdict;

typedef struct IscPort IscPort;

typedef struct {
	IscFrameOps frame;
	void (*hangup)(gpointer port); /* may close it; `self` of the frame ops is the port, too */
} IscPortOps;

struct IscPort {
	IscChannel channel;
	IscReactor *reactor;
	const IscPortOps *ops;
	gpointer self;
	int fd; /* owned; -1: not attached */
	IscWatch *watch;
	gboolean reading; /* whether the owner wants bytes now */
	IscFrameParser parser;
	GByteArray *out;  /* to the guest; bounded */
	guint64 session;  /* of `last` */
	guint64 last;     /* highest sequence number taken */
	guint64 acked;    /* … told to the guest */
	guint64 missing;  /* by the last JUMP */
	guint rewinds;    /* times the guest was asked for the same gap */
	gint64 rewind_at; /* µs, monotonic */
	gint64 heard_at;  /* … of the last bytes */
	gint64 midway_at; /* … since when a frame is not whole; 0: it is */
};

void isc_port_init(IscPort *port, IscChannel channel, IscReactor *reactor, const IscPortOps *ops,
		gpointer self);
void isc_port_clear(IscPort *port);

/* @fd: (transfer full): replaces an earlier one.  Reads nothing until isc_port_set_reading(). */
void isc_port_attach(IscPort *port, int fd);
void isc_port_detach(IscPort *port);
void isc_port_set_reading(IscPort *port, gboolean on);

/* Sends RESUME; the port goes on from there. */
void isc_port_resume(IscPort *port, guint64 session, guint64 seq);

/* Sends ACK if @seq is new.  Left out while the guest does not read: a later one says more. */
void isc_port_ack(IscPort *port, guint64 seq);

/* Returns FALSE if the port is not attached or its guest does not read. */
gboolean isc_port_order(IscPort *port, const IscWireOrder *order);

/* What to do with a frame of the port's session.  A gap makes the guest send again, three times,
 * before it is a loss: a connection that broke in mid-flight leaves one that heals. */
IscPortVerdict isc_port_judge(IscPort *port, guint64 seq);

/* A session other than the port's: starts at 0. */
void isc_port_new_session(IscPort *port, guint64 session);

/* Half a frame, and nothing behind it for @us. */
gboolean isc_port_is_stuck(const IscPort *port, gint64 us);
