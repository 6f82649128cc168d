/* R5.2, R5.3, T29: keys of disks. */
#include "cm.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "engine/volume.h"

/* On volumes of the real qemu-img; one template for all of them. */

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define NEXT "f0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TEXT "correct horse battery"
#define MIB 16

static gchar *dir, *volume;

static int setup(void **state)
{
	(void)state;
	dir = g_dir_make_tmp("isc-volume-key-XXXXXX", NULL);
	volume = g_build_filename(dir, "disk.qcow2", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	gboolean ok = isc_file_remove_tree(dir, NULL);
	g_free(volume);
	g_free(dir);
	return ok ? 0 : -1;
}

static gboolean has_tools(void)
{
	g_autofree gchar *img = g_find_program_in_path("qemu-img");
	g_autofree gchar *io = g_find_program_in_path("qemu-io");
	return img && io;
}

static void create(void)
{
	g_autoptr(GError) error = NULL;
	if (!has_tools())
		skip();
	assert_true(isc_volume_shred(volume, NULL));
	gboolean ok = isc_volume_create(volume, dir, MIB, KEY, (uid_t)-1, (gid_t)-1, &error);
	assert_no_error(error);
	assert_true(ok);
}

static gboolean qemu_io(const gchar *path, const gchar *key, const gchar *command)
{
	g_autofree gchar *key_file = g_build_filename(dir, "key", NULL);
	assert_true(g_file_set_contents(key_file, key, -1, NULL));
	g_autofree gchar *secret = g_strconcat("secret,id=k,file=", key_file, NULL);
	g_autofree gchar *image = g_strconcat(
			"driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,file.filename=",
			path, NULL);
	const gchar *argv[] = { "qemu-io", "--object", secret, "-c", command, "--image-opts", image,
		NULL };
	gint status = -1;
	g_autofree gchar *out = NULL;
	assert_true(g_spawn_sync(NULL, (gchar **)argv, NULL,
			G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &out, NULL,
			&status, NULL));
	return status == 0 && !strstr(out, "failed");
}

static void a_new_key_takes_the_place_of_the_old_and_data_stay(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	create();
	assert_true(qemu_io(volume, KEY, "write -P 7 0 1M"));
	assert_true(isc_volume_add_key(volume, KEY, NEXT, &error));
	assert_true(isc_volume_verify(volume, KEY, &error));
	assert_true(isc_volume_verify(volume, NEXT, &error));
	/* again, as after a crash: nothing more is taken up */
	assert_true(isc_volume_add_key(volume, KEY, NEXT, &error));
	assert_true(isc_volume_keep_key(volume, NEXT, &error));
	assert_true(isc_volume_keep_key(volume, NEXT, &error));
	assert_no_error(error);
	assert_false(isc_volume_verify(volume, KEY, NULL));
	assert_false(qemu_io(volume, KEY, "read 0 1M"));
	assert_true(qemu_io(volume, NEXT, "read -P 7 0 1M"));
	assert_true(isc_volume_add_key(volume, KEY, NEXT, &error)); /* it is so already */
}

static void a_wrong_key_changes_nothing(void **state)
{
	(void)state;
	static const gchar third[] =
			"a0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	GError *error = NULL;
	create();
	assert_false(isc_volume_add_key(volume, NEXT, TEXT, &error));
	assert_error(error, ISC_ERROR_INVALID, "64");
	error = NULL;
	assert_false(isc_volume_add_key(volume, NEXT, third, &error));
	assert_error(error, ISC_ERROR_VERIFY, "does not open");
	error = NULL;
	assert_false(isc_volume_keep_key(volume, NEXT, &error));
	assert_error(error, ISC_ERROR_VERIFY, "does not open");
	assert_true(isc_volume_verify(volume, KEY, NULL));
}

static void a_volume_grows_and_never_shrinks(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	guint mib = 0;
	create();
	assert_true(qemu_io(volume, KEY, "write -P 7 15M 1M"));
	assert_true(isc_volume_grow(volume, KEY, 2048, &error));
	assert_no_error(error);
	assert_true(isc_volume_size(volume, &mib, &error));
	assert_int_equal(mib, 2048);
	assert_true(isc_volume_grow(volume, KEY, MIB, &error));
	assert_true(isc_volume_size(volume, &mib, &error));
	assert_int_equal(mib, 2048);
	assert_true(qemu_io(volume, KEY, "read -P 7 15M 1M"));
	assert_true(qemu_io(volume, KEY, "write -P 9 2047M 1M"));
}

static void a_copy_opens_with_its_passphrase_alone_and_comes_back(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	GError *no = NULL;
	g_autofree gchar *copy = g_build_filename(dir, "copy.qcow2", NULL);
	g_autofree gchar *back = g_build_filename(dir, "back.qcow2", NULL);
	guint mib = 0;
	create();
	assert_true(qemu_io(volume, KEY, "write -P 7 0 1M"));
	isc_autofd int fd = open(copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(isc_volume_export(volume, KEY, fd, TEXT, &error));
	assert_no_error(error);
	assert_true(qemu_io(copy, TEXT, "read -P 7 0 1M"));
	assert_false(qemu_io(copy, KEY, "read 0 1M"));
	assert_true(isc_volume_verify(volume, KEY, &error));
	assert_false(isc_volume_export(volume, KEY, fd, TEXT, &no)); /* it is not empty */
	assert_error(no, ISC_ERROR_INVALID, "empty");

	no = NULL;
	assert_false(isc_volume_import(back, fd, "another passphrase", NEXT, &mib, &no));
	assert_error(no, ISC_ERROR_VERIFY, "does not open");
	assert_false(g_file_test(back, G_FILE_TEST_EXISTS));
	assert_true(isc_volume_import(back, fd, TEXT, NEXT, &mib, &error));
	assert_no_error(error);
	assert_int_equal(mib, MIB);
	assert_true(qemu_io(back, NEXT, "read -P 7 0 1M"));
	assert_false(isc_volume_import(back, fd, TEXT, NEXT, &mib, NULL)); /* it stands */

	/* A copy that broke off on its way: nothing of it is taken for the whole. */
	g_autofree gchar *rest = g_build_filename(dir, "rest.qcow2", NULL);
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	const off_t ends[] = { st.st_size - 1, st.st_size - 512 * 1024, 100 * 1024 };
	const gchar *const says[] = { "the last 1 of its", "are missing", "in its header" };
	assert_true(isc_volume_import_size(fd, &mib, &error));
	assert_int_equal(mib, MIB);
	for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
		assert_int_equal(ftruncate(fd, ends[i]), 0);
		assert_false(isc_volume_import(rest, fd, TEXT, NEXT, &mib, &no));
		assert_error(no, ISC_ERROR_INVALID, says[i]);
		no = NULL;
		assert_false(g_file_test(rest, G_FILE_TEST_EXISTS));
	}
}

static void what_leads_to_other_files_is_not_imported(void **state)
{
	(void)state;
	g_autofree gchar *bad = g_build_filename(dir, "bad.qcow2", NULL);
	g_autofree gchar *back = g_build_filename(dir, "no.qcow2", NULL);
	if (!has_tools())
		skip();
	const gchar *const argvs[][12] = {
		{ "qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "/etc/shadow", "-F", "raw",
				bad, "16M" },
		{ "qemu-img", "create", "-q", "-f", "raw", bad, "16M" },
		{ "qemu-img", "create", "-q", "-f", "qcow2", bad, "16M" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(argvs); i++) {
		gchar *argv[G_N_ELEMENTS(argvs[0]) + 1] = { NULL };
		gint status = -1;
		memcpy(argv, argvs[i], sizeof argvs[i]);
		assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
				NULL, &status, NULL));
		assert_int_equal(status, 0);
		isc_autofd int fd = open(bad, O_RDONLY | O_CLOEXEC);
		GError *error = NULL;
		guint mib;
		assert_false(isc_volume_import(back, fd, TEXT, NEXT, &mib, &error));
		assert_error(error, ISC_ERROR_INVALID, "no export");
		assert_int_equal(unlink(bad), 0);
	}
}

