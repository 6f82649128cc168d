#pragma once
#include "daemon/dock.h"
#include "engine/links.h"

/* What each kind of step does on this host: the table of adapters (engine/engine.h).  steps.c has
 * the table, the files beside it what it points to. */

/* Fills dock->engine in. */
void isc_steps_init(IscDock *dock);

/* Whether @node's image holds: what a VERIFY with ISC_ARG_AHEAD began comes to, or looks now. */
gboolean isc_steps_verified(IscDock *dock, const IscNode *node, GError **error);

/* Waits for it, whatever it comes to. */
void isc_steps_end_verifying(IscDock *dock, const gchar *name);

/* The bridge of @place as the dock wants it.  Borrows its name. */
IscBridge isc_steps_bridge(const IscPlace *place);

/* The tap of @node, which is called @name.  Borrows both names. */
IscTap isc_steps_tap(const IscNode *node, const gchar *name, const IscPlace *place);

/* What the firewall knows of @node; holds references to @node's rules.  @image: for the health
 * port, or NULL. */
void isc_steps_fence(IscDock *dock, const IscNode *node, const IscImage *image,
		gboolean quarantined, IscFence *out);

/* Nothing from @node or to it passes any more, where its fence stands: without one there is no way
 * out, and none is to be left behind.  Then what it had open ends, which takes the kernel a hundred
 * times as long. */
