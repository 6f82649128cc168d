#pragma once
#include "daemon/verbs.h"

/* The verb limit. */

/**
 * isc_limits_plan:
 * @request: its rules are "KEY=VALUE"
 * @done: (out): it is so already
 * @warnings: gets what a running node has from its next start on only
 *
 * What of the caller's limits is a change, and may be made: also what a dry run tells.
 * Errors: ISC_ERROR_INVALID, ISC_ERROR_POLICY.  Returns: (transfer full): ISC_STEP_LIMITS' argument
 */
gchar *isc_limits_plan(IscDock *dock, const IscRequest *request, const IscNode *node,
		gboolean *done, GPtrArray *warnings, GError **error);

/* a{sv} into @b: "limits" as the node file has them, "limits-in-force" as libvirt has them for a
 * node that runs. */
void isc_limits_show(IscDock *dock, const IscNode *node, GVariantBuilder *b);
