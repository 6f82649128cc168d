/* R2.4, T20: signatures that minisign agrees with. */
#include "cm.h"

#include <glib/gstdio.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/minisign.h"

typedef struct {
	gchar *dir, *secret, *public;
	IscPublicKey key;
} Fixture;

static gchar *path(const Fixture *f, const gchar *name)
{
	return g_build_filename(f->dir, name, NULL);
}

static IscPublicKey load_public(const gchar *file)
{
	g_autoptr(GError) error = NULL;
	IscPublicKey key;
	gsize len = 0;
	g_autofree gchar *text = isc_file_read(-100, file, 4096, &len, &error);
	assert_no_error(error);
	assert_true(isc_public_key_parse(text, len, &key, &error));
	return key;
}

static int setup(void **state)
{
	g_autoptr(GError) error = NULL;
	Fixture *f = g_new0(Fixture, 1);
	f->dir = g_dir_make_tmp("isc-minisign-XXXXXX", NULL);
	f->secret = path(f, "a.key");
	f->public = path(f, "a.pub");
	assert_true(isc_minisign_keygen(f->secret, f->public, &error));
	f->key = load_public(f->public);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	assert_true(isc_file_remove_tree(f->dir, NULL));
	g_free(f->dir);
	g_free(f->secret);
	g_free(f->public);
	g_free(f);
	return 0;
}

static gboolean verify(const IscPublicKey *keys, gsize n, const gchar *message, const gchar *sig,
		GError **error)
{
	return isc_minisign_verify(
			keys, n, message, strlen(message), sig, strlen(sig), NULL, NULL, error);
}

