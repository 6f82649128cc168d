#pragma once
#include <glib.h>

#include "render/domain-xml.h"

/* Where to look; a test points it elsewhere. */
typedef struct {
	const gchar *cpuinfo; /* "/proc/cpuinfo" */
	const gchar *kvm;     /* "/dev/kvm" */
} IscAccelPaths;

extern const IscAccelPaths isc_accel_host;

/**
 * isc_accel_probe:
 * @why: (out) (optional) (transfer full): one line for people: what was found, or what is missing
 * and what to do
 *
 * A real probe: KVM only if the CPU says vmx or svm, the device answers with API version 12
 * (linux/kvm.h: the only one there is), and a VM with one vCPU can be made.  /dev/kvm alone proves
 * nothing: it opens on machines where no guest runs. Blocks for a few ms.  Anything else is
 * ISC_ACCEL_TCG.
 */
IscAccel isc_accel_probe(const IscAccelPaths *paths, gchar **why);

/**
 * isc_accel_tsc_khz:
 * kHz of this CPU's time stamp counter, measured against CLOCK_MONOTONIC_RAW for about 10 ms, some
 * ppm exact. Returns: 0 where it is no clock (no constant_tsc and nonstop_tsc in @paths->cpuinfo,
 * or not x86)
 */
guint isc_accel_tsc_khz(const IscAccelPaths *paths);
