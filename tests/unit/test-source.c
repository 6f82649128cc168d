/* R4.6, T17: a connection of a guest. */
#include "cm.h"

#include "forward/source.h"
#include "trail-fixture.h"

typedef struct {
	GString *lines;
	guint64 last; /* number */
	gboolean in_order;
} Seen;

static void on_record(const IscTrailRecord *r, gpointer data)
{
	Seen *seen = data;
	g_string_append_len(seen->lines, r->line, (gssize)r->len);
	g_string_append_c(seen->lines, '\n');
	seen->in_order &= r->number == seen->last + 1;
	seen->last = r->number;
}

/* Everything there is now. */
static gchar *drain(IscForwardSource *s, Seen *seen)
{
	g_autoptr(GError) error = NULL;
	seen->lines = g_string_new(NULL);
	while (isc_forward_source_next(s, on_record, seen, &error))
		;
	assert_no_error(error);
	return g_string_free(seen->lines, FALSE);
}

static IscForwardSource *open_source(const Folder *f, const IscForwardPos *pos)
{
	g_autoptr(GError) error = NULL;
	IscForwardSource *s = isc_forward_source_new(f->fd, ISC_FORWARD_AUDIT, "web", pos, &error);
	assert_no_error(error);
	return s;
}

static void a_trail_that_grows_and_rotates_is_read_to_its_end(void **state)
{
	Folder *f = *state;
	IscForwardSource *s = open_source(f, NULL);
	Seen seen = { .in_order = TRUE };
	g_autofree gchar *nothing = drain(s, &seen);
	assert_string_equal(nothing, "");

	IscTrailWriter *t = folder_open_trail(f, 500, NULL);
	for (guint n = 1; n <= 20; n++) {
		add_frame(t, n);
		commit(t, FALSE);
		g_autofree gchar *got = drain(s, &seen), *want = frame_lines(n, n);
		assert_string_equal(got, want);
	}
	assert_true(isc_forward_source_pos(s)->segment > 2);
	/* What is not sealed yet is not there yet. */
	add_frame(t, 21);
	g_autofree gchar *early = drain(s, &seen);
	assert_string_equal(early, "");
	commit(t, TRUE);
	isc_trail_writer_free(t);
	g_autofree gchar *late = drain(s, &seen), *want = frame_lines(21, 21);
	assert_string_equal(late, want);
	assert_true(seen.in_order);
	assert_int_equal(isc_forward_source_pos(s)->record, 42);
	isc_forward_source_free(s);
}

static void it_goes_on_where_it_was_left(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 500, NULL);
	for (guint n = 1; n <= 10; n++) {
		add_frame(t, n);
		commit(t, FALSE);
	}
	IscForwardSource *s = open_source(f, NULL);
	Seen seen = { .in_order = TRUE };
	g_autofree gchar *all = drain(s, &seen);
	const IscForwardPos pos = *isc_forward_source_pos(s);
	isc_forward_source_free(s);

	for (guint n = 11; n <= 20; n++) {
		add_frame(t, n);
		commit(t, FALSE);
	}
	isc_trail_writer_free(t); /* as a crash */
	t = folder_open_trail(f, 500, NULL);
	s = open_source(f, &pos);
	g_autofree gchar *rest = drain(s, &seen), *want = frame_lines(11, 20);
	assert_string_equal(rest, want);
	isc_forward_source_seek(s, &pos);
	seen.last = 20;
	g_autofree gchar *again = drain(s, &seen);
	assert_string_equal(again, want);
	assert_true(seen.in_order);
	isc_forward_source_free(s);
	isc_trail_writer_free(t);
}

static void a_trail_that_was_begun_anew_goes_on_behind_the_broken_one(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 0, NULL);
	add_frame(t, 1);
	commit(t, FALSE);
	isc_trail_writer_free(t);
	folder_unlock(f);
	assert_int_equal(unlinkat(f->fd, "chain.key", 0), 0);
	gboolean broken = FALSE;
	t = folder_open_trail(f, 0, &broken);
	assert_true(broken);
	add_frame(t, 2);
	commit(t, FALSE);

	IscForwardSource *s = open_source(f, NULL);
	Seen seen = { 0 };
	g_autofree gchar *all = drain(s, &seen), *want = frame_lines(1, 2);
	assert_string_equal(all, want);
	isc_forward_source_free(s);
	isc_trail_writer_free(t);
}

