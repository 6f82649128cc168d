#include "collector/port.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES (128u * 1024)
#define READ_CONTROL                                                                               \
	4096u         /* events are small and few: a bite must not be worth many seconds of them */
#define OUT_MAX 4096u /* bytes that wait for a guest which does not read */
#define REWINDS 3u
#define REWIND_US (2 * G_USEC_PER_SEC)

void isc_port_init(IscPort *p, IscChannel channel, IscReactor *reactor, const IscPortOps *ops,
		gpointer self)
{
	*p = (IscPort){
		.channel = channel, .reactor = reactor, .ops = ops, .self = self, .fd = -1
	};
	p->out = g_byte_array_new();
	isc_frame_parser_init(&p->parser, channel, channel == ISC_CHANNEL_LOG, &ops->frame, p);
}

void isc_port_clear(IscPort *p)
{
	isc_port_detach(p);
	isc_frame_parser_clear(&p->parser);
	g_clear_pointer(&p->out, g_byte_array_unref);
}

static void update_watch(IscPort *p)
{
	if (p->watch)
		isc_watch_set(p->watch, (p->reading ? EPOLLIN : 0) | (p->out->len ? EPOLLOUT : 0));
}

static void flush(IscPort *p)
{
	while (p->out->len > 0) {
		ssize_t n = send(p->fd, p->out->data, p->out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break; /* a broken connection shows when it is read */
		g_byte_array_remove_range(p->out, 0, (guint)n);
	}
	update_watch(p);
}

static gboolean put(IscPort *p, guint16 type, guint64 session, guint64 seq, const void *payload,
		guint32 len)
{
	if (p->fd < 0 || p->out->len > OUT_MAX)
		return FALSE;
	IscWireHeader h = { ISC_WIRE_MAGIC, len, session, seq, type, 0, 0 };
	g_byte_array_append(p->out, (const guint8 *)&h, sizeof h);
	if (len)
		g_byte_array_append(p->out, payload, len);
	flush(p);
	return TRUE;
}

static void on_ready(guint32 events, gpointer data)
{
	/* One for all: the loop is one thread, and what is left over is kept by the parser. */
	static guint8 buf[READ_BYTES];
	IscPort *p = data;

	if (events & EPOLLOUT)
		flush(p);
	if (!p->reading || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	ssize_t n = recv(p->fd, buf, p->channel == ISC_CHANNEL_CONTROL ? READ_CONTROL : sizeof buf,
			MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		p->ops->hangup(p);
		return;
	}
	p->heard_at = g_get_monotonic_time();
	guint64 frames = p->parser.frames;
	isc_frame_parser_feed(&p->parser, buf, (gsize)n);
	if (!isc_frame_parser_is_midway(&p->parser))
		p->midway_at = 0;
	else if (p->midway_at == 0 || p->parser.frames > frames)
		p->midway_at = p->heard_at;
}

void isc_port_attach(IscPort *p, int fd)
{
	isc_port_detach(p);
	p->fd = fd;
	p->watch = isc_watch_new(p->reactor, fd, 0, on_ready, p);
	p->heard_at = g_get_monotonic_time();
	p->midway_at = 0;
	isc_frame_parser_restart(&p->parser);
}

void isc_port_detach(IscPort *p)
{
	g_clear_pointer(&p->watch, isc_watch_free);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->reading = FALSE;
	g_byte_array_set_size(p->out, 0);
}

void isc_port_set_reading(IscPort *p, gboolean on)
{
	p->reading = on && p->fd >= 0;
	update_watch(p);
}

void isc_port_resume(IscPort *p, guint64 session, guint64 seq)
{
	p->acked = seq;
	put(p, ISC_WIRE_RESUME, session, seq, NULL, 0);
}

void isc_port_ack(IscPort *p, guint64 seq)
{
	if (seq > p->acked && put(p, ISC_WIRE_ACK, p->session, seq, NULL, 0))
		p->acked = seq;
}

gboolean isc_port_order(IscPort *p, const IscWireOrder *order)
{
	return put(p, ISC_WIRE_ORDER, 0, 0, order, sizeof *order);
}

IscPortVerdict isc_port_judge(IscPort *p, guint64 seq)
{
	if (seq <= p->last)
		return ISC_PORT_DROP;
	if (seq == p->last + 1 || p->channel == ISC_CHANNEL_CONTROL) {
		p->rewinds = 0;
		return ISC_PORT_TAKE;
	}
	gint64 now = g_get_monotonic_time();
	if (p->rewinds > 0 && now - p->rewind_at < REWIND_US)
		return ISC_PORT_DROP;
	if (p->rewinds < REWINDS) {
		p->rewinds++;
		p->rewind_at = now;
		isc_port_resume(p, p->session,
				p->acked); /* not `last`: it may not be on disk yet */
		return ISC_PORT_DROP;
	}
	p->rewinds = 0;
	p->missing = seq - p->last - 1;
	return ISC_PORT_JUMP;
}

void isc_port_new_session(IscPort *p, guint64 session)
{
	p->session = session;
	p->last = p->acked = 0;
	p->rewinds = 0;
	isc_frame_parser_set_session(&p->parser, session);
}

gboolean isc_port_is_stuck(const IscPort *p, gint64 us)
{
	return p->reading && p->midway_at && g_get_monotonic_time() - p->midway_at > us;
}
