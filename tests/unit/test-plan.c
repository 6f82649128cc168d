/* R6, F1: plans as the journal keeps them. */
#include "cm.h"

#include "model/plan.h"

static void a_journal_line_comes_back_as_the_step_it_was(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscPlan) plan = isc_plan_new(ISC_VERB_ENABLE, "web");
	for (guint kind = 0; kind < ISC_N_STEP_KINDS; kind++)
		isc_plan_add(plan, ISC_MODE_UP, (IscStepKind)kind, kind % 2 ? "some arg" : NULL);
	isc_plan_add(plan, ISC_MODE_STAYS, ISC_STEP_DEFINE, NULL);
	isc_plan_add(plan, ISC_MODE_SOFT, ISC_STEP_PAUSE, NULL);
	isc_plan_add(plan, ISC_MODE_DOWN, ISC_STEP_OVERLAY, NULL);

	g_autofree gchar *text = isc_plan_print(plan);
	g_autoptr(IscPlan) again = isc_plan_parse(ISC_VERB_ENABLE, "web", text, &error);
	assert_no_error(error);
	g_autofree gchar *text2 = isc_plan_print(again);
	assert_string_equal(text, text2);
	assert_int_equal(again->steps->len, plan->steps->len);
	assert_int_equal(g_array_index(again->steps, IscStep, again->steps->len - 1).mode,
			ISC_MODE_DOWN);
}

static void a_journal_of_another_version_is_refused(void **state)
{
	(void)state;
	static const gchar *bad[] = { "+ teleport\n", "overlay\n", "? overlay\n", "+overlay\n",
		"+ overl\n" };
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		assert_null(isc_plan_parse(ISC_VERB_ENABLE, "web", bad[i], &error));
		assert_error(error, ISC_ERROR_INVALID, "web");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_journal_line_comes_back_as_the_step_it_was),
		cmocka_unit_test(a_journal_of_another_version_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
