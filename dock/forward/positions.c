#include "forward/positions.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"

#define POSITIONS_MAX (8u * 1024 * 1024)

void isc_positions_set(GHashTable *positions, const gchar *key, const IscForwardPos *pos)
{
	g_hash_table_insert(positions, g_strdup(key), g_memdup2(pos, sizeof *pos));
}

static gboolean parse_line(GHashTable *out, const gchar *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	guint64 n[4];
	if (g_strv_length(words) != 1 + G_N_ELEMENTS(n) || !isc_forward_key_is_valid(words[0]))
		return FALSE;
	for (guint i = 0; i < G_N_ELEMENTS(n); i++)
		if (!g_ascii_string_to_unsigned(words[i + 1], 10, i == 0 ? 1 : 0,
				    i == 0 ? G_MAXUINT32 : G_MAXINT64, &n[i], NULL))
			return FALSE;
	const IscForwardPos pos = { (guint32)n[0], n[1], n[2], n[3] };
	isc_positions_set(out, words[0], &pos);
	return TRUE;
}

GHashTable *isc_positions_parse(const gchar *text, gsize len, GError **error)
{
	g_autoptr(GHashTable) out = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autofree gchar *copy = g_strndup(text, len);
	g_auto(GStrv) lines = g_strsplit(copy, "\n", -1);
	for (guint i = 0; lines[i]; i++)
		if (*lines[i] && !parse_line(out, lines[i])) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"line %u is no position: remove the file, and all is sent "
					"again",
					i + 1);
			return NULL;
		}
	return g_steal_pointer(&out);
}

gchar *isc_positions_print(GHashTable *positions)
{
	GString *out = g_string_new(NULL);
	GHashTableIter i;
	gpointer name, value;
	g_hash_table_iter_init(&i, positions);
	while (g_hash_table_iter_next(&i, &name, &value)) {
		const IscForwardPos *p = value;
		g_string_append_printf(out,
				"%s %u %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT
				" %" G_GUINT64_FORMAT "\n",
				(const gchar *)name, p->segment, p->block, p->record, p->skipped);
	}
	return g_string_free(out, FALSE);
}

GHashTable *isc_positions_load(int dir_fd, GError **error)
{
	g_autoptr(GError) why = NULL;
	gsize len = 0;
	g_autofree gchar *text =
			isc_file_read(dir_fd, ISC_POSITIONS_FILE, POSITIONS_MAX, &len, &why);
	if (!text && !g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return NULL;
	}
	GHashTable *positions = isc_positions_parse(text ? text : "", len, error);
	if (!positions)
		g_prefix_error(error, ISC_POSITIONS_FILE ": ");
	return positions;
}

gboolean isc_positions_save(int dir_fd, GHashTable *positions, GError **error)
{
	g_autofree gchar *text = isc_positions_print(positions);
	return isc_file_write(dir_fd, ISC_POSITIONS_FILE, text, strlen(text), 0600, error);
}
