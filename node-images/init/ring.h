#pragma once
/*
 * What a channel keeps until the dock has it on disk: frames, numbered from 1, in a bounded ring of
 * bytes.  And the reader of the few frames that come from the dock.  Pure: no system call, so that
 * it is tested on the host.
 *
 *      head            frame   frame+sent      open          tail        head + size
 *       | sent, not yet  |  being  |   sealed,   | the frame   |   room      |
 *       | acknowledged   |  sent   | to be sent  | that fills  |             |
 *
 * Positions count bytes and only grow (the place in the buffer is position modulo size); when all
 * is acknowledged they go back to 0, so that an idle node touches only the first pages of a large
 * ring.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/wire.h"

#define ISC_RING_TEXT_MAX                                                                          \
	16384u /* bytes of text of one record; the kernel's audit records have at most 8970 */

typedef struct {
	uint8_t *buf;     /* not owned */
	uint64_t size;    /* bytes, a power of two, at least 64 KiB */
	uint64_t session; /* of this boot, not 0 */
	uint64_t head, frame, sent, open, tail;
	uint64_t head_seq;   /* number of the frame at head */
	uint64_t frame_seq;  /* number of the frame at frame */
	uint64_t next_seq;   /* number that the open frame will get */
	uint64_t sent_seq;   /* highest number that ever went out whole */
	uint64_t lost;       /* records dropped and not yet told */
	uint64_t lost_total; /* records and frames dropped since boot */
	uint16_t count;      /* records in the open frame */
} IscRing;

void isc_ring_init(IscRing *ring, uint8_t *buf, uint64_t size, uint64_t session);

/* Adds a record to the open frame; text longer than ISC_RING_TEXT_MAX is cut.  When there is no
 * room the record is dropped and counted, and an ISC_WIRE_LOST record takes its place as soon as
 * there is.  Returns false if dropped. */
bool isc_ring_record(IscRing *ring, uint16_t type, const void *text, size_t len);

/* Adds a frame of its own, complete.  @len at most ISC_WIRE_PAYLOAD_MAX.  Returns false if dropped.
 */
bool isc_ring_frame(IscRing *ring, uint16_t type, const void *payload, uint32_t len);

/* Closes the open frame, so that it can be sent.  Without one, does nothing. */
void isc_ring_seal(IscRing *ring);

/* The dock has (@session, @seq) on disk: drops what it has, and sends again from behind it. Numbers
 * that were never sent are taken for the last one that was. */
void isc_ring_resume(IscRing *ring, uint64_t session, uint64_t seq);

/* The dock has everything up to @seq on disk; frames not yet sent on this connection stay whatever
 * it says. */
void isc_ring_ack(IscRing *ring, uint64_t seq);

/* What to write next: sets *@data and returns its length, 0 when nothing is to be sent; valid until
 * the ring changes. */
size_t isc_ring_peek(const IscRing *ring, const uint8_t **data);

/* @n bytes of what isc_ring_peek() showed are written. */
void isc_ring_sent(IscRing *ring, size_t n);

/* Nothing is held: all that was ever added is acknowledged (or dropped). */
bool isc_ring_is_empty(const IscRing *ring);

/* Something is in the open frame. */
bool isc_ring_is_open(const IscRing *ring);

/* Bytes from the dock, until they are frames. */
#define ISC_INPUT_PAYLOAD 64u /* the dock sends at most an IscWireOrder */
typedef struct {
	uint8_t buf[512];
	size_t len;
} IscInput;

/* Takes in bytes; returns how many there was room for. */
size_t isc_input_feed(IscInput *input, const uint8_t *data, size_t len);

/* Takes the next whole frame out; what is not a frame is skipped byte by byte.  Returns false when
 * there is none yet. */
bool isc_input_next(IscInput *input, IscWireHeader *header, uint8_t payload[ISC_INPUT_PAYLOAD]);
