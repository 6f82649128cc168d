#pragma once
/* Golden files: what a pure function printed when somebody last read and agreed.
 * tools/update-golden rewrites them (ISC_UPDATE_GOLDEN=1); the diff is read like code. */
#include "cm.h"

/* @name: below tests/golden/ */
static inline void assert_golden(const gchar *name, const gchar *text)
{
	g_autofree gchar *path = g_build_filename("tests", "golden", name, NULL);
	g_autofree gchar *want = NULL;
	if (g_getenv("ISC_UPDATE_GOLDEN")) {
		g_autofree gchar *dir = g_path_get_dirname(path);
		assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
		assert_true(g_file_set_contents(path, text, -1, NULL));
		return;
	}
	if (!g_file_get_contents(path, &want, NULL, NULL))
		fail_msg("no golden file '%s': run tools/update-golden and read it", path);
	assert_string_equal(text, want);
}
