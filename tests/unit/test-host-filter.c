/* R9.2. */
#include "netns.h"

#include "engine/host-filter.h"
#include "golden.h"
#include "render/host-filter.h"

static void apply(guint seconds)
{
	GError *error = NULL;
	g_autofree gchar *text = isc_host_filter_render("tcp:22", "wan", seconds, &error);
	assert_no_error(error);
	gboolean ok = isc_host_filter_run(text, &error);
	assert_no_error(error);
	assert_true(ok);
}

static IscHostFilterView view(void)
{
	GError *error = NULL;
	IscHostFilterView v;
	assert_true(isc_host_filter_read(&v, &error));
	return v;
}

static void the_rules_read_as_agreed(void **state)
{
	(void)state;
	g_autofree gchar *text = isc_host_filter_render(
			"tcp:22  udp:68 tcp:8000-8010 icmp", "wan", 60, NULL);
	assert_golden("nft/host-filter.nft", text);
	g_autofree gchar *good = isc_host_filter_render("", "wan", 0, NULL);
	assert_null(strstr(good, "timeout 6"));
}

static void bad_words_are_named(void **state)
{
	static const gchar *const bad[] = { "tcp", "tcp:", "tcp:0", "tcp:65536", "tcp:9-8",
		"tcp:1-2-3", "tcp:22;accept", "ssh", "udp:68,67", "tcp:+22", "icmp:8" };
	(void)state;
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *words = g_strconcat("tcp:22 ", bad[i], NULL);
		assert_false(isc_host_filter_check(words, &error));
		assert_error(error, ISC_ERROR_INVALID, bad[i]);
	}
	g_autoptr(GError) error = NULL;
	assert_null(isc_host_filter_render("tcp:22", "wan\" accept", 0, &error));
	assert_error(error, ISC_ERROR_INVALID, "no name of a network interface");
}

static void a_trial_ends_by_itself(void **state)
{
	(void)state;
	assert_int_equal(view().state, ISC_HOST_FILTER_OFF);
	assert_false(view().stands);
	apply(1);
	assert_int_equal(view().state, ISC_HOST_FILTER_TRIAL);
	for (guint i = 0; i < 40 && view().state == ISC_HOST_FILTER_TRIAL; i++)
		g_usleep(100 * 1000);
	assert_int_equal(view().state, ISC_HOST_FILTER_OFF);
	assert_true(view().stands);
}

static void what_is_confirmed_stays(void **state)
{
	GError *error = NULL;
	(void)state;
	apply(1);
	assert_true(isc_host_filter_run(isc_host_filter_render_confirm(), &error));
	g_usleep(1500 * 1000);
	assert_int_equal(view().state, ISC_HOST_FILTER_ON);
	apply(30); /* over one that is confirmed */
	assert_int_equal(view().state, ISC_HOST_FILTER_TRIAL);
	assert_in_range(view().seconds, 25, 30);
	assert_true(isc_host_filter_run(isc_host_filter_render_delete(), &error));
	assert_false(view().stands);
	assert_true(isc_host_filter_run(isc_host_filter_render_delete(), &error));
	assert_false(isc_host_filter_run(isc_host_filter_render_confirm(), &error));
	assert_error(error, ISC_ERROR_HOST, "nft");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_read_as_agreed),
		cmocka_unit_test(bad_words_are_named),
		cmocka_unit_test(a_trial_ends_by_itself),
		cmocka_unit_test(what_is_confirmed_stays),
	};
	if (!netns_enter()) {
		puts("ok 1 - the host filter # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
