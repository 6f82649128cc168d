#pragma once
#include "model/spec.h"
#include "model/node.h"

/* Pure: what the verbs expose, unexpose, allow and deny make of a node's rules.
 *
 * A change is a text, "VERB RULE RULE…" with canonical rules: the argument of ISC_STEP_RULES, thus
 * in the journal.  It names only what really changes, so that its reverse puts back what was. */

/**
 * isc_rule_change_plan:
 * @spec: as it stands
 * @verb: one that isc_verb_is_about_rules()
 * @texts: rules as the caller wrote them, NULL-terminated, at least one
 *
 * Errors: ISC_ERROR_INVALID: no such rule, or too many of them; ISC_ERROR_STATE: a port the node
 * exposes otherwise; ISC_ERROR_NOT_FOUND: a rule to take away that is not there, with those that
 * are. Returns: (transfer full): the change; "" where everything is so already
 */
gchar *isc_rule_change_plan(const IscSpec *spec, IscVerb verb, const gchar *const *texts,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	GArray *expose, *egress; /* of IscExpose, IscEgress: all of the node's, afterwards */
	GArray *opened;          /* of IscExpose: not exposed before */
	GArray *closed;          /* of IscExpose: exposed no more */
	GArray *denied;          /* of IscEgress: allowed no more */
} IscRuleChange;

/**
 * isc_rule_change_work_out:
 * @change: from isc_rule_change_plan()
 * @back: the reverse of it
 * @out: release with isc_rule_change_clear(), also on failure
 *
 * What is so already stays so: carrying a change out twice is carrying it out once.
 * Errors: ISC_ERROR_INVALID: @change is none.
 */
gboolean isc_rule_change_work_out(const IscSpec *spec, const gchar *change, gboolean back,
		IscRuleChange *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_rule_change_between:
 * @verb: one that isc_verb_is_about_rules()
 *
 * The rules that @verb has to be told so that what @from has comes nearer to what @to has; all four
 * verbs together make them the same.  Returns: (transfer full), NULL-terminated, perhaps empty
 */
gchar **isc_rule_change_between(const IscSpec *from, const IscSpec *to, IscVerb verb);

void isc_rule_change_clear(IscRuleChange *change);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscRuleChange, isc_rule_change_clear)
