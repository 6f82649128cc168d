#include "store/images.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "store/part.h"

#define FILE_MODE 0444 /* every node has a gid of its own: only "others" are common to all */
#define DIR_MODE 0711  /* QEMU of every node passes through; only the dock lists */
#define IMPORTING ".import-"
#define REMOVING ".remove-"
#define PREFIX_MIN 12 /* hex digits of a shortened digest */

struct IscImageStore {
	gchar *folder;
	int fd;
	uid_t uid;
	gid_t gid;
};

void isc_stored_image_free(IscStoredImage *stored)
{
	if (!stored)
		return;
	isc_image_free(stored->image);
	g_free(stored->problem);
	g_free(stored);
}

/* --- open and clean up -------------------------------------------------------------- */

/* Names in folder @fd, "." and ".." left out. */
static GPtrArray *names_in(int fd, GError **error)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(DIR) dir = own >= 0 ? fdopendir(own) : NULL;
	if (!dir) {
		isc_error_set_errno(error, errno, "cannot list the folder");
		if (own >= 0)
			close(own);
		return NULL;
	}
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	const struct dirent *entry;
	while ((entry = readdir(dir)))
		if (!g_str_equal(entry->d_name, ".") && !g_str_equal(entry->d_name, ".."))
			g_ptr_array_add(names, g_strdup(entry->d_name));
	return names;
}

/* Sets or clears +i on every file of the image folder @name.
 * Returns: TRUE if all of them are as wanted; where a right or the flag itself is missing they are
 * not */
static gboolean set_immutable(IscImageStore *store, const gchar *name, gboolean on)
{
	isc_autofd int fd =
			openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	g_autoptr(GPtrArray) files = fd >= 0 ? names_in(fd, NULL) : NULL;
	gboolean all = files != NULL;
	for (guint i = 0; files && i < files->len; i++) {
		gboolean done = FALSE;
		isc_autofd int file = openat(fd, g_ptr_array_index(files, i),
				O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		all = file >= 0 && isc_file_set_immutable(file, on, &done, NULL) && done && all;
	}
	return all;
}

static gboolean remove_folder(IscImageStore *store, const gchar *name, GError **error)
{
	g_autofree gchar *path = g_build_filename(store->folder, name, NULL);
	set_immutable(store, name, FALSE); /* where this fails, the next line says why it matters */
	return isc_file_remove_tree(path, error);
}

static gboolean clean_up(IscImageStore *store, GError **error)
{
	g_autoptr(GPtrArray) names = names_in(store->fd, error);
	for (guint i = 0; names && i < names->len; i++) {
		const gchar *name = g_ptr_array_index(names, i);
		if (g_str_has_prefix(name, IMPORTING) || g_str_has_prefix(name, REMOVING)) {
			if (!remove_folder(store, name, error))
				return FALSE;
		} else if (isc_digest_is_valid(name)) {
			set_immutable(store, name, TRUE); /* a crash may have come before it */
		}
	}
	return names != NULL;
}

IscImageStore *isc_image_store_open(const gchar *folder, uid_t uid, gid_t gid, GError **error)
{
	if (!isc_file_mkdir(folder, DIR_MODE, error))
		return NULL;
	g_autoptr(IscImageStore) store = g_new0(IscImageStore, 1);
	store->folder = g_strdup(folder);
	store->uid = uid;
	store->gid = gid;
	store->fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (store->fd < 0) {
		isc_error_set_errno(error, errno, "cannot open '%s'", folder);
		return NULL;
	}
	if (!clean_up(store, error)) {
		g_prefix_error(error, "image store '%s': ", folder);
		return NULL;
	}
	return g_steal_pointer(&store);
}

void isc_image_store_free(IscImageStore *store)
{
	if (!store)
		return;
	isc_clear_fd(&store->fd);
	g_free(store->folder);
	g_free(store);
}

gchar *isc_image_store_part_path(IscImageStore *store, const IscImage *image, IscPartKind kind)
{
	return g_build_filename(store->folder, image->digest, image->parts[kind].file, NULL);
}

/* --- manifest and signature --------------------------------------------------------- */

typedef struct {
	gchar *manifest, *signature;
	gsize manifest_len, signature_len;
	IscImage *image;
} Head;

static void head_clear(Head *head)
{
	g_free(head->manifest);
	g_free(head->signature);
	isc_image_free(head->image);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Head, head_clear)

static gchar *read_text(const IscImageSource *source, const gchar *file, gsize max, gsize *len,
		GError **error)
{
	isc_autofd int fd = source->open(source->data, file, error);
	return fd >= 0 ? isc_file_read_fd(fd, file, max, len, error) : NULL;
}

/* Reads both once; from here on only these bytes count.  @trust: NULL: the signature is not
 * checked. */
static gboolean read_head(const IscImageSource *source, const IscTrust *trust, Head *head,
		gchar **signer, GError **error)
{
	head->manifest = read_text(source, ISC_IMAGE_MANIFEST, ISC_IMAGE_MANIFEST_MAX,
			&head->manifest_len, error);
	if (!head->manifest)
		return FALSE;
	if (trust) {
		head->signature = read_text(source, ISC_IMAGE_SIGNATURE, ISC_MINISIGN_SIG_MAX,
				&head->signature_len, error);
		/* Before it is parsed: a stranger's manifest is not worth a parser's risk. */
		if (!head->signature || !isc_trust_verify(trust, head->manifest, head->manifest_len,
							head->signature, head->signature_len,
							signer, error))
			return FALSE;
	}
	head->image = isc_image_parse(head->manifest, head->manifest_len, error);
	return head->image != NULL;
}

/* --- import ------------------------------------------------------------------------- */

/* A new file of the store, for finish_files() to end.  Returns: fd or -1 */
static int new_file(int dir_fd, const gchar *name, GError **error)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		isc_error_set_errno(error, errno, "cannot make '%s'", name);
	return fd;
}

