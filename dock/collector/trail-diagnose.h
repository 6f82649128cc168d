#pragma once
#include "collector/trail-verify.h"

/* Tells how lines differ from what is sealed, once they do.  Pure; for trail-verify.c. */

#define ISC_DIAGNOSE_BYTES (4u << 20) /* how far it looks ahead */

typedef struct {
	IscTrailFault fault;
	gchar detail[160];
} IscDiagnosis;

/**
 * isc_trail_diagnose:
 * @chain: from the start of the (good) block on; @entry: its first entry that is not met
 * @log: from the line on that should have met it
 * @at_start: it is the first line of the file
 */
void isc_trail_diagnose(const guint8 *chain, gsize chain_len, guint32 entry, const guint8 *log,
		gsize log_len, gboolean at_start, IscDiagnosis *out);
