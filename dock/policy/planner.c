#include "policy/planner.h"

/* What makes a node run, in order; taking it down is the same list backwards. */
static const IscStepKind run_steps[] = {
	ISC_STEP_VERIFY,
	ISC_STEP_OVERLAY,
	ISC_STEP_CONFIG,
	ISC_STEP_SECRET,
	ISC_STEP_VOLUMES,
	ISC_STEP_CHANNELS,
	ISC_STEP_FENCE,
	ISC_STEP_TAP,
	ISC_STEP_DEFINE,
	ISC_STEP_START,
	ISC_STEP_READY,
};

static gboolean has_undo(IscStepKind kind)
{
	return kind != ISC_STEP_VERIFY && kind != ISC_STEP_READY && kind != ISC_STEP_EVIDENCE &&
	       kind != ISC_STEP_TURN;
}

/* Whether @node has that at all. */
static gboolean takes_part(IscStepKind kind, const IscNode *node)
{
	return kind != ISC_STEP_VOLUMES || node->spec->volumes->len > 0;
}

/* An overlay that is kept outlives the node's stops, and starts that fail. */
static const gchar *overlay_arg(const IscNode *node)
{
	return node->spec->overlay_kept ? ISC_ARG_KEPT : NULL;
}

static const gchar *up_arg(IscStepKind kind, const IscNode *node, const gchar *snapshot)
{
	return kind == ISC_STEP_VERIFY    ? ISC_ARG_AHEAD
	       : kind != ISC_STEP_OVERLAY ? NULL
	       : snapshot                 ? snapshot
					  : overlay_arg(node);
}

static const gchar *down_arg(IscStepKind kind, const IscNode *node, gboolean ask)
{
	return kind == ISC_STEP_OVERLAY        ? overlay_arg(node)
	       : ask && kind == ISC_STEP_START ? ISC_ARG_ASK
					       : NULL;
}

/* @define: whether the definition goes when the plan is taken back.  @snapshot: what the overlay is
 * made from; "": it is new; NULL: it is as at each start. */
static void add_run(IscPlan *plan, const IscNode *node, IscStepMode define, const gchar *snapshot)
{
	for (gsize i = 0; i < G_N_ELEMENTS(run_steps); i++)
		if (takes_part(run_steps[i], node))
			isc_plan_add(plan, run_steps[i] == ISC_STEP_DEFINE ? define : ISC_MODE_UP,
					run_steps[i], up_arg(run_steps[i], node, snapshot));
}

/* The definition stays with libvirt while the node is disabled: an admin sees it there. */
static void add_stop(IscPlan *plan, const IscNode *node, gboolean ask)
{
	for (gsize i = G_N_ELEMENTS(run_steps); i-- > 0;)
		if (has_undo(run_steps[i]) && run_steps[i] != ISC_STEP_DEFINE &&
				takes_part(run_steps[i], node))
			isc_plan_add(plan, ISC_MODE_DOWN, run_steps[i],
					down_arg(run_steps[i], node, ask));
}

/* The definition holds a copy of the rules; that it cannot be written now (no libvirtd) keeps no
 * rule from changing. */
static void add_rules(IscPlan *plan, IscStepMode mode, const gchar *rules)
{
	isc_plan_add(plan, mode, ISC_STEP_RULES, rules);
	isc_plan_add(plan, ISC_MODE_SOFT, ISC_STEP_DEFINE, NULL);
}

/* Each volume of @node comes to it, or is free again. */
static void add_attach(IscPlan *plan, const IscNode *node, IscStepMode mode)
{
	for (guint i = 0; i < node->spec->volumes->len; i++) {
		IscVolumeUse use = g_array_index(node->spec->volumes, IscVolumeUse, i);
		use.size_mib = 0;
		g_autofree gchar *text = isc_volume_use_print(&use);
		isc_plan_add(plan, mode, ISC_STEP_ATTACH, text);
	}
}

static gboolean has_refill(const IscPlanOptions *options)
{
	return options->refill && *options->refill;
}