static gboolean store_bytes(
		int dir_fd, const gchar *name, const gchar *bytes, gsize len, GError **error)
{
	isc_autofd int fd = new_file(dir_fd, name, error);
	return fd >= 0 && isc_file_write_all(fd, bytes, len, error);
}

static gboolean store_part(
		const IscImageSource *source, int to_dir, const IscImagePart *part, GError **error)
{
	isc_autofd int from = source->open(source->data, part->file, error);
	if (from < 0 || !isc_part_check(from, part, error))
		return FALSE;
	isc_autofd int to = new_file(to_dir, part->file, error);
	return to >= 0 && isc_part_stream(from, to, part, error);
}

/* Mode, owner and sync, once all hashes hold: a refused image costs no sync. */
static gboolean finish_files(IscImageStore *store, int dir_fd, GError **error)
{
	g_autoptr(GPtrArray) names = names_in(dir_fd, error);
	for (guint i = 0; names && i < names->len; i++) {
		const gchar *name = g_ptr_array_index(names, i);
		isc_autofd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fchmod(fd, FILE_MODE) < 0)
			return isc_error_set_errno(
					error, errno, "cannot set the mode of '%s'", name);
		if ((store->uid != (uid_t)-1 || store->gid != (gid_t)-1) &&
				fchown(fd, store->uid, store->gid) < 0)
			return isc_error_set_errno(error, errno, "cannot give '%s' to %u:%u", name,
					(guint)store->uid, (guint)store->gid);
		if (fsync(fd) < 0)
			return isc_error_set_errno(error, errno, "cannot sync '%s'", name);
	}
	return names != NULL;
}

static gboolean check_space(IscImageStore *store, const IscImage *image, GError **error)
{
	struct statvfs vfs;
	guint64 need = ISC_IMAGE_MANIFEST_MAX;
	for (gsize i = 0; i < ISC_N_PARTS; i++)
		need += image->parts[i].size;
	if (fstatvfs(store->fd, &vfs) < 0)
		return isc_error_set_errno(error, errno, "cannot ask for free space");
	guint64 have = (guint64)vfs.f_bavail * vfs.f_frsize;
	if (have >= need)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"needs %" G_GUINT64_FORMAT " MiB, '%s' has %" G_GUINT64_FORMAT
			" MiB free: remove images that no node uses",
			(need >> 20) + 1, store->folder, have >> 20);
	return FALSE;
}

