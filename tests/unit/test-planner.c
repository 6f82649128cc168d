/* R6, F1: the steps of each verb and their undo. */
#include "golden.h"

#include "policy/planner.h"

static IscNode *node_in(IscNodeState state)
{
	IscNode *node = g_new0(IscNode, 1);
	const gchar *text = "[Node]\nName=web\nImage=nginx\n";
	node->spec = isc_spec_parse("test", text, strlen(text), NULL);
	node->state = state;
	return node;
}

static gint index_of(const IscPlan *plan, IscStepMode mode, IscStepKind kind)
{
	for (guint i = 0; i < plan->steps->len; i++) {
		const IscStep *step = &g_array_index(plan->steps, IscStep, i);
		if (step->kind == kind && step->mode == mode)
			return (gint)i;
	}
	return -1;
}

static void every_plan_is_as_agreed(void **state)
{
	(void)state;
	static const gchar *const old[] = { "s1", "s2", NULL };
	static const struct {
		IscVerb verb;
		IscNodeState in;
		IscPlanOptions options;
		const gchar *file;
	} cases[] = {
		{ ISC_VERB_PROVISION, ISC_NODE_ENABLING, { .enable = TRUE }, "plan/provision" },
		{ ISC_VERB_PROVISION, ISC_NODE_ENABLING, { .enable = FALSE },
				"plan/provision-no-enable" },
		{ ISC_VERB_ENABLE, ISC_NODE_DISABLED, { 0 }, "plan/enable" },
		{ ISC_VERB_DISABLE, ISC_NODE_READY, { .ask = TRUE }, "plan/disable" },
		{ ISC_VERB_DISABLE, ISC_NODE_READY, { 0 }, "plan/disable-force" },
		{ ISC_VERB_SUSPEND, ISC_NODE_READY, { 0 }, "plan/suspend" },
		{ ISC_VERB_RESUME, ISC_NODE_SUSPENDED, { 0 }, "plan/resume" },
		{ ISC_VERB_SNAPSHOT_CREATE, ISC_NODE_READY, { .snapshot = "s1" },
				"plan/snapshot-create" },
		{ ISC_VERB_SNAPSHOT_CREATE, ISC_NODE_READY, { .snapshot = "s3", .drop = old },
				"plan/snapshot-create-keep" },
		{ ISC_VERB_SNAPSHOT_RESTORE, ISC_NODE_READY, { .snapshot = "s1" },
				"plan/snapshot-restore" },
		{ ISC_VERB_SNAPSHOT_DELETE, ISC_NODE_READY, { .snapshot = "s1" },
				"plan/snapshot-delete" },
		{ ISC_VERB_QUARANTINE, ISC_NODE_READY, { .snapshot = "q1" }, "plan/quarantine" },
		{ ISC_VERB_QUARANTINE, ISC_NODE_READY, { .snapshot = "q1", .pause = TRUE },
				"plan/quarantine-pause" },
		{ ISC_VERB_QUARANTINE, ISC_NODE_DISABLED, { .snapshot = "q1" },
				"plan/quarantine-disabled" },
		{ ISC_VERB_RELEASE, ISC_NODE_QUARANTINED, { .running = TRUE }, "plan/release" },
		{ ISC_VERB_RELEASE, ISC_NODE_QUARANTINED, { .running = FALSE },
				"plan/release-ended" },
		{ ISC_VERB_DESTROY, ISC_NODE_READY, { 0 }, "plan/destroy" },
		{ ISC_VERB_EXPOSE, ISC_NODE_READY, { .rules = "expose tcp:8080:80 udp:53:53" },
				"plan/expose" },
		{ ISC_VERB_UNEXPOSE, ISC_NODE_DISABLED, { .rules = "unexpose tcp:8080:80" },
				"plan/unexpose" },
		{ ISC_VERB_ALLOW, ISC_NODE_QUARANTINED, { .rules = "allow open" }, "plan/allow" },
		{ ISC_VERB_LIMIT, ISC_NODE_READY, { .limits = "CPUQuota=none>50%" }, "plan/limit" },
		{ ISC_VERB_DENY, ISC_NODE_READY, { .rules = "deny icmp" }, "plan/deny" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscNode) node = node_in(cases[i].in);
		g_autoptr(IscPlan) plan = isc_planner_plan(cases[i].verb, node, &cases[i].options);
		g_autofree gchar *text = isc_plan_print(plan);
		assert_golden(cases[i].file, text);
	}
}

