#pragma once
#include <glib.h>

#include "model/node.h"

/* The kinds of side effect.  Each has one adapter (engine/engine.h) that can do it (up) and undo it
 * (down); both are safe to repeat.  The names are in the journal: never rename one, only add. */
typedef enum {
	ISC_STEP_FOLDER,    /* the node's folders in state and run */
	ISC_STEP_VERIFY,    /* digest and signature of the image; no undo */
	ISC_STEP_OVERLAY,   /* encrypted overlay with a fresh key; arg "", or the snapshot to start
			       from: "SNAP" or, of another node, "NODE/SNAP"; or ISC_ARG_KEPT */
	ISC_STEP_CONFIG,    /* the fw_cfg file */
	ISC_STEP_SECRET,    /* the overlay's key in libvirtd */
	ISC_STEP_CHANNELS,  /* the sockets QEMU connects to */
	ISC_STEP_FENCE,     /* the firewall's elements, read back */
	ISC_STEP_TAP,       /* the tap, up and enslaved; only ever behind FENCE */
	ISC_STEP_DEFINE,    /* the domain's XML in libvirt */
	ISC_STEP_START,     /* the domain runs; down: asked to power off, then destroyed */
	ISC_STEP_READY,     /* the node's callback and its health probe; no undo */
	ISC_STEP_PAUSE,     /* vCPUs stopped; down: go on */
	ISC_STEP_CUT,       /* quarantine: dropped in both directions, open connections too */
	ISC_STEP_SNAPSHOT,  /* arg: its name; down: shredded */
	ISC_STEP_EVIDENCE,  /* arg: its name, with "+memory" behind it or not, and the reason:
			       disks, memory, keys, tail of the trail and a signed manifest of
			       hashes; no undo */
	ISC_STEP_SNAPSHOTS, /* down only: every snapshot of the node shredded */
	ISC_STEP_TRAIL,     /* down only: the collector closes the node's files */
	ISC_STEP_VOLUME,    /* arg "NAME MIB UUID": a persistent volume; "NAME MIB UUID
			       NODE/SNAP/VOLUME":    made from a snapshot; down: shredded */
	ISC_STEP_ATTACH,    /* arg "NAME:PATH": the volume belongs to the node */
	ISC_STEP_VOLUMES,   /* the node's volumes are its uid's, their keys in libvirtd */
	ISC_STEP_RESIZE,    /* arg "NAME MIB": the volume's disk grows; no undo */
	ISC_STEP_REKEY,     /* arg NAME: a new key for the volume, the old one erased; no undo */
	ISC_STEP_RULES, /* arg: policy/rule-change.h; register, boundary and open connections follow
			   it */
	ISC_STEP_STANDIN,  /* arg: digest: a node of that image beside this one, ready; down:
			      destroyed */
	ISC_STEP_REDIRECT, /* arg: s to drain: its exposed ports lead to the stand-in; open
			      connections through them come to their end */
	ISC_STEP_LIMITS,   /* arg: policy/limit-change.h; register, boundary and the running domain
			      follow it */
	ISC_STEP_IMAGE,    /* arg: "DIGEST PREVIOUS DIGEST PREVIOUS": what the register holds before
			      and after; "-" for none */
	ISC_STEP_REFILL,   /* arg "SNAP VOLUME:SIDE…": that side of each volume is made from the
			      snapshot; down: the side that is not in force is shredded */
	ISC_STEP_TURN,     /* arg as REFILL: that side of each volume is in force, of all at once;
			      no undo */
	ISC_N_STEP_KINDS,
} IscStepKind;

/* How a step is made; the character is its sign in the journal and on the screen. */
typedef enum {
	ISC_MODE_UP = '+',    /* make it; a failure takes the plan back, this step included */
	ISC_MODE_STAYS = '=', /* as UP, but what it made stands when the plan is taken back */
	ISC_MODE_SOFT = '~',  /* make it; a failure is recorded, and the plan goes on */
	ISC_MODE_DOWN = '-',  /* carry out the undo; a failure is recorded, and the plan goes on */
} IscStepMode;

typedef struct {
	IscStepKind kind;
	IscStepMode mode;
	gchar *arg; /* owned; "" where the kind takes none */
} IscStep;

/* The argument of a START that is taken down: ask the guest to power off before the domain is
 * destroyed. */
#define ISC_ARG_ASK "ask"

/* The argument of a VERIFY that goes on beside the steps that follow.  The START waits for what it
 * comes to, or verifies by itself: no machine is made of an image that does not hold. */
#define ISC_ARG_AHEAD "ahead"

/* Behind the name of evidence that has the node's memory in it. */
#define ISC_ARG_MEMORY "+memory"

/* The argument of an OVERLAY that is kept: up, it is opened, or made where it never was; down, it
 * is put aside.  No name is like it. */
#define ISC_ARG_KEPT "(kept)"

/* What REFILL and TURN call the overlay, where they name a volume. */
#define ISC_ARG_OVERLAY "(overlay)"

/* An ordered list of steps of one verb on one node. */
typedef struct {
	IscVerb verb;
	gchar *node;   /* owned */
	GArray *steps; /* of IscStep */
} IscPlan;

IscPlan *isc_plan_new(IscVerb verb, const gchar *node);
void isc_plan_add(
		IscPlan *plan, IscStepMode mode, IscStepKind kind, const gchar *arg); /* NULL: "" */

const gchar *isc_step_kind_name(IscStepKind kind); /* "overlay", …; static */

/* What an operator reads, e.g. "+ fence", "- overlay", "+ snapshot s1".  (transfer full) */
gchar *isc_step_describe(const IscStep *step);

/* One line a step as isc_step_describe() gives it: the journal's form and --dry-run's.  (transfer
 * full) */
gchar *isc_plan_print(const IscPlan *plan);

/* Errors: ISC_ERROR_INVALID (a journal of a newer version). */
IscPlan *isc_plan_parse(IscVerb verb, const gchar *node, const gchar *text, GError **error);

void isc_plan_free(IscPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscPlan, isc_plan_free)
