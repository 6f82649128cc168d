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

/* What the collector complains of is more than the ordinary; 1209 is DAEMON_ERR (line.h). */
static guint level_of(const IscForwardStyle *style, const IscTrailRecord *r)
{
	return (r->flags & ISC_RECORD_DOCK) && r->type == 1209 ? MIN(style->level, LOG_WARNING)
							       : style->level;
}

static void print_5424(GString *out, const IscForwardStyle *style, const gchar *name,
		const IscTrailRecord *r)
{
	g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(r->time / G_USEC_PER_SEC);
	g_autofree gchar *stamp =
			when ? g_date_time_format(when, "%Y-%m-%dT%H:%M:%S") : g_strdup("-");
	g_string_append_printf(out, "<%u>1 ", style->facility * 8 + level_of(style, r));
	if (when)
		g_string_append_printf(out, "%s.%06dZ", stamp, (int)(r->time % G_USEC_PER_SEC));
	else
		g_string_append_c(out, '-');
	g_string_append_printf(out, " %s " APP " - audit ", style->host);
	/* Names are of [a-z0-9@-]: nothing in them needs an escape. */
	if (style->format == ISC_FORMAT_RFC5424)
		g_string_append_printf(out,
				"[isc@32473 node=\"%s\" record=\"%" G_GUINT64_FORMAT
				"\" session=\"%016" G_GINT64_MODIFIER "x\"] ",
				name, r->number, r->session);
	else
		g_string_append(out, "- ");
	g_string_append_len(out, r->line, (gssize)r->len);
}

/* https://systemd.io/JOURNAL_NATIVE_PROTOCOL/: a line holds no newline, so no field needs a length.
 */
static void print_journal(GString *out, const IscForwardStyle *style, const gchar *name,
		const IscTrailRecord *r)
{
	g_string_append_printf(out,
			"PRIORITY=%u\nSYSLOG_FACILITY=%u\nSYSLOG_IDENTIFIER=" APP "\n"
			"ISC_NODE=%s\nISC_RECORD=%" G_GUINT64_FORMAT
			"\nISC_SESSION=%016" G_GINT64_MODIFIER "x\nISC_AUDIT_TYPE=%u\n"
			"SYSLOG_TIMESTAMP=%" G_GINT64_FORMAT ".%06d\nMESSAGE=",
			level_of(style, r), style->facility, name, r->number, r->session, r->type,
			r->time / G_USEC_PER_SEC, (int)(r->time % G_USEC_PER_SEC));
	g_string_append_len(out, r->line, (gssize)r->len);
	g_string_append_c(out, '\n');
}

void isc_forward_print(GString *out, const IscForwardStyle *style, const gchar *name,
		const IscTrailRecord *record, gboolean framed)
{
	gsize start = out->len;
	if (style->format == ISC_FORMAT_JOURNAL)
		print_journal(out, style, name, record);
	else
		print_5424(out, style, name, record);
	if (!framed)
		return;
	gchar count[24];
	g_snprintf(count, sizeof count, "%" G_GSIZE_FORMAT " ", out->len - start);
	g_string_insert(out, (gssize)start, count);
}
