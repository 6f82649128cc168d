#pragma once
#include <glib.h>

/* Where Debian packages come from: the host's own apt sources, cut down to one suite of Debian
 * itself.  Other repositories of the host do not leak into an image.  Pure. */

typedef struct {
	const gchar *name; /* "debian.sources", "sources.list": the ending decides the format */
	const gchar *text; /* sources.list(5), one-line or deb822 */
} IscSourcesFile;

/**
 * isc_sources_select:
 * @files: what /etc/apt holds
 * @suite: code name that is wanted, e.g. "bookworm"
 * @keyring: what Debian signs with, e.g. /usr/share/keyrings/debian-archive-keyring.gpg; written
 * into each entry, so that no other key of the host can vouch for a package; NULL: keep the entry's
 * own
 * @substituted: (out) (optional): TRUE: the host uses another suite; its mirrors are asked for
 * @suite
 *
 * Takes entries of type deb that are enabled, have component main, are signed by Debian's keyring
 * (or by the host's default) and whose suite is @suite, @suite-updates or @suite-security. Errors:
 * ISC_ERROR_HOST: the host has no such source. Returns: (transfer full): deb822 text
 */
gchar *isc_sources_select(const IscSourcesFile *files, gsize n_files, const gchar *suite,
		const gchar *keyring, gboolean *substituted, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
