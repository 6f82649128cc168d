#include "forward/format.h"

#include <string.h>
#include <syslog.h>

#define APP "isc-dock"

static const gchar *const formats[ISC_N_FORMATS] = { "rfc5424", "bare", "journal" };

gboolean isc_forward_format_parse(const gchar *name, IscForwardFormat *out)
{
	for (guint i = 0; i < ISC_N_FORMATS; i++)
		if (g_str_equal(formats[i], name)) {
			*out = (IscForwardFormat)i;
			return TRUE;
		}
	return FALSE;
}

/* By their numbers (RFC 5424, 6.2.1). */
gboolean isc_forward_facility_parse(const gchar *name, guint *out)
{
	static const gchar *const names[] = { "kern", "user", "mail", "daemon", "auth", "syslog",
		"lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
		"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7" };
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_equal(names[i], name)) {
			*out = i;
			return TRUE;
		}
	return FALSE;
}

gboolean isc_forward_level_parse(const gchar *name, guint *out)
{
	static const gchar *const names[] = { "emerg", "alert", "crit", "err", "warning", "notice",
		"info", "debug" };
	for (guint i = 0; i < G_N_ELEMENTS(names); i++)
		if (g_str_equal(names[i], name)) {
			*out = i;
			return TRUE;
		}
	return FALSE;
}

static gboolean take_word(const gchar *word, gboolean (*parse)(const gchar *, guint *),
		guint out[ISC_N_FORWARD_KINDS], gboolean own[ISC_N_FORWARD_KINDS])
{
	const gchar *colon = strchr(word, ':');
	gboolean known = FALSE;
	guint value;
	if (!parse(colon ? colon + 1 : word, &value))
		return FALSE;
	for (guint k = 0; k < ISC_N_FORWARD_KINDS; k++) {
		const gchar *name = isc_forward_kind_name(k);
		gboolean is_own = colon && strlen(name) == (gsize)(colon - word) &&
				  g_str_has_prefix(word, name);
		if (is_own || (!colon && !own[k]))
			out[k] = value;
		own[k] |= is_own;
		known |= is_own || !colon;
	}
	return known;
}

gboolean isc_forward_values_parse(const gchar *text, gboolean (*parse)(const gchar *, guint *),
		guint out[ISC_N_FORWARD_KINDS], gchar **bad)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \t", -1);
	gboolean own[ISC_N_FORWARD_KINDS] = { FALSE };
	for (guint k = 0; k < ISC_N_FORWARD_KINDS; k++)
		out[k] = G_MAXUINT;
	for (guint i = 0; words[i]; i++)
		if (*words[i] && !take_word(words[i], parse, out, own)) {
			*bad = g_strdup(words[i]);
			return FALSE;
		}
	for (guint k = 0; k < ISC_N_FORWARD_KINDS; k++)
		if (out[k] == G_MAXUINT) {
			*bad = g_strdup(text);
			return FALSE;
		}
	return TRUE;
}

/* What the collector complains of is more than the ordinary; 1209 is DAEMON_ERR (line.h). */
static guint level_of(const IscForwardStyle *style, IscForwardKind kind, const IscTrailRecord *r)
{
	return (r->flags & ISC_RECORD_DOCK) && r->type == 1209
			       ? MIN(style->level[kind], LOG_WARNING)
			       : style->level[kind];
}

/* So that a receiver can tell them apart (MSGID). */
static const gchar *const ids[ISC_N_FORWARD_KINDS] = { "audit", "act", "packet", "log" };

static const gchar *stream_of(const IscTrailRecord *r)
{
	return r->flags & ISC_RECORD_DOCK ? "dock"
	       : r->type == 1             ? "stdout"
	       : r->type == 2             ? "stderr"
					  : "?";
}

/* Names are of [a-z0-9@-]: nothing in them needs an escape. */
static void print_data(
		GString *out, IscForwardKind kind, const gchar *node, const IscTrailRecord *r)
{
	g_string_append_printf(out, "[isc@32473 node=\"%s\" record=\"%" G_GUINT64_FORMAT "\" ",
			node, r->number);
	if (kind == ISC_FORWARD_LOGS)
		g_string_append_printf(out, "stream=\"%s\"] ", stream_of(r));
	else
		g_string_append_printf(out, "session=\"%016" G_GINT64_MODIFIER "x\"] ", r->session);
}

static void print_5424(GString *out, const IscForwardStyle *style, IscForwardKind kind,
		const gchar *node, const IscTrailRecord *r)
{
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(r->time / G_USEC_PER_SEC);
	g_autofree gchar *stamp =
			when ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%S") : g_strdup("-");
	g_string_append_printf(out, "<%u>1 ", style->facility[kind] * 8 + level_of(style, kind, r));
	if (when)
		g_string_append_printf(out, "%s.%06dZ", stamp, (int)(r->time % G_USEC_PER_SEC));
	else
		g_string_append_c(out, '-');
	g_string_append_printf(out, " %s " APP " - %s ", style->host, ids[kind]);
	if (style->format == ISC_FORMAT_RFC5424)
		print_data(out, kind, node, r);
	else
		g_string_append(out, "- ");
	g_string_append_len(out, r->line, (gssize)r->len);
}

/* https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: a line holds no newline, so no field needs a length.
 */
static void print_journal(GString *out, const IscForwardStyle *style, IscForwardKind kind,
		const gchar *node, const IscTrailRecord *r)
{
	g_string_append_printf(out,
			"PRIORITY=%u\nSYSLOG_FACILITY=%u\nSYSLOG_IDENTIFIER=" APP "\n"
			"ISC_KIND=%s\nISC_NODE=%s\nISC_RECORD=%" G_GUINT64_FORMAT "\n",
			level_of(style, kind, r), style->facility[kind], ids[kind], node,
			r->number);
	if (kind == ISC_FORWARD_LOGS)
		g_string_append_printf(out, "ISC_STREAM=%s\n", stream_of(r));
	else
		g_string_append_printf(out,
				"ISC_SESSION=%016" G_GINT64_MODIFIER "x\nISC_AUDIT_TYPE=%u\n",
				r->session, r->type);
	g_string_append_printf(out, "SYSLOG_TIMESTAMP=%" G_GINT64_FORMAT ".%06d\nMESSAGE=",
			r->time / G_USEC_PER_SEC, (int)(r->time % G_USEC_PER_SEC));
	g_string_append_len(out, r->line, (gssize)r->len);
	g_string_append_c(out, '\n');
}

void isc_forward_print(GString *out, const IscForwardStyle *style, IscForwardKind kind,
		const gchar *node, const IscTrailRecord *record, gboolean framed)
{
	gsize start = out->len;
	if (style->format == ISC_FORMAT_JOURNAL)
		print_journal(out, style, kind, node, record);
	else
		print_5424(out, style, kind, node, record);
	if (!framed)
		return;
	gchar count[24];
	g_snprintf(count, sizeof count, "%" G_GSIZE_FORMAT " ", out->len - start);
	g_string_insert(out, (gssize)start, count);
}
