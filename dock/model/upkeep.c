#include "model/upkeep.h"

static const gchar *const restart_names[ISC_N_RESTARTS] = {
	[ISC_RESTART_NO] = "no",
	[ISC_RESTART_ON_FAILURE] = "on-failure",
	[ISC_RESTART_ALWAYS] = "always",
};

void isc_upkeep_init(IscUpkeep *upkeep)
{
	*upkeep = (IscUpkeep){ .restart = ISC_RESTART_NO,
		.delay_s = ISC_RESTART_S,
		.delay_max_s = ISC_RESTART_MAX_S,
		.burst = ISC_RESTART_BURST,
		.interval_s = ISC_RESTART_INTERVAL_S,
		.health_interval_s = ISC_HEALTH_INTERVAL_S,
		.health_retries = ISC_HEALTH_RETRIES };
}

void isc_upkeep_clear(IscUpkeep *upkeep)
{
	g_clear_pointer(&upkeep->health, g_free);
}

const gchar *isc_restart_name(IscRestart restart)
{
	return restart_names[restart];
}
