#include "cm.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/part.h"

static gchar *dir;
static int dir_fd;

static int setup(void **state)
{
	(void)state;
	dir = g_dir_make_tmp("isc-part-XXXXXX", NULL);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	close(dir_fd);
	gboolean ok = isc_file_remove_tree(dir, NULL);
	g_free(dir);
	return ok ? 0 : -1;
}

static IscImagePart make(const gchar *name, const gchar *bytes, gsize len)
{
	IscImagePart part = { .file = (gchar *)name, .size = len };
	g_autofree gchar *sum =
			g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *)bytes, len);
	g_strlcpy(part.sha256, sum, sizeof part.sha256);
	assert_true(isc_file_write(dir_fd, name, bytes, len, 0600, NULL));
	return part;
}

static void a_part_that_holds_is_copied_whole(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *bytes = g_strnfill(700001, 'p'); /* more than one read */
	IscImagePart part = make("root", bytes, 700001);
	isc_autofd int from = isc_part_open(dir_fd, &part, &error);
	isc_autofd int to = openat(dir_fd, "copy", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(isc_part_stream(from, to, &part, &error));
	gsize len;
	g_autofree gchar *copy = isc_file_read(dir_fd, "copy", 1 << 20, &len, &error);
	assert_int_equal(len, 700001);
	assert_string_equal(copy, bytes);
	isc_autofd int again = isc_part_open(dir_fd, &part, &error);
	assert_true(isc_part_stream(again, -1, &part, &error)); /* only checked */
}

static void what_changes_after_opening_is_found(void **state)
{
	(void)state;
	GError *error = NULL;
	IscImagePart part = make("part", "0123456789", 10);
	static const struct {
		const gchar *now, *says;
	} cases[] = { { "012345678X", "SHA-256" }, { "012345678", "shrank" },
		{ "01234567890", "grew" }, { "", "shrank" } };
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		assert_true(isc_file_write(dir_fd, "part", "0123456789", 10, 0600, NULL));
		isc_autofd int from = isc_part_open(dir_fd, &part, &error);
		assert_true(from >= 0);
		isc_autofd int writer = openat(dir_fd, "part", O_WRONLY | O_TRUNC | O_CLOEXEC);
		assert_true(isc_file_write_all(writer, cases[i].now, strlen(cases[i].now), NULL));
		assert_false(isc_part_stream(from, -1, &part, &error));
		assert_error(error, ISC_ERROR_VERIFY, cases[i].says);
	}
}

static void only_regular_files_of_the_right_size_open(void **state)
{
	(void)state;
	GError *error = NULL;
	IscImagePart part = make("here", "0123456789", 10), none = part, link = part, fifo = part;
	none.file = (gchar *)"none";
	assert_int_equal(isc_part_open(dir_fd, &none, &error), -1);
	assert_error(error, ISC_ERROR_NOT_FOUND, "'none'");
	link.file = (gchar *)"link";
	assert_int_equal(symlinkat("here", dir_fd, "link"), 0);
	assert_int_equal(isc_part_open(dir_fd, &link, &error), -1);
	assert_error(error, ISC_ERROR_INVALID, "'link'");
	fifo.file = (gchar *)"fifo";
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0600), 0);
	assert_int_equal(isc_part_open(dir_fd, &fifo, &error), -1);
	assert_error(error, ISC_ERROR_INVALID, "'fifo'");
	part.size = 11;
	assert_int_equal(isc_part_open(dir_fd, &part, &error), -1);
	assert_error(error, ISC_ERROR_VERIFY, "10 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_that_holds_is_copied_whole),
		cmocka_unit_test(what_changes_after_opening_is_found),
		cmocka_unit_test(only_regular_files_of_the_right_size_open),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
