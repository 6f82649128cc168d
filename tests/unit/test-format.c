#include "cm.h"

#include "forward/format.h"
#include "forward/positions.h"

static void records_are_messages_of_their_format(void **state)
{
	(void)state;
	static const gchar line[] = "type=EXECVE msg=audit(1.000:1): a0=\"\xff]\"";
	IscTrailRecord r = { .number = 7,
		.time = 1700000000123456,
		.session = 0xab,
		.type = 1309,
		.line = line,
		.len = sizeof line - 1 };
	const struct {
		IscForwardFormat format;
		IscForwardKind kind;
		gboolean framed;
		const gchar *head;
	} cases[] = {
		{ ISC_FORMAT_RFC5424, ISC_FORWARD_AUDIT, FALSE,
				"<182>1 2023-11-14T22:13:20.123456Z host isc-dock - audit "
				"[isc@32473 node=\"web\" record=\"7\" "
				"session=\"00000000000000ab\"] " },
		{ ISC_FORMAT_BARE, ISC_FORWARD_AUDIT, TRUE,
				"98 <182>1 2023-11-14T22:13:20.123456Z host isc-dock - audit - " },
		{ ISC_FORMAT_RFC5424, ISC_FORWARD_PACKETS, FALSE,
				"<181>1 2023-11-14T22:13:20.123456Z host isc-dock - packet "
				"[isc@32473 node=\"web\" record=\"7\" "
				"session=\"00000000000000ab\"] " },
		{ ISC_FORMAT_RFC5424, ISC_FORWARD_LOGS, FALSE,
				"<31>1 2023-11-14T22:13:20.123456Z host isc-dock - log "
				"[isc@32473 node=\"web\" record=\"7\" stream=\"?\"] " },
		{ ISC_FORMAT_JOURNAL, ISC_FORWARD_LOGS, FALSE,
				"PRIORITY=7\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=isc-dock\n"
				"ISC_KIND=log\nISC_NODE=web\nISC_RECORD=7\nISC_STREAM=?\n"
				"SYSLOG_TIMESTAMP=1700000000.123456\nMESSAGE=" },
		{ ISC_FORMAT_JOURNAL, ISC_FORWARD_AUDIT, FALSE,
				"PRIORITY=6\nSYSLOG_FACILITY=22\nSYSLOG_IDENTIFIER=isc-dock\n"
				"ISC_KIND=audit\nISC_NODE=web\nISC_RECORD=7\nISC_SESSION="
				"00000000000000ab\n"
				"ISC_AUDIT_TYPE=1309\nSYSLOG_TIMESTAMP=1700000000."
				"123456\nMESSAGE=" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		IscForwardStyle style = { cases[i].format, { 22, 22, 22, 3 }, { 6, 6, 5, 7 },
			"host" };
		g_autoptr(GString) out = g_string_new(NULL);
		isc_forward_print(out, &style, cases[i].kind, "web", &r, cases[i].framed);
		gsize head = strlen(cases[i].head);
		assert_true(g_str_has_prefix(out->str, cases[i].head));
		assert_memory_equal(out->str + head, line, sizeof line - 1);
		if (cases[i].framed)
			assert_int_equal(atoi(out->str), out->len - 3);
	}
}

static void complaints_of_the_collector_are_warnings(void **state)
{
	(void)state;
	IscTrailRecord r = { .flags = ISC_RECORD_DOCK, .type = 1209, .line = "", .len = 0 };
	IscForwardStyle style = { ISC_FORMAT_BARE, { 22, 22, 22, 22 }, { 6, 6, 6, 6 }, "host" };
	g_autoptr(GString) out = g_string_new(NULL);
	isc_forward_print(out, &style, ISC_FORWARD_ACTS, "web", &r, FALSE);
	assert_true(g_str_has_prefix(out->str, "<180>1 "));
}

static void names_of_syslog_are_known(void **state)
{
	(void)state;
	guint n;
	IscForwardFormat format;
	assert_true(isc_forward_facility_parse("local6", &n) && n == 22);
	assert_true(isc_forward_facility_parse("daemon", &n) && n == 3);
	assert_true(isc_forward_level_parse("warning", &n) && n == 4);
	assert_true(isc_forward_format_parse("journal", &format) && format == ISC_FORMAT_JOURNAL);
	assert_false(isc_forward_facility_parse("local8", &n));
	assert_false(isc_forward_level_parse("loud", &n));
	assert_false(isc_forward_format_parse("", &format));
}

static void each_kind_may_have_a_value_of_its_own(void **state)
{
	(void)state;
	guint n[ISC_N_FORWARD_KINDS];
	gboolean kinds[ISC_N_FORWARD_KINDS];
	gchar *bad = NULL;
	assert_true(isc_forward_values_parse(
			"logs:debug info  packets:notice", isc_forward_level_parse, n, &bad));
	assert_int_equal(n[ISC_FORWARD_AUDIT], 6);
	assert_int_equal(n[ISC_FORWARD_ACTS], 6);
	assert_int_equal(n[ISC_FORWARD_PACKETS], 5);
	assert_int_equal(n[ISC_FORWARD_LOGS], 7);
	static const gchar *const wrong[] = { "loud", "info log:debug", "info logs:loud",
		"info logs:", "info :debug", "logs:debug", "" };
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		assert_false(isc_forward_values_parse(wrong[i], isc_forward_level_parse, n, &bad));
		assert_non_null(bad);
		g_clear_pointer(&bad, g_free);
	}
	assert_true(isc_forward_kinds_parse("logs  audit", kinds, &bad));
	assert_true(kinds[ISC_FORWARD_AUDIT] && kinds[ISC_FORWARD_LOGS]);
	assert_false(kinds[ISC_FORWARD_ACTS] || kinds[ISC_FORWARD_PACKETS]);
	assert_false(isc_forward_kinds_parse("logs everything", kinds, &bad));
	assert_string_equal(bad, "everything");
	g_free(bad);
}

static void positions_are_read_as_they_were_written(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(GHashTable) all = isc_positions_parse("", 0, &error);
	const IscForwardPos web = { 3, 4096, 17, 2 }, dock = { 1, 0, 0, 0 };
	isc_positions_set(all, "web", &web);
	isc_positions_set(all, "@dock", &dock);
	isc_positions_set(all, "+@dock", &dock);
	isc_positions_set(all, "=web", &web);
	g_autofree gchar *text = isc_positions_print(all);
	g_autoptr(GHashTable) again = isc_positions_parse(text, strlen(text), &error);
	assert_no_error(error);
	assert_int_equal(g_hash_table_size(again), 4);
	const IscForwardPos *read = g_hash_table_lookup(again, "web");
	assert_true(read->segment == web.segment && read->block == web.block &&
			read->record == web.record && read->skipped == web.skipped);

	static const gchar *const bad[] = { "web", "web 0 1 2 3", "web 1 1 1", "../x 1 1 1 1",
		"=+x 1 1 1 1", "web 1 1 1 x", "web 1 1 1 1 1", "web 1 -1 1 1" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		assert_null(isc_positions_parse(bad[i], strlen(bad[i]), &error));
		assert_error(error, ISC_ERROR_INVALID, "line 1");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_messages_of_their_format),
		cmocka_unit_test(complaints_of_the_collector_are_warnings),
		cmocka_unit_test(names_of_syslog_are_known),
		cmocka_unit_test(each_kind_may_have_a_value_of_its_own),
		cmocka_unit_test(positions_are_read_as_they_were_written),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
