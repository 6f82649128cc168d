#pragma once
#include <glib.h>
#include <sys/types.h>

/* Runs one program, or one function, in a child that nothing survives: namespaces of its own, so
 * that what it mounts and starts is gone with it, also when isc-image itself is killed; a time
 * limit; only a tail of what it says is kept. */

typedef enum {
	ISC_RUN_PLAIN = 0,
	ISC_RUN_BOX = 1 << 0, /* own mount, pid, ipc and uts namespaces, fresh /proc; needs root */
	ISC_RUN_NO_NET = 1 << 1, /* with BOX: own, empty network namespace */
} IscRunFlags;

typedef struct {
	const gchar *what;        /* "mmdebstrap"; named in errors */
	const gchar *const *argv; /* first one looked up in PATH; or NULL: @function */
	/* Runs in the child, in @root if that is set.  Returns FALSE with an error, which crosses
	 * to the parent with its code.  @out: fd for a result of any length. */
	gboolean (*function)(gpointer data, int out, GError **error);
	/* Before argv or function, in the namespaces, outside of @root: mounts, limits.  May be
	 * NULL. */
	gboolean (*prepare)(gpointer data, GError **error);
	gpointer data;
	const gchar *root;       /* chroot, or NULL */
	const gchar *const *env; /* "KEY=VALUE"; NULL: PATH, HOME, LC_ALL alone; proxies are passed
				    on in any case */
	IscRunFlags flags;
	guint timeout_s;
	int out_fd; /* stdout goes there; 0: it is kept, see @out of isc_run() */
	void (*tick)(gpointer tick_data); /* some times a second while it runs; may be NULL */
	gpointer tick_data;
} IscRun;

/**
 * isc_run:
 * @out: (out) (optional) (transfer full): what it wrote to stdout (argv) or to @out (function), at
 * most 64 MiB
 * @messages: (out) (optional) (transfer full): stderr, its last 16 KiB; also set on failure
 *
 * Errors: ISC_ERROR_HOST: no such program, no right to make namespaces; ISC_ERROR_TIMEOUT;
 * ISC_ERROR_FAILED: its status, and its last lines; ISC_ERROR_STATE: isc_run_interrupt() was
 * called; what @function or @prepare set.
 */
gboolean isc_run(const IscRun *run, gchar **out, gchar **messages, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* From a signal handler: the running child is killed, isc_run() fails, and so does every later one.
 */
void isc_run_interrupt(int signal_number);

/* The signal of isc_run_interrupt(), or 0. */
int isc_run_interrupted(void);

/* ISC_ERROR_HOST "'NAME' is not installed: …" unless @program is in PATH. */
gboolean isc_run_has(const gchar *program, GError **error) G_GNUC_WARN_UNUSED_RESULT;
