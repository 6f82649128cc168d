/* R1.6: the host's own networks stay out of reach when they change. */
#include "netns.h"

#include "engine/address-watch.h"

static void on_change(gpointer data)
{
	++*(guint *)data;
}

static void spin(guint *seen, guint until, guint ms)
{
	gint64 end = g_get_monotonic_time() + ms * 1000;
	while (*seen < until && g_get_monotonic_time() < end) {
		g_main_context_iteration(NULL, FALSE);
		g_usleep(1000);
	}
}

static void addresses_that_come_and_go_are_told(void **state)
{
	(void)state;
	GError *error = NULL;
	guint seen = 0;
	g_autoptr(IscAddressWatch) watch = isc_address_watch_new(NULL, on_change, &seen, &error);

	assert_no_error(error);
	netns_run("ip link set lo up");
	spin(&seen, 1, 1000); /* 127.0.0.1 */
	assert_int_equal(seen, 1);
	netns_run("ip addr add 198.51.100.7/24 dev lo");
	spin(&seen, 2, 1000);
	assert_int_equal(seen, 2);
	netns_run("ip addr del 198.51.100.7/24 dev lo");
	spin(&seen, 3, 1000);
	assert_int_equal(seen, 3);
	spin(&seen, 4, 50);
	assert_int_equal(seen, 3);
}

static void who_makes_the_host_a_router_is_told_of(void **state)
{
	(void)state;
	GError *error = NULL;
	guint seen = 0;
	g_autoptr(IscAddressWatch) watch = isc_address_watch_new(NULL, on_change, &seen, &error);

	assert_no_error(error);
	assert_true(netns_write("/proc/sys/net/ipv4/ip_forward", "1"));
	spin(&seen, 1, 10000);
	assert_int_equal(seen, 1);
	assert_true(netns_write("/proc/sys/net/ipv4/ip_forward", "0"));
	spin(&seen, 2, 10000);
	assert_int_equal(seen, 2);
}

static void a_burst_is_told_once(void **state)
{
	(void)state;
	GError *error = NULL;
	guint seen = 0;
	g_autoptr(IscAddressWatch) watch = isc_address_watch_new(NULL, on_change, &seen, &error);

	assert_no_error(error);
	netns_run("ip addr add 198.51.100.8/24 dev lo");
	netns_run("ip addr del 198.51.100.8/24 dev lo");
	spin(&seen, 2, 200);
	assert_int_equal(seen, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_come_and_go_are_told),
		cmocka_unit_test(who_makes_the_host_a_router_is_told_of),
		cmocka_unit_test(a_burst_is_told_once),
	};
	if (!netns_enter()) {
		puts("ok 1 - the watch over addresses # SKIP no namespaces here");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
