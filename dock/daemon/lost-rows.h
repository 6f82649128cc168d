#pragma once
#include "daemon/reconcile.h"

/* Rows of the register whose node has no name that could be one: it cannot be listed, called or
 * ordered about.  Its elements are not in the rules, so it is cut off; what libvirt's definition
 * knows of it brings it back, as with a register that was lost. */

/**
 * isc_lost_rows_look:
 * @domains: of IscVmInfo
 * @found: (nullable): told of each; without it, of those that were mended
 *
 * With @repair a row makes way where a good definition has its uuid.  Returns: how many stand
 */
guint isc_lost_rows_look(IscDock *dock, const GPtrArray *domains, gboolean repair,
		IscReconcileFunc found, gpointer data);

/* Those that stand go on record, once. */
void isc_lost_rows_tell(IscDock *dock);
