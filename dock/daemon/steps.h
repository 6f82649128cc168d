#pragma once
#include "daemon/dock.h"

/* What each kind of step does on this host: the table of adapters (engine/engine.h).  steps.c has
 * those of the disk, the domain and the net; steps-snapshot.c those that copy disks. */

/* Fills dock->engine in. */
void isc_steps_init(IscDock *dock);

/* What the firewall knows of @node; holds references to @node's rules.  @image: for the health
 * port, or NULL. */
void isc_steps_fence(
		const IscNode *node, const IscImage *image, gboolean quarantined, IscFence *out);

/* a{sv}: packets dropped, by kind.  Floating. */
GVariant *isc_steps_counters(IscDock *dock, const IscNode *node);

/* Puts the overlay's key into libvirtd again, where it is still known. */
gboolean isc_steps_push_secret(IscDock *dock, const IscNode *node, GError **error);

/**
 * isc_steps_import:
 * @files: a{sh}, @fds: what the caller opened
 * @dry_run: check all, store nothing
 * Returns: (transfer full)
 */
IscImage *isc_steps_import(IscDock *dock, GVariant *files, GUnixFDList *fds, const IscTrust *trust,
		gboolean dry_run, gboolean *was_there, GError **error);

/* steps-rules.c */
gboolean isc_step_rules_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error);
gboolean isc_step_rules_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error);

/* steps-snapshot.c */
gboolean isc_step_snapshot_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error);
gboolean isc_step_snapshot_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error);
gboolean isc_step_snapshots_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error);
gboolean isc_step_evidence_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error);

/* Makes the overlay from snapshot @name and gives the key that opens it.  (transfer full) */
IscKey *isc_step_overlay_from_snapshot(IscDock *dock, const IscNode *node, const gchar *name,
		const gchar *overlay, GError **error);
