#pragma once
#include "daemon/verbs.h"

/* Sets: n equal nodes from one spec, NAME-1 … NAME-N, each with identity, keys, overlay, address,
 * uid and trail of its own.
 *
 * A set is a row in the register that says how many members there shall be, written before the
 * first of them comes or goes; its members come and go by the same plans as all nodes.  After a
 * crash the member that was in the middle is taken back or brought to its end by the journal, like
 * any node, and isc_sets_mend() makes the number right. */

typedef struct {
	const gchar *name;
	guint caller; /* uid */
	gboolean dry_run;
	guint timeout_s;           /* for each member; 0: its own */
	guint count;               /* scale */
	const gchar *image;        /* upgrade: as IscRequest has it; NULL: back to the one before */
	guint drain_s;             /* upgrade */
	gboolean in_place;         /* upgrade */
	IscVerb verb;              /* change: expose, unexpose, allow, deny or limit */
	const gchar *const *rules; /* change: as IscRequest has them */
	const gchar *reason;       /* quarantine, release */
	const gchar *snapshot;     /* quarantine: name of each member's evidence */
	gboolean pause, memory;    /* quarantine: as IscRequest has them */
} IscSetRequest;

typedef struct {
	GPtrArray *plan;     /* of gchar*, "+ web-3", "expose web-1: tcp:80:80" */
	GPtrArray *warnings; /* of gchar* */
	GPtrArray *evidence; /* quarantine: of gchar*, "web-3.q20260101-120000-000"; else NULL */
	gdouble cut_off_ms;  /* quarantine: from the call until the last drop was in force */
	gboolean done;       /* it was so already */
	gdouble seconds;
} IscSetOutcome;

void isc_set_outcome_clear(IscSetOutcome *outcome);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscSetOutcome, isc_set_outcome_clear)

/* In a worker thread; each blocks until it is through.  @out must be zeroed. */

/**
 * isc_sets_provision:
 * @spec: with Replicas=
 *
 * All members are admitted before the first is made; if one does not get ready, none is left.
 * Errors: as isc_verb_provision().
 */
gboolean isc_sets_provision(IscDock *dock, const IscSpec *spec, const IscSetRequest *request,
		IscSetOutcome *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Those with the highest numbers go; those that are missing come.  What was made before one failed
 * stays, and is what the set is from then on.  Errors: ISC_ERROR_NOT_FOUND; ISC_ERROR_POLICY: one
 * is protected; as isc_verb_provision(). */
gboolean isc_sets_scale(IscDock *dock, const IscSetRequest *request, IscSetOutcome *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Errors: ISC_ERROR_NOT_FOUND; ISC_ERROR_POLICY: a member is protected. */
gboolean isc_sets_destroy(IscDock *dock, const IscSetRequest *request, IscSetOutcome *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* One member after the other, so that the others serve; the first that fails is the last.  Errors:
 * as isc_upgrade_run(). */
gboolean isc_sets_upgrade(IscDock *dock, const IscSetRequest *request, IscSetOutcome *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_sets_change:
 *
 * Rules or limits of the set: of each member, and of those that come later.  Opening is for all or
 * for none: where a member cannot, those before it are taken back.  Closing goes on with the
 * others, and the dock goes on trying.  Errors: ISC_ERROR_NOT_FOUND; as isc_verb_run().
 * set-change.c
 */
gboolean isc_sets_change(IscDock *dock, const IscSetRequest *request, IscSetOutcome *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_sets_quarantine:
 *
 * All members are cut off, then each of them is put into quarantine; one that cannot be keeps none
 * of the others from it.  An order on the set that is under way is interrupted.  Errors:
 * ISC_ERROR_NOT_FOUND; as isc_verb_run(), naming the members that are not.  set-quarantine.c
 */
gboolean isc_sets_quarantine(IscDock *dock, const IscSetRequest *request, IscSetOutcome *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All that are in quarantine, whether the set is or they are by themselves.  Errors:
 * ISC_ERROR_NOT_FOUND; ISC_ERROR_STATE: none is; as isc_verb_run(). */
gboolean isc_sets_release(IscDock *dock, const IscSetRequest *request, IscSetOutcome *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Ends what was interrupted: members too many go, those that stand get the set's rules and limits.
 * Of one in quarantine all members are put there, and none comes or goes.  @fill: those that are
 * missing come.  In a worker thread. */
void isc_sets_mend(IscDock *dock, gboolean fill);
/* The same with @fill in a thread of its own, soon. */
void isc_sets_mend_soon(IscDock *dock);

/* @node was taken up from libvirt, the register being lost: so is its set, of as many members as
 * their numbers tell. */
void isc_sets_adopt(IscDock *dock, const IscNode *node);

/* Tells of each set that is not as it is wanted, and is not at it. */
void isc_sets_check(IscDock *dock, gboolean repair,
		void (*found)(gpointer data, const gchar *what, const gchar *name,
				const gchar *problem, gboolean repaired),
		gpointer data);
