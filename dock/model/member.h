#pragma once
#include "model/spec.h"

/* The specs of a set and of its members. */

#define ISC_SHARED_PORTS_MAX 16 /* of a set: each is one element a bucket, see render/nft.h */

/* Errors: ISC_ERROR_INVALID: @spec asks for replicas, and for what these cannot have. */
gboolean isc_member_check(const gchar *what, const IscSpec *spec, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_member_spec:
 * @set: spec of a set, with its environment
 * @number: from 1 on
 *
 * What member @number is provisioned from.  Exposed ports of its own are those of the set, moved on
 * by as many as the members before it have.  Returns: (transfer full)
 */
IscSpec *isc_member_spec(const IscSpec *set, guint number);

/* The way back: the spec of the set that member @number was made from.  (transfer full) */
IscSpec *isc_member_to_set(const IscSpec *member, guint number);

/* Its exposed ports are those of its set, and lead to all members that are in force. */
gboolean isc_member_shares_ports(const IscSpec *spec);

/* Makes a node like any other of it: for copies that are no members. */
void isc_member_leave(IscSpec *spec);
