#pragma once
#include "daemon/bus.h"
#include "daemon/verbs.h"

/* What handlers share: answers are a{sv}. */

/* Ends @b.  Returns: floating "(a{sv})" */
GVariant *isc_answer(GVariantBuilder *b);

/* Adds a pair; @value floating. */
void isc_answer_put(GVariantBuilder *b, const gchar *key, GVariant *value);

/* @texts: of gchar*, or NULL for none */
void isc_answer_put_strings(GVariantBuilder *b, const gchar *key, const GPtrArray *texts);

/* "plan", "seconds", "changed", "warnings". */
void isc_answer_put_outcome(GVariantBuilder *b, const IscOutcome *out);

/**
 * isc_answer_verb:
 * @request: verb and what is its own; the rest is filled in from @call and @options
 * @allowed: as isc_options_parse() takes it
 * @add: NULL, or adds to the answer of a verb that was carried out
 *
 * Every verb on a node that stands goes through here.  Errors: as isc_verb_run().
 * Returns: floating "(a{sv})"
 */
GVariant *isc_answer_verb(IscCall *call, IscRequest *request, const gchar *allowed,
		GVariant *options,
		void (*add)(GVariantBuilder *b, IscCall *call, const IscRequest *request,
				const IscOutcome *out),
		GError **error);

/**
 * isc_answer_provision:
 * @snapshot: NULL, or NODE/SNAP that its overlay starts from
 *
 * Errors: as isc_verb_provision().  Returns: floating "(a{sv})".  handlers-node.c
 */
GVariant *isc_answer_provision(IscCall *call, const IscSpec *spec, const gchar *snapshot,
		GVariant *options, GError **error);

/* The same of a set: @spec has Replicas=.  handlers-set.c */
GVariant *isc_answer_provision_set(
		IscCall *call, const IscSpec *spec, GVariant *options, GError **error);

/* @prefix and the time in UTC to the millisecond: the name of a snapshot that was given none.
 * (transfer full) */
gchar *isc_answer_time_name(const gchar *prefix);

/* What Quarantine may be asked for, of a node as of a set. */
#define ISC_QUARANTINE_OPTIONS "dry-run timeout pause memory "

/* Errors: ISC_ERROR_INVALID: @reason or @options; ISC_ERROR_AUTH: they want what the caller may not
 * have. */
gboolean isc_answer_check_quarantine(IscCall *call, const gchar *reason, GVariant *options,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* A reason that goes on record: one line, printable, not empty.  Errors: ISC_ERROR_INVALID. */
gboolean isc_answer_check_reason(const gchar *reason, GError **error) G_GNUC_WARN_UNUSED_RESULT;
