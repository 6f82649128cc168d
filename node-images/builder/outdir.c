#include "builder/outdir.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "model/image.h"

/* An image, an empty folder, or nothing: else somebody's files would be gone. */
static gboolean may_replace(const gchar *target, GError **error)
{
	g_autofree gchar *manifest = g_build_filename(target, ISC_IMAGE_MANIFEST, NULL);
	struct stat st;
	if (lstat(target, &st) < 0 && errno == ENOENT)
		return TRUE;
	g_autoptr(GDir) dir = S_ISDIR(st.st_mode) ? g_dir_open(target, 0, NULL) : NULL;
	if (dir && (!g_dir_read_name(dir) || access(manifest, F_OK) == 0))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"'%s' is there and is no image: remove it, or choose another place",
			target);
	return FALSE;
}

/* Everything in @work but @work itself, which is locked and stays. */
static gboolean clear(const gchar *work, GError **error)
{
	g_autoptr(GDir) dir = g_dir_open(work, 0, NULL);
	const gchar *name;
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree gchar *path = g_build_filename(work, name, NULL);
		if (!isc_file_remove_tree(path, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean lock(IscOutDir *out, GError **error)
{
	struct stat ours, there;
	if (!isc_file_mkdir(out->work, 0700, error))
		return FALSE;
	out->lock = open(out->work, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (out->lock < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", out->work);
	/* The one that ended a moment ago may have removed it after we opened it. */
	if (flock(out->lock, LOCK_EX | LOCK_NB) == 0 && fstat(out->lock, &ours) == 0 &&
			stat(out->work, &there) == 0 && ours.st_ino == there.st_ino)
		return TRUE;
	close(out->lock);
	out->lock = -1;
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "'%s' is being built already", out->target);
	return FALSE;
}

IscOutDir *isc_outdir_open(const gchar *target, GError **error)
{
	g_autoptr(IscOutDir) out = g_new0(IscOutDir, 1);
	out->lock = -1;
	out->target = g_canonicalize_filename(target, NULL);
	g_autofree gchar *parent = g_path_get_dirname(out->target);
	g_autofree gchar *name = g_path_get_basename(out->target);
	g_autofree gchar *hidden = g_strdup_printf(".%s.building", name);
	out->work = g_build_filename(parent, hidden, NULL);
	out->image = g_build_filename(out->work, "image", NULL);
	if (!may_replace(out->target, error))
		return NULL;
	if (g_mkdir_with_parents(parent, 0755) < 0) {
		isc_error_set_errno(error, errno, "cannot make '%s'", parent);
		return NULL;
	}
	if (!lock(out, error) || !clear(out->work, error) ||
			!isc_file_mkdir(out->image, 0755, error))
		return NULL;
	return g_steal_pointer(&out);
}

static gboolean sync_all(const gchar *folder, GError **error)
{
	isc_autofd int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || syncfs(fd) < 0)
		return isc_error_set_errno(error, errno, "cannot sync '%s'", folder);
	return TRUE;
}

gboolean isc_outdir_commit(IscOutDir *out, GError **error)
{
	if (!sync_all(out->image, error))
		return FALSE;
	/* Exchanged, the old image lies in the work folder, and goes with it. */
	if (renameat2(AT_FDCWD, out->image, AT_FDCWD, out->target, RENAME_EXCHANGE) < 0 &&
			rename(out->image, out->target) < 0)
		return isc_error_set_errno(error, errno, "cannot rename into '%s'", out->target);
	return TRUE;
}

void isc_outdir_free(IscOutDir *out)
{
	if (!out)
		return;
	if (out->lock >= 0) {
		/* What stays is cleared by the next build. */
		if (!isc_file_remove_tree(out->work, NULL))
			g_debug("'%s' stays", out->work);
		close(out->lock);
	}
	g_free(out->target);
	g_free(out->work);
	g_free(out->image);
	g_free(out);
}
