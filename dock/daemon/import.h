#pragma once
#include <gio/gunixfdlist.h>

#include "daemon/dock.h"

/**
 * isc_import:
 * @files: a{sh}, @fds: what the caller opened
 * @dry_run: check all, store nothing
 *
 * Errors: as isc_image_store_import_from().
 * Returns: (transfer full)
 */
IscImage *isc_import(IscDock *dock, GVariant *files, GUnixFDList *fds, const IscTrust *trust,
		gboolean dry_run, gboolean *was_there, GError **error);
