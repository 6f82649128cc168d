#include "model/replica.h"

#include <string.h>

#include "base/error.h"

gboolean isc_replica_take(IscReplica *replica, const gchar *key, const gchar *value, GError **error)
{
	guint64 n;
	if (g_str_equal(key, "Set")) {
		g_strlcpy(replica->set, value, sizeof(replica->set));
		return isc_name_check("set", value, error);
	}
	if (g_str_equal(key, "ReplicaPorts")) {
		replica->own_ports = g_str_equal(value, "own");
		if (replica->own_ports || g_str_equal(value, "shared"))
			return TRUE;
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID, "is shared or own");
		return FALSE;
	}
	g_assert(g_str_equal(key, "Replicas"));
	if (g_ascii_string_to_unsigned(value, 10, 1, ISC_REPLICAS_MAX, &n, NULL)) {
		replica->count = (guint)n;
		return TRUE;
	}
	g_autofree gchar *shown = isc_text_escape(value, -1, 64);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no number from 1 to %d", shown,
			ISC_REPLICAS_MAX);
	return FALSE;
}

gchar *isc_replica_name(const gchar *set, guint number)
{
	return g_strdup_printf("%s-%u", set, number);
}

guint isc_replica_number(const gchar *set, const gchar *name)
{
	guint64 n;
	gsize len = strlen(set);
	if (strncmp(name, set, len) != 0 || name[len] != '-' || name[len + 1] == '0' ||
			!g_ascii_string_to_unsigned(
					name + len + 1, 10, 1, ISC_REPLICAS_MAX, &n, NULL))
		return 0;
	return (guint)n;
}
