/* F24: what is made appears whole or not at all. */
#include "cm.h"
#include "builder/outdir.h"

#include <unistd.h>

#include "base/file.h"
#include "model/image.h"

typedef struct {
	gchar *dir, *target;
} Fixture;

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	f->dir = g_dir_make_tmp("isc-outdir.XXXXXX", NULL);
	f->target = g_build_filename(f->dir, "web", NULL);
	*state = f;
	return f->dir ? 0 : -1;
}

static int teardown(void **state)
{
	Fixture *f = *state;
	gboolean ok = isc_file_remove_tree(f->dir, NULL);
	g_free(f->dir);
	g_free(f->target);
	g_free(f);
	return ok ? 0 : -1;
}

static void put(const gchar *dir, const gchar *name)
{
	g_autofree gchar *path = g_build_filename(dir, name, NULL);
	assert_true(g_file_set_contents(path, name, -1, NULL));
}

static gboolean has(const gchar *dir, const gchar *name)
{
	g_autofree gchar *path = g_build_filename(dir, name, NULL);
	return access(path, F_OK) == 0;
}

static guint entries(const gchar *dir)
{
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	guint n = 0;
	while (d && g_dir_read_name(d))
		n++;
	return n;
}

static void nothing_shows_before_the_commit_and_nothing_stays_after_it(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	IscOutDir *out = isc_outdir_open(f->target, &error);
	assert_no_error(error);
	put(out->image, ISC_IMAGE_MANIFEST);
	assert_false(has(f->dir, "web"));
	assert_true(isc_outdir_commit(out, &error));
	assert_true(has(f->target, ISC_IMAGE_MANIFEST));
	isc_outdir_free(out);
	assert_int_equal(entries(f->dir), 1);
}

static void a_failed_build_leaves_the_old_image(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	assert_true(isc_file_mkdir(f->target, 0755, &error));
	put(f->target, ISC_IMAGE_MANIFEST);
	IscOutDir *out = isc_outdir_open(f->target, &error);
	assert_no_error(error);
	put(out->image, "half");
	isc_outdir_free(out);
	assert_true(has(f->target, ISC_IMAGE_MANIFEST));
	assert_int_equal(entries(f->dir), 1);

	out = isc_outdir_open(f->target, &error);
	put(out->image, ISC_IMAGE_MANIFEST);
	put(out->image, "new");
	assert_true(isc_outdir_commit(out, &error));
	isc_outdir_free(out);
	assert_true(has(f->target, "new"));
	assert_int_equal(entries(f->dir), 1);
}

static void what_a_killed_build_left_is_cleared(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autofree gchar *left = g_build_filename(f->dir, ".web.building", "image", NULL);
	assert_int_equal(g_mkdir_with_parents(left, 0755), 0);
	put(left, "half");
	g_autoptr(IscOutDir) out = isc_outdir_open(f->target, &error);
	assert_no_error(error);
	assert_int_equal(entries(out->image), 0);
}

static void only_one_builds_at_a_time(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	g_autoptr(IscOutDir) out = isc_outdir_open(f->target, &error);
	assert_no_error(error);
	assert_null(isc_outdir_open(f->target, &error));
	assert_error(error, ISC_ERROR_STATE, "being built");
}

static void somebodys_files_are_not_replaced(void **state)
{
	const Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	assert_true(isc_file_mkdir(f->target, 0755, &error));
	put(f->target, "thesis.tex");
	assert_null(isc_outdir_open(f->target, &error));
	assert_error(error, ISC_ERROR_STATE, "is no image");
	g_autofree gchar *file = g_build_filename(f->target, "thesis.tex", NULL);
	assert_null(isc_outdir_open(file, &error));
	assert_error(error, ISC_ERROR_STATE, "is no image");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
				nothing_shows_before_the_commit_and_nothing_stays_after_it, setup,
				teardown),
		cmocka_unit_test_setup_teardown(
				a_failed_build_leaves_the_old_image, setup, teardown),
		cmocka_unit_test_setup_teardown(
				what_a_killed_build_left_is_cleared, setup, teardown),
		cmocka_unit_test_setup_teardown(only_one_builds_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(somebodys_files_are_not_replaced, setup, teardown),
	};
	return cmocka_run_group_tests_name("outdir", tests, NULL, NULL);
}
