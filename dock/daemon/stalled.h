#pragma once
#include "daemon/dock.h"

/* Nodes that QEMU has stopped because a disk of theirs failed: mostly for lack of room, which
 * corrupts nothing, as the guest's write waits.  They are shown as suspended, with what they need
 * and what there is, and go on by themselves when there is room, or by `isc-vm resume`. */

/* libvirt told of it.  @detail: "DISK: REASON", as IscVmEvent has it.  Main thread. */
void isc_stalled_on_event(IscDock *dock, const gchar *node, const gchar *detail);

/* May @node be resumed?  Errors: ISC_ERROR_POLICY: it was stopped for lack of room, and there is
 * none yet. */
gboolean isc_stalled_admits(IscDock *dock, const IscNode *node, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Resumes those that there is room for.  In a thread of the pool. */
void isc_stalled_mend(IscDock *dock);
