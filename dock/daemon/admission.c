#include "daemon/admission.h"

#include <errno.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "engine/links.h"
#include "daemon/act.h"
#include "policy/admit.h"

static guint host_memory_mib(void)
{
	return (guint)((guint64)sysconf(_SC_PHYS_PAGES) * (guint64)sysconf(_SC_PAGESIZE) /
			(1024 * 1024));
}

static gboolean gather(IscDock *dock, IscAdmitHost *out, GError **error)
{
	struct statvfs fs;
	if (statvfs(dock->config->state_dir, &fs) < 0)
		return isc_error_set_errno(error, errno, "cannot ask for free space below '%s'",
				dock->config->state_dir);
	*out = (IscAdmitHost){
		.emulated = dock->accel != ISC_ACCEL_KVM,
		.max_memory_mib = dock->config->max_memory_mib ? dock->config->max_memory_mib
							       : host_memory_mib() / 10 * 9,
		.max_nodes = dock->config->max_nodes,
		.max_vcpus = (guint)sysconf(_SC_NPROCESSORS_ONLN),
		.disk_free_mib = (guint64)fs.f_bavail * fs.f_frsize / (1024 * 1024),
	};
	return TRUE;
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

static gboolean check(IscDock *dock, const IscNode *node, GError **error)
{
	IscAdmitHost host;
	if (!gather(dock, &host, error) || !is_network_ours(dock, node, error))
		return FALSE;
	g_autoptr(GPtrArray) others = isc_register_list_nodes(dock->reg, error);
	if (!others || !isc_policy_admit(&host, node, others, error) ||
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
