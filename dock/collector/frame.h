#pragma once
#include <glib.h>

#include "collector/link.h"
#include "collector/wire.h"

/* From bytes of a port to frames, from frames to records.  Pure and bounded: what the parser keeps
 * is less than one frame.  Every byte here was chosen by a guest that may be hostile. */

typedef struct {
	const IscWireHeader *header; /* checked; borrowed */
	const guint8 *payload;       /* header->len bytes; borrowed */
} IscFrame;

typedef struct {
	/* A whole frame, header and records in order.  Must not free the parser. */
	void (*frame)(gpointer self, const IscFrame *frame);
	/* Bytes that are no frame (ISC_BAD_FRAME), or a frame whose payload is not what the header
	 * says (ISC_BAD_RECORDS); called once for each place where the reader lost its way. @fresh:
	 * at the start of a connection, where the rest of a cut frame is nobody's fault. */
	void (*bad)(gpointer self, IscWireBad what, gboolean fresh);
} IscFrameOps;

typedef struct {
	IscChannel channel;
	const IscFrameOps *ops;
	gpointer self;
	guint64 session;  /* the one to look for when lost; 0: none known */
	gboolean strict;  /* takes no session that isc_frame_parser_set_session() did not name: the
			     port whose payload the  service itself writes */
	gboolean fresh;   /* no good frame yet on this connection */
	gboolean lost;    /* looks for magic and session */
	guint64 frames;   /* given out so far */
	GByteArray *rest; /* bytes of a frame that is not whole yet; less than ISC_WIRE_FRAME_MAX */
} IscFrameParser;

void isc_frame_parser_init(IscFrameParser *p, IscChannel channel, gboolean strict,
		const IscFrameOps *ops, gpointer self);
void isc_frame_parser_clear(IscFrameParser *p);

/* A new connection: forgets half a frame, keeps the session. */
void isc_frame_parser_restart(IscFrameParser *p);

/* Half a frame will not get whole any more. */
void isc_frame_parser_give_up(IscFrameParser *p);

void isc_frame_parser_set_session(IscFrameParser *p, guint64 session);

/* Takes any number of bytes; calls the ops in order.  @bytes need not stay. */
void isc_frame_parser_feed(IscFrameParser *p, const guint8 *bytes, gsize len);

/* Whether a frame was begun and is not whole. */
gboolean isc_frame_parser_is_midway(const IscFrameParser *p);

/* One record after the other; *@at starts at 0.  TRUE with a record, FALSE at the end. */
gboolean isc_frame_next_record(
		const IscFrame *frame, gsize *at, guint16 *type, const gchar **text, gsize *len);

/* Whether the payload is exactly the `count` records that the header promises. */
gboolean isc_frame_records_are_valid(const IscFrame *frame);
