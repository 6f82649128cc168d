#pragma once
#include "daemon/reconcile.h"

/* Each secret of the dock in libvirtd against the register: one whose node or volume is not, or
 * does not run, or whose copy nobody makes, opens a disk for whoever may talk to libvirtd.  Told as
 * isc_reconcile_all() does; what a verb is at is left alone. */
void isc_secrets_check(IscDock *dock, gboolean repair, IscReconcileFunc found, gpointer data);
