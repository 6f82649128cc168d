#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"

#define COPY_CHUNK (256 * 1024)
#define TREE_DEPTH_MAX 64 /* each level holds a descriptor open */

/* --- reading ------------------------------------------------------------------------ */

static gboolean set_open_error(GError **error, int err, const gchar *path)
{
	if (err == ENOENT || err == ENOTDIR) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "cannot open '%s': %s", path,
				g_strerror(err));
		return FALSE;
	}
	if (err == ELOOP) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is a symbolic link, which is not followed here", path);
		return FALSE;
	}
	return isc_error_set_errno(error, err, "cannot open '%s'", path);
}

gchar *isc_file_read_fd(int fd, const gchar *what, gsize max, gsize *len, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0) {
		isc_error_set_errno(error, errno, "cannot stat '%s'", what);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no regular file", what);
		return NULL;
	}

	/* st_size is a hint only: the file may grow while it is read, and /proc and /sys say 0 or
	 * 4096.  One byte above the limit is asked for, to tell "full" from "longer". */
	gsize room = MIN(max, MAX((gsize)MAX(st.st_size, 0), 4096)) + 1;
	g_autofree gchar *bytes = g_malloc(room + 1);
	gsize n = 0;
	for (;;) {
		if (n == room) {
			if (room > max) {
				g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
						"'%s' is longer than the %" G_GSIZE_FORMAT
						" bytes allowed",
						what, max);
				return NULL;
			}
			room = MIN(max + 1, room * 2);
			bytes = g_realloc(bytes, room + 1);
		}
		gssize got = read(fd, bytes + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			isc_error_set_errno(error, errno, "cannot read '%s'", what);
			return NULL;
		}
		if (got == 0)
			break;
		n += (gsize)got;
	}
	bytes[n] = '\0';
	if (len)
		*len = n;
	return g_steal_pointer(&bytes);
}

gchar *isc_file_read(int dir_fd, const gchar *path, gsize max, gsize *len, GError **error)
{
	/* O_NONBLOCK: a FIFO somebody put there must not hang us before fstat can refuse it. */
	isc_autofd int fd = openat(
			dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		set_open_error(error, errno, path);
		return NULL;
	}
	return isc_file_read_fd(fd, path, max, len, error);
}

/* --- writing ------------------------------------------------------------------------ */

gboolean isc_file_write_all(int fd, const void *bytes, gsize len, GError **error)
{
	const guint8 *p = bytes;
	while (len > 0) {
		gssize n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return isc_error_set_errno(error, errno, "cannot write");
		p += n;
		len -= (gsize)n;
	}
	return TRUE;
}

static gboolean fsync_folder_of(int dir_fd, const gchar *path, GError **error)
{
	g_autofree gchar *folder = g_path_get_dirname(path);
	isc_autofd int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return isc_error_set_errno(error, errno, "cannot sync the folder of '%s'", path);
	return TRUE;
}

gboolean isc_file_write(int dir_fd, const gchar *path, const void *bytes, gsize len, mode_t mode,
		GError **error)
{
	guint64 nonce;
	if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce)
		return isc_error_set_errno(error, errno, "cannot get random bytes");
	g_autofree gchar *folder = g_path_get_dirname(path);
	g_autofree gchar *name = g_path_get_basename(path);
	g_autofree gchar *tmp = g_strdup_printf(
			"%s/.%.100s.%016" G_GINT64_MODIFIER "x.tmp", folder, name, nonce);

	isc_autofd int fd = openat(
			dir_fd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot make a file beside '%s'", path);

	gboolean ok = isc_file_write_all(fd, bytes, len, error);
	if (ok && fchmod(fd, mode) < 0)
		ok = isc_error_set_errno(error, errno, "cannot set the mode");
	if (ok && fsync(fd) < 0)
		ok = isc_error_set_errno(error, errno, "cannot sync");
	if (ok && renameat(dir_fd, tmp, dir_fd, path) < 0)
		ok = isc_error_set_errno(error, errno, "cannot rename into place");
	if (!ok) {
		unlinkat(dir_fd, tmp, 0);
		g_prefix_error(error, "'%s': ", path);
		return FALSE;
	}
	return fsync_folder_of(dir_fd, path, error);
}

/* One piece of data from @pos to @end, by the kernel where it can, else through a buffer. */
static gboolean copy_range(int from, int to, off_t pos, off_t end, GError **error)
{
	g_autofree guint8 *buffer = NULL;
	while (pos < end) {
		gssize n;
		if (!buffer) {
			loff_t in = pos, out = pos;
			n = copy_file_range(from, &in, to, &out, (size_t)(end - pos), 0);
			if (n < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS ||
						     errno == EOPNOTSUPP || errno == EBADF ||
						     errno == EPERM)) {
				buffer = g_malloc(COPY_CHUNK);
				continue;
			}
		} else {
			n = pread(from, buffer, (size_t)MIN((off_t)COPY_CHUNK, end - pos), pos);
			for (gssize done = 0; done < n;) {
				gssize w = pwrite(
						to, buffer + done, (size_t)(n - done), pos + done);
				if (w < 0 && errno == EINTR)
					continue;
				if (w < 0)
					return isc_error_set_errno(error, errno, "cannot write");
				done += w;
			}
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return isc_error_set_errno(error, errno, "cannot copy");
		if (n == 0) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
					"the source ends at byte %" G_GINT64_FORMAT
					", before its size",
					(gint64)pos);
			return FALSE;
		}
		pos += n;
	}
	return TRUE;
}

