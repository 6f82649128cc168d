/* R1.1 to R1.4: rules as people write them. */
#include "cm.h"

#include "model/rules.h"

static void a_good_expose_prints_its_canonical_form(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *canonical;
	} cases[] = {
		{ "8080:80", "tcp:8080:80" },
		{ "tcp:8080:80", "tcp:8080:80" },
		{ "udp:5000-5010:5000-5010", "udp:5000-5010:5000-5010" },
		{ "7000-7000:70", "tcp:7000:70" },
		{ "192.0.2.7:443:8443", "tcp:192.0.2.7:443:8443" },
		{ "udp:192.0.2.7:53:5353", "udp:192.0.2.7:53:5353" },
		{ "65280-65535:1-256", "tcp:65280-65535:1-256" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		IscExpose e, again;
		gboolean ok = isc_expose_parse(cases[i].text, &e, &error);
		assert_no_error(error);
		assert_true(ok);
		g_autofree gchar *printed = isc_expose_print(&e);
		assert_string_equal(printed, cases[i].canonical);
		assert_true(isc_expose_parse(printed, &again, NULL));
		assert_int_equal(again.host_last, e.host_last);
		assert_int_equal(again.outside, e.outside);
	}
}

static void a_bad_expose_is_refused_with_text_and_position(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *why;
	} cases[] = {
		{ "", "position 1: empty" },
		{ "80", "'80', position 3: ':' and a port of the node" },
		{ "80:", "position 4: port expected" },
		{ "0:80", "position 1: port must be 1 to 65535" },
		{ "65536:80", "position 1" },
		{ "99999999999999999999:80", "position 1" },
		{ "080:80", "leading zero" },
		{ "-1:80", "position 1" },
		{ "80:80 ", "position 6: unexpected" },
		{ "icmp:80:80", "position 1" },
		{ "TCP:80:80", "position 1" },
		{ "90-80:90-80", "position 4: the range ends before" },
		{ "80-90:80", "equally long (11 and 1 ports)" },
		{ "1-257:1-257", "at most 256" },
		{ "1.2.3:80:80", "four numbers" },
		{ "1.2.3.256:80:80", "position 7" },
		{ "0.0.0.0:80:80", "leave the address out" },
		{ "80:80;flush ruleset", "position 6" },
		{ "80:80\n", "80:80\\x0a" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		GError *error = NULL;
		IscExpose e;
		assert_false(isc_expose_parse(cases[i].text, &e, &error));
		assert_error(error, ISC_ERROR_INVALID, cases[i].why);
	}
}

static void a_good_egress_prints_its_canonical_form(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *canonical;
	} cases[] = {
		{ "deny", "deny" },
		{ "open", "open" },
		{ "tcp:203.0.113.0/24:443", "tcp:203.0.113.0/24:443" },
		{ "udp:198.51.100.7:53", "udp:198.51.100.7:53" },
		{ "udp:198.51.100.7/32:53-53", "udp:198.51.100.7:53" },
		{ "tcp:0.0.0.0/0:1-65535", "tcp:0.0.0.0/0:1-65535" },
		{ "icmp", "icmp:0.0.0.0/0" },
		{ "icmp:10.0.0.0/8", "icmp:10.0.0.0/8" },
		{ "node:db1:tcp/5432", "node:db1:tcp/5432" },
		{ "node:db-2:udp/1-9", "node:db-2:udp/1-9" },
		{ "group:shop:tcp/80", "group:shop:tcp/80" },
		{ "host:deb.example.org:tcp/443", "host:deb.example.org:tcp/443" },
		{ "host:x1-y.a.b:udp/1-16", "host:x1-y.a.b:udp/1-16" },
		{ "group:shop:udp/5-5", "group:shop:udp/5" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		IscEgress e;
		gboolean ok = isc_egress_parse(cases[i].text, &e, &error);
		assert_no_error(error);
		assert_true(ok);
		g_autofree gchar *printed = isc_egress_print(&e);
		assert_string_equal(printed, cases[i].canonical);
	}
}

