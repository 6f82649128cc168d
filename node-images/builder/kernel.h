#pragma once
#include <glib.h>

#include "builder/apt.h"

/* The kernel of an image: Debian's linux-image-cloud-amd64, downloaded once and kept in the cache.
 */

typedef struct {
	gchar *version; /* "6.1.0-37-cloud-amd64": what uname -r says */
	gchar *folder;  /* in the cache; holds the files below */
	gchar *vmlinuz; /* path of the bzImage */
	gchar *modules; /* path of lib/modules/VERSION, with modules.dep */
	gchar *control; /* the package's control stanza, for the SBOM */
	gint64 built;   /* seconds since the epoch: date of the bzImage in the package */
} IscKernel;

/**
 * isc_kernel_open:
 * Finds the newest cloud kernel of the suite; downloads and unpacks it unless the cache has it.
 * Errors: ISC_ERROR_HOST: not there, no dpkg-deb or depmod.
 * Returns: (transfer full)
 */
IscKernel *isc_kernel_open(const IscApt *apt, const gchar *cache, gboolean fresh, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_kernel_free(IscKernel *kernel);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscKernel, isc_kernel_free)

/**
 * isc_kernel_order:
 * @dep: modules.dep: "kernel/fs/x.ko: kernel/lib/a.ko kernel/lib/b.ko", what is needed last
 * @builtin: modules.builtin: paths of what is part of the kernel
 * @wanted: module names; '-' and '_' are the same; NULL at the end
 *
 * Pure.  Errors: ISC_ERROR_HOST: neither module nor built in.
 * Returns: (transfer full) (element-type gchar*): paths as in @dep, each after all it needs, each
 * once
 */
GPtrArray *isc_kernel_order(const gchar *dep, const gchar *builtin, const gchar *const *wanted,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
