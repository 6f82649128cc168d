#pragma once
#include <glib.h>

#include "collector/trail-verify.h"

/* What the forwarder reads: a trail, block after block of its chain, so that only what is sealed
 * goes out, each record with its number and the dock's own time; or the log of a service
 * (log-source.h).  Their files are the spool: nothing is copied. */

typedef enum {
	ISC_FORWARD_AUDIT,   /* the trail of a node */
	ISC_FORWARD_ACTS,    /* the dock's own */
	ISC_FORWARD_PACKETS, /* what the boundary logged */
	ISC_FORWARD_LOGS,    /* what a service wrote to stdout and stderr */
	ISC_N_FORWARD_KINDS,
} IscForwardKind;

/* "audit", "acts", "packets", "logs"; static */
const gchar *isc_forward_kind_name(IscForwardKind kind);

/* "audit packets": a set of them.  FALSE: an unknown word, *@bad (transfer full) */
gboolean isc_forward_kinds_parse(const gchar *text, gboolean out[ISC_N_FORWARD_KINDS], gchar **bad);

/* How far it was read.  Of a log "segment" and "block" mean something else: log-source.h. */
typedef struct {
	guint32 segment; /* number of the file, from 1 */
	guint64 block;   /* bytes of its audit.chain that are done with */
	guint64 record;  /* number of the last record that was delivered, or skipped; 0: none */
	guint64 skipped; /* records that were never delivered, because too many waited */
} IscForwardPos;

typedef struct IscForwardSource IscForwardSource;

/* Sources as positions name them: "NAME" of an audit trail, "@dock", "+NAME" of packets, "=NAME" of
 * a log. */
#define ISC_FORWARD_LOG '='
gboolean isc_forward_key_is_valid(const gchar *key);

/**
 * isc_forward_source_new:
 * @dir_fd: the folder of the trail, or log; not kept
 * @node: whose it is, or ISC_TRAIL_DOCK
 * @pos: NULL: from the start
 *
 * Returns: (transfer full), NULL with ISC_ERROR_FAILED
 */
IscForwardSource *isc_forward_source_new(int dir_fd, IscForwardKind kind, const gchar *node,
		const IscForwardPos *pos, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_forward_source_free(IscForwardSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscForwardSource, isc_forward_source_free)

gchar *isc_forward_key(IscForwardKind kind, const gchar *node);      /* (transfer full) */
const gchar *isc_forward_source_key(const IscForwardSource *source); /* owned by it */
const gchar *isc_forward_source_node(const IscForwardSource *source);
IscForwardKind isc_forward_source_kind(const IscForwardSource *source);

/* Where the next block is read. */
const IscForwardPos *isc_forward_source_pos(const IscForwardSource *source);

/* Back (or on) to @pos. */
void isc_forward_source_seek(IscForwardSource *source, const IscForwardPos *pos);

/* Hands out the records of the next block.
 * Returns: FALSE where there is no further one (yet), or with @error set: ISC_ERROR_FAILED, the
 * chain cannot be read, which is tried again later */
gboolean isc_forward_source_next(
		IscForwardSource *source, IscTrailRecordFunc func, gpointer data, GError **error);

/* Passes over blocks, oldest first, until at most @max bytes of log wait; counts their records.
 * The log of a service has its own bound.
 * Returns: how many were passed over now, or went by retention since the last time */
guint64 isc_forward_source_bound(IscForwardSource *source, guint64 max);
