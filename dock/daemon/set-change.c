#include "daemon/set-change.h"

#include <string.h>

#include "base/error.h"
#include "daemon/admission.h"
#include "model/member.h"
#include "policy/limit-change.h"
#include "policy/rule-change.h"

/* What closes comes first: what is opened may need its place. */
static const IscVerb verbs[] = { ISC_VERB_UNEXPOSE, ISC_VERB_DENY, ISC_VERB_EXPOSE, ISC_VERB_ALLOW,
	ISC_VERB_LIMIT };

static gboolean closes(IscVerb verb)
{
	return verb == ISC_VERB_UNEXPOSE || verb == ISC_VERB_DENY;
}

static IscSpec *parse(const gchar *text, GError **error)
{
	return isc_spec_parse("register", text, strlen(text), error);
}

/* Nothing is to be made of it any more. */
static gboolean is_going(const IscNode *member)
{
	return member->damage || member->state == ISC_NODE_DESTROYING;
}

/* What @member lacks of its part in @set, as @verb takes it.  (transfer full) */
static gchar **lacks(const IscSetWork *w, const IscSpec *set, const IscNode *member, IscVerb verb)
{
	g_autoptr(IscSpec) target = isc_member_spec(set, isc_set_work_number(w, member));
	return verb == ISC_VERB_LIMIT ? isc_limit_change_between(member->spec, target)
				      : isc_rule_change_between(member->spec, target, verb);
}

static gboolean follows(const IscSetWork *w, const IscSpec *set, const IscNode *member)
{
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
		g_auto(GStrv) rules = lacks(w, set, member, verbs[i]);
		if (rules[0])
			return FALSE;
	}
	return TRUE;
}

static gboolean bring(IscSetWork *w, const IscSpec *set, const IscNode *member, GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
		g_auto(GStrv) rules = lacks(w, set, member, verbs[i]);
		g_auto(IscOutcome) out = { 0 };
		const IscRequest request = { .verb = verbs[i],
			.node = member->spec->name,
			.caller = w->request->caller,
			.of_set = TRUE,
			.timeout_s = w->request->timeout_s,
			.rules = (const gchar *const *)rules };
		if (!rules[0])
			continue;
		gboolean ok = isc_verb_run(w->dock, &request, &out, error);
		isc_set_work_warn(w, member->spec->name, out.warnings);
		if (!ok)
			return FALSE;
	}
	return TRUE;
}

/* --- what a crash left, or a member that was not there --------------------------------------- */

gboolean isc_set_follows(const IscSetWork *w)
{
	g_autoptr(IscSpec) set = parse(w->set->spec, NULL);
	for (guint i = 0; set && i < w->members->len; i++)
		if (!is_going(w->members->pdata[i]) && !follows(w, set, w->members->pdata[i]))
			return FALSE;
	return TRUE;
}

gboolean isc_set_follow(IscSetWork *w, GError **error)
{
	g_autoptr(IscSpec) set = parse(w->set->spec, error);
	gboolean ok = set != NULL;
	for (guint i = 0; set && i < w->members->len && !w->dock->stopping; i++) {
		const IscNode *member = w->members->pdata[i];
		gboolean done;
		if (is_going(member) || follows(w, set, member) ||
				isc_dock_is_busy(w->dock, member->spec->name) ||
				!isc_node_check_verb(member, ISC_VERB_UNEXPOSE, &done, NULL))
			continue;
		isc_dock_event(w->dock, member->spec->name, "set.mend", "warn", ISC_CALLER_DOCK,
				"%s gets the rules and limits of set %s", member->spec->name,
				w->set->name);
		ok = bring(w, set, member, ok ? error : NULL) && ok;
	}
	return ok;
}

/* --- an order ------------------------------------------------------------------------------ */

/* The set's spec with the change. (transfer full) */
static IscSpec *change(const IscSetWork *w, const IscSpec *was, GError **error)
{
	const IscSetRequest *r = w->request;
	g_autofree gchar *text =
			r->verb == ISC_VERB_LIMIT
					? isc_limit_change_plan(was, r->rules, error)
					: isc_rule_change_plan(was, r->verb, r->rules, error);
	if (!text)
		return NULL;
	if (!*text)
		return isc_spec_copy(was);
	if (r->verb == ISC_VERB_LIMIT)
		return isc_limit_change_work_out(was, text, /* back= */ FALSE, error);
	g_auto(IscRuleChange) after = { 0 };
	if (!isc_rule_change_work_out(was, text, /* back= */ FALSE, &after, error))
		return NULL;
	g_autoptr(IscSpec) next = isc_spec_copy(was);
	isc_spec_set_rules(next, after.expose, after.egress);
	next->replica.count = w->set->wanted;
	g_autofree gchar *what = g_strdup_printf("set '%s'", w->set->name);
	return isc_member_check(what, next, error) ? g_steal_pointer(&next) : NULL;
}

static void free_node(gpointer node)
{
	isc_node_free(node);
}

