#include "model/secret-use.h"

#include <string.h>

#include "base/name.h"

#define VOLUME "isc-volume/"
#define COPY "isc-copy/"
#define NODE "isc-"
#define OVERLAY "/overlay"

gchar *isc_secret_use_overlay(const gchar *node)
{
	return g_strconcat(NODE, node, OVERLAY, NULL);
}

gchar *isc_secret_use_volume(const gchar *volume)
{
	return g_strconcat(VOLUME, volume, g_str_equal(volume, "overlay") ? "/" : NULL, NULL);
}

gchar *isc_secret_use_copy(const gchar *key_id)
{
	return g_strconcat(COPY, key_id, NULL);
}

static gboolean take(gchar *text, IscSecretKind is, IscSecretKind *kind, gchar **name)
{
	g_autofree gchar *own = text;
	if (!isc_name_is_valid(own))
		return FALSE;
	*kind = is;
	*name = g_steal_pointer(&own);
	return TRUE;
}

gboolean isc_secret_use_parse(const gchar *usage, IscSecretKind *kind, gchar **name)
{
	gsize len = strlen(usage);
	if (len > ISC_SECRET_USE_MAX)
		return FALSE;
	if (g_str_equal(usage, VOLUME "overlay/"))
		return take(g_strdup("overlay"), ISC_SECRET_VOLUME, kind, name);
	if (g_str_has_prefix(usage, VOLUME) && !g_str_equal(usage, VOLUME "overlay"))
		return take(g_strdup(usage + strlen(VOLUME)), ISC_SECRET_VOLUME, kind, name);
	const gchar *id = g_str_has_prefix(usage, COPY) ? usage + strlen(COPY) : NULL;
	if (id && strchr(id, '.'))
		return take(g_strndup(id, strcspn(id, ".")), ISC_SECRET_COPY, kind, name);
	if (!g_str_has_prefix(usage, NODE) || !g_str_has_suffix(usage, OVERLAY) ||
			len < strlen(NODE) + strlen(OVERLAY))
		return FALSE;
	return take(g_strndup(usage + strlen(NODE), len - strlen(NODE) - strlen(OVERLAY)),
			ISC_SECRET_OVERLAY, kind, name);
}
