#include "store/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"

#define KEY_FILE_MAX 1024 /* bytes */

void isc_trust_free(IscTrust *trust)
{
	if (!trust)
		return;
	g_free(trust->folder);
	g_free(trust->keys);
	g_strfreev(trust->files);
	g_free(trust);
}

/* Whoever can write here decides what this dock boots. */
static gboolean check_owner(int fd, const gchar *path, GError **error)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot stat '%s'", path);
	if ((st.st_mode & 022) || (st.st_uid != 0 && st.st_uid != geteuid())) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"'%s' may be written by others than root (mode %04o, uid %u), so "
				"the keys in "
				"it are not trusted: chown root and chmod go-w it, and check its "
				"content",
				path, st.st_mode & 07777, (guint)st.st_uid);
		return FALSE;
	}
	return TRUE;
}

static gboolean load_key(int dir_fd, const gchar *folder, const gchar *file, IscPublicKey *key,
		GError **error)
{
	g_autofree gchar *path = g_build_filename(folder, file, NULL);
	isc_autofd int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'%s", path,
				errno == ELOOP ? ", a symbolic link" : "");
	gsize len;
	g_autofree gchar *text = NULL;
	if (!check_owner(fd, path, error))
		return FALSE;
	text = isc_file_read_fd(fd, path, KEY_FILE_MAX, &len, error);
	if (!text)
		return FALSE;
	if (isc_public_key_parse(text, len, key, error))
		return TRUE;
	g_prefix_error(error, "'%s': ", path);
	return FALSE;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const gchar *const *)a, *(const gchar *const *)b);
}

IscTrust *isc_trust_load(const gchar *folder, GError **error)
{
	g_autoptr(IscTrust) trust = g_new0(IscTrust, 1);
	trust->folder = g_strdup(folder);
	trust->files = g_new0(gchar *, 1);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return g_steal_pointer(&trust);
	g_autoptr(DIR) dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		isc_error_set_errno(error, errno, "cannot list '%s'", folder);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	if (!check_owner(fd, folder, error))
		return NULL;

	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	const struct dirent *entry;
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.' && g_str_has_suffix(entry->d_name, ".pub"))
			g_ptr_array_add(files, g_strdup(entry->d_name));
	g_ptr_array_sort(files,
			compare_names); /* so that the same key always is the one that is named */

	trust->n = files->len;
	trust->keys = g_new0(IscPublicKey, files->len);
	for (guint i = 0; i < files->len; i++)
		if (!load_key(fd, folder, g_ptr_array_index(files, i), &trust->keys[i], error))
			return NULL;
	g_ptr_array_add(files, NULL);
	g_free(trust->files);
	trust->files = (gchar **)g_ptr_array_steal(files, NULL);
	return g_steal_pointer(&trust);
}

gboolean isc_trust_verify(const IscTrust *trust, const gchar *message, gsize message_len,
		const gchar *sig, gsize sig_len, gchar **signer, GError **error)
{
	gsize which;
	if (!isc_minisign_verify(trust->keys, trust->n, message, message_len, sig, sig_len, NULL,
			    &which, error)) {
		g_prefix_error(error, "trusted keys in '%s' (%" G_GSIZE_FORMAT "): ", trust->folder,
				trust->n);
		return FALSE;
	}
	if (signer)
		*signer = isc_public_key_id(&trust->keys[which]);
	return TRUE;
}
