#include "cli/serials.h"

#include <string.h>

/* Events of several CPUs overtake one another: a number is missing once so many later ones came. */
#define WINDOW 16384u
#define SETTLE_US (10 * G_USEC_PER_SEC) /* two heartbeats */
#define MARKS 16u                       /* one a second; more than SETTLE_US takes */

/* The serials that had come before a time. */
typedef struct {
	gint64 time; /* µs: host clock */
	guint64 top;
} Mark;

struct IscSerials {
	guint64 session;
	gboolean any;            /* a serial of this boot was seen */
	guint64 base;            /* all below are judged */
	guint64 top;             /* highest seen */
	guint8 seen[WINDOW / 8]; /* bits of [base, base + WINDOW), by serial % WINDOW */
	gint64 time;             /* of the record at hand */
	guint64 lost, missing;   /* of this boot */
	GArray *gaps;            /* of this boot: IscSerialGap */
	Mark marks[MARKS];       /* of this boot, the newest at n_marks - 1, modulo MARKS */
	guint64 n_marks;
	gboolean has_ended; /* this boot, in order: what it lost is on record */
	IscSerialReport report;
};

static GArray *new_gaps(void)
{
	return g_array_new(FALSE, FALSE, sizeof(IscSerialGap));
}

IscSerials *isc_serials_new(void)
{
	IscSerials *s = g_new0(IscSerials, 1);
	s->gaps = new_gaps();
	s->report.gaps = new_gaps();
	return s;
}

void isc_serial_report_clear(IscSerialReport *report)
{
	g_clear_pointer(&report->gaps, g_array_unref);
}

void isc_serials_free(IscSerials *s)
{
	if (!s)
		return;
	g_array_unref(s->gaps);
	isc_serial_report_clear(&s->report);
	g_free(s);
}

static gboolean test_bit(const IscSerials *s, guint64 serial)
{
	return s->seen[serial % WINDOW / 8] & 1u << serial % 8;
}

/* @to is not included. */
static void add_gap(IscSerials *s, guint64 from, guint64 to)
{
	s->missing += to - from;
	IscSerialGap *last = s->gaps->len ? &g_array_index(s->gaps, IscSerialGap, s->gaps->len - 1)
					  : NULL;
	if (last && last->to + 1 == from) {
		last->to = to - 1;
		return;
	}
	IscSerialGap gap = { s->session, s->time, from, to - 1 };
	if (s->gaps->len < ISC_GAPS_NAMED)
		g_array_append_val(s->gaps, gap);
}

/* Everything below @base is seen or missing from here on. */
static void judge_up_to(IscSerials *s, guint64 base)
{
	guint64 known = MIN(base, s->base + WINDOW);
	for (; s->base < known; s->base++) {
		if (!test_bit(s, s->base))
			add_gap(s, s->base, s->base + 1);
		s->seen[s->base % WINDOW / 8] &= (guint8) ~(1u << s->base % 8);
	}
	if (s->base < base) {
		add_gap(s, s->base, base);
		s->base = base;
	}
}

/* The highest serial that had come SETTLE_US before the end, give or take a second; 0: none. */
static guint64 settled_top(const IscSerials *s)
{
	guint64 top = s->top; /* what had come when the mark behind this one was made */
	for (guint64 i = s->n_marks; i > 0 && s->n_marks - i < MARKS; i--) {
		const Mark *m = &s->marks[(i - 1) % MARKS];
		if (m->time <= s->time - SETTLE_US)
			return top;
		top = m->top;
	}
	return 0;
}

static void mark(IscSerials *s, gint64 time)
{
	const Mark *last = s->n_marks ? &s->marks[(s->n_marks - 1) % MARKS] : NULL;
	if (s->any && (!last || time - last->time >= G_USEC_PER_SEC || time < last->time))
		s->marks[s->n_marks++ % MARKS] = (Mark){ time, s->top };
}

static void end_boot(IscSerials *s)
{
	guint64 settled = s->has_ended ? s->top : settled_top(s);
	if (s->any && s->base <= settled)
		judge_up_to(s, settled + 1);
	guint64 young = s->any ? s->top + 1 - s->base : 0;
	for (guint64 n = s->base; s->any && n <= s->top; n++)
		young -= test_bit(s, n) ? 1 : 0;
	s->report.unsettled += young;
	s->report.missing += s->missing + young;
	if (s->missing > s->lost) {
		s->report.unexplained += s->missing - s->lost;
		guint room = ISC_GAPS_NAMED - MIN(s->report.gaps->len, ISC_GAPS_NAMED);
		g_array_append_vals(s->report.gaps, s->gaps->data, MIN(room, s->gaps->len));
	}
	g_array_set_size(s->gaps, 0);
	memset(s->seen, 0, sizeof s->seen);
	s->any = s->has_ended = FALSE;
	s->lost = s->missing = s->n_marks = 0;
}

