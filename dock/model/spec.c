#include "model/spec.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "model/conf.h"
#include "model/health.h"
#include "model/member.h"

static const gchar *const environment_names[ISC_N_ENVS] = {
	[ISC_ENV_DEVELOPMENT] = "development",
	[ISC_ENV_STAGING] = "staging",
	[ISC_ENV_PRODUCTION] = "production",
};
static const gchar *const machine_names[ISC_N_MACHINES] = {
	[ISC_MACHINE_MICROVM] = "microvm",
	[ISC_MACHINE_Q35] = "q35",
};

/* One row a key: where it stands, and what takes its value. */
typedef gboolean (*Take)(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error);

static gboolean take_name(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (!isc_name_check("node", entry->value, &why))
		return isc_conf_error(conf, entry, error, "%s", why->message);
	g_free(spec->name);
	spec->name = g_strdup(entry->value);
	return TRUE;
}

static gboolean is_image_reference(const gchar *text)
{
	if (g_str_has_prefix(text, "sha256:"))
		return isc_digest_is_valid(text + strlen("sha256:"));
	g_auto(GStrv) parts = g_strsplit(text, ":", 2);
	return isc_name_is_valid(parts[0]) && (!parts[1] || isc_version_is_valid(parts[1]));
}

static gboolean take_image(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	if (!is_image_reference(entry->value)) {
		g_autofree gchar *shown = isc_text_escape(entry->value, -1, 80);
		return isc_conf_error(conf, entry, error,
				"'%s' is no image: use NAME, NAME:VERSION or sha256:DIGEST", shown);
	}
	g_free(spec->image);
	spec->image = g_strdup(entry->value);
	return TRUE;
}

static gboolean take_description(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	if (strlen(entry->value) > 200)
		return isc_conf_error(conf, entry, error, "longer than 200 bytes");
	g_free(spec->description);
	spec->description = g_strdup(entry->value);
	return TRUE;
}

/* Index of @value in @names, or an error that lists them. */
static gboolean pick(const IscConf *conf, const IscConfEntry *entry, const gchar *const *names,
		guint n, guint *out, GError **error)
{
	g_autoptr(GString) all = g_string_new(NULL);
	for (guint i = 0; i < n; i++) {
		if (g_str_equal(names[i], entry->value)) {
			*out = i;
			return TRUE;
		}
		g_string_append_printf(all, "%s%s", i ? ", " : "", names[i]);
	}
	g_autofree gchar *shown = isc_text_escape(entry->value, -1, 64);
	return isc_conf_error(conf, entry, error, "'%s' is none of %s", shown, all->str);
}

static gboolean take_environment(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	guint i;
	if (!pick(conf, entry, environment_names, ISC_N_ENVS, &i, error))
		return FALSE;
	spec->environment = (IscEnvironment)i;
	return TRUE;
}

static gboolean take_machine(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	guint i;
	if (!pick(conf, entry, machine_names, ISC_N_MACHINES, &i, error))
		return FALSE;
	spec->machine = (IscMachine)i;
	return TRUE;
}

static gboolean number(const IscConf *conf, const IscConfEntry *entry, guint min, guint max,
		guint *out, GError **error)
{
	guint64 value;
	if (!g_ascii_string_to_unsigned(entry->value, 10, min, max, &value, NULL)) {
		g_autofree gchar *shown = isc_text_escape(entry->value, -1, 64);
		return isc_conf_error(conf, entry, error, "'%s' is no number from %u to %u", shown,
				min, max);
	}
	*out = (guint)value;
	return TRUE;
}

static gboolean take_memory(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 48, 65536, &spec->memory_mib, error);
}

static gboolean take_vcpus(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 1, 64, &spec->vcpus, error);
}

static gboolean take_overlay(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	/* "MIB", "MIB:keep", "keep" */
	g_auto(GStrv) parts = g_strsplit(entry->value, ":", 2);
	guint64 mib = spec->overlay_mib;
	gboolean sized = parts[0] &&
			 g_ascii_string_to_unsigned(parts[0], 10, 16, 1048576, &mib, NULL);
	const gchar *word = sized ? parts[1] : entry->value;
	spec->overlay_kept = g_strcmp0(word, "keep") == 0;
	if (!spec->overlay_kept && (word || !sized)) {
		g_autofree gchar *shown = isc_text_escape(entry->value, -1, 64);
		return isc_conf_error(conf, entry, error,
				"'%s' is none of MIB, MIB:keep, keep; MIB is a number from 16 to "
				"1048576",
				shown);
	}
	spec->overlay_mib = (guint)mib;
	return TRUE;
}

