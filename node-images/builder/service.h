#pragma once
#include "builder/recipe.h"
#include "model/image.h"

/* The file that tells isc-node-init what to run: ISC_SERVICE_FILE of collector/wire.h.  Pure. */

/* Who the service's user is in the root. */
typedef struct {
	guint uid, gid;
	GArray *groups; /* of guint: supplementary */
} IscServiceUser;

/* Returns: (transfer full): text of the file */
gchar *isc_service_print(const IscRecipe *recipe, const IscServiceUser *user);

/* Does @text say what the manifest says, where both speak of it?  Errors: ISC_ERROR_VERIFY naming
 * the first that differs; @uid, @gid (out): those of @text. */
gboolean isc_service_agrees(const gchar *text, const IscImage *image, guint *uid, guint *gid,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
