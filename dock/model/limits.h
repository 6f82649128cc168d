#pragma once
#include <glib.h>

/* How much of the host a node may use besides its memory: keys CPUQuota= (as in
 * systemd.resource-control(5)), IOReadBandwidth=, IOWriteBandwidth= and IOPS= of a node file.  A
 * plain value; 0 everywhere: no limit. */
typedef struct {
	guint cpu_percent; /* of one host CPU, for QEMU and all its vCPUs together */
	guint64 read_bps;  /* bytes per second, … */
	guint64 write_bps; /* … of all its disks together */
	guint iops;        /* requests per second, reads and writes, of all its disks together */
} IscLimits;

#define ISC_CPU_QUOTA_MAX 6400u                           /* percent: 64 CPUs */
#define ISC_IO_RATE_MIN G_GUINT64_CONSTANT(65536)         /* less does not boot in time */
#define ISC_IO_RATE_MAX G_GUINT64_CONSTANT(1000000000000) /* 1 TB/s */
#define ISC_IOPS_MIN 10u
#define ISC_IOPS_MAX 10000000u

/**
 * isc_limits_take:
 * @key: "CPUQuota", "IOReadBandwidth", "IOWriteBandwidth" or "IOPS"
 * @value: "50%"; "10M" (bytes per second; K, M and G are powers of 1000, as in systemd); "500"
 *
 * Errors: ISC_ERROR_INVALID; @limits is as it was.
 */
gboolean isc_limits_take(IscLimits *limits, const gchar *key, const gchar *value, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Appends one line "KEY=VALUE" for each limit that there is. */
void isc_limits_print(const IscLimits *limits, GString *out);

/* What a node of @vcpus virtual CPUs may use at most, in percent of one host CPU. */
guint isc_limits_cpu_percent(const IscLimits *limits, guint vcpus);
