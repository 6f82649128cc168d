#pragma once
#include <glib.h>

#include "model/conf.h"

/* A recipe is a folder: image.conf (what is in it, see isc-image.conf(5)), files/ (copied over the
 * root) and build.sh (run in the root).  This module knows image.conf alone, and what can be said
 * about it without any package. */

#define ISC_RECIPE_FILE "image.conf"
#define ISC_RECIPE_FILES "files"
#define ISC_RECIPE_SCRIPT "build.sh"

/* What the root starts from. */
typedef enum {
	ISC_BASE_NONE, /* nothing: only the files of the packages named, none of their scripts run
			*/
	ISC_BASE_ESSENTIAL, /* Debian's essential packages: enough for a package's own scripts */
	ISC_BASE_MINBASE,   /* those and apt and what is of priority "required" */
	ISC_N_BASES,
} IscBase;

/* Plain data, never changed after parsing; all owned. */
typedef struct {
	IscConf *conf; /* kept for the lines of later errors */
	gchar *name, *version, *description, *suite;
	IscBase base;
	GPtrArray *packages; /* of gchar*: "nginx-light" or "nginx-light=1.22.1-9" */
	gchar **exec;        /* argv; the first one is an absolute path */
	GPtrArray *pre;      /* of gchar**: commands that run once before, in order */
	gchar *user;
	GPtrArray *ports;        /* of gchar*: "80/tcp", "5000-5010/udp" */
	GPtrArray *writable;     /* of gchar*: absolute paths, simplest form */
	GPtrArray *capabilities; /* of gchar*: lower case, "cap_net_bind_service" */
	GPtrArray *environment;  /* of gchar*: "KEY=VALUE" */
	gchar *health;           /* "tcp:PORT", "http:PORT/path" or NULL */
	gchar *directory;        /* working directory, absolute */
	gint stop_signal;        /* 1..31 */
	gchar *profile;          /* "strict" | "flexible" */
} IscRecipe;

/**
 * isc_recipe_parse:
 * @what: named in errors: the path of image.conf
 * @text, @len: as isc_conf_parse()
 *
 * Pure: reads nothing but @text.
 * Errors: ISC_ERROR_INVALID "WHAT:LINE: KEY: …".
 * Returns: (transfer full)
 */
IscRecipe *isc_recipe_parse(const gchar *what, const gchar *text, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Reads DIR/image.conf.  Errors: ISC_ERROR_NOT_FOUND: no such folder or file; else as
 * isc_recipe_parse(). */
IscRecipe *isc_recipe_load(const gchar *dir, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sets ISC_ERROR_INVALID with the line of @key; @word: the entry of a repeated key that holds this
 * word, or NULL: the last.  Returns FALSE. */
gboolean isc_recipe_error(const IscRecipe *recipe, const gchar *section, const gchar *key,
		const gchar *word, GError **error, const gchar *format, ...) G_GNUC_PRINTF(6, 7);

/* "none", "essential", "minbase"; static. */
const gchar *isc_base_name(IscBase base);

void isc_recipe_free(IscRecipe *recipe);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscRecipe, isc_recipe_free)
