#pragma once
#include <glib.h>
#include <stdio.h>

#include "cli/args.h"

/* The verbs of isc-image.  To add one: a line in the table of verbs.c, its function there, its
 * section in dock/man/isc-image.1. */
typedef struct {
	const gchar *name;
	const gchar *words; /* what it takes besides options, for help */
	const gchar *help;  /* one line */
	guint min_words, max_words;
	const IscOption *options;
	gboolean (*run)(gchar *const *words, const IscArgs *args, GError **error);
} IscVerb;

extern const IscVerb isc_verbs[];         /* ends with { NULL } */
extern const IscOption isc_verb_common[]; /* every verb has these */

void isc_verb_print_usage(FILE *to);
void isc_verb_print_help(const IscVerb *verb); /* to stdout */
