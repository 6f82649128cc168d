#pragma once
#include <glib.h>

#include "collector/trail-verify.h"

/*
 * The ends of all trails of a dock at one time, to be kept where nobody who takes over the dock can
 * reach: what was sealed then can no longer be cut off, or sealed anew, without being found.  Text,
 * so that it can go to another host, a ticket or paper:
 *
 *   # comment
 *   key ed25519 64-hex-digits          the dock's public key
 *   NAME BLOCK:HASH RECORDS            one line a trail; @dock is the dock's own
 */
typedef struct {
	gboolean has_key;
	guint8 key[32];
	GHashTable *trails; /* (owned) name → GArray of IscTrailAnchor */
} IscAnchors;

#define ISC_ANCHORS_MAX (8u * 1024 * 1024) /* bytes of the text */

/* Errors: ISC_ERROR_INVALID naming the line.  Returns: (transfer full) */
IscAnchors *isc_anchors_parse(const gchar *text, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_anchors_free(IscAnchors *anchors);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscAnchors, isc_anchors_free)

/* Adds the line of a trail that was verified. */
void isc_anchors_print_trail(GString *out, const gchar *name, const IscTrailReport *report);

/* Adds the line of the key. */
void isc_anchors_print_key(GString *out, const guint8 key[32]);