#define MAKE "logs 64 22222222-2222-4222-8222-222222222222"

static void a_node_with_volumes_gets_and_gives_them(void **state)
{
	(void)state;
	static const gchar *const make[] = { MAKE, NULL };
	static const struct {
		IscVerb verb;
		IscPlanOptions options;
		const gchar *file;
	} cases[] = {
		{ ISC_VERB_PROVISION, { .enable = TRUE, .make = make }, "plan/volumes-provision" },
		{ ISC_VERB_DISABLE, { 0 }, "plan/volumes-disable" },
		{ ISC_VERB_DESTROY, { 0 }, "plan/volumes-destroy" },
		{ ISC_VERB_VOLUME_ATTACH, { .volume = "more:/more" }, "plan/volume-attach" },
		{ ISC_VERB_VOLUME_DETACH, { .volume = "logs:/logs" }, "plan/volume-detach" },
		{ ISC_VERB_SNAPSHOT_RESTORE, { .snapshot = "s1", .refill = "s1 data:b logs:a" },
				"plan/volumes-restore" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
		IscVolumeUse use;
		assert_true(isc_volume_use_parse("data:/srv/data", &use, NULL));
		assert_true(isc_spec_add_volume(node->spec, &use, NULL));
		assert_true(isc_volume_use_parse("logs:/logs:64M", &use, NULL));
		assert_true(isc_spec_add_volume(node->spec, &use, NULL));
		g_autoptr(IscPlan) plan = isc_planner_plan(cases[i].verb, node, &cases[i].options);
		g_autofree gchar *text = isc_plan_print(plan);
		assert_golden(cases[i].file, text);
	}
}

/* What was made is shredded again, what was being shredded is, and keys and sizes that were being
 * changed are: never half of it. */
static void an_interrupted_verb_of_a_volume_leaves_no_half(void **state)
{
	(void)state;
	static const struct {
		IscVerb verb;
		const gchar *arg, *rest;
	} cases[] = {
		{ ISC_VERB_VOLUME_CREATE, MAKE, "- volume " MAKE "\n" },
		{ ISC_VERB_VOLUME_IMPORT, MAKE, "- volume " MAKE "\n" },
		{ ISC_VERB_VOLUME_REMOVE, MAKE, "- volume " MAKE "\n" },
		{ ISC_VERB_VOLUME_RESIZE, "logs 128", "~ resize logs 128\n" },
		{ ISC_VERB_VOLUME_REKEY, "logs", "~ rekey logs\n" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscPlan) plan = isc_planner_volume(cases[i].verb, "@logs", cases[i].arg);
		g_autofree gchar *text = isc_plan_print(plan);
		g_autoptr(IscPlan) read = isc_plan_parse(cases[i].verb, "@logs", text, NULL);
		g_autoptr(IscPlan) rest = isc_planner_recover(read, 0);
		g_autofree gchar *is = isc_plan_print(rest);
		assert_string_equal(is, cases[i].rest);
	}
}

static const IscUpgradeOptions beside = {
	.stand_in = TRUE, .drain_s = 10, .digest = "new", .change = "old - new old"
};
static const IscUpgradeOptions in_place = { .digest = "new", .change = "old - new old" };

static IscPlan *upgrade_plan(IscUpgradePart part, IscNodeState in, const IscUpgradeOptions *options)
{
	g_autoptr(IscNode) node = node_in(in);
	IscPlan *plan = isc_plan_new(ISC_VERB_UPGRADE, "web");
	isc_planner_upgrade(plan, part, node, options);
	return plan;
}

static void every_part_of_an_upgrade_is_as_agreed(void **state)
{
	(void)state;
	static const struct {
		IscUpgradePart part;
		IscNodeState in;
		const IscUpgradeOptions *options;
		const gchar *file;
	} cases[] = {
		{ ISC_UPGRADE_BESIDE, ISC_NODE_READY, &beside, "plan/upgrade-beside" },
		{ ISC_UPGRADE_OVER, ISC_NODE_READY, &beside, "plan/upgrade-over" },
		{ ISC_UPGRADE_BACK, ISC_NODE_READY, &beside, "plan/upgrade-back" },
		{ ISC_UPGRADE_GIVE_UP, ISC_NODE_READY, &beside, "plan/upgrade-give-up" },
		{ ISC_UPGRADE_OVER, ISC_NODE_READY, &in_place, "plan/upgrade-in-place" },
		{ ISC_UPGRADE_OVER, ISC_NODE_DISABLED, &in_place, "plan/upgrade-disabled" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscPlan) plan =
				upgrade_plan(cases[i].part, cases[i].in, cases[i].options);
		g_autofree gchar *text = isc_plan_print(plan);
		assert_golden(cases[i].file, text);
		g_autoptr(IscPlan) read = isc_plan_parse(ISC_VERB_UPGRADE, "web", text, NULL);
		g_autofree gchar *again = isc_plan_print(read);
		assert_string_equal(again, text);
	}
}

/* Whatever is interrupted, somebody serves: the stand-in goes only where the node was never
 * stopped, or is ready again; and rules and links stay as long as the stand-in needs them. */
static void an_interrupted_upgrade_leaves_one_that_serves(void **state)
{
	(void)state;
	g_autoptr(IscPlan) first = upgrade_plan(ISC_UPGRADE_BESIDE, ISC_NODE_READY, &beside);
	for (guint reached = 0; reached < first->steps->len; reached++) {
		g_autoptr(IscPlan) rest = isc_planner_recover(first, reached);
		assert_true(index_of(rest, ISC_MODE_DOWN, ISC_STEP_STANDIN) >
				index_of(rest, ISC_MODE_DOWN, ISC_STEP_REDIRECT));
		assert_int_equal(index_of(rest, ISC_MODE_DOWN, ISC_STEP_START), -1);
	}
	static const IscUpgradePart parts[] = { ISC_UPGRADE_OVER, ISC_UPGRADE_BACK };
	for (gsize p = 0; p < G_N_ELEMENTS(parts); p++) {
		g_autoptr(IscPlan) plan = upgrade_plan(parts[p], ISC_NODE_READY, &beside);
		gint ready = MAX(index_of(plan, ISC_MODE_UP, ISC_STEP_READY),
				index_of(plan, ISC_MODE_STAYS, ISC_STEP_READY));
		for (guint reached = 0; reached < plan->steps->len; reached++) {
			g_autoptr(IscPlan) rest = isc_planner_recover(plan, reached);
			gboolean is_through = (gint)reached > ready;
			assert_int_equal(index_of(rest, ISC_MODE_DOWN, ISC_STEP_STANDIN) >= 0,
					is_through);
			assert_int_equal(index_of(rest, ISC_MODE_DOWN, ISC_STEP_IMAGE) >= 0,
					!is_through);
			assert_int_equal(index_of(rest, ISC_MODE_DOWN, ISC_STEP_FENCE), -1);
			assert_int_equal(index_of(rest, ISC_MODE_DOWN, ISC_STEP_TAP), -1);
		}
	}
	/* Without one, what is stopped is stopped with its links and rules. */
	g_autoptr(IscPlan) alone = upgrade_plan(ISC_UPGRADE_OVER, ISC_NODE_READY, &in_place);
	g_autoptr(IscPlan) rest = isc_planner_recover(alone, 2);
	assert_true(index_of(rest, ISC_MODE_DOWN, ISC_STEP_FENCE) >= 0);
	g_autoptr(IscPlan) down = upgrade_plan(ISC_UPGRADE_OVER, ISC_NODE_DISABLED, &in_place);
	g_autoptr(IscPlan) back = isc_planner_recover(down, 0);
	assert_int_equal(index_of(back, ISC_MODE_DOWN, ISC_STEP_IMAGE), 0);
	assert_int_equal(index_of(back, ISC_MODE_DOWN, ISC_STEP_START), -1);
}

static void no_tap_without_a_fence_and_no_boot_without_verification(void **state)
{
	(void)state;
	static const IscVerb verbs[] = { ISC_VERB_PROVISION, ISC_VERB_ENABLE,
		ISC_VERB_SNAPSHOT_RESTORE };
	const IscPlanOptions options = { .enable = TRUE, .snapshot = "s1" };
	for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
		g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
		g_autoptr(IscPlan) plan = isc_planner_plan(verbs[i], node, &options);
		gint verify = index_of(plan, ISC_MODE_UP, ISC_STEP_VERIFY);
		gint fence = index_of(plan, ISC_MODE_UP, ISC_STEP_FENCE);
		gint tap = index_of(plan, ISC_MODE_UP, ISC_STEP_TAP);
		gint start = index_of(plan, ISC_MODE_UP, ISC_STEP_START);
		assert_true(verify >= 0 && verify < start);
		assert_true(fence >= 0 && fence < tap && tap < start);
	}
}

