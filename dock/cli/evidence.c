#include "cli/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/minisign.h"
#include "cli/output.h"

#define KEY_MAX 4096

static void close_fd(gpointer data)
{
	close(GPOINTER_TO_INT(data) - 1);
}

static IscEvidence *new_evidence(void)
{
	IscEvidence *evidence = g_new0(IscEvidence, 1);
	evidence->files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_fd);
	return evidence;
}

void isc_evidence_free(IscEvidence *evidence)
{
	if (!evidence)
		return;
	g_hash_table_unref(evidence->files);
	g_free(evidence->key);
	g_free(evidence);
}

static void add(IscEvidence *evidence, const gchar *name, int fd)
{
	g_hash_table_replace(evidence->files, g_strdup(name), GINT_TO_POINTER(fd + 1));
}

IscEvidence *isc_evidence_open(IscClient *client, const gchar *name, GError **error)
{
	g_autoptr(GUnixFDList) fds = NULL;
	g_autoptr(GVariant) answer = isc_client_call(client, NULL, "OpenEvidence",
			g_variant_new("(s)", name), "(a{sh}h)", NULL, &fds, error);
	if (!answer)
		return NULL;
	g_autoptr(IscEvidence) evidence = new_evidence();
	g_autoptr(GVariantIter) files = NULL;
	const gchar *file;
	gint32 at, key_at;
	g_variant_get(answer, "(a{sh}h)", &files, &key_at);
	while (fds && g_variant_iter_next(files, "{&sh}", &file, &at)) {
		int fd = isc_copy_file_is_valid(file) ? g_unix_fd_list_get(fds, at, error) : -1;
		if (fd < 0 && error && *error)
			return NULL;
		if (fd >= 0)
			add(evidence, file, fd);
	}
	isc_autofd int key = fds ? g_unix_fd_list_get(fds, key_at, error) : -1;
	if (key < 0)
		return NULL;
	evidence->key = isc_file_read_fd(
			key, "the dock's public key", KEY_MAX, &evidence->key_len, error);
	return evidence->key ? g_steal_pointer(&evidence) : NULL;
}

IscEvidence *isc_evidence_open_folder(const gchar *path, GError **error)
{
	isc_autofd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(GDir) d = dir < 0 ? NULL : g_dir_open(path, 0, NULL);
	if (!d) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"cannot open the folder '%s': %s", path, g_strerror(errno));
		return NULL;
	}
	g_autoptr(IscEvidence) evidence = new_evidence();
	const gchar *file;
	while ((file = g_dir_read_name(d))) {
		/* Keys and the words for people are the export's, not the evidence's. */
		if (g_str_has_suffix(file, ".key") || g_str_equal(file, "README") ||
				g_str_equal(file, ISC_COPY_PUBLIC_KEY))
			continue;
		int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
		if (fd < 0) {
			isc_error_set_errno(error, errno, "cannot open '%s' in '%s'", file, path);
			return NULL;
		}
		add(evidence, file, fd);
	}
	evidence->key = isc_file_read(dir, ISC_COPY_PUBLIC_KEY, KEY_MAX, &evidence->key_len, NULL);
	return g_steal_pointer(&evidence);
}

gboolean isc_evidence_take_key(IscEvidence *evidence, const gchar *path, GError **error)
{
	g_free(evidence->key);
	evidence->key = isc_file_read(AT_FDCWD, path, KEY_MAX, &evidence->key_len, error);
	return evidence->key != NULL;
}

int isc_evidence_fd(const IscEvidence *evidence, const gchar *file)
{
	int fd = GPOINTER_TO_INT(g_hash_table_lookup(evidence->files, file)) - 1;
	return fd >= 0 && lseek(fd, 0, SEEK_SET) == 0 ? fd : -1;
}

static gchar *read_small(const IscEvidence *evidence, const gchar *file, gsize max, gsize *len,
		GError **error)
{
	int fd = isc_evidence_fd(evidence, file);
	if (fd >= 0)
		return isc_file_read_fd(fd, file, max, len, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"there is no %s: this evidence was never finished, or it was tampered with",
			file);
	return NULL;
}

IscCopy *isc_evidence_read(const IscEvidence *evidence, gchar **signer, GError **error)
{
	gsize len, sig_len;
	IscPublicKey key;
	g_autofree gchar *text =
			read_small(evidence, ISC_COPY_MANIFEST, ISC_COPY_MANIFEST_MAX, &len, error);
	g_autofree gchar *sig = text ? read_small(evidence, ISC_COPY_SIGNATURE,
						       ISC_MINISIGN_SIG_MAX, &sig_len, error)
				     : NULL;
	if (!sig)
		return NULL;
	if (!evidence->key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"no public key of the dock to verify with: give --key FILE");
		return NULL;
	}
	if (!isc_public_key_parse(evidence->key, evidence->key_len, &key, error) ||
			!isc_minisign_verify(&key, 1, text, len, sig, sig_len, NULL, NULL, error))
		return NULL;
	g_autoptr(IscCopy) copy = isc_copy_parse(text, len, error);
	if (copy && copy->kind != ISC_COPY_EVIDENCE) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"it is a snapshot's manifest, and no evidence");
		return NULL;
	}
	if (copy && signer)
		*signer = isc_public_key_id(&key);
	return g_steal_pointer(&copy);
}

static gboolean check_file(const IscEvidence *evidence, const IscCopyFile *file, GError **error)
{
	int fd = isc_evidence_fd(evidence, file->name);
	struct stat st;
	gchar sha[65];
	if (fd < 0 || fstat(fd, &st) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "%s is missing", file->name);
		return FALSE;
	}
	if (!isc_file_sha256(fd, sha, error))
		return FALSE;
	if ((guint64)st.st_size == file->size && g_str_equal(sha, file->sha256))
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "%s is not what was signed", file->name);
	return FALSE;
}

gboolean isc_evidence_check_files(const IscEvidence *evidence, const IscCopy *copy, GError **error)
{
	for (guint i = 0; i < copy->files->len; i++)
		if (!check_file(evidence, copy->files->pdata[i], error))
			return FALSE;
	GHashTableIter iter;
	gpointer name;
	g_hash_table_iter_init(&iter, evidence->files);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (isc_copy_find_file(copy, name) || g_str_equal(name, ISC_COPY_MANIFEST) ||
				g_str_equal(name, ISC_COPY_SIGNATURE))
			continue;
		g_autofree gchar *shown = isc_output_text(name);
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"%s is not in the manifest: somebody put it there", shown);
		return FALSE;
	}
	return TRUE;
}
