#pragma once
#include <glib.h>

#include "model/bandwidth.h"
#include "model/job.h"
#include "model/limits.h"
#include "model/replica.h"
#include "model/rules.h"
#include "model/upkeep.h"
#include "model/volume-use.h"

#define ISC_SPEC_MAX_BYTES (64 * 1024)

typedef enum {
	ISC_ENV_DEVELOPMENT,
	ISC_ENV_STAGING,
	ISC_ENV_PRODUCTION,
	ISC_N_ENVS,
} IscEnvironment;

typedef enum {
	ISC_MACHINE_MICROVM,
	ISC_MACHINE_Q35,
	ISC_N_MACHINES,
} IscMachine;

/* How the node is joined to others.  In none of them do nodes reach each other without a rule. */
typedef enum {
	ISC_NETWORK_ISOLATED,  /* by itself */
	ISC_NETWORK_GROUP,     /* rules of and for the group may name all of its nodes at once */
	ISC_NETWORK_DEDICATED, /* by itself, on a bridge and in a network of its own */
	ISC_N_NETWORKS,
} IscNetworkModel;

/* What the operator asks for: a NAME.node file, see isc-node(5).  Plain data: built by
 * isc_spec_parse(), then never changed; everything is owned by the spec. */
typedef struct {
	gchar *name;        /* isc_name_is_valid() */
	gchar *image;       /* NAME, NAME:VERSION or sha256:DIGEST */
	gchar *description; /* one line, ≤ 200 bytes, or "" */
	IscEnvironment environment;
	IscMachine machine;
	GPtrArray *labels; /* of gchar* "KEY=VALUE" */
	GPtrArray *env;    /* of gchar* "KEY=VALUE", for the service; secret: never logged, shown or
			      put on a command line */
	GPtrArray *writable; /* of gchar*: absolute paths besides the image's */
	guint memory_mib;    /* MiB, 48..65536 */
	guint vcpus;         /* 1..64 */
	IscLimits limits;
	guint overlay_mib;     /* MiB, 16..1048576 */
	gboolean overlay_kept; /* it outlives stops; else each start begins with an empty one */
	GArray *volumes;       /* of IscVolumeUse, at most ISC_VOLUMES_MAX: vdc, vdd, … */
	IscNetworkModel network;
	gchar group[ISC_NAME_MAX + 1]; /* ISC_NETWORK_GROUP; else "" */
	GArray *expose;                /* of IscExpose */
	GArray *egress;                /* of IscEgress; empty: denied */
	IscBandwidth bandwidth;
	guint timeout_s;  /* s to get ready, 1..3600 */
	gboolean protect; /* it cannot be destroyed */
	IscUpkeep upkeep;
	IscJobSpec job;
	IscReplica replica;
} IscSpec;

/**
 * isc_spec_parse:
 * @what: named in errors: the path, or "command line"
 * @text: the node file, UTF-8; not kept, need not end in NUL
 * @len: bytes, at most ISC_SPEC_MAX_BYTES
 *
 * Pure: reads nothing but @text.
 * Errors: ISC_ERROR_INVALID, the message naming line and key at fault.
 * Returns: (transfer full): free with isc_spec_free()
 */
IscSpec *isc_spec_parse(const gchar *what, const gchar *text, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The canonical node file: parse(print(spec)) equals spec.  Holds env: treat it as a secret.
 * Returns: (transfer full) */
gchar *isc_spec_print(const IscSpec *spec);

/* As above without env: may be stored, shown and put into the domain's metadata.  (transfer full)
 */
gchar *isc_spec_print_public(const IscSpec *spec);

/* (transfer full) */
IscSpec *isc_spec_copy(const IscSpec *spec);

/* Other network rules; takes references.  Of IscExpose, IscEgress. */
void isc_spec_set_rules(IscSpec *spec, GArray *expose, GArray *egress);

/* The volume @name of @spec, or NULL; borrowed. */
const IscVolumeUse *isc_spec_find_volume(const IscSpec *spec, const gchar *name);

/* Adds @use, or puts it in the place of the one of its name.  Errors: ISC_ERROR_INVALID: too many,
 * or its path is taken. */
gboolean isc_spec_add_volume(IscSpec *spec, const IscVolumeUse *use, GError **error);
void isc_spec_remove_volume(IscSpec *spec, const gchar *name);

/* "development", "staging", "production"; "microvm", "q35"; static. */
const gchar *isc_environment_name(IscEnvironment environment);
const gchar *isc_machine_name(IscMachine machine);

/* Errors: ISC_ERROR_INVALID: @rule speaks of a group that the node is not in. */
gboolean isc_spec_check_egress(const IscSpec *spec, const IscEgress *rule, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* "isolated", "group:NAME", "dedicated".  Returns: (transfer full) */
gchar *isc_spec_network_text(const IscSpec *spec);

void isc_spec_free(IscSpec *spec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscSpec, isc_spec_free)
