#pragma once
#include <glib.h>

/* The command line of one verb, taken apart by the options that the table of verbs gives it.  Pure.
 */

typedef enum {
	ISC_OPT_FLAG,  /* takes nothing; may be said twice */
	ISC_OPT_VALUE, /* takes a value; twice is an error, since one of the two would be ignored in
			  silence */
	ISC_OPT_LIST,  /* takes a value; may be repeated */
} IscOptKind;

typedef struct {
	const gchar *name; /* long form without its "--"; NULL ends a set */
	gchar letter;      /* short form, or 0 */
	IscOptKind kind;
	const gchar *value; /* what it takes, for help and completion: "MiB"; NULL for a flag */
	const gchar *help;  /* one line */
} IscOption;

typedef struct IscArgs IscArgs;

/**
 * isc_args_parse:
 * @argv: the words behind the verb, NULL at the end; not kept
 * @sets: sets of options, NULL at the end; kept as they are (static tables)
 *
 * Options may stand anywhere among the words; "--" ends them.  Known forms: --name, --name=VALUE,
 * --name VALUE, -n VALUE, -nVALUE, and flags in one word (-fv).  A lone "-" is a word. Errors:
 * ISC_ERROR_INVALID: unknown option (with the nearest known one), no value, a value for a flag,
 * twice. Returns: (transfer full)
 */
IscArgs *isc_args_parse(gchar *const *argv, const IscOption *const *sets, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The words that are no options, in their order; borrowed, NULL at the end.  @n may be NULL. */
gchar *const *isc_args_words(const IscArgs *args, guint *n);

/* Was --@name given? */
gboolean isc_args_has(const IscArgs *args, const gchar *name);

/* The value of --@name, or NULL; borrowed. */
const gchar *isc_args_get(const IscArgs *args, const gchar *name);

/* The values of a repeated option, in their order; borrowed, NULL at the end, never NULL itself. */
gchar *const *isc_args_list(const IscArgs *args, const gchar *name);

/* Reads --@name as a decimal number within @min..@max into @out, which is left alone where the
 * option is absent. Errors: ISC_ERROR_INVALID. */
gboolean isc_args_uint(const IscArgs *args, const gchar *name, guint min, guint max, guint *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_args_nearest:
 * @word: what was typed
 * @known: what there is; NULL at the end
 *
 * Returns: the one that was probably meant (a slip or two, or a unique beginning), or NULL;
 * borrowed
 */
const gchar *isc_args_nearest(const gchar *word, const gchar *const *known);

void isc_args_free(IscArgs *args);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscArgs, isc_args_free)
