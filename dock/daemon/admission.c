#include "daemon/admission.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/links.h"
#include "daemon/act.h"
#include "policy/admit.h"
#include "policy/limit-change.h"

#define CPUS_EACH                                                                                  \
	16 /* virtual CPUs that one of the host's is good for, where dock.conf says nothing */

static guint host_memory_mib(void)
{
	return (guint)((guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE) /
			(1024 * 1024));
}

/* What volumes may grow to: those that stand, and those that @spec wants made. */
static gboolean sum_volumes(IscDock *dock, const IscSpec *spec, guint64 *mib, GError **error)
{
	g_autoptr(GArray) volumes = isc_register_list_volumes(dock->reg, error);
	if (!volumes)
		return FALSE;
	*mib = 0;
	for (guint i = 0; i < volumes->len; i++)
		*mib += g_array_index(volumes, IscVolume, i).mib;
	for (guint i = 0; spec && i < spec->volumes->len; i++) {
		const IscVolumeUse *use = &g_array_index(spec->volumes, IscVolumeUse, i);
		gboolean stands = FALSE;
		for (guint k = 0; k < volumes->len && !stands; k++)
			stands = g_str_equal(g_array_index(volumes, IscVolume, k).name, use->name);
		*mib += stands ? 0 : use->size_mib;
	}
	return TRUE;
}

/* @spec: of the node that asks, or NULL */
static gboolean gather(IscDock *dock, const IscSpec *spec, IscAdmitHost *out, GError **error)
{
	const IscConfig *config = dock->config;
	struct statvfs fs;
	if (statvfs(dock->config->state_dir, &fs) < 0)
		return isc_error_set_errno(error, errno, "cannot ask for free space below '%s'",
				dock->config->state_dir);
	const guint cpus = (guint)sysconf(_SC_NPROCESSORS_ONLN);
	*out = (IscAdmitHost){
		.emulated = dock->accel != ISC_ACCEL_KVM,
		.max_memory_mib = config->max_memory_mib ? config->max_memory_mib
							 : host_memory_mib() / 10 * 9,
		.max_nodes = config->max_nodes,
		.max_vcpus = cpus,
		.max_cpu_percent = (config->max_cpus ? config->max_cpus : cpus * CPUS_EACH) * 100,
		.max_disk_mib = config->max_disk_mib ? config->max_disk_mib
						     : (guint64)fs.f_blocks * fs.f_frsize /
								       (1024 * 1024),
		.disk_free_mib = (guint64)fs.f_bavail * fs.f_frsize / (1024 * 1024),
	};
	guint64 snapshots;
	if (!isc_register_snapshots_size(dock->reg, &snapshots, error))
		return FALSE;
	out->snapshots_mib = (snapshots + 1024 * 1024 - 1) / (1024 * 1024);
	return sum_volumes(dock, spec, &out->volumes_mib, error);
}

/* A program of the dock would lose its port: the redirection comes first. */
static gboolean are_free(IscDock *dock, guint slot, const GArray *expose, GError **error)
{
	for (guint i = 0; i < expose->len; i++)
		if (!isc_firewall_check_free(dock->firewall, &g_array_index(expose, IscExpose, i),
				    slot, error))
			return FALSE;
	return TRUE;
}

/* Looked at each time: the host may have joined another network since. */
static gboolean is_network_ours(IscDock *dock, const IscNode *node, GError **error)
{
	const IscAddressPlan *plan = &dock->config->plan;
	g_autoptr(GArray) nets = isc_links_host_nets(plan->bridge, error);
	return nets && isc_address_plan_check_host(plan, node->spec->network, nets, error);
}

static gboolean check_beside(
		IscDock *dock, const IscNode *node, const GPtrArray *others, GError **error)
{
	IscAdmitHost host;
	if (!gather(dock, node->spec, &host, error) || !is_network_ours(dock, node, error) ||
			!isc_policy_admit(&host, node, others, error) ||
			!are_free(dock, node->slot, node->spec->expose, error))
		return FALSE;
	for (guint i = 0; i < others->len; i++) {
		const IscNode *other = others->pdata[i];
		if (g_str_equal(other->spec->name, node->spec->name) &&
				!g_str_equal(other->uuid, node->uuid)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
					"node '%s' stands already (%s); choose another name or "
					"destroy it",
					node->spec->name, isc_node_state_name(other->state));
			return FALSE;
		}
	}
	return TRUE;
}

static gboolean check(IscDock *dock, const IscNode *node, GError **error)
{
	g_autoptr(GPtrArray) others = isc_register_list_nodes(dock->reg, error);
	return others && check_beside(dock, node, others, error);
}

/* Files what was decided, and why. */
static gboolean decide(IscDock *dock, const IscNode *node, gboolean ok, GError *why, GError **error)
{
	isc_act_decision(dock, node, ok ? NULL : why);
	if (!ok)
		g_propagate_error(error, why);
	return ok;
}

gboolean isc_admission_check(IscDock *dock, const IscNode *node, GError **error)
{
	GError *why = NULL;
	gboolean ok = check(dock, node, &why);
	return decide(dock, node, ok, why, error);
}

