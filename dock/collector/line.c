#include "collector/line.h"

#include <libaudit.h>
#include <string.h>

/* libaudit looks names up in a table on each call; records come by the hundred thousand a second.
 */
static void add_type(GString *out, guint16 type)
{
	switch (type) {
	case AUDIT_SYSCALL:
		g_string_append(out, "type=SYSCALL msg=");
		return;
	case AUDIT_EXECVE:
		g_string_append(out, "type=EXECVE msg=");
		return;
	case AUDIT_PATH:
		g_string_append(out, "type=PATH msg=");
		return;
	case AUDIT_CWD:
		g_string_append(out, "type=CWD msg=");
		return;
	case AUDIT_PROCTITLE:
		g_string_append(out, "type=PROCTITLE msg=");
		return;
	case AUDIT_EOE:
		g_string_append(out, "type=EOE msg=");
		return;
	default:
		break;
	}
	const char *name = audit_msg_type_to_name(type);
	if (name)
		g_string_append_printf(out, "type=%s msg=", name);
	else
		g_string_append_printf(out, "type=UNKNOWN[%u] msg=", type);
}

static gboolean skip_digits(const gchar **p, const gchar *end, guint min, guint max)
{
	guint n = 0;
	for (; *p < end && g_ascii_isdigit(**p); (*p)++)
		n++;
	return n >= min && n <= max;
}

static gboolean skip(const gchar **p, const gchar *end, const gchar *what)
{
	gsize n = strlen(what);
	if ((gsize)(end - *p) < n || memcmp(*p, what, n) != 0)
		return FALSE;
	*p += n;
	return TRUE;
}

/* "audit(1700000000.123:45):" */
static gboolean has_stamp(const gchar *text, gsize len)
{
	const gchar *p = text, *end = text + len;
	return skip(&p, end, "audit(") && skip_digits(&p, end, 1, 12) && skip(&p, end, ".") &&
	       skip_digits(&p, end, 3, 3) && skip(&p, end, ":") && skip_digits(&p, end, 1, 10) &&
	       skip(&p, end, "):");
}

gboolean isc_line_add_kernel(
		GString *out, guint16 type, const gchar *text, gsize len, guint16 *flags)
{
	*flags = 0;
	if (len > ISC_LINE_TEXT_MAX || type < AUDIT_FIRST_USER_MSG ||
			(type >= AUDIT_DAEMON_START && type <= AUDIT_LAST_DAEMON) ||
			!has_stamp(text, len))
		return FALSE;

	add_type(out, type);
	gsize from = 0;
	for (gsize i = 0; i < len; i++) {
		guchar c = (guchar)text[i];
		if (G_LIKELY(c >= 0x20 && c != 0x7f))
			continue;
		g_string_append_len(out, text + from, (gssize)(i - from));
		g_string_append_printf(out, "\\x%02x", c);
		from = i + 1;
		*flags = ISC_RECORD_ESCAPED;
	}
	g_string_append_len(out, text + from, (gssize)(len - from));
	g_string_append_c(out, '\n');
	return TRUE;
}

void isc_line_add_dock(GString *out, IscLineType type, gint64 time, guint32 serial,
		const gchar *format, ...)
{
	va_list args;

	add_type(out, (guint16)type);
	g_string_append_printf(out, "audit(%" G_GINT64_FORMAT ".%03d:%u): ", time / G_USEC_PER_SEC,
			(int)(time % G_USEC_PER_SEC / 1000),
			ISC_LINE_SERIAL + serial % (G_MAXUINT32 - ISC_LINE_SERIAL));
	va_start(args, format);
	g_string_append_vprintf(out, format, args);
	va_end(args);
	g_string_append_c(out, '\n');
}

void isc_line_add_malformed(GString *out, gint64 time, guint32 serial, guint16 type,
		const gchar *text, gsize len)
{
	gsize shown = MIN(len, 2048);
	g_autoptr(GString) hex = g_string_sized_new(2 * shown + 1);
	for (gsize i = 0; i < shown; i++)
		g_string_append_printf(hex, "%02X", (guchar)text[i]);
	isc_line_add_dock(out, ISC_LINE_ERR, time, serial,
			"op=malformed-record rtype=%u bytes=%" G_GSIZE_FORMAT " data=%s res=failed",
			type, len, hex->str);
}