static void an_interrupted_building_leaves_nothing(void **state)
{
	(void)state;
	const IscPlanOptions options = { .enable = TRUE };
	g_autoptr(IscNode) node = node_in(ISC_NODE_ENABLING);
	g_autoptr(IscPlan) plan = isc_planner_plan(ISC_VERB_PROVISION, node, &options);
	for (guint reached = 0; reached < plan->steps->len; reached++) {
		g_autoptr(IscPlan) back = isc_planner_recover(plan, reached);
		for (guint i = 0; i <= reached; i++) {
			IscStepKind kind = g_array_index(plan->steps, IscStep, i).kind;
			if (kind == ISC_STEP_VERIFY || kind == ISC_STEP_READY)
				continue;
			assert_true(index_of(back, ISC_MODE_DOWN, kind) >= 0);
		}
		for (guint i = 0; i < back->steps->len; i++)
			assert_int_equal(
					g_array_index(back->steps, IscStep, i).mode, ISC_MODE_DOWN);
	}
}

static void an_interrupted_snapshot_is_none_or_stands_and_its_elders_go(void **state)
{
	(void)state;
	static const gchar *const old[] = { "s1", "s2", NULL };
	const IscPlanOptions options = { .snapshot = "s3", .drop = old };
	g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
	g_autoptr(IscPlan) plan = isc_planner_plan(ISC_VERB_SNAPSHOT_CREATE, node, &options);
	g_autoptr(IscPlan) none = isc_planner_recover(plan, 0);
	g_autofree gchar *gone = isc_plan_print(none);
	assert_string_equal(gone, "- snapshot s3\n");
	for (guint reached = 1; reached < plan->steps->len; reached++) {
		g_autoptr(IscPlan) rest = isc_planner_recover(plan, reached);
		g_autofree gchar *text = isc_plan_print(rest);
		assert_string_equal(text, "- snapshot s1\n- snapshot s2\n");
	}
}

