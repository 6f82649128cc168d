#pragma once
#include "collector/trail-verify.h"

/* How far each trail was on disk, by the lines of the collector's own in the dock's trail
 * (base/anchor.h).  They are written when a trail is opened, at each new file, every ten minutes in
 * which it grew, and at its end: so files that are missing at the end of a trail are missed without
 * anything that was kept elsewhere. */
typedef struct {
	guint32 file;
	IscTrailAnchor end;
} IscTrailEnd;

/* (transfer full): of names to IscTrailEnd; free with g_hash_table_unref() */
GHashTable *isc_trail_ends_new(void);

/* IscTrailRecordFunc for the dock's trail.  @ends: what was told last of each */
void isc_trail_ends_take(const IscTrailRecord *record, gpointer ends);
