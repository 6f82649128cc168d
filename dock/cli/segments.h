#pragma once
#include "cli/client.h"

/* The files of one audit trail, as the dock hands them out: pairs of audit.log and audit.chain. */

typedef struct {
	guint number;   /* N of audit.log.N; 0: audit.log itself, the last one */
	int log, chain; /* owned */
} IscSegment;

typedef struct {
	GArray *all;      /* of IscSegment, oldest first; at least one */
	guint8 key[32];   /* seal.pub of the dock */
	gboolean has_key; /* FALSE: the dock has none that can be read */
} IscSegments;

/* All files of @node's trail, also where the node is no more.  Errors: as isc_client_call();
 * ISC_ERROR_NOT_FOUND: no such trail.  @out is to be cleared also then. */
gboolean isc_segments_open(IscClient *client, const gchar *node, IscSegments *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* A long trail has many files, and all of them are opened. */
void isc_segments_raise_limit(void);

/* "audit.log.3", or "audit.log".  @number: of the file within the trail, from 1.  Returns:
 * (transfer full) */
gchar *isc_segments_file(const IscSegments *segments, guint number);

void isc_segments_clear(IscSegments *segments);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscSegments, isc_segments_clear)
