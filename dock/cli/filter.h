#pragma once
#include <glib.h>

#include "cli/args.h"
#include "cli/trail.h"

/* Which events of an audit trail are shown.  An event is all records of one serial number (SYSCALL,
 * EXECVE, PATH …): it is shown whole where its records together meet the wishes, as ausearch(8)
 * does.  Pure. */

typedef struct IscFilter IscFilter;

/**
 * isc_filter_new:
 * @args: --since, --until, --success; --type, --key, --uid, which may be repeated; "A,B" is two
 *types or two uids
 * @now: µs since 1970: what "2h" counts from
 * @out: (transfer full): NULL where nothing of that was given: then all is shown
 *
 * Of one option any value is enough; of several options each must hold.
 * Errors: ISC_ERROR_INVALID.
 */
gboolean isc_filter_new(const IscArgs *args, gint64 now, IscFilter **out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Takes the next line; hands out those of events that are complete and meet the wishes, in their
 * order. Lines that are no records are never handed out.  Returns: FALSE where @func stopped it */
gboolean isc_filter_feed(
		IscFilter *filter, const gchar *line, gsize len, IscLineFunc func, gpointer data);

/* Hands out what waits for records that will not come: at the end of the trail, or when it is idle.
 */
gboolean isc_filter_finish(IscFilter *filter, IscLineFunc func, gpointer data);

/**
 * isc_filter_time:
 * @text: "2024-05-01", "2024-05-01 12:00[:03]", the same with "T" and a zone ("Z", "+02:00"),
 * "12:00" (today), "now", "@SECONDS"; the words of ausearch(8): "recent", "today", "yesterday",
 * "week-ago", "this-hour", "this-week", "this-month", "this-year"; or how long ago: "90s", "10min",
 * "2h", "3d", "1w".  Local time where there is no zone
 *
 * Errors: ISC_ERROR_INVALID.
 */
gboolean isc_filter_time(const gchar *text, gint64 now, gint64 *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

void isc_filter_free(IscFilter *filter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscFilter, isc_filter_free)