IscPlan *isc_planner_plan(IscVerb verb, const IscNode *node, const IscPlanOptions *options)
{
	IscPlan *plan = isc_plan_new(verb, node->spec->name);
	gboolean up = isc_node_state_is_up(node->state);

	switch (verb) {
	case ISC_VERB_PROVISION:
		isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_FOLDER, NULL);
		for (gsize i = 0; options->make && options->make[i]; i++)
			isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_VOLUME, options->make[i]);
		add_attach(plan, node, ISC_MODE_UP);
		if (options->enable) {
			add_run(plan, node, ISC_MODE_UP,
					options->snapshot ? options->snapshot : "");
		} else {
			isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_VERIFY, NULL);
			isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_DEFINE, NULL);
		}
		break;
	case ISC_VERB_ENABLE:
		add_run(plan, node, ISC_MODE_STAYS, NULL);
		break;
	case ISC_VERB_DISABLE:
		add_stop(plan, node, options->ask);
		break;
	case ISC_VERB_SUSPEND:
		isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_PAUSE, NULL);
		break;
	case ISC_VERB_RESUME:
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_PAUSE, NULL);
		break;
	case ISC_VERB_SNAPSHOT_CREATE:
		isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_SNAPSHOT, options->snapshot);
		for (gsize i = 0; options->drop && options->drop[i]; i++)
			isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_SNAPSHOT, options->drop[i]);
		break;
	case ISC_VERB_SNAPSHOT_RESTORE:
		/* What takes long is made while the node still runs, and may fail then. */
		if (has_refill(options))
			isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_REFILL, options->refill);
		add_stop(plan, node, FALSE);
		if (has_refill(options)) {
			isc_plan_add(plan, ISC_MODE_STAYS, ISC_STEP_TURN, options->refill);
			isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_REFILL, options->refill);
		}
		/* One that is kept is turned with the volumes. */
		add_run(plan, node, ISC_MODE_STAYS,
				node->spec->overlay_kept ? NULL : options->snapshot);
		break;
	case ISC_VERB_SNAPSHOT_DELETE:
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_SNAPSHOT, options->snapshot);
		break;
	case ISC_VERB_QUARANTINE:
		/* Cut first: whatever else goes wrong, the node is off the net. */
		if (up) {
			isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_CUT, NULL);
			if (options->pause)
				isc_plan_add(plan, ISC_MODE_SOFT, ISC_STEP_PAUSE, NULL);
			isc_plan_add(plan, ISC_MODE_SOFT, ISC_STEP_EVIDENCE, options->snapshot);
		}
		break;
	case ISC_VERB_RELEASE:
		/* One that ended meanwhile is put away: its fence, still shut, goes last. */
		if (!options->running) {
			add_stop(plan, node, FALSE);
			break;
		}
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_CUT, NULL);
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_PAUSE, NULL);
		break;
	case ISC_VERB_DESTROY:
		add_stop(plan, node, FALSE);
		if (node->spec->overlay_kept)
			isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_OVERLAY, NULL);
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_SNAPSHOTS, NULL);
		add_attach(plan, node, ISC_MODE_DOWN);
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_DEFINE, NULL);
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_TRAIL, NULL);
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_FOLDER, NULL);
		break;
	case ISC_VERB_UPGRADE: /* isc_planner_upgrade() */
	case ISC_VERB_ROLLBACK:
		break;
	case ISC_VERB_EXPOSE:
	case ISC_VERB_UNEXPOSE:
	case ISC_VERB_ALLOW:
	case ISC_VERB_DENY:
		add_rules(plan, ISC_MODE_UP, options->rules);
		break;
	case ISC_VERB_LIMIT:
		/* As with rules: a definition that cannot be written now keeps none from changing.
		 */
		isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_LIMITS, options->limits);
		isc_plan_add(plan, ISC_MODE_SOFT, ISC_STEP_DEFINE, NULL);
		break;
	case ISC_VERB_VOLUME_ATTACH:
	case ISC_VERB_VOLUME_DETACH:
		isc_plan_add(plan, verb == ISC_VERB_VOLUME_ATTACH ? ISC_MODE_UP : ISC_MODE_DOWN,
				ISC_STEP_ATTACH, options->volume);
		isc_plan_add(plan, ISC_MODE_SOFT, ISC_STEP_DEFINE, NULL);
		break;
	case ISC_VERB_VOLUME_CREATE:
	case ISC_VERB_VOLUME_IMPORT:
	case ISC_VERB_VOLUME_RESIZE:
	case ISC_VERB_VOLUME_REKEY:
	case ISC_VERB_VOLUME_REMOVE:
	case ISC_N_VERBS:
		g_assert_not_reached();
	}
	return plan;
}

IscPlan *isc_planner_volume(IscVerb verb, const gchar *subject, const gchar *arg)
{
	IscPlan *plan = isc_plan_new(verb, subject);
	if (verb == ISC_VERB_VOLUME_RESIZE)
		isc_plan_add(plan, ISC_MODE_STAYS, ISC_STEP_RESIZE, arg);
	else if (verb == ISC_VERB_VOLUME_REKEY)
		isc_plan_add(plan, ISC_MODE_STAYS, ISC_STEP_REKEY, arg);
	else
		isc_plan_add(plan, verb == ISC_VERB_VOLUME_REMOVE ? ISC_MODE_DOWN : ISC_MODE_UP,
				ISC_STEP_VOLUME, arg);
	return plan;
}

