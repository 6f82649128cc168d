#pragma once
#include <glib.h>

/*
 * What is left to a collector that a guest has taken over: its own open files, the folder of the
 * logs, and nothing else.
 *
 * Started as root (a dock without systemd), it leaves the host's network, IPC and file tree behind
 * and becomes its own user; started as that user by systemd, the unit has done this
 * (PrivateNetwork=, ProtectSystem=, …) and the rest follows.
 *
 *   step                                  as root   else
 *   own network namespace, empty             x
 *   own file tree: LOGDIR and nothing        x
 *   uid, gid; no other groups                x
 *   no capabilities, none to gain            x        x
 *   no_new_privs                             x        x
 *   no core dump, not traceable              x        x
 *   bounded memory                           x        x
 *   seccomp: what it needs, by name          x        x
 */

typedef struct {
	const gchar *log_dir; /* stays reachable under its name */
	guint32 uid, gid;     /* to become; only used as root */
} IscSandbox;

/* Call with one thread.  Errors: ISC_ERROR_HOST.  Where a container forbids the namespaces, it
 * warns and goes on. */
gboolean isc_sandbox_enter(const IscSandbox *sandbox, GError **error) G_GNUC_WARN_UNUSED_RESULT;
