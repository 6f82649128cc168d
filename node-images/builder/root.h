#pragma once
#include "builder/apt.h"
#include "builder/recipe.h"

/* The tree of an image before it is finished: Debian's packages, the recipe's files/, what its
 * build.sh does. */

typedef struct {
	const gchar *cache; /* folder */
	const gchar *tree;  /* folder, made here */
	gint64 epoch;       /* SOURCE_DATE_EPOCH */
	gboolean fresh;     /* take nothing out of the cache */
	const IscRun *tick;
} IscRootOptions;

/**
 * isc_root_install:
 * Base and packages into @options->tree.  The result is kept in the cache under what decides it:
 * package lists, names, date. Errors: ISC_ERROR_HOST: no mmdebstrap, no mirror, no root;
 * ISC_ERROR_FAILED: a package's script, with its last lines; ISC_ERROR_TIMEOUT.
 */
gboolean isc_root_install(const IscRecipe *recipe, const IscApt *apt, const IscRootOptions *options,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* What DIR/files may hold: files, folders and links.  Errors: ISC_ERROR_INVALID naming what else is
 * there. */
gboolean isc_root_check_files(const gchar *dir, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Copies DIR/files over the tree: owner root, modes 0755 and 0644, so that umask and owner of a
 * checkout do not matter.  No such folder is no error. */
gboolean isc_root_add_files(const gchar *dir, const IscRootOptions *options, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Runs DIR/build.sh in the tree: as its root, no network, /proc, /dev and an empty /tmp there.  No
 * such file is no error.  Errors: ISC_ERROR_INVALID: it failed: status and last lines. */
gboolean isc_root_run_script(const gchar *dir, const IscRootOptions *options, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* erofs, lz4hc: see root.c for the numbers. */
gboolean isc_root_pack(const IscRootOptions *options, const gchar *path, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