/* Its links and rules stand: what is exposed leads elsewhere all the while. */
static void add_stop_behind_fence(IscPlan *plan, const IscNode *node, gboolean ask)
{
	for (gsize i = G_N_ELEMENTS(run_steps); i-- > 0;)
		if (has_undo(run_steps[i]) && run_steps[i] != ISC_STEP_DEFINE &&
				run_steps[i] != ISC_STEP_FENCE && run_steps[i] != ISC_STEP_TAP &&
				takes_part(run_steps[i], node))
			isc_plan_add(plan, ISC_MODE_DOWN, run_steps[i],
					down_arg(run_steps[i], node, ask));
}

static void add_clear(IscPlan *plan, const IscUpgradeOptions *options)
{
	g_autofree gchar *drain = g_strdup_printf("%u", options->drain_s);
	if (!options->stand_in)
		return;
	isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_REDIRECT, drain);
	isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_STANDIN, options->digest);
}

void isc_planner_upgrade(IscPlan *plan, IscUpgradePart part, const IscNode *node,
		const IscUpgradeOptions *options)
{
	g_autofree gchar *drain = g_strdup_printf("%u", options->drain_s);
	gboolean up = isc_node_state_is_up(node->state);

	switch (part) {
	case ISC_UPGRADE_BESIDE:
		isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_VERIFY, NULL);
		if (!up || !options->stand_in)
			break;
		isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_STANDIN, options->digest);
		isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_REDIRECT, drain);
		break;
	case ISC_UPGRADE_OVER:
		if (up)
			add_stop_behind_fence(plan, node, TRUE);
		isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_IMAGE, options->change);
		if (!up) {
			isc_plan_add(plan, ISC_MODE_SOFT, ISC_STEP_DEFINE, NULL);
			break;
		}
		/* Taken back, its links and rules stay as well: they are those of its stand-in. */
		for (gsize i = 0; i < G_N_ELEMENTS(run_steps); i++) {
			gboolean stays = run_steps[i] == ISC_STEP_DEFINE ||
					 run_steps[i] == ISC_STEP_FENCE ||
					 run_steps[i] == ISC_STEP_TAP;
			if (run_steps[i] != ISC_STEP_VERIFY && takes_part(run_steps[i], node))
				isc_plan_add(plan, stays ? ISC_MODE_STAYS : ISC_MODE_UP,
						run_steps[i],
						run_steps[i] == ISC_STEP_OVERLAY ? overlay_arg(node)
										 : NULL);
		}
		add_clear(plan, options);
		break;
	case ISC_UPGRADE_BACK:
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_IMAGE, options->change);
		if (!up)
			break;
		add_stop_behind_fence(plan, node, FALSE);
		add_run(plan, node, ISC_MODE_STAYS, NULL);
		add_clear(plan, options);
		break;
	case ISC_UPGRADE_CLEAR:
		add_clear(plan, options);
		break;
	case ISC_UPGRADE_GIVE_UP:
		add_clear(plan, options);
		isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_IMAGE, options->change);
		add_stop(plan, node, FALSE);
		break;
	}
}

static const IscStep *find_step(const IscPlan *plan, IscStepKind kind, gboolean down, guint *index)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const IscStep *step = &g_array_index(plan->steps, IscStep, i);
		*index = i;
		if (step->kind == kind && (step->mode == ISC_MODE_DOWN) == down)
			return step;
	}
	return NULL;
}

/* After a crash nothing is started: what is left is a node that is down with the image it had, and
 * perhaps a stand-in that serves; daemon/upgrade.h goes on from there.  One that had got ready
 * already stays: then only the end of the plan is made. */