static gboolean take_timeout(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 1, 3600, &spec->timeout_s, error);
}

/* "KEY=VALUE" into @list; a value is never shown in an error: it may be a secret. */
static gboolean take_pair(
		GPtrArray *list, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	const gchar *eq = strchr(entry->value, '=');
	g_autofree gchar *key = eq ? g_strndup(entry->value, (gsize)(eq - entry->value)) : NULL;
	if (!isc_key_is_valid(key))
		return isc_conf_error(conf, entry, error,
				"wants NAME=VALUE, NAME of letters, digits, '_', '.' and '-'");
	if (strlen(entry->value) > 8192)
		return isc_conf_error(conf, entry, error, "'%s' is longer than 8192 bytes", key);
	g_ptr_array_add(list, g_strdup(entry->value));
	return TRUE;
}

static gboolean take_label(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return take_pair(spec->labels, conf, entry, error);
}

static gboolean take_env(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return take_pair(spec->env, conf, entry, error);
}

static gboolean take_writable(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	if (entry->value[0] != '/' || entry->value[1] == '\0' || strlen(entry->value) > 255 ||
			strstr(entry->value, "/../") || g_str_has_suffix(entry->value, "/.."))
		return isc_conf_error(conf, entry, error, "wants an absolute path without '..'");
	g_ptr_array_add(spec->writable, g_strdup(entry->value));
	return TRUE;
}

static gboolean take_volume(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	g_autoptr(GError) why = NULL;
	IscVolumeUse use;
	if (!isc_volume_use_parse(entry->value, &use, &why))
		return isc_conf_error(conf, entry, error, "%s", why->message);
	if (isc_spec_find_volume(spec, use.name))
		return isc_conf_error(conf, entry, error, "volume '%s' is named twice", use.name);
	return isc_spec_add_volume(spec, &use, &why) ||
	       isc_conf_error(conf, entry, error, "%s", why->message);
}

static gboolean take_restart(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	const gchar *names[ISC_N_RESTARTS];
	guint n;
	for (guint i = 0; i < ISC_N_RESTARTS; i++)
		names[i] = isc_restart_name((IscRestart)i);
	if (!pick(conf, entry, names, ISC_N_RESTARTS, &n, error))
		return FALSE;
	spec->upkeep.restart = (IscRestart)n;
	return TRUE;
}

static gboolean take_restart_sec(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 0, 3600, &spec->upkeep.delay_s, error);
}

static gboolean take_restart_max(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 1, 86400, &spec->upkeep.delay_max_s, error);
}

static gboolean take_burst(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 0, 1000000, &spec->upkeep.burst, error);
}

static gboolean take_burst_interval(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 1, 604800, &spec->upkeep.interval_s, error);
}

static gboolean take_health(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	/* The path goes in one field of the message to who asks, see collector/link.h. */
	const gchar *path = isc_health_path(entry->value);
	if (!g_str_equal(entry->value, ISC_HEALTH_NONE) &&
			(!isc_health_is_valid(entry->value) || (path && strlen(path) > 127))) {
		g_autofree gchar *shown = isc_text_escape(entry->value, -1, 64);
		return isc_conf_error(conf, entry, error,
				"'%s' is none of tcp:PORT, http:[PORT]/path (at most 127 bytes), "
				"exec:/path/of/command [ARGUMENT...], none",
				shown);
	}
	g_free(spec->upkeep.health);
	spec->upkeep.health = g_strdup(entry->value);
	return TRUE;
}

static gboolean take_health_interval(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 0, 3600, &spec->upkeep.health_interval_s, error);
}

static gboolean take_health_retries(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	return number(conf, entry, 1, 100, &spec->upkeep.health_retries, error);
}

static gboolean take_expose(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	g_autoptr(GError) why = NULL;
	IscExpose rule;
	if (!isc_expose_parse(entry->value, &rule, &why))
		return isc_conf_error(conf, entry, error, "%s", why->message);
	if (spec->expose->len >= ISC_RULES_MAX)
		return isc_conf_error(conf, entry, error, "more than %d of them", ISC_RULES_MAX);
	g_array_append_val(spec->expose, rule);
	return TRUE;
}

static gboolean take_egress(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	g_autoptr(GError) why = NULL;
	IscEgress rule;
	if (!isc_egress_parse(entry->value, &rule, &why))
		return isc_conf_error(conf, entry, error, "%s", why->message);
	if (spec->egress->len >= ISC_RULES_MAX)
		return isc_conf_error(conf, entry, error, "more than %d of them", ISC_RULES_MAX);
	if (spec->egress->len && (rule.kind == ISC_EGRESS_DENY ||
						 g_array_index(spec->egress, IscEgress, 0).kind ==
								 ISC_EGRESS_DENY))
		return isc_conf_error(conf, entry, error, "'deny' stands alone");
	g_array_append_val(spec->egress, rule);
	return TRUE;
}

