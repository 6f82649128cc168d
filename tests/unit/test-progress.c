#include "cm.h"

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/progress.h"

/* A terminal of 40 columns, looked at from its other side. */
typedef struct {
	int screen, terminal;
} Pty;

static int set_up(void **state)
{
	Pty *pty = g_new0(Pty, 1);
	struct winsize size = { .ws_row = 10, .ws_col = 40 };
	*state = pty;
	setenv("TERM", "xterm", 1);
	return openpty(&pty->screen, &pty->terminal, NULL, NULL, &size);
}

static int tear_down(void **state)
{
	Pty *pty = *state;
	close(pty->screen);
	close(pty->terminal);
	g_free(pty);
	return 0;
}

static gchar *seen(int fd)
{
	gchar buffer[4096];
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	gssize n = read(fd, buffer, sizeof buffer);
	return g_strndup(buffer, n > 0 ? (gsize)n : 0);
}

static void a_terminal_gets_one_live_line_that_goes_away(void **state)
{
	const Pty *pty = *state;
	assert_int_equal(isc_progress_mode(pty->terminal, FALSE), ISC_PROGRESS_LIVE);
	g_autoptr(IscProgress) progress = isc_progress_new(pty->terminal, ISC_PROGRESS_LIVE);
	isc_progress_step(progress, "web", 2, 9, "make\033[2J the overlay");
	g_autofree gchar *line = seen(pty->screen);
	assert_string_equal(line, "\r\033[K[2/9] web: make\\x1b[2J the overlay");
	isc_progress_tick(progress);
	isc_progress_clear(progress);
	g_autofree gchar *end = seen(pty->screen);
	assert_true(g_str_has_suffix(end, "overlay\r\033[K"));
	isc_progress_clear(progress);
	isc_progress_tick(progress);
	g_autofree gchar *after = seen(pty->screen);
	assert_string_equal(after, "");
}

static void a_line_is_cut_before_it_wraps(void **state)
{
	const Pty *pty = *state;
	g_autoptr(IscProgress) progress = isc_progress_new(pty->terminal, ISC_PROGRESS_LIVE);
	g_autofree gchar *text = g_strnfill(100, 'x');
	isc_progress_step(progress, "", 0, 0, text);
	g_autofree gchar *line = seen(pty->screen);
	assert_int_equal(strlen(line), strlen("\r\033[K") + 39);
}

static void a_log_gets_lines_and_others_nothing(void **state)
{
	(void)state;
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(isc_progress_mode(ends[1], FALSE), ISC_PROGRESS_NONE);
	assert_int_equal(isc_progress_mode(ends[1], TRUE), ISC_PROGRESS_LINES);

	g_autoptr(IscProgress) none = isc_progress_new(ends[1], ISC_PROGRESS_NONE);
	isc_progress_step(none, "web", 1, 2, "start");
	isc_progress_clear(none);
	g_autoptr(IscProgress) lines = isc_progress_new(ends[1], ISC_PROGRESS_LINES);
	isc_progress_step(lines, "web", 1, 2, "start");
	isc_progress_tick(lines);
	isc_progress_step(lines, "", 0, 0, "copy");
	isc_progress_clear(lines);
	g_autofree gchar *text = seen(ends[0]);
	assert_string_equal(text, "[1/2] web: start\ncopy\n");
	close(ends[0]);
	close(ends[1]);
}

static void a_dumb_terminal_is_none(void **state)
{
	const Pty *pty = *state;
	setenv("TERM", "dumb", 1);
	assert_int_equal(isc_progress_mode(pty->terminal, FALSE), ISC_PROGRESS_NONE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_terminal_gets_one_live_line_that_goes_away),
		TEST(a_line_is_cut_before_it_wraps),
		cmocka_unit_test(a_log_gets_lines_and_others_nothing),
		TEST(a_dumb_terminal_is_none),
	};
	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
