#pragma once
#include <glib.h>

#include "base/name.h"

/* n equal nodes from one spec: a set.  What a node file says of it: of the set itself in `count`,
 * of each of its members, which are nodes like any other, in `set`. */

#define ISC_REPLICAS_MAX 60

typedef struct {
	guint count;        /* 1..ISC_REPLICAS_MAX: the spec is of a set; 0: of one node */
	gboolean own_ports; /* each member has exposed ports of its own; else all share them */
	gchar set[ISC_NAME_MAX + 1]; /* of a member: its set; else "" */
} IscReplica;

/* @key: "Replicas", "ReplicaPorts", "Set".  Errors: ISC_ERROR_INVALID, without the key. */
gboolean isc_replica_take(IscReplica *replica, const gchar *key, const gchar *value, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* What is said where a verb on one node gets the name of a set, twice. */
#define ISC_NO_NODE_BUT_A_SET                                                                      \
	"'%s' is a set of nodes: name one of its members, which 'isc-vm show %s' lists"

/* "SET-N".  (transfer full) */
gchar *isc_replica_name(const gchar *set, guint number);

/* The N of "SET-N"; 0 where @name is no such name. */
guint isc_replica_number(const gchar *set, const gchar *name);
