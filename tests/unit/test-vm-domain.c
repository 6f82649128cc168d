/* What needs no libvirt; verbs and lists are in test-vm-libvirt.c, against libvirt's test driver.
 */
#include "cm.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "engine/vm-domain.h"

static void a_pid_comes_from_a_file_that_holds_one_and_nothing_else(void **state)
{
	(void)state;
	static const struct {
		const gchar *text;
		GPid pid;
	} cases[] = { { "123", 123 }, { "123\n", 123 }, { "", 0 }, { "0", 0 }, { "-5", 0 },
		{ "12x", 0 }, { "1 2", 0 }, { "99999999999999999999", 0 }, { "4294967297", 0 },
		{ "000000000000000000000000000000000000000001", 0 } };
	g_autofree gchar *dir = g_dir_make_tmp("isc-pid.XXXXXX", NULL);
	g_autofree gchar *path = g_build_filename(dir, "isc-web.pid", NULL);

	assert_int_equal(isc_vm_pid(dir, "isc-web"), 0);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		assert_true(g_file_set_contents(path, cases[i].text, -1, NULL));
		assert_int_equal(isc_vm_pid(dir, "isc-web"), cases[i].pid);
	}
	/* a link is not followed */
	assert_true(g_file_set_contents(path, "123", -1, NULL));
	g_autofree gchar *link = g_build_filename(dir, "isc-link.pid", NULL);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(isc_vm_pid(dir, "isc-link"), 0);
	g_unlink(link);
	g_unlink(path);
	g_rmdir(dir);
}

static void without_a_connection_every_verb_says_so(void **state)
{
	(void)state;
	g_autoptr(IscVm) vm = isc_vm_new("test:///default", NULL, NULL);
	g_autoptr(GError) error = NULL;
	IscVmState seen;

	assert_false(isc_vm_define(vm, "<domain/>", &error));
	assert_error(error, ISC_ERROR_HOST, "not connected");
	gboolean (*const verbs[])(IscVm *, const gchar *, GError **) = { isc_vm_undefine,
		isc_vm_destroy, isc_vm_suspend, isc_vm_resume };
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
		assert_false(verbs[i](vm, "isc-web", &error));
		assert_error(error, ISC_ERROR_HOST, "not connected");
	}
	assert_false(isc_vm_start(vm, "isc-web", FALSE, &error));
	assert_error(error, ISC_ERROR_HOST, "not connected");
	assert_false(isc_vm_set_link(vm, "isc-web", FALSE, &error));
	assert_error(error, ISC_ERROR_HOST, "not connected");
	assert_false(isc_vm_state(vm, "isc-web", &seen, &error));
	assert_error(error, ISC_ERROR_HOST, "not connected");
	assert_null(isc_vm_list(vm, &error));
	assert_error(error, ISC_ERROR_HOST, "not connected");
	assert_null(isc_vm_stats(vm, &error));
	assert_error(error, ISC_ERROR_HOST, "not connected");
	assert_null(isc_vm_xml(vm, "isc-web", &error));
	assert_error(error, ISC_ERROR_HOST, "not connected");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pid_comes_from_a_file_that_holds_one_and_nothing_else),
		cmocka_unit_test(without_a_connection_every_verb_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
