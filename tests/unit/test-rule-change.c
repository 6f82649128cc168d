/* expose, unexpose, allow, deny: what they make of a node's rules. */
#include "cm.h"

#include "policy/rule-change.h"

static IscSpec *spec_with(const gchar *network)
{
	g_autofree gchar *text =
			g_strdup_printf("[Node]\nName=web\nImage=nginx\n[Network]\n%s", network);
	return isc_spec_parse("test", text, strlen(text), NULL);
}

#define EXPOSED                                                                                    \
	"Expose=tcp:8080:80\nExpose=udp:53:53\nEgress=tcp:192.0.2.1:443\nEgress=icmp:192.0.2.0/"   \
	"24\n"

static void a_change_names_only_what_changes_and_in_one_form(void **state)
{
	(void)state;
	static const struct {
		IscVerb verb;
		const gchar *texts[4], *want;
	} cases[] = {
		{ ISC_VERB_EXPOSE, { "8080:80" }, "" },
		{ ISC_VERB_EXPOSE, { "8080:80", "9000:90", "tcp:9000:90" }, "expose tcp:9000:90" },
		{ ISC_VERB_UNEXPOSE, { "8080:80" }, "unexpose tcp:8080:80" },
		{ ISC_VERB_ALLOW, { "open", "tcp:192.0.2.1/32:443" }, "allow open" },
		{ ISC_VERB_ALLOW, { "node:db:tcp/5432", "udp:0.0.0.0/0:1-9" },
				"allow node:db:tcp/5432 udp:0.0.0.0/0:1-9" },
		{ ISC_VERB_DENY, { "icmp:192.0.2.0/24", "tcp:192.0.2.1:443" },
				"deny icmp:192.0.2.0/24 tcp:192.0.2.1:443" },
	};
	g_autoptr(IscSpec) spec = spec_with(EXPOSED);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *got =
				isc_rule_change_plan(spec, cases[i].verb, cases[i].texts, &error);
		assert_no_error(error);
		assert_string_equal(got, cases[i].want);
	}
}

static void what_cannot_be_is_refused_by_name(void **state)
{
	(void)state;
	static const struct {
		IscVerb verb;
		const gchar *texts[3];
		IscError code;
		const gchar *what;
	} cases[] = {
		{ ISC_VERB_EXPOSE, { "8080" }, ISC_ERROR_INVALID, "8080" },
		{ ISC_VERB_EXPOSE, { NULL }, ISC_ERROR_INVALID, "which" },
		{ ISC_VERB_EXPOSE, { "8080:81" }, ISC_ERROR_STATE, "tcp:8080:80" },
		{ ISC_VERB_EXPOSE, { "90:90", "89-91:89-91" }, ISC_ERROR_STATE, "tcp:90:90" },
		{ ISC_VERB_UNEXPOSE, { "8081:80" }, ISC_ERROR_NOT_FOUND, "tcp:8081:80" },
		{ ISC_VERB_UNEXPOSE, { "8080:80", "8080:80" }, ISC_ERROR_NOT_FOUND, "udp:53:53" },
		{ ISC_VERB_ALLOW, { "deny" }, ISC_ERROR_INVALID, "deny" },
		{ ISC_VERB_ALLOW, { "group:shop:tcp/80" }, ISC_ERROR_INVALID, "is isolated" },
		{ ISC_VERB_DENY, { "open" }, ISC_ERROR_NOT_FOUND, "tcp:192.0.2.1:443" },
		{ ISC_VERB_DENY, { "deny" }, ISC_ERROR_INVALID, "deny" },
	};
	g_autoptr(IscSpec) spec = spec_with(EXPOSED);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree gchar *got =
				isc_rule_change_plan(spec, cases[i].verb, cases[i].texts, &error);
		assert_null(got);
		assert_error(error, cases[i].code, cases[i].what);
	}
}

static void a_node_has_so_many_rules_and_no_more(void **state)
{
	(void)state;
	const gchar *texts[ISC_RULES_MAX + 2] = { NULL };
	g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(IscSpec) spec = spec_with("");
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < ISC_RULES_MAX; i++) {
		texts[i] = g_strdup_printf("%u:80", 1000 + i);
		g_ptr_array_add(keep, (gpointer)texts[i]);
	}
	g_autofree gchar *full = isc_rule_change_plan(spec, ISC_VERB_EXPOSE, texts, &error);
	assert_no_error(error);
	texts[ISC_RULES_MAX] = "1:1";
	assert_null(isc_rule_change_plan(spec, ISC_VERB_EXPOSE, texts, &error));
	assert_error(error, ISC_ERROR_INVALID, "64");
}

