/* R2.4, T20, T22: a folder that claims to be an image. */
#include "cm.h"
#include "builder/imagedir.h"

#include <sodium.h>
#include <unistd.h>

#include "base/file.h"

typedef struct {
	gchar *dir, *secret;
	IscPublicKey key;
} Fixture;

static void put(const Fixture *f, const gchar *name, const gchar *text)
{
	g_autofree gchar *path = g_build_filename(f->dir, "image", name, NULL);
	assert_true(g_file_set_contents(path, text, -1, NULL));
}

static gchar *image_dir(const Fixture *f)
{
	return g_build_filename(f->dir, "image", NULL);
}

/* A small image, signed. */
static int setup(void **state)
{
	static const gchar *const files[] = { "vmlinuz", "initrd", "root.erofs", "sbom.json" };
	g_autoptr(GError) error = NULL;
	Fixture *f = g_new0(Fixture, 1);
	f->dir = g_dir_make_tmp("isc-imagedir.XXXXXX", &error);
	assert_no_error(error);
	g_autofree gchar *dir = image_dir(f);
	assert_true(isc_file_mkdir(dir, 0755, &error));
	f->secret = g_build_filename(f->dir, "p.key", NULL);
	gboolean made;
	assert_true(isc_publisher_ensure(f->secret, &made, &error));
	assert_true(made);
	g_autofree gchar *public_path = isc_publisher_public(f->secret);
	g_autofree gchar *text = NULL;
	gsize len;
	assert_true(g_file_get_contents(public_path, &text, &len, NULL));
	assert_true(isc_public_key_parse(text, len, &f->key, &error));

	g_autoptr(IscImage) image = isc_image_new();
	image->name = g_strdup("web");
	image->version = g_strdup("1");
	image->description = g_strdup("");
	image->suite = g_strdup("bookworm");
	image->architecture = g_strdup("amd64");
	image->kernel_version = g_strdup("6.1.0-1-cloud-amd64");
	image->root_type = g_strdup("erofs");
	image->exec = g_strsplit("/x", " ", -1);
	image->user = g_strdup("u");
	image->profile = g_strdup("strict");
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		put(f, files[i], files[i]);
		image->parts[i].file = g_strdup(files[i]);
		assert_true(isc_imagedir_measure(dir, &image->parts[i], &error));
		assert_int_equal(image->parts[i].size, strlen(files[i]));
	}
	g_autofree gchar *manifest = isc_image_print(image);
	put(f, ISC_IMAGE_MANIFEST, manifest);
	assert_true(isc_imagedir_sign(dir, f->secret, &error));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	if (!isc_file_remove_tree(f->dir, NULL))
		return -1;
	g_free(f->dir);
	g_free(f->secret);
	g_free(f);
	return 0;
}

static IscImage *verify(const Fixture *f, GError **error)
{
	g_autofree gchar *dir = image_dir(f);
	g_autofree gchar *signer = NULL;
	return isc_imagedir_verify(dir, &f->key, 1, &signer, error);
}

static void what_was_signed_verifies(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscImage) image = verify(f, &error);
	assert_no_error(error);
	assert_string_equal(image->name, "web");
}

static void a_changed_byte_of_any_file_is_found(void **state)
{
	const Fixture *f = *state;
	static const struct {
		const gchar *file, *text, *says;
	} cases[] = { { "vmlinuz", "Vmlinuz", "SHA-256" }, { "initrd", "initrdx", "bytes" },
		{ "root.erofs", "root.eroft", "root.erofs" }, { "sbom.json", "", "sbom.json" } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		put(f, cases[i].file, cases[i].text);
		assert_null(verify(f, &error));
		assert_error(error, ISC_ERROR_VERIFY, cases[i].says);
		put(f, cases[i].file, cases[i].file);
		g_autoptr(IscImage) image = verify(f, &error);
		assert_no_error(error);
	}
}

static void manifest_and_signature_hold_together(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *dir = image_dir(f);
	g_autofree gchar *path = g_build_filename(dir, ISC_IMAGE_MANIFEST, NULL);
	g_autofree gchar *text = NULL;
	gsize len;
	assert_true(g_file_get_contents(path, &text, &len, NULL));
	text[len - 3] ^= 1;
	put(f, ISC_IMAGE_MANIFEST, text);
	assert_null(verify(f, &error));
	assert_error(error, ISC_ERROR_VERIFY, "minisig");
	text[len - 3] ^= 1;
	put(f, ISC_IMAGE_MANIFEST, text);

	IscPublicKey other = f->key;
	other.id[0] ^= 1;
	g_autofree gchar *signer = NULL;
	assert_null(isc_imagedir_verify(dir, &other, 1, &signer, &error));
	assert_error(error, ISC_ERROR_VERIFY, "");
	assert_null(isc_imagedir_verify(dir, NULL, 0, &signer, &error));
	assert_error(error, ISC_ERROR_VERIFY, "");
}

static void files_that_nobody_signed_are_refused(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	put(f, "extra", "x");
	assert_null(verify(f, &error));
	assert_error(error, ISC_ERROR_VERIFY, "extra");

	g_autofree gchar *extra = g_build_filename(f->dir, "image", "extra", NULL);
	g_autofree gchar *sig = g_build_filename(f->dir, "image", ISC_IMAGE_SIGNATURE, NULL);
	assert_int_equal(unlink(extra), 0);
	assert_int_equal(unlink(sig), 0);
	assert_null(verify(f, &error));
	assert_error(error, ISC_ERROR_VERIFY, "not signed");
}

static void links_are_not_followed(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *root = g_build_filename(f->dir, "image", "root.erofs", NULL);
	g_autofree gchar *away = g_build_filename(f->dir, "elsewhere", NULL);
	assert_true(g_file_set_contents(away, "root.erofs", -1, NULL));
	assert_int_equal(unlink(root), 0);
	assert_int_equal(symlink(away, root), 0);
	assert_null(verify(f, &error));
	assert_error(error, ISC_ERROR_VERIFY, "root.erofs");
}

static void a_publishers_key_is_made_once(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	gboolean made = TRUE;
	assert_true(isc_publisher_ensure(f->secret, &made, &error));
	assert_false(made);
	g_autofree gchar *a = isc_publisher_public("/a/b.key");
	g_autofree gchar *b = isc_publisher_public("/a/b");
	assert_string_equal(a, "/a/b.pub");
	assert_string_equal(b, "/a/b.pub");
}

int main(void)
{
	if (sodium_init() < 0)
		return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_signed_verifies, setup, teardown),
		cmocka_unit_test_setup_teardown(
				a_changed_byte_of_any_file_is_found, setup, teardown),
		cmocka_unit_test_setup_teardown(
				manifest_and_signature_hold_together, setup, teardown),
		cmocka_unit_test_setup_teardown(
				files_that_nobody_signed_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(links_are_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_publishers_key_is_made_once, setup, teardown),
	};
	return cmocka_run_group_tests_name("imagedir", tests, NULL, NULL);
}
