#pragma once
#include <glib.h>

/* The addresses behind names in rules (host:NAME:…), asked from the name servers of
 * /etc/resolv.conf and asked again when their time is over.  Threads of its own do the asking:
 * nobody waits for a name server.
 *
 * An answer holds for its TTL, at least 5 s and at most an hour; then it is asked again.  An
 * address that a newer answer lacks is kept for one TTL more: a node may have learnt it just
 * before.  While no server answers, what was known is kept for an hour beyond its TTL, and then
 * given up.  That a name does not exist is an answer, too. */

typedef struct IscNames IscNames;

#define ISC_NAMES_MAX_ADDRESSES 16 /* of a name; those beyond are left out */
#define ISC_NAMES_TTL_MIN 5        /* s */
#define ISC_NAMES_TTL_MAX 3600     /* s */
#define ISC_NAMES_KEEP 3600        /* s beyond the TTL, while no server answers */

typedef struct {
	guint32 addresses[ISC_NAMES_MAX_ADDRESSES]; /* host byte order */
	guint n;
	guint32 ttl; /* s, of the shortest-lived record */
} IscNamesAnswer;

/* Asks for the addresses of @name; may block for some seconds, from any thread.  A name without any
 * is an empty answer.  Errors: ISC_ERROR_TIMEOUT, ISC_ERROR_FAILED: no answer. */
typedef gboolean (*IscNamesLookup)(
		const gchar *name, IscNamesAnswer *out, gpointer data, GError **error);

/* By DNS, at most about 8 s; /etc/hosts has no say. */
gboolean isc_names_lookup_dns(const gchar *name, IscNamesAnswer *out, gpointer data, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* What to allow for @name has changed, or its server has stopped or begun to answer.  Called from
 * its threads, never two at a time for one name, without a lock of its own.  @trouble: NULL, or why
 * there was no answer. */
typedef void (*IscNamesChanged)(const gchar *name, const guint32 *addresses, guint n,
		const gchar *trouble, gpointer data);

IscNames *isc_names_new(IscNamesLookup lookup, IscNamesChanged changed, gpointer data);

/* Waits for lookups under way. */
void isc_names_free(IscNames *names);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNames, isc_names_free)

/* Asks for @wanted, NULL-terminated, from now on, and forgets all others. */
void isc_names_want(IscNames *names, const gchar *const *wanted);

/* Takes @addresses (of guint32), known from an earlier run, for answers that hold for @seconds
 * unless a server says otherwise.  @name is wanted from now on. */
void isc_names_recall(IscNames *names, const gchar *name, const GArray *addresses, guint seconds);

/* What holds for @name now, as (transfer full) GArray of guint32, sorted.  @trouble: (out)
 * (optional) (transfer full): as above. */
GArray *isc_names_get(IscNames *names, const gchar *name, gchar **trouble);

/* --- the book-keeping, pure; for tests ----------------------------------------------------- */

typedef struct {
	guint32 address;
	gint64 until; /* s */
} IscNamesHeld;

/* One name.  Starts as zeros; times are seconds of any clock that does not run backwards. */
typedef struct {
	IscNamesHeld held[ISC_NAMES_MAX_ADDRESSES * 2];
	guint n_held;
	gint64 due;     /* when to ask again */
	gint64 keep;    /* while no server answers: until when `held` is kept */
	guint failures; /* in a row */
} IscNamesEntry;

/* @answer: NULL where there was none.  Returns: whether the addresses have changed */
gboolean isc_names_entry_take(IscNamesEntry *entry, const IscNamesAnswer *answer, gint64 now);
