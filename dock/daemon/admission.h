#pragma once
#include "daemon/dock.h"

/* Gathers what policy/admit.h wants to know. */

/* May @node, not yet in the register, be provisioned?  A dry run asks this. */
gboolean isc_admission_check(IscDock *dock, const IscNode *node, GError **error);

/* The same and, if so, into the register: under one lock, so that of two that ask for the same port one is refused. */
gboolean isc_admission_enter(IscDock *dock, IscNode *node, GError **error);

/* May @node, which stands, be started again?  Today's rules count, not those of its provisioning. */
gboolean isc_admission_again(IscDock *dock, const IscNode *node, GError **error);
