#pragma once
#include <glib.h>

/* What a running call is doing, on standard error: one live line on a terminal, one line a step
 * where a log is wanted, nothing otherwise. */

typedef enum {
	ISC_PROGRESS_NONE,
	ISC_PROGRESS_LIVE,  /* a terminal: one line, rewritten, gone at the end */
	ISC_PROGRESS_LINES, /* --verbose and no terminal */
} IscProgressMode;

typedef struct IscProgress IscProgress;

/* What fits: @fd a terminal: LIVE; else LINES where @verbose, else NONE. */
IscProgressMode isc_progress_mode(int fd, gboolean verbose);

/* @fd: where to write, borrowed. */
IscProgress *isc_progress_new(int fd, IscProgressMode mode);

/* @subject: the node, or ""; @steps: 0 where unknown; @text: cleaned here. */
void isc_progress_step(IscProgress *progress, const gchar *subject, guint step, guint steps,
		const gchar *text);

/* Once a second while a call runs: shows how long the step has taken. */
void isc_progress_tick(IscProgress *progress);

/* Takes the live line off the terminal; before anything else is printed, and at the end. */
void isc_progress_clear(IscProgress *progress);

/* Clears, too. */
void isc_progress_free(IscProgress *progress);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscProgress, isc_progress_free)
