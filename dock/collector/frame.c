#include "collector/frame.h"

#include <string.h>

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

/* Enough of a header to know it again: magic, length, session. */
#define SIGHT 16u

void isc_frame_parser_init(IscFrameParser *p, IscChannel channel, gboolean strict,
		const IscFrameOps *ops, gpointer self)
{
	*p = (IscFrameParser){ .channel = channel,
		.strict = strict,
		.ops = ops,
		.self = self,
		.fresh = TRUE,
		.rest = g_byte_array_new() };
}

void isc_frame_parser_clear(IscFrameParser *p)
{
	g_clear_pointer(&p->rest, g_byte_array_unref);
}

void isc_frame_parser_restart(IscFrameParser *p)
{
	g_byte_array_set_size(p->rest, 0);
	p->fresh = TRUE;
	p->lost = FALSE;
}

void isc_frame_parser_give_up(IscFrameParser *p)
{
	g_byte_array_set_size(p->rest, 0);
	p->lost = TRUE;
}

void isc_frame_parser_set_session(IscFrameParser *p, guint64 session)
{
	p->session = session;
}

gboolean isc_frame_parser_is_midway(const IscFrameParser *p)
{
	return p->rest->len > 0 && !p->lost;
}

static gboolean header_is_valid(const IscFrameParser *p, const IscWireHeader *h)
{
	if (h->magic != ISC_WIRE_MAGIC || h->len > ISC_WIRE_PAYLOAD_MAX || h->reserved != 0 ||
			h->session == 0 || h->seq == 0)
		return FALSE;
	if (p->channel == ISC_CHANNEL_CONTROL)
		return h->type == ISC_WIRE_EVENT && h->count == 0 && h->len == sizeof(IscWireEvent);
	return h->type == ISC_WIRE_RECORDS && h->count > 0 &&
	       h->count * sizeof(IscWireRecord) <= h->len;
}

/* Where there is surely the start of a frame, its session may be a new one (the node booted again);
 * anywhere else it must be the known one, for the bytes may be the service's own. */
static gboolean session_is_valid(const IscFrameParser *p, guint64 session, gboolean searching)
{
	if (searching || p->strict)
		return p->session != 0 && session == p->session;
	return TRUE;
}

/* A frame that was cut and goes on with the beginning of another one has the session within its
 * payload.  Nothing else can: nobody but the agent knows it. */
static gboolean payload_is_valid(const IscFrame *f)
{
	if (f->header->type != ISC_WIRE_RECORDS)
		return TRUE;
	return isc_frame_records_are_valid(f) &&
	       !memmem(f->payload, f->header->len, &f->header->session, sizeof f->header->session);
}

/* The next place from @at on where a frame of the known session may start, or where too few bytes
 * are left to say. */
static gsize search(const IscFrameParser *p, const guint8 *bytes, gsize len, gsize at)
{
	for (; at < len; at++) {
		const guint8 *hit = memchr(bytes + at, ISC_WIRE_MAGIC & 0xff, len - at);
		if (!hit)
			return len;
		at = (gsize)(hit - bytes);
		IscWireHeader h = { .magic = ISC_WIRE_MAGIC };
		gsize n = MIN(len - at, SIGHT);
		memcpy(&h, hit, n);
		if (h.magic != ISC_WIRE_MAGIC)
			continue;
		if (n < SIGHT || session_is_valid(p, h.session, TRUE))
			return at;
	}
	return len;
}

/* Returns how many bytes are done with. */
static gsize consume(IscFrameParser *p, const guint8 *bytes, gsize len)
{
	gsize at = 0;

	for (;;) {
		if (p->lost)
			at = search(p, bytes, len, at);
		if (len - at < sizeof(IscWireHeader))
			return at;
		IscWireHeader h;
		memcpy(&h, bytes + at, sizeof h);
		if (!header_is_valid(p, &h) || !session_is_valid(p, h.session, p->lost)) {
			if (!p->lost)
				p->ops->bad(p->self, ISC_BAD_FRAME, p->fresh);
			p->lost = TRUE;
			at++;
			continue;
		}
		if (len - at < sizeof h + h.len)
			return at;

		IscFrame frame = { &h, bytes + at + sizeof h };
		if (!payload_is_valid(&frame)) {
			/* Whole frames may lie within what this one claimed. */
			p->ops->bad(p->self, ISC_BAD_RECORDS, FALSE);
			p->lost = TRUE;
			at++;
			continue;
		}
		p->lost = FALSE;
		p->fresh = FALSE;
		p->session = h.session;
		p->frames++;
		at += sizeof h + h.len;
		p->ops->frame(p->self, &frame);
	}
}

void isc_frame_parser_feed(IscFrameParser *p, const guint8 *bytes, gsize len)
{
	if (p->rest->len == 0) {
		gsize done = consume(p, bytes, len);
		g_byte_array_append(p->rest, bytes + done, (guint)(len - done));
		return;
	}
	/* In bites, so that what is kept stays small whatever @len is. */
	while (len > 0) {
		gsize bite = MIN(len, ISC_WIRE_FRAME_MAX);
		g_byte_array_append(p->rest, bytes, (guint)bite);
		gsize done = consume(p, p->rest->data, p->rest->len);
		if (done)
			g_byte_array_remove_range(p->rest, 0, (guint)done);
		bytes += bite;
		len -= bite;
	}
}

gboolean isc_frame_next_record(
		const IscFrame *frame, gsize *at, guint16 *type, const gchar **text, gsize *len)
{
	IscWireRecord r;
	gsize left = frame->header->len - *at;
	if (left < sizeof r)
		return FALSE;
	memcpy(&r, frame->payload + *at, sizeof r);
	if (r.len > left - sizeof r)
		return FALSE;
	*type = r.type;
	*text = (const gchar *)frame->payload + *at + sizeof r;
	*len = r.len;
	*at += sizeof r + r.len;
	return TRUE;
}

gboolean isc_frame_records_are_valid(const IscFrame *frame)
{
	gsize at = 0, len;
	guint16 type;
	const gchar *text;
	guint n = 0;

	while (isc_frame_next_record(frame, &at, &type, &text, &len))
		n++;
	return n == frame->header->count && at == frame->header->len;
}