static void one_that_a_qemu_has_open_is_not_idle(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	GError *busy = NULL;
	create();
	assert_true(isc_volume_check_idle(volume, &error));
	/* as block/file-posix.c locks an image that is written to */
	isc_autofd int other = open(volume, O_RDWR | O_CLOEXEC);
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 101, .l_len = 1 };
	assert_int_equal(fcntl(other, F_OFD_SETLK, &lock), 0);
	assert_false(isc_volume_check_idle(volume, &busy));
	assert_error(busy, ISC_ERROR_STATE, "has");
}

static void links_are_not_given_away(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *other = g_build_filename(dir, "other.qcow2", NULL);
	create();
	assert_int_equal(link(volume, other), 0);
	assert_false(isc_volume_give(volume, geteuid(), getegid(), &error));
	assert_error(error, ISC_ERROR_FAILED, "one name");
	assert_int_equal(unlink(other), 0);
	assert_true(isc_volume_give(volume, geteuid(), getegid(), NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_key_takes_the_place_of_the_old_and_data_stay),
		cmocka_unit_test(a_wrong_key_changes_nothing),
		cmocka_unit_test(a_volume_grows_and_never_shrinks),
		cmocka_unit_test(a_copy_opens_with_its_passphrase_alone_and_comes_back),
		cmocka_unit_test(what_leads_to_other_files_is_not_imported),
		cmocka_unit_test(one_that_a_qemu_has_open_is_not_idle),
		cmocka_unit_test(links_are_not_given_away),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
