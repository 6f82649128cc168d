#pragma once
#include <glib.h>

#include "model/image.h"
#include "model/job.h"
#include "model/node.h"
#include "model/plan.h"

/* The dock's memory: one SQLite database (WAL, synchronous=FULL, STRICT tables).  Each function is
 * one transaction; any thread may call.  What is secret (a node's env) is not in here: the caller
 * keeps it sealed and gives specs without it. */
typedef struct IscRegister IscRegister;

/**
 * isc_register_open:
 * @path: made with mode 0600 when missing
 *
 * Migrates an older schema; refuses a newer one and a damaged file (ISC_ERROR_HOST with the next
 * step). Returns: (transfer full)
 */
IscRegister *isc_register_open(const gchar *path, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_register_close(IscRegister *reg);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscRegister, isc_register_close)

/* --- nodes --------------------------------------------------------------------------------- */

/* Adds @node; a slot of 0 is replaced by a free one of @slots, never one given out a
 * moment ago as long as others are free. Errors: ISC_ERROR_STATE: the name is taken, or no slot is
 * free (with the numbers). */
gboolean isc_register_add_node(
		IscRegister *reg, IscNode *node, const IscSlots *slots, GError **error);

/* Returns: (transfer full), or NULL with ISC_ERROR_NOT_FOUND */
IscNode *isc_register_get_node(IscRegister *reg, const gchar *name, GError **error);

/* By name; nodes whose rows cannot be read are marked (IscNode.damage); those without a name are in
 * isc_register_list_lost().
 * Returns: (transfer full) (element-type IscNode) */
GPtrArray *isc_register_list_nodes(IscRegister *reg, GError **error);

/* A row of a node that has not even a name to call it by. */
typedef struct {
	gint64 slot;
	gchar *uuid, *name; /* owned; as they stand there, escaped */
} IscLostRow;

/* All of them; isc_register_list_nodes() has none of these.
 * Returns: (transfer full) (element-type IscLostRow) */
GPtrArray *isc_register_list_lost(IscRegister *reg, GError **error);

