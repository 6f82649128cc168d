/* R4.2: what ran, logged in and failed, from the trail. */
#include "cm.h"

#include "cli/audit-report.h"

static void take(IscAuditReport *r, const gchar *line)
{
	IscTrailRecord record = { .line = line, .len = strlen(line) };
	isc_audit_report_take(&record, r);
}

static guint64 number(IscJson *json, const gchar *group, const gchar *name)
{
	return json_object_get_uint64(
			json_object_object_get(json_object_object_get(json, group), name));
}

static void everything_is_counted_once_and_under_its_name(void **state)
{
	(void)state;
	g_autoptr(IscAuditReport) r = isc_audit_report_new();
	static const gchar *const lines[] = {
		"type=SYSCALL msg=audit(1.000:1): success=yes uid=0 key=\"exec\"",
		"type=EXECVE msg=audit(1.000:1): argc=2 a0=\"sh\" a1=\"-c\"",
		"type=EOE msg=audit(1.000:1): ",
		"type=SYSCALL msg=audit(1.000:2): success=yes uid=0 key=\"exec\"",
		"type=EXECVE msg=audit(1.000:2): argc=1 a0=\"sh\"",
		"type=SYSCALL msg=audit(1.000:3): success=yes uid=0 key=\"exec\"",
		"type=EXECVE msg=audit(1.000:3): argc=1 a0=1B5B324A",
		"type=SYSCALL msg=audit(1.000:4): success=no uid=9 key=\"denied\"",
		"type=SYSCALL msg=audit(1.000:5): success=yes uid=9 key=\"priv\"",
		"type=SYSCALL msg=audit(1.000:6): success=no uid=9 key=\"priv\"",
		"type=USER_LOGIN msg=audit(1.000:7): pid=1 uid=0 msg='op=login res=failed'",
		"type=USER_LOGIN msg=audit(1.000:8): pid=1 uid=0 msg='op=login res=success'",
		"type=LOGIN msg=audit(1.000:9): pid=1 uid=0 old-auid=4294967295 auid=0 res=1",
		"no record",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++)
		take(r, lines[i]);
	g_autoptr(IscJson) counts = isc_audit_report_finish(r, 1);
	assert_int_equal(number(counts, "commands", "run"), 3);
	assert_int_equal(number(counts, "commands", "distinct"), 2);
	IscJson *top = json_object_object_get(json_object_object_get(counts, "commands"), "top");
	assert_int_equal(json_object_array_length(top), 1);
	IscJson *first = json_object_array_get_idx(top, 0);
	assert_string_equal(json_object_get_string(json_object_object_get(first, "command")), "sh");
	assert_int_equal(json_object_get_int(json_object_object_get(first, "count")), 2);
	assert_int_equal(number(counts, "logins", "good"), 1);
	assert_int_equal(number(counts, "logins", "failed"), 1);
	assert_int_equal(number(counts, "logins", "sessions"), 1);
	assert_int_equal(number(counts, "failures", "calls"), 2);
	assert_int_equal(number(counts, "failures", "acts"), 1);
	assert_int_equal(json_object_get_int(json_object_object_get(counts, "privilege-changes")),
			1);
	assert_int_equal(number(counts, "keys", "exec"), 3);
	assert_int_equal(number(counts, "types", "SYSCALL"), 6);
	assert_int_equal(number(counts, "types", "(no record)"), 1);
}

