#pragma once
#include "daemon/dock.h"

/* Where evidence lies; made by steps-evidence.c, handed out by handlers-evidence.c. */

/* STATEDIR/evidence/FOLDER, FOLDER as isc_copy_split() takes it.  (transfer full) */
gchar *isc_evidence_dir(const IscDock *dock, const gchar *folder);

/* The id of the key of the memory in @node's evidence @name.  (transfer full) */
gchar *isc_evidence_memory_key_id(const gchar *node, const gchar *name);

/* The file in it that is a disk: "overlay.qcow2", "volume-NAME.qcow2".  @volume: "" or NULL for the
 * overlay.  (transfer full) */
gchar *isc_evidence_disk(const gchar *volume);
