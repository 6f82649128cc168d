#include "cli/trail-ends.h"

#include <libaudit.h>
#include <string.h>

#include "base/name.h"

#define END_LINE_MAX 400 /* bytes of such a line: names have 32 at most */

GHashTable *isc_trail_ends_new(void)
{
	return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
}

/* The value behind " NAME=" in @words, or NULL. */
static const gchar *value_of(gchar *const *words, const gchar *name)
{
	gsize len = strlen(name);
	for (; *words; words++)
		if (strncmp(*words, name, len) == 0 && (*words)[len] == '=')
			return *words + len + 1;
	return NULL;
}

void isc_trail_ends_take(const IscTrailRecord *record, gpointer ends)
{
	/* What isc-dockd says goes into this trail, too; this only its collector can. */
	if (!(record->flags & ISC_RECORD_DOCK) || record->type != AUDIT_DAEMON_CONFIG ||
			record->len > END_LINE_MAX)
		return;
	g_autofree gchar *line = g_strndup(record->line, record->len);
	const gchar *text = strstr(line, "): " ISC_TRAIL_END_OP);
	if (!text)
		return;
	g_auto(GStrv) words = g_strsplit(text + strlen("): "), " ", -1);
	const gchar *name = value_of(words, "trail"), *file = value_of(words, "file"),
		    *end = value_of(words, "end");
	guint64 number;
	IscTrailEnd found;
	if (!name || !isc_name_is_trail(name + (*name == ISC_TRAIL_PACKETS)) || !file ||
			!g_ascii_string_to_unsigned(file, 10, 1, G_MAXUINT32 - 2, &number, NULL) ||
			!end || !isc_trail_anchor_parse(end, &found.end, NULL))
		return;
	found.file = (guint32)number;
	g_hash_table_replace(ends, g_strdup(name), g_memdup2(&found, sizeof found));
}
