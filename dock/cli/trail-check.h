#pragma once
#include "cli/cli.h"
#include "cli/segments.h"
#include "cli/serials.h"
#include "cli/trail-ends.h"
#include "collector/trail-verify.h"
#include "model/anchors.h"

/* Checking one trail, for the verbs that do: what the command line says it must be, the look at it,
 * and how the finding is told. */

typedef struct {
	IscTrailExpect expect;
	guint8 key[32];
	GArray *anchors;  /* of IscTrailAnchor: --anchor */
	IscAnchors *book; /* --anchors, or NULL */
	gchar *signer;    /* id of the key that signed them, or NULL */
	gchar *noted;     /* whose word they are, and since when, as was signed, or NULL */
	/* What the dock's own trail says; isc_trail_wanted_learn() */
	gboolean is_learned;
	GHashTable *ends; /* name → IscTrailEnd */
	GError *doubt;    /* why that may not be all, or NULL */
} IscTrailWanted;

/**
 * isc_trail_wanted_get:
 * @w: used as long as checks go on
 *
 * Reads --key, --anchor and --anchors.  The signature of the anchors is checked with --dock-key,
 * else with the key in the folder of --export, else with the one that the dock tells; anchors
 * without one are taken with a warning, but not beside --dock-key.
 * Errors: ISC_ERROR_INVALID; ISC_ERROR_VERIFY: they are not what was signed.
 */
gboolean isc_trail_wanted_get(IscCli *cli, IscTrailWanted *w, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
/**
 * isc_trail_wanted_learn:
 *
 * Reads the dock's own trail, the first time: how far the others were.  Before they are looked at,
 * so that what is noted must be in them.  Errors: ISC_ERROR_VERIFY: it does not hold, or is gone,
 * so that nobody can tell whether the end of another one is missing; what it says is used all the
 * same.
 */
gboolean isc_trail_wanted_learn(IscCli *cli, IscTrailWanted *w, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_trail_wanted_clear(IscTrailWanted *w);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscTrailWanted, isc_trail_wanted_clear)

/* One trail that was looked at. */
typedef struct {
	IscTrailReport report;
	IscSerialReport serials;
	gchar *file; /* of the first bad record */
} IscTrailFound;

void isc_trail_found_clear(IscTrailFound *r);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscTrailFound, isc_trail_found_clear)

/* The files of a trail, as the dock opens them. */
gboolean isc_trail_open(IscCli *cli, const gchar *name, IscSegments *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_trail_check:
 * @name: of a node, or ISC_TRAIL_DOCK
 * @func: (nullable): gets each good record
 *
 * Checks a trail as the dock has it, and that it is as long as the dock's own trail says.  FALSE
 * with a fault in @out: it was read and does not hold.
 */
gboolean isc_trail_check(IscCli *cli, const gchar *name, IscTrailWanted *wanted,
		IscTrailRecordFunc func, gpointer data, IscTrailFound *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The same for a folder, without any dock.  @name: (nullable): whose trail it must be */
gboolean isc_trail_check_folder(const gchar *path, const gchar *name, const IscTrailWanted *wanted,
		IscTrailFound *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One line: who signed the anchors.  Nothing where there are none, or no signature. */
void isc_trail_wanted_print(GString *out, const IscTrailWanted *w);

/* Adds "anchors": {"signed", "signer", "noted"} where there are any. */
void isc_trail_wanted_json(IscJson *to, const IscTrailWanted *w);

/* (transfer full) */
IscJson *isc_trail_found_json(const IscTrailFound *r, const gchar *name);

/* One line: what was found. */
void isc_trail_found_print(GString *out, const IscTrailFound *r, const gchar *name);
