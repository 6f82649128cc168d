/* Against libvirt's own test driver, in this process: a real connection with real events, and no
 * machine behind it. Secrets, backups and a libvirtd that goes away are in tests/vm/. */
#include "cm.h"

#include "engine/vm-domain.h"
#include "engine/vm-libvirt.h"

#define XML(name, extra)                                                                           \
	"<domain type='test'><name>" name                                                          \
	"</name><uuid>00000000-0000-4000-8000-000000000001</uuid>" extra                           \
	"<memory unit='MiB'>64</memory><os><type>hvm</type></os><devices>"                         \
	"<interface type='ethernet'><mac "                                                         \
	"address='52:54:4e:00:00:02'/></interface></devices></domain>"

typedef struct {
	GString *seen;
	GThread *main_thread;
} Log;

static void on_connection(gpointer data, gboolean up, const gchar *why)
{
	Log *log = data;
	(void)why;
	assert_ptr_equal(g_thread_self(), log->main_thread);
	g_string_append_printf(log->seen, "%s ", up ? "up" : "down");
}

static void on_event(gpointer data, const IscVmEvent *event)
{
	Log *log = data;
	assert_ptr_equal(g_thread_self(), log->main_thread);
	g_string_append_printf(log->seen, "%s/%s/%s ", event->domain,
			isc_vm_event_name(event->kind), event->detail);
}

static const IscVmOwner owner = { on_connection, on_event };

/* Lets the main loop run until nothing has come for a while. */
static void settle(void)
{
	gint64 quiet = g_get_monotonic_time();
	while (g_get_monotonic_time() - quiet < 30000)
		if (g_main_context_iteration(NULL, FALSE))
			quiet = g_get_monotonic_time();
		else
			g_usleep(1000);
}

static IscVm *connected(Log *log)
{
	g_autoptr(GError) error = NULL;
	log->seen = g_string_new(NULL);
	log->main_thread = g_thread_self();
	IscVm *vm = isc_vm_new("test:///default", &owner, log);
	assert_true(isc_vm_connect(vm, &error));
	assert_no_error(error);
	return vm;
}

static void finish(IscVm *vm, Log *log)
{
	isc_vm_free(vm);
	settle();
	g_string_free(log->seen, TRUE);
}

/* cmocka's assertions work in its own thread only: returns what went wrong, or NULL. */
static gpointer live(gpointer data)
{
	IscVm *vm = data;
	g_autoptr(GError) error = NULL;

	/* Each one twice: what is so already is success. */
	if (isc_vm_define(vm, XML("isc-web", ""), &error) &&
			isc_vm_define(vm, XML("isc-web", ""), &error) &&
			isc_vm_start(vm, "isc-web", FALSE, &error) &&
			isc_vm_start(vm, "isc-web", FALSE, &error) &&
			isc_vm_suspend(vm, "isc-web", &error) &&
			isc_vm_suspend(vm, "isc-web", &error) &&
			isc_vm_resume(vm, "isc-web", &error) &&
			isc_vm_resume(vm, "isc-web", &error) &&
			isc_vm_destroy(vm, "isc-web", &error) &&
			isc_vm_destroy(vm, "isc-web", &error) &&
			isc_vm_undefine(vm, "isc-web", &error) &&
			isc_vm_undefine(vm, "isc-web", &error) &&
			isc_vm_destroy(vm, "isc-web", &error))
		return NULL;
	return g_strdup(error->message);
}

static void a_life_is_told_in_order_and_in_the_main_thread(void **state)
{
	(void)state;
	Log log;
	IscVm *vm = connected(&log);
	GThread *worker = g_thread_new("worker", live, vm);
	settle();
	g_autofree gchar *wrong = g_thread_join(worker);
	if (wrong)
		fail_msg("%s", wrong);
	settle();
	assert_string_equal(log.seen->str,
			"up isc-web/defined/added isc-web/defined/updated isc-web/started/booted "
			"isc-web/suspended/paused isc-web/resumed/unpaused "
			"isc-web/stopped/destroyed "
			"isc-web/undefined/removed ");
	finish(vm, &log);
}

