/* R7.4, T20: keys of publishers. */
#include "cm.h"

#include <glib/gstdio.h>
#include <unistd.h>

#include "base/file.h"
#include "store/trust.h"

static gchar *dir;

static gchar *path(const gchar *name)
{
	return g_build_filename(dir, name, NULL);
}

static int setup(void **state)
{
	(void)state;
	dir = g_dir_make_tmp("isc-trust-XXXXXX", NULL);
	g_autofree gchar *folder = path("trusted.d");
	g_autofree gchar *secret = path("a.key"), *public = path("trusted.d/a.pub");
	g_autofree gchar *secret2 = path("b.key"), *public2 = path("trusted.d/b.pub");
	return isc_file_mkdir(folder, 0755, NULL) && isc_minisign_keygen(secret, public, NULL) &&
					       isc_minisign_keygen(secret2, public2, NULL)
			       ? 0
			       : -1;
}

static int teardown(void **state)
{
	(void)state;
	gboolean ok = isc_file_remove_tree(dir, NULL);
	g_free(dir);
	return ok ? 0 : -1;
}

static void every_pub_file_of_the_folder_is_trusted(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *folder = path("trusted.d"), *readme = path("trusted.d/README"),
			 *secret = path("b.key");
	assert_true(g_file_set_contents(readme, "no key", -1, NULL));
	g_autoptr(IscTrust) trust = isc_trust_load(folder, &error);
	assert_no_error(error);
	assert_int_equal(trust->n, 2);
	assert_string_equal(trust->files[0], "a.pub");
	assert_string_equal(trust->files[1], "b.pub");

	g_autofree gchar *sig = isc_minisign_sign(secret, "m", 1, "c", &error);
	g_autofree gchar *signer = NULL;
	g_autofree gchar *id = isc_public_key_id(&trust->keys[1]);
	assert_true(isc_trust_verify(trust, "m", 1, sig, strlen(sig), &signer, &error));
	assert_string_equal(signer, id);
	assert_int_equal(unlink(readme), 0);
}

static void without_keys_nothing_verifies_and_the_error_says_where_to_put_one(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *none = path("none"), *secret = path("a.key");
	g_autoptr(IscTrust) trust = isc_trust_load(none, &error);
	assert_no_error(error);
	assert_int_equal(trust->n, 0);
	g_autofree gchar *sig = isc_minisign_sign(secret, "m", 1, "c", &error);
	assert_false(isc_trust_verify(trust, "m", 1, sig, strlen(sig), NULL, &error));
	assert_non_null(strstr(error->message, none));
	assert_error(error, ISC_ERROR_VERIFY, "not trusted");
}

static void keys_that_others_can_write_are_refused(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *folder = path("trusted.d"), *file = path("trusted.d/b.pub"),
			 *link = path("trusted.d/c.pub"), *junk = path("trusted.d/d.pub");
	static const int modes[] = { 0664, 0646, 0666 };
	for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
		assert_int_equal(g_chmod(file, modes[i]), 0);
		assert_null(isc_trust_load(folder, &error));
		assert_error(error, ISC_ERROR_VERIFY, "b.pub");
	}
	assert_int_equal(g_chmod(file, 0644), 0);
	assert_int_equal(g_chmod(folder, 0775), 0);
	assert_null(isc_trust_load(folder, &error));
	assert_error(error, ISC_ERROR_VERIFY, "trusted.d' may be written");
	assert_int_equal(g_chmod(folder, 0755), 0);

	assert_int_equal(symlink("b.pub", link), 0);
	assert_null(isc_trust_load(folder, &error));
	assert_error(error, ISC_ERROR_FAILED, "c.pub");
	assert_int_equal(unlink(link), 0);
	assert_true(g_file_set_contents(junk, "no key at all", -1, NULL));
	assert_int_equal(g_chmod(junk, 0644), 0);
	assert_null(isc_trust_load(folder, &error));
	assert_error(error, ISC_ERROR_INVALID, "d.pub");
	assert_int_equal(unlink(junk), 0);
	g_autoptr(IscTrust) trust = isc_trust_load(folder, &error);
	assert_non_null(trust);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pub_file_of_the_folder_is_trusted),
		cmocka_unit_test(without_keys_nothing_verifies_and_the_error_says_where_to_put_one),
		cmocka_unit_test(keys_that_others_can_write_are_refused),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
