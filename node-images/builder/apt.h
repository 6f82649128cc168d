#pragma once
#include <glib.h>

#include "builder/run.h"

/* A private root for apt: its own configuration, lists and cache in isc-image's cache folder, with
 * the host's mirrors for one suite.  The host's own apt state is neither read beyond that nor
 * changed. */

typedef struct {
	gchar *folder;  /* owned; CACHE/apt-SUITE */
	gchar *suite;   /* owned */
	gchar *sources; /* owned; path of the deb822 file */
	gchar *options; /* owned; path of a file of the host's settings that are passed on (proxy,
			   …) */
	gchar *lists;   /* owned; path */
	gchar *state;   /* owned; 64 hex digits that change with the lists: which versions there are
			 */
	int lock;       /* fd: one isc-image at a time changes it */
	const IscRun *tick; /* borrowed: its tick is called while apt runs */
} IscApt;

/**
 * isc_apt_open:
 * @cache: folder, made if missing
 * @fresh: fetch the lists now; else only where those that are there are older than an hour
 *
 * Waits for another isc-image that is at it.
 * Errors: ISC_ERROR_HOST: no apt, no source, no network; ISC_ERROR_NOT_FOUND: the mirror has no
 * such suite. Returns: (transfer full)
 */
IscApt *isc_apt_open(const gchar *cache, const gchar *suite, gboolean fresh, const IscRun *tick,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_apt_resolve:
 * @packages: (element-type gchar*): "NAME" or "NAME=VERSION"
 * @missing: (out) (transfer full): on failure, the one of @packages at fault; NULL: none in
 * particular
 *
 * Errors: ISC_ERROR_INVALID: cannot be installed, and why.
 * Returns: (transfer full) (element-type gchar*): "NAME=VERSION" of all that would be installed in
 * an empty root, sorted
 */
GPtrArray *isc_apt_resolve(const IscApt *apt, const GPtrArray *packages, gchar **missing,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The control stanzas of @packages ("NAME=VERSION"), as `apt-cache show` prints them.  Returns:
 * (transfer full) */
gchar *isc_apt_show(const IscApt *apt, const GPtrArray *packages, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Downloads "NAME=VERSION" into @folder, verified by apt.  Returns: (transfer full): path of the
 * .deb */
gchar *isc_apt_download(const IscApt *apt, const gchar *package, const gchar *folder,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Lets another isc-image at it; what is there can still be read. */
void isc_apt_unlock(IscApt *apt);

void isc_apt_free(IscApt *apt);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscApt, isc_apt_free)