static void an_interrupted_restore_has_the_old_volumes_or_the_new(void **state)
{
	(void)state;
	const IscPlanOptions options = { .snapshot = "s1", .refill = "s1 data:b" };
	g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
	g_autoptr(IscPlan) plan = isc_planner_plan(ISC_VERB_SNAPSHOT_RESTORE, node, &options);
	gint turned = index_of(plan, ISC_MODE_STAYS, ISC_STEP_TURN);
	gint stopped = index_of(plan, ISC_MODE_DOWN, ISC_STEP_START);
	gint shredded = index_of(plan, ISC_MODE_DOWN, ISC_STEP_REFILL);
	assert_int_equal(index_of(plan, ISC_MODE_UP, ISC_STEP_REFILL), 0);
	assert_true(0 < stopped && stopped < turned && turned < shredded);
	for (guint reached = 0; reached < plan->steps->len; reached++) {
		g_autoptr(IscPlan) rest = isc_planner_recover(plan, reached);
		gint turn = index_of(rest, ISC_MODE_STAYS, ISC_STEP_TURN);
		gint drop = index_of(rest, ISC_MODE_DOWN, ISC_STEP_REFILL);
		gint stop = index_of(rest, ISC_MODE_DOWN, ISC_STEP_START);
		/* Copies go, whichever they are; the volumes turn if they had begun to. */
		assert_int_equal(drop, rest->steps->len - 1);
		assert_int_equal(turn >= 0, (gint)reached >= turned);
		assert_true(turn < drop);
		/* The node runs on as long as nothing but copies were made. */
		assert_int_equal(stop >= 0, reached > 0);
		assert_true(turn < 0 || stop < turn);
	}
}