static void what_was_signed_verifies_and_names_its_signer(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *sig = isc_minisign_sign(f->secret, "hello", 5, "who: me", &error);
	assert_no_error(error);
	IscPublicKey keys[2] = { { { 0 }, { 0 } }, f->key };
	g_autofree gchar *comment = NULL;
	gsize signer = 9;
	assert_true(isc_minisign_verify(
			keys, 2, "hello", 5, sig, strlen(sig), &comment, &signer, &error));
	assert_string_equal(comment, "who: me");
	assert_int_equal(signer, 1);
	struct stat st;
	assert_int_equal(stat(f->secret, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void every_changed_bit_of_message_or_signature_is_found(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *sig = isc_minisign_sign(f->secret, "hello", 5, "c", &error);
	assert_no_error(error);
	for (gsize i = 0; i < 5 * 8; i++) {
		gchar message[] = "hello";
		message[i / 8] ^= (gchar)(1 << i % 8);
		assert_false(isc_minisign_verify(
				&f->key, 1, message, 5, sig, strlen(sig), NULL, NULL, &error));
		assert_error(error, ISC_ERROR_VERIFY, "changed after");
	}
	gsize untrusted = (gsize)(strchr(sig, '\n') - sig);
	for (gsize i = untrusted + 1; i + 1 < strlen(sig); i++) {
		for (guint bit = 0; bit < 8; bit++) {
			g_autofree gchar *wrong = g_strdup(sig);
			wrong[i] ^= (gchar)(1 << bit);
			if (isc_minisign_verify(&f->key, 1, "hello", 5, wrong, strlen(sig), NULL,
					    NULL, &error))
				fail_msg("bit %u of byte %zu does not count", bit, i);
			assert_error(error, ISC_ERROR_VERIFY, "");
		}
	}
	for (gsize len = 0; len + 1 < strlen(sig); len++) {
		assert_false(isc_minisign_verify(
				&f->key, 1, "hello", 5, sig, len, NULL, NULL, &error));
		assert_error(error, ISC_ERROR_VERIFY, "");
	}
}

static void an_unknown_signer_is_named(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *sig = isc_minisign_sign(f->secret, "hello", 5, "c", &error);
	g_autofree gchar *id = isc_public_key_id(&f->key);
	assert_false(verify(NULL, 0, "hello", sig, &error));
	assert_error(error, ISC_ERROR_VERIFY, id);

	IscPublicKey other = f->key;
	other.key[0] ^= 1; /* same id, other key: an id proves nothing */
	assert_false(verify(&other, 1, "hello", sig, &error));
	assert_error(error, ISC_ERROR_VERIFY, id);
}

static void keys_are_never_overwritten_and_never_taken_from_open_files(void **state)
{
	Fixture *f = *state;
	GError *error = NULL;
	g_autofree gchar *other = path(f, "other.pub");
	assert_false(isc_minisign_keygen(f->secret, other, &error));
	assert_error(error, ISC_ERROR_STATE, "a.key");
	g_autofree gchar *fresh = path(f, "fresh.key");
	assert_false(isc_minisign_keygen(fresh, f->public, &error));
	assert_error(error, ISC_ERROR_STATE, "a.pub");
	assert_false(g_file_test(fresh, G_FILE_TEST_EXISTS));

	assert_int_equal(g_chmod(f->secret, 0640), 0);
	assert_null(isc_minisign_sign(f->secret, "x", 1, "c", &error));
	assert_error(error, ISC_ERROR_INVALID, "0640");
	assert_int_equal(g_chmod(f->secret, 0600), 0);
	assert_null(isc_minisign_sign(f->public, "x", 1, "c", &error));
	assert_error(error, ISC_ERROR_INVALID, "a.pub");
	assert_null(isc_minisign_sign(f->secret, "x", 1, "a\nb", &error));
	assert_error(error, ISC_ERROR_INVALID, "one line");
}

static void only_public_keys_parse_as_such(void **state)
{
	(void)state;
	static const gchar *const wrong[] = { "", "\n", "untrusted comment: x\n",
		"untrusted comment: x\nAAAA\n",
		"RWQWZMUpsH53gEwG2W1FlGrhXv7fF0LwsGMDBGa6cDJLmBGBLSH6Lhg",
		"XWQWZMUpsH53gEwG2W1FlGrhXv7fF0LwsGMDBGa6cDJLmBGBLSH6LhgJ" };
	IscPublicKey key;
	GError *error = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
		assert_false(isc_public_key_parse(wrong[i], strlen(wrong[i]), &key, &error));
		assert_error(error, ISC_ERROR_INVALID, "public key");
	}
	const gchar *bare = "RWQWZMUpsH53gEwG2W1FlGrhXv7fF0LwsGMDBGa6cDJLmBGBLSH6LhgJ";
	assert_true(isc_public_key_parse(bare, strlen(bare), &key, &error));
	g_autofree gchar *id = isc_public_key_id(&key);
	assert_string_equal(id, "80777EB029C56416"); /* as minisign printed it */
}

static gboolean run(const gchar *const *argv)
{
	gint status = -1;
	g_autoptr(GError) error = NULL;
	g_spawn_sync(NULL, (gchar **)argv, NULL,
			G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
					G_SPAWN_STDERR_TO_DEV_NULL,
			NULL, NULL, NULL, NULL, &status, &error);
	assert_no_error(error);
	return status == 0;
}

static void minisign_and_we_understand_each_other(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *tool = g_find_program_in_path("minisign");
	if (!tool)
		skip();
	g_autofree gchar *file = path(f, "m"), *sig_file = path(f, "m.minisig");
	assert_true(g_file_set_contents(file, "some text", -1, NULL));

	g_autofree gchar *ours = isc_minisign_sign(f->secret, "some text", 9, "ours", &error);
	assert_true(g_file_set_contents(sig_file, ours, -1, NULL));
	assert_true(run((const gchar *[]){ tool, "-VHm", file, "-p", f->public, NULL }));
	assert_true(g_file_set_contents(file, "some texT", -1, NULL));
	assert_false(run((const gchar *[]){ tool, "-VHm", file, "-p", f->public, NULL }));

	/* minisign signs with our secret key, and with its own; both verify here. */
	g_autofree gchar *secret = path(f, "b.key"), *public = path(f, "b.pub");
	assert_true(run((const gchar *[]){ tool, "-G", "-W", "-s", secret, "-p", public, NULL }));
	IscPublicKey keys[] = { load_public(public), f->key };
	const gchar *secrets[] = { secret, f->secret };
	for (gsize i = 0; i < 2; i++) {
		assert_true(run((const gchar *[]){
				tool, "-Sm", file, "-s", secrets[i], "-t", "theirs", NULL }));
		g_autofree gchar *theirs = isc_file_read(-100, sig_file, 4096, NULL, &error);
		g_autofree gchar *comment = NULL;
		gsize signer;
		assert_true(isc_minisign_verify(keys, 2, "some texT", 9, theirs, strlen(theirs),
				&comment, &signer, &error));
		assert_int_equal(signer, i);
		assert_string_equal(comment, "theirs");
	}

	GError *legacy = NULL;
	assert_true(run((const gchar *[]){ tool, "-S", "-l", "-m", file, "-s", secret, NULL }));
	g_autofree gchar *old = isc_file_read(-100, sig_file, 4096, NULL, &error);
	assert_false(verify(keys, 2, "some texT", old, &legacy));
	assert_error(legacy, ISC_ERROR_VERIFY, "legacy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_signed_verifies_and_names_its_signer),
		cmocka_unit_test(every_changed_bit_of_message_or_signature_is_found),
		cmocka_unit_test(an_unknown_signer_is_named),
		cmocka_unit_test(keys_are_never_overwritten_and_never_taken_from_open_files),
		cmocka_unit_test(only_public_keys_parse_as_such),
		cmocka_unit_test(minisign_and_we_understand_each_other),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
