#include "cm.h"

#include "cli/filter.h"

#define NOW                                                                                        \
	(G_GINT64_CONSTANT(1700000000) *                                                           \
			G_USEC_PER_SEC) /* 2023-11-14 22:13:20 UTC, in these tests local time */

static void times_are_dates_clocks_or_how_long_ago(void **state)
{
	(void)state;
	static const struct {
		const gchar *text;
		gint64 seconds;
	} cases[] = { { "now", 1700000000 }, { "@12", 12 }, { "90s", 1699999910 },
		{ "10min", 1699999400 }, { "2h", 1699992800 }, { "3d", 1699740800 },
		{ "1w", 1699395200 }, { "today", 1699920000 }, { "yesterday", 1699833600 },
		{ "2023-11-14", 1699920000 }, { "2023-11-14 22:13:20", 1700000000 },
		{ "2023-11-14T22:13:20Z", 1700000000 }, { "2023-11-14 22:13", 1699999980 },
		{ "2023-11-14 23:13+01:00", 1699999980 }, { "22:13", 1699999980 },
		{ "22:13:20", 1700000000 }, { "recent", 1699999400 }, { "this-hour", 1699999200 },
		{ "this-week", 1699747200 }, { "week-ago", 1699315200 },
		{ "this-month", 1698796800 }, { "this-year", 1672531200 } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		gint64 got = 0;
		g_autoptr(GError) error = NULL;
		if (!isc_filter_time(cases[i].text, NOW, &got, &error) ||
				got != cases[i].seconds * G_USEC_PER_SEC)
			fail_msg("%s: %" G_GINT64_FORMAT " %s", cases[i].text, got,
					error ? error->message : "");
	}
	static const gchar *const wrong[] = { "", "gestern", "12", "2023-13-01", "@", "@x", "25:00",
		"9999999d", "2023-11-14T", "\033[2J", "T", "-1h", ":", "boot", "tomorrow", "this-",
		"+1h", "1.5h", "@-1", "@99999999999999999999", "2023-02-29" };
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		gint64 got;
		g_autoptr(GError) error = NULL;
		if (isc_filter_time(wrong[i], NOW, &got, &error))
			fail_msg("'%s' is a time", wrong[i]);
		assert_error(error, ISC_ERROR_INVALID, "is no time");
	}
}

/* --- searching --- */

static const IscOption options[] = { { "since", 0, ISC_OPT_VALUE, "", "" },
	{ "until", 0, ISC_OPT_VALUE, "", "" }, { "type", 0, ISC_OPT_LIST, "", "" },
	{ "key", 0, ISC_OPT_LIST, "", "" }, { "uid", 0, ISC_OPT_LIST, "", "" },
	{ "success", 0, ISC_OPT_VALUE, "", "" }, { NULL } };

static gboolean collect(const gchar *line, gsize len, gpointer data)
{
	g_string_append_printf(data, "%.*s\n", (int)len, line);
	return TRUE;
}

static IscFilter *filter_of(const gchar *line)
{
	g_auto(GStrv) argv = g_strsplit(line, " ", -1);
	const IscOption *sets[] = { options, NULL };
	g_autoptr(GError) error = NULL;
	g_autoptr(IscArgs) args = isc_args_parse(argv, sets, &error);
	IscFilter *filter = NULL;
	assert_no_error(error);
	assert_true(isc_filter_new(args, NOW, &filter, &error));
	return filter;
}

static void a_span_that_ends_before_it_begins_is_refused(void **state)
{
	(void)state;
	g_auto(GStrv) argv = g_strsplit("--since @20 --until @10", " ", -1);
	const IscOption *sets[] = { options, NULL };
	g_autoptr(GError) error = NULL;
	g_autoptr(IscArgs) args = isc_args_parse(argv, sets, &error);
	IscFilter *filter = NULL;
	assert_no_error(error);
	assert_false(isc_filter_new(args, NOW, &filter, &error));
	assert_null(filter);
	assert_error(error, ISC_ERROR_INVALID, "--until is before --since");
	g_auto(GStrv) moment = g_strsplit("--since @20 --until @20", " ", -1);
	g_autoptr(IscArgs) same = isc_args_parse(moment, sets, NULL);
	assert_true(isc_filter_new(same, NOW, &filter, NULL));
	isc_filter_free(filter);
}