static void a_bad_egress_is_refused_with_text_and_position(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *why;
	} cases[] = {
		{ "opens", "position 1" },
		{ "tcp", "position 1" },
		{ "tcp:203.0.113.5/24:443", "position 5: this network begins at 203.0.113.0/24" },
		{ "tcp:203.0.113.0/33:443", "position 17" },
		{ "tcp:203.0.113.0/24", "position 19: ':' and a port" },
		{ "tcp:203.0.113.0/24:0", "position 20" },
		{ "tcp:deb.example.org:443", "position 5" },
		{ "tcp:::1:443", "position 5" },
		{ "icmp:", "position 6" },
		{ "icmpv6", "position 5" },
		{ "icmp:10.0.0.0/8:1", "position 16" },
		{ "node:../etc:tcp/1", "position 6: no node name" },
		{ "node:Db:tcp/1", "position 6" },
		{ "host:localhost:tcp/80", "position 6: no full host name" },
		{ "host:192.0.2.1:tcp/80", "position 6" },
		{ "host:Deb.example.org:tcp/80", "position 6" },
		{ "host:deb.example.org.:tcp/80", "position 6" },
		{ "host:a..b:tcp/80", "position 6" },
		{ "host:-a.b:tcp/80", "position 6" },
		{ "host:a.b\"};tcp/80", "position 6" },
		{ "host:a.example.org:tcp/1-17",
				"position 24: a rule names at most 16 ports of a host" },
		{ "host:a.example.org:443", "position 20: tcp/PORT" },
		{ "group:Shop:tcp/80", "position 7: no group name" },
		{ "group:shop", "position 11: ':' and tcp/PORT" },
		{ "group:shop:80", "position 12: tcp/PORT or udp/PORT" },
		{ "group:shop:tcp/0", "position 16" },
		{ "node:db1", "position 9" },
		{ "node:db1:icmp", "position 10" },
		{ "node:db1:tcp/5432 accept", "position 18" },
		{ "node:db1:tcp/1-257", "position 14: a rule names at most 256" },
	};

	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		GError *error = NULL;
		IscEgress e;
		assert_false(isc_egress_parse(cases[i].text, &e, &error));
		assert_error(error, ISC_ERROR_INVALID, cases[i].why);
	}
	GError *error = NULL;
	IscEgress e;
	g_autofree gchar *endless = g_strnfill(100000, '1');
	assert_false(isc_egress_parse(endless, &e, &error));
	assert_error(error, ISC_ERROR_INVALID, "longer than");
}

static void a_list_refuses_one_port_twice_and_deny_beside_others(void **state)
{
	(void)state;
	GError *error = NULL;
	const gchar *twice[] = { "80-90:80-90", "tcp:192.0.2.1:85:85", NULL };
	const gchar *apart[] = { "80:80", "udp:80:80", "192.0.2.1:81:1", "192.0.2.2:81:1", NULL };
	const gchar *contrary[] = { "deny", "open", NULL };

	assert_null(isc_expose_parse_list(twice, &error));
	assert_error(error, ISC_ERROR_INVALID, "'80-90:80-90' has already");
	g_autoptr(GArray) good = isc_expose_parse_list(apart, &error);
	assert_no_error(error);
	assert_int_equal(good->len, 4);
	assert_null(isc_egress_parse_list(contrary, &error));
	assert_error(error, ISC_ERROR_INVALID, "'deny' stands beside");
	g_autoptr(GArray) none = isc_egress_parse_list(NULL, &error);
	assert_int_equal(none->len, 0);
}

static void nets_contain_what_lies_in_them(void **state)
{
	(void)state;
	IscNet all, ten, host, other;
	assert_true(isc_net_parse("0.0.0.0/0", &all, NULL));
	assert_true(isc_net_parse("10.0.0.0/8", &ten, NULL));
	assert_true(isc_net_parse("10.1.2.3", &host, NULL));
	assert_true(isc_net_parse("11.0.0.0/9", &other, NULL));
	assert_true(isc_net_contains(&all, &ten));
	assert_true(isc_net_contains(&ten, &host));
	assert_true(isc_net_contains(&ten, &ten));
	assert_false(isc_net_contains(&ten, &all));
	assert_false(isc_net_contains(&ten, &other));
	assert_int_equal(isc_net_last(&ten), 0x0affffff);
	assert_int_equal(isc_net_last(&all), 0xffffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_expose_prints_its_canonical_form),
		cmocka_unit_test(a_bad_expose_is_refused_with_text_and_position),
		cmocka_unit_test(a_good_egress_prints_its_canonical_form),
		cmocka_unit_test(a_bad_egress_is_refused_with_text_and_position),
		cmocka_unit_test(a_list_refuses_one_port_twice_and_deny_beside_others),
		cmocka_unit_test(nets_contain_what_lies_in_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
