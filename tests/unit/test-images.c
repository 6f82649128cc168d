/* R2.4, F24: the store of images. */
#include "cm.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/images.h"

static const gchar *const files[ISC_N_PARTS] = { "vmlinuz", "initrd", "root.squashfs",
	"sbom.json" };

typedef struct {
	gchar *dir, *store_path, *source, *secret, *trusted;
	IscTrust *trust;
	IscImageStore *store;
} Fixture;

static gchar *in(const Fixture *f, const gchar *name)
{
	return g_build_filename(f->dir, name, NULL);
}

static gchar *sha256_of(const gchar *bytes, gsize len)
{
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bytes, len);
}

static void sign(const gchar *folder, const gchar *secret)
{
	g_autofree gchar *manifest = g_build_filename(folder, ISC_IMAGE_MANIFEST, NULL);
	g_autofree gchar *signature = g_build_filename(folder, ISC_IMAGE_SIGNATURE, NULL);
	gsize len;
	g_autofree gchar *text = isc_file_read(AT_FDCWD, manifest, 1 << 20, &len, NULL);
	g_autofree gchar *sig = isc_minisign_sign(secret, text, len, "image", NULL);
	assert_non_null(sig);
	assert_true(g_file_set_contents(signature, sig, -1, NULL));
}

/* A signed image folder with parts of a few bytes that depend on @salt. */
static void make_image(const gchar *folder, const gchar *name, const gchar *version, gint64 created,
		guint salt, const gchar *secret)
{
	g_autoptr(IscImage) image = isc_image_new();
	image->name = g_strdup(name);
	image->version = g_strdup(version);
	image->description = g_strdup("");
	image->suite = g_strdup("bookworm");
	image->architecture = g_strdup("amd64");
	image->kernel_version = g_strdup("6.1.0");
	image->root_type = g_strdup("squashfs");
	image->created = created;
	image->exec = g_strsplit("/bin/x", ",", -1);
	image->user = g_strdup("x");
	image->profile = g_strdup("strict");
	g_mkdir_with_parents(folder, 0755);
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		g_autofree gchar *path = g_build_filename(folder, files[i], NULL);
		g_autofree gchar *text = g_strnfill(3000, 'a' + (gchar)i);
		g_autofree gchar *bytes = g_strdup_printf("%u-%s", salt, text);
		g_autofree gchar *sum = sha256_of(bytes, strlen(bytes));
		assert_true(g_file_set_contents(path, bytes, -1, NULL));
		image->parts[i].file = g_strdup(files[i]);
		image->parts[i].size = strlen(bytes);
		g_strlcpy(image->parts[i].sha256, sum, 65);
	}
	g_autofree gchar *manifest = isc_image_print(image);
	g_autofree gchar *path = g_build_filename(folder, ISC_IMAGE_MANIFEST, NULL);
	assert_true(g_file_set_contents(path, manifest, -1, NULL));
	sign(folder, secret);
}

static int setup(void **state)
{
	g_autoptr(GError) error = NULL;
	Fixture *f = g_new0(Fixture, 1);
	f->dir = g_dir_make_tmp("isc-images-XXXXXX", NULL);
	f->store_path = in(f, "images");
	f->source = in(f, "source");
	f->secret = in(f, "a.key");
	f->trusted = in(f, "trusted.d");
	g_autofree gchar *public = in(f, "trusted.d/a.pub");
	assert_true(isc_file_mkdir(f->trusted, 0755, &error));
	assert_true(isc_minisign_keygen(f->secret, public, &error));
	f->trust = isc_trust_load(f->trusted, &error);
	f->store = isc_image_store_open(f->store_path, (uid_t)-1, (gid_t)-1, &error);
	assert_no_error(error);
	make_image(f->source, "web", "1.0", 1000, 1, f->secret);
	*state = f;
	return 0;
}

static void empty_store(Fixture *f)
{
	g_autoptr(GPtrArray) list = isc_image_store_list(f->store, NULL);
	for (guint i = 0; i < list->len; i++)
		assert_true(isc_image_store_remove(f->store,
				((IscStoredImage *)g_ptr_array_index(list, i))->digest, NULL));
}

