/* isc-evidence-read SECONDS PATH: reads PATH out of the encrypted disk on descriptor 3 with the key
 * on descriptor 4, into standard output (reader/look.h), within SECONDS.  Run by `isc-vm evidence
 * browse`; goes into a box (reader/box.h) before it looks at a byte.  Exit status: base/error.h. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "reader/box.h"
#include "reader/disk.h"
#include "reader/look.h"

#define DISK_FD 3
#define KEY_FD 4
#define SOCKET "/tmp/nbd"
#define SECONDS_MAX 3600

static gboolean read_disk(const gchar *path, GError **error)
{
	gsize len = 0;
	g_autofree gchar *key = isc_file_read_fd(KEY_FD, "the key", 64, &len, error);
	if (!key)
		return FALSE;
	if (!isc_digest_is_valid(key)) { /* the same alphabet and length */
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "the key is no key");
		return FALSE;
	}
	g_autoptr(IscDisk) disk = isc_disk_open(DISK_FD, key, SOCKET, error);
	sodium_memzero(key, len);
	return disk && isc_look(SOCKET, path, STDOUT_FILENO, error);
}

/* What the programs in here say is not for the caller's terminal. */
static int hush(void)
{
	int say = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	isc_autofd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, STDIN_FILENO);
	dup2(null, STDERR_FILENO);
	return say;
}

static int work(gpointer data)
{
	g_autoptr(GError) error = NULL;
	int say = hush();
	if (read_disk(data, &error))
		return 0;
	dprintf(say, "%s\n", error->message);
	return isc_error_exit_status(error);
}

/* Only what chooses the appliance is kept of the environment. */
static void clean_environment(void)
{
	static const gchar *const kept[] = { "LIBGUESTFS_PATH", "LIBGUESTFS_CACHEDIR",
		"SUPERMIN_KERNEL", "SUPERMIN_KERNEL_VERSION", "SUPERMIN_MODULES" };
	gchar *values[G_N_ELEMENTS(kept)];
	for (gsize i = 0; i < G_N_ELEMENTS(kept); i++)
		values[i] = g_strdup(g_getenv(kept[i]));
	clearenv();
	for (gsize i = 0; i < G_N_ELEMENTS(kept); i++)
		if (values[i])
			g_setenv(kept[i], values[i], TRUE);
	g_setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", TRUE);
	g_setenv("TMPDIR", "/tmp", TRUE);
	g_setenv("HOME", "/tmp", TRUE);
	g_setenv("LC_ALL", "C.UTF-8", TRUE);
}

int main(int argc, char **argv)
{
	guint64 seconds = 0;
	if (argc != 3 || argv[2][0] != '/' ||
			!g_ascii_string_to_unsigned(argv[1], 10, 1, SECONDS_MAX, &seconds, NULL)) {
		fprintf(stderr, "usage: isc-evidence-read SECONDS PATH 3<DISK 4<KEY\n");
		return 2;
	}
	clean_environment();
	g_autoptr(GError) error = NULL;
	int status = isc_box_run(work, argv[2], (guint)seconds, &error);
	if (status >= 0)
		return status;
	fprintf(stderr, "%s\n", error->message);
	return isc_error_exit_status(error);
}
