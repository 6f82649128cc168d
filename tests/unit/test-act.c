/* R4.4: the dock's own acts are on record, secrets masked (T28). */
#include "cm.h"

#include "cli/audit-act.h"
#include "cli/audit.h"
#include "daemon/act.h"

static void arguments_are_one_line_without_secrets(void **state)
{
	(void)state;
	static const struct {
		const gchar *method, *params, *shown;
	} cases[] = {
		{ "Enable", "({'dry-run': <true>, 'timeout': <uint32 5>},)",
				"{'dry-run': true, 'timeout': 5}" },
		{ "Quarantine", "('an \\'odd\\' reason', @a{sv} {})", "'an 'odd' reason', {}" },
		{ "Expose", "(['80:80', '81:81'], @a{sv} {})", "['80:80', '81:81'], {}" },
		{ "Any", "({'Passphrase': <'x'>, 'api-key': <'y'>, 'n': <1>},)",
				"{'Passphrase': ***, 'api-key': ***, 'n': 1}" },
		{ "Any", "('\x1b[2J',)", "'\\x1b[2J'" },
		{ "ImportImage", "({'root': @h 0},)", "{'root': (file)}" },
		{ "Provision", "('no node file\\nEnv=A=hunter2\\n', @a{sv} {})",
				"(27 bytes of text, hash 1c1b1da0e4a5fd76), {}" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(GVariant) params =
				g_variant_parse(NULL, cases[i].params, NULL, NULL, &error);
		assert_no_error(error);
		g_autofree gchar *shown = isc_act_arguments(cases[i].method, params);
		if (!strstr(cases[i].shown, "hash"))
			assert_string_equal(shown, cases[i].shown);
		assert_null(strstr(shown, "hunter2"));
		assert_null(strchr(shown, '\n'));
	}
}

static void a_node_file_is_shown_without_its_environment(void **state)
{
	(void)state;
	g_autoptr(GVariant) params = g_variant_ref_sink(g_variant_new("(sa{sv})",
			"[Node]\nName=web\nImage=nginx\n[Service]\nEnv=PASSWORD=hunter2\n", NULL));
	g_autofree gchar *shown = isc_act_arguments("Provision", params);
	assert_non_null(strstr(shown, "Name=web"));
	assert_non_null(strstr(shown, "1 of environment"));
	assert_null(strstr(shown, "hunter2"));
}

static void arguments_are_bounded(void **state)
{
	(void)state;
	g_autofree gchar *many = g_strnfill(100000, 'x');
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE("as"));
	for (guint i = 0; i < 100; i++)
		g_variant_builder_add(&b, "s", many);
	g_autoptr(GVariant) params = g_variant_ref_sink(g_variant_new("(as)", &b));
	g_autofree gchar *shown = isc_act_arguments("Any", params);
	assert_true(strlen(shown) < 2100);
}

static void values_cannot_end_their_field_or_line(void **state)
{
	(void)state;
	static const struct {
		const gchar *text, *value;
	} cases[] = {
		{ "web", "\"web\"" },
		{ "a b", "612062" },
		{ "a' res=success", "612720"
				    "7265733D73756363657373" },
		{ "\"", "22" },
		{ "\n", "0A" },
		{ "\xc3\xa9", "C3A9" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree gchar *value = isc_act_value(cases[i].text, 100);
		assert_string_equal(value, cases[i].value);
	}
	g_autofree gchar *cut = isc_act_value("abcdef", 3);
	assert_string_equal(cut, "\"abc\"");
}

/* What the daemon writes is what isc-vm shows. */
static void acts_are_shown_as_lines(void **state)
{
	(void)state;
	static const struct {
		const gchar *record, *shown; /* NULL: no act */
	} cases[] = {
		{ "type=USER_CMD msg=audit(1700000000.123:4): pid=1 uid=1000 msg='op=call "
		  "api=Dock1.Node.Enable roles=operator vm=\"web\" cmd=7B7D20 order=7 ms=3 "
		  "data=612062 res=failed'",
				"uid=1000  call Dock1.Node.Enable web ({} ) order 7: failed: a b" },
		{ "type=VIRT_CONTROL msg=audit(1700000000.123:5): pid=1 uid=0 msg='virt=qemu "
		  "op=enable reason=begun vm=\"web\" order=7 cmd=2B2061 res=success'",
				"uid=0  order 7 enable web begun: + a" },
		{ "type=USYS_CONFIG msg=audit(1700000000.123:6): pid=1 uid=9 msg='op=step order=7 "
		  "step=1 of=2 vm=\"web\" cmd=\"x\" res=success'",
				"uid=9  order 7 step 1/2 web: x" },
		{ "type=USYS_CONFIG msg=audit(1700000000.123:7): pid=1 uid=9 msg='op=decision "
		  "vm=\"web\" rule=max-nodes data=\"no\" res=failed'",
				"uid=9  decision web rule max-nodes: failed: no" },
		{ "type=USYS_CONFIG msg=audit(1700000000.123:8): pid=1 uid=9 msg='op=event "
		  "kind=node.drift level=alarm seq=3 vm=\"web\" cmd=1B5B324A res=failed'",
				"uid=9  event node.drift alarm: \\x1b[2J" },
		{ "type=EXECVE msg=audit(1700000000.123:9): argc=1 a0=\"x\"", NULL },
	};
	IscAudit *audit = isc_audit_new();
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscJson) record =
				isc_audit_parse(audit, cases[i].record, strlen(cases[i].record));
		g_autofree gchar *shown = isc_audit_act_text(record);
		if (!cases[i].shown) {
			assert_null(shown);
			continue;
		}
		assert_non_null(shown);
		assert_string_equal(strstr(shown, "uid="), cases[i].shown);
	}
	isc_audit_free(audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_one_line_without_secrets),
		cmocka_unit_test(a_node_file_is_shown_without_its_environment),
		cmocka_unit_test(arguments_are_bounded),
		cmocka_unit_test(values_cannot_end_their_field_or_line),
		cmocka_unit_test(acts_are_shown_as_lines),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
