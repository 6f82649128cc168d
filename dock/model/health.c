#include "model/health.h"

#include <string.h>

#define WORDS 31u
#define COMMAND_BYTES 1024u

static const gchar *behind(const gchar *text, const gchar *scheme)
{
	return text && g_str_has_prefix(text, scheme) ? text + strlen(scheme) : NULL;
}

/* @text: 1 to 65535; *@rest: what follows.  0: it is none. */
static guint16 take_port(const gchar *text, const gchar **rest)
{
	gsize digits = strspn(text, "0123456789");
	guint64 port = g_ascii_strtoull(text, NULL, 10);

	*rest = text + digits;
	return digits >= 1 && digits <= 5 && *text != '0' && port <= 65535 ? (guint16)port : 0;
}

static gboolean is_path(const gchar *path)
{
	if (*path != '/' || strlen(path) > ISC_HEALTH_PATH || !g_utf8_validate(path, -1, NULL))
		return FALSE;
	for (const gchar *p = path; *p; p = g_utf8_next_char(p))
		if (*p == ' ' || g_unichar_iscntrl(g_utf8_get_char(p)))
			return FALSE;
	return TRUE;
}

static gboolean is_command(const gchar *text)
{
	g_auto(GStrv) words = NULL;
	gint n;

	if (strlen(text) > COMMAND_BYTES || !g_utf8_validate(text, -1, NULL) ||
			!g_shell_parse_argv(text, &n, &words, NULL) || n > (gint)WORDS ||
			words[0][0] != '/' || words[0][1] == '\0')
		return FALSE;
	/* One word a line is how the node gets it. */
	for (const gchar *p = text; *p; p = g_utf8_next_char(p))
		if (g_unichar_iscntrl(g_utf8_get_char(p)))
			return FALSE;
	return TRUE;
}

gboolean isc_health_is_valid(const gchar *text)
{
	const gchar *rest;

	if ((rest = behind(text, "tcp:")))
		return take_port(rest, &rest) && *rest == '\0';
	if ((rest = behind(text, "http:")))
		return (*rest == '/' || take_port(rest, &rest)) && is_path(rest);
	return (rest = behind(text, "exec:")) && is_command(rest);
}

guint16 isc_health_port(const gchar *text)
{
	const gchar *port = behind(text, "tcp:");

	if (!port)
		port = behind(text, "http:");
	return port ? take_port(port, &port) : 0;
}

const gchar *isc_health_path(const gchar *text)
{
	const gchar *rest = behind(text, "http:");
	return rest ? strchr(rest, '/') : NULL;
}

gchar **isc_health_command(const gchar *text)
{
	const gchar *command = behind(text, "exec:");
	gchar **words = NULL;
	return command && g_shell_parse_argv(command, NULL, &words, NULL) ? words : NULL;
}

gchar *isc_health_resolve(const gchar *text, gchar *const *ports)
{
	if (!behind(text, "http:/"))
		return g_strdup(text);
	for (; ports && *ports; ports++) {
		const gchar *rest;
		guint16 port = take_port(*ports, &rest);
		if (port && g_str_has_suffix(rest, "/tcp"))
			return g_strdup_printf("http:%u%s", port, isc_health_path(text));
	}
	return NULL;
}
