#pragma once
#include "daemon/dock.h"

/* A node's environment may hold passwords: it is kept sealed with the dock's key, apart from the
 * register. */

/* Seals @node's env; none leaves nothing. */
gboolean isc_env_keep(IscDock *dock, const IscNode *node, GError **error);

/* Puts it back into @node's spec.  Errors: ISC_ERROR_VERIFY (sealed by another dock key, or
 * damaged). */
gboolean isc_env_fetch(IscDock *dock, IscNode *node, GError **error);

/* Overwrites and removes it.  None is no error; trouble is logged.  Returns: whether there was one
 */
gboolean isc_env_erase(IscDock *dock, const gchar *name);