static gboolean fill_folder(IscImageStore *store, const IscImageSource *source, const gchar *name,
		const Head *head, GError **error)
{
	isc_autofd int to =
			openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return isc_error_set_errno(error, errno, "cannot open the new folder");
	if (!store_bytes(to, ISC_IMAGE_MANIFEST, head->manifest, head->manifest_len, error) ||
			!store_bytes(to, ISC_IMAGE_SIGNATURE, head->signature, head->signature_len,
					error))
		return FALSE;
	for (gsize i = 0; i < ISC_N_PARTS; i++)
		if (!store_part(source, to, &head->image->parts[i], error))
			return FALSE;
	if (!finish_files(store, to, error))
		return FALSE;
	if (fchmod(to, DIR_MODE) < 0 || fsync(to) < 0)
		return isc_error_set_errno(error, errno, "cannot sync the new folder");
	return TRUE;
}

static gchar *temporary_name(const gchar *prefix)
{
	guint64 nonce = 0;
	if (getrandom(&nonce, sizeof nonce, 0) != sizeof nonce)
		nonce = (guint64)g_get_monotonic_time(); /* mkdir and rename find out about a clash
							  */
	return g_strdup_printf("%s%016" G_GINT64_MODIFIER "x", prefix, nonce);
}

/* @was_there: (out): somebody else put the same image in place meanwhile */
static gboolean import_new(IscImageStore *store, const IscImageSource *source, const Head *head,
		gboolean *was_there, GError **error)
{
	g_autofree gchar *name = temporary_name(IMPORTING);
	if (!check_space(store, head->image, error))
		return FALSE;
	if (mkdirat(store->fd, name, 0700) < 0)
		return isc_error_set_errno(
				error, errno, "cannot make a folder in '%s'", store->folder);

	gboolean ok = fill_folder(store, source, name, head, error);
	if (ok && renameat2(store->fd, name, store->fd, head->image->digest, RENAME_NOREPLACE) <
					0) {
		*was_there = errno == EEXIST;
		ok = *was_there || isc_error_set_errno(error, errno, "cannot rename into place");
	} else if (ok) {
		set_immutable(store, head->image->digest, TRUE);
		return fsync(store->fd) == 0 ||
		       isc_error_set_errno(error, errno, "cannot sync '%s'", store->folder);
	}
	remove_folder(store, name, NULL); /* else the next start does */
	return ok;
}

IscImage *isc_image_store_import_from(IscImageStore *store, const IscImageSource *source,
		const IscTrust *trust, gboolean *was_there, GError **error)
{
	g_auto(Head) head = { 0 };
	gboolean there = FALSE;
	if (!read_head(source, trust, &head, NULL, error))
		return NULL;
	if (faccessat(store->fd, head.image->digest, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		there = TRUE;
	else if (!import_new(store, source, &head, &there, error)) {
		g_prefix_error(error, "image '%s': ", head.image->name);
		return NULL;
	}
	if (there) {
		g_autoptr(IscImage) stored = isc_image_store_verify(
				store, head.image->digest, trust, NULL, error);
		if (!stored) {
			g_prefix_error(error,
					"it was imported before, but is damaged: remove it and "
					"import it again: ");
			return NULL;
		}
	}
	if (was_there)
		*was_there = there;
	return g_steal_pointer(&head.image);
}

static gboolean check_part(const IscImageSource *source, const IscImagePart *part, GError **error)
{
	isc_autofd int fd = source->open(source->data, part->file, error);
	return fd >= 0 && isc_part_check(fd, part, error) && isc_part_stream(fd, -1, part, error);
}

IscImage *isc_image_store_check_from(IscImageStore *store, const IscImageSource *source,
		const IscTrust *trust, gboolean *was_there, GError **error)
{
	g_auto(Head) head = { 0 };
	if (!read_head(source, trust, &head, NULL, error))
		return NULL;
	for (guint i = 0; i < ISC_N_PARTS; i++)
		if (!check_part(source, &head.image->parts[i], error)) {
			g_prefix_error(error, "image '%s': ", head.image->name);
			return NULL;
		}
	if (was_there)
		*was_there = faccessat(store->fd, head.image->digest, F_OK, AT_SYMLINK_NOFOLLOW) ==
			     0;
	return g_steal_pointer(&head.image);
}

IscImage *isc_image_store_import(IscImageStore *store, const gchar *path, const IscTrust *trust,
		gboolean *was_there, GError **error)
{
	isc_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "no image folder '%s'", path);
		return NULL;
	}
	if (fd < 0) {
		isc_error_set_errno(error, errno, "cannot open '%s'", path);
		return NULL;
	}
	const IscImageSource source = { isc_part_open_at, GINT_TO_POINTER(fd) };
	IscImage *image = isc_image_store_import_from(store, &source, trust, was_there, error);
	if (!image)
		g_prefix_error(error, "importing '%s': ", path);
	return image;
}

