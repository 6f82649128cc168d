#pragma once
#include <glib.h>

/* Others that filter on this host, as they show in the kernel's tables: a packet goes through only
 * where all of them let it, so a drop of theirs counts for nodes, too. */

typedef enum {
	ISC_NEIGHBOUR_FIREWALLD,
	ISC_NEIGHBOUR_UFW,
	ISC_NEIGHBOUR_DOCKER,
	ISC_NEIGHBOUR_LIBVIRT, /* its own networks */
	ISC_N_NEIGHBOURS,
} IscNeighbourKind;

typedef struct {
	gboolean is_there[ISC_N_NEIGHBOURS];
	gboolean lets_through[ISC_N_NEIGHBOURS]; /* has a rule that names the bridge */
	gchar *dropping; /* owned: chains that drop what they do not know and belong to none of
			    these, "ip filter FORWARD, …"; NULL: none */
	gboolean forward_drops; /* `ip filter FORWARD` has policy drop: Docker, ufw */
} IscNeighbours;

/**
 * isc_neighbours_read:
 * @bridge: of the nodes
 *
 * Errors: ISC_ERROR_HOST.  Release @out with isc_neighbours_clear().
 */
gboolean isc_neighbours_read(const gchar *bridge, IscNeighbours *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_neighbours_clear(IscNeighbours *neighbours);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscNeighbours, isc_neighbours_clear)

/* Whether @text, a script for nft, has a line "flush ruleset" that is no comment. */
gboolean isc_neighbours_flushes(const gchar *text);
