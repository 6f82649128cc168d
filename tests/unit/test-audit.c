/* R4.2, T16, T36: the trail as it is shown. */
#include "cm.h"

#include "cli/audit.h"

#define STAMP "msg=audit(1700000000.123:45): "

static gchar *parse(const gchar *line)
{
	g_autoptr(IscAudit) audit = isc_audit_new();
	g_autoptr(IscJson) json = isc_audit_parse(audit, line, strlen(line));
	return g_strdup(json_object_to_json_string_ext(json, JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void records_become_objects_with_hex_decoded(void **state)
{
	(void)state;
	static const struct {
		const gchar *line, *json;
	} cases[] = {
		{ "type=EXECVE " STAMP "argc=3 a0=\"sh\" a1=6563686F2061 a2=\"\"",
				"{\"type\":\"EXECVE\",\"time\":1700000000.123,\"serial\":45,"
				"\"fields\":"
				"{\"argc\":\"3\",\"a0\":\"sh\",\"a1\":\"echo a\",\"a2\":\"\"},"
				"\"argv\":[\"sh\",\"echo a\",\"\"]}" },
		/* In quotes it is a text, even where it looks like hex. */
		{ "type=EXECVE " STAMP "argc=1 a0=\"6162\"",
				"{\"type\":\"EXECVE\",\"time\":1700000000.123,\"serial\":45,"
				"\"fields\":"
				"{\"argc\":\"1\",\"a0\":\"6162\"},\"argv\":[\"6162\"]}" },
		{ "type=EXECVE " STAMP "argc=2 a0=\"x\" a1_len=8 a1[0]=61622063 a1[1]=64652066",
				"{\"type\":\"EXECVE\",\"time\":1700000000.123,\"serial\":45,"
				"\"fields\":"
				"{\"argc\":\"2\",\"a0\":\"x\",\"a1_len\":\"8\",\"a1[0]\":\"ab "
				"c\",\"a1[1]\":"
				"\"de f\"},\"argv\":[\"x\",\"ab cde f\"]}" },
		{ "type=PROCTITLE " STAMP "proctitle=7368002D63006C73",
				"{\"type\":\"PROCTITLE\",\"time\":1700000000.123,\"serial\":45,"
				"\"fields\":"
				"{\"proctitle\":\"sh -c ls\"}}" },
		{ "type=EOE " STAMP, "{\"type\":\"EOE\",\"time\":1700000000.123,\"serial\":45,"
				     "\"fields\":{}}" },
		{ "type=USER_LOGIN " STAMP "pid=3 uid=0 auid=1000 msg='op=login acct=\"root\" "
		  "exe=\"/bin/login\" res=success'",
				"{\"type\":\"USER_LOGIN\",\"time\":1700000000.123,\"serial\":45,"
				"\"fields\":"
				"{\"pid\":\"3\",\"uid\":\"0\",\"auid\":\"1000\",\"op\":\"login\","
				"\"acct\":"
				"\"root\",\"exe\":\"/bin/login\",\"res\":\"success\"}}" },
		{ "no record at all", "{\"raw\":\"no record at all\"}" },
		{ "type=SYSCALL msg=audit(x.y:z): a=b",
				"{\"raw\":\"type=SYSCALL msg=audit(x.y:z): a=b\"}" },
		{ "", "{\"raw\":\"\"}" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree gchar *got = parse(cases[i].line);
		g_autoptr(IscJson) a = json_tokener_parse(got),
				   b = json_tokener_parse(cases[i].json);
		assert_non_null(b);
		if (!json_object_equal(a, b))
			fail_msg("%s\ngave   %s\nwanted %s", cases[i].line, got, cases[i].json);
	}
}

static void numbers_that_have_names_get_them_but_users_do_not(void **state)
{
	(void)state;
	g_autoptr(IscAudit) audit = isc_audit_new();
	const gchar *line = "type=SYSCALL " STAMP
			    "arch=c000003e syscall=59 success=yes uid=0 comm=\"sh\"";
	g_autoptr(IscJson) json = isc_audit_parse(audit, line, strlen(line));
	IscJson *names = json_object_object_get(json, "names");
	assert_string_equal(
			json_object_get_string(json_object_object_get(names, "syscall")), "execve");
	assert_string_equal(
			json_object_get_string(json_object_object_get(names, "arch")), "x86_64");
	assert_int_equal(json_object_object_length(names), 2);
	IscJson *fields = json_object_object_get(json, "fields");
	assert_string_equal(json_object_get_string(json_object_object_get(fields, "uid")), "0");
}

static void no_line_is_lost_or_breaks_the_json(void **state)
{
	(void)state;
	static const gchar *const lines[] = {
		"type=EXECVE " STAMP "a0=C3BF a1=FF00 a99999999999999999999=41 a5000=41 a-1=41",
		"type=EXECVE " STAMP "a1[=41 a1]=41 a=41 a0[0=41",
		"type=\xff\xfe " STAMP "x=1",
		"type=SYSCALL " STAMP "\xff=1 comm=\"\xff\"",
		"type=AVC " STAMP "avc: denied { read } for pid=1",
		"type=EXECVE " STAMP "a0=\"",
		"type=EXECVE " STAMP "a0=\"x a1=\"y",
		"type= " STAMP,
		"msg=audit(1:1):",
		"type=SYSCALL " STAMP "=====",
	};
	g_autoptr(IscAudit) audit = isc_audit_new();
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autoptr(IscJson) json = isc_audit_parse(audit, lines[i], strlen(lines[i]));
		const gchar *text = json_object_to_json_string(json);
		assert_true(g_utf8_validate(text, -1, NULL));
		g_autoptr(IscJson) back = json_tokener_parse(text);
		assert_non_null(back);
	}
	g_autoptr(IscJson) nul = isc_audit_parse(audit, "type=\0x", 7);
	assert_string_equal(
			json_object_get_string(json_object_object_get(nul, "raw")), "type=\\x00x");

	g_autofree gchar *twice = parse("type=SYSCALL " STAMP "pid=1 pid=2");
	assert_non_null(strstr(twice, "[ \"1\", \"2\" ]") ? twice : strstr(twice, "[\"1\",\"2\"]"));
}

static void on_command(IscJson *command, gpointer data)
{
	g_autofree gchar *text = isc_audit_command_text(command);
	g_string_append_printf(data, "%s\n", text);
}

static void feed(IscAudit *audit, GString *out, const gchar *const *lines)
{
	for (; *lines; lines++)
		isc_audit_feed(audit, *lines, strlen(*lines), on_command, out);
}

static void commands_are_put_together_from_their_records(void **state)
{
	(void)state;
	g_setenv("TZ", "UTC", TRUE);
	static const gchar *const lines[] = {
		/* two at once, on two CPUs; one of them in two records */
		"type=SYSCALL msg=audit(1700000000.123:45): syscall=59 success=yes uid=33 auid=1 "
		"pid=7 exe=\"/bin/sh\"",
		"type=SYSCALL msg=audit(1700000000.124:46): syscall=59 success=yes uid=0 pid=8 "
		"exe=\"/bin/ls\"",
		"type=EXECVE msg=audit(1700000000.123:45): argc=3 a0=\"sh\" a1=\"-c\"",
		"type=EXECVE msg=audit(1700000000.124:46): argc=1 a0=\"ls\"",
		"type=CWD msg=audit(1700000000.124:46): cwd=\"/\"",
		"type=EXECVE msg=audit(1700000000.123:45): a2=6563686F2061201B5B33316D",
		"type=PROCTITLE msg=audit(1700000000.123:45): proctitle=7368",
		"type=EOE msg=audit(1700000000.123:45): ",
		"type=EOE msg=audit(1700000000.124:46): ",
		/* a call that runs nothing */
		"type=SYSCALL msg=audit(1700000000.200:47): syscall=2 success=yes uid=5",
		"type=EOE msg=audit(1700000000.200:47): ",
		/* its SYSCALL record was lost */
		"type=EXECVE msg=audit(1700000001.000:48): argc=1 a0=\"id\"",
		NULL,
	};
	g_autoptr(IscAudit) audit = isc_audit_new();
	g_autoptr(GString) out = g_string_new(NULL);
	feed(audit, out, lines);
	assert_string_equal(out->str,
			"2023-11-14 22:13:20.124  uid=0  ls\n"
			"2023-11-14 22:13:20.123  uid=33  sh -c 'echo a \\x1b[31m'\n");
	g_string_truncate(out, 0);
	isc_audit_finish(audit, on_command, out);
	assert_string_equal(out->str, "2023-11-14 22:13:21.000  uid=?  id\n");
}

static void on_json(IscJson *command, gpointer data)
{
	IscJson *hex = NULL;
	g_string_append_printf(data, "%s",
			json_object_to_json_string_ext(json_object_object_get(command, "argv"),
					JSON_C_TO_STRING_PLAIN));
	if (json_object_object_get_ex(command, "argv-hex", &hex))
		g_string_append_printf(data, " %s",
				json_object_to_json_string_ext(hex, JSON_C_TO_STRING_PLAIN));
	g_string_append_c(data, '\n');
}

/* R4.1: one of 128 KiB comes in pieces, over several records, cut wherever it was. */
static void an_argument_in_pieces_is_one(void **state)
{
	(void)state;
	static const gchar *const lines[] = {
		"type=EXECVE msg=audit(1.000:1): argc=3 a0=\"x\" a1_len=14 a1[0]=68C3",
		"type=EXECVE msg=audit(1.000:1): a1[1]=A96C6C6F",
		"type=EXECVE msg=audit(1.000:1): a1[2]=20 a2=\"end\"",
		"type=EXECVE msg=audit(1.000:1): a3=FFFE a4=\"\\xff\"",
		/* what no kernel writes costs no memory */
		"type=EXECVE msg=audit(1.000:1): a4294967295=\"far\"",
		"type=EOE msg=audit(1.000:1): ",
		NULL,
	};
	g_autoptr(IscAudit) audit = isc_audit_new();
	g_autoptr(GString) out = g_string_new(NULL), json = g_string_new(NULL);
	feed(audit, out, lines);
	/* A byte, and its name in letters, are told apart. */
	assert_string_equal(out->str,
			"1970-01-01 00:00:01.000  uid=?  x 'h\u00e9llo ' end '\\xff\\xfe' "
			"'\\x5cxff' far\n");
	for (gsize i = 0; lines[i]; i++)
		isc_audit_feed(audit, lines[i], strlen(lines[i]), on_json, json);
	assert_string_equal(json->str, "[\"x\",\"h\u00e9llo \",\"end\",\"\\\\xff\\\\xfe\","
				       "\"\\\\xff\",\"far\"] {\"3\":\"fffe\"}\n");
}

static void records_that_never_end_do_not_pile_up(void **state)
{
	(void)state;
	g_autoptr(IscAudit) audit = isc_audit_new();
	g_autoptr(GString) out = g_string_new(NULL);
	for (guint i = 0; i < 1000; i++) {
		g_autofree gchar *line = g_strdup_printf(
				"type=EXECVE msg=audit(1.000:%u): argc=1 a0=\"x%u\"", i, i);
		isc_audit_feed(audit, line, strlen(line), on_command, out);
	}
	g_auto(GStrv) lines = g_strsplit(out->str, "\n", -1);
	assert_true(g_strv_length(lines) > 900);
	isc_audit_finish(audit, on_command, out);
	g_auto(GStrv) all = g_strsplit(g_strchomp(out->str), "\n", -1);
	assert_int_equal(g_strv_length(all), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_become_objects_with_hex_decoded),
		cmocka_unit_test(numbers_that_have_names_get_them_but_users_do_not),
		cmocka_unit_test(no_line_is_lost_or_breaks_the_json),
		cmocka_unit_test(commands_are_put_together_from_their_records),
		cmocka_unit_test(an_argument_in_pieces_is_one),
		cmocka_unit_test(records_that_never_end_do_not_pile_up),
	};
	return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
