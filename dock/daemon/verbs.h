#pragma once
#include "daemon/dock.h"
#include "daemon/take.h"

/* The life of a node: each verb is check → plan → journal → steps → state, the same for all of
 * them. */

typedef struct {
	IscVerb verb;
	const gchar *node;
	guint caller; /* uid */
	gboolean dry_run;
	gboolean force;           /* disable: do not ask the guest first */
	gboolean pause;           /* quarantine */
	gboolean memory;          /* quarantine: the evidence has the node's memory, too */
	gboolean enable;          /* provision */
	guint timeout_s;          /* 0: the node's own */
	const gchar *snapshot;    /* snapshot verbs: its name; provision: NODE/SNAP to start from */
	const gchar *reason;      /* quarantine, release */
	const gchar *volume;      /* volume attach, detach: as ISC_STEP_ATTACH takes it */
	const gchar *const *drop; /* snapshot create: those that go afterwards */
	const gchar *uuid;        /* destroy: of the node, for the answer */
	const gchar *stands_for;  /* provision: it is made to stand in for this node … */
	GCancellable *cancel;     /* … and its verb; NULL: one of its own */
	const gchar *image;       /* upgrade: NAME, NAME:VERSION or sha256:DIGEST */
	guint drain_s;            /* upgrade, rollback: that open connections get to end */
	gboolean in_place;        /* upgrade, rollback: without a stand-in */
	gboolean of_set;          /* rules, limit, release: an order on the node's set makes it */
	guint64 run; /* enable of a job: its run, where it is on record already; else 0 */
	const gchar *const *rules; /* expose, unexpose, allow, deny, limit: as the caller wrote them
				    */
} IscRequest;

typedef struct {
	IscPlan *plan;      /* owned; what was or would be done */
	guint64 order;      /* its id in the journal; 0: none was carried out */
	gboolean done;      /* it was so already */
	gdouble cut_off_ms; /* quarantine: from the call until the drop was in force */
	gdouble seconds;
	GPtrArray *warnings; /* of gchar*: steps that failed and did not stop the plan */
} IscOutcome;

void isc_outcome_clear(IscOutcome *outcome);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscOutcome, isc_outcome_clear)

/* In a worker thread; blocks until the verb is through.  @out must be zeroed. */
gboolean isc_verb_run(IscDock *dock, const IscRequest *request, IscOutcome *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The drop of node @name and of what stands in for it, before any lock, journal or libvirt, and
 * where the register cannot be asked.  *@cut_off: there was something to cut off, and it is.  One
 * that is not there is no error. */
gboolean isc_verbs_drop(IscDock *dock, const gchar *name, gboolean *cut_off, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* After that.  What fails is told in the log: the plan of the quarantine does it once more. */
void isc_verbs_end_flows(IscDock *dock, const gchar *name);

/**
 * isc_verbs_run_plan:
 * @node: NULL for a plan of a volume
 * @warnings: (element-type gchar*): gets the steps that failed and did not stop the plan
 *
 * Journal, steps, end of the journal.  *@order: its id there; *@undone: it was taken back.
 */
gboolean isc_verbs_run_plan(IscDock *dock, const IscPlan *plan, const IscNode *node, guint caller,
		GCancellable *cancel, GPtrArray *warnings, guint64 *order, gboolean *undone,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Sets or clears Protect= of a node's spec.  Errors: as isc_verb_run(). */
gboolean isc_verb_protect(IscDock *dock, const gchar *name, gboolean on, guint caller,
		gboolean *changed, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_verbs_settle:
 * @why: NULL where @ok
 *
 * The state in which a verb leaves its node whose plan is through (@ok), failed, or was taken back
 * (@undone).
 */
void isc_verbs_settle(IscDock *dock, const IscRequest *request, const IscNode *node, gboolean ok,
		gboolean undone, const GError *why);

/* Whether its domain runs, or is paused.  FALSE with @error: nobody knows. */
gboolean isc_verbs_ask_running(IscDock *dock, const gchar *name, gboolean *running, GError **error);

/* Ready or not, as it says itself. */
IscNodeState isc_verb_state_of_running(IscDock *dock, const gchar *name);

/* What was provisioned and taken back: nothing is left of it in the register. */
void isc_verbs_forget(IscDock *dock, const gchar *name);

/* It could not be taken back as a whole, most likely for want of libvirtd.  The node stays, to be
 * destroyed: else its domain would be nobody's. */
void isc_verbs_leave(IscDock *dock, const gchar *name, const gchar *why);
