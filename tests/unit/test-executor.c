#include "cm.h"

#include "engine/engine.h"

/* Writes down what it is told; fails where it shall. */
typedef struct {
	GString *calls;
	const gchar *fail_on;
	GCancellable *cancel;
	const gchar *cancel_on;
} Fake;

static gboolean note(Fake *fake, const gchar *sign, const gchar *arg, GError **error)
{
	g_autofree gchar *call = g_strconcat(sign, arg, NULL);
	g_string_append_printf(fake->calls, "%s ", call);
	if (g_strcmp0(fake->cancel_on, call) == 0)
		g_cancellable_cancel(fake->cancel);
	if (g_strcmp0(fake->fail_on, call) != 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "%s failed", call);
	return FALSE;
}

static gboolean up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	(void)node, (void)cancel;
	return note(self, "+", arg, error);
}

static gboolean down(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	(void)node, (void)cancel;
	return note(self, "-", arg, error);
}

static gboolean before(
		gpointer data, const IscPlan *plan, guint index, gboolean undoing, GError **error)
{
	(void)data, (void)plan, (void)index, (void)undoing, (void)error;
	return TRUE;
}

/* A disk that is full by the time that something is taken back. */
static gboolean before_forth(
		gpointer data, const IscPlan *plan, guint index, gboolean undoing, GError **error)
{
	(void)data, (void)plan, (void)index;
	if (!undoing)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "the journal is full");
	return FALSE;
}

static void failed(gpointer data, const IscPlan *plan, guint index, const GError *why)
{
	(void)plan, (void)index;
	assert_non_null(why);
	(*(guint *)data)++;
}

typedef struct {
	const gchar *fail_on, *cancel_on, *calls;
	gboolean ok, undone;
} Case;

static void run_cases(const Case *cases, gsize n, const IscStepMode modes[3])
{
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GString) calls = g_string_new(NULL);
		g_autoptr(GCancellable) cancel = g_cancellable_new();
		g_autoptr(GError) error = NULL;
		Fake fake = { calls, cases[i].fail_on, cancel, cases[i].cancel_on };
		IscAdapter adapters[ISC_N_STEP_KINDS];
		for (guint k = 0; k < ISC_N_STEP_KINDS; k++)
			adapters[k] = (IscAdapter){ up, down };
		const IscEngine engine = { adapters, &fake };
		guint failures = 0;
		const IscObserver observer = { before, failed, &failures };
		g_autoptr(IscPlan) plan = isc_plan_new(ISC_VERB_ENABLE, "web");
		isc_plan_add(plan, modes[0], ISC_STEP_OVERLAY, "a");
		isc_plan_add(plan, modes[1], ISC_STEP_FENCE, "b");
		isc_plan_add(plan, modes[2], ISC_STEP_START, "c");

		gboolean undone;
		gboolean ok = isc_engine_run(
				&engine, plan, NULL, &observer, cancel, &undone, &error);

		assert_string_equal(calls->str, cases[i].calls);
		assert_int_equal(ok, cases[i].ok);
		assert_int_equal(ok, error == NULL);
		assert_int_equal(undone, cases[i].undone);
		assert_int_equal(failures > 0, !ok);
	}
}

static void a_failed_step_and_those_before_it_are_undone_in_reverse(void **state)
{
	(void)state;
	static const Case cases[] = {
		{ NULL, NULL, "+a +b +c ", TRUE, FALSE },
		{ "+a", NULL, "+a -a ", FALSE, TRUE },
		{ "+c", NULL, "+a +b +c -c -b -a ", FALSE, TRUE },
		{ NULL, "+b", "+a +b -b -a ", FALSE, TRUE },
	};
	run_cases(cases, G_N_ELEMENTS(cases),
			(IscStepMode[]){ ISC_MODE_UP, ISC_MODE_UP, ISC_MODE_UP });
}

static void what_stays_is_not_undone(void **state)
{
	(void)state;
	static const Case cases[] = { { "+c", NULL, "+a +b +c -c -a ", FALSE, TRUE } };
	run_cases(cases, G_N_ELEMENTS(cases),
			(IscStepMode[]){ ISC_MODE_UP, ISC_MODE_STAYS, ISC_MODE_UP });
}

static void taking_away_goes_on_whatever_fails(void **state)
{
	(void)state;
	static const Case cases[] = {
		{ "-a", NULL, "-a -b -c ", FALSE, FALSE },
		{ NULL, "-a", "-a -b -c ", TRUE, FALSE },
	};
	run_cases(cases, G_N_ELEMENTS(cases),
			(IscStepMode[]){ ISC_MODE_DOWN, ISC_MODE_DOWN, ISC_MODE_DOWN });
}

static void a_soft_step_spoils_nothing(void **state)
{
	(void)state;
	static const Case cases[] = { { "+b", NULL, "+a +b +c ", FALSE, FALSE } };
	run_cases(cases, G_N_ELEMENTS(cases),
			(IscStepMode[]){ ISC_MODE_UP, ISC_MODE_SOFT, ISC_MODE_UP });
}

static void what_cannot_be_written_down_is_undone_all_the_same(void **state)
{
	(void)state;
	g_autoptr(GString) calls = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	Fake fake = { calls, "+b", NULL, NULL };
	IscAdapter adapters[ISC_N_STEP_KINDS];
	for (guint k = 0; k < ISC_N_STEP_KINDS; k++)
		adapters[k] = (IscAdapter){ up, down };
	const IscEngine engine = { adapters, &fake };
	guint failures = 0;
	const IscObserver observer = { before_forth, failed, &failures };
	g_autoptr(IscPlan) plan = isc_plan_new(ISC_VERB_ENABLE, "web");
	isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_OVERLAY, "a");
	isc_plan_add(plan, ISC_MODE_UP, ISC_STEP_FENCE, "b");
	gboolean undone;
	assert_false(isc_engine_run(&engine, plan, NULL, &observer, NULL, &undone, &error));
	assert_error(error, ISC_ERROR_HOST, "+b failed");
	assert_string_equal(calls->str, "+a +b -b -a ");
	assert_true(undone);
	assert_int_equal(failures, 3); /* the step, and twice the journal */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_step_and_those_before_it_are_undone_in_reverse),
		cmocka_unit_test(what_stays_is_not_undone),
		cmocka_unit_test(taking_away_goes_on_whatever_fails),
		cmocka_unit_test(a_soft_step_spoils_nothing),
		cmocka_unit_test(what_cannot_be_written_down_is_undone_all_the_same),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
