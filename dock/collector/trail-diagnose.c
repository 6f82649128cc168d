#include "collector/trail-diagnose.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define LINES_MAX 40000u

typedef struct {
	guint8 bytes[ISC_CHAIN_HASH];
} Hash;

static guint hash_hash(gconstpointer key)
{
	guint n;
	memcpy(&n, key, sizeof n);
	return n;
}

static gboolean hash_equal(gconstpointer a, gconstpointer b)
{
	return memcmp(a, b, ISC_CHAIN_HASH) == 0;
}

/* What should come, by the chain from @entry on. */
static GArray *expected(const guint8 *chain, gsize len, guint32 entry)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(Hash));
	IscBlock b;

	while (isc_block_parse(chain, len, &b) == ISC_BLOCK_OK && out->len < LINES_MAX) {
		for (guint32 i = entry; i < b.header->n && out->len < LINES_MAX; i++)
			g_array_append_vals(out, isc_block_entries(&b)[i].hash, 1);
		entry = 0;
		chain += b.header->len;
		len -= b.header->len;
	}
	return out;
}

/* What there is.  A last line without newline counts: it is one that was cut. */
static GArray *actual(const guint8 *log, gsize len, gboolean *cut)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(Hash));

	*cut = FALSE;
	while (len > 0 && out->len < LINES_MAX) {
		const guint8 *end = memchr(log, '\n', len);
		gsize n = end ? (gsize)(end - log) + 1 : len;
		Hash h;
		crypto_generichash(h.bytes, sizeof h.bytes, log, n, NULL, 0);
		g_array_append_val(out, h);
		*cut = out->len == 1 && !end;
		log += n;
		len -= n;
	}
	return out;
}

/* Where the first of @needle stands in @hay; 0 if nowhere (place 0 was compared already). */
static guint find_first(GArray *needle, GArray *hay)
{
	for (guint i = 1; needle->len > 0 && i < hay->len; i++)
		if (hash_equal(&g_array_index(hay, Hash, i), &g_array_index(needle, Hash, 0)))
			return i;
	return 0;
}

static gboolean have_any_in_common(GArray *a, GArray *b)
{
	g_autoptr(GHashTable) set = g_hash_table_new(hash_hash, hash_equal);
	for (guint i = 0; i < a->len; i++)
		g_hash_table_add(set, &g_array_index(a, Hash, i));
	for (guint i = 0; i < b->len; i++)
		if (g_hash_table_contains(set, &g_array_index(b, Hash, i)))
			return TRUE;
	return FALSE;
}

void isc_trail_diagnose(const guint8 *chain, gsize chain_len, guint32 entry, const guint8 *log,
		gsize log_len, gboolean at_start, IscDiagnosis *out)
{
	gboolean cut;
	g_autoptr(GArray) want = expected(chain, chain_len, entry);
	g_autoptr(GArray) got = actual(log, log_len, &cut);
	guint missing = find_first(
			got, want);          /* the line that is here belongs so many further on */
	guint extra = find_first(want, got); /* the line that belongs here comes so many later */

	if (got->len == 0 || cut) {
		out->fault = ISC_TRAIL_TRUNCATED;
		snprintf(out->detail, sizeof out->detail,
				"audit.log ends here, but %s%u records more are sealed",
				want->len >= LINES_MAX ? "at least " : "", want->len);
	} else if (missing && extra) {
		out->fault = ISC_TRAIL_REORDERED;
		snprintf(out->detail, sizeof out->detail,
				"the record that belongs here stands %u further on", extra);
	} else if (missing) {
		out->fault = ISC_TRAIL_REMOVED;
		snprintf(out->detail, sizeof out->detail, "%u sealed records are missing here",
				missing);
	} else if (extra) {
		out->fault = ISC_TRAIL_INSERTED;
		snprintf(out->detail, sizeof out->detail, "%u lines here were never sealed", extra);
	} else if (at_start && want->len > 1 && !have_any_in_common(want, got)) {
		out->fault = ISC_TRAIL_SWAPPED;
		snprintf(out->detail, sizeof out->detail,
				"not one line of this file is of this trail");
	} else {
		out->fault = ISC_TRAIL_EDITED;
		snprintf(out->detail, sizeof out->detail,
				"the line is not the one that was sealed");
	}
}
