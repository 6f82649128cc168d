#include "builder/imagedir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"

static gboolean set_verify(GError **error, const gchar *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean set_verify(GError **error, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_VERIFY, text);
	return FALSE;
}

static gchar *read_manifest(const gchar *dir, gsize *len, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, ISC_IMAGE_MANIFEST, NULL);
	return isc_file_read(AT_FDCWD, path, ISC_IMAGE_MANIFEST_MAX, len, error);
}

IscImage *isc_imagedir_load(const gchar *dir, gchar **bytes, gsize *len, GError **error)
{
	gsize n;
	g_autofree gchar *text = read_manifest(dir, &n, error);
	g_autoptr(IscImage) image = text ? isc_image_parse(text, n, error) : NULL;
	if (!image)
		return NULL;
	if (bytes)
		*bytes = g_steal_pointer(&text);
	if (len)
		*len = n;
	return g_steal_pointer(&image);
}

gboolean isc_imagedir_measure(const gchar *dir, IscImagePart *part, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, part->file, NULL);
	struct stat st;
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", path);
	part->size = (guint64)st.st_size;
	return isc_file_sha256(fd, part->sha256, error);
}

gboolean isc_imagedir_sign(const gchar *dir, const gchar *secret_path, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, ISC_IMAGE_SIGNATURE, NULL);
	g_autofree gchar *bytes = NULL;
	gsize len;
	g_autoptr(IscImage) image = isc_imagedir_load(dir, &bytes, &len, error);
	if (!image)
		return FALSE;
	/* No date in it: the signature of equal images by one key is equal. */
	g_autofree gchar *comment = g_strdup_printf("isc-image %s %s", image->name, image->version);
	g_autofree gchar *sig = isc_minisign_sign(secret_path, bytes, len, comment, error);
	return sig && isc_file_write(AT_FDCWD, path, sig, strlen(sig), 0644, error);
}

/* --- verify ----------------------------------------------------------------------- */

static gboolean verify_part(const gchar *dir, const IscImagePart *part, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, part->file, NULL);
	gchar sha256[65];
	struct stat st;
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) < 0)
		return set_verify(error, "'%s': %s", path, g_strerror(errno));
	if (!S_ISREG(st.st_mode) || (guint64)st.st_size != part->size)
		return set_verify(error,
				"'%s': %" G_GINT64_FORMAT
				" bytes, but the manifest says %" G_GUINT64_FORMAT,
				path, (gint64)st.st_size, part->size);
	if (!isc_file_sha256(fd, sha256, error))
		return FALSE;
	if (g_str_equal(sha256, part->sha256))
		return TRUE;
	return set_verify(error, "'%s': its SHA-256 is not what the manifest says", path);
}

/* A file that no digest covers is one that somebody added. */
static gboolean verify_nothing_else(const gchar *dir, const IscImage *image, GError **error)
{
	g_autoptr(GDir) folder = g_dir_open(dir, 0, NULL);
	const gchar *name;
	while (folder && (name = g_dir_read_name(folder))) {
		gboolean known = g_str_equal(name, ISC_IMAGE_MANIFEST) ||
				 g_str_equal(name, ISC_IMAGE_SIGNATURE);
		for (gsize i = 0; i < ISC_N_PARTS; i++)
			known |= g_str_equal(name, image->parts[i].file);
		if (known)
			continue;
		g_autofree gchar *shown = isc_text_escape(name, -1, 64);
		return set_verify(error, "'%s/%s': not in the manifest", dir, shown);
	}
	return TRUE;
}

IscImage *isc_imagedir_verify(const gchar *dir, const IscPublicKey *keys, gsize n_keys,
		gchar **signer, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, ISC_IMAGE_SIGNATURE, NULL);
	gsize len, sig_len, which;
	g_autofree gchar *bytes = read_manifest(dir, &len, error);
	if (!bytes)
		return NULL;
	g_autoptr(GError) missing = NULL;
	g_autofree gchar *sig =
			isc_file_read(AT_FDCWD, path, ISC_MINISIGN_SIG_MAX, &sig_len, &missing);
	if (!sig) {
		set_verify(error, "the image is not signed: %s", missing->message);
		return NULL;
	}
	if (!isc_minisign_verify(keys, n_keys, bytes, len, sig, sig_len, NULL, &which, error)) {
		g_prefix_error(error, "'%s': ", path);
		return NULL;
	}
	g_autoptr(IscImage) image = isc_image_parse(bytes, len, error);
	if (!image)
		return NULL;
	for (gsize i = 0; i < ISC_N_PARTS; i++)
		if (!verify_part(dir, &image->parts[i], error))
			return NULL;
	if (!verify_nothing_else(dir, image, error))
		return NULL;
	*signer = isc_public_key_id(&keys[which]);
	return g_steal_pointer(&image);
}

/* --- the publisher's key ---------------------------------------------------------- */

gchar *isc_publisher_key(void)
{
	return g_build_filename(g_get_user_config_dir(), "isc-dock", "publisher.key", NULL);
}

gchar *isc_publisher_public(const gchar *secret_path)
{
	gsize n = strlen(secret_path);
	if (g_str_has_suffix(secret_path, ".key"))
		n -= strlen(".key");
	return g_strdup_printf("%.*s.pub", (int)n, secret_path);
}

gboolean isc_publisher_ensure(const gchar *secret_path, gboolean *made, GError **error)
{
	g_autofree gchar *public_path = isc_publisher_public(secret_path);
	g_autofree gchar *folder = g_path_get_dirname(secret_path);
	*made = FALSE;
	if (access(secret_path, F_OK) == 0)
		return TRUE;
	if (g_mkdir_with_parents(folder, 0700) < 0)
		return isc_error_set_errno(error, errno, "cannot make '%s'", folder);
	*made = isc_minisign_keygen(secret_path, public_path, error);
	return *made;
}