/* --- look-up ------------------------------------------------------------------------ */

static gboolean is_immutable(IscImageStore *store, const gchar *digest)
{
	g_autofree gchar *path = g_build_filename(store->folder, digest, ISC_IMAGE_MANIFEST, NULL);
	struct statx stx;
	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0, &stx) == 0 &&
	       (stx.stx_attributes & STATX_ATTR_IMMUTABLE);
}

static IscStoredImage *load_stored(IscImageStore *store, const gchar *digest)
{
	IscStoredImage *stored = g_new0(IscStoredImage, 1);
	g_strlcpy(stored->digest, digest, sizeof stored->digest);
	g_autoptr(GError) error = NULL;
	g_auto(Head) head = { 0 };
	isc_autofd int fd =
			openat(store->fd, digest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		stored->problem = g_strdup_printf("cannot open its folder: %s", g_strerror(errno));
		return stored;
	}
	stored->imported = st.st_mtim.tv_sec;
	stored->immutable = is_immutable(store, digest);
	const IscImageSource source = { isc_part_open_at, GINT_TO_POINTER(fd) };
	if (!read_head(&source, NULL, &head, NULL, &error))
		stored->problem = g_strdup(error->message);
	else if (!g_str_equal(head.image->digest, digest))
		stored->problem = g_strdup("its manifest was changed: the digest differs");
	else
		stored->image = g_steal_pointer(&head.image);
	return stored;
}

static gint compare_stored(gconstpointer a, gconstpointer b)
{
	const IscStoredImage *x = *(const IscStoredImage *const *)a,
			     *y = *(const IscStoredImage *const *)b;
	if (!x->image || !y->image)
		return x->image ? -1 : y->image ? 1 : strcmp(x->digest, y->digest);
	gint by_name = strcmp(x->image->name, y->image->name);
	if (by_name != 0)
		return by_name;
	if (x->image->created != y->image->created)
		return x->image->created > y->image->created ? -1 : 1;
	if (x->imported != y->imported)
		return x->imported > y->imported ? -1 : 1;
	return strcmp(x->digest, y->digest);
}

GPtrArray *isc_image_store_list(IscImageStore *store, GError **error)
{
	g_autoptr(GPtrArray) names = names_in(store->fd, error);
	if (!names) {
		g_prefix_error(error, "image store '%s': ", store->folder);
		return NULL;
	}
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)isc_stored_image_free);
	for (guint i = 0; i < names->len; i++)
		if (isc_digest_is_valid(g_ptr_array_index(names, i)))
			g_ptr_array_add(list, load_stored(store, g_ptr_array_index(names, i)));
	g_ptr_array_sort(list, compare_stored);
	return list;
}

typedef struct {
	gchar *name, *version; /* or NULL */
	gchar *prefix;         /* of a digest, or NULL */
} Ref;

static void ref_clear(Ref *ref)
{
	g_free(ref->name);
	g_free(ref->version);
	g_free(ref->prefix);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Ref, ref_clear)

static gboolean is_prefix(const gchar *text)
{
	gsize n = strlen(text);
	return n >= PREFIX_MIN && n <= ISC_DIGEST_LEN && strspn(text, "0123456789abcdef") == n;
}

/* "abcdefabcdef" is both a name and a prefix: both are set then, and the name is tried first. */
static gboolean parse_ref(const gchar *text, Ref *ref, GError **error)
{
	const gchar *colon = strchr(text, ':');
	if (g_str_has_prefix(text, "sha256:")) {
		if (is_prefix(text + 7))
			ref->prefix = g_strdup(text + 7);
	} else if (colon) {
		g_autofree gchar *name = g_strndup(text, (gsize)(colon - text));
		if (isc_name_is_valid(name) && isc_version_is_valid(colon + 1)) {
			ref->name = g_steal_pointer(&name);
			ref->version = g_strdup(colon + 1);
		}
	} else {
		ref->name = isc_name_is_valid(text) ? g_strdup(text) : NULL;
		ref->prefix = is_prefix(text) ? g_strdup(text) : NULL;
	}
	if (ref->name || ref->prefix)
		return TRUE;
	g_autofree gchar *shown = isc_text_escape(text, -1, 80);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' names no image: use NAME, NAME:VERSION, sha256:DIGEST or at least %d "
			"digits of a "
			"digest",
			shown, PREFIX_MIN);
	return FALSE;
}

