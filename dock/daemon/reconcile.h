#pragma once
#include "daemon/dock.h"

/* Wanted (the register), seen (libvirt, the kernel) and claimed (the nodes) are compared: at start,
 * on each event, after each reconnection, and on a timer. */

/* Ends interrupted plans, takes running nodes up again, adopts domains that the register lost, and
 * puts away what should not run. */
gboolean isc_reconcile_start(IscDock *dock, GError **error);

/* libvirt's events: given to isc_vm_new() with the dock as data. */
extern const IscVmOwner isc_reconcile_owner;

/* One look at everything.  @repair FALSE: only looks.
 * @found: told of each difference; in the calling thread.  Returns the number of differences that
 * stand. */
typedef void (*IscReconcileFunc)(gpointer data, const gchar *what, const gchar *name,
		const gchar *problem, gboolean repaired);
guint isc_reconcile_all(IscDock *dock, gboolean repair, IscReconcileFunc found, gpointer data);

/* @name, which was to run, has ended: what it held is put away, in a worker thread. */
void isc_reconcile_ended(IscDock *dock, const gchar *name);

/* A stranger at a node's channel: isc_channels_new()'s callback, with the dock as data. */
void isc_reconcile_refused(gpointer dock, const gchar *node, IscChannel channel, guint uid);
