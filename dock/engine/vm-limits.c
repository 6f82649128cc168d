#include "engine/vm-limits.h"

#include <json-c/json.h>
#include <libvirt/libvirt-qemu.h>
#include <string.h>

#include "base/error.h"
#include "engine/vm-private.h"
#include "render/domain-xml.h"

#define REPLY_MAX 65536 /* bytes of an answer of QEMU */
#define REPLY_DEPTH 16

static gboolean open_domain(
		IscVm *vm, const gchar *name, virConnect **conn, virDomain **domain, GError **error)
{
	*conn = isc_vm_use(vm, error);
	*domain = *conn ? isc_vm_lookup(*conn, name, error) : NULL;
	return *domain != NULL;
}

/* --- CPU ----------------------------------------------------------------------------------- */

/* Version 2 names its controllers in a file at its root, version 1 has a folder for each; where
 * both are mounted, a controller is in one of them. */
IscCpuCgroup isc_vm_cpu_cgroup(void)
{
	g_autofree gchar *line = NULL;
	if (g_file_get_contents("/sys/fs/cgroup/cgroup.controllers", &line, NULL, NULL)) {
		g_auto(GStrv) words = g_strsplit_set(line, " \n", -1);
		if (g_strv_contains((const gchar *const *)words, "cpu"))
			return ISC_CPU_CGROUP_V2;
	}
	return g_file_test("/sys/fs/cgroup/cpu", G_FILE_TEST_IS_DIR) ? ISC_CPU_CGROUP_V1
								     : ISC_CPU_CGROUP_NONE;
}

guint64 isc_vm_cpu_shares(const IscLimits *limits)
{
	return isc_limits_cpu_shares(limits->cpu_weight, isc_vm_cpu_cgroup() == ISC_CPU_CGROUP_V2);
}

/* Fills in only what is of CPU. */
static gboolean get_cpu(virDomain *domain, IscLimits *out, GError **error)
{
	int n = 0;
	g_autofree char *type = virDomainGetSchedulerType(domain, &n);
	out->cpu_percent = out->cpu_weight = 0;
	if (!type || n <= 0)
		return isc_vm_set_error(error, "the host has no CPU cgroup");
	g_autofree virTypedParameter *params = g_new0(virTypedParameter, (gsize)n);
	if (virDomainGetSchedulerParametersFlags(domain, params, &n, VIR_DOMAIN_AFFECT_LIVE) < 0)
		return isc_vm_set_error(error, "cannot read the CPU limits");
	long long quota = -1;
	unsigned long long period = 0, shares = 0;
	(void)virTypedParamsGetLLong(params, n, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA, &quota);
	(void)virTypedParamsGetULLong(params, n, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD, &period);
	(void)virTypedParamsGetULLong(params, n, VIR_DOMAIN_SCHEDULER_CPU_SHARES, &shares);
	if (quota > 0 && period > 0)
		out->cpu_percent = (guint)((guint64)quota * 100 / period);
	if (shares > 0)
		out->cpu_weight = isc_limits_cpu_weight(
				shares, isc_vm_cpu_cgroup() == ISC_CPU_CGROUP_V2);
	virTypedParamsClear(params, n);
	return TRUE;
}

/* Only what differs from @is. */
static gboolean set_cpu(
		virDomain *domain, const IscLimits *limits, const IscLimits *is, GError **error)
{
	virTypedParameter *params = NULL;
	int n = 0, room = 0;
	gboolean ok = TRUE;
	if (limits->cpu_percent != is->cpu_percent) {
		long long quota = limits->cpu_percent ? (long long)limits->cpu_percent *
									ISC_CPU_PERIOD_US / 100
						      : -1;
		ok = virTypedParamsAddULLong(&params, &n, &room, VIR_DOMAIN_SCHEDULER_GLOBAL_PERIOD,
				     ISC_CPU_PERIOD_US) == 0 &&
		     virTypedParamsAddLLong(&params, &n, &room, VIR_DOMAIN_SCHEDULER_GLOBAL_QUOTA,
				     quota) == 0;
	}
	if (ok && limits->cpu_weight != is->cpu_weight)
		ok = virTypedParamsAddULLong(&params, &n, &room, VIR_DOMAIN_SCHEDULER_CPU_SHARES,
				     isc_vm_cpu_shares(limits)) == 0;
	ok = ok &&
	     virDomainSetSchedulerParametersFlags(domain, params, n, VIR_DOMAIN_AFFECT_LIVE) == 0;
	if (!ok)
		isc_vm_set_error(error, "cannot set the CPU limits");
	virTypedParamsFree(params, n);
	return ok;
}

