/* R4.2, T18: gaps in the kernel's serials. */
#include "cm.h"

#include "cli/serials.h"

typedef struct {
	IscSerials *serials;
	IscSerialReport report;
	guint64 session;
	gint64 time; /* s */
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	f->serials = isc_serials_new();
	f->session = 1;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	isc_serials_free(f->serials);
	isc_serial_report_clear(&f->report);
	g_free(f);
	return 0;
}

static void take(Fixture *f, guint16 flags, const gchar *line)
{
	IscTrailRecord r = { .session = f->session,
		.time = f->time * G_USEC_PER_SEC,
		.type = flags ? 1209 : 1300,
		.flags = flags,
		.line = line,
		.len = strlen(line) };
	isc_serials_take(&r, f->serials);
}

static void serial(Fixture *f, guint64 n)
{
	gchar line[100];
	g_snprintf(line, sizeof line,
			"type=SYSCALL msg=audit(1700000000.123:%" G_GUINT64_FORMAT "): a=1", n);
	take(f, 0, line);
}

static void serials(Fixture *f, guint64 from, guint64 to)
{
	for (guint64 n = from; n <= to; n++)
		serial(f, n);
}

static void bye(Fixture *f)
{
	take(f, ISC_RECORD_DOCK,
			"type=DAEMON_END msg=audit(1700000000.123:4000000002): op=claim event=bye "
			"a=0 b=0 c=0 d=9000 res=success");
}

static const gchar *finish(Fixture *f)
{
	static gchar text[4096];
	isc_serials_finish(f->serials, &f->report);
	g_autoptr(GString) out = g_string_new(NULL);
	isc_serial_report_print(out, &f->report);
	g_strlcpy(text, out->str, sizeof text);
	return text;
}

static void without_gaps_there_is_nothing_to_say(void **state)
{
	Fixture *f = *state;
	serials(f, 7, 100);
	serial(f, 100); /* more records of one event */
	f->session = 2; /* another boot counts anew */
	serials(f, 5, 9);
	assert_string_equal(finish(f), "");
	assert_int_equal(f->report.events, 99);
	assert_int_equal(f->report.missing, 0);
}

static void events_may_overtake_one_another(void **state)
{
	Fixture *f = *state;
	serial(f, 1);
	for (guint64 n = 10000; n > 1; n--)
		serial(f, n);
	assert_string_equal(finish(f), "");
}

static void gaps_are_named(void **state)
{
	Fixture *f = *state;
	serials(f, 1, 4);
	serials(f, 6, 9);
	serials(f, 13, 40000);
	bye(f);
	assert_string_equal(finish(f), ", kernel serials 5, 10-12 are missing, 4 of them without a "
				       "loss on record");
	assert_int_equal(f->report.missing, 4);
	g_autoptr(IscJson) json = isc_serial_report_json(&f->report);
	assert_int_equal(json_object_array_length(json_object_object_get(json, "gaps")), 2);
}

static void a_gap_wider_than_any_window_is_one_gap(void **state)
{
	Fixture *f = *state;
	serial(f, 1);
	serial(f, 4000000000u);
	serial(f, 4000000001u);
	bye(f);
	assert_string_equal(finish(f),
			", kernel serials 2-3999999999 are missing, 3999999998 of them "
			"without a loss on record");
}

static void what_is_on_record_as_lost_explains_gaps_of_its_boot(void **state)
{
	Fixture *f = *state;
	serials(f, 1, 4);
	take(f, ISC_RECORD_DOCK,
			"type=DAEMON_ERR msg=audit(1700000000.123:4000000001): op=lost "
			"source=kernel "
			"count=3 res=failed");
	serials(f, 7, 9);
	bye(f);
	f->session = 2;
	serials(f, 1, 2);
	serials(f, 4, 5);
	bye(f);
	assert_string_equal(finish(f),
			", kernel serials 3 are missing, 1 of them without a loss on record");
	assert_int_equal(f->report.missing, 3);
}

static void no_guest_can_explain_a_gap_away(void **state)
{
	Fixture *f = *state;
	serial(f, 1);
	take(f, 0,
			"type=USER msg=audit(1700000000.123:2): op=lost source=kernel count=99 "
			"res=failed");
	serial(f, 4);
	bye(f);
	assert_int_not_equal(*finish(f), '\0');
	assert_int_equal(f->report.unexplained, 1);
}

static void a_gap_that_is_young_may_still_be_explained(void **state)
{
	Fixture *f = *state;
	serials(f, 1, 4);
	f->time = 3;
	serials(f, 6, 9);
	f->time = 20;
	serials(f, 12, 13);
	f->time = 29;
	serials(f, 15, 15);
	assert_string_equal(finish(f),
			", 3 kernel serials of a last 10 seconds are missing: what was lost then "
			"is not on record (yet), kernel serials 5 are missing, 1 of them without "
			"a loss on record");
	assert_int_equal(f->report.missing, 4);
	assert_int_equal(f->report.unsettled, 3);
	assert_int_equal(f->report.unexplained, 1);
}

static void an_end_in_order_settles_all_of_its_boot(void **state)
{
	Fixture *f = *state;
	serials(f, 1, 2);
	serials(f, 4, 5);
	bye(f);
	f->session = 2; /* whose guest was killed */
	serials(f, 1, 2);
	serials(f, 4, 5);
	f->session = 3;
	serials(f, 1, 5);
	(void)finish(f);
	assert_int_equal(f->report.unexplained, 1);
	assert_int_equal(f->report.unsettled, 1);
}

static void no_guest_ends_a_boot_by_its_word(void **state)
{
	Fixture *f = *state;
	serials(f, 1, 2);
	take(f, 0,
			"type=USER msg=audit(1700000000.123:4): op=claim event=bye a=0 b=0 c=0 d=0 "
			"res=success");
	(void)finish(f);
	assert_int_equal(f->report.unexplained, 0);
	assert_int_equal(f->report.unsettled, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_gaps_there_is_nothing_to_say),
		TEST(events_may_overtake_one_another),
		TEST(gaps_are_named),
		TEST(a_gap_wider_than_any_window_is_one_gap),
		TEST(what_is_on_record_as_lost_explains_gaps_of_its_boot),
		TEST(no_guest_can_explain_a_gap_away),
		TEST(a_gap_that_is_young_may_still_be_explained),
		TEST(an_end_in_order_settles_all_of_its_boot),
		TEST(no_guest_ends_a_boot_by_its_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
