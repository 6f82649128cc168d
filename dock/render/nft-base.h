#pragma once
#include "render/nft.h"

/* The rules themselves: isc_nft_render_base() and its kin of render/nft.h are in nft-base.c. */

/* For nft-base.c: declares the sets that nodes are elements of, from the table in nft.c. */
void isc_nft_append_sets(GString *text, gboolean is_bridge);

/* For nft-base.c, in nft-chains.c: the tables' sets and counters, and the chains in which packets
 * end. */
void isc_nft_append_state(GString *text, gboolean is_bridge);
void isc_nft_append_chains(GString *text, const IscNftConfig *config, gboolean is_bridge);
