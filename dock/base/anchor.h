#pragma once
#include <glib.h>

/* What is known of audit trails in other places than they are: the dock's key, and how far they
 * went. */

#define ISC_SEAL_PUB "seal.pub" /* file of the dock's key, beside the trails and in exports */

/* "ed25519 " and 64 hex digits: the text of seal.pub (and of seal.key).  Errors: ISC_ERROR_INVALID.
 */
gboolean isc_seal_pub_parse(const gchar *text, gsize len, guint8 out[32], GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* A point of an audit trail that was noted elsewhere (syslog, another host, paper): the number of a
 * block and the first bytes of its hash.  collector/trail-verify.h finds it again in a trail. */
typedef struct {
	guint64 block;
	guint8 head[8];
} IscTrailAnchor;

/* A line of the collector's own in the dock's trail says how far another trail was on disk:
 *
 *   op=trail-end trail=NAME file=N end=BLOCK:HASH records=N res=success
 *
 * NAME as `isc-vm audit verify` takes it; file: the one that was open then, from 1. */
#define ISC_TRAIL_END_OP "op=trail-end trail="

/* "BLOCK:16 hex digits", as the collector writes it into the journal.  Returns: (transfer full) */
gchar *isc_trail_anchor_print(const IscTrailAnchor *anchor);

/* Errors: ISC_ERROR_INVALID; @out is not written to. */
gboolean isc_trail_anchor_parse(const gchar *text, IscTrailAnchor *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