gboolean isc_steps_drop(IscDock *dock, const IscNode *node, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
gboolean isc_steps_end_flows(IscDock *dock, const IscNode *node, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* a{sv}: packets dropped, by kind.  Floating. */
GVariant *isc_steps_counters(IscDock *dock, const IscNode *node);

/* Puts the overlay's key into libvirtd again, where it is still known. */
gboolean isc_steps_push_secret(IscDock *dock, const IscNode *node, GError **error);

/* RUNDIR/nodes/NAME/config.  (transfer full) */
gchar *isc_steps_config_path(const IscDock *dock, const IscNode *node);

/* The node's image as the store has it.  (transfer full) */
IscImage *isc_steps_image(IscDock *dock, const IscNode *node, GError **error);

/* --- the overlay: steps-overlay.c --- */

/* STATEDIR/nodes/NAME/overlay.qcow2; of one that is kept the side in force.  (transfer full) */
gchar *isc_steps_overlay_path(const IscDock *dock, const IscNode *node);

/* Of one that is kept: the disk of one side, and the id of its key.  (transfer full) */
gchar *isc_steps_overlay_side_path(const IscDock *dock, const gchar *node, guint side);
gchar *isc_steps_overlay_side_key_id(const gchar *node, guint side);

/* Shreds one side, key first.  One that is not there is no error. */
gboolean isc_steps_overlay_drop_side(IscDock *dock, const gchar *node, guint side, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The key of the overlay that @node keeps, tried on its disk.  Errors: ISC_ERROR_NOT_FOUND,
 * ISC_ERROR_VERIFY: key or disk are lost.  (transfer full) */
IscKey *isc_steps_overlay_key(IscDock *dock, const IscNode *node, GError **error);

/* FALSE with that error, but for one that was never made. */
gboolean isc_steps_overlay_check(IscDock *dock, const IscNode *node, GError **error);

/* The register was lost: finds out which side of @node's overlay was in force. */
void isc_steps_overlay_adopt(IscDock *dock, const IscNode *node);

/* --- volumes: steps-volume.c --- */

/* STATEDIR/volumes/NAME and the disk in it that is in force.  (transfer full) */
gchar *isc_steps_volume_dir(const IscDock *dock, const gchar *name);
gchar *isc_steps_volume_path(const IscDock *dock, const gchar *name);

/* The disk of one side of it, see IscVolume, and the id of its key.  (transfer full) */
gchar *isc_steps_volume_side_path(const IscDock *dock, const gchar *name, guint side);
gchar *isc_steps_volume_side_key_id(const gchar *name, guint side);

/* Shreds one side, key first.  One that is not there is no error. */
gboolean isc_steps_volume_drop_side(IscDock *dock, const gchar *name, guint side, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* What the disk calls itself in the guest.  (transfer full) */
gchar *isc_steps_volume_serial(const IscVolume *volume);

/* The key of volume @name, tried on its disk.  Errors: ISC_ERROR_NOT_FOUND, ISC_ERROR_VERIFY: key
 * or disk are lost.  (transfer full) */
IscKey *isc_steps_volume_key(IscDock *dock, const gchar *name, GError **error);

/* Volume @name, which is @node's.  Errors: ISC_ERROR_NOT_FOUND, ISC_ERROR_STATE. */
gboolean isc_steps_own_volume(IscDock *dock, const IscNode *node, const gchar *name, IscVolume *out,
		GError **error);

/* Puts the keys of @node's volumes into libvirtd. */
gboolean isc_steps_push_volume_keys(IscDock *dock, const IscNode *node, GError **error);

/* @node's limits into its domain, which runs or is paused, read back; @had: its disks may have
 * others.  And what they are there: of disks only where @node has any.  In steps-limits.c */
gboolean isc_steps_set_limits(IscDock *dock, const IscNode *node, gboolean had, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
gboolean isc_steps_get_limits(IscDock *dock, const IscNode *node, IscLimits *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* @node's rules and bandwidth into the kernel, read back; one in quarantine stays there.  In
 * steps-rules.c */
gboolean isc_steps_rules_in_force(IscDock *dock, const IscNode *node, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* What the table holds: an IscAdapter's up or down. */
#define ISC_STEP_FUNCTION(name)                                                                    \
	gboolean isc_step_##name(gpointer self, const IscNode *node, const gchar *arg,             \
			GCancellable *cancel, GError **error)

/* steps-disk.c */
ISC_STEP_FUNCTION(folder_up);
ISC_STEP_FUNCTION(folder_down);
ISC_STEP_FUNCTION(verify_up);
ISC_STEP_FUNCTION(config_up);
ISC_STEP_FUNCTION(config_down);
ISC_STEP_FUNCTION(channels_up);
ISC_STEP_FUNCTION(channels_down);

/* steps-overlay.c */
ISC_STEP_FUNCTION(overlay_up);
ISC_STEP_FUNCTION(overlay_down);
ISC_STEP_FUNCTION(secret_up);
ISC_STEP_FUNCTION(secret_down);

/* steps-volume.c */
ISC_STEP_FUNCTION(volume_up);
ISC_STEP_FUNCTION(volume_down);
ISC_STEP_FUNCTION(resize_up);
ISC_STEP_FUNCTION(rekey_up);
ISC_STEP_FUNCTION(attach_up);
ISC_STEP_FUNCTION(attach_down);
ISC_STEP_FUNCTION(volumes_up);
ISC_STEP_FUNCTION(volumes_down);

/* steps-net.c */
ISC_STEP_FUNCTION(fence_up);
ISC_STEP_FUNCTION(fence_down);
ISC_STEP_FUNCTION(tap_up);
ISC_STEP_FUNCTION(tap_down);
ISC_STEP_FUNCTION(cut_up);
ISC_STEP_FUNCTION(cut_down);

/* steps-domain.c */
ISC_STEP_FUNCTION(define_up);
ISC_STEP_FUNCTION(define_down);
ISC_STEP_FUNCTION(start_up);
ISC_STEP_FUNCTION(start_down);
ISC_STEP_FUNCTION(ready_up);
ISC_STEP_FUNCTION(pause_up);
ISC_STEP_FUNCTION(pause_down);
ISC_STEP_FUNCTION(trail_down);

/* steps-rules.c */
ISC_STEP_FUNCTION(rules_up);
ISC_STEP_FUNCTION(rules_down);

/* steps-limits.c */
ISC_STEP_FUNCTION(limits_up);
ISC_STEP_FUNCTION(limits_down);

/* steps-upgrade.c */
ISC_STEP_FUNCTION(standin_up);
ISC_STEP_FUNCTION(standin_down);
ISC_STEP_FUNCTION(redirect_up);
ISC_STEP_FUNCTION(redirect_down);
ISC_STEP_FUNCTION(image_up);
ISC_STEP_FUNCTION(image_down);

/* steps-snapshot.c */
ISC_STEP_FUNCTION(snapshot_up);
ISC_STEP_FUNCTION(snapshot_down);
ISC_STEP_FUNCTION(snapshots_down);
ISC_STEP_FUNCTION(refill_up);
ISC_STEP_FUNCTION(refill_down);
ISC_STEP_FUNCTION(turn_up);

/* steps-evidence.c */
ISC_STEP_FUNCTION(evidence_up);

/* Makes the overlay from a snapshot; @key opens it.  @arg: "SNAP" of the node's own, or "NODE/SNAP"
 * of another. */
gboolean isc_step_overlay_from_snapshot(IscDock *dock, const IscNode *node, const gchar *arg,
		const gchar *overlay, const IscKey *key, GCancellable *cancel, GError **error);
