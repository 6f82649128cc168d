#pragma once
#include "daemon/dock.h"

/* Gathers what policy/admit.h wants to know. */

/* May @node, not yet in the register, be provisioned?  A dry run asks this. */
gboolean isc_admission_check(IscDock *dock, const IscNode *node, GError **error);

/* May all of @nodes (of IscNode), each beside those before it?  The message names the first that
 * may not. */
gboolean isc_admission_check_all(IscDock *dock, const GPtrArray *nodes, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The same and, if so, into the register: under one lock, so that of two that ask for the same port
 * one is refused. */
gboolean isc_admission_enter(IscDock *dock, IscNode *node, GError **error);

/* May @node, which stands, be started again?  Today's rules count, not those of its provisioning.
 */
gboolean isc_admission_again(IscDock *dock, const IscNode *node, GError **error);

/**
 * isc_admission_limits:
 * @node: stands
 * @next: its spec with other limits
 * @enter: with it into the register, under the same lock
 *
 * The ceilings are asked where a node that runs wants more.  Errors: ISC_ERROR_POLICY.
 */
gboolean isc_admission_limits(IscDock *dock, const IscNode *node, const IscSpec *next,
		gboolean enter, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* May the members of a set be as @after (of IscNode) has them: all at once, as none of them is yet?
 * Asked are their ports, and the ceilings where one that is up wants more. */
gboolean isc_admission_members(IscDock *dock, const GPtrArray *after, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* May volumes get @mib more?  Errors: ISC_ERROR_POLICY: the ceiling, or the disk. */
gboolean isc_admission_volume(IscDock *dock, const gchar *name, guint mib, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* May a snapshot of @node be taken that needs @mib at most?  Errors: ISC_ERROR_POLICY: the ceiling.
 */
gboolean isc_admission_snapshot(IscDock *dock, const IscNode *node, guint64 mib, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_admission_rules:
 * @node: stands, and has the rules in its spec that it shall have
 * @opened: of IscExpose: ports that it did not expose before
 * @enter: with them into the register, under the same lock
 *
 * Errors: ISC_ERROR_STATE: a port is another node's, or a program on the dock listens on it.
 */
gboolean isc_admission_rules(IscDock *dock, const IscNode *node, const GArray *opened,
		gboolean enter, GError **error);