static gboolean take_network(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	const gchar *group = g_str_has_prefix(entry->value, "group:") ? entry->value + 6 : NULL;
	g_autoptr(GError) why = NULL;

	if (g_str_equal(entry->value, "isolated"))
		return TRUE;
	if (g_str_equal(entry->value, "dedicated")) {
		spec->network = ISC_NETWORK_DEDICATED;
		return TRUE;
	}
	if (!group) {
		g_autofree gchar *shown = isc_text_escape(entry->value, -1, 64);
		return isc_conf_error(conf, entry, error,
				"'%s' is none of isolated, group:NAME, dedicated", shown);
	}
	if (!isc_name_check("group", group, &why))
		return isc_conf_error(conf, entry, error, "%s", why->message);
	spec->network = ISC_NETWORK_GROUP;
	g_strlcpy(spec->group, group, sizeof spec->group);
	return TRUE;
}

static gboolean take_bandwidth(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	g_autoptr(GError) why = NULL;
	return isc_bandwidth_parse(entry->value, &spec->bandwidth, &why) ||
	       isc_conf_error(conf, entry, error, "%s", why->message);
}

static gboolean take_limit(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	g_autoptr(GError) why = NULL;
	return isc_limits_take(&spec->limits, entry->key, entry->value, &why) ||
	       isc_conf_error(conf, entry, error, "%s", why->message);
}

static gboolean take_job(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	g_autoptr(GError) why = NULL;
	return isc_job_take(&spec->job, entry->key, entry->value, &why) ||
	       isc_conf_error(conf, entry, error, "%s", why->message);
}

static gboolean take_replica(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	g_autoptr(GError) why = NULL;
	return isc_replica_take(&spec->replica, entry->key, entry->value, &why) ||
	       isc_conf_error(conf, entry, error, "%s", why->message);
}

static gboolean take_protect(
		IscSpec *spec, const IscConf *conf, const IscConfEntry *entry, GError **error)
{
	spec->protect = g_str_equal(entry->value, "yes");
	return spec->protect || g_str_equal(entry->value, "no") ||
	       isc_conf_error(conf, entry, error, "is yes or no");
}

/* clang-format off */
static const struct {
	IscConfKey key;
	Take take;
} table[] = {
	{ { "Node",      "Name",        FALSE }, take_name },
	{ { "Node",      "Image",       FALSE }, take_image },
	{ { "Node",      "Description", FALSE }, take_description },
	{ { "Node",      "Environment", FALSE }, take_environment },
	{ { "Node",      "Machine",     FALSE }, take_machine },
	{ { "Node",      "Label",       TRUE  }, take_label },
	{ { "Node",      "Timeout",     FALSE }, take_timeout },
	{ { "Node",      "Protect",     FALSE }, take_protect },
	{ { "Node",      "Ephemeral",   FALSE }, take_job },
	{ { "Node",      "Replicas",    FALSE }, take_replica },
	{ { "Node",      "Set",         FALSE }, take_replica },
	{ { "Resources", "Memory",      FALSE }, take_memory },
	{ { "Resources", "VCPUs",       FALSE }, take_vcpus },
	{ { "Resources", "Overlay",     FALSE }, take_overlay },
	{ { "Resources", "CPUQuota",    FALSE }, take_limit },
	{ { "Resources", "CPUWeight",   FALSE }, take_limit },
	{ { "Resources", "IOReadBandwidth",  FALSE }, take_limit },
	{ { "Resources", "IOWriteBandwidth", FALSE }, take_limit },
	{ { "Resources", "IOPS",        FALSE }, take_limit },
	{ { "Resources", "Volume",      TRUE  }, take_volume },
	{ { "Network",   "Expose",      TRUE  }, take_expose },
	{ { "Network",   "Egress",      TRUE  }, take_egress },
	{ { "Network",   "Network",     FALSE }, take_network },
	{ { "Network",   "ReplicaPorts", FALSE }, take_replica },
	{ { "Network",   "Bandwidth",   FALSE }, take_bandwidth },
	{ { "Service",   "Env",         TRUE  }, take_env },
	{ { "Service",   "Writable",    TRUE  }, take_writable },
	{ { "Service",   "Job",         FALSE }, take_job },
	{ { "Service",   "MaxRuntime",  FALSE }, take_job },
	{ { "Service",   "Schedule",    FALSE }, take_job },
	{ { "Service",   "Persistent",  FALSE }, take_job },
	{ { "Service",   "Paused",      FALSE }, take_job },
	{ { "Service",   "Restart",     FALSE }, take_restart },
	{ { "Service",   "RestartSec",  FALSE }, take_restart_sec },
	{ { "Service",   "RestartMaxDelaySec",    FALSE }, take_restart_max },
	{ { "Service",   "StartLimitBurst",       FALSE }, take_burst },
	{ { "Service",   "StartLimitIntervalSec", FALSE }, take_burst_interval },
	{ { "Service",   "Health",      FALSE }, take_health },
	{ { "Service",   "HealthInterval",        FALSE }, take_health_interval },
	{ { "Service",   "HealthRetries",         FALSE }, take_health_retries },
};
/* clang-format on */

