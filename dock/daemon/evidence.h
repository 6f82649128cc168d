#pragma once
#include "daemon/dock.h"

/* Where evidence lies; made by steps-evidence.c, handed out by handlers-evidence.c. */

/* STATEDIR/evidence/FOLDER, FOLDER as isc_copy_split() takes it.  (transfer full) */
gchar *isc_evidence_dir(const IscDock *dock, const gchar *folder);

/* The id of the key of the disk of @node's evidence @name.  (transfer full) */
gchar *isc_evidence_key_id(const gchar *node, const gchar *name);
