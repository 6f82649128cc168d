#pragma once
#include <glib.h>

#include "base/anchor.h"
#include "base/minisign.h"

/*
 * The ends of all trails of a dock at one time, to be kept where nobody who takes over the dock can
 * reach: what was sealed then can no longer be cut off, or sealed anew, without being found.  Text,
 * so that it can go to another host, a ticket or paper:
 *
 *   # comment
 *   key ed25519 64-hex-digits          the dock's public key
 *   NAME BLOCK:HASH RECORDS            one line a trail; @dock is the dock's own
 *   untrusted comment: …               from here on a minisign signature of all lines before it,
 *   …                                  four lines, by the dock's signing key (dock.pub)
 *
 * The signature is for the place where the text is kept: whoever can write there cannot change it
 * to suit a trail that was made anew.  Texts of earlier docks have none, and are read all the same.
 */
typedef struct {
	gboolean has_key;
	guint8 key[32];
	GHashTable *trails; /* (owned) name → GArray of IscTrailAnchor */
	gchar *text;        /* what is signed, */
	gsize text_len;     /* so many bytes */
	gchar *signature;   /* as in a .minisig file; NULL: it is not signed */
} IscAnchors;

#define ISC_ANCHORS_MAX (8u * 1024 * 1024) /* bytes of the text */

/* Does not look at the signature.  Errors: ISC_ERROR_INVALID naming the line.  Returns: (transfer
 * full) */
IscAnchors *isc_anchors_parse(const gchar *text, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_anchors_free(IscAnchors *anchors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscAnchors, isc_anchors_free)

/**
 * isc_anchors_check:
 * @anchors: with a signature
 * @comment: (out) (transfer full): the comment that was signed: who noted them, and when
 *
 * Errors: ISC_ERROR_VERIFY: changed after it was signed, or signed by another than @key.
 */
gboolean isc_anchors_check(const IscAnchors *anchors, const IscPublicKey *key, gchar **comment,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The lines that begin the text.  @now: seconds since the epoch */
void isc_anchors_print_head(GString *out, gint64 now, const guint8 key[32]);

/* Adds the line of a trail. */
void isc_anchors_print_trail(
		GString *out, const gchar *name, const IscTrailAnchor *end, guint64 records);