static int teardown(void **state)
{
	Fixture *f = *state;
	empty_store(f);
	isc_image_store_free(f->store);
	isc_trust_free(f->trust);
	gboolean ok = isc_file_remove_tree(f->dir, NULL);
	g_free(f->dir);
	g_free(f->store_path);
	g_free(f->source);
	g_free(f->secret);
	g_free(f->trusted);
	g_free(f);
	return ok ? 0 : -1;
}

static guint count_entries(const gchar *folder)
{
	guint n = 0;
	g_autoptr(GDir) d = g_dir_open(folder, 0, NULL);
	while (g_dir_read_name(d))
		n++;
	return n;
}

static IscImage *import(Fixture *f, const gchar *folder)
{
	g_autoptr(GError) error = NULL;
	IscImage *image = isc_image_store_import(f->store, folder, f->trust, NULL, &error);
	assert_no_error(error);
	return image;
}

static void a_check_is_as_strict_as_an_import_and_stores_nothing(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	gboolean there = TRUE;
	isc_autofd int fd = open(f->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const IscImageSource source = { isc_part_open_at, GINT_TO_POINTER(fd) };
	g_autoptr(IscImage) image =
			isc_image_store_check_from(f->store, &source, f->trust, &there, &error);
	assert_no_error(error);
	assert_string_equal(image->name, "web");
	assert_false(there);
	assert_int_equal(count_entries(f->store_path), 0);

	g_autofree gchar *part = g_build_filename(f->source, files[0], NULL);
	g_autofree gchar *bytes = NULL;
	gsize len;
	assert_true(g_file_get_contents(part, &bytes, &len, NULL));
	bytes[0] ^= 1;
	assert_true(g_file_set_contents(part, bytes, (gssize)len, NULL));
	assert_null(isc_image_store_check_from(f->store, &source, f->trust, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, files[0]);
	bytes[0] ^= 1;
	assert_true(g_file_set_contents(part, bytes, (gssize)len, NULL));
}

static void an_image_is_stored_by_digest_read_only_and_once(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	gboolean there = TRUE;
	g_autoptr(IscImage) image =
			isc_image_store_import(f->store, f->source, f->trust, &there, &error);
	assert_no_error(error);
	assert_false(there);

	for (guint i = 0; i < ISC_N_PARTS; i++) {
		g_autofree gchar *path = isc_image_store_part_path(f->store, image, i);
		g_autofree gchar *want =
				g_build_filename(f->store_path, image->digest, files[i], NULL);
		assert_string_equal(path, want);
		struct stat st;
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0444);
	}
	assert_int_equal(count_entries(f->store_path), 1);
	g_autofree gchar *signer = NULL;
	g_autoptr(IscImage) verified =
			isc_image_store_verify(f->store, image->digest, f->trust, &signer, &error);
	assert_string_equal(verified->name, "web");
	g_autofree gchar *id = isc_public_key_id(&f->trust->keys[0]);
	assert_string_equal(signer, id);

	g_autoptr(IscImage) again =
			isc_image_store_import(f->store, f->source, f->trust, &there, &error);
	assert_true(there);
	assert_string_equal(again->digest, image->digest);
	assert_int_equal(count_entries(f->store_path), 1);

	assert_true(isc_image_store_remove(f->store, image->digest, &error));
	assert_true(isc_image_store_remove(
			f->store, image->digest, &error)); /* a missing one is no error */
	assert_int_equal(count_entries(f->store_path), 0);
}

static void import_takes_an_open_folder_too(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	isc_autofd int fd = open(f->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const IscImageSource source = { isc_part_open_at, GINT_TO_POINTER(fd) };
	g_autoptr(IscImage) image =
			isc_image_store_import_from(f->store, &source, f->trust, NULL, &error);
	assert_no_error(error);
	assert_true(isc_image_store_remove(f->store, image->digest, &error));

	GError *none = NULL;
	assert_null(isc_image_store_import(f->store, "/nonexistent", f->trust, NULL, &none));
	assert_error(none, ISC_ERROR_NOT_FOUND, "/nonexistent");
}

/* T20: each changed byte of what is signed or hashed is found, and nothing of it stays in the
 * store. */
static void any_changed_byte_is_refused_and_leaves_nothing(void **state)
{
	Fixture *f = *state;
	g_autofree gchar *folder = in(f, "bitflip");
	make_image(folder, "web", "1.0", 1000, 1, f->secret);
	static const gchar *const all[] = { ISC_IMAGE_MANIFEST, ISC_IMAGE_SIGNATURE, "vmlinuz",
		"initrd", "root.squashfs", "sbom.json" };
	for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autofree gchar *path = g_build_filename(folder, all[i], NULL);
		gsize len;
		g_autofree gchar *good = isc_file_read(AT_FDCWD, path, 1 << 20, &len, NULL);
		gsize start = i == 1 ? (gsize)(strchr(good, '\n') - good) + 1
				     : 0; /* untrusted comment */
		for (gsize at = start; at + 1 < len; at += 1 + len / 12) {
			GError *error = NULL;
			g_autofree gchar *wrong = g_memdup2(good, len);
			wrong[at] ^= 1;
			assert_true(g_file_set_contents(path, wrong, (gssize)len, NULL));
			assert_null(isc_image_store_import(
					f->store, folder, f->trust, NULL, &error));
			assert_error(error, ISC_ERROR_VERIFY, i < 2 ? "bitflip" : all[i]);
			assert_int_equal(count_entries(f->store_path), 0);
		}
		assert_true(g_file_set_contents(path, good, (gssize)len, NULL));
	}
	g_autoptr(IscImage) image = import(f, folder);
	assert_true(isc_image_store_remove(f->store, image->digest, NULL));
}

static void cut_grown_and_missing_parts_are_refused(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *folder = in(f, "cut"), *root = in(f, "cut/root.squashfs"),
			 *sig = in(f, "cut/" ISC_IMAGE_SIGNATURE);
	make_image(folder, "web", "1.0", 1000, 1, f->secret);
	assert_int_equal(truncate(root, 100), 0);
	assert_null(isc_image_store_import(f->store, folder, f->trust, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, "'root.squashfs' has 100 bytes");
	assert_int_equal(truncate(root, 4000), 0);
	assert_null(isc_image_store_import(f->store, folder, f->trust, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, "'root.squashfs' has 4000 bytes");
	assert_int_equal(unlink(root), 0);
	assert_null(isc_image_store_import(f->store, folder, f->trust, NULL, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "'root.squashfs' is missing");
	assert_int_equal(unlink(sig), 0);
	assert_null(isc_image_store_import(f->store, folder, f->trust, NULL, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, ISC_IMAGE_SIGNATURE);
	assert_int_equal(count_entries(f->store_path), 0);
}

static void links_folders_and_fifos_are_no_parts(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	static const gchar *const all[] = { ISC_IMAGE_MANIFEST, ISC_IMAGE_SIGNATURE, "initrd" };
	for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
		g_autofree gchar *folder = in(f, "links");
		g_autofree gchar *path = g_build_filename(folder, all[i], NULL),
				 *aside = in(f, "aside");
		make_image(folder, "web", "1.0", 1000, 1, f->secret);
		assert_int_equal(g_rename(path, aside), 0);
		assert_int_equal(symlink(aside, path), 0); /* the right bytes, but behind a link */
		assert_null(isc_image_store_import(f->store, folder, f->trust, NULL, &error));
		assert_error(error, ISC_ERROR_INVALID, all[i]);
		assert_int_equal(unlink(path) + mkfifo(path, 0600), 0);
		assert_null(isc_image_store_import(f->store, folder, f->trust, NULL, &error));
		assert_error(error, ISC_ERROR_INVALID, all[i]);
		assert_int_equal(unlink(path) + g_mkdir(path, 0700), 0);
		assert_null(isc_image_store_import(f->store, folder, f->trust, NULL, &error));
		assert_error(error, ISC_ERROR_INVALID, all[i]);
		assert_true(isc_file_remove_tree(folder, NULL));
	}
	assert_int_equal(count_entries(f->store_path), 0);
}

static void a_strangers_image_names_his_key_and_what_to_do(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *secret = in(f, "b.key"), *public = in(f, "b.pub"),
			 *folder = in(f, "stranger");
	assert_true(isc_minisign_keygen(secret, public, NULL));
	make_image(folder, "web", "1.0", 1000, 1, secret);
	g_autofree gchar *text = isc_file_read(AT_FDCWD, public, 4096, NULL, NULL);
	IscPublicKey key;
	assert_true(isc_public_key_parse(text, strlen(text), &key, NULL));
	g_autofree gchar *id = isc_public_key_id(&key);
	assert_null(isc_image_store_import(f->store, folder, f->trust, NULL, &error));
	assert_non_null(strstr(error->message, f->trusted));
	assert_non_null(strstr(error->message, "add the .pub file"));
	assert_error(error, ISC_ERROR_VERIFY, id);

	/* A stored image stops verifying when its publisher is no longer trusted. */
	g_autoptr(IscImage) image = import(f, f->source);
	g_autofree gchar *nobody = in(f, "nobody");
	g_autoptr(IscTrust) none = isc_trust_load(nobody, NULL);
	assert_null(isc_image_store_verify(f->store, image->digest, none, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, "not trusted");
	assert_true(isc_image_store_remove(f->store, image->digest, NULL));
}

/* Opens a stored file for damage: takes off what protects it. */
static void unprotect(const gchar *path)
{
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(isc_file_set_immutable(fd, FALSE, NULL, NULL));
	assert_int_equal(g_chmod(path, 0600), 0);
}

static void damage_in_the_store_is_found_by_verify(void **state)
{
	Fixture *f = *state;
	static const gchar *const all[] = { ISC_IMAGE_MANIFEST, ISC_IMAGE_SIGNATURE, "vmlinuz",
		"initrd", "root.squashfs", "sbom.json" };
	for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
		GError *error = NULL;
		g_autoptr(IscImage) image = import(f, f->source);
		g_autofree gchar *path =
				g_build_filename(f->store_path, image->digest, all[i], NULL);
		unprotect(path);
		isc_autofd int fd = open(path, O_RDWR | O_CLOEXEC);
		gchar byte;
		assert_int_equal(pread(fd, &byte, 1, 150), 1);
		byte ^= 1;
		assert_int_equal(pwrite(fd, &byte, 1, 150), 1);
		assert_null(isc_image_store_verify(
				f->store, image->digest, f->trust, NULL, &error));
		assert_error(error, ISC_ERROR_VERIFY, image->digest);
		assert_null(isc_image_store_import(f->store, f->source, f->trust, NULL, &error));
		assert_error(error, ISC_ERROR_VERIFY, "remove it and import it again");
		assert_int_equal(unlink(path), 0);
		assert_null(isc_image_store_verify(
				f->store, image->digest, f->trust, NULL, &error));
		assert_error(error, ISC_ERROR_VERIFY, all[i]);
		assert_true(isc_image_store_remove(f->store, image->digest, NULL));
	}
	GError *error = NULL;
	g_autofree gchar *none = g_strnfill(64, 'a');
	assert_null(isc_image_store_verify(f->store, none, f->trust, NULL, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, none);
	assert_null(isc_image_store_verify(f->store, "../source", f->trust, NULL, &error));
	assert_error(error, ISC_ERROR_INVALID, "digest");
	assert_false(isc_image_store_remove(f->store, "../source", &error));
	assert_error(error, ISC_ERROR_INVALID, "digest");
}

/* One image under another's digest: signed, whole, but not what was asked for. */
static void one_image_cannot_stand_in_for_another(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *other = in(f, "other");
	make_image(other, "web", "0.9", 900, 9, f->secret);
	g_autoptr(IscImage) a = import(f, f->source);
	g_autoptr(IscImage) b = import(f, other);
	g_autofree gchar *path_a = g_build_filename(f->store_path, a->digest, NULL);
	g_autofree gchar *path_b = g_build_filename(f->store_path, b->digest, NULL);
	assert_true(isc_image_store_remove(f->store, a->digest, NULL));
	assert_int_equal(g_rename(path_b, path_a), 0);
	assert_null(isc_image_store_verify(f->store, a->digest, f->trust, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, b->digest);
	g_autoptr(GPtrArray) list = isc_image_store_list(f->store, NULL);
	IscStoredImage *stored = g_ptr_array_index(list, 0);
	assert_null(stored->image);
	assert_non_null(stored->problem);
	assert_true(isc_image_store_remove(f->store, a->digest, NULL));
}

static void names_find_the_newest_and_prefixes_must_be_unique(void **state)
{
	Fixture *f = *state;
	static const struct {
		const gchar *name, *version;
		gint64 created;
	} made[] = { { "web", "1.0", 1000 }, { "web", "1.1", 2000 }, { "web", "1.0", 1500 },
		{ "db", "7", 10 } };
	gchar digests[4][65];
	for (guint i = 0; i < 4; i++) {
		g_autofree gchar *name = g_strdup_printf("find-%u", i), *folder = in(f, name);
		make_image(folder, made[i].name, made[i].version, made[i].created, i, f->secret);
		g_autoptr(IscImage) image = import(f, folder);
		g_strlcpy(digests[i], image->digest, 65);
	}
	g_autofree gchar *full = g_strconcat("sha256:", digests[0], NULL);
	g_autofree gchar *part = g_strdup_printf("sha256:%.12s", digests[0]);
	g_autofree gchar *bare = g_strndup(digests[3], 12);
	const struct {
		const gchar *ref;
		guint which;
	} found[] = { { "web", 1 }, { "web:1.0", 2 }, { "web:1.1", 1 }, { "db", 3 }, { full, 0 },
		{ part, 0 }, { bare, 3 }, { digests[2], 2 } };
	for (gsize i = 0; i < G_N_ELEMENTS(found); i++) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscImage) image = isc_image_store_find(f->store, found[i].ref, &error);
		assert_no_error(error);
		assert_string_equal(image->digest, digests[found[i].which]);
	}
	static const struct {
		const gchar *ref;
		IscError code;
	} lost[] = { { "nginx", ISC_ERROR_NOT_FOUND }, { "web:2", ISC_ERROR_NOT_FOUND },
		{ "sha256:aaaaaaaaaaaa", ISC_ERROR_NOT_FOUND },
		{ "sha256:aaaa", ISC_ERROR_INVALID }, { "../web", ISC_ERROR_INVALID },
		{ "", ISC_ERROR_INVALID }, { "web:", ISC_ERROR_INVALID },
		{ "01234", ISC_ERROR_INVALID }, { "sha256:../../../../", ISC_ERROR_INVALID } };
	for (gsize i = 0; i < G_N_ELEMENTS(lost); i++) {
		GError *error = NULL;
		assert_null(isc_image_store_find(f->store, lost[i].ref, &error));
		assert_error(error, lost[i].code, "");
	}

	/* A folder whose name shares the prefix makes it ambiguous, even if it is broken. */
	g_autofree gchar *twin = g_strdup(digests[3]);
	twin[63] = twin[63] == '0' ? '1' : '0';
	g_autofree gchar *twin_path = g_build_filename(f->store_path, twin, NULL);
	assert_int_equal(g_mkdir(twin_path, 0700), 0);
	GError *error = NULL;
	assert_null(isc_image_store_find(f->store, bare, &error));
	assert_error(error, ISC_ERROR_INVALID, "more than one");

	g_autoptr(GPtrArray) list = isc_image_store_list(f->store, NULL);
	assert_int_equal(list->len, 5);
	static const guint order[] = { 3, 1, 2, 0 };
	for (guint i = 0; i < 4; i++)
		assert_string_equal(((IscStoredImage *)g_ptr_array_index(list, i))->digest,
				digests[order[i]]);
	assert_null(((IscStoredImage *)g_ptr_array_index(list, 4))->image);
	empty_store(f);
}

static void leftovers_of_a_crash_go_at_the_next_start(void **state)
{
	Fixture *f = *state;
	g_autofree gchar *import_path = g_build_filename(f->store_path, ".import-0123", NULL);
	g_autofree gchar *remove_path = g_build_filename(f->store_path, ".remove-0123", NULL);
	g_autofree gchar *file = g_build_filename(remove_path, "root", NULL);
	g_autoptr(IscImage) image = import(f, f->source);
	assert_int_equal(g_mkdir(import_path, 0700) + g_mkdir(remove_path, 0700), 0);
	assert_true(g_file_set_contents(file, "x", 1, NULL));
	g_autoptr(GError) error = NULL;
	g_autoptr(IscImageStore) store =
			isc_image_store_open(f->store_path, (uid_t)-1, (gid_t)-1, &error);
	assert_no_error(error);
	assert_int_equal(count_entries(f->store_path), 1);
	g_autoptr(IscImage) still =
			isc_image_store_verify(store, image->digest, f->trust, NULL, &error);
	assert_non_null(still);
	assert_true(isc_image_store_remove(store, image->digest, NULL));
}

typedef struct {
	const gchar *folder, *good, *evil;
	gsize len;
	gint stop;
} Attacker;

/* Swaps the root file for another of the same size: by rename, and by writing over it. */
static gpointer attack(gpointer data)
{
	Attacker *a = data;
	g_autofree gchar *root = g_build_filename(a->folder, "root.squashfs", NULL);
	g_autofree gchar *next = g_build_filename(a->folder, "next", NULL);
	for (guint i = 0; !g_atomic_int_get(&a->stop); i++) {
		const gchar *bytes = i & 1 ? a->good : a->evil;
		isc_autofd int fd = open(i & 2 ? root : next, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		for (gsize at = 0; at < a->len;
				at += a->len / 4) /* in pieces, so that reads see mixtures */
			if (pwrite(fd, bytes + at, MIN(a->len / 4, a->len - at), (off_t)at) < 0)
				break;
		if (!(i & 2))
			g_rename(next, root);
	}
	return NULL;
}

/* T21 */
static void whatever_the_source_does_meanwhile_the_store_holds_what_was_signed(void **state)
{
	Fixture *f = *state;
	g_autofree gchar *folder = in(f, "toctou"), *root = in(f, "toctou/root.squashfs");
	make_image(folder, "web", "1.0", 1000, 1, f->secret);
	gsize len;
	g_autofree gchar *good = isc_file_read(AT_FDCWD, root, 1 << 20, &len, NULL);
	g_autofree gchar *evil = g_strnfill(len, 'E');
	Attacker attacker = { folder, good, evil, len, FALSE };
	GThread *thread = g_thread_new("attacker", attack, &attacker);

	guint taken = 0, refused = 0;
	gint64 deadline = g_get_monotonic_time() + 400 * 1000;
	while (g_get_monotonic_time() < deadline && taken + refused < 1000) {
		g_autoptr(GError) error = NULL;
		g_autoptr(IscImage) image =
				isc_image_store_import(f->store, folder, f->trust, NULL, &error);
		if (!image) {
			assert_true(g_error_matches(error, ISC_ERROR, ISC_ERROR_VERIFY));
			assert_int_equal(count_entries(f->store_path), 0);
			refused++;
			continue;
		}
		taken++;
		g_autofree gchar *path = isc_image_store_part_path(f->store, image, ISC_PART_ROOT);
		g_autofree gchar *stored = isc_file_read(AT_FDCWD, path, 1 << 20, NULL, NULL);
		assert_string_equal(stored, good);
		g_autoptr(IscImage) verified = isc_image_store_verify(
				f->store, image->digest, f->trust, NULL, NULL);
		assert_non_null(verified);
		assert_true(isc_image_store_remove(f->store, image->digest, NULL));
	}
	g_atomic_int_set(&attacker.stop, TRUE);
	g_thread_join(thread);
	print_message("# %u imports held, %u were refused\n", taken, refused);
	assert_true(taken + refused > 4);
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_check_is_as_strict_as_an_import_and_stores_nothing),
		cmocka_unit_test(an_image_is_stored_by_digest_read_only_and_once),
		cmocka_unit_test(import_takes_an_open_folder_too),
		cmocka_unit_test(any_changed_byte_is_refused_and_leaves_nothing),
		cmocka_unit_test(cut_grown_and_missing_parts_are_refused),
		cmocka_unit_test(links_folders_and_fifos_are_no_parts),
		cmocka_unit_test(a_strangers_image_names_his_key_and_what_to_do),
		cmocka_unit_test(damage_in_the_store_is_found_by_verify),
		cmocka_unit_test(one_image_cannot_stand_in_for_another),
		cmocka_unit_test(names_find_the_newest_and_prefixes_must_be_unique),
		cmocka_unit_test(leftovers_of_a_crash_go_at_the_next_start),
		cmocka_unit_test(
				whatever_the_source_does_meanwhile_the_store_holds_what_was_signed),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
