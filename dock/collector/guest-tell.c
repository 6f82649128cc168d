/* What is said about a guest: upward to isc-dockd, and as lines of the dock's own in its trail. */
#include <string.h>

#include "collector/guest-private.h"

#define NOTE_US (200 * 1000) /* a line of the dock's own waits so long for an event to end */

/* --- upward
 * --------------------------------------------------------------------------------------- */

static void begin_msg(const IscGuest *n, IscLinkKind kind, IscChannel channel, IscLinkMsg *m)
{
	memset(m, 0, sizeof *m);
	m->version = ISC_LINK_VERSION;
	m->kind = (guint16)kind;
	m->channel = (guint16)channel;
	m->slot = n->slot;
	g_strlcpy(m->node, n->name, sizeof m->node);
}

void isc_guest_tell(IscGuest *n, IscLinkKind kind, IscChannel channel, const gint64 numbers[5])
{
	IscLinkMsg m;
	begin_msg(n, kind, channel, &m);
	m.a = numbers[0];
	m.b = numbers[1];
	m.c = numbers[2];
	m.d = numbers[3];
	m.e = numbers[4];
	n->host->ops->tell(n->host->self, &m);
}

void isc_guest_fill_state(const IscGuest *n, IscLinkMsg *m)
{
	IscTrailState s = { 0 };
	if (n->trail)
		isc_trail_writer_state(n->trail, &s);
	m->b = (gint64)s.records;
	m->c = (gint64)s.lost;
	m->d = (gint64)s.block;
	memcpy(&m->e, s.head, sizeof m->e);
}

void isc_guest_tell_state(IscGuest *n, IscLinkKind kind, gint64 id)
{
	IscLinkMsg m;
	begin_msg(n, kind, 0, &m);
	m.a = id;
	isc_guest_fill_state(n, &m);
	n->host->ops->tell(n->host->self, &m);
}

void isc_guest_replay(IscGuest *n)
{
	for (guint i = 0; i < n->claims->len; i++) {
		const IscWireEvent *e = &g_array_index(n->claims, IscWireEvent, i);
		IscLinkMsg m;
		begin_msg(n, ISC_LINK_EVENT, ISC_CHANNEL_CONTROL, &m);
		m.flags = 1;
		m.a = e->kind;
		m.b = e->a;
		m.c = e->b;
		m.d = e->c;
		m.e = e->d;
		n->host->ops->tell(n->host->self, &m);
	}
}

/* The first ten one by one, then each time that they doubled: a node that sends nothing else gets
 * no louder. */
static gboolean is_told(guint64 n)
{
	return n <= 10 || (n & (n - 1)) == 0;
}

void isc_guest_bad(IscGuest *n, IscChannel channel, IscWireBad bad)
{
	static const gchar *const names[] = { "", "frame", "records", "record", "event", "slow",
		"jump", "trail" };
	G_STATIC_ASSERT(G_N_ELEMENTS(names) == ISC_N_BAD);
	static const gchar *const channels[] = { "audit", "log", "control" };

	n->bad_count++;
	if (n->trail)
		isc_trail_writer_count_bad(n->trail);
	if (!is_told(n->bad_count))
		return;
	isc_guest_tell(n, ISC_LINK_BAD, channel, (gint64[5]){ (gint64)n->bad_count, bad });
	isc_guest_note(n, ISC_LINE_ERR,
			"op=protocol channel=%s what=%s count=%" G_GUINT64_FORMAT " res=failed",
			channels[channel], names[bad], n->bad_count);
}

/* --- lines of the dock's own
 * ---------------------------------------------------------------------- */

void isc_guest_note(IscGuest *n, IscLineType type, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_ptr_array_add(n->notes, g_strdup_printf("%d %s", type, text));
	isc_guest_schedule(n);
}

/* A line between the records of one event would tear it apart for ausearch, where the clocks of
 * dock and guest differ. */
void isc_guest_put_notes(IscGuest *n, gboolean now)
{
	if (!n->trail || n->notes->len == 0)
		return;
	if (!now && n->within_event && g_get_monotonic_time() - n->record_at < NOTE_US)
		return;
	for (guint i = 0; i < n->notes->len; i++) {
		gchar *text;
		gint64 type = g_ascii_strtoll(n->notes->pdata[i], &text, 10);
		isc_trail_writer_note(
				n->trail, g_get_real_time(), (IscLineType)type, "%s", text + 1);
	}
	g_ptr_array_set_size(n->notes, 0);
	n->mark.control = n->control_needs;
	isc_trail_writer_mark(n->trail, &n->mark);
}
