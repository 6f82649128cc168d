#include "daemon/handlers.h"

#include "base/error.h"
#include "base/name.h"
#include "daemon/doctor.h"
#include "daemon/fsck.h"
#include "daemon/host-filter.h"
#include "daemon/jobs.h"
#include "daemon/network.h"
#include "daemon/show.h"
#include "daemon/trails.h"
#include "model/replica.h"

static GVariant *list_events(IscCall *call, GError **error)
{
	const gchar *node;
	guint64 since;
	guint32 max;
	g_variant_get(call->params, "(&stu)", &node, &since, &max);
	if (max < 1 || max > 1000 || (*node && !isc_name_check("node", node, error))) {
		if (error && !*error)
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "max is 1 to 1000");
		return NULL;
	}
	g_autoptr(GPtrArray) rows = isc_register_list_events(
			call->dock->reg, *node ? node : NULL, MIN(since, G_MAXINT64), max, error);
	if (!rows)
		return NULL;
	/* A node that is no more has its events still; a set never has any of its own. */
	g_autoptr(IscReplicaSet) set =
			*node && rows->len == 0 ? isc_register_get_set(call->dock->reg, node, NULL)
						: NULL;
	if (set) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, ISC_NO_NODE_BUT_A_SET, node,
				node);
		return NULL;
	}
	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < rows->len; i++)
		g_variant_builder_add(&list, "@a{sv}", isc_bus_event_variant(rows->pdata[i]));
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}

/* clang-format off */
static const IscHandler handlers[] = {
	{ "Dock1", "Provision",   isc_handle_provision },
	{ "Dock1", "Scale",       isc_handle_scale },
	{ "Dock1", "UpgradeSet",  isc_handle_upgrade_set },
	{ "Dock1", "DestroySet",  isc_handle_destroy_set },
	{ "Dock1", "ExposeSet",  isc_handle_expose_set },
	{ "Dock1", "UnexposeSet", isc_handle_unexpose_set },
	{ "Dock1", "AllowSet",   isc_handle_allow_set },
	{ "Dock1", "DenySet",    isc_handle_deny_set },
	{ "Dock1", "LimitSet",   isc_handle_limit_set },
	{ "Dock1", "QuarantineSet", isc_handle_quarantine_set },
	{ "Dock1", "ReleaseSet", isc_handle_release_set },
	{ "Dock1", "ShowSet",     isc_handle_show_set },
	{ "Dock1", "ImportImage", isc_show_import_image },
	{ "Dock1", "RemoveImage", isc_show_remove_image },
	{ "Dock1", "ShowImage",   isc_show_image },
	{ "Dock1", "ListImages",  isc_show_images },
	{ "Dock1", "ListNodes",   isc_show_nodes },
	{ "Dock1", "Doctor",      isc_doctor },
	{ "Dock1", "Fsck",        isc_fsck },
	{ "Dock1", "ShowNetwork",    isc_network_show_call },
	{ "Dock1", "ExplainNetwork", isc_network_explain_call },
	{ "Dock1", "FilterApply",    isc_host_filter_apply },
	{ "Dock1", "FilterConfirm",  isc_host_filter_confirm },
	{ "Dock1", "FilterOff",      isc_host_filter_off },
	{ "Dock1", "FilterShow",     isc_host_filter_show },
	{ "Dock1", "ListEvents",  list_events },
	{ "Dock1", "ListJobs",    isc_jobs_list },
	{ "Dock1", "OpenTrail",   isc_trails_open },
	{ "Dock1", "OpenChain",   isc_trails_open_chain },
	{ "Dock1", "ListTrails",  isc_trails_list },
	{ "Dock1", "ListDestroyed",   isc_handle_list_destroyed },
	{ "Dock1", "Status",          isc_handle_dock_status },
	{ "Dock1", "Drain",           isc_handle_dock_drain },
	{ "Dock1", "Undrain",         isc_handle_dock_undrain },
	{ "Dock1", "Teardown",        isc_handle_dock_teardown },
	{ "Dock1", "ListEvidence",    isc_handle_evidence_list },
	{ "Dock1", "OpenEvidence",    isc_handle_evidence_open },
	{ "Dock1", "OpenEvidenceKey", isc_handle_evidence_open_key },
	{ "Dock1", "RemoveEvidence",  isc_handle_evidence_remove },
	{ "Dock1", "NoteAnchors", isc_handle_note_anchors },
	{ "Dock1", "PublicKey",   isc_handle_public_key },
	{ "Dock1", "CreateVolume",  isc_handle_create_volume },
	{ "Dock1", "ListVolumes",   isc_handle_list_volumes },
	{ "Dock1", "ShowVolume",    isc_handle_show_volume },
	{ "Dock1", "ResizeVolume",  isc_handle_resize_volume },
	{ "Dock1", "AttachVolume",  isc_handle_attach_volume },
	{ "Dock1", "DetachVolume",  isc_handle_detach_volume },
	{ "Dock1", "RemoveVolume",  isc_handle_remove_volume },
	{ "Dock1", "RekeyVolume",   isc_handle_rekey_volume },
	{ "Dock1", "ExportVolume",  isc_handle_export_volume },
	{ "Dock1", "ImportVolume",  isc_handle_import_volume },

	{ "Dock1.Node", "Show",            isc_show_node },
	{ "Dock1.Node", "Enable",          isc_handle_enable },
	{ "Dock1.Node", "Disable",         isc_handle_disable },
	{ "Dock1.Node", "Suspend",         isc_handle_suspend },
	{ "Dock1.Node", "Resume",          isc_handle_resume },
	{ "Dock1.Node", "Destroy",         isc_handle_destroy },
	{ "Dock1.Node", "Quarantine",      isc_handle_quarantine },
	{ "Dock1.Node", "Release",         isc_handle_release },
	{ "Dock1.Node", "Expose",          isc_handle_expose },
	{ "Dock1.Node", "Unexpose",        isc_handle_unexpose },
	{ "Dock1.Node", "Allow",           isc_handle_allow },
	{ "Dock1.Node", "Deny",            isc_handle_deny },
	{ "Dock1.Node", "Limit",           isc_handle_limit },
	{ "Dock1.Node", "Protect",         isc_handle_protect },
	{ "Dock1.Node", "Unprotect",       isc_handle_unprotect },
	{ "Dock1.Node", "PauseSchedule",   isc_handle_pause_schedule },
	{ "Dock1.Node", "ResumeSchedule",  isc_handle_resume_schedule },
	{ "Dock1.Node", "Upgrade",         isc_handle_upgrade },
	{ "Dock1.Node", "Rollback",        isc_handle_rollback },
	{ "Dock1.Node", "SnapshotCreate",  isc_handle_snapshot_create },
	{ "Dock1.Node", "SnapshotList",    isc_handle_snapshot_list },
	{ "Dock1.Node", "SnapshotRestore", isc_handle_snapshot_restore },
	{ "Dock1.Node", "SnapshotDelete",  isc_handle_snapshot_delete },
	{ "Dock1.Node", "SnapshotClone",   isc_handle_snapshot_clone },
	{ "Dock1.Node", "SnapshotVerify",  isc_handle_snapshot_verify },
};
/* clang-format on */

const IscHandler *isc_handlers_find(const gchar *interface, const gchar *method)
{
	for (gsize i = 0; i < G_N_ELEMENTS(handlers); i++)
		if (g_str_equal(handlers[i].interface, interface) &&
				g_str_equal(handlers[i].method, method))
			return &handlers[i];
	return NULL;
}
