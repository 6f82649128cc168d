#include "store/part.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#define CHUNK (256 * 1024)

static gboolean changed(GError **error, const IscImagePart *part, const gchar *why)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "'%s' %s", part->file, why);
	return FALSE;
}

int isc_part_open_at(gpointer dir_fd, const gchar *file, GError **error)
{
	int fd = openat(GPOINTER_TO_INT(dir_fd), file,
			O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "'%s' is missing", file);
	else if (errno == ELOOP)
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is a symbolic link; images hold files only", file);
	else
		isc_error_set_errno(error, errno, "cannot open '%s'", file);
	return -1;
}

gboolean isc_part_check(int fd, const IscImagePart *part, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot look at '%s'", part->file);
	if (!S_ISREG(st.st_mode)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' is no regular file",
				part->file);
		return FALSE;
	}
	if ((guint64)st.st_size != part->size) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"'%s' has %" G_GINT64_FORMAT
				" bytes, the manifest says %" G_GUINT64_FORMAT,
				part->file, (gint64)st.st_size, part->size);
		return FALSE;
	}
	return TRUE;
}

int isc_part_open(int dir_fd, const IscImagePart *part, GError **error)
{
	isc_autofd int fd = isc_part_open_at(GINT_TO_POINTER(dir_fd), part->file, error);
	if (fd < 0 || !isc_part_check(fd, part, error))
		return -1;
	return isc_steal_fd(&fd);
}

gboolean isc_part_stream(int from, int to, const IscImagePart *part, GError **error)
{
	g_autofree guint8 *buffer = g_malloc(CHUNK);
	struct sha256_ctx ctx;
	guint64 total = 0;
	sha256_init(&ctx);
	for (;;) {
		gssize n = read(from, buffer, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return isc_error_set_errno(error, errno, "cannot read '%s'", part->file);
		if (n == 0)
			break;
		total += (guint64)n;
		if (total > part->size)
			return changed(error, part, "grew while it was read");
		sha256_update(&ctx, (size_t)n, buffer);
		if (to >= 0 && !isc_file_write_all(to, buffer, (gsize)n, error)) {
			g_prefix_error(error, "'%s': ", part->file);
			return FALSE;
		}
	}
	if (total != part->size)
		return changed(error, part, "shrank while it was read");

	guint8 digest[SHA256_DIGEST_SIZE];
	gchar hex[65] = { 0 };
	sha256_digest(&ctx, sizeof digest, digest);
	base16_encode_update(hex, sizeof digest, digest);
	if (!g_str_equal(hex, part->sha256))
		return changed(error, part, "is not what the manifest says: its SHA-256 differs");
	return TRUE;
}
