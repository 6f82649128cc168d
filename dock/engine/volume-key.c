/* Volumes that stand already: their keys, size, owner, and how they travel.
 *
 * LUKS keeps the key that data are encrypted with in slots, each sealed by a key of somebody's.  So
 * a volume gets other keys by its header alone, 2 MiB at most, and a copy with other keys is a copy
 * of the file with another header.  (Who had the old key *and* a copy of the old header keeps what
 * encrypts the data: against that helps new data in a new volume only.) */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "engine/luks.h"
#include "engine/volume-private.h"

#define MIB ((guint64)1024 * 1024)
#define BLOCK 4096
#define QEMU_LOCKS                                                                                 \
	100 /* qemu block/file-posix.c: RAW_LOCK_PERM_BASE … RAW_LOCK_SHARED_BASE + 64           \
	     */
#define QEMU_LOCKS_LEN 200

static int open_volume(const gchar *path, int flags, GError **error)
{
	struct stat was;
	gboolean taken;
	int fd = isc_volume_open_taken(path, flags, &was, &taken);
	if (fd >= 0)
		return fd;
	g_set_error(error, ISC_ERROR, errno == ENOENT ? ISC_ERROR_NOT_FOUND : ISC_ERROR_FAILED,
			"cannot open volume '%s': %s", path, g_strerror(errno));
	return -1;
}

gboolean isc_volume_give(const gchar *path, uid_t uid, gid_t gid, GError **error)
{
	struct stat st;
	isc_autofd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		g_set_error(error, ISC_ERROR,
				errno == ENOENT ? ISC_ERROR_NOT_FOUND : ISC_ERROR_FAILED,
				"cannot open volume '%s': %s", path, g_strerror(errno));
		return FALSE;
	}
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"volume '%s' is no regular file with one name", path);
		return FALSE;
	}
	/* The mode was given when it was made, and who owns it may not widen it for others: the
	 * folder above lets nobody else in. */
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) == 0 ||
	       isc_error_set_errno(error, errno, "cannot give '%s' to uid %u", path, (guint)uid);
}

gboolean isc_volume_check_idle(const gchar *path, GError **error)
{
	isc_autofd int fd = open_volume(path, O_RDWR, error);
	if (fd < 0)
		return FALSE;
	struct flock lock = { .l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = QEMU_LOCKS,
		.l_len = QEMU_LOCKS_LEN };
	if (fcntl(fd, F_OFD_GETLK, &lock) < 0)
		return isc_error_set_errno(error, errno, "cannot ask for locks on '%s'", path);
	if (lock.l_type == F_UNLCK)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "a QEMU still has '%s' open", path);
	return FALSE;
}

gboolean isc_volume_size(const gchar *path, guint *size_mib, GError **error)
{
	IscQcow2 info;
	isc_autofd int fd = open_volume(path, O_RDONLY, error);
	if (fd < 0 || !isc_volume_find_region(fd, &info, error))
		return FALSE;
	*size_mib = (guint)(info.size / MIB);
	return TRUE;
}

gboolean isc_volume_grow(const gchar *path, const gchar *key, guint size_mib, GError **error)
{
	guint has = 0;
	if (!isc_volume_size(path, &has, error) || !isc_volume_verify(path, key, error))
		return FALSE;
	if (has >= size_mib)
		return TRUE;
	if (strpbrk(path, ",=")) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s': qemu-img takes no path with ',' or '=' in it", path);
		return FALSE;
	}
	g_autofree gchar *image = g_strdup_printf("driver=qcow2,file.driver=file,file.filename=%s,"
						  "encrypt.format=luks,encrypt.key-secret=key",
			path);
	g_autofree gchar *size = g_strdup_printf("%uM", size_mib);
	const gchar *const argv[] = { "qemu-img", "resize", "-q", "--object",
		"secret,id=key,file=/proc/self/fd/3", "--image-opts", image, size, NULL };
	if (!isc_volume_run_qemu_img(key, argv, error)) {
		g_prefix_error(error, "growing '%s' to %u MiB: ", path, size_mib);
		return FALSE;
	}
	isc_autofd int fd = open_volume(path, O_RDONLY, error);
	return fd >= 0 && (fsync(fd) == 0 || isc_error_set_errno(error, errno, "cannot sync"));
}

