#pragma once
/* A trail in a folder of its own, in memory where there is /dev/shm: tests of it write the same few
 * files often. */
#include <fcntl.h>
#include <linux/fs.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cm.h"
#include "collector/trail-writer.h"
#include "collector/trail-verify.h"

typedef struct {
	gchar *path;
	int fd;
	IscSealKey root;
} Folder;

static inline int folder_setup(void **state)
{
	Folder *f = g_new0(Folder, 1);
	gboolean shm = access("/dev/shm", W_OK) == 0;
	g_autofree gchar *template = g_build_filename(
			shm ? "/dev/shm" : g_get_tmp_dir(), "isc-trail-XXXXXX", NULL);

	if (sodium_init() < 0 || !mkdtemp(template))
		return -1;
	f->path = g_steal_pointer(&template);
	f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	crypto_sign_keypair(f->root.pub, f->root.secret);
	*state = f;
	return 0;
}

/* Where the tests run as real root the trail protects its files; what follows here must get at
 * them. */
static inline void folder_unlock(const Folder *f)
{
	g_autoptr(GDir) dir = g_dir_open(f->path, 0, NULL);
	for (const gchar *name; (name = g_dir_read_name(dir));) {
		isc_autofd int fd = openat(f->fd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		int flags;
		if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 &&
				(flags & (FS_APPEND_FL | FS_IMMUTABLE_FL))) {
			flags &= ~(FS_APPEND_FL | FS_IMMUTABLE_FL);
			(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
		}
	}
}

static inline int folder_teardown(void **state)
{
	Folder *f = *state;
	folder_unlock(f);
	g_autoptr(GError) error = NULL;
	close(f->fd);
	gboolean ok = isc_file_remove_tree(f->path, &error);
	g_free(f->path);
	g_free(f);
	return ok ? 0 : -1;
}

static inline void folder_empty(const Folder *f)
{
	folder_unlock(f);
	g_autoptr(GDir) dir = g_dir_open(f->path, 0, NULL);
	for (const gchar *name; (name = g_dir_read_name(dir));)
		assert_int_equal(unlinkat(f->fd, name, 0), 0);
}

static inline GBytes *folder_read(const Folder *f, const gchar *name)
{
	g_autofree gchar *path = g_build_filename(f->path, name, NULL);
	gchar *text;
	gsize len;
	assert_true(g_file_get_contents(path, &text, &len, NULL));
	return g_bytes_new_take(text, len);
}

static inline void folder_write(const Folder *f, const gchar *name, const void *bytes, gsize len)
{
	folder_unlock(f);
	isc_autofd int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
}

static inline IscTrailWriter *folder_open_trail(
		const Folder *f, goffset segment_bytes, gboolean *broken)
{
	g_autoptr(GError) error = NULL;
	IscTrailWriter *t = isc_trail_writer_open(
			f->fd, "web", &f->root, segment_bytes, broken, &error);
	assert_no_error(error);
	assert_non_null(t);
	return t;
}

#define FIXTURE_SESSION 0x1122334455667788u

/* Adds frame @n: two records that tell it from every other. */
static inline void add_frame(IscTrailWriter *t, guint n)
{
	g_autofree gchar *a = g_strdup_printf("audit(1700000%03u.%03u:%u): argc=1 a0=\"cmd-%u\"",
			n % 1000, n % 1000, n, n);
	g_autofree gchar *b =
			g_strdup_printf("audit(1700000%03u.%03u:%u): ", n % 1000, n % 1000, n);
	IscTrailMark mark = { FIXTURE_SESSION, n, 0, 0 };

	isc_trail_writer_mark(t, &mark);
	assert_true(isc_trail_writer_add(t, g_get_real_time(), n, 1309, a, strlen(a)));
	assert_true(isc_trail_writer_add(t, g_get_real_time(), n, 1320, b, strlen(b)));
}

static inline void commit(IscTrailWriter *t, gboolean close)
{
	g_autoptr(GError) error = NULL;
	gboolean ok = isc_trail_writer_commit(t, close, &error);
	assert_no_error(error);
	assert_true(ok);
}

/* The lines that frames @from..@to make. */
static inline gchar *frame_lines(guint from, guint to)
{
	GString *s = g_string_new(NULL);
	for (guint n = from; n <= to; n++) {
		g_string_append_printf(s,
				"type=EXECVE msg=audit(1700000%03u.%03u:%u): argc=1 "
				"a0=\"cmd-%u\"\n",
				n % 1000, n % 1000, n, n);
		g_string_append_printf(s, "type=EOE msg=audit(1700000%03u.%03u:%u): \n", n % 1000,
				n % 1000, n);
	}
	return g_string_free(s, FALSE);
}

static inline gboolean folder_verify(
		const Folder *f, const IscTrailExpect *expect, IscTrailReport *report)
{
	g_autoptr(GError) error = NULL;
	return isc_trail_verify_dir(f->fd, expect, NULL, NULL, report, &error);
}
