/* How a volume is made in milliseconds.
 *
 * `qemu-img create` with LUKS takes seconds, most of them in a benchmark of PBKDF2 that fails at
 * random on a busy host.  So it runs once per size, for a template.  A volume is a sparse copy of
 * the template with a LUKS1 header of its own, made by libcryptsetup and written to where the
 * qcow2's crypto extension says. No payload exists at that point, so nothing has to be encrypted
 * again.
 *
 * Format of the file: qemu docs/interop/qcow2.txt. */
#include "engine/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/falloc.h>
#include <sodium.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "engine/luks.h"
#include "engine/qcow2.h"
#include "engine/volume-private.h"

#define MIB ((gsize)1024 * 1024)

/* Key slots lie within this many bytes of the start of every volume (isc_volume_template_ensure()
 * sees to it), so shredding need not believe a header that the node's QEMU could have rewritten. */
#define HEADER_SPAN (4 * MIB)

#define QEMU_IMG_TRIES 15
#define QEMU_IMG_SECONDS 120 /* for one try; it needs about 2 s of CPU */
#define QEMU_IMG_LEAKS 3 /* of check: room that nothing uses, as a QEMU leaves that was killed */

/* --- the template ------------------------------------------------------------------- */

gboolean isc_volume_copy_bytes(
		int from, off_t from_offset, int to, off_t to_offset, gsize len, GError **error)
{
	g_autofree guint8 *buffer = g_malloc(len);
	for (gsize done = 0; done < len;) {
		gssize n = pread(from, buffer + done, len - done, from_offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return isc_error_set_errno(error, errno, "cannot read the header");
		if (n == 0) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
					"the file ends in its header");
			return FALSE;
		}
		done += (gsize)n;
	}
	for (gsize done = 0; done < len;) {
		gssize n = pwrite(to, buffer + done, len - done, to_offset + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return isc_error_set_errno(error, errno, "cannot write the header");
		done += (gsize)n;
	}
	return TRUE;
}

static gboolean check_size(guint size_mib, GError **error)
{
	if (size_mib >= ISC_VOLUME_MIB_MIN && size_mib <= ISC_VOLUME_MIB_MAX)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "a volume has %d to %d MiB, not %u",
			ISC_VOLUME_MIB_MIN, ISC_VOLUME_MIB_MAX, size_mib);
	return FALSE;
}

gboolean isc_volume_find_region(int fd, IscQcow2 *info, GError **error)
{
	guint8 head[4096];
	gssize n = pread(fd, head, sizeof head, 0);
	if (n < 0)
		return isc_error_set_errno(error, errno, "cannot read the qcow2 header");
	if (!isc_qcow2_parse(head, (gsize)n, info, error))
		return FALSE;
	if (info->luks_length >= ISC_LUKS_AREA &&
			info->luks_offset <= HEADER_SPAN - info->luks_length)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
			"its LUKS region (%" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
			") is not where it should be",
			info->luks_length, info->luks_offset);
	return FALSE;
}

static int open_template(const gchar *path, guint size_mib, IscQcow2 *info, GError **error)
{
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		isc_error_set_errno(error, errno, "cannot open '%s'", path);
		return -1;
	}
	if (!isc_volume_find_region(fd, info, error)) {
		g_prefix_error(error, "'%s': ", path);
		return -1;
	}
	if (info->size != size_mib * (guint64)MIB) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "'%s' has the wrong size", path);
		return -1;
	}
	return isc_steal_fd(&fd);
}

typedef struct {
	GMainLoop *loop;
	GSubprocess *process;
	gchar *said; /* stderr */
	gboolean timed_out;
} Run;

static void on_done(GObject *source, GAsyncResult *result, gpointer user)
{
	Run *run = user;
	g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result, NULL, &run->said, NULL);
	g_main_loop_quit(run->loop);
}

static gboolean on_timeout(gpointer user)
{
	Run *run = user;
	run->timed_out = TRUE;
	g_subprocess_force_exit(run->process);
	return G_SOURCE_REMOVE;
}

/* Runs @process to its end, on a main context of its own: callers are worker threads.  @also: an
 * exit status that is none of failure, besides 0 */