/* What is left out by a shell whose variable is empty must not pass for "there is none". */
static void an_empty_wish_is_refused(void **state)
{
	(void)state;
	static const gchar *const names[] = { "type", "key", "uid" };
	const IscOption *sets[] = { options, NULL };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree gchar *option = g_strdup_printf("--%s=", names[i]);
		gchar *argv[] = { option, NULL };
		g_autoptr(GError) error = NULL;
		g_autoptr(IscArgs) args = isc_args_parse(argv, sets, &error);
		IscFilter *filter = NULL;
		assert_no_error(error);
		assert_false(isc_filter_new(args, NOW, &filter, &error));
		assert_error(error, ISC_ERROR_INVALID, "say which");
	}
}

static void feed(IscFilter *f, const gchar *text, GString *out)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (gsize i = 0; lines[i]; i++)
		assert_true(isc_filter_feed(f, lines[i], strlen(lines[i]), collect, out));
}

static void without_a_wish_there_is_no_filter(void **state)
{
	(void)state;
	g_auto(GStrv) argv = g_new0(gchar *, 1);
	const IscOption *sets[] = { options, NULL };
	g_autoptr(IscArgs) args = isc_args_parse(argv, sets, NULL);
	IscFilter *filter = NULL;
	assert_true(isc_filter_new(args, NOW, &filter, NULL));
	assert_null(filter);
}

static void an_event_is_shown_whole_once_it_is_complete(void **state)
{
	(void)state;
	g_autoptr(IscFilter) f = filter_of("--type PATH");
	g_autoptr(GString) out = g_string_new(NULL);
	feed(f, "type=SYSCALL msg=audit(1.000:1): uid=0\ntype=PATH msg=audit(1.000:1): item=0",
			out);
	assert_string_equal(out->str, "");
	feed(f, "type=EOE msg=audit(1.000:1): ", out);
	assert_string_equal(out->str, "type=SYSCALL msg=audit(1.000:1): uid=0\ntype=PATH "
				      "msg=audit(1.000:1): item=0\n"
				      "type=EOE msg=audit(1.000:1): \n");
}

static void an_event_without_an_end_is_given_up_after_two_seconds(void **state)
{
	(void)state;
	g_autoptr(IscFilter) f = filter_of("--uid 0");
	g_autoptr(GString) out = g_string_new(NULL);
	feed(f, "type=SYSCALL msg=audit(1.000:1): uid=0\ntype=SYSCALL msg=audit(2.000:2): uid=0",
			out);
	assert_string_equal(out->str, "");
	feed(f, "type=SYSCALL msg=audit(3.500:3): uid=0", out);
	assert_string_equal(out->str, "type=SYSCALL msg=audit(1.000:1): uid=0\n");
	assert_true(isc_filter_finish(f, collect, out));
	assert_non_null(strstr(out->str, ":3)"));
}

static void events_that_never_end_do_not_pile_up(void **state)
{
	(void)state;
	g_autoptr(IscFilter) f = filter_of("--uid 0");
	g_autoptr(GString) out = g_string_new(NULL);
	for (guint i = 0; i < 1000; i++) {
		g_autofree gchar *line =
				g_strdup_printf("type=SYSCALL msg=audit(1.000:%u): uid=0", i);
		feed(f, line, out);
	}
	assert_non_null(strstr(out->str, ":900)"));
}

