#pragma once
#include "daemon/dock.h"

/* Room on the file system below STATEDIR.  Asked before something is begun: what fails half-way has
 * to be taken back, and meanwhile it takes what running nodes need. */

/**
 * isc_room_check:
 * @what: begins the sentence, e.g. "volume 'data' may grow by"
 * @mib: MiB that it may come to need
 *
 * Errors: ISC_ERROR_POLICY, naming need and have.
 */
gboolean isc_room_check(const IscDock *dock, const gchar *what, guint64 mib, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* A file that takes some room, so that the register can be written when the disk is full: it goes
 * then, and is made again when there is room.  That it cannot be made is no error: there is none.
 */
void isc_room_reserve(const IscDock *dock);
/* Returns: whether there was one */
gboolean isc_room_give_reserve(const IscDock *dock);

/* MiB that the files take on disk, rounded up; one that is not there takes none.  @paths: NULL at
 * the end. */
guint64 isc_room_taken(const gchar *const *paths);
