#include "policy/rule-change.h"

#include <string.h>

#include "base/error.h"

/* One rule of either kind: what is the same for both is written once. */
typedef struct {
	gboolean is_expose;
	IscExpose expose;
	IscEgress egress;
	gchar *text; /* canonical */
} Rule;

static void rule_clear(Rule *rule)
{
	g_clear_pointer(&rule->text, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Rule, rule_clear)

static gboolean is_of_expose(IscVerb verb)
{
	return verb == ISC_VERB_EXPOSE || verb == ISC_VERB_UNEXPOSE;
}

static gboolean adds(IscVerb verb)
{
	return verb == ISC_VERB_EXPOSE || verb == ISC_VERB_ALLOW;
}

static gboolean rule_parse(IscVerb verb, const gchar *text, Rule *out, GError **error)
{
	out->is_expose = is_of_expose(verb);
	if (out->is_expose) {
		if (!isc_expose_parse(text, &out->expose, error))
			return FALSE;
		out->text = isc_expose_print(&out->expose);
		return TRUE;
	}
	if (!isc_egress_parse(text, &out->egress, error))
		return FALSE;
	if (out->egress.kind == ISC_EGRESS_DENY) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'deny' is what holds without a rule: name the rules to take away");
		return FALSE;
	}
	out->text = isc_egress_print(&out->egress);
	return TRUE;
}

static gchar *print_at(const IscRuleChange *c, gboolean is_expose, guint i)
{
	return is_expose ? isc_expose_print(&g_array_index(c->expose, IscExpose, i))
			 : isc_egress_print(&g_array_index(c->egress, IscEgress, i));
}

static GArray *list_of(const IscRuleChange *c, gboolean is_expose)
{
	return is_expose ? c->expose : c->egress;
}

/* Equal rules print the same. */
static gint index_of(const IscRuleChange *c, const Rule *rule)
{
	for (guint i = 0; i < list_of(c, rule->is_expose)->len; i++) {
		g_autofree gchar *text = print_at(c, rule->is_expose, i);
		if (g_str_equal(text, rule->text))
			return (gint)i;
	}
	return -1;
}

static void add_rule(IscRuleChange *c, const Rule *rule)
{
	if (rule->is_expose) {
		g_array_append_val(c->expose, rule->expose);
		g_array_append_val(c->opened, rule->expose);
		return;
	}
	/* "deny" says the default aloud, and stands alone. */
	if (c->egress->len == 1 && g_array_index(c->egress, IscEgress, 0).kind == ISC_EGRESS_DENY)
		g_array_set_size(c->egress, 0);
	g_array_append_val(c->egress, rule->egress);
}

static void remove_rule(IscRuleChange *c, const Rule *rule, guint i)
{
	g_array_remove_index(list_of(c, rule->is_expose), i);
	if (rule->is_expose)
		g_array_append_val(c->closed, rule->expose);
	else
		g_array_append_val(c->denied, rule->egress);
}

/* Does @rule to what @c holds.  Returns: whether anything changed */
static gboolean make(IscRuleChange *c, const Rule *rule, gboolean add)
{
	gint at = index_of(c, rule);
	if (add == (at >= 0))
		return FALSE;
	if (add)
		add_rule(c, rule);
	else
		remove_rule(c, rule, (guint)at);
	return TRUE;
}

static IscRuleChange change_of(const IscSpec *spec)
{
	return (IscRuleChange){ .expose = g_array_copy(spec->expose),
		.egress = g_array_copy(spec->egress),
		.opened = g_array_new(FALSE, FALSE, sizeof(IscExpose)),
		.closed = g_array_new(FALSE, FALSE, sizeof(IscExpose)),
		.denied = g_array_new(FALSE, FALSE, sizeof(IscEgress)) };
}

/* --- planning ------------------------------------------------------------------------------ */

static const gchar *what_is(const IscSpec *spec)
{
	return spec->replica.count ? "set" : "node";
}

static gboolean check_gone(
		const IscRuleChange *c, const IscSpec *spec, const Rule *rule, GError **error)
{
	if (index_of(c, rule) >= 0)
		return TRUE;
	g_autoptr(GString) there = g_string_new(NULL);
	for (guint i = 0; i < list_of(c, rule->is_expose)->len; i++) {
		g_autofree gchar *text = print_at(c, rule->is_expose, i);
		g_string_append_printf(there, "%s%s", i ? ", " : "", text);
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "%s '%s' has no %s rule '%s'; it has %s",
			what_is(spec), spec->name, rule->is_expose ? "expose" : "egress",
			rule->text, there->len ? there->str : "none");
	return FALSE;
}

