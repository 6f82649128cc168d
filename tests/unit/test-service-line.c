/* R4.3: what a service wrote, line by line. */
#include "cm.h"

#include "cli/service-line.h"

static void a_stamp_is_what_the_collector_writes_and_nothing_else(void **state)
{
	(void)state;
	static const gchar good[] = "2026-01-02T03:04:05.678Z stdout x";
	static const gchar *const bad[] = { "", "2026-01-02T03:04:05.678Z",
		"x2026-01-02T03:04:05.678Z ", "2026-01-02 03:04:05.678Z stdout x",
		"2026-01-02T03:04:05.678z stdout x", "2026-01-02T03:04:05.67Z  stdout x",
		"\xff\xff-01-02T03:04:05.678Z stdout" };
	gchar stamp[ISC_SERVICE_STAMP + 1] = "untouched";
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
		if (isc_service_line_stamp(bad[i], strlen(bad[i]), stamp))
			fail_msg("'%s' was taken", bad[i]);
	assert_string_equal(stamp, "untouched");
	/* A line is no string: what is behind its end is not its own. */
	assert_false(isc_service_line_stamp(good, ISC_SERVICE_STAMP, stamp));
	assert_true(isc_service_line_stamp(good, strlen(good), stamp));
	assert_string_equal(stamp, "2026-01-02T03:04:05.678Z");
}

static void a_line_without_one_is_text_as_it_is(void **state)
{
	(void)state;
	static const struct {
		const gchar *line, *json;
	} cases[] = {
		{ "2026-01-02T03:04:05.678Z stderr a b", "{\"time\":\"2026-01-02T03:04:05.678Z\","
							 "\"stream\":\"stderr\",\"text\":\"a "
							 "b\"}" },
		{ "2026-01-02T03:04:05.678Z stderr",
				"{\"text\":\"2026-01-02T03:04:05.678Z stderr\"}" },
		{ "a guest's Z word or two", "{\"text\":\"a guest's Z word or two\"}" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscJson) json =
				isc_service_line_json(cases[i].line, strlen(cases[i].line));
		assert_string_equal(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN),
				cases[i].json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stamp_is_what_the_collector_writes_and_nothing_else),
		cmocka_unit_test(a_line_without_one_is_text_as_it_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