gboolean isc_file_copy_sparse(int from, int to, goffset size, GError **error)
{
	struct stat st;
	if (fstat(from, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot stat the source");
	if (st.st_size < size) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"the source has %" G_GINT64_FORMAT " bytes, not %" G_GINT64_FORMAT,
				(gint64)st.st_size, (gint64)size);
		return FALSE;
	}
	if (st.st_size == size && ioctl(to, FICLONE, from) == 0)
		return TRUE;

	/* Emptied first: what stood there must not shine through the holes. */
	if (ftruncate(to, 0) < 0 || ftruncate(to, size) < 0)
		return isc_error_set_errno(error, errno, "cannot set the size of the copy");
	for (off_t pos = 0; pos < size;) {
		off_t data = lseek(from, pos, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		off_t hole = data < 0 ? data : lseek(from, data, SEEK_HOLE);
		if (data < 0 || hole < 0) /* no holes on this file system */
			data = pos, hole = size;
		if (data >= size)
			break;
		if (!copy_range(from, to, data, MIN(hole, (off_t)size), error))
			return FALSE;
		pos = hole;
	}
	return TRUE;
}

/* --- folders ------------------------------------------------------------------------ */

gboolean isc_file_mkdir(const gchar *path, mode_t mode, GError **error)
{
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return isc_error_set_errno(error, errno, "cannot make folder '%s'", path);

	isc_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot use '%s' as a folder", path);
	/* Asked first: a folder that the packaging made for us may belong to root. */
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return isc_error_set_errno(error, errno, "cannot set the mode of '%s'", path);
	return TRUE;
}

static gboolean remove_at(int dir_fd, const gchar *name, guint depth, GError **error)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return TRUE;
	if (errno != EISDIR && errno != EPERM)
		return isc_error_set_errno(error, errno, "cannot remove '%s'", name);

	int err = errno;
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR) /* a file, and EPERM was the true answer */
		return isc_error_set_errno(error, err, "cannot remove '%s'", name);
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot open folder '%s'", name);
	g_autoptr(DIR) dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return isc_error_set_errno(error, errno, "cannot list folder '%s'", name);
	}
	if (depth >= TREE_DEPTH_MAX) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"'%s' lies more than %d folders deep", name, TREE_DEPTH_MAX);
		return FALSE;
	}
	const struct dirent *entry;
	while ((entry = readdir(dir))) {
		if (g_str_equal(entry->d_name, ".") || g_str_equal(entry->d_name, ".."))
			continue;
		if (!remove_at(fd, entry->d_name, depth + 1, error))
			return FALSE;
	}
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return isc_error_set_errno(error, errno, "cannot remove folder '%s'", name);
	return TRUE;
}

gboolean isc_file_remove_tree(const gchar *path, GError **error)
{
	if (remove_at(AT_FDCWD, path, 0, error))
		return TRUE;
	g_prefix_error(error, "below '%s': ", path);
	return FALSE;
}

gboolean isc_file_set_immutable(int fd, gboolean on, gboolean *done, GError **error)
{
	gboolean is_set = FALSE;
	int flags = 0;
	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		int wanted = on ? flags | FS_IMMUTABLE_FL : flags & ~FS_IMMUTABLE_FL;
		is_set = flags == wanted || ioctl(fd, FS_IOC_SETFLAGS, &wanted) == 0;
	}
	if (!is_set && errno != ENOTTY && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
		return isc_error_set_errno(
				error, errno, "cannot %s the immutable flag", on ? "set" : "clear");
	if (done)
		*done = is_set;
	return TRUE;
}

/* --- digest ------------------------------------------------------------------------- */

gboolean isc_file_sha256(int fd, gchar out[65], GError **error)
{
	g_autofree guint8 *buffer = g_malloc(COPY_CHUNK);
	struct sha256_ctx ctx;
	sha256_init(&ctx);
	for (off_t pos = 0;;) {
		gssize n = pread(fd, buffer, COPY_CHUNK, pos);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return isc_error_set_errno(error, errno, "cannot read for the digest");
		if (n == 0)
			break;
		sha256_update(&ctx, (size_t)n, buffer);
		pos += n;
	}
	guint8 digest[SHA256_DIGEST_SIZE];
	sha256_digest(&ctx, sizeof digest, digest);
	base16_encode_update(out, sizeof digest, digest);
	out[64] = '\0';
	return TRUE;
}

int isc_file_new_memory(const gchar *name, GError **error)
{
	int fd = memfd_create(name, MFD_CLOEXEC);
	if (fd < 0)
		isc_error_set_errno(error, errno, "cannot make a memory file");
	return fd;
}