static void what_is_too_much_is_passed_over_and_counted(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 500, NULL);
	for (guint n = 1; n <= 20; n++) {
		add_frame(t, n);
		commit(t, FALSE);
	}
	IscForwardSource *s = open_source(f, NULL);
	assert_int_equal(isc_forward_source_bound(s, 1 << 20), 0);
	g_autofree gchar *newest = frame_lines(18, 20);
	guint64 passed = isc_forward_source_bound(s, strlen(newest));
	assert_int_equal(passed, 34);
	assert_int_equal(isc_forward_source_pos(s)->skipped, 34);
	Seen seen = { 0 };
	g_autofree gchar *rest = drain(s, &seen);
	assert_string_equal(rest, newest);
	isc_forward_source_free(s);
	isc_trail_writer_free(t);
}

/* Retention was faster than the receiver: what is left is delivered, what is gone is a number. */
static void what_retention_took_is_counted(void **state)
{
	Folder *f = *state;
	g_autoptr(GError) error = NULL;
	IscTrailWriter *t = folder_open_trail(f, 500, NULL);
	add_frame(t, 1);
	commit(t, FALSE);
	/* One has read the first, and has its file open; the other has read nothing. */
	IscForwardSource *reader = open_source(f, NULL), *late = open_source(f, NULL);
	Seen first = { .in_order = TRUE }, second = { .in_order = TRUE };
	g_autofree gchar *one = drain(reader, &first);
	for (guint n = 2; n <= 40; n++) {
		add_frame(t, n);
		commit(t, FALSE);
	}
	assert_true(isc_trail_writer_keep(t, 4000, &error));
	IscTrailTrimmed gone = isc_trail_writer_trimmed(t);
	assert_true(gone.to > 3);
	g_autofree gchar *all = drain(late, &second);
	g_autofree gchar *want = frame_lines((guint)gone.first / 2 + 1, 40);
	assert_string_equal(all, want);
	assert_int_equal(isc_forward_source_pos(late)->skipped, gone.first - 1);
	assert_int_equal(isc_forward_source_bound(late, 1 << 20), gone.first - 1);
	assert_int_equal(isc_forward_source_bound(late, 1 << 20), 0);
	/* What the open file holds it still gets. */
	g_autofree gchar *rest = drain(reader, &first);
	assert_true(g_str_has_suffix(rest, want));
	assert_int_equal(isc_forward_source_pos(reader)->record, 80);
	guint64 read = (guint64)(isc_forward_source_pos(reader)->skipped);
	assert_true(read > 0 && read < gone.first - 1);
	isc_forward_source_free(reader);
	isc_forward_source_free(late);
	isc_trail_writer_free(t);
}

static void a_damaged_chain_is_an_error_not_an_end(void **state)
{
	Folder *f = *state;
	IscTrailWriter *t = folder_open_trail(f, 0, NULL);
	add_frame(t, 1);
	commit(t, FALSE);
	isc_trail_writer_free(t);
	g_autoptr(GBytes) chain = folder_read(f, "audit.chain");
	gsize len;
	g_autofree guint8 *bytes =
			g_memdup2(g_bytes_get_data(chain, &len), g_bytes_get_size(chain));
	memset(bytes + 416, 0xff, 4);
	folder_write(f, "audit.chain", bytes, g_bytes_get_size(chain));
	IscForwardSource *s = open_source(f, NULL);
	g_autoptr(GError) error = NULL;
	Seen seen = { .lines = g_string_new(NULL) };
	while (isc_forward_source_next(s, on_record, &seen, &error))
		;
	assert_error(error, ISC_ERROR_FAILED, "damaged");
	g_string_free(seen.lines, TRUE);
	isc_forward_source_free(s);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_setup, folder_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_trail_that_grows_and_rotates_is_read_to_its_end),
		TEST(it_goes_on_where_it_was_left),
		TEST(a_trail_that_was_begun_anew_goes_on_behind_the_broken_one),
		TEST(what_is_too_much_is_passed_over_and_counted),
		TEST(what_retention_took_is_counted),
		TEST(a_damaged_chain_is_an_error_not_an_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
