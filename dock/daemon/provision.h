#pragma once
#include "daemon/verbs.h"

/* The verb that makes a node. */

/* The node that @spec would become: for questions about it.  Errors: ISC_ERROR_NOT_FOUND: there is
 * no such image.  Returns: (transfer full) */
IscNode *isc_provision_node(IscDock *dock, const IscSpec *spec, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_verb_provision:
 * @spec: (transfer none): as parsed from the operator's text
 *
 * Admits, writes the node into the register, and runs the plan; on failure nothing of it is left.
 */
gboolean isc_verb_provision(IscDock *dock, const IscSpec *spec, const IscRequest *request,
		IscOutcome *out, IscNode **node, GError **error) G_GNUC_WARN_UNUSED_RESULT;
