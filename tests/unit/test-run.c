#include "cm.h"
#include "builder/run.h"

#include <unistd.h>

#define SH(...) ((const gchar *const[]){ "sh", "-c", __VA_ARGS__, NULL })

static void output_and_status_come_back(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *out = NULL, *messages = NULL;
	IscRun run = { .what = "x", .argv = SH("echo out; echo err >&2"), .timeout_s = 10 };
	assert_true(isc_run(&run, &out, &messages, &error));
	assert_string_equal(out, "out\n");
	assert_string_equal(messages, "err\n");

	run.argv = SH("echo first >&2; seq 100 >&2; exit 3");
	assert_false(isc_run(&run, NULL, NULL, &error));
	assert_non_null(strstr(error->message, "\n100"));
	assert_null(strstr(error->message, "first"));
	assert_error(error, ISC_ERROR_FAILED, "x failed with status 3");

	run.argv = SH("kill -9 $$");
	assert_false(isc_run(&run, NULL, NULL, &error));
	assert_error(error, ISC_ERROR_FAILED, "signal 9");
}

static void the_environment_is_ours_alone(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *out = NULL;
	const gchar *env[] = { "A=b=c", NULL };
	g_setenv("ISC_TEST_SECRET", "1", TRUE);
	IscRun run = { .what = "env",
		.argv = (const gchar *const[]){ "env", NULL },
		.env = env,
		.timeout_s = 10 };
	assert_true(isc_run(&run, &out, NULL, &error));
	assert_null(strstr(out, "ISC_TEST_SECRET"));
	assert_non_null(strstr(out, "A=b=c\n"));
	assert_non_null(strstr(out, "LC_ALL=C.UTF-8\n"));
}

static void a_missing_program_is_the_hosts_fault(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	IscRun run = {
		.what = "x", .argv = (const gchar *const[]){ "/nonexistent", NULL }, .timeout_s = 10
	};
	assert_false(isc_run(&run, NULL, NULL, &error));
	assert_error(error, ISC_ERROR_HOST, "/nonexistent");
	assert_false(isc_run_has("isc-no-such-program", &error));
	assert_error(error, ISC_ERROR_HOST, "tools/deps");
	assert_true(isc_run_has("sh", NULL));
}

static void what_takes_too_long_is_killed_with_its_children(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	gint64 since = g_get_monotonic_time();
	IscRun run = { .what = "sleep", .argv = SH("sleep 60 & sleep 60"), .timeout_s = 0 };
	assert_false(isc_run(&run, NULL, NULL, &error));
	assert_error(error, ISC_ERROR_TIMEOUT, "sleep");
	assert_true(g_get_monotonic_time() - since < 5 * G_USEC_PER_SEC);
}

static gboolean tell(gpointer data, int out, GError **error)
{
	(void)out;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "told: %s", (const gchar *)data);
	return FALSE;
}

static gboolean answer(gpointer data, int out, GError **error)
{
	(void)error;
	return write(out, data, 3) == 3;
}

static gboolean refuse(gpointer data, GError **error)
{
	(void)data;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY, "not prepared");
	return FALSE;
}

static void errors_of_a_function_cross_with_their_code(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *out = NULL;
	IscRun run = { .what = "f", .function = tell, .data = (gpointer) "abc", .timeout_s = 10 };
	assert_false(isc_run(&run, NULL, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, "told: abc");
	run.function = answer;
	assert_true(isc_run(&run, &out, NULL, &error));
	assert_string_equal(out, "abc");
	run.prepare = refuse;
	assert_false(isc_run(&run, NULL, NULL, &error));
	assert_error(error, ISC_ERROR_POLICY, "not prepared");
}

/* make check-unit runs in a user namespace, where boxes can be made. */
static void nothing_survives_a_box(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	g_autoptr(GError) error = NULL;
	g_autofree gchar *out = NULL;
	IscRun run = { .what = "box",
		.flags = ISC_RUN_BOX | ISC_RUN_NO_NET,
		.timeout_s = 20,
		.argv = SH("sleep 60 & mount -t tmpfs isc-test-box /mnt && "
			   "grep -c isc-test-box /proc/self/mounts; ls /proc | grep -cx '[0-9]*'; "
			   "ls /sys/class/net 2>/dev/null | wc -l; wc -l </proc/net/dev") };
	gint64 since = g_get_monotonic_time();
	if (!isc_run(&run, &out, NULL, &error)) {
		if (error->code == ISC_ERROR_HOST)
			skip();
		fail_msg("%s", error->message);
	}
	/* Mounted there; a handful of processes; two header lines and lo. */
	assert_true(g_str_has_prefix(out, "1\n"));
	assert_true(g_str_has_suffix(out, "3\n"));
	assert_true(g_get_monotonic_time() - since < 20 * G_USEC_PER_SEC);
	g_autofree gchar *mounts = NULL;
	assert_true(g_file_get_contents("/proc/self/mounts", &mounts, NULL, NULL));
	assert_null(strstr(mounts, "isc-test-box"));
}

static void after_an_interrupt_nothing_starts(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	IscRun run = { .what = "true", .argv = SH("true"), .timeout_s = 10 };
	isc_run_interrupt(15);
	assert_int_equal(isc_run_interrupted(), 15);
	assert_false(isc_run(&run, NULL, NULL, &error));
	assert_error(error, ISC_ERROR_STATE, "interrupted");
	isc_run_interrupt(0);
	assert_true(isc_run(&run, NULL, NULL, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_status_come_back),
		cmocka_unit_test(the_environment_is_ours_alone),
		cmocka_unit_test(a_missing_program_is_the_hosts_fault),
		cmocka_unit_test(what_takes_too_long_is_killed_with_its_children),
		cmocka_unit_test(errors_of_a_function_cross_with_their_code),
		cmocka_unit_test(nothing_survives_a_box),
		cmocka_unit_test(after_an_interrupt_nothing_starts),
	};
	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
