/* Verifying a folder: finds the files, oldest first, and holds still while the collector rotates
 * them. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "collector/trail-verify.h"

#define SEGMENTS_MAX 100000u

typedef struct {
	GArray *log, *chain; /* int, -1 where there is none */
} Fds;

static void close_element(gpointer p)
{
	isc_clear_fd(p);
}

static void fds_init(Fds *f)
{
	f->log = g_array_new(FALSE, FALSE, sizeof(int));
	f->chain = g_array_new(FALSE, FALSE, sizeof(int));
	g_array_set_clear_func(f->log, close_element);
	g_array_set_clear_func(f->chain, close_element);
}

static void fds_clear(Fds *f)
{
	g_clear_pointer(&f->log, g_array_unref);
	g_clear_pointer(&f->chain, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fds, fds_clear)

/* A copy is somebody else's work: a FIFO in it must not hang us, and what is no file is none.
 * *@failed: errno of one that is there, but cannot be opened: that is not as if it were missing. */
static int open_name(int dir_fd, const gchar *base, guint n, int *failed)
{
	g_autofree gchar *name = n ? g_strdup_printf("%s.%u", base, n) : g_strdup(base);
	isc_autofd int fd = openat(
			dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	if (fd < 0 && errno != ENOENT && errno != ELOOP && *failed == 0)
		*failed = errno;
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? isc_steal_fd(&fd) : -1;
}

/* Adds pair @n (0: the open one).  FALSE if there is none. */
static gboolean add_pair(Fds *f, int dir_fd, guint n, int *failed)
{
	int chain = open_name(dir_fd, "audit.chain", n, failed);
	int log = open_name(dir_fd, "audit.log", n, failed);
	if (chain < 0 && log < 0)
		return FALSE;
	g_array_append_val(f->chain, chain);
	g_array_append_val(f->log, log);
	return TRUE;
}

/* Whether the name still stands for the file behind @fd. */
static gboolean is_still(int dir_fd, const gchar *name, int fd)
{
	struct stat there, here;
	if (fd < 0)
		return fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) != 0 ||
		       !S_ISREG(there.st_mode);
	return fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &here) == 0 &&
	       there.st_ino == here.st_ino;
}

static guint highest(int dir_fd)
{
	guint max = 0;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(DIR) dir = fd < 0 ? NULL : fdopendir(fd);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		guint64 n;
		const gchar *dot = strrchr(e->d_name, '.');
		if ((g_str_has_prefix(e->d_name, "audit.log.") ||
				    g_str_has_prefix(e->d_name, "audit.chain.")) &&
				g_ascii_string_to_unsigned(dot + 1, 10, 1, SEGMENTS_MAX, &n, NULL))
			max = MAX(max, (guint)n);
	}
	return max;
}

static gboolean open_all(Fds *f, int dir_fd, int *failed)
{
	for (guint attempt = 0; attempt < 5 && *failed == 0; attempt++) {
		g_array_set_size(f->log, 0);
		g_array_set_size(f->chain, 0);
		guint max = highest(dir_fd);
		/* A gap is left out here and found by the numbers within. */
		for (guint n = 1; n <= max; n++)
			add_pair(f, dir_fd, n, failed);
		if (!add_pair(f, dir_fd, 0, failed))
			return f->log->len > 0;
		guint last = f->log->len - 1;
		if (highest(dir_fd) == max &&
				is_still(dir_fd, "audit.log", g_array_index(f->log, int, last)) &&
				is_still(dir_fd, "audit.chain", g_array_index(f->chain, int, last)))
			return TRUE;
		g_usleep(20000);
	}
	return FALSE;
}

gboolean isc_trail_verify_dir(int dir_fd, const IscTrailExpect *expect, IscTrailRecordFunc func,
		gpointer data, IscTrailReport *out, GError **error)
{
	g_auto(Fds) f;
	fds_init(&f);
	memset(out, 0, sizeof *out);

	int failed = 0;
	gboolean is_open = open_all(&f, dir_fd, &failed);
	if (failed != 0)
		return isc_error_set_errno(error, failed, "cannot open all files of the trail");
	if (!is_open) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"there is no audit trail that can be opened");
		return FALSE;
	}
	/* A file of a pair that is missing reads as empty. */
	isc_autofd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	for (guint i = 0; i < f.log->len; i++) {
		int *log = &g_array_index(f.log, int, i), *chain = &g_array_index(f.chain, int, i);
		if (*log < 0)
			*log = fcntl(null, F_DUPFD_CLOEXEC, 3);
		if (*chain < 0)
			*chain = fcntl(null, F_DUPFD_CLOEXEC, 3);
	}
	return isc_trail_verify_fds((const int *)f.log->data, (const int *)f.chain->data,
			f.log->len, expect, func, data, out, error);
}
