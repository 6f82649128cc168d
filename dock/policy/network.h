#pragma once
#include "render/nft.h"

/* Pure: what the boundary makes of a new connection, and by which rule.  The questions are asked in
 * the order of the rules in render/nft-base.c; whoever changes the one changes the other
 * (tests/vm/test-network.sh compares both with packets). */

typedef struct {
	const IscFence *fence;
	gboolean is_up;    /* it runs: its elements are in the kernel and it has a link */
	gboolean is_ready; /* of a set whose members share ports: new connections go to it, too */
	gboolean is_down;  /* though it runs, its boundary is down, and so is its link */
} IscNetworkNode;

/* What there is.  Everything is borrowed. */
typedef struct {
	const IscNftConfig *config;
	const IscNetworkNode *nodes;
	gsize n_nodes;
	const guint32 *dock; /* the dock's own addresses, also the bridge's; host byte order */
	gsize n_dock;
	GHashTable *hosts; /* (nullable) name in rules → GArray of guint32: what it stands for */
} IscNetwork;

typedef enum {
	ISC_VERDICT_DENIED,
	ISC_VERDICT_ALLOWED,
	ISC_VERDICT_PARTLY,     /* to some of the addresses meant, or for one program */
	ISC_VERDICT_NOT_JUDGED, /* does not pass the boundary */
} IscVerdict;

typedef struct {
	IscVerdict verdict;
	IscDropKind kind;   /* DENIED: the counter it goes to; 0 for none */
	gchar *rule;        /* "Expose=tcp:8080:80 of node 'web'", or "none"; owned */
	const gchar *where; /* chain in the kernel; static */
	gchar *why;         /* one line; owned */
	GPtrArray *hosts;   /* (nullable) @to is a host by its name: "ADDRESS: VERDICT, RULE", one
			     * for each address that it stands for now; owned */
} IscNetworkAnswer;

/**
 * isc_network_explain:
 * @from, @to: a node's name, "outside", "dock", or an IPv4 address; @to also a host that a rule
 * names
 * @port: "N" (tcp), "tcp/N", "udp/N", "icmp" (an echo request).  To a node by name: the port in the
 * node; else the one in the packet
 * @out: release with isc_network_answer_clear()
 *
 * Errors: ISC_ERROR_INVALID; ISC_ERROR_NOT_FOUND: no such node, or no rule names the host.
 */
gboolean isc_network_explain(const IscNetwork *network, const gchar *from, const gchar *to,
		const gchar *port, IscNetworkAnswer *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;

const gchar *isc_verdict_name(IscVerdict verdict); /* "denied", …; static */

void isc_network_answer_clear(IscNetworkAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscNetworkAnswer, isc_network_answer_clear)
