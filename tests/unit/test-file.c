/* F3, F6: files that are whole or not there. */
#include "cm.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static gchar *dir;

static gchar *path(const gchar *name)
{
	return g_build_filename(dir, name, NULL);
}

static int setup(void **state)
{
	(void)state;
	dir = g_dir_make_tmp("isc-file-XXXXXX", NULL);
	return dir ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	gboolean ok = isc_file_remove_tree(dir, NULL);
	g_free(dir);
	return ok ? 0 : -1;
}

static guint count_entries(void)
{
	guint n = 0;
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	while (g_dir_read_name(d))
		n++;
	return n;
}

static void a_write_replaces_whole_with_its_mode_and_leaves_no_temporary(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *file = path("w");
	mode_t old = umask(077);
	assert_true(isc_file_write(AT_FDCWD, file, "first, long", 11, 0600, &error));
	guint before = count_entries();
	assert_true(isc_file_write(AT_FDCWD, file, "2nd", 3, 0644, &error));
	umask(old);
	assert_int_equal(count_entries(), before);

	gsize len;
	g_autofree gchar *got = isc_file_read(AT_FDCWD, file, 3, &len, &error);
	assert_no_error(error);
	assert_int_equal(len, 3);
	assert_string_equal(got, "2nd");
	struct stat st;
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);

	isc_autofd int fd = open(dir, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	assert_true(isc_file_write(fd, "rel", "", 0, 0600, &error));
	g_autofree gchar *empty = isc_file_read(fd, "rel", 0, &len, &error);
	assert_non_null(empty);
	assert_int_equal(len, 0);
}

static void a_failed_write_leaves_nothing_behind(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *folder = path("taken");
	assert_true(isc_file_mkdir(folder, 0700, NULL));
	guint before = count_entries();
	assert_false(isc_file_write(AT_FDCWD, folder, "x", 1, 0600, &error));
	assert_error(error, ISC_ERROR_FAILED, "taken");
	assert_int_equal(count_entries(), before);
}

static void reading_refuses_links_folders_fifos_and_long_files(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *file = path("r"), *link = path("link"), *fifo = path("fifo"),
			 *none = path("none");
	assert_true(isc_file_write(AT_FDCWD, file, "12345", 5, 0600, NULL));
	assert_int_equal(symlink(file, link), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);

	assert_null(isc_file_read(AT_FDCWD, link, 10, NULL, &error));
	assert_error(error, ISC_ERROR_INVALID, "link");
	assert_null(isc_file_read(AT_FDCWD, dir, 10, NULL, &error));
	assert_error(error, ISC_ERROR_INVALID, "no regular file");
	assert_null(isc_file_read(AT_FDCWD, fifo, 10, NULL, &error));
	assert_error(error, ISC_ERROR_INVALID, "no regular file");
	assert_null(isc_file_read(AT_FDCWD, file, 4, NULL, &error));
	assert_error(error, ISC_ERROR_INVALID, "longer than the 4 bytes");
	assert_null(isc_file_read(AT_FDCWD, none, 4, NULL, &error));
	assert_error(error, ISC_ERROR_NOT_FOUND, "none");
	g_autofree gchar *whole = isc_file_read(AT_FDCWD, file, 5, NULL, &error);
	assert_string_equal(whole, "12345");
}

static void a_file_whose_size_lies_is_read_to_its_end(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	gsize len;
	g_autofree gchar *got = isc_file_read(AT_FDCWD, "/proc/self/maps", 1 << 20, &len, &error);
	assert_no_error(error);
	assert_true(len > 4096);
	assert_int_equal(strlen(got), len);
}

