#include "daemon/room.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define MIB (1024 * 1024)
#define RESERVE_MIB 8
#define RESERVE_FROM_MIB 32 /* where less is free, it is somebody else's */

static gchar *reserve_path(const IscDock *dock)
{
	return g_build_filename(dock->config->state_dir, "reserve", NULL);
}

void isc_room_reserve(const IscDock *dock)
{
	g_autofree gchar *path = reserve_path(dock);
	if (access(path, F_OK) == 0 || !isc_room_check(dock, "", RESERVE_FROM_MIB, NULL))
		return;
	isc_autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && fallocate(fd, 0, 0, (off_t)RESERVE_MIB * MIB) < 0)
		(void)unlink(path);
}

gboolean isc_room_give_reserve(const IscDock *dock)
{
	g_autofree gchar *path = reserve_path(dock);
	return unlink(path) == 0;
}

gboolean isc_room_check(const IscDock *dock, const gchar *what, guint64 mib, GError **error)
{
	struct statvfs fs;
	if (statvfs(dock->config->state_dir, &fs) < 0)
		return isc_error_set_errno(error, errno, "cannot ask for free space below '%s'",
				dock->config->state_dir);
	guint64 free_mib = (guint64)fs.f_bavail * fs.f_frsize / MIB;
	if (mib <= free_mib)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
			"rule disk-space: %s %" G_GUINT64_FORMAT " MiB and %" G_GUINT64_FORMAT
			" MiB are free below '%s'; ask for less or make room",
			what, mib, free_mib, dock->config->state_dir);
	return FALSE;
}

guint64 isc_room_taken(const gchar *const *paths)
{
	guint64 bytes = 0;
	for (; *paths; paths++) {
		struct stat st;
		if (lstat(*paths, &st) == 0)
			bytes += (guint64)st.st_blocks * 512;
	}
	return (bytes + MIB - 1) / MIB;
}
