#include "policy/admit.h"

#include "base/error.h"
#include "model/member.h"

static gboolean is_other(const IscNode *node, const IscNode *other)
{
	return !g_str_equal(node->uuid, other->uuid);
}

static gboolean rule_emulation(const IscAdmitHost *host, const IscNode *node,
		const GPtrArray *others, GError **error)
{
	(void)others;
	if (!host->emulated || node->spec->environment != ISC_ENV_PRODUCTION)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"rule no-emulation-in-production: this host has no hardware "
			"virtualisation, so nodes are not "
			"isolated by it; use a host with KVM, or another environment");
	return FALSE;
}

static gboolean rule_nodes(const IscAdmitHost *host, const IscNode *node, const GPtrArray *others,
		GError **error)
{
	guint n = 0;
	for (guint i = 0; i < others->len; i++)
		n += is_other(node, others->pdata[i]);
	if (n < host->max_nodes)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"rule max-nodes: %u nodes stand and MaxNodes=%u; destroy one or raise it",
			n, host->max_nodes);
	return FALSE;
}

static gboolean rule_memory(const IscAdmitHost *host, const IscNode *node, const GPtrArray *others,
		GError **error)
{
	guint64 used = 0;
	for (guint i = 0; i < others->len; i++) {
		const IscNode *other = others->pdata[i];
		if (is_other(node, other) && isc_node_state_is_up(other->state))
			used += other->spec->memory_mib;
	}
	if (host->max_memory_mib == 0 || used + node->spec->memory_mib <= host->max_memory_mib)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"rule max-memory: needs %u MiB, and %" G_GUINT64_FORMAT
			" of %u MiB are free for nodes; ask for "
			"less, disable a node or raise MaxMemory",
			node->spec->memory_mib,
			used < host->max_memory_mib ? host->max_memory_mib - used : 0,
			host->max_memory_mib);
	return FALSE;
}

static gboolean rule_vcpus(const IscAdmitHost *host, const IscNode *node, const GPtrArray *others,
		GError **error)
{
	(void)others;
	if (node->spec->vcpus <= host->max_vcpus)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"rule max-vcpus: asks for %u, the host has %u processors",
			node->spec->vcpus, host->max_vcpus);
	return FALSE;
}

static guint cpu_of(const IscNode *node)
{
	return isc_limits_cpu_percent(&node->spec->limits, node->spec->vcpus);
}

static gboolean rule_cpus(const IscAdmitHost *host, const IscNode *node, const GPtrArray *others,
		GError **error)
{
	guint64 used = 0, needs = cpu_of(node), all = host->max_cpu_percent;
	for (guint i = 0; i < others->len; i++) {
		const IscNode *other = others->pdata[i];
		if (is_other(node, other) && isc_node_state_is_up(other->state))
			used += cpu_of(other);
	}
	if (used + needs <= all)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"rule max-cpus: needs %" G_GUINT64_FORMAT
			"%% of a CPU, and %" G_GUINT64_FORMAT "%% of %" G_GUINT64_FORMAT
			"%% are free for nodes; give it a CPUQuota=, "
			"disable a node or raise MaxCPUs",
			needs, used < all ? all - used : 0, all);
	return FALSE;
}

/* All that counts but the overlay of @node, which may be NULL.  An overlay that is kept is on the
 * disk also while its node is down. */
static guint64 disk_of_others(
		const IscAdmitHost *host, const IscNode *node, const GPtrArray *others)
{
	guint64 used = host->volumes_mib + host->snapshots_mib;
	for (guint i = 0; i < others->len; i++) {
		const IscNode *other = others->pdata[i];
		if ((!node || is_other(node, other)) &&
				(isc_node_state_is_up(other->state) || other->spec->overlay_kept))
			used += other->spec->overlay_mib;
	}
	return used;
}

