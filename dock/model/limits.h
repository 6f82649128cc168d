#pragma once
#include <glib.h>

/* How much of the host a node may use besides its memory: keys CPUQuota= and CPUWeight= (both as in
 * systemd.resource-control(5)), IOReadBandwidth=, IOWriteBandwidth= and IOPS= of a node file.  A
 * plain value; 0 everywhere: no limit. */
typedef struct {
	guint cpu_percent; /* of one host CPU, for QEMU and all its vCPUs together */
	guint cpu_weight;  /* against other nodes, where all want more than there is; 1..10000;
			      0: ISC_CPU_WEIGHT_DEFAULT, which is never held as a number */
	guint64 read_bps;  /* bytes per second, … */
	guint64 write_bps; /* … of all its disks together */
	guint iops;        /* requests per second, reads and writes, of all its disks together */
} IscLimits;

#define ISC_CPU_QUOTA_MAX 6400u   /* percent: 64 CPUs */
#define ISC_CPU_WEIGHT_MAX 10000u /* as cpu.weight of cgroups v2 */
#define ISC_CPU_WEIGHT_DEFAULT 100u
#define ISC_IO_RATE_MIN G_GUINT64_CONSTANT(65536)         /* less does not boot in time */
#define ISC_IO_RATE_MAX G_GUINT64_CONSTANT(1000000000000) /* 1 TB/s */
#define ISC_IOPS_MIN 10u
#define ISC_IOPS_MAX 10000000u

/**
 * isc_limits_take:
 * @key: "CPUQuota", "CPUWeight", "IOReadBandwidth", "IOWriteBandwidth" or "IOPS"
 * @value: "50%"; "100"; "10M" (bytes per second; K, M and G are powers of 1000, as in systemd);
 * "500"
 *
 * Errors: ISC_ERROR_INVALID; @limits is as it was.
 */
gboolean isc_limits_take(IscLimits *limits, const gchar *key, const gchar *value, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Appends one line "KEY=VALUE" for each limit that there is. */
void isc_limits_print(const IscLimits *limits, GString *out);

/* What a node of @vcpus virtual CPUs may use at most, in percent of one host CPU. */
guint isc_limits_cpu_percent(const IscLimits *limits, guint vcpus);

/* Whether there is any. */
gboolean isc_limits_any(const IscLimits *limits);

/**
 * isc_limits_cpu_shares:
 * @weight: as in IscLimits
 * @unified: the host has its CPU controller in version 2 of cgroups
 *
 * What libvirt calls a domain's shares: cpu.weight in version 2; cpu.shares in version 1, where
 * 1024 is what systemd takes 100 for.
 */
guint64 isc_limits_cpu_shares(guint weight, gboolean unified);

/* The weight that has these shares, as in IscLimits; the next one where none has. */
guint isc_limits_cpu_weight(guint64 shares, gboolean unified);
