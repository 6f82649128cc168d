/* Files that come with a call: the caller's word for which is not believed. */
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cm.h"
#include "daemon/given.h"

static void takes_what_came(void **state)
{
	(void)state;
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
	assert_int_equal(g_unix_fd_list_append(fds, STDIN_FILENO, NULL), 0);
	isc_autofd int fd = isc_given_fd(fds, 0, "key file", NULL);
	assert_true(fd > STDERR_FILENO);
}

static void refuses_what_did_not(void **state)
{
	(void)state;
	static const gint32 handles[] = { 1, G_MAXINT32, -1, G_MININT32 };
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
	assert_int_equal(g_unix_fd_list_append(fds, STDIN_FILENO, NULL), 0);
	for (gsize i = 0; i < G_N_ELEMENTS(handles); i++) {
		g_autoptr(GError) why = NULL;
		assert_int_equal(isc_given_fd(fds, handles[i], "key file", &why), -1);
		assert_true(g_error_matches(why, ISC_ERROR, ISC_ERROR_INVALID));
		assert_string_equal(why->message, "'key file' did not come along");
	}
	g_autoptr(GError) why = NULL;
	assert_int_equal(isc_given_fd(NULL, 0, "key file", &why), -1);
	assert_non_null(why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_came),
		cmocka_unit_test(refuses_what_did_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