/* Takes the row out; what else is known of its uuid stays. */
gboolean isc_register_remove_lost(IscRegister *reg, const IscLostRow *row, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Those of a set, by their number.  Returns: (transfer full) (element-type IscNode) */
GPtrArray *isc_register_list_members(IscRegister *reg, const gchar *set, GError **error);

/* Sets state, reason and `since`; counts a start where @state is ISC_NODE_ENABLING.  @reason NULL:
 * "". */
gboolean isc_register_set_state(IscRegister *reg, const gchar *name, IscNodeState state,
		const gchar *reason, GError **error);

/* Puts @spec, of the node that it names, in the place of the one it has.  Errors:
 * ISC_ERROR_NOT_FOUND. */
gboolean isc_register_set_spec(IscRegister *reg, const IscSpec *spec, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Another image for the node; @previous: digest of the one to roll back to, or "". */
gboolean isc_register_set_image(IscRegister *reg, const gchar *name, const IscImage *image,
		const gchar *previous, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* @slot: of the node that its exposed ports lead to; 0: to itself. */
gboolean isc_register_set_stand_in(IscRegister *reg, const gchar *name, guint slot, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* A node that is not there is no error. */
gboolean isc_register_remove_node(IscRegister *reg, const gchar *name, GError **error);

/* --- the journal --------------------------------------------------------------------------- */

typedef struct {
	guint64 id;
	IscPlan *plan;  /* owned */
	guint reached;  /* index of the last step that may have been made */
	guint caller;   /* uid */
	gint64 started; /* s since the epoch */
} IscOp;

/* Writes the plan down before its first step.  Returns its id, 0 on failure. */
guint64 isc_register_begin_op(IscRegister *reg, const IscPlan *plan, guint caller, GError **error);

/* Step @index is about to be made (or, with @undoing, to be taken back). */
gboolean isc_register_step_op(
		IscRegister *reg, guint64 id, guint index, gboolean undoing, GError **error);

/* @status: exit status, 0 for success; @message: one line, may be NULL */
gboolean isc_register_end_op(
		IscRegister *reg, guint64 id, int status, const gchar *message, GError **error);

/* Begun and not ended, oldest first.  Returns: (transfer full) (element-type IscOp) */
GPtrArray *isc_register_unfinished_ops(IscRegister *reg, GError **error);

/* --- events -------------------------------------------------------------------------------- */

typedef struct {
	guint64 seq;  /* from 1 */
	gint64 time;  /* µs since the epoch */
	gchar *node;  /* "" for the dock itself */
	gchar *kind;  /* "node.ready", "boundary.drift", … */
	gchar *level; /* "info", "warn", "alarm" */
	gchar *text;  /* one line for people */
	guint caller; /* uid; G_MAXUINT: the dock itself */
} IscEventRow;

/* Fills seq and time in.  The table keeps the newest 100,000. */
gboolean isc_register_add_event(IscRegister *reg, IscEventRow *row, GError **error);

/* seq > @since, oldest first; @since 0 with @max: the newest @max.  @node NULL: all.
 * Returns: (transfer full) (element-type IscEventRow) */
GPtrArray *isc_register_list_events(
		IscRegister *reg, const gchar *node, guint64 since, guint max, GError **error);

/* --- snapshots ----------------------------------------------------------------------------- */

typedef struct {
	gchar *name;      /* isc_name_is_valid() */
	gint64 created;   /* s since the epoch */
	guint64 size;     /* bytes on disk */
	gchar digest[65]; /* of the image it was taken under */
	gboolean frozen;  /* the guest's file systems were quiet */
} IscSnapshot;

gboolean isc_register_add_snapshot(
		IscRegister *reg, const gchar *uuid, const IscSnapshot *snapshot, GError **error);
/* Oldest first.  Returns: (transfer full) (element-type IscSnapshot) */
GPtrArray *isc_register_list_snapshots(IscRegister *reg, const gchar *uuid, GError **error);
/* What all of them take, of all nodes. */
gboolean isc_register_snapshots_size(IscRegister *reg, guint64 *bytes, GError **error);
gboolean isc_register_remove_snapshot(
		IscRegister *reg, const gchar *uuid, const gchar *name, GError **error);

/* --- volumes ------------------------------------------------------------------------------- */

/* One persistent volume.  Plain values.  That a node's spec names it and that `node` is that node
 * is changed in one transaction.
 *
 * A volume has two sides, each a disk with a key of its own, of which one is in force and the other
 * is there only while a snapshot is put back: which one it is is changed for all volumes of a node
 * in one transaction. */
typedef struct {
	gchar name[ISC_NAME_MAX + 1];
	gchar uuid[37]; /* of its libvirt secret; its first digits are the disk's serial number */
	guint mib;      /* MiB, virtual size */
	gchar node[ISC_NAME_MAX + 1];        /* whose it is, or "" */
	gchar path[ISC_VOLUME_PATH_MAX + 1]; /* where that node has it */
	gboolean fresh; /* no node ever had a file system on it: the only time that one is made */
	gint64 created; /* s since the epoch */
	guint side;     /* the one in force, 0 or 1 */
} IscVolume;

typedef struct {
	gchar volume[ISC_NAME_MAX + 1]; /* "": the overlay that the node keeps */
	guint side;                     /* that comes into force */
} IscTurn;

/* Errors: ISC_ERROR_STATE: the name is taken. */
gboolean isc_register_add_volume(IscRegister *reg, const IscVolume *volume, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
/* Errors: ISC_ERROR_NOT_FOUND. */
gboolean isc_register_get_volume(IscRegister *reg, const gchar *name, IscVolume *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* By name.  Returns: (transfer full) (element-type IscVolume) */
GArray *isc_register_list_volumes(IscRegister *reg, GError **error);
gboolean isc_register_resize_volume(IscRegister *reg, const gchar *name, guint mib, GError **error);
/* Those of @node have been used. */
gboolean isc_register_use_volumes(IscRegister *reg, const gchar *node, GError **error);
/* All of @turns (of IscTurn) of @node, or none.  Errors: ISC_ERROR_NOT_FOUND. */
gboolean isc_register_turn(IscRegister *reg, const gchar *node, const GArray *turns, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
/* The side of the overlay that @node keeps; 0 where it is not known. */
guint isc_register_overlay_side(IscRegister *reg, const gchar *node);
/* One that is not there is no error. */
gboolean isc_register_remove_volume(IscRegister *reg, const gchar *name, GError **error);

/**
 * isc_register_attach_volume:
 * @spec: of the node, with the volume in it as it shall be
 *
 * The volume is the node's, and @spec in the place of the spec it has.  Again is no error.
 * Errors: ISC_ERROR_STATE: it is another node's; ISC_ERROR_NOT_FOUND.
 */
gboolean isc_register_attach_volume(IscRegister *reg, const gchar *name, const IscSpec *spec,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The volume is nobody's, if it was that node's, and @spec, without it, is the node's. */
gboolean isc_register_detach_volume(IscRegister *reg, const gchar *name, const IscSpec *spec,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- sets: register-set.c ------------------------------------------------------------------ */

/* n equal nodes from one spec. */
typedef struct {
	gchar *name;
	gchar *spec;       /* the node file, without env */
	guint wanted;      /* how many members there shall be; 0: it is being destroyed */
	gint64 created;    /* s since the epoch */
	gchar *quarantine; /* why all of it is in quarantine; "": it is not */
} IscReplicaSet;

void isc_replica_set_free(IscReplicaSet *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscReplicaSet, isc_replica_set_free)

/* Errors: ISC_ERROR_STATE: a set or node has the name. */
gboolean isc_register_add_set(IscRegister *reg, const IscSpec *spec, guint wanted, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
/* Returns: (transfer full), or NULL with ISC_ERROR_NOT_FOUND */
IscReplicaSet *isc_register_get_set(IscRegister *reg, const gchar *name, GError **error);
/* Names, sorted.  Returns: (transfer full) (element-type gchar*) */
GPtrArray *isc_register_list_sets(IscRegister *reg, GError **error);
gboolean isc_register_set_wanted(IscRegister *reg, const gchar *name, guint wanted, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
/* All of it is in quarantine, for @reason; "": no longer. */
gboolean isc_register_set_quarantine(IscRegister *reg, const gchar *name, const gchar *reason,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Another spec for members to come. */
gboolean isc_register_set_set_spec(IscRegister *reg, const IscSpec *spec, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
/* One that is not there is no error. */
gboolean isc_register_remove_set(IscRegister *reg, const gchar *name, GError **error);

/* --- restarts ------------------------------------------------------------------------------ */

/* Of the node with @uuid; zeroes where nothing is known.  It goes with the node. */
gboolean isc_register_get_restart(
		IscRegister *reg, const gchar *uuid, IscRestartRecord *out, GError **error);
gboolean isc_register_set_restart(IscRegister *reg, const gchar *uuid,
		const IscRestartRecord *record, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* --- jobs: register-job.c ------------------------------------------------------------------ */

/* Fills id in.  The newest 10,000 are kept, also of nodes that are no more. */
gboolean isc_register_add_run(IscRegister *reg, IscJobRun *run, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
/* Its end, by its id; *@was: it had none yet. */
gboolean isc_register_end_run(IscRegister *reg, const IscJobRun *run, gboolean *was, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
/* The newest @max, oldest first.  @name NULL: of all nodes; @id 0: all of them.  Returns: (transfer
 * full) (element-type IscJobRun) */
GPtrArray *isc_register_list_runs(
		IscRegister *reg, const gchar *name, guint64 id, guint max, GError **error);
/* The newest one of the node with @uuid; its id is 0 where there is none. */
gboolean isc_register_last_run(IscRegister *reg, const gchar *uuid, gboolean only_running,
		IscJobRun *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Runs that are open though their node does not run, or is no more, have failed: @message. */
gboolean isc_register_close_runs(IscRegister *reg, const gchar *message, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	gint64 due;    /* s since the epoch; 0: never */
	gint64 last;   /* the point that was dealt with last; 0: none */
	gboolean owed; /* one was missed and is made up for when the present run has ended */
} IscJobDue;

/* Of the node with @uuid; zeroes where nothing is known.  It goes with the node. */
gboolean isc_register_get_due(IscRegister *reg, const gchar *uuid, IscJobDue *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
gboolean isc_register_set_due(IscRegister *reg, const gchar *uuid, const IscJobDue *due,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Names of the nodes that are due at @now, the first one first.  *@next: when one is due after
 * that, 0: never.  Returns: (transfer full): NULL with @error. */
gchar **isc_register_list_due(IscRegister *reg, gint64 now, gint64 *next, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* PRAGMA integrity_check and foreign keys.  Errors: ISC_ERROR_VERIFY. */
gboolean isc_register_check(IscRegister *reg, GError **error);
