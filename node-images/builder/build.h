#pragma once
#include <glib.h>

typedef enum {
	ISC_STEP_RECIPE,
	ISC_STEP_PACKAGES, /* package lists, and what the recipe's names resolve to */
	ISC_STEP_KERNEL,
	ISC_STEP_INSTALL,
	ISC_STEP_RECIPE_FILES, /* files/ and build.sh */
	ISC_STEP_FINISH,
	ISC_STEP_PACK,
	ISC_STEP_INITRD,
	ISC_STEP_MANIFEST, /* SBOM, manifest, signature */
	ISC_STEP_CHECK,
	ISC_N_STEPS,
} IscStepKind;

/* "packages", …: key in --json; static. */
const gchar *isc_step_name(IscStepKind step);
/* One line for people; static. */
const gchar *isc_step_text(IscStepKind step);

typedef struct {
	const gchar *recipe; /* folder */
	const gchar *out;    /* folder */
	const gchar *key;    /* secret key; NULL: the publisher's, made if missing */
	gboolean fresh;      /* --no-cache */
	gboolean no_check;
	void (*step)(IscStepKind step, gpointer data);  /* begins; may be NULL */
	void (*note)(const gchar *text, gpointer data); /* worth a line; may be NULL */
	void (*tick)(gpointer data);                    /* some times a second; may be NULL */
	gpointer data;
} IscBuildOptions;

typedef struct {
	gchar *name, *version, *digest, *kernel_version, *signer;
	guint64 part_bytes[4]; /* by IscPartKind */
	gdouble seconds[ISC_N_STEPS];
	gchar **stripped; /* files that lost setuid or setgid bits */
	guint packages, files;
	gboolean checked;
} IscBuildResult;

/**
 * isc_build:
 * Recipe → image folder.  What can be checked is checked before the long steps.
 * Errors: ISC_ERROR_INVALID: the recipe, with file and line; ISC_ERROR_NOT_FOUND: no recipe;
 * ISC_ERROR_STATE: out is in use; ISC_ERROR_VERIFY: the finished root is not as it must be;
 * ISC_ERROR_HOST: tools, mirror, rights, libguestfs; ISC_ERROR_TIMEOUT; ISC_ERROR_FAILED.
 */
gboolean isc_build(const IscBuildOptions *options, IscBuildResult *result, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_build_check:
 * Looks at the root of the image in @dir as isc_build() does at its end.  Uses options' tick alone.
 * @files: (out): entries of the root
 * Errors: as isc_check_run(); ISC_ERROR_NOT_FOUND: no image.
 */
gboolean isc_build_check(const gchar *dir, const IscBuildOptions *options, guint *files,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

void isc_build_result_clear(IscBuildResult *result);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscBuildResult, isc_build_result_clear)
