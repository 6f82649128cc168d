/* R1.9: what was not logged is counted. */
#include "cm.h"
#include "cli/packets.h"

#define STAMP "msg=audit(1700000000.123:4000000007): "
#define PACKET "type=NETFILTER_PKT " STAMP "kind=mac rule=bridge/drop-mac saddr=10.77.0.2 dport=53"
#define NOTE                                                                                       \
	"type=DAEMON_CONFIG " STAMP                                                                \
	"op=network-left-out kind=dhcp left-out=40 lines=11 dropped=51 res=success"

static void a_line_is_a_packet_or_the_number_of_those_left_out(void **state)
{
	(void)state;
	IscPacketLine l;
	assert_true(isc_packet_line_parse(PACKET, strlen(PACKET), &l));
	assert_int_equal(l.time, 1700000000123000);
	assert_string_equal(l.kind, "mac");
	assert_false(l.is_note);
	assert_int_equal(isc_packet_line_count(&l), 1);
	assert_true(isc_packet_line_parse(NOTE, strlen(NOTE), &l));
	assert_string_equal(l.kind, "dhcp");
	assert_true(l.is_note);
	assert_int_equal(isc_packet_line_count(&l), 40);
	static const gchar lost[] = "type=DAEMON_ERR " STAMP "op=network-lost lines=9";
	assert_true(isc_packet_line_parse(lost, strlen(lost), &l));
	assert_string_equal(l.kind, "");
	assert_int_equal(isc_packet_line_count(&l), 0);
	assert_false(isc_packet_line_is_dropped(&l) || isc_packet_line_is_accepted(&l));
}

static void what_was_let_through_is_told_from_what_was_dropped(void **state)
{
	(void)state;
	static const struct {
		const gchar *line;
		gboolean is_accepted;
	} cases[] = {
		{ PACKET, FALSE },
		{ NOTE, FALSE },
		{ "type=NETFILTER_PKT " STAMP "kind=exposed rule=inet/open", TRUE },
		{ "type=NETFILTER_PKT " STAMP "kind=allowed rule=inet/allow", TRUE },
		{ "type=DAEMON_CONFIG " STAMP "op=network-left-out kind=exposed left-out=40",
				TRUE },
		{ "type=NETFILTER_PKT " STAMP "kind=egress rule=inet/drop-egress", FALSE },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscPacketLine l;
		assert_true(isc_packet_line_parse(cases[i].line, strlen(cases[i].line), &l));
		assert_int_equal(isc_packet_line_is_accepted(&l), cases[i].is_accepted);
		assert_int_equal(isc_packet_line_is_dropped(&l), !cases[i].is_accepted);
	}
}

static void other_lines_are_none(void **state)
{
	(void)state;
	static const gchar *const lines[] = { "", "type=NETFILTER_PKT", "type=DAEMON_",
		"type=EXECVE " STAMP "argc=1", "type=NETFILTER_PKT msg=audit(1700000000.123): x",
		"type=NETFILTER_PKT msg=audit(.1:2): x", "type=NETFILTER_PKT msg=audit(1.2:3):",
		"type=NETFILTER_PKT msg=audit(99999999999999999.1:2): x" };
	IscPacketLine l;
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
		assert_false(isc_packet_line_parse(lines[i], strlen(lines[i]), &l));
	/* Cut anywhere, nothing behind the end is looked at: the copy is of exactly that size. */
	for (gsize len = 0; len < strlen(PACKET); len++) {
		g_autofree gchar *copy = g_memdup2(PACKET, len);
		if (isc_packet_line_parse(copy, len, &l))
			assert_true(l.len <= len);
	}
}

static void as_json_numbers_are_numbers(void **state)
{
	(void)state;
	IscPacketLine l;
	assert_true(isc_packet_line_parse(PACKET, strlen(PACKET), &l));
	g_autoptr(IscJson) json = isc_packet_line_json(&l, "web");
	assert_string_equal(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
			"{\"node\":\"web\",\"time\":1700000000.123,\"kind\":\"mac\","
			"\"rule\":\"bridge\\/drop-mac\",\"saddr\":\"10.77.0.2\",\"dport\":53}");
}

static void nothing_in_a_line_reaches_the_terminal_as_an_order(void **state)
{
	(void)state;
	static const gchar evil[] = PACKET " x=\x1b[2J\x07";
	IscPacketLine l;
	assert_true(isc_packet_line_parse(evil, strlen(evil), &l));
	g_autofree gchar *text = isc_packet_line_text(&l, "web");
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\x07'));
	assert_non_null(strstr(text, "web"));
	assert_non_null(strstr(text, " mac "));
	assert_null(strstr(text, "kind="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_a_packet_or_the_number_of_those_left_out),
		cmocka_unit_test(what_was_let_through_is_told_from_what_was_dropped),
		cmocka_unit_test(other_lines_are_none),
		cmocka_unit_test(as_json_numbers_are_numbers),
		cmocka_unit_test(nothing_in_a_line_reaches_the_terminal_as_an_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
