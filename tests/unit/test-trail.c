/* R4.2: the files of a trail. */
#include "cm.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "cli/trail.h"

typedef struct {
	gchar *dir, *path;
	int out;          /* writes to the file */
	GString *seen;    /* lines handed out, each ended by '|' */
	guint stop_after; /* 0: never */
} Case;

static int set_up(void **state)
{
	Case *c = g_new0(Case, 1);
	c->dir = g_dir_make_tmp("isc-trail-XXXXXX", NULL);
	c->path = g_build_filename(c->dir, "audit.log", NULL);
	c->out = g_open(c->path, O_CREAT | O_WRONLY | O_APPEND, 0600);
	c->seen = g_string_new(NULL);
	*state = c;
	return c->out < 0;
}

static int tear_down(void **state)
{
	Case *c = *state;
	close(c->out);
	g_unlink(c->path);
	g_autofree gchar *old = g_strconcat(c->path, ".1", NULL);
	g_unlink(old);
	g_rmdir(c->dir);
	g_string_free(c->seen, TRUE);
	g_free(c->dir);
	g_free(c->path);
	g_free(c);
	return 0;
}

static void put(Case *c, const gchar *text)
{
	assert_int_equal(write(c->out, text, strlen(text)), strlen(text));
}

static IscTrail *start(Case *c, guint lines)
{
	g_autoptr(GError) error = NULL;
	IscTrail *trail = isc_trail_new(g_open(c->path, O_RDONLY, 0), lines, &error);
	assert_no_error(error);
	return trail;
}

static gboolean on_line(const gchar *line, gsize len, gpointer data)
{
	Case *c = data;
	g_string_append_len(c->seen, line, (gssize)len);
	g_string_append_c(c->seen, '|');
	return c->stop_after == 0 || --c->stop_after > 0;
}

static void expect(Case *c, IscTrail *trail, const gchar *wanted)
{
	g_autoptr(GError) error = NULL;
	g_string_truncate(c->seen, 0);
	assert_true(isc_trail_read(trail, on_line, c, NULL, &error));
	assert_string_equal(c->seen->str, wanted);
}

static void it_begins_with_the_last_lines(void **state)
{
	Case *c = *state;
	put(c, "one\ntwo\n\nfour\n");
	static const struct {
		guint lines;
		const gchar *wanted;
	} cases[] = { { 1, "four|" }, { 2, "|four|" }, { 3, "two||four|" }, { 4, "one|two||four|" },
		{ 99, "one|two||four|" }, { 0, "one|two||four|" } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(IscTrail) trail = start(c, cases[i].lines);
		expect(c, trail, cases[i].wanted);
	}
}

static void it_begins_right_across_the_blocks_it_reads(void **state)
{
	Case *c = *state;
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < 40000; i++)
		g_string_append_printf(text, "line %u\n", i);
	put(c, text->str);
	for (guint lines = 1; lines < 40000; lines += 3001) {
		g_autoptr(IscTrail) trail = start(c, lines);
		g_autoptr(GError) error = NULL;
		g_string_truncate(c->seen, 0);
		assert_true(isc_trail_read(trail, on_line, c, NULL, &error));
		g_autofree gchar *first = g_strdup_printf("line %u|", 40000 - lines);
		assert_true(g_str_has_prefix(c->seen->str, first));
		assert_true(g_str_has_suffix(c->seen->str, "line 39999|"));
	}
}

static void a_line_waits_for_its_end(void **state)
{
	Case *c = *state;
	g_autoptr(IscTrail) trail = start(c, 10);
	expect(c, trail, "");
	put(c, "a\nhal");
	expect(c, trail, "a|");
	put(c, "f\n");
	expect(c, trail, "half|");
	put(c, "rest");
	expect(c, trail, "");
	isc_trail_finish(trail, on_line, c);
	assert_string_equal(c->seen->str, "rest|");
}

static void an_endless_line_comes_in_pieces(void **state)
{
	Case *c = *state;
	g_autofree gchar *text = g_strnfill(ISC_TRAIL_LINE_MAX + 10, 'x');
	put(c, text);
	put(c, "\nnext\n");
	g_autoptr(IscTrail) trail = start(c, 0);
	g_autoptr(GError) error = NULL;
	assert_true(isc_trail_read(trail, on_line, c, NULL, &error));
	g_auto(GStrv) lines = g_strsplit(c->seen->str, "|", -1);
	assert_int_equal(strlen(lines[0]), ISC_TRAIL_LINE_MAX);
	assert_string_equal(lines[1], "xxxxxxxxxx");
	assert_string_equal(lines[2], "next");
}

static void who_reads_can_stop(void **state)
{
	Case *c = *state;
	put(c, "a\nb\nc\n");
	g_autoptr(IscTrail) trail = start(c, 0);
	c->stop_after = 2;
	expect(c, trail, "a|b|");
}

static void a_file_begun_anew_is_read_from_its_start(void **state)
{
	Case *c = *state;
	put(c, "old line\n");
	g_autoptr(IscTrail) trail = start(c, 0);
	expect(c, trail, "old line|");
	assert_int_equal(ftruncate(c->out, 0), 0);
	put(c, "new\n");
	expect(c, trail, "new|");
}

static void a_renamed_or_removed_file_looks_replaced(void **state)
{
	Case *c = *state;
	put(c, "a\n");
	g_autoptr(IscTrail) trail = start(c, 0);
	expect(c, trail, "a|");
	assert_false(isc_trail_looks_replaced(trail));
	put(c, "b\n");
	assert_false(isc_trail_looks_replaced(trail));

	g_autofree gchar *old = g_strconcat(c->path, ".1", NULL);
	assert_int_equal(g_rename(c->path, old), 0);
	assert_true(isc_trail_looks_replaced(trail));
	assert_false(isc_trail_replace(trail, g_open(old, O_RDONLY, 0)));
	assert_false(isc_trail_looks_replaced(trail));
	assert_int_equal(g_unlink(old), 0);
	assert_true(isc_trail_looks_replaced(trail));
}

static void only_another_file_takes_the_place(void **state)
{
	Case *c = *state;
	put(c, "a\n");
	g_autoptr(IscTrail) trail = start(c, 0);
	expect(c, trail, "a|");
	assert_false(isc_trail_replace(trail, g_open(c->path, O_RDONLY, 0)));
	expect(c, trail, "");

	g_autofree gchar *old = g_strconcat(c->path, ".1", NULL);
	assert_int_equal(g_rename(c->path, old), 0);
	assert_true(g_file_set_contents(c->path, "fresh\n", -1, NULL));
	assert_true(isc_trail_replace(trail, g_open(c->path, O_RDONLY, 0)));
	expect(c, trail, "fresh|");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(it_begins_with_the_last_lines),
		TEST(it_begins_right_across_the_blocks_it_reads),
		TEST(a_line_waits_for_its_end),
		TEST(an_endless_line_comes_in_pieces),
		TEST(who_reads_can_stop),
		TEST(a_file_begun_anew_is_read_from_its_start),
		TEST(a_renamed_or_removed_file_looks_replaced),
		TEST(only_another_file_takes_the_place),
	};
	return cmocka_run_group_tests_name("trail", tests, NULL, NULL);
}
