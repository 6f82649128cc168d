/* PID 1's look at the service: node-images/init/health.c, against sockets of this test, on a clock
 * of its own. */
#include "cm.h"

#include <net/if.h>
#include <sys/ioctl.h>

#include "init/health.c" /* the code of PID 1 is in no library */

typedef struct {
	IscHealth health;
	IscNodeConf conf;
	int listener;
	int64_t now;
} Fix;

static int setup(void **state)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	Fix *f = g_new0(Fix, 1);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	(void)!ioctl(f->listener, SIOCSIFFLAGS, &lo); /* in a new network namespace it is down */
	if (bind(f->listener, (struct sockaddr *)&in, len) != 0 ||
			getsockname(f->listener, (struct sockaddr *)&in, &len) != 0)
		return -1;
	f->conf.health = ISC_HEALTH_TCP;
	f->conf.health_port = ntohs(in.sin_port);
	f->conf.health_path = "/up";
	f->conf.node = "web";
	f->now = 1000;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fix *f = *state;

	isc_health_stop(&f->health);
	close(f->listener);
	g_free(f);
	return 0;
}

/* One check from its time to its verdict; the peer of it answers with @reply. */
static IscHealthChange check(Fix *f, const gchar *reply)
{
	IscHealthChange change;

	f->now = f->health.next_ms;
	change = isc_health_step(&f->health, &f->conf, false, f->now);
	while (f->health.fd >= 0) {
		int peer = accept(f->listener, NULL, NULL);

		change = isc_health_step(&f->health, &f->conf, true, f->now);
		if (peer >= 0 && reply) {
			gchar request[256] = "";

			assert_true(recv(peer, request, sizeof request - 1, 0) > 0);
			assert_true(g_str_has_prefix(request, "GET /up HTTP/1.0\r\nHost: web\r\n"));
			assert_true(send(peer, reply, strlen(reply), 0) > 0);
		}
		if (peer >= 0)
			close(peer);
	}
	return change;
}

static void ready_when_the_port_opens(void **state)
{
	Fix *f = *state;

	isc_health_start(&f->health, &f->conf, f->now);
	for (guint i = 0; i < 10; i++)
		assert_int_equal(check(f, NULL), ISC_HEALTH_SAME);
	/* quick at first, then once a second */
	assert_in_range(f->health.next_ms - f->now, 900, 1000);
	listen(f->listener, 8);
	assert_int_equal(check(f, NULL), ISC_HEALTH_READY);
	assert_int_equal(f->health.next_ms - f->now, 5000);
	assert_int_equal(check(f, NULL), ISC_HEALTH_SAME);
}

static void three_failures_in_a_row_are_unhealthy(void **state)
{
	Fix *f = *state;

	f->conf.health = ISC_HEALTH_HTTP;
	listen(f->listener, 8);
	isc_health_start(&f->health, &f->conf, f->now);
	assert_int_equal(check(f, "HTTP/1.1 503 no\r\n"), ISC_HEALTH_SAME);
	assert_int_equal(check(f, "HTTP/1.1 200 OK\r\n"), ISC_HEALTH_READY);
	assert_int_equal(check(f, "HTTP/1.1 500 no\r\n"), ISC_HEALTH_SAME);
	assert_int_equal(check(f, "nonsense, and not HTTP"), ISC_HEALTH_SAME);
	assert_int_equal(check(f, "HTTP/1.0 302 there\r\n"),
			ISC_HEALTH_SAME); /* holds: from the start again */
	assert_int_equal(check(f, "HTTP/1.1 404 no\r\n"), ISC_HEALTH_SAME);
	assert_int_equal(check(f, "HTTP"), ISC_HEALTH_SAME);
	assert_int_equal(check(f, "HTTP/1.1 500 no\r\n"), ISC_HEALTH_UNHEALTHY);
	assert_int_equal(check(f, "HTTP/1.1 500 no\r\n"), ISC_HEALTH_SAME);
	assert_int_equal(check(f, "HTTP/1.1 204 OK\r\n"), ISC_HEALTH_READY);
}

static void a_service_that_does_not_answer_fails_in_time(void **state)
{
	Fix *f = *state;

	f->conf.health = ISC_HEALTH_HTTP;
	listen(f->listener, 8);
	isc_health_start(&f->health, &f->conf, f->now);
	f->now = f->health.next_ms;
	isc_health_step(&f->health, &f->conf, false, f->now);
	assert_true(f->health.fd >= 0);
	isc_health_step(&f->health, &f->conf, true, f->now); /* connected, asked */
	assert_int_equal(isc_health_deadline(&f->health), f->now + 2000);
	isc_health_step(&f->health, &f->conf, true, f->now); /* woken for nothing */
	assert_true(f->health.fd >= 0);
	isc_health_step(&f->health, &f->conf, false, f->now + 2000);
	assert_true(f->health.fd < 0);
	assert_true(isc_health_deadline(&f->health) > f->now + 2000);
}

static void without_health_nothing_is_ever_due(void **state)
{
	Fix *f = *state;

	f->conf.health = ISC_HEALTH_NONE;
	isc_health_start(&f->health, &f->conf, f->now);
	assert_int_equal(isc_health_deadline(&f->health), 0);
	assert_int_equal(isc_health_step(&f->health, &f->conf, false, f->now + 9999),
			ISC_HEALTH_SAME);
}

int main(void)
{
#define HEALTH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		HEALTH(ready_when_the_port_opens),
		HEALTH(three_failures_in_a_row_are_unhealthy),
		HEALTH(a_service_that_does_not_answer_fails_in_time),
		HEALTH(without_health_nothing_is_ever_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