static void a_sparse_copy_is_equal_and_keeps_its_holes(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	const goffset size = (32 << 20) + 7;
	g_autofree gchar *a = path("sparse-a"), *b = path("sparse-b");
	isc_autofd int from = open(a, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	isc_autofd int to = open(b, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(from, size), 0);
	g_autofree gchar *data = g_strnfill(8192, 'x');
	assert_int_equal(pwrite(from, data, 8192, 1 << 20), 8192);
	assert_int_equal(pwrite(from, "end", 3, size - 3), 3);
	assert_int_equal(pwrite(to, "old", 3, 100), 3); /* must not shine through */

	assert_true(isc_file_copy_sparse(from, to, size, &error));
	gchar sum_a[65], sum_b[65];
	assert_true(isc_file_sha256(from, sum_a, &error));
	assert_true(isc_file_sha256(to, sum_b, &error));
	assert_string_equal(sum_a, sum_b);
	struct stat st;
	assert_int_equal(fstat(to, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_true(st.st_blocks * 512 < 1 << 20);

	GError *short_error = NULL;
	assert_false(isc_file_copy_sparse(from, to, size + 1, &short_error));
	assert_error(short_error, ISC_ERROR_FAILED, "bytes, not");
}

static void digests_are_those_of_sha256(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *file = path("sum");
	g_autofree gchar *text = g_strnfill(600001, 'q'); /* more than one read */
	static const gsize lens[] = { 0, 3, 600001 };
	for (gsize i = 0; i < G_N_ELEMENTS(lens); i++) {
		assert_true(isc_file_write(AT_FDCWD, file, text, lens[i], 0600, &error));
		isc_autofd int fd = open(file, O_RDONLY | O_CLOEXEC);
		gchar got[65];
		assert_int_equal(lseek(fd, 0, SEEK_END), lens[i]); /* position does not matter */
		assert_true(isc_file_sha256(fd, got, &error));
		g_autofree gchar *want = g_compute_checksum_for_data(
				G_CHECKSUM_SHA256, (const guchar *)text, lens[i]);
		assert_string_equal(got, want);
	}
}

static void a_folder_gets_exactly_its_mode(void **state)
{
	(void)state;
	GError *error = NULL;
	g_autofree gchar *folder = path("d"), *link = path("d-link");
	mode_t old = umask(077);
	assert_true(isc_file_mkdir(folder, 0711, &error));
	umask(old);
	struct stat st;
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_true(isc_file_mkdir(folder, 0700, &error));
	assert_int_equal(stat(folder, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(symlink(folder, link), 0);
	assert_false(isc_file_mkdir(link, 0777, &error));
	assert_error(error, ISC_ERROR_FAILED, "d-link");
}

static void removing_a_tree_follows_no_link(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *keep = path("keep"), *kept = path("keep/file"), *tree = path("tree"),
			 *sub = path("tree/sub"), *file = path("tree/sub/file"),
			 *link = path("tree/sub/link");
	assert_true(isc_file_mkdir(keep, 0700, &error) && isc_file_mkdir(tree, 0700, &error) &&
			isc_file_mkdir(sub, 0700, &error));
	assert_true(isc_file_write(AT_FDCWD, kept, "x", 1, 0600, &error));
	assert_true(isc_file_write(AT_FDCWD, file, "x", 1, 0600, &error));
	assert_int_equal(symlink(keep, link), 0);
	assert_true(isc_file_remove_tree(tree, &error));
	assert_false(g_file_test(tree, G_FILE_TEST_EXISTS));
	assert_true(g_file_test(kept, G_FILE_TEST_EXISTS));
	assert_true(isc_file_remove_tree(tree, &error)); /* a missing one is no error */
	assert_true(isc_file_remove_tree(kept, &error)); /* a file is a tree of one */
	assert_false(g_file_test(kept, G_FILE_TEST_EXISTS));
}

static void immutable_says_what_it_did(void **state)
{
	(void)state;
	g_autofree gchar *file = path("imm");
	assert_true(isc_file_write(AT_FDCWD, file, "x", 1, 0600, NULL));
	isc_autofd int fd = open(file, O_RDONLY | O_CLOEXEC);
	gboolean done = FALSE;
	g_autoptr(GError) error = NULL;
	if (!isc_file_set_immutable(fd, TRUE, &done, &error) || !done) {
		assert_int_equal(
				unlink(file), 0); /* no right or no such flag: then it is not set */
		skip();
	}
	assert_int_equal(unlink(file), -1);
	assert_true(isc_file_set_immutable(fd, FALSE, &done, &error));
	assert_true(done);
	assert_int_equal(unlink(file), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_write_replaces_whole_with_its_mode_and_leaves_no_temporary),
		cmocka_unit_test(a_failed_write_leaves_nothing_behind),
		cmocka_unit_test(reading_refuses_links_folders_fifos_and_long_files),
		cmocka_unit_test(a_file_whose_size_lies_is_read_to_its_end),
		cmocka_unit_test(a_sparse_copy_is_equal_and_keeps_its_holes),
		cmocka_unit_test(digests_are_those_of_sha256),
		cmocka_unit_test(a_folder_gets_exactly_its_mode),
		cmocka_unit_test(removing_a_tree_follows_no_link),
		cmocka_unit_test(immutable_says_what_it_did),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