static void domains_of_others_are_neither_told_about_nor_listed(void **state)
{
	(void)state;
	Log log;
	IscVm *vm = connected(&log);
	g_autoptr(GError) error = NULL;
	/* the driver brings a running domain "test" along */
	assert_true(isc_vm_suspend(vm, "test", &error));
	assert_true(isc_vm_define(vm, XML("isc-web", "<title>t</title>"), &error));
	settle();
	assert_string_equal(log.seen->str, "up isc-web/defined/added ");

	g_autoptr(GPtrArray) list = isc_vm_list(vm, &error);
	assert_no_error(error);
	assert_int_equal(list->len, 1);
	const IscVmInfo *info = g_ptr_array_index(list, 0);
	assert_string_equal(info->domain, "isc-web");
	assert_string_equal(info->uuid, "00000000-0000-4000-8000-000000000001");
	assert_int_equal(info->state, ISC_VM_STATE_OFF);
	assert_true(info->persistent);
	assert_non_null(strstr(info->xml, "<title>t</title>"));
	assert_true(isc_vm_undefine(vm, "isc-web", &error));
	assert_true(isc_vm_resume(vm, "test", &error));
	finish(vm, &log);
}

static void states_are_told_apart(void **state)
{
	(void)state;
	Log log;
	IscVm *vm = connected(&log);
	g_autoptr(GError) error = NULL;
	IscVmState seen = ISC_N_VM_STATES;
	assert_true(isc_vm_state(vm, "isc-web", &seen, &error));
	assert_int_equal(seen, ISC_VM_STATE_ABSENT);
	assert_true(isc_vm_define(vm, XML("isc-web", ""), &error));
	assert_true(isc_vm_state(vm, "isc-web", &seen, &error));
	assert_int_equal(seen, ISC_VM_STATE_OFF);
	assert_true(isc_vm_start(vm, "isc-web", FALSE, &error));
	assert_true(isc_vm_state(vm, "isc-web", &seen, &error));
	assert_int_equal(seen, ISC_VM_STATE_RUNNING);
	assert_true(isc_vm_suspend(vm, "isc-web", &error));
	assert_true(isc_vm_state(vm, "isc-web", &seen, &error));
	assert_int_equal(seen, ISC_VM_STATE_PAUSED);
	assert_true(isc_vm_destroy(vm, "isc-web", &error));
	assert_true(isc_vm_undefine(vm, "isc-web", &error));
	assert_string_equal(isc_vm_state_name(ISC_VM_STATE_ABSENT), "absent");
	assert_string_equal(isc_vm_state_name((IscVmState)99), "unknown");
	finish(vm, &log);
}

static void a_failure_has_libvirts_words_and_our_code(void **state)
{
	(void)state;
	Log log;
	IscVm *vm = connected(&log);
	g_autoptr(GError) error = NULL;
	assert_false(isc_vm_start(vm, "isc-none", FALSE, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "isc-none");
	assert_null(isc_vm_xml(vm, "isc-none", &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "isc-none");
	assert_false(isc_vm_define(vm, "<domain", &error));
	assert_error(error, ISC_ERROR_INVALID, "define");
	assert_false(isc_vm_resume(vm, "isc-none", &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "isc-none");
	finish(vm, &log);
}

static void without_libvirtd_the_error_says_what_to_do(void **state)
{
	(void)state;
	Log log = { g_string_new(NULL), g_thread_self() };
	g_autoptr(GError) error = NULL;
	IscVm *vm = isc_vm_new("qemu+unix:///system?socket=/nonexistent/sock", &owner, &log);
	assert_false(isc_vm_connect(vm, &error));
	assert_error(error, ISC_ERROR_HOST, "is libvirtd running");
	assert_false(isc_vm_is_connected(vm));
	IscVmState seen;
	assert_false(isc_vm_state(vm, "isc-web", &seen, &error));
	assert_error(error, ISC_ERROR_HOST, "not connected");
	settle();
	assert_string_equal(log.seen->str, "");
	finish(vm, &log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_life_is_told_in_order_and_in_the_main_thread),
		cmocka_unit_test(domains_of_others_are_neither_told_about_nor_listed),
		cmocka_unit_test(states_are_told_apart),
		cmocka_unit_test(a_failure_has_libvirts_words_and_our_code),
		cmocka_unit_test(without_libvirtd_the_error_says_what_to_do),
	};
	isc_vm_register_events();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
