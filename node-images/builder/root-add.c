/* The recipe's own part of the tree: files/ and build.sh. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "builder/root.h"

#define SCRIPT "/tmp/" ISC_RECIPE_SCRIPT
#define SCRIPT_MAX (1024 * 1024)
#define SCRIPT_TIMEOUT_S 1800
#define COPY_TIMEOUT_S 300
#define DEPTH_MAX 64

/* --- files/ ----------------------------------------------------------------------- */

typedef struct {
	int dir;            /* fd of files/, opened outside of the tree */
	gboolean copy;      /* else only look */
	const gchar *shown; /* path of files/, for errors */
} Copy;

static gboolean copy_dir(
		const Copy *copy, int from, const gchar *path, guint depth, GError **error);

static gboolean copy_link(int from, const gchar *name, const gchar *path, GError **error)
{
	gchar target[PATH_MAX];
	gssize n = readlinkat(from, name, target, sizeof target - 1);
	if (n < 0)
		return isc_error_set_errno(error, errno, "cannot read the link '%s'", path);
	target[n] = '\0';
	if ((unlink(path) < 0 && errno != ENOENT) || symlink(target, path) < 0)
		return isc_error_set_errno(error, errno, "cannot make the link '%s'", path);
	return TRUE;
}

static gboolean copy_file(int from, const gchar *name, const gchar *path, GError **error)
{
	struct stat st;
	isc_autofd int source = openat(from, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (source < 0 || fstat(source, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", path);
	/* A link of a package in its place would be written through. */
	if (unlink(path) < 0 && errno != ENOENT)
		return isc_error_set_errno(error, errno, "cannot replace '%s'", path);
	mode_t mode = st.st_mode & S_IXUSR ? 0755 : 0644;
	isc_autofd int target = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (target < 0 || fchmod(target, mode) < 0)
		return isc_error_set_errno(error, errno, "cannot make '%s'", path);
	return isc_file_copy_sparse(source, target, st.st_size, error);
}

static gboolean copy_entry(const Copy *copy, int from, const gchar *name, const gchar *path,
		guint depth, GError **error)
{
	struct stat st;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return isc_error_set_errno(error, errno, "cannot stat '%s%s'", copy->shown, path);
	if (S_ISDIR(st.st_mode)) {
		isc_autofd int sub =
				openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (sub < 0)
			return isc_error_set_errno(
					error, errno, "cannot open '%s%s'", copy->shown, path);
		/* A folder that is there keeps its owner and mode; a link to one (/bin) is
		 * followed. */
		if (copy->copy && mkdir(path, 0755) < 0 && errno != EEXIST)
			return isc_error_set_errno(error, errno, "cannot make '%s'", path);
		return copy_dir(copy, sub, path, depth + 1, error);
	}
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"%s%s: neither file, folder nor link", copy->shown, path);
		return FALSE;
	}
	if (!copy->copy)
		return TRUE;
	return S_ISLNK(st.st_mode) ? copy_link(from, name, path, error)
				   : copy_file(from, name, path, error);
}

static gboolean copy_dir(const Copy *copy, int from, const gchar *path, guint depth, GError **error)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(DIR) dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	if (!dir || depth > DEPTH_MAX) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"%s%s: cannot be read, or is too deep", copy->shown, path);
		return FALSE;
	}
	while ((e = readdir(dir))) {
		if (g_str_equal(e->d_name, ".") || g_str_equal(e->d_name, ".."))
			continue;
		g_autofree gchar *child = g_strdup_printf("%s/%s", path, e->d_name);
		if (!copy_entry(copy, from, e->d_name, child, depth, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean copy_in_tree(gpointer data, int out, GError **error)
{
	const Copy *copy = data;
	(void)out;
	return copy_dir(copy, copy->dir, "", 0, error);
}

/* fd of DIR/files, -1 where there is none; FALSE where it cannot be opened. */
static gboolean open_files(const gchar *dir, gchar **path, int *fd, GError **error)
{
	*path = g_build_filename(dir, ISC_RECIPE_FILES, NULL);
	*fd = open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd >= 0 || errno == ENOENT)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s: %s", *path, g_strerror(errno));
	return FALSE;
}

gboolean isc_root_check_files(const gchar *dir, GError **error)
{
	g_autofree gchar *path = NULL;
	isc_autofd int fd = -1;
	if (!open_files(dir, &path, &fd, error))
		return FALSE;
	Copy copy = { .dir = fd, .shown = path };
	return fd < 0 || copy_dir(&copy, fd, "", 0, error);
}

gboolean isc_root_add_files(const gchar *dir, const IscRootOptions *options, GError **error)
{
	g_autofree gchar *path = NULL;
	isc_autofd int fd = -1;
	if (!open_files(dir, &path, &fd, error))
		return FALSE;
	if (fd < 0)
		return TRUE;
	Copy copy = { .dir = fd, .copy = TRUE, .shown = path };
	IscRun run = { .what = "copying files/",
		.function = copy_in_tree,
		.data = &copy,
		.root = options->tree,
		.flags = ISC_RUN_BOX | ISC_RUN_NO_NET,
		.timeout_s = COPY_TIMEOUT_S,
		.tick = options->tick->tick,
		.tick_data = options->tick->tick_data };
	return isc_run(&run, NULL, NULL, error);
}

/* --- build.sh --------------------------------------------------------------------- */

typedef struct {
	const gchar *tree;
	const gchar *text;
	gsize len;
} Script;

static gboolean mount_in(const gchar *tree, const gchar *where, const gchar *type,
		const gchar *options, GError **error)
{
	g_autofree gchar *path = g_build_filename(tree, where, NULL);
	mkdir(path, 0755);
	if (mount(type, path, type, MS_NOSUID, options) == 0)
		return TRUE;
	return isc_error_set_errno(error, errno, "cannot mount %s on '%s'", type, path);
}

static gboolean make_devices(const gchar *tree, GError **error)
{
	static const struct {
		const gchar *name;
		guint major, minor;
	} devices[] = { { "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 }, { "random", 1, 8 },
		{ "urandom", 1, 9 }, { "tty", 5, 0 } };
	static const gchar *const links[][2] = { { "fd", "/proc/self/fd" },
		{ "stdin", "/proc/self/fd/0" }, { "stdout", "/proc/self/fd/1" },
		{ "stderr", "/proc/self/fd/2" } };
	for (gsize i = 0; i < G_N_ELEMENTS(devices); i++) {
		g_autofree gchar *path = g_build_filename(tree, "dev", devices[i].name, NULL);
		if (mknod(path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) < 0 ||
				chmod(path, 0666) < 0)
			return isc_error_set_errno(error, errno, "cannot make '%s'", path);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(links); i++) {
		g_autofree gchar *path = g_build_filename(tree, "dev", links[i][0], NULL);
		if (symlink(links[i][1], path) < 0)
			return isc_error_set_errno(error, errno, "cannot make '%s'", path);
	}
	return mount_in(tree, "dev/shm", "tmpfs", "mode=1777", error);
}

/* What the script sees beyond the tree lives in its mount namespace, and is gone with it. */
static gboolean prepare_script(gpointer data, GError **error)
{
	const Script *script = data;
	g_autofree gchar *path = g_build_filename(script->tree, SCRIPT, NULL);
	g_autofree gchar *policy = g_build_filename(script->tree, "usr/sbin/policy-rc.d", NULL);
	static const gchar refuse[] = "#!/bin/sh\nexit 101\n";
	if (!mount_in(script->tree, "proc", "proc", NULL, error) ||
			!mount_in(script->tree, "dev", "tmpfs", "mode=0755", error) ||
			!make_devices(script->tree, error) ||
			!mount_in(script->tree, "tmp", "tmpfs", "mode=1777", error) ||
			!mount_in(script->tree, "run", "tmpfs", "mode=0755", error))
		return FALSE;
	/* Packages ask it before they start a daemon; removed when the root is finished. */
	isc_autofd int fd = open(policy, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd >= 0 && !isc_file_write_all(fd, refuse, sizeof refuse - 1, error))
		return FALSE;
	return isc_file_write(AT_FDCWD, path, script->text, script->len, 0755, error);
}

gboolean isc_root_run_script(const gchar *dir, const IscRootOptions *options, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, ISC_RECIPE_SCRIPT, NULL);
	g_autoptr(GError) missing = NULL;
	Script script = { .tree = options->tree };
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, SCRIPT_MAX, &script.len, &missing);
	if (!text && g_error_matches(missing, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return TRUE;
	if (!text) {
		g_propagate_error(error, g_steal_pointer(&missing));
		return FALSE;
	}
	script.text = text;
	g_autofree gchar *epoch =
			g_strdup_printf("SOURCE_DATE_EPOCH=%" G_GINT64_FORMAT, options->epoch);
	static const gchar *const argv[] = { SCRIPT, NULL };
	const gchar *env[] = { epoch, "DEBIAN_FRONTEND=noninteractive", NULL };
	IscRun run = { .what = path,
		.argv = argv,
		.env = env,
		.prepare = prepare_script,
		.data = &script,
		.root = options->tree,
		.flags = ISC_RUN_BOX | ISC_RUN_NO_NET,
		.timeout_s = SCRIPT_TIMEOUT_S,
		.tick = options->tick->tick,
		.tick_data = options->tick->tick_data };
	if (isc_run(&run, NULL, NULL, error))
		return TRUE;
	/* A script that fails is a wrong recipe; that it cannot even be started (no shell in the
	 * root), too. */
	if (error && (g_error_matches(*error, ISC_ERROR, ISC_ERROR_FAILED) ||
				     g_error_matches(*error, ISC_ERROR, ISC_ERROR_HOST))) {
		(*error)->code = ISC_ERROR_INVALID;
		if (!g_str_has_prefix((*error)->message, path))
			g_prefix_error(error, "%s:1: ", path);
	}
	return FALSE;
}