/* --- disks ----------------------------------------------------------------------------------
 * libvirt 9.0 looks for a disk's throttle where virtio-pci has it; on virtio-mmio (microvm) it
 * finds none, neither for <iotune> at start nor for virDomainSetBlockIoTune().  So QEMU is asked
 * itself, over libvirt's connection to it.  Its answers are looked at as a stranger's: only
 * numbers, by name, from so many bytes. */

/* As QEMU names it: by the id that libvirt gives it, or where the disk proper is a part of that, by
 * its path. */
static gchar *disk_path(const IscVmDisks *disks, guint i)
{
	return disks->is_pci ? g_strdup_printf("/machine/peripheral/virtio-disk%u/virtio-backend",
					       i)
			     : g_strdup_printf("virtio-disk%u", i);
}

/* What the monitor answers to @command under "return".  (transfer full) or NULL */
static json_object *ask(virDomain *domain, const gchar *command, GError **error)
{
	g_autofree char *reply = NULL;
	if (virDomainQemuMonitorCommand(domain, command, &reply, 0) < 0 || !reply) {
		isc_vm_set_error(error, "cannot ask QEMU");
		return NULL;
	}
	gsize len = strlen(reply);
	json_tokener *tokener = len <= REPLY_MAX ? json_tokener_new_ex(REPLY_DEPTH) : NULL;
	json_object *all = tokener ? json_tokener_parse_ex(tokener, reply, (int)len) : NULL;
	json_object *value = NULL;
	if (tokener)
		json_tokener_free(tokener);
	if (all && json_object_object_get_ex(all, "return", &value))
		json_object_get(value);
	else
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_HOST,
				"QEMU does not take a limit on the node's disks");
	json_object_put(all);
	return value;
}

static guint64 number(json_object *of, const gchar *key)
{
	json_object *value = NULL;
	gint64 n = json_object_object_get_ex(of, key, &value) ? json_object_get_int64(value) : 0;
	return n > 0 ? (guint64)n : 0;
}

/* One disk's limits out of the answer to query-block; FALSE where it is not in there. */
static gboolean find_disk(json_object *all, const gchar *path, IscLimits *out)
{
	gsize n = json_object_is_type(all, json_type_array) ? json_object_array_length(all) : 0;
	for (gsize i = 0; i < n; i++) {
		json_object *one = json_object_array_get_idx(all, i), *qdev = NULL, *in = NULL;
		if (!json_object_object_get_ex(one, "qdev", &qdev) ||
				g_strcmp0(json_object_get_string(qdev), path) != 0 ||
				!json_object_object_get_ex(one, "inserted", &in))
			continue;
		out->read_bps = number(in, "bps_rd");
		out->write_bps = number(in, "bps_wr");
		out->iops = (guint)MIN(number(in, "iops"), G_MAXUINT);
		return TRUE;
	}
	return FALSE;
}

static gboolean is_same(const IscLimits *a, const IscLimits *b)
{
	return a->read_bps == b->read_bps && a->write_bps == b->write_bps && a->iops == b->iops;
}

/* Of all disks: they have the same ones, or *@out is that of the one that has not what @wanted
 * says. */
