#include "model/upkeep.h"

#include <string.h>

static const gchar *const restart_names[ISC_N_RESTARTS] = {
	[ISC_RESTART_NO] = "no",
	[ISC_RESTART_ON_FAILURE] = "on-failure",
	[ISC_RESTART_ALWAYS] = "always",
};

void isc_upkeep_init(IscUpkeep *upkeep)
{
	*upkeep = (IscUpkeep){ .restart = ISC_RESTART_NO,
		.delay_s = ISC_RESTART_S,
		.delay_max_s = ISC_RESTART_MAX_S,
		.burst = ISC_RESTART_BURST,
		.interval_s = ISC_RESTART_INTERVAL_S,
		.health_interval_s = ISC_HEALTH_INTERVAL_S,
		.health_retries = ISC_HEALTH_RETRIES };
}

void isc_upkeep_clear(IscUpkeep *upkeep)
{
	g_clear_pointer(&upkeep->health, g_free);
}

const gchar *isc_restart_name(IscRestart restart)
{
	return restart_names[restart];
}

/* What follows "tcp:" or "http:", or NULL. */
static const gchar *behind_scheme(const gchar *text)
{
	return g_str_has_prefix(text, "tcp:")    ? text + strlen("tcp:")
	       : g_str_has_prefix(text, "http:") ? text + strlen("http:")
						 : NULL;
}

gboolean isc_health_is_valid(const gchar *text)
{
	const gchar *port = behind_scheme(text);
	if (!port)
		return FALSE;
	gsize digits = strspn(port, "0123456789");
	const gchar *rest = port + digits;
	if (digits < 1 || digits > 5 || *port == '0' || g_ascii_strtoull(port, NULL, 10) > 65535)
		return FALSE;
	if (*text == 't')
		return *rest == '\0';
	if (*rest != '/' || strlen(rest) > 255 || !g_utf8_validate(rest, -1, NULL))
		return FALSE;
	for (const gchar *p = rest; *p; p = g_utf8_next_char(p))
		if (*p == ' ' || g_unichar_iscntrl(g_utf8_get_char(p)))
			return FALSE;
	return TRUE;
}

guint16 isc_health_port(const gchar *text)
{
	const gchar *port = text ? behind_scheme(text) : NULL;
	return port ? (guint16)g_ascii_strtoull(port, NULL, 10) : 0;
}
