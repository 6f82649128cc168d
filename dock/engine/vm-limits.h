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

/**
 * isc_vm_get_limits:
 * @out: (out): what is in force now; cpu_percent 0 also where the host has no CPU cgroup
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
