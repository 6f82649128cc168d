#pragma once
#include <glib.h>

#include "base/name.h"

/* Where a node has a volume: "data:/var/lib/postgresql:2G".  Plain values: copy them by assignment.
 */

#define ISC_VOLUMES_MAX 4 /* of a node: microvm has 8 virtio devices, and a node takes 4 itself */
#define ISC_VOLUME_PATH_MAX 200     /* bytes */
#define ISC_VOLUME_SIZE_MIN 16      /* MiB: below that ext4 has no room for its journal */
#define ISC_VOLUME_SIZE_MAX 8388608 /* MiB: 8 TiB */

typedef struct {
	gchar name[ISC_NAME_MAX + 1];
	gchar path[ISC_VOLUME_PATH_MAX + 1]; /* in the node; absolute, no '.' or '..' in it */
	guint size_mib;                      /* of one that is made; 0: it must be there already */
} IscVolumeUse;

/**
 * isc_volume_use_parse:
 * @text: NAME:PATH[:SIZE]
 *
 * Refuses paths that isc-node-init makes itself: /, /dev, /etc, /proc, /run, /sys, /tmp and what is
 * below them.  Errors: ISC_ERROR_INVALID.
 */
gboolean isc_volume_use_parse(const gchar *text, IscVolumeUse *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* (transfer full) */
gchar *isc_volume_use_print(const IscVolumeUse *use);

/* NULL, or what two volumes of one node must not have in common: the name, or a path that is also
 * that of the other or below it.  Static. */
const gchar *isc_volume_use_conflict(const IscVolumeUse *a, const IscVolumeUse *b);

/**
 * isc_volume_clone_name:
 * What the copy of @node's volume @name is called that a clone @clone gets: where it begins with
 * "NODE-", that is "CLONE-" instead; else "CLONE-" is put before it.
 * Errors: ISC_ERROR_INVALID: that is too long for a name.  Returns: (transfer full)
 */
gchar *isc_volume_clone_name(const gchar *name, const gchar *node, const gchar *clone,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "512" (MiB), "512M", "2G", "1T" → MiB within ISC_VOLUME_SIZE_MIN..MAX.  Errors:
 * ISC_ERROR_INVALID. */
gboolean isc_volume_size_parse(const gchar *text, guint *mib, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* "512M", "2G": the largest unit that leaves no rest.  (transfer full) */
gchar *isc_volume_size_print(guint mib);
