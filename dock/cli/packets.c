#include "cli/packets.h"

#include <string.h>

#include "base/name.h"
#include "cli/output.h"

#define LEFT_OUT "network-left-out"

/* Takes @what off the beginning. */
static gboolean skip(const gchar **p, const gchar *end, const gchar *what)
{
	gsize n = strlen(what);
	if ((gsize)(end - *p) < n || memcmp(*p, what, n) != 0)
		return FALSE;
	*p += n;
	return TRUE;
}

/* Digits up to @until, which is taken off, too. */
static gboolean take_number(const gchar **p, const gchar *end, gchar until, guint64 *out)
{
	*out = 0;
	guint n = 0;
	for (; *p < end && g_ascii_isdigit(**p) && n < 18; n++)
		*out = *out * 10 + (guint64)(*(*p)++ - '0');
	return n > 0 && *p < end && *(*p)++ == until;
}

/* The value of @key; *@len: of it.  NULL: there is none */
static const gchar *find(const IscPacketLine *line, const gchar *key, gsize *len)
{
	const gchar *p = line->text, *end = line->text + line->len;
	gsize n = strlen(key);
	while (p < end) {
		const gchar *space = memchr(p, ' ', (gsize)(end - p));
		const gchar *stop = space ? space : end;
		if ((gsize)(stop - p) > n && memcmp(p, key, n) == 0 && p[n] == '=') {
			*len = (gsize)(stop - p) - n - 1;
			return p + n + 1;
		}
		p = stop + 1;
	}
	return NULL;
}

gboolean isc_packet_line_parse(const gchar *line, gsize len, IscPacketLine *out)
{
	const gchar *p = line, *end = line + len;
	guint64 seconds, ms, serial;

	*out = (IscPacketLine){ 0 };
	if (skip(&p, end, "type=DAEMON_"))
		out->is_note = TRUE;
	else if (!skip(&p, end, "type=NETFILTER_PKT "))
		return FALSE;
	while (out->is_note && p < end && *p++ != ' ')
		;
	if (!skip(&p, end, "msg=audit(") || !take_number(&p, end, '.', &seconds) ||
			!take_number(&p, end, ':', &ms) || !take_number(&p, end, ')', &serial) ||
			!skip(&p, end, ": ") || seconds > G_MAXUINT32 * 2ull || ms > 999)
		return FALSE;
	out->time = (gint64)(seconds * G_USEC_PER_SEC + ms * 1000);
	out->text = p;
	out->len = (gsize)(end - p);
	gsize n = 0;
	const gchar *kind = find(out, "kind", &n);
	if (kind && n < sizeof out->kind)
		memcpy(out->kind, kind, n);
	return TRUE;
}

static gboolean is_number(const gchar *text, gint64 *out)
{
	return g_ascii_isdigit(*text) &&
	       g_ascii_string_to_signed(text, 10, 0, G_MAXINT64, out, NULL);
}

IscJson *isc_packet_line_json(const IscPacketLine *line, const gchar *node)
{
	IscJson *json = json_object_new_object();
	g_autofree gchar *text = isc_output_bytes(line->text, line->len);
	g_auto(GStrv) words = g_strsplit(text, " ", -1);
	gchar stamp[48];

	g_snprintf(stamp, sizeof stamp, "%" G_GINT64_FORMAT ".%03d", line->time / G_USEC_PER_SEC,
			(int)(line->time % G_USEC_PER_SEC / 1000));
	json_object_object_add(json, "node", json_object_new_string(node));
	json_object_object_add(json, "time",
			json_object_new_double_s((gdouble)line->time / G_USEC_PER_SEC, stamp));
	for (gsize i = 0; words[i]; i++) {
		gchar *value = strchr(words[i], '=');
		gint64 number;
		if (!value)
			continue;
		*value++ = '\0';
		json_object_object_add(json, words[i],
				is_number(value, &number) ? json_object_new_int64(number)
							  : json_object_new_string(value));
	}
	return json;
}

gchar *isc_packet_line_text(const IscPacketLine *line, const gchar *node)
{
	g_autofree gchar *text = isc_output_bytes(line->text, line->len);
	g_autofree gchar *time = isc_output_time(line->time / G_USEC_PER_SEC);
	const gchar *rest = text;
	/* The kind stands in a column of its own. */
	g_autofree gchar *kind = g_strdup_printf("kind=%s ", line->kind);
	if (!line->is_note && g_str_has_prefix(rest, kind))
		rest += strlen(kind);
	if (g_str_has_prefix(rest, "rule="))
		rest += strlen("rule=");
	return g_strdup_printf("%s.%03d  %-15s %-10s %s", time,
			(int)(line->time % G_USEC_PER_SEC / 1000), node,
			*line->kind ? line->kind : "-", rest);
}

/* As collector/packet.h has them. */
gboolean isc_packet_line_is_accepted(const IscPacketLine *line)
{
	return g_str_equal(line->kind, "exposed") || g_str_equal(line->kind, "allowed");
}

gboolean isc_packet_line_is_dropped(const IscPacketLine *line)
{
	return *line->kind && !isc_packet_line_is_accepted(line);
}

guint64 isc_packet_line_count(const IscPacketLine *line)
{
	gsize len;
	const gchar *op = find(line, "op", &len);
	if (!line->is_note)
		return 1;
	if (!op || len != strlen(LEFT_OUT) || memcmp(op, LEFT_OUT, len) != 0)
		return 0;
	const gchar *value = find(line, "left-out", &len);
	guint64 n = 0;
	g_autofree gchar *digits = value ? g_strndup(value, len) : NULL;
	return digits && g_ascii_string_to_unsigned(digits, 10, 0, G_MAXINT64, &n, NULL) ? n : 0;
}
