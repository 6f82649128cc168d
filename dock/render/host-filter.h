#pragma once
#include <glib.h>

/* The host filter: what may come in to the dock itself from outside.  Opt-in, in a table of its own
 * (ISC_HOST_FILTER_TABLE), and nothing to do with nodes.  Pure: nothing here talks to the kernel.
 *
 * Nobody may lock themselves out.  So the drop only holds while the set "armed" has elements, and
 * for a trial they have a timeout: the kernel takes the filter back by itself, whether the daemon
 * lives or not.  To confirm is to put the same elements in for good. */

#define ISC_HOST_FILTER_TABLE "isc-dock-host"
#define ISC_HOST_FILTER_MAX_S 3600 /* of a trial */

/**
 * isc_host_filter_render:
 * @words: what may come in, by blanks: "tcp:22", "udp:60000-61000", "icmp" (echo requests)
 * @outside: interface
 * @seconds: of the trial; 0: for good
 *
 * The transaction that puts the filter in force, in the place of one that stands.  Answers to what
 * the dock has asked, and what IPv6 needs to find its neighbours, always come in.
 * Errors: ISC_ERROR_INVALID, naming the word.  Returns: (transfer full)
 */
gchar *isc_host_filter_render(const gchar *words, const gchar *outside, guint seconds,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether @words are sound.  Errors: as isc_host_filter_render(). */
gboolean isc_host_filter_check(const gchar *words, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Makes a trial that stands permanent; and the filter's end, whether it stands or not.  Static. */
const gchar *isc_host_filter_render_confirm(void);
const gchar *isc_host_filter_render_delete(void);
