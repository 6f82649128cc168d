#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/output.h"

#define SHOW_SECONDS_AFTER (2 * G_USEC_PER_SEC) /* a step that is quick needs no clock */

struct IscProgress {
	int fd;
	IscProgressMode mode;
	gboolean is_drawn;
	gint64 since; /* monotonic µs: start of the step */
	gchar *line;  /* owned; NULL before the first step */
};

IscProgressMode isc_progress_mode(int fd, gboolean verbose)
{
	const gchar *term = g_getenv("TERM");
	if (isatty(fd) && term && !g_str_equal(term, "dumb"))
		return ISC_PROGRESS_LIVE;
	return verbose ? ISC_PROGRESS_LINES : ISC_PROGRESS_NONE;
}

IscProgress *isc_progress_new(int fd, IscProgressMode mode)
{
	IscProgress *progress = g_new0(IscProgress, 1);
	progress->fd = fd;
	progress->mode = mode;
	return progress;
}

/* A line that wraps cannot be rewritten by "\r": cut it to the terminal. */
static glong columns(int fd)
{
	struct winsize size;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		return size.ws_col - 1;
	return 79;
}

static void put(IscProgress *progress, const gchar *text)
{
	/* Nothing can be done where standard error is gone, and the call goes on all the same. */
	gboolean ok = isc_file_write_all(progress->fd, text, strlen(text), NULL);
	(void)ok;
}

static void draw(IscProgress *progress)
{
	gint64 spent = g_get_monotonic_time() - progress->since;
	g_autofree gchar *clock =
			spent < SHOW_SECONDS_AFTER
					? g_strdup("")
					: g_strdup_printf(" (%u s)",
							  (guint)(spent / G_USEC_PER_SEC));
	g_autofree gchar *whole = g_strconcat(progress->line, clock, NULL);
	g_autofree gchar *cut = g_utf8_substring(
			whole, 0, MIN(g_utf8_strlen(whole, -1), columns(progress->fd)));
	g_autofree gchar *text = g_strdup_printf("\r\033[K%s", cut);
	put(progress, text);
	progress->is_drawn = TRUE;
}

void isc_progress_step(IscProgress *progress, const gchar *subject, guint step, guint steps,
		const gchar *text)
{
	if (progress->mode == ISC_PROGRESS_NONE)
		return;

	g_autofree gchar *where =
			steps > 0 ? g_strdup_printf("[%u/%u] ", step, steps) : g_strdup("");
	g_autofree gchar *clean = isc_output_text(text);
	g_autofree gchar *who = isc_output_text(subject);
	g_free(progress->line);
	progress->line = g_strdup_printf("%s%s%s%s", where, who, *who ? ": " : "", clean);
	progress->since = g_get_monotonic_time();
	if (progress->mode == ISC_PROGRESS_LIVE) {
		draw(progress);
		return;
	}
	g_autofree gchar *line = g_strdup_printf("%s\n", progress->line);
	put(progress, line);
}

void isc_progress_tick(IscProgress *progress)
{
	if (progress->mode == ISC_PROGRESS_LIVE && progress->line)
		draw(progress);
}

void isc_progress_clear(IscProgress *progress)
{
	if (progress->is_drawn)
		put(progress, "\r\033[K");
	progress->is_drawn = FALSE;
	g_clear_pointer(&progress->line, g_free);
}

void isc_progress_free(IscProgress *progress)
{
	if (!progress)
		return;
	isc_progress_clear(progress);
	g_free(progress);
}
