/* The forwarder's reader of service logs, beside the collector's writer of them. */
#include "trail-fixture.h"

#include "collector/service-log.h"
#include "forward/log-source.h"

typedef struct {
	GString *text; /* numbers of the lines, a blank before each; X for what the dock says */
	guint64 last;
	gboolean in_order;
} Seen;

static void on_record(const IscTrailRecord *r, gpointer data)
{
	Seen *seen = data;
	seen->in_order &= r->number == seen->last + 1;
	seen->last = r->number;
	if (r->flags & ISC_RECORD_DOCK) {
		g_string_append(seen->text, " X");
		return;
	}
	g_autofree gchar *line = g_strndup(r->line, r->len);
	assert_true(g_str_has_prefix(line, "line "));
	guint n = (guint)strtoul(line + 5, NULL, 10);
	assert_int_equal(r->type, 1 + n % 2);
	assert_int_equal(r->time, (gint64)1767323045678000 + n * 1000);
	g_string_append_printf(seen->text, " %u", n);
}

static gchar *drain(IscLogSource *s, Seen *seen)
{
	seen->text = g_string_new(NULL);
	/* What moves while it is looked for is looked for again. */
	for (guint empty = 0; empty < 5;)
		empty = isc_log_source_next(s, on_record, seen) ? 0 : empty + 1;
	return g_string_free(seen->text, FALSE);
}

static gchar *numbers(guint from, guint to)
{
	GString *out = g_string_new(NULL);
	for (guint n = from; n <= to; n++)
		g_string_append_printf(out, " %u", n);
	return g_string_free(out, FALSE);
}

static IscLogSource *open_source(const Folder *f, const IscForwardPos *pos)
{
	g_autoptr(GError) error = NULL;
	IscLogSource *s = isc_log_source_new(f->fd, "web", pos, &error);
	assert_no_error(error);
	return s;
}

static IscServiceLog *open_log(const Folder *f)
{
	g_autoptr(GError) error = NULL;
	IscServiceLog *l = isc_service_log_open(f->fd, 100, &error); /* two or three lines a file */
	assert_no_error(error);
	return l;
}

static void add_lines(IscServiceLog *l, guint from, guint to)
{
	g_autoptr(GError) error = NULL;
	for (guint n = from; n <= to; n++) {
		g_autofree gchar *text = g_strdup_printf("line %u", n);
		isc_service_log_add(l, (gint64)1767323045678000 + n * 1000, 1 + n % 2, text,
				strlen(text));
		isc_service_log_mark(l, 7, n);
		assert_true(isc_service_log_begin(l));
		isc_service_log_work(l);
		assert_true(isc_service_log_end(l, &error));
		assert_no_error(error);
	}
}

static void a_log_that_grows_and_rotates_is_read_to_its_end(void **state)
{
	Folder *f = *state;
	IscLogSource *s = open_source(f, NULL);
	Seen seen = { .in_order = TRUE };
	g_autofree gchar *nothing = drain(s, &seen);
	assert_string_equal(nothing, "");
	IscServiceLog *l = open_log(f);
	for (guint n = 1; n <= 30; n++) {
		add_lines(l, n, n);
		g_autofree gchar *got = drain(s, &seen), *want = numbers(n, n);
		assert_string_equal(got, want);
	}
	/* Some at once, over files. */
	add_lines(l, 31, 36);
	g_autofree gchar *got = drain(s, &seen), *want = numbers(31, 36);
	assert_string_equal(got, want);
	assert_true(seen.in_order);
	assert_int_equal(isc_log_source_pos(s)->skipped, 0);
	isc_log_source_free(s);
	isc_service_log_free(l);
}

static void it_goes_on_where_it_was_left_whatever_the_file_is_called_by_then(void **state)
{
	Folder *f = *state;
	IscServiceLog *l = open_log(f);
	add_lines(l, 1, 4);
	IscLogSource *s = open_source(f, NULL);
	Seen seen = { .in_order = TRUE };
	g_autofree gchar *first = drain(s, &seen), *wanted = numbers(1, 4);
	assert_string_equal(first, wanted);
	const IscForwardPos pos = *isc_log_source_pos(s);
	isc_log_source_free(s);

	add_lines(l, 5, 9);
	s = open_source(f, &pos);
	g_autofree gchar *rest = drain(s, &seen), *want = numbers(5, 9);
	assert_string_equal(rest, want);
	/* And a batch that was not confirmed comes again. */
	isc_log_source_seek(s, &pos);
	seen.last = pos.record;
	g_autofree gchar *again = drain(s, &seen);
	assert_string_equal(again, want);
	assert_true(seen.in_order);
	isc_log_source_free(s);
	isc_service_log_free(l);
}

static void what_is_not_durable_is_not_there_yet(void **state)
{
	Folder *f = *state;
	IscServiceLog *l = open_log(f);
	add_lines(l, 1, 1);
	isc_service_log_free(l);
	g_autoptr(GBytes) log = folder_read(f, "service.log");
	g_autofree gchar *more = g_strdup_printf("%.*s2026-01-02T03:04:05.680Z stdout line 2\n",
			(int)g_bytes_get_size(log), (const gchar *)g_bytes_get_data(log, NULL));
	folder_write(f, "service.log", more, strlen(more));
	IscLogSource *s = open_source(f, NULL);
	Seen seen = { .in_order = TRUE };
	g_autofree gchar *got = drain(s, &seen);
	assert_string_equal(got, " 1");
	isc_log_source_free(s);
}

static void what_was_rotated_away_is_told(void **state)
{
	Folder *f = *state;
	IscServiceLog *l = open_log(f);
	add_lines(l, 1, 1);
	IscLogSource *s = open_source(f, NULL);
	Seen seen = { .in_order = TRUE };
	g_autofree gchar *first = drain(s, &seen);
	assert_string_equal(first, " 1");
	const IscForwardPos pos = *isc_log_source_pos(s);
	isc_log_source_free(s);

	add_lines(l, 2, 60);
	s = open_source(f, &pos);
	g_autofree gchar *rest = drain(s, &seen);
	assert_true(g_str_has_prefix(rest, " X 4") || g_str_has_prefix(rest, " X 5"));
	assert_true(g_str_has_suffix(rest, " 58 59 60"));
	assert_true(seen.in_order);
	assert_int_equal(isc_log_source_pos(s)->skipped, 1);
	isc_log_source_free(s);
	isc_service_log_free(l);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_log_that_grows_and_rotates_is_read_to_its_end),
		TEST(it_goes_on_where_it_was_left_whatever_the_file_is_called_by_then),
		TEST(what_is_not_durable_is_not_there_yet),
		TEST(what_was_rotated_away_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