static void keys_are_matched_one_by_one_and_in_hex(void **state)
{
	(void)state;
	g_autoptr(IscFilter) f = filter_of("--key priv");
	g_autoptr(GString) out = g_string_new(NULL);
	feed(f,
			"type=SYSCALL msg=audit(1.000:1): key=657865630170726978\n"
			"type=SYSCALL msg=audit(1.000:2): key=657865630170726976\n"
			"type=SYSCALL msg=audit(1.000:3): key=\"private\"\ntype=SYSCALL "
			"msg=audit(1.000:4): key=(null)",
			out);
	assert_true(isc_filter_finish(f, collect, out));
	assert_string_equal(out->str, "type=SYSCALL msg=audit(1.000:2): key=657865630170726976\n");
}

/* The time of a record is what a guest's kernel says, and that may be the guest's own (T16). */
static void no_time_that_a_node_claims_does_harm(void **state)
{
	(void)state;
	static const gchar last[] = "type=SYSCALL msg=audit(18446744073709551615.999:1): uid=0\n",
			   first[] = "type=SYSCALL msg=audit(0.000:2): uid=0\n",
			   now[] = "type=SYSCALL msg=audit(1700000000.000:3): uid=0\n";
	g_autofree gchar *all = g_strconcat(last, first, now, last, NULL);
	static const struct {
		const gchar *wish, *found[2];
	} cases[] = { { "--since 1h", { now, last } }, { "--until 1h", { first, NULL } },
		{ "--since @0 --until now", { first, now } } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscFilter) f = filter_of(cases[i].wish);
		g_autoptr(GString) out = g_string_new(NULL);
		feed(f, all, out);
		assert_true(isc_filter_finish(f, collect, out));
		const gchar *const times[] = { last, first, now };
		for (gsize k = 0; k < G_N_ELEMENTS(times); k++) {
			gboolean wanted = times[k] == cases[i].found[0] ||
					  times[k] == cases[i].found[1];
			if ((strstr(out->str, times[k]) != NULL) != wanted)
				fail_msg("%s: %s", cases[i].wish, out->str);
		}
	}
}

static void nothing_is_older_than_the_first_moment(void **state)
{
	(void)state;
	g_autoptr(IscFilter) f = filter_of("--until @0");
	g_autoptr(GString) out = g_string_new(NULL);
	feed(f, "type=EXECVE msg=audit(1700000000.000:1): argc=1 a0=\"x\"", out);
	assert_true(isc_filter_finish(f, collect, out));
	assert_string_equal(out->str, "");
}

static void success_is_also_the_result_of_a_message(void **state)
{
	(void)state;
	g_autoptr(IscFilter) f = filter_of("--success no");
	g_autoptr(GString) out = g_string_new(NULL);
	feed(f,
			"type=USER_LOGIN msg=audit(1.000:1): pid=1 uid=0 msg='op=login acct=\"x\" "
			"res=failed'\n"
			"type=USER_LOGIN msg=audit(1.000:2): pid=1 uid=0 msg='op=login acct=\"x\" "
			"res=success'\n"
			"type=CONFIG_CHANGE msg=audit(1.000:3): op=set res=0",
			out);
	assert_true(isc_filter_finish(f, collect, out));
	assert_non_null(strstr(out->str, ":1)"));
	assert_null(strstr(out->str, ":2)"));
	assert_non_null(strstr(out->str, ":3)"));
}

int main(void)
{
	g_setenv("TZ", "UTC", TRUE);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_dates_clocks_or_how_long_ago),
		cmocka_unit_test(an_empty_wish_is_refused),
		cmocka_unit_test(without_a_wish_there_is_no_filter),
		cmocka_unit_test(an_event_is_shown_whole_once_it_is_complete),
		cmocka_unit_test(an_event_without_an_end_is_given_up_after_two_seconds),
		cmocka_unit_test(events_that_never_end_do_not_pile_up),
		cmocka_unit_test(keys_are_matched_one_by_one_and_in_hex),
		cmocka_unit_test(a_span_that_ends_before_it_begins_is_refused),
		cmocka_unit_test(no_time_that_a_node_claims_does_harm),
		cmocka_unit_test(nothing_is_older_than_the_first_moment),
		cmocka_unit_test(success_is_also_the_result_of_a_message),
	};
	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
