/* What a guest says, frame by frame: checked, filed, counted.  Nothing here trusts a byte of it. */
#include <libaudit.h>
#include <string.h>

#include "collector/guest-private.h"

static IscGuest *node_of(gpointer self)
{
	return ((IscPort *)self)->self;
}

static gboolean is_ended(guint16 type)
{
	return type == AUDIT_EOE || type < AUDIT_FIRST_EVENT || type >= AUDIT_FIRST_KERN_ANOM_MSG;
}

/* Another boot of the guest: everything counts from 0 again. */
static void learn_session(IscGuest *n, guint64 session)
{
	guint64 log_session, log_seq;

	if (session == n->mark.session)
		return;
	n->mark = (IscTrailMark){ .session = session };
	n->control_needs = 0;
	g_array_set_size(n->claims, 0);
	n->within_event = FALSE;
	isc_port_new_session(&n->ports[ISC_CHANNEL_AUDIT], session);
	isc_port_new_session(&n->ports[ISC_CHANNEL_CONTROL], session);
	isc_trail_writer_mark(n->trail, &n->mark);
	/* The port whose payload the service writes takes no session by itself.  If it lost its way
	 * for want of this one, the guest has to start again. */
	IscPort *log = &n->ports[ISC_CHANNEL_LOG];
	isc_port_new_session(log, session);
	isc_service_log_durable(n->log, &log_session, &log_seq);
	if (log_session == session)
		log->last = log_seq;
	if (log->parser.lost)
		isc_port_resume(log, log_session, log_seq);
	isc_bucket_take(&n->audit_bytes, 256, g_get_monotonic_time());
	isc_guest_note(n, ISC_LINE_START,
			"op=session session=%016" G_GINT64_MODIFIER "x res=success", session);
}

/* Frames up to and without this one did not come. */
static void note_jump(IscGuest *n, IscPort *p)
{
	isc_guest_bad(n, p->channel, ISC_BAD_JUMP);
	if (p->channel == ISC_CHANNEL_LOG) {
		isc_service_log_add_lost(n->log, g_get_real_time(), p->missing);
		return;
	}
	isc_trail_writer_count_lost(n->trail, p->missing);
	isc_guest_note(n, ISC_LINE_ERR,
			"op=lost source=channel frames=%" G_GUINT64_FORMAT " res=failed",
			p->missing);
}

static gboolean wants(IscGuest *n, IscPort *p, const IscFrame *frame)
{
	switch (isc_port_judge(p, frame->header->seq)) {
	case ISC_PORT_DROP:
		return FALSE;
	case ISC_PORT_JUMP:
		note_jump(n, p);
		return TRUE;
	case ISC_PORT_TAKE:
		return TRUE;
	}
	return FALSE;
}

/* A decimal count, as the agent gives it; 0 if it is none. */
static guint64 parse_count(const gchar *text, gsize len)
{
	gchar number[21];
	guint64 n;
	if (len == 0 || len >= sizeof number)
		return 0;
	memcpy(number, text, len);
	number[len] = '\0';
	/* Bounded, so that no claim makes the sum overflow. */
	return g_ascii_string_to_unsigned(number, 10, 1, G_MAXUINT32, &n, NULL) ? n : 0;
}

/* --- audit
 * ---------------------------------------------------------------------------------------- */

static void take_record(
		IscGuest *n, guint64 seq, gint64 now, guint16 type, const gchar *text, gsize len)
{
	if (type == ISC_WIRE_LOST) {
		guint64 count = parse_count(text, len);
		if (count == 0) {
			isc_guest_bad(n, ISC_CHANNEL_AUDIT, ISC_BAD_RECORD);
			return;
		}
		isc_trail_writer_count_lost(n->trail, count);
		isc_trail_writer_note(n->trail, now, ISC_LINE_ERR,
				"op=lost source=agent count=%" G_GUINT64_FORMAT " res=failed",
				count);
		n->within_event = FALSE;
		return;
	}
	if (!isc_trail_writer_add(n->trail, now, seq, type, text, len)) {
		isc_guest_bad(n, ISC_CHANNEL_AUDIT, ISC_BAD_RECORD);
		return;
	}
	n->within_event = !is_ended(type);
	if (!n->within_event)
		isc_guest_put_notes(n, TRUE);
}

static void on_audit(gpointer self, const IscFrame *frame)
{
	IscPort *p = self;
	IscGuest *n = node_of(self);
	gint64 now = g_get_real_time(), mono = g_get_monotonic_time();
	gsize at = 0, len, before = isc_trail_writer_pending(n->trail);
	guint16 type;
	const gchar *text;

	learn_session(n, frame->header->session);
	if (!wants(n, p, frame))
		return;
	p->last = n->mark.frame = frame->header->seq;
	isc_trail_writer_mark(n->trail, &n->mark);
	while (isc_frame_next_record(frame, &at, &type, &text, &len))
		take_record(n, p->last, now, type, text, len);
	n->record_at = mono;
	/* What it costs here counts: a malformed record of four bytes takes a hundred on disk. */
	isc_bucket_take(&n->audit_bytes,
			MAX((gint64)(isc_trail_writer_pending(n->trail) - before),
					frame->header->len),
			mono);
	isc_bucket_take(&n->audit_records, frame->header->count, mono);
	isc_guest_schedule(n);
}

/* --- log
 * ------------------------------------------------------------------------------------------ */