static Take taker_of(const IscConfEntry *entry)
{
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
		if (g_str_equal(table[i].key.section, entry->section) &&
				g_str_equal(table[i].key.key, entry->key))
			return table[i].take;
	g_assert_not_reached(); /* isc_conf_parse() let it pass */
}

static IscSpec *spec_new(void)
{
	IscSpec *spec = g_new0(IscSpec, 1);
	spec->description = g_strdup("");
	spec->labels = g_ptr_array_new_with_free_func(g_free);
	spec->env = g_ptr_array_new_with_free_func(g_free);
	spec->writable = g_ptr_array_new_with_free_func(g_free);
	spec->volumes = g_array_new(FALSE, FALSE, sizeof(IscVolumeUse));
	spec->expose = g_array_new(FALSE, FALSE, sizeof(IscExpose));
	spec->egress = g_array_new(FALSE, FALSE, sizeof(IscEgress));
	spec->memory_mib = 256;
	spec->vcpus = 1;
	spec->overlay_mib = 256;
	spec->timeout_s = 120;
	isc_upkeep_init(&spec->upkeep);
	return spec;
}

/* Two redirects of one node for the same port would silently hide one another. */
static gboolean check_expose(const gchar *what, const IscSpec *spec, GError **error)
{
	for (guint i = 0; i < spec->expose->len; i++)
		for (guint k = 0; k < i; k++) {
			const IscExpose *a = &g_array_index(spec->expose, IscExpose, i);
			const IscExpose *b = &g_array_index(spec->expose, IscExpose, k);
			if (!isc_expose_overlaps(a, b))
				continue;
			g_autofree gchar *text = isc_expose_print(a);
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"%s: Expose '%s' overlaps another one of this node", what,
					text);
			return FALSE;
		}
	return TRUE;
}

gboolean isc_spec_check_egress(const IscSpec *spec, const IscEgress *rule, GError **error)
{
	if (rule->kind != ISC_EGRESS_GROUP || g_str_equal(rule->name, spec->group))
		return TRUE;
	g_autofree gchar *text = isc_egress_print(rule), *network = isc_spec_network_text(spec);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"rule '%s' is for nodes of group '%s', and node '%s' is %s: name single "
			"nodes by node:NAME:…, or give it Network=group:%s",
			text, rule->name, spec->name, network, rule->name);
	return FALSE;
}

/* Keys that contradict each other, wherever they stand in the file. */
static gboolean check_job(const gchar *what, const IscSpec *spec, GError **error)
{
	const IscJobSpec *job = &spec->job;
	const struct {
		gboolean is_wrong;
		const gchar *why;
	} rules[] = {
		{ *job->schedule && !job->is_job, "Schedule= is for jobs: write Job=yes, too" },
		{ job->max_runtime_s && !job->is_job,
				"MaxRuntime= is for jobs: write Job=yes, too" },
		{ job->is_persistent && !*job->schedule, "Persistent= wants a Schedule=" },
		{ job->is_paused && !*job->schedule, "Paused= wants a Schedule=" },
		{ job->is_job && spec->upkeep.restart == ISC_RESTART_ALWAYS,
				"Restart=always lets no job come to its end: use on-failure" },
		{ job->is_ephemeral && *job->schedule,
				"Ephemeral= and Schedule=: it would be gone after its first run" },
		{ job->is_ephemeral && spec->protect,
				"Ephemeral= and Protect=: it cannot go and stay" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
		if (rules[i].is_wrong) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s: %s", what,
					rules[i].why);
			return FALSE;
		}
	return TRUE;
}