static void recover_upgrade(const IscPlan *plan, guint reached, IscPlan *out)
{
	guint at;
	if (find_step(plan, ISC_STEP_READY, FALSE, &at) && reached > at) {
		for (guint i = at + 1; i < plan->steps->len; i++) {
			const IscStep *step = &g_array_index(plan->steps, IscStep, i);
			isc_plan_add(out, step->mode, step->kind, step->arg);
		}
		return;
	}
	gboolean stands_in = find_step(plan, ISC_STEP_STANDIN, TRUE, &at) != NULL;
	const IscStep *image = find_step(plan, ISC_STEP_IMAGE, TRUE, &at);
	for (guint i = plan->steps->len; i-- > 0;) {
		const IscStep *step = &g_array_index(plan->steps, IscStep, i);
		gboolean stays = step->kind == ISC_STEP_DEFINE ||
				 (stands_in && (step->kind == ISC_STEP_FENCE ||
							       step->kind == ISC_STEP_TAP));
		if (step->mode == ISC_MODE_DOWN || stays || !has_undo(step->kind))
			continue;
		if (step->kind == ISC_STEP_IMAGE)
			image = step;
		else
			isc_plan_add(out, ISC_MODE_DOWN, step->kind,
					step->kind == ISC_STEP_REDIRECT ? "0" : step->arg);
	}
	if (!image)
		return;
	isc_plan_add(out, ISC_MODE_DOWN, ISC_STEP_IMAGE, image->arg);
	isc_plan_add(out, ISC_MODE_SOFT, ISC_STEP_DEFINE, NULL);
}

/* As long as it was only making copies the node runs on, and they go.  Once it was being stopped
 * the overlay of before is gone, and the clean stop is what remains of the plan; the volumes are
 * those of before until they were being turned, from then on those of the snapshot. */
static void recover_restore(const IscPlan *plan, guint reached, IscPlan *out)
{
	guint made = 0, turned = G_MAXUINT;
	const IscStep *refill = find_step(plan, ISC_STEP_REFILL, FALSE, &made);
	const IscStep *turn = find_step(plan, ISC_STEP_TURN, FALSE, &turned);
	for (guint i = 0; i < plan->steps->len && !(refill && reached <= made); i++) {
		const IscStep *step = &g_array_index(plan->steps, IscStep, i);
		if (step->mode == ISC_MODE_DOWN && step->kind != ISC_STEP_REFILL)
			isc_plan_add(out, ISC_MODE_DOWN, step->kind, step->arg);
	}
	if (turn && reached >= turned)
		isc_plan_add(out, ISC_MODE_STAYS, ISC_STEP_TURN, turn->arg);
	if (refill)
		isc_plan_add(out, ISC_MODE_DOWN, ISC_STEP_REFILL, refill->arg);
}

static gboolean builds(IscVerb verb)
{
	return verb == ISC_VERB_PROVISION || verb == ISC_VERB_ENABLE ||
	       verb == ISC_VERB_SNAPSHOT_CREATE || verb == ISC_VERB_VOLUME_ATTACH ||
	       verb == ISC_VERB_VOLUME_CREATE || verb == ISC_VERB_VOLUME_IMPORT;
}

IscPlan *isc_planner_recover(const IscPlan *plan, guint reached)
{
	IscPlan *out = isc_plan_new(plan->verb, plan->node);

	/* The new snapshot stands, old ones were going. */
	gboolean stands = plan->verb == ISC_VERB_SNAPSHOT_CREATE && reached > 0;
	if (builds(plan->verb) && !stands) {
		guint last = MIN(reached + 1, plan->steps->len);
		for (guint i = last; i-- > 0;) {
			const IscStep *step = &g_array_index(plan->steps, IscStep, i);
			if (has_undo(step->kind) && step->mode == ISC_MODE_UP)
				isc_plan_add(out, ISC_MODE_DOWN, step->kind, step->arg);
		}
		if (plan->verb == ISC_VERB_VOLUME_ATTACH)
			isc_plan_add(out, ISC_MODE_SOFT, ISC_STEP_DEFINE, NULL);
		return out;
	}

	/* A port that was being opened is closed again; one that was being closed is. */
	if (isc_verb_is_about_rules(plan->verb)) {
		gboolean opens = plan->verb == ISC_VERB_EXPOSE || plan->verb == ISC_VERB_ALLOW;
		for (guint i = 0; i < plan->steps->len; i++) {
			const IscStep *step = &g_array_index(plan->steps, IscStep, i);
			if (step->kind == ISC_STEP_RULES)
				add_rules(out, opens ? ISC_MODE_DOWN : ISC_MODE_SOFT, step->arg);
		}
		return out;
	}

	if (plan->verb == ISC_VERB_UPGRADE || plan->verb == ISC_VERB_ROLLBACK) {
		recover_upgrade(plan, reached, out);
		return out;
	}

	if (plan->verb == ISC_VERB_SNAPSHOT_RESTORE) {
		recover_restore(plan, reached, out);
		return out;
	}

	for (guint i = stands ? 1 : 0; i < plan->steps->len; i++) {
		const IscStep *step = &g_array_index(plan->steps, IscStep, i);
		isc_plan_add(out, step->mode == ISC_MODE_DOWN ? ISC_MODE_DOWN : ISC_MODE_SOFT,
				step->kind, step->arg);
	}
	return out;
}