static void on_log(gpointer self, const IscFrame *frame)
{
	IscPort *p = self;
	IscGuest *n = node_of(self);
	gint64 now = g_get_real_time(), mono = g_get_monotonic_time();
	gsize at = 0, len;
	guint16 type;
	const gchar *text;

	if (!wants(n, p, frame))
		return;
	p->last = frame->header->seq;
	isc_service_log_mark(n->log, p->session, p->last);
	while (isc_frame_next_record(frame, &at, &type, &text, &len)) {
		guint64 count = type == ISC_WIRE_LOST ? parse_count(text, len) : 0;
		if (count)
			isc_service_log_add_lost(n->log, now, count);
		else
			isc_service_log_add(n->log, now, type, text, len);
	}
	isc_bucket_take(&n->log_bytes, frame->header->len, mono);
	isc_bucket_take(&n->log_records, frame->header->count, mono);
	isc_guest_schedule(n);
}

/* --- control
 * -------------------------------------------------------------------------------------- */

static const struct {
	const gchar *name;
	IscLineType line;
} claims[] = {
	[ISC_EVENT_BOOTED] = { "booted", ISC_LINE_START },
	[ISC_EVENT_STARTED] = { "started", ISC_LINE_START },
	[ISC_EVENT_READY] = { "ready", ISC_LINE_CONFIG },
	[ISC_EVENT_STOPPED] = { "stopped", ISC_LINE_END },
	[ISC_EVENT_HEARTBEAT] = { "heartbeat", ISC_LINE_CONFIG },
	[ISC_EVENT_FROZEN] = { "frozen", ISC_LINE_CONFIG },
	[ISC_EVENT_THAWED] = { "thawed", ISC_LINE_CONFIG },
	[ISC_EVENT_FAILED] = { "failed", ISC_LINE_ERR },
	[ISC_EVENT_BYE] = { "bye", ISC_LINE_END },
	[ISC_EVENT_UNHEALTHY] = { "unhealthy", ISC_LINE_ERR },
	[ISC_EVENT_CHECKED] = { "checked", ISC_LINE_ERR },
};

static void take_heartbeat(IscGuest *n, const IscWireEvent *e)
{
	guint64 lost = e->a > 0 ? (guint64)e->a : 0;

	if (lost > n->mark.kernel_lost) {
		guint64 more = MIN(lost - n->mark.kernel_lost, G_MAXUINT32);
		isc_trail_writer_count_lost(n->trail, more);
		isc_guest_note(n, ISC_LINE_ERR,
				"op=lost source=kernel count=%" G_GUINT64_FORMAT " res=failed",
				more);
		/* The next one would tell again, but this may be the last. */
		n->control_needs = n->ports[ISC_CHANNEL_CONTROL].last;
	}
	n->mark.kernel_lost = lost;
}

static void remember_claim(IscGuest *n, const IscWireEvent *e)
{
	for (guint i = 0; i < n->claims->len; i++)
		if (g_array_index(n->claims, IscWireEvent, i).kind == e->kind)
			g_array_remove_index(n->claims, i--);
	g_array_append_val(n->claims, *e);
}

static void on_control(gpointer self, const IscFrame *frame)
{
	IscPort *p = self;
	IscGuest *n = node_of(self);
	IscWireEvent e;

	learn_session(n, frame->header->session);
	if (!wants(n, p, frame))
		return;
	p->last = frame->header->seq;
	isc_bucket_take(&n->events, 1, g_get_monotonic_time());
	memcpy(&e, frame->payload, sizeof e);
	if (e.kind == 0 || e.kind >= G_N_ELEMENTS(claims) || e.reserved != 0) {
		isc_guest_bad(n, p->channel, ISC_BAD_EVENT);
	} else if (e.kind == ISC_EVENT_HEARTBEAT) {
		take_heartbeat(n, &e);
	} else if (e.kind == ISC_EVENT_CHECKED && e.b == 0) {
		/* Every few seconds, and no news. */
	} else {
		if (e.kind != ISC_EVENT_CHECKED) /* an answer is of the moment */
			remember_claim(n, &e);
		isc_guest_note(n, claims[e.kind].line,
				"op=claim event=%s a=%" G_GINT64_FORMAT " b=%" G_GINT64_FORMAT
				" c=%" G_GINT64_FORMAT " d=%" G_GINT64_FORMAT " res=%s",
				claims[e.kind].name, e.a, e.b, e.c, e.d,
				claims[e.kind].line == ISC_LINE_ERR ? "failed" : "success");
		n->control_needs = p->last;
	}
	if (e.kind != 0 && e.kind < G_N_ELEMENTS(claims))
		isc_guest_tell(n, ISC_LINK_EVENT, ISC_CHANNEL_CONTROL,
				(gint64[]){ e.kind, e.a, e.b, e.c, e.d });
	isc_guest_schedule(n);
}

/* --- all ports
 * ------------------------------------------------------------------------------------ */

static void on_bad(gpointer self, IscWireBad what, gboolean fresh)
{
	IscPort *p = self;
	if (!fresh)
		isc_guest_bad(node_of(self), p->channel, what);
}

static void on_hangup(gpointer self)
{
	isc_guest_hung_up(node_of(self), ((IscPort *)self)->channel);
}

const IscPortOps isc_guest_audit_ops = { { on_audit, on_bad }, on_hangup };
const IscPortOps isc_guest_log_ops = { { on_log, on_bad }, on_hangup };
const IscPortOps isc_guest_control_ops = { { on_control, on_bad }, on_hangup };
