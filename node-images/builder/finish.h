#pragma once
#include "builder/recipe.h"
#include "builder/run.h"

/* Makes a finished tree a root of an image: what the policy of images says is done here, in a
 * process that is chrooted into the tree, so that no link in it leads out.
 *
 *   gone      setuid and setgid bits, device nodes, sockets; caches, logs, package lists, keys made
 * at installation, machine-id, random seeds; documentation but copyrights, translations there the
 * mount points, Writable= folders that belong to the service's user, ISC_SERVICE_FILE checked
 * User=, Exec= and Pre= */

typedef struct {
	gchar **stripped; /* paths that lost setuid or setgid bits, sorted */
	gchar *status;    /* /var/lib/dpkg/status, or "" */
	guint files;      /* entries of the tree */
} IscFinish;

/**
 * isc_finish:
 * @root: the tree; changed
 * @out: filled on success; isc_finish_clear()
 *
 * Errors: ISC_ERROR_INVALID, with file and line of the recipe.
 */
gboolean isc_finish(const IscRecipe *recipe, const gchar *root, const IscRun *tick, IscFinish *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_finish_clear(IscFinish *finish);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscFinish, isc_finish_clear)
