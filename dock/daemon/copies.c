#include "daemon/copies.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/minisign.h"

static gchar *key_path(const IscDock *dock, const gchar *file)
{
	return g_build_filename(dock->config->state_dir, "keys", file, NULL);
}

gchar *isc_copies_public_key_path(const IscDock *dock)
{
	return key_path(dock, "signing.pub");
}

gboolean isc_copies_open(IscDock *dock, GError **error)
{
	g_autofree gchar *secret = key_path(dock, "signing.key");
	g_autofree gchar *public = isc_copies_public_key_path(dock);
	if (access(secret, F_OK) == 0) {
		if (access(public, F_OK) == 0)
			return TRUE;
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"'%s' is gone: put it back from a backup, or remove '%s' to begin "
				"with a new key, which verifies nothing that was signed before",
				public, secret);
		return FALSE;
	}
	/* The secret half is put into place last: until then there is no key. */
	g_autofree gchar *tmp = key_path(dock, "signing.tmp");
	(void)unlink(tmp);
	(void)unlink(public);
	if (!isc_minisign_keygen(tmp, public, error))
		return FALSE;
	return rename(tmp, secret) == 0 ||
	       isc_error_set_errno(error, errno, "cannot make '%s'", secret);
}

IscCopy *isc_copies_describe(IscCopyKind kind, const IscNode *node, const gchar *name)
{
	IscCopy *copy = isc_copy_new(kind, node->spec->name, name);
	g_strlcpy(copy->uuid, node->uuid, sizeof(copy->uuid));
	g_strlcpy(copy->digest, node->digest, sizeof(copy->digest));
	copy->image_name = g_strdup(node->image_name);
	copy->image_version = g_strdup(node->image_version);
	copy->spec = isc_spec_print_public(node->spec);
	copy->taken = g_get_real_time() / G_USEC_PER_SEC;
	return copy;
}

gboolean isc_copies_add_files(
		IscCopy *copy, const gchar *dir, const gchar *const *files, GError **error)
{
	for (; *files; files++) {
		g_autofree gchar *path = g_build_filename(dir, *files, NULL);
		isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		struct stat st;
		gchar sha[65];
		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0 || fstat(fd, &st) < 0)
			return isc_error_set_errno(error, errno, "cannot open '%s'", path);
		if (!isc_file_sha256(fd, sha, error))
			return FALSE;
		isc_copy_add_file(copy, *files, (guint64)st.st_size, sha);
	}
	return TRUE;
}

gchar *isc_copies_sign_text(IscDock *dock, const gchar *text, const gchar *comment, GError **error)
{
	g_autofree gchar *secret = key_path(dock, "signing.key");
	return isc_minisign_sign(secret, text, strlen(text), comment, error);
}

gboolean isc_copies_write_signed(IscDock *dock, const gchar *path, const gchar *text,
		const gchar *comment, GError **error)
{
	g_autofree gchar *sig_path = g_strconcat(path, ".minisig", NULL);
	g_autofree gchar *sig = isc_copies_sign_text(dock, text, comment, error);
	return sig && isc_file_write(AT_FDCWD, path, text, strlen(text), 0400, error) &&
	       isc_file_write(AT_FDCWD, sig_path, sig, strlen(sig), 0400, error);
}

gboolean isc_copies_sign(IscDock *dock, const IscCopy *copy, const gchar *manifest, GError **error)
{
	g_autofree gchar *text = isc_copy_print(copy);
	g_autofree gchar *comment = g_strdup_printf("isc-dock %s %s of %s",
			copy->kind == ISC_COPY_EVIDENCE ? "evidence" : "snapshot", copy->name,
			copy->node);
	return isc_copies_write_signed(dock, manifest, text, comment, error);
}

static gboolean verify(
		IscDock *dock, const gchar *manifest, const gchar *text, gsize len, GError **error)
{
	g_autofree gchar *path = g_strconcat(manifest, ".minisig", NULL);
	g_autofree gchar *key_file = isc_copies_public_key_path(dock);
	IscPublicKey key;
	gsize sig_len, key_len;
	g_autofree gchar *sig =
			isc_file_read(AT_FDCWD, path, ISC_MINISIGN_SIG_MAX, &sig_len, error);
	g_autofree gchar *pub =
			sig ? isc_file_read(AT_FDCWD, key_file, 4096, &key_len, error) : NULL;
	return pub && isc_public_key_parse(pub, key_len, &key, error) &&
	       isc_minisign_verify(&key, 1, text, len, sig, sig_len, NULL, NULL, error);
}

IscCopy *isc_copies_load(IscDock *dock, const gchar *manifest, GError **error)
{
	gsize len;
	g_autofree gchar *text =
			isc_file_read(AT_FDCWD, manifest, ISC_COPY_MANIFEST_MAX, &len, error);
	return text && verify(dock, manifest, text, len, error) ? isc_copy_parse(text, len, error)
								: NULL;
}