static gboolean get_disks(virDomain *domain, const IscVmDisks *disks, const IscLimits *wanted,
		IscLimits *out, GError **error)
{
	if (disks->n == 0)
		return TRUE;
	json_object *all = ask(domain, "{\"execute\":\"query-block\"}", error);
	gboolean found = all != NULL;
	for (guint i = 0; found && i < disks->n; i++) {
		g_autofree gchar *path = disk_path(disks, i);
		found = find_disk(all, path, out);
		if (!found)
			g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
					"QEMU has no disk '%s': its limit is not known", path);
		if (wanted && !is_same(out, wanted))
			break;
	}
	json_object_put(all);
	return found;
}

/* One group: the disks share what the node may do. */
static gboolean set_disk(
		virDomain *domain, const gchar *path, const IscLimits *limits, GError **error)
{
	g_autofree gchar *command = g_strdup_printf(
			"{\"execute\":\"block_set_io_throttle\",\"arguments\":{\"id\":\"%s\","
			"\"bps\":0,\"bps_rd\":%" G_GUINT64_FORMAT ",\"bps_wr\":%" G_GUINT64_FORMAT
			",\"iops\":%u,\"iops_rd\":0,\"iops_wr\":0,\"group\":\"node\"}}",
			path, limits->read_bps, limits->write_bps, limits->iops);
	json_object *answer = ask(domain, command, error);
	json_object_put(answer);
	return answer != NULL;
}

static gboolean set_disks(
		virDomain *domain, const IscVmDisks *disks, const IscLimits *limits, GError **error)
{
	IscLimits is = { 0 };
	if (!get_disks(domain, disks, limits, &is, error))
		return FALSE;
	if (disks->n == 0 || is_same(&is, limits))
		return TRUE;
	for (guint i = 0; i < disks->n; i++) {
		g_autofree gchar *path = disk_path(disks, i);
		if (!set_disk(domain, path, limits, error))
			return FALSE;
	}
	if (!get_disks(domain, disks, limits, &is, error))
		return FALSE;
	if (is_same(&is, limits))
		return TRUE;
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_HOST,
			"QEMU took the limit on the node's disks, and it is not in force");
	return FALSE;
}

/* --- both ---------------------------------------------------------------------------------- */

gboolean isc_vm_get_limits(IscVm *vm, const gchar *name, const IscVmDisks *disks, IscLimits *out,
		GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	*out = (IscLimits){ 0 };
	if (!open_domain(vm, name, &conn, &domain, error) ||
			!get_disks(domain, disks, NULL, out, error))
		return FALSE;
	(void)get_cpu(domain, out, NULL);
	return TRUE;
}

static gboolean is_cpu_same(const IscLimits *a, const IscLimits *b)
{
	return a->cpu_percent == b->cpu_percent && a->cpu_weight == b->cpu_weight;
}

static gboolean put_cpu(virDomain *domain, const IscLimits *limits, GError **error)
{
	g_autoptr(GError) why = NULL;
	IscLimits is = { 0 };
	gboolean known = get_cpu(domain, &is, &why);
	if (is_cpu_same(&is, limits))
		return TRUE;
	if (!known) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"%s= cannot be in force on this host: %s",
				limits->cpu_percent ? "CPUQuota" : "CPUWeight", why->message);
		return FALSE;
	}
	if (!set_cpu(domain, limits, &is, error) || !get_cpu(domain, &is, error))
		return FALSE;
	if (is_cpu_same(&is, limits))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"CPUQuota=%u%% CPUWeight=%u was taken, and %u%% and %u are in force (0: "
			"none)",
			limits->cpu_percent, limits->cpu_weight, is.cpu_percent, is.cpu_weight);
	return FALSE;
}

gboolean isc_vm_set_limits(IscVm *vm, const gchar *name, const IscVmDisks *disks,
		const IscLimits *limits, GError **error)
{
	g_autoptr(IscVirConnect) conn = NULL;
	g_autoptr(IscVirDomain) domain = NULL;
	return open_domain(vm, name, &conn, &domain, error) && put_cpu(domain, limits, error) &&
	       set_disks(domain, disks, limits, error);
}