static void an_overlay_that_is_kept_dies_with_its_node_alone(void **state)
{
	(void)state;
	static const struct {
		IscVerb verb;
		IscPlanOptions options;
		const gchar *file;
	} cases[] = {
		{ ISC_VERB_PROVISION, { .enable = TRUE }, "plan/kept-provision" },
		{ ISC_VERB_ENABLE, { 0 }, "plan/kept-enable" },
		{ ISC_VERB_DISABLE, { .ask = TRUE }, "plan/kept-disable" },
		{ ISC_VERB_SNAPSHOT_RESTORE, { .snapshot = "s1", .refill = "s1 (overlay):b" },
				"plan/kept-restore" },
		{ ISC_VERB_DESTROY, { 0 }, "plan/kept-destroy" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
		node->spec->overlay_kept = TRUE;
		g_autoptr(IscPlan) plan = isc_planner_plan(cases[i].verb, node, &cases[i].options);
		g_autofree gchar *text = isc_plan_print(plan);
		assert_golden(cases[i].file, text);
		/* Also where a start is taken back. */
		for (guint reached = 0; reached < plan->steps->len; reached++) {
			g_autoptr(IscPlan) rest = isc_planner_recover(plan, reached);
			g_autofree gchar *steps = isc_plan_print(rest);
			gboolean goes = strstr(steps, "- overlay\n") != NULL;
			gboolean may = cases[i].verb == ISC_VERB_PROVISION ||
				       cases[i].verb == ISC_VERB_DESTROY;
			assert_true(may || !goes);
		}
	}
}

static void an_upgrade_takes_an_overlay_that_is_kept_over(void **state)
{
	(void)state;
	const IscUpgradeOptions options = { .digest = "d", .change = "a b c d" };
	static const IscUpgradePart parts[] = { ISC_UPGRADE_OVER, ISC_UPGRADE_BACK };
	for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
		g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
		g_autoptr(IscPlan) plan = isc_plan_new(ISC_VERB_UPGRADE, "web");
		node->spec->overlay_kept = TRUE;
		isc_planner_upgrade(plan, parts[i], node, &options);
		for (guint k = 0; k < plan->steps->len; k++) {
			const IscStep *step = &g_array_index(plan->steps, IscStep, k);
			if (step->kind == ISC_STEP_OVERLAY)
				assert_string_equal(step->arg, ISC_ARG_KEPT);
		}
		assert_true(index_of(plan, ISC_MODE_DOWN, ISC_STEP_OVERLAY) >= 0);
		assert_true(index_of(plan, ISC_MODE_UP, ISC_STEP_OVERLAY) >= 0);
	}
}

