#pragma once
#include <glib.h>

#include "builder/kernel.h"

/* The initrd of an image: isc-node-init as /init, and the kernel's modules that it loads, in order.
 */

/* What isc-node-init needs before it can ask for anything: node-images/init/MODULES, for where that
 * is not at hand, without the format of roots that is not built here.  NULL at the end. */
extern const gchar *const isc_initrd_modules[];

/**
 * isc_initrd_pack:
 * @init: bytes of isc-node-init
 * @modules: (element-type gchar*): paths of @contents, in the order they are to be loaded
 * @contents: (element-type GBytes): what those files hold
 *
 * Pure.  Returns: (transfer full): the archive, not compressed
 */
GByteArray *isc_initrd_pack(const gchar *init, gsize init_len, const GPtrArray *modules,
		const GPtrArray *contents);

/**
 * isc_initrd_write:
 * @init: path of isc-node-init
 * @wanted: names of modules, NULL at the end
 * @path: of the initrd, made anew; zstd
 *
 * Errors: ISC_ERROR_HOST: no isc-node-init, a module the kernel does not have, no zstd.
 */
gboolean isc_initrd_write(const IscKernel *kernel, const gchar *init, const gchar *const *wanted,
		const gchar *path, const IscRun *tick, GError **error) G_GNUC_WARN_UNUSED_RESULT;
