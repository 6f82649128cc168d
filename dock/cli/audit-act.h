#pragma once
#include "cli/output.h"

/* A record of the dock's own trail (dock/daemon/act.h) as a line for people: who, what, on which
 * node, with what result.
 * @record: as isc_audit_parse() gives it
 * Returns: (transfer full), cleaned for a terminal; NULL for one that is none of the dock's acts */
gchar *isc_audit_act_text(IscJson *record);
