/* A spec as its canonical node file. */
#include "model/spec.h"

static void print_pairs(GString *out, const gchar *key, const GPtrArray *values)
{
	for (guint i = 0; i < values->len; i++)
		g_string_append_printf(out, "%s=%s\n", key, (const gchar *)values->pdata[i]);
}

static void print_number(GString *out, const gchar *key, guint value, guint preset)
{
	if (value != preset)
		g_string_append_printf(out, "%s=%u\n", key, value);
}

/* Only what differs from the presets. */
static void print_upkeep(GString *out, const IscUpkeep *u)
{
	if (u->restart != ISC_RESTART_NO)
		g_string_append_printf(out, "Restart=%s\n", isc_restart_name(u->restart));
	print_number(out, "RestartSec", u->delay_s, ISC_RESTART_S);
	print_number(out, "RestartMaxDelaySec", u->delay_max_s, ISC_RESTART_MAX_S);
	print_number(out, "StartLimitBurst", u->burst, ISC_RESTART_BURST);
	print_number(out, "StartLimitIntervalSec", u->interval_s, ISC_RESTART_INTERVAL_S);
	if (u->health)
		g_string_append_printf(out, "Health=%s\n", u->health);
	print_number(out, "HealthInterval", u->health_interval_s, ISC_HEALTH_INTERVAL_S);
	print_number(out, "HealthRetries", u->health_retries, ISC_HEALTH_RETRIES);
}

static void print_job(GString *out, const IscJobSpec *job)
{
	if (job->is_job)
		g_string_append(out, "Job=yes\n");
	if (job->max_runtime_s)
		g_string_append_printf(out, "MaxRuntime=%u\n", job->max_runtime_s);
	if (*job->schedule)
		g_string_append_printf(out, "Schedule=%s\n", job->schedule);
	if (job->is_persistent)
		g_string_append(out, "Persistent=yes\n");
	if (job->is_paused)
		g_string_append(out, "Paused=yes\n");
}

static gchar *print(const IscSpec *spec, gboolean with_env)
{
	GString *out = g_string_new("[Node]\n");
	g_string_append_printf(out, "Name=%s\nImage=%s\n", spec->name, spec->image);
	if (*spec->description)
		g_string_append_printf(out, "Description=%s\n", spec->description);
	g_string_append_printf(out, "Environment=%s\nMachine=%s\nTimeout=%u\n",
			isc_environment_name(spec->environment), isc_machine_name(spec->machine),
			spec->timeout_s);
	if (spec->protect)
		g_string_append(out, "Protect=yes\n");
	if (spec->job.is_ephemeral)
		g_string_append(out, "Ephemeral=yes\n");
	print_number(out, "Replicas", spec->replica.count, 0);
	if (*spec->replica.set)
		g_string_append_printf(out, "Set=%s\n", spec->replica.set);
	print_pairs(out, "Label", spec->labels);
	g_string_append_printf(out, "\n[Resources]\nMemory=%u\nVCPUs=%u\nOverlay=%u%s\n",
			spec->memory_mib, spec->vcpus, spec->overlay_mib,
			spec->overlay_kept ? ":keep" : "");
	isc_limits_print(&spec->limits, out);
	for (guint i = 0; i < spec->volumes->len; i++) {
		g_autofree gchar *text = isc_volume_use_print(
				&g_array_index(spec->volumes, IscVolumeUse, i));
		g_string_append_printf(out, "Volume=%s\n", text);
	}
	g_autofree gchar *bandwidth = isc_bandwidth_print(&spec->bandwidth);
	if (spec->expose->len || spec->egress->len || spec->network || *bandwidth ||
			spec->replica.own_ports)
		g_string_append(out, "\n[Network]\n");
	if (spec->network) {
		g_autofree gchar *network = isc_spec_network_text(spec);
		g_string_append_printf(out, "Network=%s\n", network);
	}
	if (spec->replica.own_ports)
		g_string_append(out, "ReplicaPorts=own\n");
	for (guint i = 0; i < spec->expose->len; i++) {
		g_autofree gchar *text =
				isc_expose_print(&g_array_index(spec->expose, IscExpose, i));
		g_string_append_printf(out, "Expose=%s\n", text);
	}
	for (guint i = 0; i < spec->egress->len; i++) {
		g_autofree gchar *text =
				isc_egress_print(&g_array_index(spec->egress, IscEgress, i));
		g_string_append_printf(out, "Egress=%s\n", text);
	}
	if (*bandwidth)
		g_string_append_printf(out, "Bandwidth=%s\n", bandwidth);
	gboolean env = with_env && spec->env->len;
	g_autoptr(GString) upkeep = g_string_new(NULL);
	print_job(upkeep, &spec->job);
	print_upkeep(upkeep, &spec->upkeep);
	if (env || spec->writable->len || upkeep->len)
		g_string_append(out, "\n[Service]\n");
	if (env)
		print_pairs(out, "Env", spec->env);
	print_pairs(out, "Writable", spec->writable);
	g_string_append_len(out, upkeep->str, (gssize)upkeep->len);
	return g_string_free(out, FALSE);
}

gchar *isc_spec_print(const IscSpec *spec)
{
	return print(spec, /* with_env= */ TRUE);
}

gchar *isc_spec_print_public(const IscSpec *spec)
{
	return print(spec, /* with_env= */ FALSE);
}
