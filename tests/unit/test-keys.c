/* R5.2, R5.3, T28: the key store. */
#include "cm.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/name.h"
#include "store/keys.h"

static gchar *dir;

static int setup(void **state)
{
	(void)state;
	g_autofree gchar *base = g_dir_make_tmp("isc-keys-XXXXXX", NULL);
	dir = g_build_filename(base, "keys", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	g_autofree gchar *base = g_path_get_dirname(dir);
	gboolean ok = isc_file_remove_tree(base, NULL);
	g_free(dir);
	return ok ? 0 : -1;
}

static gchar *path(const gchar *name)
{
	return g_build_filename(dir, name, NULL);
}

static IscKeyStore *open_store(void)
{
	g_autoptr(GError) error = NULL;
	IscKeyStore *store = isc_key_store_open(dir, NULL, &error);
	assert_no_error(error);
	return store;
}

static void random_keys_are_64_hex_digits_and_differ(void **state)
{
	(void)state;
	g_autoptr(IscKey) a = isc_key_new_random();
	g_autoptr(IscKey) b = isc_key_new_random();
	assert_true(isc_digest_is_valid(isc_key_hex(a)));
	assert_string_not_equal(isc_key_hex(a), isc_key_hex(b));
	GError *error = NULL;
	assert_null(isc_key_new_from_hex("00ff-secret", &error));
	assert_null(strstr(error->message, "secret"));
	assert_error(error, ISC_ERROR_INVALID, "64 lower-case");
	g_autoptr(IscKey) c = isc_key_new_from_hex(isc_key_hex(a), &error);
	assert_string_equal(isc_key_hex(c), isc_key_hex(a));
}

static void only_names_joined_by_dots_are_ids(void **state)
{
	(void)state;
	static const gchar *const good[] = { "web", "web.data", "web.snapshot.monday", "a.b.c.d" };
	static const gchar *const bad[] = { NULL, "", ".", "web.", ".web", "web..a", "../x", "a/b",
		"Web", "a.b.c.d.e", "web\n" };
	g_autoptr(IscKeyStore) store = open_store();
	g_autoptr(IscKey) key = isc_key_new_random();
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
		assert_true(isc_key_id_is_valid(good[i]));
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		GError *error = NULL;
		assert_false(isc_key_id_is_valid(bad[i]));
		assert_false(isc_key_store_save(store, bad[i], key, &error));
		assert_error(error, ISC_ERROR_INVALID, "key id");
		assert_null(isc_key_store_load(store, bad[i], &error));
		assert_error(error, ISC_ERROR_INVALID, "key id");
		assert_false(isc_key_store_erase(store, bad[i], &error));
		assert_error(error, ISC_ERROR_INVALID, "key id");
	}
}