/* Of rules, wherever Network= stands in the file. */
static gboolean check_groups(const gchar *what, const IscSpec *spec, GError **error)
{
	for (guint i = 0; i < spec->egress->len; i++)
		if (!isc_spec_check_egress(
				    spec, &g_array_index(spec->egress, IscEgress, i), error)) {
			g_prefix_error(error, "%s: ", what);
			return FALSE;
		}
	return TRUE;
}

IscSpec *isc_spec_parse(const gchar *what, const gchar *text, gsize len, GError **error)
{
	IscConfKey keys[G_N_ELEMENTS(table) + 1] = { 0 };
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
		keys[i] = table[i].key;

	g_autoptr(IscConf) conf = isc_conf_parse(what, text, len, keys, error);
	if (!conf)
		return NULL;

	g_autoptr(IscSpec) spec = spec_new();
	gsize n;
	const IscConfEntry *entries = isc_conf_entries(conf, &n);
	for (gsize i = 0; i < n; i++)
		if (!taker_of(&entries[i])(spec, conf, &entries[i], error))
			return NULL;

	if (!spec->name || !spec->image) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s: [Node] %s= is missing", what,
				spec->name ? "Image" : "Name");
		return NULL;
	}
	if (!check_expose(what, spec, error) || !check_groups(what, spec, error) ||
			!check_job(what, spec, error) || !isc_member_check(what, spec, error))
		return NULL;
	return g_steal_pointer(&spec);
}

IscSpec *isc_spec_copy(const IscSpec *spec)
{
	g_autofree gchar *text = isc_spec_print(spec);
	IscSpec *copy = isc_spec_parse("copy", text, strlen(text), NULL);
	g_assert(copy); /* what was printed can be parsed */
	explicit_bzero(text, strlen(text));
	return copy;
}

void isc_spec_set_rules(IscSpec *spec, GArray *expose, GArray *egress)
{
	GArray *old_expose = spec->expose, *old_egress = spec->egress;
	spec->expose = g_array_ref(expose);
	spec->egress = g_array_ref(egress);
	g_array_unref(old_expose);
	g_array_unref(old_egress);
}

gchar *isc_spec_network_text(const IscSpec *spec)
{
	if (spec->network == ISC_NETWORK_GROUP)
		return g_strconcat("group:", spec->group, NULL);
	return g_strdup(spec->network == ISC_NETWORK_DEDICATED ? "dedicated" : "isolated");
}

static gint volume_index(const IscSpec *spec, const gchar *name)
{
	for (guint i = 0; i < spec->volumes->len; i++)
		if (g_str_equal(g_array_index(spec->volumes, IscVolumeUse, i).name, name))
			return (gint)i;
	return -1;
}

const IscVolumeUse *isc_spec_find_volume(const IscSpec *spec, const gchar *name)
{
	gint i = volume_index(spec, name);
	return i < 0 ? NULL : &g_array_index(spec->volumes, IscVolumeUse, i);
}

gboolean isc_spec_add_volume(IscSpec *spec, const IscVolumeUse *use, GError **error)
{
	gint at = volume_index(spec, use->name);
	for (guint i = 0; i < spec->volumes->len; i++) {
		const IscVolumeUse *other = &g_array_index(spec->volumes, IscVolumeUse, i);
		if ((gint)i == at || !isc_volume_use_conflict(use, other))
			continue;
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"volumes '%s' and '%s' would be at or below one path", other->name,
				use->name);
		return FALSE;
	}
	if (at >= 0) {
		g_array_index(spec->volumes, IscVolumeUse, at) = *use;
		return TRUE;
	}
	if (spec->volumes->len == ISC_VOLUMES_MAX) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"a node has at most %d volumes: its machine has no more devices",
				ISC_VOLUMES_MAX);
		return FALSE;
	}
	g_array_append_vals(spec->volumes, use, 1);
	return TRUE;
}

void isc_spec_remove_volume(IscSpec *spec, const gchar *name)
{
	gint at = volume_index(spec, name);
	if (at >= 0)
		g_array_remove_index(spec->volumes, (guint)at);
}

const gchar *isc_environment_name(IscEnvironment environment)
{
	return environment_names[environment];
}

const gchar *isc_machine_name(IscMachine machine)
{
	return machine_names[machine];
}

void isc_spec_free(IscSpec *spec)
{
	if (!spec)
		return;
	g_free(spec->name);
	g_free(spec->image);
	g_free(spec->description);
	g_ptr_array_unref(spec->labels);
	g_ptr_array_unref(spec->env);
	g_ptr_array_unref(spec->writable);
	g_array_unref(spec->volumes);
	g_array_unref(spec->expose);
	g_array_unref(spec->egress);
	isc_upkeep_clear(&spec->upkeep);
	g_free(spec);
}
