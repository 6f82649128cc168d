#include "init/ring.h"

#include <stdio.h>
#include <string.h>

enum {
	LOST_TEXT = 24, /* a decimal uint64_t and its NUL */
	/* a count and the head of the record behind it, each in a frame of its own */
	LOST_ROOM = 2 * (ISC_WIRE_HEADER + sizeof(IscWireRecord)) + LOST_TEXT,
};

void isc_ring_init(IscRing *ring, uint8_t *buf, uint64_t size, uint64_t session)
{
	*ring = (IscRing){ .buf = buf, .size = size, .session = session };
	ring->head_seq = ring->frame_seq = ring->next_seq = 1;
}

static uint64_t room(const IscRing *ring)
{
	return ring->size - (ring->tail - ring->head);
}

static void put(IscRing *ring, uint64_t at, const void *src, size_t n)
{
	size_t off = (size_t)(at & (ring->size - 1));
	size_t first = n < ring->size - off ? n : (size_t)(ring->size - off);

	if (!n)
		return;
	memcpy(ring->buf + off, src, first);
	memcpy(ring->buf, (const uint8_t *)src + first, n - first);
}

/* Length of the sealed frame at @at, with its header. */
static uint64_t frame_size(const IscRing *ring, uint64_t at)
{
	uint8_t raw[sizeof(uint32_t)];
	uint32_t len;

	for (size_t i = 0; i < sizeof raw; i++)
		raw[i] = ring->buf[(at + offsetof(IscWireHeader, len) + i) & (ring->size - 1)];
	memcpy(&len, raw, sizeof len);
	return ISC_WIRE_HEADER + len;
}

static void close_frame(IscRing *ring, uint16_t type, uint16_t count)
{
	IscWireHeader header = {
		.magic = ISC_WIRE_MAGIC,
		.len = (uint32_t)(ring->tail - ring->open - ISC_WIRE_HEADER),
		.session = ring->session,
		.seq = ring->next_seq++,
		.type = type,
		.count = count,
	};

	put(ring, ring->open, &header, sizeof header);
	ring->open = ring->tail;
	ring->count = 0;
}

void isc_ring_seal(IscRing *ring)
{
	if (ring->open != ring->tail)
		close_frame(ring, ISC_WIRE_RECORDS, ring->count);
}

static bool append(IscRing *ring, uint16_t type, const void *text, size_t len)
{
	IscWireRecord record = { .type = type, .len = (uint16_t)len };
	size_t need = sizeof record + len;

	if (ring->tail - ring->open + need > ISC_WIRE_FRAME_MAX || ring->count == UINT16_MAX)
		isc_ring_seal(ring);
	if (room(ring) < need + (ring->open == ring->tail ? ISC_WIRE_HEADER : 0))
		return false;
	if (ring->open == ring->tail)
		ring->tail += ISC_WIRE_HEADER;
	put(ring, ring->tail, &record, sizeof record);
	put(ring, ring->tail + sizeof record, text, len);
	ring->tail += need;
	ring->count++;
	return true;
}

static bool tell_lost(IscRing *ring)
{
	char text[LOST_TEXT];
	int n;

	if (!ring->lost)
		return true;
	n = snprintf(text, sizeof text, "%llu", (unsigned long long)ring->lost);
	if (!append(ring, ISC_WIRE_LOST, text, (size_t)n))
		return false;
	ring->lost = 0;
	return true;
}

bool isc_ring_record(IscRing *ring, uint16_t type, const void *text, size_t len)
{
	if (len > ISC_RING_TEXT_MAX)
		len = ISC_RING_TEXT_MAX;
	/* The count only where the record follows it: else a full ring would fill up with counts.
	 */
	if ((!ring->lost || room(ring) >= LOST_ROOM + len) && tell_lost(ring) &&
			append(ring, type, text, len))
		return true;
	ring->lost++;
	ring->lost_total++;
	return false;
}

bool isc_ring_frame(IscRing *ring, uint16_t type, const void *payload, uint32_t len)
{
	isc_ring_seal(ring);
	if (len > ISC_WIRE_PAYLOAD_MAX || room(ring) < ISC_WIRE_HEADER + len) {
		ring->lost_total++;
		return false;
	}
	put(ring, ring->tail + ISC_WIRE_HEADER, payload, len);
	ring->tail += ISC_WIRE_HEADER + len;
	close_frame(ring, type, 0);
	return true;
}

