#pragma once
#include <glib.h>

/* What the dock's secrets in libvirtd are for, as their usage says (`virsh secret-list` shows it):
 *
 *   isc-NODE/overlay      opens the node's overlay; the secret's uuid is the node's
 *   isc-volume/VOLUME     opens the volume; the secret's uuid is the volume's.  Of a volume
 *                         "overlay" it is isc-volume/overlay/: libvirtd has each usage once, and
 *                         the other one is that of a node "volume"
 *   isc-copy/KEY          opens a copy that is being made, KEY: its key's id in the key store,
 *                         NODE.snapshot.NAME or NODE.evidence.NAME, with .VOLUME perhaps
 */

#define ISC_SECRET_USE_MAX 256 /* bytes of a usage */

typedef enum {
	ISC_SECRET_OVERLAY,
	ISC_SECRET_VOLUME,
	ISC_SECRET_COPY,
} IscSecretKind;

/* Each (transfer full). */
gchar *isc_secret_use_overlay(const gchar *node);
gchar *isc_secret_use_volume(const gchar *volume);
gchar *isc_secret_use_copy(const gchar *key_id);

/**
 * isc_secret_use_parse:
 * @usage: of any secret in libvirtd: others have some there, too
 * @name: (transfer full): of the node or the volume; of a copy, of the node that it is made of
 *
 * Returns: FALSE: it is none of the dock's
 */
gboolean isc_secret_use_parse(const gchar *usage, IscSecretKind *kind, gchar **name);
