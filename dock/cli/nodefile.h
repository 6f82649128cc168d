#pragma once
#include <glib.h>

#include "cli/args.h"

/* The options of `isc-vm provision` as the text of a node file, see isc-node(5). */

/**
 * isc_nodefile_env_parse:
 * @env: (inout) gchar* "KEY=VALUE"; an entry whose key comes again is replaced
 * @what: named in errors
 * @text: lines KEY=VALUE; blank ones and those that start with '#' are passed over; a value is
 * taken as it is, quotes included
 *
 * Errors: ISC_ERROR_INVALID "WHAT:LINE: …", never with a value in it: they are secrets.
 */
gboolean isc_nodefile_env_parse(GPtrArray *env, const gchar *what, const gchar *text,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_nodefile_env_add:
 * @given: what --env was given: "KEY=VALUE", or "KEY": taken from isc-vm's own environment
 *
 * Errors: ISC_ERROR_INVALID: no key, a key that is not set, or a value that a node file cannot
 * hold.
 */
gboolean isc_nodefile_env_add(GPtrArray *env, const gchar *given, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_nodefile_build:
 * @name: of the node
 * @args: of provision; its --env and --env-file are not looked at
 * @env: "KEY=VALUE", checked by the functions above
 *
 * Checks what it made with isc_spec_parse(), so that an error names the option, before anything
 * goes to the dock. Errors: ISC_ERROR_INVALID "--OPTION: …". Returns: (transfer full): holds @env,
 * treat it as a secret
 */
gchar *isc_nodefile_build(const gchar *name, const IscArgs *args, const GPtrArray *env,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
