/* R6.5: is a node ready?. */
#include "cm.h"
#include "collector/probe.h"

static void a_status_line_is_read_and_nothing_else(void **state)
{
	(void)state;
	static const struct {
		const gchar *bytes;
		gint status;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nServer: x\r\n", 200 },
		{ "HTTP/1.0 404 \n", 404 },
		{ "HTTP/1.1 599\n", 599 },
		{ "HTTP/1.1 100\r", 100 },
		{ "HTTP/1.1 099 x", -1 },
		{ "HTTP/1.1 600 x", -1 },
		{ "HTTP/1.1 2000 x", -1 },
		{ "HTTP/1.1  200 x", -1 },
		{ "HTTP/1.x 200 x", -1 },
		{ "HTTP/2.0 200 x", -1 },
		{ "http/1.1 200 x", -1 },
		{ "\r\nHTTP/1.1 200 x", -1 },
		{ "HTTP/1.1 20", 0 },
		{ "HTTP/1.1 200", 0 },
		{ "HTTP", 0 },
		{ "SSH-2.0-OpenSSH", -1 },
		{ "H\n", -1 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		gsize len = strlen(cases[i].bytes);
		g_autofree gchar *copy = g_memdup2(cases[i].bytes, len);
		if (isc_probe_parse(copy, len) != cases[i].status)
			fail_msg("'%s'", cases[i].bytes);
	}
}

static void a_target_cannot_end_its_line(void **state)
{
	(void)state;
	g_autofree gchar *longest = g_strnfill(127, '/'), *longer = g_strnfill(128, '/');
	assert_true(isc_probe_target_is_valid("/"));
	assert_true(isc_probe_target_is_valid("/health?x=1"));
	assert_true(isc_probe_target_is_valid(longest));
	static const gchar *const bad[] = { "", "health", "/a b", "/a\r\nHost: x", "/\303\244",
		"/\177" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(isc_probe_target_is_valid(bad[i]));
	assert_false(isc_probe_target_is_valid(longer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_line_is_read_and_nothing_else),
		cmocka_unit_test(a_target_cannot_end_its_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
