#include "engine/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "base/cleanup.h"
#include "base/file.h"

#define CPUINFO_MAX (4 * 1024 * 1024) /* bytes; 1,000 CPUs have about 1.5 MB */
#define KVM_API 12
#define TSC_WINDOW_NS 10000000

const IscAccelPaths isc_accel_host = { "/proc/cpuinfo", "/dev/kvm" };

/* Does the first "flags" line hold @flag as a word? */
static gboolean cpu_has(const gchar *cpuinfo, const gchar *flag)
{
	const gchar *line = cpuinfo;
	while (line && !g_str_has_prefix(line, "flags")) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (!line)
		return FALSE;

	const gchar *colon = strchr(line, ':');
	if (!colon)
		return FALSE;
	g_autofree gchar *flags = g_strndup(colon + 1, strcspn(colon + 1, "\n"));
	g_auto(GStrv) words = g_strsplit(flags, " ", -1);
	return g_strv_contains((const gchar *const *)words, flag);
}

/* /proc files say they are empty: isc_file_read() reads until the end all the same. */
static gchar *read_cpuinfo(const IscAccelPaths *paths)
{
	return isc_file_read(AT_FDCWD, paths->cpuinfo, CPUINFO_MAX, NULL, NULL);
}

static gboolean can_run(const gchar *device, gchar **why)
{
	isc_autofd int kvm = open(device, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (kvm < 0) {
		*why = errno == ENOENT ? g_strdup_printf("%s is missing: load kvm_intel or kvm_amd",
							 device)
				       : g_strdup_printf("cannot open %s: %s", device,
							 g_strerror(errno));
		return FALSE;
	}

	int version = ioctl(kvm, KVM_GET_API_VERSION, 0);
	if (version != KVM_API) {
		*why = g_strdup_printf("%s does not answer as KVM does (version %d, not %d)",
				device, version, KVM_API);
		return FALSE;
	}
	isc_autofd int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	isc_autofd int vcpu = vm < 0 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu < 0) {
		*why = g_strdup_printf(
				"%s makes no virtual machine: %s", device, g_strerror(errno));
		return FALSE;
	}
	return TRUE;
}

IscAccel isc_accel_probe(const IscAccelPaths *paths, gchar **why)
{
	g_autofree gchar *text = NULL;
	g_autofree gchar *cpuinfo = read_cpuinfo(paths);
	IscAccel accel = ISC_ACCEL_TCG;

	if (!cpuinfo)
		text = g_strdup_printf("cannot read %s", paths->cpuinfo);
	else if (!cpu_has(cpuinfo, "vmx") && !cpu_has(cpuinfo, "svm"))
		text = g_strdup("the CPU has neither vmx nor svm: enable virtualisation in the "
				"firmware (or nested virtualisation, if this is a guest)");
	else if (can_run(paths->kvm, &text)) {
		text = g_strdup_printf("%s runs virtual machines", paths->kvm);
		accel = ISC_ACCEL_KVM;
	}
	if (why)
		*why = g_steal_pointer(&text);
	return accel;
}

#if defined(__x86_64__)
static gint64 now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (gint64)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* One (time, counter) pair.  The counter is read between two readings of the clock; of some tries
 * the tightest wins, so that being scheduled away in between does no harm. */
static void sample(gint64 *ns, guint64 *ticks)
{
	gint64 best = G_MAXINT64;

	for (int i = 0; i < 16; i++) {
		gint64 a = now_ns();
		guint64 t = __rdtsc();
		gint64 b = now_ns();
		if (b - a < best) {
			best = b - a;
			*ns = a + (b - a) / 2;
			*ticks = t;
		}
	}
}
#endif

guint isc_accel_tsc_khz(const IscAccelPaths *paths)
{
#if defined(__x86_64__)
	g_autofree gchar *cpuinfo = read_cpuinfo(paths);
	if (!cpuinfo || !cpu_has(cpuinfo, "constant_tsc") || !cpu_has(cpuinfo, "nonstop_tsc"))
		return 0;

	gint64 ns0 = 0, ns1 = 0;
	guint64 t0 = 0, t1 = 0;
	sample(&ns0, &t0);
	g_usleep(TSC_WINDOW_NS / 1000);
	sample(&ns1, &t1);
	if (ns1 <= ns0 || t1 <= t0)
		return 0;
	return (guint)((gdouble)(t1 - t0) * 1e6 / (gdouble)(ns1 - ns0) + 0.5);
#else
	(void)paths;
	return 0;
#endif
}
