#pragma once
#include "collector/collector.h"
#include "collector/link.h"

/* What the collector needs of the host, made while it still may: folders, key, listening socket,
 * uids. */

typedef struct {
	const gchar *run_dir; /* /run/isc-dock */
	const gchar *log_dir; /* /var/log/isc-dock */
	const gchar *user;    /* isc-collect; only looked at as root */
} IscSetupOptions;

typedef struct {
	IscCollectorSetup collector;
	guint32 uid, gid; /* to become; as root only */
} IscSetup;

/**
 * isc_setup_prepare:
 * As root: makes LOGDIR (02751) and LOGDIR/nodes (02750), user @user and group isc-dock (setgid:
 * files in them are readable for isc-dock), RUNDIR/collector.sock (0660, the same), and the seal
 * key as @user.  Otherwise: the same as far as the present user may; a socket that systemd hands
 * over (LISTEN_FDS) is taken in place of making one. Errors: ISC_ERROR_HOST (no such user),
 * ISC_ERROR_FAILED.
 */
gboolean isc_setup_prepare(const IscSetupOptions *options, IscSetup *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