static void a_saved_key_survives_a_restart_and_is_nowhere_in_clear(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscKey) key = isc_key_new_random();
	g_autofree gchar *sealed_path = path("web.data.sealed"), *dock_path = path("dock.key");
	{
		g_autoptr(IscKeyStore) store = open_store();
		assert_true(isc_key_store_save(store, "web.data", key, &error));
		assert_true(isc_key_store_save(
				store, "web.data", key, &error)); /* again: no error */
	}
	g_autoptr(IscKeyStore) store = open_store();
	g_autoptr(IscKey) again = isc_key_store_load(store, "web.data", &error);
	assert_no_error(error);
	assert_string_equal(isc_key_hex(again), isc_key_hex(key));

	gsize len;
	g_autofree gchar *sealed = isc_file_read(AT_FDCWD, sealed_path, 4096, &len, &error);
	assert_null(memmem(sealed, len, isc_key_hex(key), 64));
	guint8 raw[32];
	for (gsize i = 0; i < 32; i++)
		raw[i] = (guint8)(g_ascii_xdigit_value(isc_key_hex(key)[2 * i]) << 4 |
				  g_ascii_xdigit_value(isc_key_hex(key)[2 * i + 1]));
	assert_null(memmem(sealed, len, raw, 32));

	struct stat st;
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(dock_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(stat(sealed_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void a_key_is_never_replaced_by_another(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(IscKeyStore) store = open_store();
	g_autoptr(IscKey) a = isc_key_new_random();
	g_autoptr(IscKey) b = isc_key_new_random();
	assert_true(isc_key_store_save(store, "fixed", a, &error));
	assert_false(isc_key_store_save(store, "fixed", b, &error));
	assert_error(error, ISC_ERROR_STATE, "fixed");
	g_autoptr(IscKey) got = isc_key_store_load(store, "fixed", &error);
	assert_string_equal(isc_key_hex(got), isc_key_hex(a));
}

static void an_erased_key_is_overwritten_and_gone(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autoptr(IscKeyStore) store = open_store();
	g_autoptr(IscKey) key = isc_key_new_random();
	g_autofree gchar *file = path("gone.sealed");
	assert_true(isc_key_store_save(store, "gone", key, &error));
	isc_autofd int fd = open(file, O_RDONLY | O_CLOEXEC);
	gchar before[80], after[80];
	assert_int_equal(pread(fd, before, 80, 0), 80);

	assert_true(isc_key_store_erase(store, "gone", &error));
	assert_true(isc_key_store_erase(store, "gone", &error)); /* a missing one is no error */
	assert_null(isc_key_store_load(store, "gone", &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "gone");
	assert_int_equal(pread(fd, after, 80, 0), 80);
	for (gsize i = 0; i + 8 <= 80; i++)
		assert_null(memmem(after, 80, before + i, 8));
	g_autoptr(IscKey) other = isc_key_new_random();
	assert_true(isc_key_store_save(store, "gone", other, &error)); /* the id is free again */
}

static void damage_swaps_and_foreign_dock_keys_are_found(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *one = path("one.sealed"), *two = path("two.sealed"),
			 *dock = path("dock.key");
	g_autoptr(IscKey) key = isc_key_new_random();
	g_autoptr(IscKeyStore) store = open_store();
	assert_true(isc_key_store_save(store, "one", key, &error));
	gsize len;
	g_autofree gchar *bytes = isc_file_read(AT_FDCWD, one, 4096, &len, &error);
	for (gsize i = 0; i < len; i++) {
		g_autofree gchar *wrong = g_memdup2(bytes, len);
		wrong[i] ^= 1;
		assert_true(g_file_set_contents_full(
				one, wrong, (gssize)len, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
		assert_null(isc_key_store_load(store, "one", &error));
		assert_error(error, ISC_ERROR_VERIFY, "one.sealed");
	}
	for (gsize cut = 0; cut < len; cut += 7) {
		assert_true(g_file_set_contents_full(
				one, bytes, (gssize)cut, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
		assert_null(isc_key_store_load(store, "one", &error));
		assert_error(error, ISC_ERROR_VERIFY, "one.sealed");
		/* Nor is a damaged one silently replaced: the volume may come back with a backup.
		 */
		assert_false(isc_key_store_save(store, "one", key, &error));
		assert_error(error, ISC_ERROR_VERIFY, "one.sealed");
	}
	assert_true(isc_file_write(AT_FDCWD, two, bytes, len, 0600, &error));
	assert_null(isc_key_store_load(store, "two", &error));
	assert_error(error, ISC_ERROR_VERIFY, "two.sealed");
	assert_true(isc_file_write(AT_FDCWD, one, bytes, len, 0600, &error));
	g_autoptr(IscKey) good = isc_key_store_load(store, "one", &error);
	assert_non_null(good);

	gsize dock_len;
	g_autofree gchar *old = isc_file_read(AT_FDCWD, dock, 64, &dock_len, &error);
	g_autofree gchar *foreign = g_memdup2(old, dock_len);
	foreign[3] ^= 0x40;
	assert_true(isc_file_write(AT_FDCWD, dock, foreign, dock_len, 0600, &error));
	{
		g_autoptr(IscKeyStore) other = open_store();
		assert_null(isc_key_store_load(other, "one", &error));
		assert_error(error, ISC_ERROR_VERIFY, "another dock.key");
	}
	assert_true(isc_file_write(AT_FDCWD, dock, old, dock_len, 0600, &error));
}

static void a_lost_or_open_dock_key_stops_the_store(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *dock = path("dock.key"), *aside = path("dock.aside");
	g_autoptr(IscKey) key = isc_key_new_random();
	{
		g_autoptr(IscKeyStore) store = open_store();
		assert_true(isc_key_store_save(store, "kept", key, &error));
	}
	assert_int_equal(g_rename(dock, aside), 0);
	assert_null(isc_key_store_open(dir, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, "put it back");
	assert_false(g_file_test(dock, G_FILE_TEST_EXISTS)); /* and none was made up */
	assert_int_equal(g_rename(aside, dock), 0);

	assert_int_equal(g_chmod(dock, 0640), 0);
	assert_null(isc_key_store_open(dir, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, "chmod 600");
	assert_int_equal(g_chmod(dock, 0600), 0);
	assert_int_equal(truncate(dock, 31), 0);
	assert_null(isc_key_store_open(dir, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, "damaged");
}

static void a_key_that_systemd_keeps_is_in_no_folder(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *base = g_path_get_dirname(dir);
	g_autofree gchar *fresh = g_build_filename(base, "sealed-by-systemd", NULL);
	g_autofree gchar *given = g_build_filename(base, "credentials", NULL);
	g_autofree gchar *own = g_build_filename(fresh, "dock.key", NULL);
	g_autofree gchar *credential = g_build_filename(given, "dock.key", NULL);
	g_autoptr(IscKey) key = isc_key_new_random();
	assert_int_equal(g_mkdir(given, 0700), 0);
	/* One that has begun without: systemd-creds takes the very same one over. */
	{
		g_autoptr(IscKeyStore) store = isc_key_store_open(fresh, given, &error);
		assert_true(isc_key_store_save(store, "web.data", key, &error));
	}
	gchar *bytes;
	gsize len;
	assert_true(g_file_get_contents(own, &bytes, &len, NULL));
	assert_true(g_file_set_contents(credential, bytes, (gssize)len, NULL));
	for (guint i = 0; i < 2; i++) {
		g_autoptr(IscKeyStore) store = isc_key_store_open(fresh, given, &error);
		g_autoptr(IscKey) same =
				store ? isc_key_store_load(store, "web.data", &error) : NULL;
		assert_no_error(error);
		assert_string_equal(isc_key_hex(same), isc_key_hex(key));
		(void)g_unlink(own);
	}
	assert_false(g_file_test(own, G_FILE_TEST_EXISTS));
	/* Without it nothing opens, and none is made up. */
	assert_null(isc_key_store_open(fresh, NULL, &error));
	assert_error(error, ISC_ERROR_VERIFY, "let systemd give it");
	error = NULL;
	bytes[0] ^= 1;
	assert_true(g_file_set_contents(own, bytes, (gssize)len, NULL));
	assert_null(isc_key_store_open(fresh, given, &error));
	assert_error(error, ISC_ERROR_VERIFY, "not the one that systemd gives");
	error = NULL;
	(void)g_unlink(own);
	assert_true(g_file_set_contents(credential, bytes, 31, NULL));
	assert_null(isc_key_store_open(fresh, given, &error));
	assert_error(error, ISC_ERROR_VERIFY, "no key of 32 bytes");
	g_free(bytes);
}

static void a_list_names_every_key_and_leftovers_are_cleaned(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *base = g_path_get_dirname(dir);
	g_autofree gchar *fresh = g_build_filename(base, "fresh", NULL);
	g_autofree gchar *left = g_build_filename(fresh, ".web.sealed.0123.tmp", NULL);
	g_autoptr(IscKey) key = isc_key_new_random();
	{
		g_autoptr(IscKeyStore) store = isc_key_store_open(fresh, NULL, &error);
		assert_true(isc_key_store_save(store, "web.data", key, &error));
		assert_true(isc_key_store_save(store, "db", key, &error));
	}
	assert_true(g_file_set_contents(left, "x", 1, NULL));
	g_autoptr(IscKeyStore) store = isc_key_store_open(fresh, NULL, &error);
	assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
	g_auto(GStrv) ids = isc_key_store_list(store, &error);
	assert_int_equal(g_strv_length(ids), 2);
	assert_string_equal(ids[0], "db");
	assert_string_equal(ids[1], "web.data");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_keys_are_64_hex_digits_and_differ),
		cmocka_unit_test(only_names_joined_by_dots_are_ids),
		cmocka_unit_test(a_saved_key_survives_a_restart_and_is_nowhere_in_clear),
		cmocka_unit_test(a_key_is_never_replaced_by_another),
		cmocka_unit_test(an_erased_key_is_overwritten_and_gone),
		cmocka_unit_test(damage_swaps_and_foreign_dock_keys_are_found),
		cmocka_unit_test(a_key_that_systemd_keeps_is_in_no_folder),
		cmocka_unit_test(a_list_names_every_key_and_leftovers_are_cleaned),
		cmocka_unit_test(a_lost_or_open_dock_key_stops_the_store),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
