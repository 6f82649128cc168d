#pragma once
#include "render/nft.h"

/* What the boundary should hold: all nodes and their elements, who owns which, and what has to
 * change in the kernel when a node comes, changes or goes.  Memory only; firewall-nft.c carries the
 * changes out.  Not thread-safe. */

typedef struct IscBook IscBook;

IscBook *isc_book_new(void);
void isc_book_free(IscBook *book);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscBook, isc_book_free)

/* One element that a node gains or loses. */
typedef struct {
	const IscNftElement *element; /* in IscBookChange.fresh or in the book */
	guint slot;
	gint delta; /* +1, -1; 0: same key, new value or rate */
} IscBookStep;

/* One change: @slot gets @fence, or goes away where that is NULL. */
typedef struct {
	IscBook *book;
	const IscNftConfig *config;
	guint slot;
	const IscFence *fence;
	const gchar *host;         /* instead of slot and fence: a name with other addresses */
	const GArray *addresses;   /* of guint32 */
	const gchar *set;          /* instead of all these: a set … */
	const IscBalance *balance; /* … and who shares its ports; NULL: nobody */
	GHashTable *fresh;         /* slot → GArray: the elements of all nodes that are touched */
	GArray *steps;             /* of IscBookStep */
	GPtrArray *gone, *come;    /* of IscNftElement: for the kernel */
} IscBookChange;

/**
 * isc_book_plan:
 * Works out @out; the book stays as it is.  Other nodes whose rules name the one that comes or goes
 * are part of it. Release @out with isc_book_change_clear(), also on failure. Errors:
 * ISC_ERROR_STATE: name, port, address or tap is another node's (named); ISC_ERROR_INVALID.
 */
gboolean isc_book_plan(IscBook *book, const IscNftConfig *config, guint slot, const IscFence *fence,
		IscBookChange *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Enters @change, which must be the last one planned. */
void isc_book_commit(IscBookChange *change);
void isc_book_change_clear(IscBookChange *change);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscBookChange, isc_book_change_clear)

/**
 * isc_book_plan_host:
 * @addresses: what @host stands for now: of guint32
 *
 * Works out what changes for the nodes whose rules name @host; as isc_book_plan() else.
 */
gboolean isc_book_plan_host(IscBook *book, const IscNftConfig *config, const gchar *host,
		const GArray *addresses, IscBookChange *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_book_plan_balance:
 * @set: its name
 * @balance: its ports and the members that may have them; NULL: it has none any more
 *
 * From then on a member's part of the ports comes and goes in the same transaction as its fence,
 * and with its quarantine.
 */
gboolean isc_book_plan_balance(IscBook *book, const IscNftConfig *config, const gchar *set,
		const IscBalance *balance, IscBookChange *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* All hosts that rules name, sorted.  Returns: (transfer full) */
gchar **isc_book_hosts(IscBook *book);

/* What @host stood for last: of guint32; NULL: not known.  Borrowed. */
const GArray *isc_book_host(IscBook *book, const gchar *host);

/* All elements of @fence as they are wanted now, names of nodes resolved.  Errors: as
 * isc_nft_fence_elements(). */
GArray *isc_book_elements_of(IscBook *book, const IscNftConfig *config, const IscFence *fence,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

const IscFence *isc_book_fence(IscBook *book, guint slot); /* NULL: unknown */
guint isc_book_n_nodes(IscBook *book);
GPtrArray *isc_book_fences(IscBook *book);   /* (transfer container) of const IscFence */
GPtrArray *isc_book_balances(IscBook *book); /* (transfer container) of const IscBalance */
GPtrArray *isc_book_elements(IscBook *book); /* (transfer container) of const IscNftElement */
const IscNftElement *isc_book_find(IscBook *book, const IscNftElement *key); /* NULL: nobody's */