static gboolean run_to_end(GSubprocess *process, gint also, GError **error)
{
	g_autoptr(GMainContext) context = g_main_context_new();
	g_autoptr(GSource) timer = g_timeout_source_new_seconds(QEMU_IMG_SECONDS);
	Run run = { g_main_loop_new(context, FALSE), process, NULL, FALSE };

	g_main_context_push_thread_default(context);
	g_source_set_callback(timer, on_timeout, &run, NULL);
	g_source_attach(timer, context);
	g_subprocess_communicate_utf8_async(process, NULL, NULL, on_done, &run);
	g_main_loop_run(run.loop);
	g_source_destroy(timer);
	g_main_context_pop_thread_default(context);
	g_main_loop_unref(run.loop);

	g_autofree gchar *said = run.said;
	if (g_subprocess_get_successful(process) ||
			(g_subprocess_get_if_exited(process) &&
					g_subprocess_get_exit_status(process) == also))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "qemu-img %s",
			run.timed_out ? "did not end in time"
			: said        ? g_strstrip(said)
				      : "failed");
	return FALSE;
}

static gboolean run(const gchar *key, const gchar *const *argv, gint also, GSubprocessFlags flags,
		GError **error)
{
	isc_autofd int key_fd = isc_file_new_memory("isc-key", error);
	if (key_fd < 0 || !isc_file_write_all(key_fd, key, strlen(key), error))
		return FALSE;

	g_autoptr(GSubprocessLauncher) launcher =
			g_subprocess_launcher_new(G_SUBPROCESS_FLAGS_STDOUT_SILENCE | flags);
	g_subprocess_launcher_setenv(launcher, "LC_ALL", "C", TRUE);
	g_subprocess_launcher_take_fd(launcher, isc_steal_fd(&key_fd), 3);
	g_autoptr(GError) spawn_error = NULL;
	g_autoptr(GSubprocess) process = g_subprocess_launcher_spawnv(launcher, argv, &spawn_error);
	if (process)
		return run_to_end(process, also, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"cannot run qemu-img (is qemu-utils installed?): %s", spawn_error->message);
	return FALSE;
}

gboolean isc_volume_run_qemu_img(const gchar *key, const gchar *const *argv, GError **error)
{
	return run(key, argv, 0, G_SUBPROCESS_FLAGS_STDERR_PIPE, error);
}

gboolean isc_volume_check_whole(const gchar *path, const gchar *key, GError **error)
{
	g_autofree gchar *image = g_strdup_printf("driver=qcow2,file.driver=file,file.filename=%s,"
						  "encrypt.format=luks,encrypt.key-secret=key",
			path);
	const gchar *const argv[] = { "qemu-img", "check", "-q", "--object",
		"secret,id=key,file=/proc/self/fd/3", "--image-opts", image, NULL };
	g_autoptr(GError) why = NULL;
	if (strpbrk(path, ",=")) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s': qemu-img takes no path with ',' or '=' in it", path);
		return FALSE;
	}
	/* It says a line for each cluster that is amiss, which may be millions. */
	if (run(key, argv, QEMU_IMG_LEAKS, G_SUBPROCESS_FLAGS_STDERR_SILENCE, &why))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"a part of it is missing or damaged (%s): copy it once more from where it "
			"was exported to",
			why->message);
	return FALSE;
}

/* One try of `qemu-img create`.  The key is random and forgotten at once: the template's key slots
 * are cut out. */
static gboolean run_qemu_img(const gchar *path, guint size_mib, GError **error)
{
	guint8 key[32];
	gchar hex[65];
	if (sodium_init() < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "libsodium does not start");
		return FALSE;
	}
	randombytes_buf(key, sizeof key);
	sodium_bin2hex(hex, sizeof hex, key, sizeof key);
	g_autofree gchar *size = g_strdup_printf("%uM", size_mib);
	const gchar *const argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "--object",
		"secret,id=key,file=/proc/self/fd/3", "-o",
		"encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10", path, size,
		NULL };
	return isc_volume_run_qemu_img(hex, argv, error);
}

static gboolean make_template(const gchar *path, guint size_mib, GError **error)
{
	g_autofree gchar *tmp = g_strconcat(path, ".tmp", NULL);
	g_autoptr(GError) last = NULL;
	gboolean made = FALSE;
	for (guint i = 0; i < QEMU_IMG_TRIES && !made; i++) {
		unlink(tmp);
		g_clear_error(&last);
		made = run_qemu_img(tmp, size_mib, &last);
		/* Only its benchmark fails at random; the rest would fail again. */
		if (!made && !strstr(last->message, "CPU usage"))
			break;
	}
	if (!made) {
		unlink(tmp);
		g_propagate_error(error, g_steal_pointer(&last));
		return FALSE;
	}

	IscQcow2 info;
	isc_autofd int fd = open(tmp, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	gboolean ok = fd >= 0 || isc_error_set_errno(error, errno, "cannot open '%s'", tmp);
	ok = ok && isc_volume_find_region(fd, &info, error);
	/* A hole where the key slots were: copies stay small.  Where a file system has no holes,
	 * zeros do. */
	if (ok && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)info.luks_offset,
				  (off_t)info.luks_length) < 0) {
		g_autofree guint8 *zeros = g_malloc0(info.luks_length);
		ok = pwrite(fd, zeros, info.luks_length, (off_t)info.luks_offset) ==
				     (gssize)info.luks_length ||
		     isc_error_set_errno(error, errno, "cannot clear the key slots");
	}
	if (ok && (fchmod(fd, 0600) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0))
		ok = isc_error_set_errno(error, errno, "cannot put '%s' in place", path);
	if (!ok)
		unlink(tmp);
	return ok;
}

