#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/volume.h"

#define POLL_US 50000

static int key_fd(const gchar *key, GError **error)
{
	isc_autofd int fd = isc_file_new_memory("isc-key", error);
	return fd >= 0 && isc_file_write_all(fd, key, strlen(key), error) ? isc_steal_fd(&fd) : -1;
}

static gchar *image_opts(const gchar *path, const gchar *secret)
{
	/* A comma in a value is written twice. */
	g_auto(GStrv) parts = g_strsplit(path, ",", -1);
	g_autofree gchar *file = g_strjoinv(",,", parts);
	return g_strdup_printf("driver=qcow2,encrypt.format=luks,encrypt.key-secret=%s,"
			       "file.driver=file,file.filename=%s",
			secret, file);
}

/* Until it ends; what it says is short. */
static gboolean follow(GSubprocess *process, guint timeout_s, GCancellable *cancel, GError **error)
{
	gint64 end = g_get_monotonic_time() + (gint64)timeout_s * G_USEC_PER_SEC;
	while (g_subprocess_get_identifier(process)) {
		gboolean late = g_get_monotonic_time() >= end;
		if (late || g_cancellable_is_cancelled(cancel)) {
			g_subprocess_force_exit(process);
			(void)g_subprocess_wait(process, NULL, NULL);
			if (!late)
				return !g_cancellable_set_error_if_cancelled(cancel, error);
			g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT,
					"qemu-img convert: not done within %u s", timeout_s);
			return FALSE;
		}
		g_usleep(POLL_US);
	}
	g_autofree gchar *said = NULL;
	(void)g_subprocess_communicate_utf8(process, NULL, NULL, NULL, &said, NULL);
	if (g_subprocess_get_successful(process))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "qemu-img convert: %s",
			said && *said ? g_strstrip(said) : "failed");
	return FALSE;
}

/* qemu-img leaves it to the kernel when @path is written.  What depends on it may be, before. */
static gboolean keep(const gchar *path, GError **error)
{
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return (fd >= 0 && fsync(fd) == 0) ||
	       isc_error_set_errno(error, errno, "cannot write '%s' to its disk", path);
}

gboolean isc_volume_convert(const gchar *from, const gchar *from_key, const gchar *to,
		const gchar *to_key, guint timeout_s, GCancellable *cancel, GError **error)
{
	isc_autofd int from_fd = key_fd(from_key, error);
	isc_autofd int to_fd = from_fd >= 0 ? key_fd(to_key, error) : -1;
	if (to_fd < 0)
		return FALSE;
	g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
			G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
	g_subprocess_launcher_setenv(launcher, "LC_ALL", "C", TRUE);
	g_subprocess_launcher_take_fd(launcher, isc_steal_fd(&from_fd), 3);
	g_subprocess_launcher_take_fd(launcher, isc_steal_fd(&to_fd), 4);
	g_autofree gchar *source = image_opts(from, "from");
	g_autofree gchar *target = image_opts(to, "to");
	const gchar *const argv[] = { "qemu-img", "convert", "-n", "--object",
		"secret,id=from,file=/proc/self/fd/3", "--object",
		"secret,id=to,file=/proc/self/fd/4", "--image-opts", "--target-image-opts", source,
		target, NULL };
	g_autoptr(GError) why = NULL;
	g_autoptr(GSubprocess) process = g_subprocess_launcher_spawnv(launcher, argv, &why);
	if (process)
		return follow(process, timeout_s, cancel, error) && keep(to, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"cannot run qemu-img (is qemu-utils installed?): %s", why->message);
	return FALSE;
}
