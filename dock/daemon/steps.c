#include "daemon/steps.h"

gchar *isc_steps_config_path(const IscDock *dock, const IscNode *node)
{
	return g_build_filename(dock->config->run_dir, "nodes", node->spec->name, "config", NULL);
}

IscImage *isc_steps_image(IscDock *dock, const IscNode *node, GError **error)
{
	g_autofree gchar *ref = g_strconcat("sha256:", node->digest, NULL);
	return isc_image_store_find(dock->images, ref, error);
}

static gboolean nothing(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	(void)self, (void)node, (void)arg, (void)cancel, (void)error;
	return TRUE;
}

static const IscAdapter adapters[ISC_N_STEP_KINDS] = {
	[ISC_STEP_FOLDER] = { isc_step_folder_up, isc_step_folder_down },
	[ISC_STEP_VERIFY] = { isc_step_verify_up, NULL },
	[ISC_STEP_OVERLAY] = { isc_step_overlay_up, isc_step_overlay_down },
	[ISC_STEP_CONFIG] = { isc_step_config_up, isc_step_config_down },
	[ISC_STEP_SECRET] = { isc_step_secret_up, isc_step_secret_down },
	[ISC_STEP_CHANNELS] = { isc_step_channels_up, isc_step_channels_down },
	[ISC_STEP_FENCE] = { isc_step_fence_up, isc_step_fence_down },
	[ISC_STEP_TAP] = { isc_step_tap_up, isc_step_tap_down },
	[ISC_STEP_DEFINE] = { isc_step_define_up, isc_step_define_down },
	[ISC_STEP_START] = { isc_step_start_up, isc_step_start_down },
	[ISC_STEP_READY] = { isc_step_ready_up, NULL },
	[ISC_STEP_PAUSE] = { isc_step_pause_up, isc_step_pause_down },
	[ISC_STEP_CUT] = { isc_step_cut_up, isc_step_cut_down },
	[ISC_STEP_SNAPSHOT] = { isc_step_snapshot_up, isc_step_snapshot_down },
	[ISC_STEP_EVIDENCE] = { isc_step_evidence_up, NULL },
	[ISC_STEP_SNAPSHOTS] = { nothing, isc_step_snapshots_down },
	[ISC_STEP_TRAIL] = { nothing, isc_step_trail_down },
	[ISC_STEP_VOLUME] = { isc_step_volume_up, isc_step_volume_down },
	[ISC_STEP_ATTACH] = { isc_step_attach_up, isc_step_attach_down },
	[ISC_STEP_VOLUMES] = { isc_step_volumes_up, isc_step_volumes_down },
	[ISC_STEP_RESIZE] = { isc_step_resize_up, NULL },
	[ISC_STEP_REKEY] = { isc_step_rekey_up, NULL },
	[ISC_STEP_RULES] = { isc_step_rules_up, isc_step_rules_down },
	[ISC_STEP_LIMITS] = { isc_step_limits_up, isc_step_limits_down },
	[ISC_STEP_STANDIN] = { isc_step_standin_up, isc_step_standin_down },
	[ISC_STEP_REDIRECT] = { isc_step_redirect_up, isc_step_redirect_down },
	[ISC_STEP_IMAGE] = { isc_step_image_up, isc_step_image_down },
	[ISC_STEP_REFILL] = { isc_step_refill_up, isc_step_refill_down },
	[ISC_STEP_TURN] = { isc_step_turn_up, NULL },
};

void isc_steps_init(IscDock *dock)
{
	dock->engine = (IscEngine){ adapters, dock };
}
