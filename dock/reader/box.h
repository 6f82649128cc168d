#pragma once
#include <glib.h>

/*
 * What isc-evidence-read runs in.  The disk that it reads was written by a suspect; the programs
 * that read it (QEMU, the appliance of libguestfs) may fall to it.  Then they are: a process of
 * nobody's (or of the caller's, in a user namespace), without capabilities or a way to gain any, in
 * mount, pid, network, IPC and UTS namespaces of its own, with an empty /tmp and /run, for a
 * limited time.  What they hold is the disk, read-only, and its key.
 */

/**
 * isc_box_run:
 * @work: runs inside; what it returns (0..127) is the exit status
 * @timeout_s: all of it is killed then
 *
 * Call with one thread.  Errors: ISC_ERROR_HOST (no namespaces), ISC_ERROR_TIMEOUT,
 * ISC_ERROR_FAILED (killed).  Returns: what @work returned, or -1
 */
int isc_box_run(int (*work)(gpointer data), gpointer data, guint timeout_s, GError **error);
