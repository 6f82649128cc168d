/* R1.2: redirected ports that something of the host holds. */
#include "cm.h"

#include "engine/ports.h"

static const gchar tcp4[] = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
			    "retrnsmt   uid  timeout inode\n"
			    "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 "
			    "00000000     0        0 1 1\n"
			    "   1: 0100007F:0277 00000000:0000 0A 00000000:00000000 00:00000000 "
			    "00000000     0        0 2 1\n"
			    "   2: 070200C0:1F90 00000000:0000 0A 00000000:00000000 00:00000000 "
			    "00000000  1000        0 3 1\n"
			    "   3: 00000000:0050 010200C0:C001 01 00000000:00000000 00:00000000 "
			    "00000000     0        0 4 1\n";
static const gchar tcp6[] = "  sl  local_address                         remote_address            "
			    "            st tx_queue\n"
			    "   0: 00000000000000000000000000000000:01BB "
			    "00000000000000000000000000000000:0000 0A "
			    "00000000:00000000 00:00000000 00000000    33        0 5 1\n"
			    "   1: 0000000000000000FFFF0000070200C0:1F91 "
			    "00000000000000000000000000000000:0000 0A "
			    "00000000:00000000 00:00000000 00000000    34        0 6 1\n"
			    "   2: B80D0120000000000000000001000000:1F92 "
			    "00000000000000000000000000000000:0000 0A "
			    "00000000:00000000 00:00000000 00000000    35        0 7 1\n";

static guint find(const gchar *table, const gchar *rule, guint *uid)
{
	IscExpose e;
	assert_true(isc_expose_parse(rule, &e, NULL));
	return isc_ports_find(table, strlen(table), &e, uid);
}

static void a_listening_socket_takes_its_port(void **state)
{
	(void)state;
	guint uid = 99;

	assert_int_equal(find(tcp4, "22:22", &uid), 22);
	assert_int_equal(uid, 0);
	assert_int_equal(find(tcp4, "20-30:20-30", NULL), 22);
	assert_int_equal(find(tcp4, "8080:80", &uid), 8080);
	assert_int_equal(uid, 1000);
	assert_int_equal(find(tcp6, "443:443", &uid), 443); /* [::] takes IPv4, too */
	assert_int_equal(uid, 33);
	assert_int_equal(find(tcp6, "8081:80", NULL), 8081);
}

static void what_does_not_listen_there_takes_nothing(void **state)
{
	(void)state;
	assert_int_equal(find(tcp4, "80:80", NULL), 0);  /* connected, not listening */
	assert_int_equal(find(tcp4, "631:80", NULL), 0); /* loopback */
	assert_int_equal(find(tcp4, "23:80", NULL), 0);
	assert_int_equal(find(tcp4, "192.0.2.8:8080:80", NULL), 0); /* another address */
	assert_int_equal(find(tcp4, "192.0.2.7:8080:80", NULL), 8080);
	assert_int_equal(find(tcp6, "8082:80", NULL), 0); /* one IPv6 address */
	assert_int_equal(find(tcp4, "udp:22:22", NULL), 0);
	assert_int_equal(find("", "22:22", NULL), 0);
	assert_int_equal(find("garbage\n\n : : :\n", "22:22", NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listening_socket_takes_its_port),
		cmocka_unit_test(what_does_not_listen_there_takes_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