/* Before anything is done: can all members, and is there room for what they get?  What closes waits
 * for nobody. */
static gboolean may_change(const IscSetWork *w, const IscSpec *set, GError **error)
{
	g_autoptr(GPtrArray) after = g_ptr_array_new_with_free_func(free_node);
	if (closes(w->request->verb))
		return TRUE;
	for (guint i = 0; i < w->members->len; i++) {
		const IscNode *member = w->members->pdata[i];
		gboolean done;
		if (is_going(member))
			continue;
		if (!isc_node_check_verb(member, w->request->verb, &done, error))
			return FALSE;
		IscNode *next = isc_register_get_node(w->dock->reg, member->spec->name, error);
		if (!next)
			return FALSE;
		isc_spec_free(next->spec);
		next->spec = isc_member_spec(set, isc_set_work_number(w, member));
		g_ptr_array_add(after, next);
	}
	return isc_admission_members(w->dock, after, error);
}

static void plan(IscSetWork *w, const IscSpec *set)
{
	for (guint i = 0; i < w->members->len; i++) {
		const IscNode *member = w->members->pdata[i];
		for (gsize k = 0; k < G_N_ELEMENTS(verbs) && !is_going(member); k++) {
			g_auto(GStrv) rules = lacks(w, set, member, verbs[k]);
			g_autofree gchar *text = g_strjoinv(" ", rules);
			if (*text)
				g_ptr_array_add(w->out->plan,
						g_strdup_printf("%s %s: %s",
								isc_verb_name(verbs[k]),
								member->spec->name, text));
		}
	}
}

static gboolean is_interrupted(const IscSetWork *w, GError **error)
{
	if (!w->dock->stopping && !g_cancellable_is_cancelled(w->cancel))
		return FALSE;
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_STATE,
			w->dock->stopping ? "isc-dockd goes down; it goes on when it is started "
					    "again"
					  : "interrupted by another order");
	return TRUE;
}

/* All members, one after the other.  One that cannot keeps none from what closes. */
static gboolean bring_all(IscSetWork *w, const IscSpec *set, gboolean whatever, GError **error)
{
	g_autoptr(GError) first = NULL;
	for (guint i = 0; i < w->members->len && (whatever || !first); i++) {
		const IscNode *member = w->members->pdata[i];
		g_autoptr(GError) why = NULL;
		if (is_going(member) || follows(w, set, member))
			continue;
		isc_set_work_progress(
				w, isc_verb_name(w->request->verb), isc_set_work_number(w, member));
		if (is_interrupted(w, first ? NULL : &first))
			break;
		if (!bring(w, set, member, &why) && !first)
			first = g_steal_pointer(&why);
	}
	if (!first)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&first));
	return FALSE;
}

/* The set as it was, and so its members. */
static void take_back(IscSetWork *w, const IscSpec *was)
{
	g_autoptr(GError) why = NULL;
	if (!isc_register_set_set_spec(w->dock->reg, was, &why) || !isc_set_work_look(w, &why) ||
			!bring_all(w, was, /* whatever= */ TRUE, &why))
		isc_dock_event(w->dock, "", "set.mend", "alarm", ISC_CALLER_DOCK,
				"set %s is not as it is wanted: %s", w->request->name,
				why->message);
}

gboolean isc_sets_change(
		IscDock *dock, const IscSetRequest *request, IscSetOutcome *out, GError **error)
{
	g_auto(IscSetWork) w = { .dock = dock, .request = request, .out = out };
	if (!isc_set_work_begin(&w, request->verb, error) || !isc_set_work_look(&w, error) ||
			!isc_set_work_is_wanted(&w, error))
		return FALSE;
	g_autoptr(IscSpec) was = parse(w.set->spec, error);
	g_autoptr(IscSpec) next = was ? change(&w, was, error) : NULL;
	if (!next || !may_change(&w, next, error))
		return FALSE;
	plan(&w, next);
	g_autofree gchar *before = isc_spec_print_public(was);
	g_autofree gchar *after = isc_spec_print_public(next);
	out->done = out->plan->len == 0 && g_str_equal(before, after);
	if (request->dry_run || out->done)
		return TRUE;

	g_autofree gchar *rules = g_strjoinv(" ", (gchar **)request->rules);
	if (!isc_register_set_set_spec(dock->reg, next, error))
		return FALSE;
	isc_dock_event(dock, "", request->verb == ISC_VERB_LIMIT ? "set.limits" : "set.rules",
			"info", request->caller, "set %s: %s %s", request->name,
			isc_verb_name(request->verb), rules);
	g_autoptr(GError) why = NULL;
	if (bring_all(&w, next, closes(request->verb), &why))
		return TRUE;
	if (!closes(request->verb) && !dock->stopping) {
		take_back(&w, was);
		g_prefix_error(&why, "set '%s' is as it was: ", request->name);
	} else {
		g_prefix_error(&why, "not all members of set '%s' follow yet: ", request->name);
	}
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}