/* The number behind @name in a line of the dock's own; 0 where there is none. */
static guint64 number_of(const gchar *line, gsize len, const gchar *name)
{
	const gchar *at = g_strstr_len(line, (gssize)len, name);
	guint64 n = 0;
	for (at = at ? at + strlen(name) : NULL;
			at && at < line + len && g_ascii_isdigit(*at) && n < G_MAXUINT32; at++)
		n = n * 10 + (guint64)(*at - '0');
	return n;
}

/* What the collector says is missing (no guest can write such a line); a frame that did not come
 * held a record at least. */
static void take_note(IscSerials *s, const gchar *line, gsize len)
{
	s->has_ended |= g_strstr_len(line, (gssize)len, "op=claim event=bye ") != NULL;
	if (g_strstr_len(line, (gssize)len, "op=lost "))
		s->lost += number_of(line, len, " count=") + number_of(line, len, " frames=");
}

/* The serial of "… msg=audit(SECONDS.MS:SERIAL): …"; 0 where there is none. */
static guint64 serial_of(const gchar *line, gsize len)
{
	const gchar *stamp = g_strstr_len(line, (gssize)MIN(len, 100), "msg=audit(");
	const gchar *colon = stamp ? memchr(stamp, ':', (gsize)(line + len - stamp)) : NULL;
	return colon ? number_of(colon, (gsize)(line + len - colon), ":") : 0;
}

void isc_serials_take(const IscTrailRecord *r, gpointer data)
{
	IscSerials *s = data;
	if (r->session != s->session) {
		end_boot(s);
		s->session = r->session;
	}
	mark(s, r->time);
	s->time = r->time;
	if (r->flags & ISC_RECORD_DOCK) {
		take_note(s, r->line, r->len);
		return;
	}
	guint64 serial = serial_of(r->line, r->len);
	if (serial == 0)
		return;
	if (!s->any) {
		s->any = TRUE;
		s->base = s->top = serial;
	}
	if (serial < s->base)
		return; /* judged already, or older than the agent */
	if (serial >= s->base + WINDOW)
		judge_up_to(s, serial - WINDOW + 1);
	if (!test_bit(s, serial))
		s->report.events++;
	s->seen[serial % WINDOW / 8] |= (guint8)(1u << serial % 8);
	s->top = MAX(s->top, serial);
}

void isc_serials_finish(IscSerials *s, IscSerialReport *out)
{
	end_boot(s);
	*out = s->report;
	s->report.gaps = NULL;
}

/* --- telling ---------------------------------------------------------------------------------- */

IscJson *isc_serial_report_json(const IscSerialReport *r)
{
	IscJson *o = json_object_new_object(), *gaps = json_object_new_array();
	json_object_object_add(o, "events", json_object_new_uint64(r->events));
	json_object_object_add(o, "missing", json_object_new_uint64(r->missing));
	json_object_object_add(o, "unsettled", json_object_new_uint64(r->unsettled));
	json_object_object_add(o, "unexplained", json_object_new_uint64(r->unexplained));
	for (guint i = 0; i < r->gaps->len; i++) {
		const IscSerialGap *g = &g_array_index(r->gaps, IscSerialGap, i);
		IscJson *gap = json_object_new_object();
		gchar session[17];
		g_snprintf(session, sizeof session, "%016" G_GINT64_MODIFIER "x", g->session);
		json_object_object_add(gap, "from", json_object_new_uint64(g->from));
		json_object_object_add(gap, "to", json_object_new_uint64(g->to));
		json_object_object_add(gap, "session", json_object_new_string(session));
		json_object_object_add(
				gap, "time", json_object_new_int64(g->time / G_USEC_PER_SEC));
		json_object_array_add(gaps, gap);
	}
	json_object_object_add(o, "gaps", gaps);
	return o;
}

void isc_serial_report_print(GString *out, const IscSerialReport *r)
{
	if (r->unsettled > 0)
		g_string_append_printf(out,
				", %" G_GUINT64_FORMAT " kernel serials of a last 10 seconds are "
				"missing: what was lost then "
				"is not on record (yet)",
				r->unsettled);
	if (r->unexplained == 0)
		return;
	g_string_append(out, ", kernel serials");
	for (guint i = 0; i < r->gaps->len; i++) {
		const IscSerialGap *g = &g_array_index(r->gaps, IscSerialGap, i);
		g_string_append_printf(out, "%s %" G_GUINT64_FORMAT, i > 0 ? "," : "", g->from);
		if (g->to > g->from)
			g_string_append_printf(out, "-%" G_GUINT64_FORMAT, g->to);
	}
	g_string_append_printf(out,
			"%s are missing, %" G_GUINT64_FORMAT " of them without a loss on record",
			r->gaps->len >= ISC_GAPS_NAMED ? " and more" : "", r->unexplained);
}