static gboolean check_new(
		const IscRuleChange *c, const IscSpec *spec, const Rule *rule, GError **error)
{
	if (list_of(c, rule->is_expose)->len >= ISC_RULES_MAX && index_of(c, rule) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"%s '%s' has %d rules of that kind, which is the most",
				what_is(spec), spec->name, ISC_RULES_MAX);
		return FALSE;
	}
	if (!rule->is_expose && !isc_spec_check_egress(spec, &rule->egress, error))
		return FALSE;
	for (guint i = 0; rule->is_expose && i < c->expose->len && index_of(c, rule) < 0; i++) {
		const IscExpose *has = &g_array_index(c->expose, IscExpose, i);
		if (!isc_expose_overlaps(has, &rule->expose))
			continue;
		g_autofree gchar *text = isc_expose_print(has);
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"port taken: %s '%s' itself exposes '%s', which '%s' overlaps",
				what_is(spec), spec->name, text, rule->text);
		return FALSE;
	}
	return TRUE;
}

gchar *isc_rule_change_plan(
		const IscSpec *spec, IscVerb verb, const gchar *const *texts, GError **error)
{
	g_auto(IscRuleChange) c = change_of(spec);
	g_autoptr(GString) out = g_string_new(NULL);

	if (!texts || !texts[0]) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s: which rules?",
				isc_verb_name(verb));
		return NULL;
	}
	for (gsize i = 0; texts[i]; i++) {
		g_auto(Rule) rule = { 0 };
		if (!rule_parse(verb, texts[i], &rule, error) ||
				!(adds(verb) ? check_new(&c, spec, &rule, error)
					     : check_gone(&c, spec, &rule, error)))
			return NULL;
		if (make(&c, &rule, adds(verb)))
			g_string_append_printf(out, "%s %s", out->len ? "" : isc_verb_name(verb),
					rule.text);
	}
	return g_string_free(g_steal_pointer(&out), FALSE);
}

/* --- carrying out -------------------------------------------------------------------------- */

gboolean isc_rule_change_work_out(const IscSpec *spec, const gchar *change, gboolean back,
		IscRuleChange *out, GError **error)
{
	g_auto(GStrv) words = g_strsplit(change, " ", -1);
	IscVerb verb;

	*out = change_of(spec);
	if (!words[0] || !isc_verb_parse(words[0], &verb) || !isc_verb_is_about_rules(verb)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no change of rules",
				change);
		return FALSE;
	}
	for (gsize i = 1; words[i]; i++) {
		g_auto(Rule) rule = { 0 };
		if (!rule_parse(verb, words[i], &rule, error))
			return FALSE;
		(void)make(out, &rule, adds(verb) != back);
	}
	return TRUE;
}

/* --- comparing ------------------------------------------------------------------------------ */

/* "deny" says aloud what holds without a rule. */
static gboolean says_nothing(const IscSpec *spec, gboolean is_expose, guint i)
{
	return !is_expose && g_array_index(spec->egress, IscEgress, i).kind == ISC_EGRESS_DENY;
}

gchar **isc_rule_change_between(const IscSpec *from, const IscSpec *to, IscVerb verb)
{
	gboolean is_expose = is_of_expose(verb);
	const IscSpec *has = adds(verb) ? to : from;
	g_auto(IscRuleChange) more = change_of(has), other = change_of(adds(verb) ? from : to);
	g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < list_of(&more, is_expose)->len; i++) {
		g_autofree gchar *text = print_at(&more, is_expose, i);
		const Rule rule = { .is_expose = is_expose, .text = text };
		if (index_of(&other, &rule) < 0 && !says_nothing(has, is_expose, i))
			g_ptr_array_add(out, g_steal_pointer(&text));
	}
	g_ptr_array_add(out, NULL);
	return (gchar **)g_ptr_array_free(g_steal_pointer(&out), FALSE);
}

void isc_rule_change_clear(IscRuleChange *c)
{
	g_clear_pointer(&c->expose, g_array_unref);
	g_clear_pointer(&c->egress, g_array_unref);
	g_clear_pointer(&c->opened, g_array_unref);
	g_clear_pointer(&c->closed, g_array_unref);
	g_clear_pointer(&c->denied, g_array_unref);
}
