#pragma once
#include "engine/vm-domain.h"
#include "model/limits.h"

/* The limits of a domain that runs: by the host's cgroup (CPU) and by QEMU's own throttle (disks).
 * Errors of both: as vm-domain.h. */

/* Where QEMU has its disks. */
typedef struct {
	guint n;         /* image, overlay, volumes; 0: they are left alone */
	gboolean is_pci; /* q35; else virtio-mmio */
} IscVmDisks;

/* Whether this host has cgroups that share out CPU, and of which version: libvirt takes other
 * numbers for each. */
typedef enum {
	ISC_CPU_CGROUP_NONE,
	ISC_CPU_CGROUP_V1,
	ISC_CPU_CGROUP_V2,
} IscCpuCgroup;
IscCpuCgroup isc_vm_cpu_cgroup(void);

/* isc_limits_cpu_shares() for this host. */
guint64 isc_vm_cpu_shares(const IscLimits *limits);

/**
 * isc_vm_get_limits:
 * @out: (out): what is in force now; those of CPU are 0 also where the host has no CPU cgroup
 */
gboolean isc_vm_get_limits(IscVm *vm, const gchar *domain, const IscVmDisks *disks, IscLimits *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_vm_set_limits:
 * Puts @limits in force in the domain, which runs or is paused, and reads them back; what is so
 * already is not touched.  Errors: also ISC_ERROR_HOST: this host cannot enforce one of them.
 */
gboolean isc_vm_set_limits(IscVm *vm, const gchar *domain, const IscVmDisks *disks,
		const IscLimits *limits, GError **error) G_GNUC_WARN_UNUSED_RESULT;
