#pragma once
#include "daemon/bus.h"

/* Method → handler; one table in handlers.c. */

/* @interface: "Dock1", "Dock1.Node".  Returns: borrowed; NULL for one that does not exist */
const IscHandler *isc_handlers_find(const gchar *interface, const gchar *method);

/* An IscHandler's function. */
#define ISC_HANDLE(name) GVariant *isc_handle_##name(IscCall *call, GError **error)

/* handlers-node.c */
ISC_HANDLE(provision);
ISC_HANDLE(enable);
ISC_HANDLE(disable);
ISC_HANDLE(suspend);
ISC_HANDLE(resume);
ISC_HANDLE(destroy);
ISC_HANDLE(quarantine);
ISC_HANDLE(release);
ISC_HANDLE(expose);
ISC_HANDLE(unexpose);
ISC_HANDLE(allow);
ISC_HANDLE(deny);
ISC_HANDLE(limit);
ISC_HANDLE(protect);
ISC_HANDLE(unprotect);

/* handlers-set.c */
ISC_HANDLE(scale);
ISC_HANDLE(upgrade_set);
ISC_HANDLE(destroy_set);
ISC_HANDLE(expose_set);
ISC_HANDLE(unexpose_set);
ISC_HANDLE(allow_set);
ISC_HANDLE(deny_set);
ISC_HANDLE(limit_set);
ISC_HANDLE(quarantine_set);
ISC_HANDLE(release_set);
ISC_HANDLE(show_set);

/* handlers-dock.c */
ISC_HANDLE(list_destroyed);
ISC_HANDLE(dock_status);
ISC_HANDLE(dock_drain);
ISC_HANDLE(dock_undrain);
ISC_HANDLE(dock_teardown);

/* handlers-evidence.c */
ISC_HANDLE(evidence_list);
ISC_HANDLE(evidence_open);
ISC_HANDLE(evidence_open_key);
ISC_HANDLE(evidence_remove);

/* handlers-anchor.c */
ISC_HANDLE(note_anchors);
ISC_HANDLE(public_key);

/* handlers-job.c */
ISC_HANDLE(pause_schedule);
ISC_HANDLE(resume_schedule);

/* handlers-upgrade.c */
ISC_HANDLE(upgrade);
ISC_HANDLE(rollback);

/* handlers-volume.c */
ISC_HANDLE(list_volumes);
ISC_HANDLE(show_volume);
ISC_HANDLE(create_volume);
ISC_HANDLE(resize_volume);
ISC_HANDLE(rekey_volume);
ISC_HANDLE(remove_volume);
ISC_HANDLE(attach_volume);
ISC_HANDLE(detach_volume);
ISC_HANDLE(export_volume);
ISC_HANDLE(import_volume);

/* handlers-snapshot.c */
ISC_HANDLE(snapshot_create);
ISC_HANDLE(snapshot_list);
ISC_HANDLE(snapshot_restore);
ISC_HANDLE(snapshot_delete);
ISC_HANDLE(snapshot_clone);
ISC_HANDLE(snapshot_verify);
