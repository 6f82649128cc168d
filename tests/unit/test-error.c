#include "cm.h"

#include <errno.h>
#include <gio/gio.h>

static void each_code_has_its_documented_exit_status(void **state)
{
	(void)state;
	static const struct {
		IscError code;
		int status;
		const gchar *name;
	} cases[] = {
		{ ISC_ERROR_FAILED, 1, "org.iscdock.Error.Failed" },
		{ ISC_ERROR_INVALID, 2, "org.iscdock.Error.Invalid" },
		{ ISC_ERROR_NOT_FOUND, 3, "org.iscdock.Error.NotFound" },
		{ ISC_ERROR_STATE, 4, "org.iscdock.Error.State" },
		{ ISC_ERROR_POLICY, 5, "org.iscdock.Error.Policy" },
		{ ISC_ERROR_AUTH, 6, "org.iscdock.Error.Auth" },
		{ ISC_ERROR_VERIFY, 7, "org.iscdock.Error.Verify" },
		{ ISC_ERROR_HOST, 8, "org.iscdock.Error.Host" },
		{ ISC_ERROR_TIMEOUT, 9, "org.iscdock.Error.Timeout" },
	};
	assert_int_equal(G_N_ELEMENTS(cases), ISC_N_ERRORS);
	isc_error_register_dbus();
	isc_error_register_dbus();
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = g_error_new_literal(ISC_ERROR, cases[i].code, "x");
		assert_int_equal(isc_error_exit_status(error), cases[i].status);
		assert_string_equal(isc_error_dbus_name(cases[i].code), cases[i].name);
		g_autofree gchar *sent = g_dbus_error_encode_gerror(error);
		assert_string_equal(sent, cases[i].name);
	}
	g_autoptr(GError) foreign = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_EXISTS, "x");
	assert_int_equal(isc_error_exit_status(foreign), 1);
}

static void a_full_disk_is_the_hosts_fault(void **state)
{
	(void)state;
	GError *error = NULL;
	assert_false(isc_error_set_errno(&error, ENOSPC, "cannot write '%s'", "x"));
	assert_error(error, ISC_ERROR_HOST, "cannot write 'x': No space left");
	assert_false(isc_error_set_errno(&error, EACCES, "cannot open"));
	assert_error(error, ISC_ERROR_FAILED, "cannot open: Permission denied");
	assert_false(isc_error_set_errno(NULL, EIO, "nobody listens"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_code_has_its_documented_exit_status),
		cmocka_unit_test(a_full_disk_is_the_hosts_fault),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
