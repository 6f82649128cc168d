#pragma once
#include <glib.h>

#include "render/nft.h"

/* Reads back what the kernel holds, by netlink and by key: what we ask libnftables to write is not
 * checked by asking libnftables.  (Its `get element` loads all elements of the set first: 126 ms at
 * 5,000 nodes; a look-up here takes microseconds.)  Attributes: linux/netfilter/nf_tables.h.  Not
 * thread-safe: one reader, one user at a time. */

typedef struct IscNftReader IscNftReader;

/* Errors: ISC_ERROR_HOST: no netlink socket, no nf_tables. */
IscNftReader *isc_nft_reader_new(GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_nft_reader_free(IscNftReader *reader);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNftReader, isc_nft_reader_free)

/**
 * isc_nft_read_has:
 * @elements: pointers to IscNftElement
 * @missing: (out) (optional): the first that the kernel lacks or holds with another value; NULL if
 * none
 *
 * Errors: only where the kernel could not be asked; a missing element or table is no error but
 * FALSE in @all.
 */
gboolean isc_nft_read_has(IscNftReader *reader, const GPtrArray *elements, gboolean *all,
		const IscNftElement **missing, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All elements of @set, as (transfer full) GArray of IscNftElement.  A missing
 * set is empty. */
GArray *isc_nft_read_set(IscNftReader *reader, IscNftSet set, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_nft_read_print:
 * A fingerprint of our chains and rules, to tell whether somebody has changed them since we wrote
 * them.
 * @n_rules: (out) (optional)
 * Returns: (transfer full): hex; NULL on failure
 */
gchar *isc_nft_read_print(IscNftReader *reader, guint *n_rules, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	gboolean is_bridge;
	IscDropKind kind;
	gchar tap[16];   /* bridge: the port; "" else */
	guint32 address; /* inet; 0 else */
	guint64 packets, bytes;
} IscNftCount;

/* Per node and kind, both tables.  Returns: (transfer full): GArray of IscNftCount */
GArray *isc_nft_read_counts(IscNftReader *reader, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same of one node, by key: what it costs does not grow with the number of nodes. */
GArray *isc_nft_read_counts_of(IscNftReader *reader, const gchar *tap, guint32 address,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Connections that one node was let have, by kind. */
gboolean isc_nft_read_passes_of(IscNftReader *reader, guint32 address, guint64 passed[ISC_N_PASSES],
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Sums per kind over both tables; ISC_N_DROPS entries each, and ISC_N_PASSES. */
gboolean isc_nft_read_sums(IscNftReader *reader, guint64 packets[ISC_N_DROPS],
		guint64 bytes[ISC_N_DROPS], guint64 passed[ISC_N_PASSES], GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
