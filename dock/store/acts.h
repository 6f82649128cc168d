#pragma once
#include <glib.h>

/*
 * The dock's own acts on their way into its audit trail: kept until the collector has them on disk.
 * A database beside the register and not in it: an act is written without waiting for the disk (a
 * look at a list must not cost an fsync), which a register must not do.  What that leaves open is
 * closed by the epoch, which is on disk before the first act of a daemon's life is made:
 *
 * Each act has a number within the epoch, from 1.  The pair goes with it to the collector, which
 * says up to which pair it has them; so after a crash of either nothing is lost or doubled.  After
 * a power failure the newest entries may be missing here; they are then in the trail, or were made
 * less than a commit before the end.  They can never be taken for others: a new life has a new
 * epoch.
 */
typedef struct IscActs IscActs;

#define ISC_ACTS_MAX 50000u     /* kept for a collector that is away; what is more is counted */
#define ISC_ACTS_TEXT_MAX 8000u /* bytes of one act's text */

typedef struct {
	guint64 session; /* epoch, as the trail knows it; never 0 */
	guint64 number;  /* within it, from 1 */
	guint16 type;    /* audit message type */
	gchar *text;     /* "audit(SECONDS.MS:NUMBER): …", printable */
} IscAct;

/**
 * isc_acts_open:
 * @path: made with mode 0600 when missing
 * @max: acts that are kept at most; 0: ISC_ACTS_MAX
 *
 * Begins a new epoch.  Errors: ISC_ERROR_HOST with the next step.  Returns: (transfer full)
 */
IscActs *isc_acts_open(const gchar *path, guint max, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_acts_close(IscActs *acts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscActs, isc_acts_close)

/* Adds an act of now; any thread.  @text: printable ASCII, cut at ISC_ACTS_TEXT_MAX.  When there
 * are
 * @max already it is counted instead, and the count becomes an act as soon as there is room. */
gboolean isc_acts_add(IscActs *acts, guint16 type, const gchar *text, GError **error);

/* Acts behind (@session, @number) in their order, at most @max; 0, 0: from the oldest.
 * Returns: (transfer full) (element-type IscAct) */
GPtrArray *isc_acts_list(IscActs *acts, guint64 session, guint64 number, guint max, GError **error);

/* The collector has everything up to (@session, @number) on disk: forgets it.  A session that is
 * none of ours says nothing. */
gboolean isc_acts_done(IscActs *acts, guint64 session, guint64 number, GError **error);

/* How many wait. */
guint isc_acts_count(IscActs *acts);
