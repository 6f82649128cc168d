/* R9.3: where hardware virtualisation is missing, nodes run emulated, and say so. */
#include "cm.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "engine/accel.h"

/* A /proc/cpuinfo with these flags; the path is freed and removed by drop(). */
static gchar *cpuinfo(const gchar *flags)
{
	g_autofree gchar *text = g_strdup_printf(
			"processor\t: 0\nmodel name\t: vmx of a CPU\nflags\t\t: %s\n"
			"vmx flags\t: ept\n\nprocessor\t: 1\nflags\t\t: %s\n",
			flags, flags);
	gchar *path = NULL;
	int fd = g_file_open_tmp("isc-accel.XXXXXX", &path, NULL);
	close(fd);
	assert_true(g_file_set_contents(path, text, -1, NULL));
	return path;
}

static void drop(gchar *path)
{
	g_unlink(path);
	g_free(path);
}

static void assert_tcg(const gchar *flags, const gchar *kvm, const gchar *reason)
{
	gchar *path = cpuinfo(flags);
	const IscAccelPaths paths = { path, kvm };
	g_autofree gchar *why = NULL;
	assert_int_equal(isc_accel_probe(&paths, &why), ISC_ACCEL_TCG);
	if (!strstr(why, reason))
		fail_msg("'%s' does not say '%s'", why, reason);
	drop(path);
}

static void a_device_without_a_cpu_that_can_proves_nothing(void **state)
{
	(void)state;
	assert_tcg("fpu sse2 lm", "/dev/kvm", "neither vmx nor svm");
	/* the flag as part of a word, or in another line, is not the flag */
	assert_tcg("fpu xvmx svmx svm_lock vmxx", "/dev/kvm", "neither vmx nor svm");
}

static void a_cpu_without_a_device_that_answers_proves_nothing(void **state)
{
	(void)state;
	assert_tcg("fpu vmx", "/nonexistent/kvm", "missing");
	assert_tcg("svm", "/dev/null", "does not answer");
	gchar *file = cpuinfo("");
	assert_tcg("vmx", file, "does not answer");
	assert_tcg("vmx", "/", "cannot open");
	drop(file);
}

static void no_cpuinfo_is_emulation(void **state)
{
	(void)state;
	const IscAccelPaths paths = { "/nonexistent/cpuinfo", "/dev/kvm" };
	g_autofree gchar *why = NULL;
	assert_int_equal(isc_accel_probe(&paths, &why), ISC_ACCEL_TCG);
	assert_non_null(strstr(why, "/nonexistent/cpuinfo"));
	assert_int_equal(isc_accel_probe(&paths, NULL), ISC_ACCEL_TCG);
	assert_int_equal(isc_accel_tsc_khz(&paths), 0);
}

static void a_tsc_that_is_no_clock_has_no_frequency(void **state)
{
	(void)state;
	static const gchar *const flags[] = { "tsc", "constant_tsc", "nonstop_tsc",
		"constant_tsc_x nonstop_tsc" };
	for (gsize i = 0; i < G_N_ELEMENTS(flags); i++) {
		gchar *path = cpuinfo(flags[i]);
		const IscAccelPaths paths = { path, "/dev/kvm" };
		assert_int_equal(isc_accel_tsc_khz(&paths), 0);
		drop(path);
	}
}

static void the_tsc_is_measured_the_same_each_time(void **state)
{
	(void)state;
	guint a = isc_accel_tsc_khz(&isc_accel_host), b = isc_accel_tsc_khz(&isc_accel_host);
	if (a == 0)
		skip();
	assert_in_range(a, 100000, 10000000);
	assert_in_range(b, a - a / 1000, a + a / 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_without_a_cpu_that_can_proves_nothing),
		cmocka_unit_test(a_cpu_without_a_device_that_answers_proves_nothing),
		cmocka_unit_test(no_cpuinfo_is_emulation),
		cmocka_unit_test(a_tsc_that_is_no_clock_has_no_frequency),
		cmocka_unit_test(the_tsc_is_measured_the_same_each_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