/* --- the header ------------------------------------------------------------------------------- */

/* Returns: the LUKS region of @fd in a memory file, or -1 */
static int read_header(int fd, IscQcow2 *info, GError **error)
{
	isc_autofd int memory = isc_file_new_memory("isc-volume", error);
	if (memory < 0 || !isc_volume_find_region(fd, info, error) ||
			!isc_volume_copy_bytes(fd, (off_t)info->luks_offset, memory, 0,
					ISC_LUKS_AREA, error))
		return -1;
	return isc_steal_fd(&memory);
}

/* Writes back what changed: the slots first, and only when they are on disk the first block, which
 * names them. */
static gboolean write_header(int fd, const IscQcow2 *info, int memory, GError **error)
{
	guint8 is[BLOCK], should[BLOCK];
	for (gsize pos = ISC_LUKS_AREA; pos > 0; pos -= BLOCK) {
		off_t at = (off_t)(info->luks_offset + pos - BLOCK);
		if (pos == BLOCK && fdatasync(fd) < 0)
			return isc_error_set_errno(error, errno, "cannot sync");
		if (pread(fd, is, BLOCK, at) != BLOCK ||
				pread(memory, should, BLOCK, (off_t)(pos - BLOCK)) != BLOCK)
			return isc_error_set_errno(error, EIO, "cannot read the header");
		if (memcmp(is, should, BLOCK) != 0 && pwrite(fd, should, BLOCK, at) != BLOCK)
			return isc_error_set_errno(error, errno, "cannot write the header");
	}
	return fsync(fd) == 0 || isc_error_set_errno(error, errno, "cannot sync");
}

/* Lets @more open it; with @alone, nothing else.  @key: one that does, or NULL where @more does. */
static gboolean set_keys(int fd, const gchar *key, const gchar *more, guint iterations,
		gboolean alone, GError **error)
{
	IscQcow2 info;
	isc_autofd int memory = read_header(fd, &info, error);
	return memory >= 0 && (!key || isc_luks_add(memory, key, more, iterations, error)) &&
	       (!alone || isc_luks_keep_only(memory, more, error)) &&
	       write_header(fd, &info, memory, error);
}

gboolean isc_volume_add_key(const gchar *path, const gchar *key, const gchar *more, GError **error)
{
	if (!isc_volume_check_key(key, error) || !isc_volume_check_key(more, error))
		return FALSE;
	if (isc_volume_verify(path, more, NULL))
		return TRUE;
	isc_autofd int fd = open_volume(path, O_RDWR, error);
	if (fd >= 0 && set_keys(fd, key, more, ISC_LUKS_ITERATIONS_KEY, FALSE, error))
		return TRUE;
	g_prefix_error(error, "volume '%s': ", path);
	return FALSE;
}

gboolean isc_volume_keep_key(const gchar *path, const gchar *key, GError **error)
{
	if (!isc_volume_check_key(key, error))
		return FALSE;
	isc_autofd int fd = open_volume(path, O_RDWR, error);
	if (fd >= 0 && set_keys(fd, NULL, key, 0, TRUE, error))
		return TRUE;
	g_prefix_error(error, "volume '%s': ", path);
	return FALSE;
}

/* --- travel ----------------------------------------------------------------------------------- */

