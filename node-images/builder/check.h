#pragma once
#include <glib.h>

#include "builder/kernel.h"
#include "model/image.h"

/* The finished root is looked at once more, from outside: isc-image-check mounts it read-only in
 * libguestfs' appliance (the host's kernel never reads its file system) and reports.  It runs in a
 * box, with limits, and its report is read as one reads what a stranger says. */

typedef enum {
	ISC_FINDING_REQUIRED, /* a file or folder that must be there */
	ISC_FINDING_SETUID,
	ISC_FINDING_DEVICE,
	ISC_FINDING_USER, /* service user: missing, root, or another uid than the service file says
			   */
	ISC_FINDING_EXEC, /* not there, or not executable */
	ISC_FINDING_SERVICE, /* the service file is not what the manifest says */
	ISC_N_FINDINGS,
} IscFindingKind;

/* "required", "setuid", …; static */
const gchar *isc_finding_name(IscFindingKind kind);

typedef struct {
	IscFindingKind kind;
	gchar *text; /* owned; one line, escaped */
} IscFinding;

typedef struct {
	guint files;         /* entries it saw */
	GPtrArray *findings; /* (element-type IscFinding) */
} IscReport;

IscReport *isc_report_new(void);
void isc_report_add(IscReport *report, IscFindingKind kind, const gchar *format, ...)
		G_GNUC_PRINTF(3, 4);

/* One JSON object, for stdout of isc-image-check.  Returns: (transfer full) */
gchar *isc_report_print(const IscReport *report);

/* The inverse, strict: every key known, of its type and range.  Errors: ISC_ERROR_INVALID. */
IscReport *isc_report_parse(const gchar *text, gsize len, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_report_free(IscReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscReport, isc_report_free)

/**
 * isc_check_run:
 * @program: isc-image-check
 * @image: folder with manifest.json and root
 * @kernel: what the appliance boots; the host need not have one
 * @cache: folder; the appliance is kept in it
 *
 * Errors: ISC_ERROR_HOST: libguestfs does not start here; ISC_ERROR_TIMEOUT: not done in 120 s;
 * ISC_ERROR_VERIFY: something was found, the first of it named.
 */
gboolean isc_check_run(const gchar *program, const gchar *image, const IscKernel *kernel,
		const gchar *cache, const IscRun *tick, guint *files, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Equal bits get equal reports, and the appliance takes 15 to 30 s where it is emulated: that a
 * root passed is kept in
 * @cache, under the digest of the root and what the manifest says of its service.  @image: parts
 * and service filled. recall: FALSE: never seen, or not kept.  remember: best effort. */
gboolean isc_check_recall(const gchar *cache, const IscImage *image, guint *files);
void isc_check_remember(const gchar *cache, const IscImage *image, guint files);
