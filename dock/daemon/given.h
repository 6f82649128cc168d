#pragma once
#include <gio/gunixfdlist.h>

/**
 * isc_given_fd:
 * @fds: what came with a call, or NULL for nothing
 * @handle: the caller's word for its place there: GLib would believe it
 * @what: for the error
 *
 * Errors: ISC_ERROR_INVALID: nothing is there.
 * Returns: a copy of its own, for isc_clear_fd(); -1 on errors
 */
int isc_given_fd(GUnixFDList *fds, gint32 handle, const gchar *what, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