/* So that a copy which broke off is told from a whole one, wherever it broke off. */
static gboolean note_length(int fd, GError **error)
{
	guint8 head[BLOCK];
	struct stat st;
	if (fstat(fd, &st) < 0 || pread(fd, head, sizeof head, 0) != sizeof head)
		return isc_error_set_errno(error, EIO, "cannot read the header");
	return isc_qcow2_note_length(head, sizeof head, (guint64)st.st_size, error) &&
	       (pwrite(fd, head, sizeof head, 0) == sizeof head ||
			       isc_error_set_errno(error, EIO, "cannot write the header"));
}

gboolean isc_volume_export(
		const gchar *path, const gchar *key, int to, const gchar *text, GError **error)
{
	struct stat st, out;
	isc_autofd int fd = open_volume(path, O_RDONLY, error);
	if (fd < 0)
		return FALSE;
	if (fstat(fd, &st) < 0 || fstat(to, &out) < 0)
		return isc_error_set_errno(error, errno, "cannot stat");
	if (!S_ISREG(out.st_mode) || out.st_size > 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"an export goes into a regular file that is empty");
		return FALSE;
	}
	return isc_file_copy_sparse(fd, to, st.st_size, error) && note_length(to, error) &&
	       set_keys(to, key, text, ISC_LUKS_ITERATIONS_TEXT, TRUE, error);
}

gboolean isc_volume_import_size(int from, guint *size_mib, GError **error)
{
	IscQcow2 info;
	struct stat st;
	g_autoptr(GError) why = NULL;
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "what is imported is no file");
		return FALSE;
	}
	gboolean is_found = isc_volume_find_region(from, &info, &why);
	gboolean is_cut = is_found && (guint64)st.st_size < info.luks_offset + ISC_LUKS_AREA;
	if (!is_found || is_cut || info.size % MIB != 0 || info.size / MIB > ISC_VOLUME_MIB_MAX ||
			info.size == 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"what is imported is no export of a volume: %s",
				why      ? why->message
				: is_cut ? "it ends in its header"
					 : "its size is no number of MiB");
		return FALSE;
	}
	if ((guint64)st.st_size < info.length) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"what is imported is no whole export of a volume: the last "
				"%" G_GUINT64_FORMAT " of its %" G_GUINT64_FORMAT
				" bytes are missing; copy it once more from where it was exported "
				"to",
				info.length - (guint64)st.st_size, info.length);
		return FALSE;
	}
	*size_mib = (guint)(info.size / MIB);
	return TRUE;
}

/* Once more when it is ours: whoever gave it may still write to it. */
static gboolean take_in(int from, int to, const gchar *text, const gchar *key, guint *size_mib,
		GError **error)
{
	struct stat st;
	guint mib;
	if (!isc_volume_import_size(from, &mib, error))
		return FALSE;
	if (fstat(from, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot stat");
	return isc_file_copy_sparse(from, to, st.st_size, error) &&
	       isc_volume_import_size(to, size_mib, error) &&
	       set_keys(to, text, key, ISC_LUKS_ITERATIONS_KEY, TRUE, error);
}

gboolean isc_volume_import(const gchar *path, int from, const gchar *text, const gchar *key,
		guint *size_mib, GError **error)
{
	if (!isc_volume_check_key(key, error))
		return FALSE;
	g_autofree gchar *tmp = g_strconcat(path, ".tmp", NULL);
	(void)unlink(tmp);
	isc_autofd int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot make '%s'", tmp);
	gboolean ok = take_in(from, fd, text, key, size_mib, error);
	if (ok && !isc_volume_check_whole(tmp, key, error)) {
		g_prefix_error(error, "what is imported is no whole export of a volume: ");
		ok = FALSE;
	}
	if (ok && (fchmod(fd, 0600) < 0 || fsync(fd) < 0))
		ok = isc_error_set_errno(error, errno, "cannot sync '%s'", tmp);
	if (ok && renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) < 0)
		ok = isc_error_set_errno(error, errno, "cannot rename into place '%s'", path);
	if (!ok)
		(void)unlink(tmp);
	return ok;
}