/* Returns: fd of the template, made if there is none; or -1 */
static int ensure_template(const gchar *dir, guint size_mib, IscQcow2 *info, GError **error)
{
	g_autofree gchar *path = g_strdup_printf("%s/luks-%uM.qcow2", dir, size_mib);
	int fd = open_template(path, size_mib, info, NULL);
	if (fd >= 0)
		return fd;

	/* flock is per open file: it holds off other threads as well as other processes. */
	g_autofree gchar *lock_path = g_build_filename(dir, ".lock", NULL);
	isc_autofd int lock = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lock < 0) {
		isc_error_set_errno(error, errno, "cannot open '%s'", lock_path);
		return -1;
	}
	int r;
	while ((r = flock(lock, LOCK_EX)) < 0 && errno == EINTR)
		;
	if (r < 0) {
		isc_error_set_errno(error, errno, "cannot lock '%s'", lock_path);
		return -1;
	}
	fd = open_template(path, size_mib, info, NULL);
	if (fd >= 0)
		return fd;
	if (!make_template(path, size_mib, error)) {
		g_prefix_error(error, "template for volumes of %u MiB: ", size_mib);
		return -1;
	}
	return open_template(path, size_mib, info, error);
}

gboolean isc_volume_template_ensure(const gchar *templates_dir, guint size_mib, GError **error)
{
	IscQcow2 info;
	if (!check_size(size_mib, error))
		return FALSE;
	isc_autofd int fd = ensure_template(templates_dir, size_mib, &info, error);
	return fd >= 0;
}

/* --- create ------------------------------------------------------------------------- */

gboolean isc_volume_check_key(const gchar *key, GError **error)
{
	if (isc_digest_is_valid(key)) /* the same alphabet and length */
		return TRUE;
	/* Not shown: even a wrong key may be nearly the right one. */
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"a volume's key is 64 lower-case hex digits");
	return FALSE;
}

static gboolean fill(int fd, const gchar *templates_dir, guint size_mib, const gchar *key,
		GError **error)
{
	IscQcow2 info;
	struct stat st;
	isc_autofd int template = ensure_template(templates_dir, size_mib, &info, error);
	if (template <0)
		return FALSE;
	if (fstat(template, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot stat the template");
	isc_autofd int header = isc_luks_new(key, error);
	/* Slots 1 to 7 are marked unused in the header: what lies there is never read, so holes do.
	 */
	return header >= 0 && isc_file_copy_sparse(template, fd, st.st_size, error) &&
	       isc_volume_copy_bytes(header, 0, fd, (off_t)info.luks_offset, ISC_LUKS_USED, error);
}

static gboolean sync_folder_of(const gchar *path, GError **error)
{
	g_autofree gchar *folder = g_path_get_dirname(path);
	isc_autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return isc_error_set_errno(error, errno, "cannot sync '%s'", folder);
	return TRUE;
}

gboolean isc_volume_create(const gchar *path, const gchar *templates_dir, guint size_mib,
		const gchar *key_hex64, uid_t uid, gid_t gid, GError **error)
{
	if (!check_size(size_mib, error) || !isc_volume_check_key(key_hex64, error))
		return FALSE;
	g_autofree gchar *tmp = g_strconcat(path, ".tmp", NULL);
	unlink(tmp); /* of a crash */
	isc_autofd int fd = open(tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot make '%s'", tmp);

	gboolean ok = fill(fd, templates_dir, size_mib, key_hex64, error);
	if (ok && (fchmod(fd, 0600) < 0 || (uid != (uid_t)-1 && fchown(fd, uid, gid) < 0)))
		ok = isc_error_set_errno(error, errno, "cannot give it to uid %u", (guint)uid);
	if (ok && fsync(fd) < 0)
		ok = isc_error_set_errno(error, errno, "cannot sync");
	/* NOREPLACE: a persistent volume must not vanish because somebody asked for it twice. */
	if (ok && renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
		if (errno == EEXIST)
			g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "it exists already");
		else
			isc_error_set_errno(error, errno, "cannot rename into place");
		ok = FALSE;
	}
	if (!ok) {
		unlink(tmp);
		g_prefix_error(error, "volume '%s': ", path);
		return FALSE;
	}
	return sync_folder_of(path, error);
}

/* --- verify and shred --------------------------------------------------------------- */

int isc_volume_open_taken(const gchar *path, int flags, struct stat *was, gboolean *taken)
{
	*taken = FALSE;
	isc_autofd int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, was) < 0)
		return -1;
	if (!S_ISREG(was->st_mode) || was->st_nlink > 1) {
		errno = EINVAL;
		return -1;
	}
	g_autofree gchar *same = g_strdup_printf("/proc/self/fd/%d", fd);
	int opened = open(same, flags | O_CLOEXEC);
	if (opened >= 0 || errno != EACCES)
		return opened;
	if (fchownat(fd, "", geteuid(), getegid(), AT_EMPTY_PATH) < 0)
		return -1;
	*taken = TRUE;
	if (chmod(same, 0600) < 0)
		return -1;
	return open(same, flags | O_CLOEXEC);
}