static void dropped_packets_are_counted_also_where_they_have_no_line(void **state)
{
	(void)state;
	g_autoptr(IscAuditReport) r = isc_audit_report_new();
	static const gchar *const lines[] = {
		"type=NETFILTER_PKT msg=audit(1.000:1): kind=mac rule=bridge/drop-mac\n",
		"type=NETFILTER_PKT msg=audit(1.000:2): kind=mac rule=bridge/drop-mac\n",
		"type=NETFILTER_PKT msg=audit(1.000:3): kind=ip rule=bridge/drop-ip\n",
		"type=DAEMON_CONFIG msg=audit(1.000:4): op=network-left-out kind=mac left-out=40\n",
		"type=DAEMON_ERR msg=audit(1.000:5): op=network-lost lines=7\n",
		"type=NETFILTER_PKT msg=audit(1.000:6): kind=exposed rule=inet/open\n",
		"type=DAEMON_CONFIG msg=audit(1.000:7): op=network-left-out kind=exposed "
		"left-out=9\n",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		const IscTrailRecord record = { .line = lines[i], .len = strlen(lines[i]) };
		isc_audit_report_take_packet(&record, r);
	}
	g_autoptr(IscJson) counts = isc_audit_report_finish(r, 1);
	assert_int_equal(number(counts, "network", "dropped"), 43);
	assert_int_equal(number(counts, "network", "logged"), 3);
	IscJson *kinds = json_object_object_get(json_object_object_get(counts, "network"), "kinds");
	assert_int_equal(json_object_get_int(json_object_object_get(kinds, "mac")), 42);
	assert_int_equal(json_object_get_int(json_object_object_get(kinds, "ip")), 1);
	assert_int_equal(json_object_object_length(kinds), 2);
	IscJson *accepted = json_object_object_get(
			json_object_object_get(counts, "network"), "accepted");
	assert_int_equal(json_object_get_int(json_object_object_get(accepted, "exposed")), 10);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_audit_report_print(out, counts);
	assert_non_null(strstr(out->str, "packets dropped: 43, 3 of them one by one on record"));
	assert_non_null(strstr(out->str, "connections let through, by kind:\n        10  exposed"));
}

static void names_of_the_guest_stay_off_the_terminal(void **state)
{
	(void)state;
	g_autoptr(IscAuditReport) r = isc_audit_report_new();
	take(r, "type=EXECVE msg=audit(1.000:3): argc=1 a0=1B5B324A0A78");
	take(r, "type=SYSCALL msg=audit(1.000:4): success=yes key=1B5B334A");
	g_autoptr(IscJson) counts = isc_audit_report_finish(r, 10);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_audit_report_print(out, counts);
	assert_null(strchr(out->str, '\033'));
	assert_non_null(strstr(out->str, "\\x1b[2J\\x0ax\n"));
}

static void the_end_is_the_last_block_and_how_its_hash_begins(void **state)
{
	(void)state;
	IscTrailReport report = { .last_block = 4711 };
	for (guint i = 0; i < sizeof report.head; i++)
		report.head[i] = (guint8)(i * 37 + 200);
	g_autofree gchar *text = isc_audit_end_print(&report);
	assert_string_equal(text, "4711:c8ed12375c81a6cb");
}

static void a_fault_is_told_in_full(void **state)
{
	(void)state;
	gchar detail[] = "because";
	IscTrailReport report = {
		.fault = ISC_TRAIL_REMOVED, .record = 7, .segment = 2, .detail = detail
	};
	g_autoptr(IscJson) json = isc_audit_trail_json(&report, "web");
	assert_false(json_object_get_boolean(json_object_object_get(json, "good")));
	assert_string_equal(
			json_object_get_string(json_object_object_get(json, "fault")), "removed");
	assert_string_equal(
			json_object_get_string(json_object_object_get(json, "detail")), "because");
	assert_int_equal(json_object_get_int(json_object_object_get(json, "record")), 7);
	assert_int_equal(json_object_get_int(json_object_object_get(json, "segment")), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_counted_once_and_under_its_name),
		cmocka_unit_test(dropped_packets_are_counted_also_where_they_have_no_line),
		cmocka_unit_test(names_of_the_guest_stay_off_the_terminal),
		cmocka_unit_test(the_end_is_the_last_block_and_how_its_hash_begins),
		cmocka_unit_test(a_fault_is_told_in_full),
	};
	return cmocka_run_group_tests_name("audit-report", tests, NULL, NULL);
}