static gboolean refuse_disk(const IscAdmitHost *host, const gchar *what, guint64 needs,
		guint64 used, GError **error)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"rule max-disk: %s %" G_GUINT64_FORMAT " MiB, and %" G_GUINT64_FORMAT
			" of %" G_GUINT64_FORMAT
			" MiB are left for overlays, volumes and snapshots; ask for less, disable "
			"a node, delete a snapshot, remove a volume or raise MaxDisk",
			what, needs, used < host->max_disk_mib ? host->max_disk_mib - used : 0,
			host->max_disk_mib);
	return FALSE;
}

static gboolean rule_max_disk(const IscAdmitHost *host, const IscNode *node,
		const GPtrArray *others, GError **error)
{
	guint64 used = disk_of_others(host, node, others);
	return used + node->spec->overlay_mib <= host->max_disk_mib ||
	       refuse_disk(host, "its overlay may grow to", node->spec->overlay_mib, used, error);
}

static gboolean rule_disk(const IscAdmitHost *host, const IscNode *node, const GPtrArray *others,
		GError **error)
{
	(void)others;
	if (node->spec->overlay_mib <= host->disk_free_mib)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"rule disk-space: the overlay may grow to %u MiB and %" G_GUINT64_FORMAT
			" MiB are free; ask for "
			"less or make room",
			node->spec->overlay_mib, host->disk_free_mib);
	return FALSE;
}

/* Members of a set may share ports. */
static gboolean share(const IscNode *a, const IscNode *b)
{
	return isc_member_shares_ports(a->spec) && isc_member_shares_ports(b->spec) &&
	       g_str_equal(a->spec->replica.set, b->spec->replica.set);
}

/* A port belongs to its node as long as the node stands, also while it is disabled. */
static gboolean rule_ports(const IscAdmitHost *host, const IscNode *node, const GPtrArray *others,
		GError **error)
{
	(void)host;
	for (guint i = 0; i < others->len; i++) {
		const IscNode *other = others->pdata[i];
		gboolean counts = is_other(node, other) && !share(node, other);
		for (guint a = 0; counts && a < node->spec->expose->len; a++)
			for (guint b = 0; b < other->spec->expose->len; b++) {
				const IscExpose *mine =
						&g_array_index(node->spec->expose, IscExpose, a);
				const IscExpose *theirs =
						&g_array_index(other->spec->expose, IscExpose, b);
				if (!isc_expose_overlaps(mine, theirs))
					continue;
				g_autofree gchar *text = isc_expose_print(mine);
				g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
						"port taken: '%s' is exposed by node '%s'; choose "
						"another port",
						text, other->spec->name);
				return FALSE;
			}
	}
	return TRUE;
}

static gboolean (*const rules[])(
		const IscAdmitHost *, const IscNode *, const GPtrArray *, GError **) = {
	rule_emulation,
	rule_ports,
	rule_nodes,
	rule_vcpus,
	rule_memory,
	rule_cpus,
	rule_max_disk,
	rule_disk,
};

gboolean isc_policy_admit_ports(const IscNode *node, const GPtrArray *others, GError **error)
{
	return rule_ports(NULL, node, others, error);
}

gboolean isc_policy_admit(const IscAdmitHost *host, const IscNode *node, const GPtrArray *others,
		GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
		if (!rules[i](host, node, others, error))
			return FALSE;
	return TRUE;
}

gboolean isc_policy_admit_volume(const IscAdmitHost *host, const gchar *name, guint mib,
		const GPtrArray *others, GError **error)
{
	g_autofree gchar *what = g_strdup_printf("volume '%s' may grow to", name);
	guint64 used = disk_of_others(host, NULL, others);
	return used + mib <= host->max_disk_mib || refuse_disk(host, what, mib, used, error);
}

gboolean isc_policy_admit_snapshot(const IscAdmitHost *host, const IscNode *node, guint64 mib,
		const GPtrArray *others, GError **error)
{
	g_autofree gchar *what =
			g_strdup_printf("a snapshot of node '%s' may take", node->spec->name);
	guint64 used = disk_of_others(host, NULL, others);
	return used + mib <= host->max_disk_mib || refuse_disk(host, what, mib, used, error);
}
