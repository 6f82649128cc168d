#pragma once
#include <glib.h>

/* The list of what an image holds: CycloneDX 1.4 JSON (https://cyclonedx.org/docs/1.4/json/), one
 * component a Debian package, with its package URL (https://github.com/package-url/purl-spec, type
 * deb). */

typedef struct {
	gchar *name, *version, *architecture; /* owned */
	gchar *source, *source_version; /* owned; the source package: what vulnerability data speaks
					   of */
} IscPackage;

void isc_package_free(IscPackage *package);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscPackage, isc_package_free)

/**
 * isc_packages_parse:
 * @into: (element-type IscPackage): gets those that are installed; one that stands there already is
 * left out
 * @control: stanzas as in /var/lib/dpkg/status (deb-control(5)); without Status: counts as
 * installed
 *
 * Errors: ISC_ERROR_INVALID: a stanza without name or version, or with characters that none may
 * have.
 */
gboolean isc_packages_parse(GPtrArray *into, const gchar *control, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* New (element-type IscPackage), empty. */
GPtrArray *isc_packages_new(void);

/* @packages: sorted here, by name.  Returns: (transfer full): text ending in a newline; equal
 * input, equal bytes */
gchar *isc_sbom_print(const gchar *name, const gchar *version, const gchar *suite, gint64 created,
		GPtrArray *packages);