/* The journal's promise: forth twice is forth once, and forth and back leaves what was. */
static void a_change_can_be_made_twice_and_taken_back(void **state)
{
	(void)state;
	static const struct {
		const gchar *change;
		guint opened, closed, denied;
	} cases[] = {
		{ "expose tcp:1:1 udp:2:2", 2, 0, 0 },
		{ "unexpose udp:53:53 tcp:8080:80", 0, 2, 0 },
		{ "allow open node:db:tcp/5432", 0, 0, 0 },
		{ "deny tcp:192.0.2.1:443", 0, 0, 1 },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscSpec) spec = spec_with(EXPOSED);
		g_autoptr(GError) error = NULL;
		guint n_expose = spec->expose->len, n_egress = spec->egress->len;
		g_auto(IscRuleChange) once = { 0 }, twice = { 0 }, back = { 0 };
		assert_true(isc_rule_change_work_out(spec, cases[i].change, FALSE, &once, &error));
		assert_int_equal(once.opened->len, cases[i].opened);
		assert_int_equal(once.closed->len, cases[i].closed);
		assert_int_equal(once.denied->len, cases[i].denied);
		isc_spec_set_rules(spec, once.expose, once.egress);
		assert_true(spec->expose->len != n_expose || spec->egress->len != n_egress);

		assert_true(isc_rule_change_work_out(spec, cases[i].change, FALSE, &twice, &error));
		assert_int_equal(twice.opened->len + twice.closed->len + twice.denied->len, 0);
		assert_int_equal(twice.expose->len, spec->expose->len);
		assert_int_equal(twice.egress->len, spec->egress->len);

		assert_true(isc_rule_change_work_out(spec, cases[i].change, TRUE, &back, &error));
		assert_int_equal(back.expose->len, n_expose);
		assert_int_equal(back.egress->len, n_egress);
		assert_int_equal(back.closed->len, cases[i].opened);
	}
}

static void deny_makes_way_for_what_is_allowed(void **state)
{
	(void)state;
	g_autoptr(IscSpec) spec = spec_with("Egress=deny\n");
	g_auto(IscRuleChange) c = { 0 };
	assert_true(isc_rule_change_work_out(spec, "allow icmp", FALSE, &c, NULL));
	assert_int_equal(c.egress->len, 1);
	assert_int_equal(g_array_index(c.egress, IscEgress, 0).kind, ISC_EGRESS_NET);
}

static void what_is_no_change_is_refused(void **state)
{
	(void)state;
	static const gchar *const bad[] = { "", "quarantine tcp:1:1", "expose ", "expose x",
		"allow deny" };
	g_autoptr(IscSpec) spec = spec_with(EXPOSED);
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		g_auto(IscRuleChange) c = { 0 };
		assert_false(isc_rule_change_work_out(spec, bad[i], FALSE, &c, &error));
		assert_error(error, ISC_ERROR_INVALID, "");
	}
}

/* What a member of a set is brought to its set's rules by. */
static void what_differs_is_told_verb_by_verb(void **state)
{
	(void)state;
	g_autoptr(IscSpec) from = spec_with("Expose=80:80\nExpose=udp:53:53\nEgress=deny\n");
	g_autoptr(IscSpec) to = spec_with("Expose=tcp:80:80\nExpose=90-91:90-91\nEgress=icmp\n"
					  "Egress=tcp:192.0.2.1:443\n");
	static const struct {
		gboolean back;
		IscVerb verb;
		const gchar *want;
	} cases[] = {
		{ FALSE, ISC_VERB_UNEXPOSE, "udp:53:53" },
		{ FALSE, ISC_VERB_EXPOSE, "tcp:90-91:90-91" },
		{ FALSE, ISC_VERB_DENY, "" },
		{ FALSE, ISC_VERB_ALLOW, "icmp:0.0.0.0/0 tcp:192.0.2.1:443" },
		{ TRUE, ISC_VERB_EXPOSE, "udp:53:53" },
		{ TRUE, ISC_VERB_UNEXPOSE, "tcp:90-91:90-91" },
		{ TRUE, ISC_VERB_ALLOW, "" },
		{ TRUE, ISC_VERB_DENY, "icmp:0.0.0.0/0 tcp:192.0.2.1:443" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(GStrv) rules = isc_rule_change_between(cases[i].back ? to : from,
				cases[i].back ? from : to, cases[i].verb);
		g_autofree gchar *got = g_strjoinv(" ", rules);
		assert_string_equal(got, cases[i].want);
		if (!rules[0])
			continue;
		g_autofree gchar *change = isc_rule_change_plan(cases[i].back ? to : from,
				cases[i].verb, (const gchar *const *)rules, NULL);
		assert_non_null(change);
		assert_true(g_str_has_suffix(change, got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_names_only_what_changes_and_in_one_form),
		cmocka_unit_test(what_cannot_be_is_refused_by_name),
		cmocka_unit_test(a_node_has_so_many_rules_and_no_more),
		cmocka_unit_test(a_change_can_be_made_twice_and_taken_back),
		cmocka_unit_test(deny_makes_way_for_what_is_allowed),
		cmocka_unit_test(what_is_no_change_is_refused),
		cmocka_unit_test(what_differs_is_told_verb_by_verb),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