static void an_interrupted_quarantine_or_destruction_is_brought_to_its_end(void **state)
{
	(void)state;
	const IscPlanOptions options = { .snapshot = "q1" };
	g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
	g_autoptr(IscPlan) cut = isc_planner_plan(ISC_VERB_QUARANTINE, node, &options);
	g_autoptr(IscPlan) again = isc_planner_recover(cut, 0);
	assert_int_equal(g_array_index(again->steps, IscStep, 0).kind, ISC_STEP_CUT);
	assert_int_equal(again->steps->len, cut->steps->len);

	g_autoptr(IscPlan) destroy = isc_planner_plan(ISC_VERB_DESTROY, node, &options);
	for (guint reached = 0; reached < destroy->steps->len; reached++) {
		g_autoptr(IscPlan) rest = isc_planner_recover(destroy, reached);
		assert_int_equal(rest->steps->len, destroy->steps->len);
	}
}

static void an_interrupted_change_of_rules_leaves_less_open_never_more(void **state)
{
	(void)state;
	static const struct {
		IscVerb verb;
		const gchar *rules;
		IscStepMode mode;
	} cases[] = {
		{ ISC_VERB_EXPOSE, "expose tcp:8080:80", ISC_MODE_DOWN },
		{ ISC_VERB_ALLOW, "allow open", ISC_MODE_DOWN },
		{ ISC_VERB_UNEXPOSE, "unexpose tcp:8080:80", ISC_MODE_SOFT },
		{ ISC_VERB_DENY, "deny open", ISC_MODE_SOFT },
	};
	g_autoptr(IscNode) node = node_in(ISC_NODE_READY);
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
		for (guint reached = 0; reached < 2; reached++) {
			const IscPlanOptions options = { .rules = cases[i].rules };
			g_autoptr(IscPlan) plan = isc_planner_plan(cases[i].verb, node, &options);
			g_autoptr(IscPlan) rest = isc_planner_recover(plan, reached);
			g_autofree gchar *text = isc_plan_print(rest);
			assert_int_equal(index_of(rest, cases[i].mode, ISC_STEP_RULES), 0);
			assert_string_equal(
					g_array_index(rest->steps, IscStep, 0).arg, cases[i].rules);
			/* and the definition follows the register again */
			assert_int_equal(index_of(rest, ISC_MODE_SOFT, ISC_STEP_DEFINE), 1);
			/* what the journal reads back is the same plan */
			g_autoptr(IscPlan) read = isc_plan_parse(cases[i].verb, "web", text, NULL);
			g_autofree gchar *again = isc_plan_print(read);
			assert_string_equal(again, text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_plan_is_as_agreed),
		cmocka_unit_test(a_node_with_volumes_gets_and_gives_them),
		cmocka_unit_test(an_interrupted_verb_of_a_volume_leaves_no_half),
		cmocka_unit_test(an_interrupted_restore_has_the_old_volumes_or_the_new),
		cmocka_unit_test(an_overlay_that_is_kept_dies_with_its_node_alone),
		cmocka_unit_test(an_upgrade_takes_an_overlay_that_is_kept_over),
		cmocka_unit_test(every_part_of_an_upgrade_is_as_agreed),
		cmocka_unit_test(an_interrupted_upgrade_leaves_one_that_serves),
		cmocka_unit_test(no_tap_without_a_fence_and_no_boot_without_verification),
		cmocka_unit_test(an_interrupted_building_leaves_nothing),
		cmocka_unit_test(an_interrupted_snapshot_is_none_or_stands_and_its_elders_go),
		cmocka_unit_test(an_interrupted_quarantine_or_destruction_is_brought_to_its_end),
		cmocka_unit_test(an_interrupted_change_of_rules_leaves_less_open_never_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