static void drop_until(IscRing *ring, uint64_t seq)
{
	while (ring->head != ring->open && ring->head_seq <= seq) {
		ring->head += frame_size(ring, ring->head);
		ring->head_seq++;
	}
}

static void freed(IscRing *ring)
{
	if (ring->head == ring->tail)
		ring->head = ring->frame = ring->sent = ring->open = ring->tail = 0;
	tell_lost(ring);
}

void isc_ring_resume(IscRing *ring, uint64_t session, uint64_t seq)
{
	if (session == ring->session)
		drop_until(ring, seq < ring->sent_seq ? seq : ring->sent_seq);
	ring->frame = ring->head;
	ring->frame_seq = ring->head_seq;
	ring->sent = 0;
	freed(ring);
}

void isc_ring_ack(IscRing *ring, uint64_t seq)
{
	drop_until(ring, seq < ring->frame_seq ? seq : ring->frame_seq - 1);
	freed(ring);
}

size_t isc_ring_peek(const IscRing *ring, const uint8_t **data)
{
	uint64_t at = ring->frame + ring->sent;
	size_t off = (size_t)(at & (ring->size - 1));
	uint64_t n = ring->open - at;

	if (n > ring->size - off)
		n = ring->size - off;
	if (n > ISC_WIRE_FRAME_MAX)
		n = ISC_WIRE_FRAME_MAX;
	*data = ring->buf + off;
	return (size_t)n;
}

void isc_ring_sent(IscRing *ring, size_t n)
{
	ring->sent += n;
	while (ring->frame != ring->open) {
		uint64_t size = frame_size(ring, ring->frame);

		if (ring->sent < size)
			break;
		ring->sent -= size;
		ring->frame += size;
		if (ring->frame_seq > ring->sent_seq)
			ring->sent_seq = ring->frame_seq;
		ring->frame_seq++;
	}
}

bool isc_ring_is_empty(const IscRing *ring)
{
	return ring->head == ring->tail && !ring->lost;
}

bool isc_ring_is_open(const IscRing *ring)
{
	return ring->open != ring->tail;
}

size_t isc_input_feed(IscInput *input, const uint8_t *data, size_t len)
{
	size_t free = sizeof input->buf - input->len;

	if (len > free)
		len = free;
	memcpy(input->buf + input->len, data, len);
	input->len += len;
	return len;
}

static void cut_off(IscInput *input, size_t n)
{
	input->len -= n;
	memmove(input->buf, input->buf + n, input->len);
}

/* Half a frame of a broken connection may stand before the next one: the length that each type has,
 * and the fields that must be 0, tell a header from bytes that only begin like one. */
static bool plausible(const IscWireHeader *header)
{
	if (header->magic != ISC_WIRE_MAGIC || header->reserved || header->count)
		return false;
	switch (header->type) {
	case ISC_WIRE_RESUME:
	case ISC_WIRE_ACK:
		return header->len == 0;
	case ISC_WIRE_ORDER:
		return header->len == sizeof(IscWireOrder);
	default:
		return false;
	}
}

bool isc_input_next(IscInput *input, IscWireHeader *header, uint8_t payload[ISC_INPUT_PAYLOAD])
{
	static const uint32_t magic = ISC_WIRE_MAGIC;
	size_t at = 0;

	while (input->len - at >= sizeof *header) {
		memcpy(header, input->buf + at, sizeof *header);
		if (!plausible(header)) {
			at++;
			continue;
		}
		cut_off(input, at);
		if (input->len < sizeof *header + header->len)
			return false;
		memcpy(payload, input->buf + sizeof *header, header->len);
		cut_off(input, sizeof *header + header->len);
		return true;
	}
	/* Too short for a header: keep it if it may become one. */
	while (at < input->len) {
		size_t n = input->len - at < sizeof magic ? input->len - at : sizeof magic;

		if (memcmp(input->buf + at, &magic, n) == 0)
			break;
		at++;
	}
	cut_off(input, at);
	return false;
}