gboolean isc_volume_verify(const gchar *path, const gchar *key_hex64, GError **error)
{
	if (!isc_volume_check_key(key_hex64, error))
		return FALSE;
	struct stat was;
	gboolean taken;
	isc_autofd int fd = isc_volume_open_taken(path, O_RDONLY, &was, &taken);
	if (fd < 0 && errno == ENOENT) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "no volume '%s'", path);
		return FALSE;
	}
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot open volume '%s'", path);
	if (taken && fchown(fd, was.st_uid, was.st_gid) < 0)
		return isc_error_set_errno(error, errno, "cannot give '%s' back to uid %u", path,
				(guint)was.st_uid);

	IscQcow2 info;
	isc_autofd int memory = isc_file_new_memory("isc-volume", error);
	if (memory < 0)
		return FALSE;
	if (isc_volume_find_region(fd, &info, error) &&
			isc_volume_copy_bytes(fd, (off_t)info.luks_offset, memory, 0, ISC_LUKS_AREA,
					error) &&
			isc_luks_check(memory, key_hex64, error))
		return TRUE;
	g_prefix_error(error, "volume '%s': ", path);
	return FALSE;
}

/* Overwrites what lies in the first HEADER_SPAN bytes, in place.  On copy-on-write file systems and
 * on flash the old blocks may live on below us; what makes the data unreadable there is that the
 * key itself was never stored (overlays) or is erased from the key store (persistent volumes). */
static gboolean overwrite(int fd, GError **error)
{
	guint8 noise[64 * 1024];
	struct stat st;
	if (fstat(fd, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot stat");
	randombytes_buf(noise, sizeof noise);
	off_t end = MIN(st.st_size, (off_t)HEADER_SPAN);
	for (off_t pos = 0; pos < end;) {
		off_t data = lseek(fd, pos, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break;
		pos = MAX(pos, data); /* holes hold nothing; where they cannot be told, all is data
				       */
		if (pos >= end)
			break;
		gssize n = pwrite(fd, noise, (gsize)MIN((off_t)sizeof noise, end - pos), pos);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return isc_error_set_errno(error, errno, "cannot overwrite");
		pos += n;
	}
	/* The guest's unwritten data goes first, or the sync would write it out only to be removed.
	 */
	if (st.st_size > end && ftruncate(fd, end) < 0)
		return isc_error_set_errno(error, errno, "cannot cut off");
	if (fsync(fd) < 0)
		return isc_error_set_errno(error, errno, "cannot sync");
	return TRUE;
}

static gboolean shred_one(const gchar *path, GError **error)
{
	struct stat was;
	gboolean taken;
	isc_autofd int fd = isc_volume_open_taken(path, O_RDWR, &was, &taken);
	if (fd < 0 && errno == ENOENT)
		return TRUE;
	gboolean ok = fd >= 0 ? overwrite(fd, error)
			      : isc_error_set_errno(error, errno, "cannot open");
	if (ok && unlink(path) < 0 && errno != ENOENT)
		ok = isc_error_set_errno(error, errno, "cannot remove");
	if (!ok)
		g_prefix_error(error, "shredding volume '%s': ", path);
	return ok;
}

gboolean isc_volume_shred(const gchar *path, GError **error)
{
	g_autofree gchar *tmp = g_strconcat(path, ".tmp", NULL);
	if (sodium_init() < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "libsodium does not start");
		return FALSE;
	}
	return shred_one(tmp, error) && shred_one(path, error);
}
