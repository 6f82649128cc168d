#pragma once
#include <glib.h>

/* The options dictionary of a call. */
typedef struct {
	gboolean dry_run, enable, force, memory, pause, repair;
	gboolean in_place;
	guint timeout; /* s; 0: not given */
	guint seconds; /* of a trial; 0: not given */
	guint keep;    /* snapshots; 0: not given */
	guint drain;   /* s; G_MAXUINT: not given */
} IscOptions;

/**
 * isc_options_parse:
 * @dict: a{sv}
 * @allowed: the names this method takes, each with a space behind it, e.g. "dry-run timeout "
 *
 * Errors: ISC_ERROR_INVALID: an unknown option, a wrong type.  What is not given: enable is TRUE,
 * the rest FALSE or 0.
 */
gboolean isc_options_parse(GVariant *dict, const gchar *allowed, IscOptions *out, GError **error);