gboolean isc_admission_check_all(IscDock *dock, const GPtrArray *nodes, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	g_autoptr(GPtrArray) stand = isc_register_list_nodes(dock->reg, error);
	g_autoptr(GPtrArray) others = g_ptr_array_new();
	if (!stand)
		return FALSE;
	for (guint i = 0; i < stand->len; i++)
		g_ptr_array_add(others, stand->pdata[i]);
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		GError *why = NULL;
		gboolean ok = check_beside(dock, node, others, &why);
		if (!decide(dock, node, ok, why, error)) {
			g_prefix_error(error,
					"'%s', %u of the %u that are wanted: ", node->spec->name,
					i + 1, nodes->len);
			return FALSE;
		}
		g_ptr_array_add(others, nodes->pdata[i]);
	}
	return TRUE;
}

gboolean isc_admission_enter(IscDock *dock, IscNode *node, GError **error)
{
	const IscSlots slots = isc_address_plan_slots(&dock->config->plan, node->spec->network);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	return isc_admission_check(dock, node, error) &&
	       isc_register_add_node(dock->reg, node, &slots, error);
}

gboolean isc_admission_again(IscDock *dock, const IscNode *node, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	return isc_admission_check(dock, node, error);
}

static gboolean check_ports(
		IscDock *dock, const IscNode *node, const GArray *opened, GError **error)
{
	g_autoptr(GPtrArray) others = isc_register_list_nodes(dock->reg, error);
	return others && isc_policy_admit_ports(node, others, error) &&
	       are_free(dock, node->slot, opened, error);
}

gboolean isc_admission_rules(IscDock *dock, const IscNode *node, const GArray *opened,
		gboolean enter, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	if (opened->len) {
		GError *why = NULL;
		gboolean ok = check_ports(dock, node, opened, &why);
		if (!decide(dock, node, ok, why, error))
			return FALSE;
	}
	return !enter || isc_register_set_spec(dock->reg, node->spec, error);
}

gboolean isc_admission_limits(IscDock *dock, const IscNode *node, const IscSpec *next,
		gboolean enter, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	if (isc_node_state_is_up(node->state) && isc_limit_change_asks_for_more(node->spec, next)) {
		IscAdmitHost host;
		IscNode asks = *node;
		GError *why = NULL;
		asks.spec = (IscSpec *)next;
		g_autoptr(GPtrArray) others = isc_register_list_nodes(dock->reg, error);
		if (!others || !gather(dock, next, &host, error))
			return FALSE;
		gboolean ok = isc_policy_admit(&host, &asks, others, &why);
		if (!decide(dock, &asks, ok, why, error))
			return FALSE;
	}
	return !enter || isc_register_set_spec(dock->reg, next, error);
}

static IscNode *find(const GPtrArray *nodes, const gchar *uuid)
{
	for (guint i = 0; i < nodes->len; i++) {
		IscNode *node = nodes->pdata[i];
		if (g_str_equal(node->uuid, uuid))
			return node;
	}
	return NULL;
}

/* What @now has not exposed yet.  (transfer full) */
static GArray *opened_by(const IscSpec *now, const IscSpec *next)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(IscExpose));
	for (guint i = 0; i < next->expose->len; i++) {
		const IscExpose *x = &g_array_index(next->expose, IscExpose, i);
		gboolean has = FALSE;
		for (guint k = 0; k < now->expose->len && !has; k++)
			has = isc_expose_overlaps(&g_array_index(now->expose, IscExpose, k), x);
		if (!has)
			g_array_append_val(out, *x);
	}
	return out;
}

/* @all: as it will be, @next among them */
static gboolean check_member(IscDock *dock, const IscNode *now, const IscNode *next,
		const GPtrArray *all, GError **error)
{
	g_autoptr(GArray) opened = opened_by(now->spec, next->spec);
	IscAdmitHost host;
	return isc_policy_admit_ports(next, all, error) &&
	       are_free(dock, next->slot, opened, error) &&
	       (!isc_node_state_is_up(next->state) ||
			       !isc_limit_change_asks_for_more(now->spec, next->spec) ||
			       (gather(dock, next->spec, &host, error) &&
					       isc_policy_admit(&host, next, all, error)));
}

gboolean isc_admission_members(IscDock *dock, const GPtrArray *after, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	g_autoptr(GPtrArray) stand = isc_register_list_nodes(dock->reg, error);
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	if (!stand)
		return FALSE;
	for (guint i = 0; i < stand->len; i++) {
		IscNode *node = stand->pdata[i], *next = find(after, node->uuid);
		g_ptr_array_add(all, next ? next : node);
	}
	for (guint i = 0; i < after->len; i++) {
		const IscNode *next = after->pdata[i], *now = find(stand, next->uuid);
		GError *why = NULL;
		gboolean ok = !now || check_member(dock, now, next, all, &why);
		if (!decide(dock, next, ok, why, error))
			return FALSE;
	}
	return TRUE;
}

gboolean isc_admission_volume(IscDock *dock, const gchar *name, guint mib, GError **error)
{
	IscAdmitHost host;
	g_autoptr(GPtrArray) others = isc_register_list_nodes(dock->reg, error);
	return others && gather(dock, NULL, &host, error) &&
	       isc_policy_admit_volume(&host, name, mib, others, error);
}

gboolean isc_admission_snapshot(IscDock *dock, const IscNode *node, guint64 mib, GError **error)
{
	IscAdmitHost host;
	g_autoptr(GPtrArray) others = isc_register_list_nodes(dock->reg, error);
	return others && gather(dock, NULL, &host, error) &&
	       isc_policy_admit_snapshot(&host, node, mib, others, error);
}