IscImage *isc_image_store_find(IscImageStore *store, const gchar *text, GError **error)
{
	g_auto(Ref) ref = { 0 };
	if (!parse_ref(text, &ref, error))
		return NULL;
	g_autoptr(GPtrArray) list = isc_image_store_list(store, error);
	if (!list)
		return NULL;
	for (guint i = 0; i < list->len && ref.name; i++) { /* the newest of a name comes first */
		IscStoredImage *stored = g_ptr_array_index(list, i);
		if (stored->image && g_str_equal(stored->image->name, ref.name) &&
				(!ref.version || g_str_equal(stored->image->version, ref.version)))
			return g_steal_pointer(&stored->image);
	}

	IscStoredImage *found = NULL;
	for (guint i = 0; i < list->len && ref.prefix; i++) {
		IscStoredImage *stored = g_ptr_array_index(list, i);
		if (!g_str_has_prefix(stored->digest, ref.prefix))
			continue;
		if (found) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"'%s' fits more than one image: give more digits", text);
			return NULL;
		}
		found = stored;
	}
	if (found && found->image)
		return g_steal_pointer(&found->image);
	if (found)
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "image %s is damaged: %s",
				found->digest, found->problem);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no image '%s' in this dock: 'isc-vm image list' shows all", text);
	return NULL;
}

/* --- verify and remove -------------------------------------------------------------- */

static gboolean verify_folder(int fd, const gchar *digest, const IscTrust *trust, Head *head,
		gchar **signer, GError **error)
{
	const IscImageSource source = { isc_part_open_at, GINT_TO_POINTER(fd) };
	if (!read_head(&source, trust, head, signer, error))
		return FALSE;
	if (!g_str_equal(head->image->digest, digest)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "the manifest is that of image %s",
				head->image->digest);
		return FALSE;
	}
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		isc_autofd int part = isc_part_open(fd, &head->image->parts[i], error);
		if (part < 0 || !isc_part_stream(part, -1, &head->image->parts[i], error))
			return FALSE;
	}
	return TRUE;
}

IscImage *isc_image_store_verify(IscImageStore *store, const gchar *digest, const IscTrust *trust,
		gchar **signer, GError **error)
{
	if (!isc_digest_is_valid(digest)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "no image digest");
		return NULL;
	}
	isc_autofd int fd =
			openat(store->fd, digest, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "no image %s in this dock",
				digest);
		return NULL;
	}
	if (fd < 0) {
		isc_error_set_errno(error, errno, "cannot open image %s", digest);
		return NULL;
	}
	g_auto(Head) head = { 0 };
	g_autofree gchar *key_id = NULL;
	if (!verify_folder(fd, digest, trust, &head, &key_id, error)) {
		/* Here a missing or odd file is tampering, not a wrong request. */
		if (error && *error && (*error)->domain == ISC_ERROR &&
				((*error)->code == ISC_ERROR_NOT_FOUND ||
						(*error)->code == ISC_ERROR_INVALID))
			(*error)->code = ISC_ERROR_VERIFY;
		g_prefix_error(error, "image %s does not verify: ", digest);
		return NULL;
	}
	if (signer)
		*signer = g_steal_pointer(&key_id);
	return g_steal_pointer(&head.image);
}

gboolean isc_image_store_remove(IscImageStore *store, const gchar *digest, GError **error)
{
	if (!isc_digest_is_valid(digest)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "no image digest");
		return FALSE;
	}
	/* Renamed first, so that nobody finds half an image; a crash leaves it to the next start.
	 */
	g_autofree gchar *name = temporary_name(REMOVING);
	if (renameat2(store->fd, digest, store->fd, name, RENAME_NOREPLACE) < 0)
		return errno == ENOENT ||
		       isc_error_set_errno(error, errno, "cannot remove image %s", digest);
	if (remove_folder(store, name, error) && fsync(store->fd) == 0)
		return TRUE;
	if (error && !*error)
		isc_error_set_errno(error, errno, "cannot sync '%s'", store->folder);
	g_prefix_error(error, "image %s: ", digest);
	return FALSE;
}
