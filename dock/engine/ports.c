#include "engine/ports.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define ADDRESS_MAX 32 /* hex digits of an IPv6 address */

/* Each 32-bit group is printed as one number in the machine's byte order. */
static gboolean is_any(const gchar *hex)
{
	return hex[strspn(hex, "0")] == '\0';
}

static gboolean concerns(const gchar *hex, const IscExpose *expose)
{
	guint32 address;

	if (is_any(hex))
		return TRUE;
	if (strlen(hex) == ADDRESS_MAX) {
		if (strncmp(hex, "0000000000000000FFFF0000", 24) != 0)
			return FALSE; /* IPv6 alone */
		hex += 24;            /* IPv4 in IPv6 */
	}
	address = GUINT32_FROM_BE((guint32)g_ascii_strtoull(hex, NULL, 16));
	if (address >> 24 == 127)
		return FALSE;
	return !expose->outside || expose->outside == address;
}

guint isc_ports_find(const gchar *table, gsize len, const IscExpose *expose, guint *uid)
{
	const guint listening = expose->proto == ISC_PROTO_TCP ? 0x0a : 0x07;
	g_autofree gchar *text = g_strndup(table, len);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	guint found = 0;

	for (gsize i = 0; lines[i]; i++) {
		gchar hex[ADDRESS_MAX + 1];
		guint port, state, owner;
		if (sscanf(lines[i], " %*u: %32[0-9A-F]:%4X %*[0-9A-F:] %2X %*s %*s %*s %u", hex,
				    &port, &state, &owner) != 4)
			continue;
		if (state != listening || port < expose->host_first || port > expose->host_last ||
				(found && port >= found) || !concerns(hex, expose))
			continue;
		found = port;
		if (uid)
			*uid = owner;
	}
	return found;
}

gboolean isc_ports_check_free(const IscExpose *expose, GError **error)
{
	static const gchar *const paths[][2] = {
		{ "/proc/self/net/tcp", "/proc/self/net/tcp6" },
		{ "/proc/self/net/udp", "/proc/self/net/udp6" },
	};

	for (gsize i = 0; i < 2; i++) {
		g_autofree gchar *table = NULL;
		gsize len;
		guint uid = 0;
		/* A kernel without IPv6 has no tcp6. */
		if (!g_file_get_contents(
				    paths[expose->proto == ISC_PROTO_UDP][i], &table, &len, NULL))
			continue;
		guint port = isc_ports_find(table, len, expose, &uid);
		if (port == 0)
			continue;
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"the port is taken: a program of uid %u listens on %s port %u of "
				"the dock",
				uid, isc_proto_name(expose->proto), port);
		return FALSE;
	}
	return TRUE;
}
