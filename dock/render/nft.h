#pragma once
#include <glib.h>

#include "model/rules.h"

/* The boundary as text for libnftables.  Pure: nothing here talks to the kernel.
 *
 * Two tables of ours, `bridge isc-dock` (who a frame may claim to be) and `inet isc-dock` (where a
 * packet may go). Their rules never change; nodes are elements of their sets.  Thus a packet costs
 * the same number of look-ups and a change the same time at 10 nodes and at 10,000.  The rules are
 * in nft-base.c, which also tells the order and why.
 *
 * What a node may reach beyond single ports of single hosts ("wide" rules: networks, port ranges)
 * goes into interval sets, whose cost grows with their size.  Therefore they are kept per *policy*,
 * not per node: nodes with the same wide rules share one class, and a node that joins a class is
 * one element of a hash map. */

#define ISC_NFT_TABLE "isc-dock"
#define ISC_NFT_GUARD "isc-dock-guard"
#define ISC_NFT_GUARDS 8u /* that may stand at once: each of another process */
#define ISC_NFT_ACCEPT_MARK                                                                        \
	0x1cd0c000u /* on packets from nodes: "seen by our rules"; see engine/links.h, fence */
#define ISC_NFT_PASSED_MARK                                                                        \
	0x1cd0c001u /* on packets from nodes that the dock itself takes: answers to health probes  \
		     */
/* Groups of interfaces (engine/links.h gives them): to compare a number costs a packet less than to
 * compare a name.  Who has lost its group is told by its name, behind. */
#define ISC_NFT_BRIDGES 0x1cd0c000u
#define ISC_NFT_TAPS 0x1cd0c001u

/* Why a packet was dropped.  The value is the mark that the counting sets of the kernel are keyed
 * by. */
typedef enum {
	ISC_DROP_MAC = 1,    /* frame from another MAC than the node's */
	ISC_DROP_IP,         /* packet from another address than the node's */
	ISC_DROP_ARP,        /* ARP that speaks for another, is malformed, or floods */
	ISC_DROP_DHCP,       /* DHCP in either role */
	ISC_DROP_IPV6,       /* IPv6, so also RA, ND, MLD */
	ISC_DROP_VLAN,       /* 802.1Q, 802.1ad tags */
	ISC_DROP_OPTION,     /* IP options: source route, record route, … */
	ISC_DROP_OTHER,      /* STP, LLDP, EAPOL, ICMP redirect, … */
	ISC_DROP_QUARANTINE, /* to or from a quarantined node */
	ISC_DROP_PEER,       /* node to node without a rule */
	ISC_DROP_HOST,       /* node to any address of the dock */
	ISC_DROP_RESERVED,   /* metadata, private, multicast, the dock's networks, unless named */
	ISC_DROP_EGRESS,     /* no egress rule allows it */
	ISC_DROP_INVALID,    /* belongs to no connection; would leave without masquerade */
	ISC_DROP_INGRESS,    /* to a node, but to no exposed port */
	ISC_DROP_SPOOF,      /* from outside, with a node's address as sender */
	ISC_DROP_RATE,       /* above the node's bandwidth */
	ISC_DROP_LOCAL,      /* from the dock to a node; only health probes may */
	ISC_DROP_UID,        /* socket opened on the dock by a node's hypervisor */
	ISC_DROP_FULL,       /* the node holds as many connections as it may */
	ISC_DROP_FRAGMENT,   /* more fragments than its share of what the dock puts together */
	ISC_N_DROPS,
} IscDropKind;

/* "mac", "ip", …: counter, chain and log prefix "isc:mac:"; static. */
const gchar *isc_drop_name(IscDropKind kind);

/* Why a connection was let through.  Each is counted and logged once, for the node that is the
 * dock's own end of it; what follows on it is neither. */
typedef enum {
	ISC_PASS_EXPOSED, /* from outside to an exposed port: for the node that has it */
	ISC_PASS_ALLOWED, /* out, or to a peer, by a rule: for the node that opens it */
	ISC_N_PASSES,
} IscPassKind;

/* "exposed", "allowed": log prefix "isc:exposed:" and sets "count-exposed", "log-exposed" of the
 * nodes' shares; static. */
const gchar *isc_pass_name(IscPassKind kind);

/* The counter of all of them; static. */
const gchar *isc_pass_counter(IscPassKind kind);

/* What the tables look like on this dock. */
typedef struct {
	const gchar *bridge;     /* "isc0"; whatever else begins so is a bridge of nodes as well */
	IscNet subnet;           /* of the nodes, 10.77.0.0/16 */
	IscNet dedicated;        /* of nodes with bridges of their own; prefix 0: none */
	guint8 bridge_mac[6];    /* frames to other MACs are dropped and counted; zero: left to port
				    isolation */
	const gchar *tap_prefix; /* "isct": every port whose name begins so is hostile */
	const gchar *const *outside; /* interfaces that lead outside; NULL or empty: none, nothing
					is exposed */
	guint32 uid_first, uid_last; /* the nodes' uids on the dock */
	guint32 daemon_uid;          /* who may probe health */
	guint16 log_group;           /* NFLOG; 0: no packet log */
	guint log_rate;              /* packets per second, node and kind; 0: 5 */
	const guint32 *resolvers; /* DNS servers that nodes with open egress may ask though they lie
				     in */
	gsize n_resolvers;        /*   reserved networks */
	const IscNet *host_nets;  /* networks the dock is in; reserved beside the well-known ones */
	gsize n_host_nets;
	guint connections;     /* that a node may hold of each kind, opened and taken; 0: 8192 */
	guint16 leave_first;   /* ports that nodes' own connections leave from, where nothing is */
	guint16 leave_last;    /*   exposed; both 0: ISC_NFT_LEAVE_FIRST, _LAST */
	gboolean is_router;    /* the dock forwards for others, too: that stays open */
	guint64 fragment_pool; /* bytes, of net.ipv4.ipfrag_high_thresh; 0: 4 MiB */
	guint fragment_time;   /* seconds, of net.ipv4.ipfrag_time; 0: 30 */
} IscNftConfig;

/* RFC 6335: dynamic ports, which no service is ever given. */
#define ISC_NFT_LEAVE_FIRST 49152
#define ISC_NFT_LEAVE_LAST 65535

/* All that the boundary knows of one node. */
typedef struct {
	guint slot; /* 2..65000 */
	gchar name[ISC_NAME_MAX + 1];
	gchar group[ISC_NAME_MAX + 1]; /* that it is a node of, or "" */
	gchar set[ISC_NAME_MAX +
			1]; /* whose members share what it exposes, or "": see IscBalance */
	gchar tap[16];      /* "isct<slot>" */
	guint8 mac[6];
	guint32 address;            /* host byte order */
	guint16 health_port;        /* TCP port the dock may probe; 0: none */
	guint64 rate_up, rate_down; /* bytes per second from and to the node; 0: no limit */
	gboolean quarantined;
	guint32 stand_in; /* host byte order: what it exposes leads there instead; 0: to itself */
	GArray *expose;   /* of IscExpose; NULL: none */
	GArray *egress;   /* of IscEgress; NULL: none */
} IscFence;

/* Ports of the dock that lead to all members of a set that are in force.  Each new connection falls
 * into one of ISC_NFT_BUCKETS buckets by chance, and each bucket leads to one member; from then on
 * conntrack keeps it there.  120 is a multiple of all small numbers of members, so that these get
 * the very same share. */
#define ISC_NFT_BUCKETS 120

typedef struct {
	gchar name[ISC_NAME_MAX + 1];
	GArray *expose; /* of IscExpose */
	GArray *slots;  /* of guint: members that may have new connections; none that has no fence,
			   or is cut off, does */
} IscBalance;

IscBalance *isc_balance_new(
		const gchar *name, GArray *expose); /* takes a reference; without members */
void isc_balance_free(IscBalance *balance);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscBalance, isc_balance_free)

IscFence *isc_fence_copy(const IscFence *fence); /* deep */
void isc_fence_clear(IscFence *fence);           /* releases the arrays, not @fence itself */
void isc_fence_free(IscFence *fence);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscFence, isc_fence_free)

/* The sets and maps that nodes are elements of.  Table in nft.c. */
typedef enum {
	ISC_NFT_PIN_MAC,      /* bridge: tap . MAC */
	ISC_NFT_PIN,          /* bridge: tap . MAC . address, not quarantined */
	ISC_NFT_CUT,          /* bridge: tap, quarantined */
	ISC_NFT_NODES,        /* address */
	ISC_NFT_QUARANTINED,  /* address */
	ISC_NFT_EXPOSE,       /* protocol . port : address . port */
	ISC_NFT_EXPOSE_AT,    /* outside address . protocol . port : address . port */
	ISC_NFT_HEALTH,       /* address . port */
	ISC_NFT_PEER,         /* address . address . protocol . port */
	ISC_NFT_EGRESS,       /* address . protocol . address . port */
	ISC_NFT_EGRESS_OPEN,  /* address */
	ISC_NFT_EGRESS_CLASS, /* address : class */
	ISC_NFT_WIDE_NAMED, /* class . protocol . network . ports: before the reserved networks are
			       cut */
	ISC_NFT_WIDE,       /* the same, after */
	ISC_NFT_ICMP_NAMED, /* class . network */
	ISC_NFT_ICMP,
	ISC_NFT_RATE_UP, /* address, with its own limit */
	ISC_NFT_RATE_DOWN,
	ISC_NFT_GROUP,       /* address : group */
	ISC_NFT_GROUP_PEER,  /* address . group . protocol . port */
	ISC_NFT_EGRESS_HOST, /* address . protocol . address . port: by name, not to reserved
				networks */
	ISC_NFT_BALANCE,     /* protocol . port . bucket : address . port */
	ISC_NFT_BALANCE_AT,  /* outside address . protocol . port . bucket : address . port */
	ISC_NFT_ORDINARY,    /* address, neither quarantined nor with a limit of its bandwidth */
	ISC_NFT_SELVES,      /* address . the same address: nft compares no two fields */
	ISC_N_NFT_SETS,
} IscNftSet;

#define ISC_NFT_KEY_MAX 28
#define ISC_NFT_DATA_MAX 8

/* One element in the kernel's own form: the fields of a key one behind the other, each padded to 4
 * bytes, in network byte order but for marks (linux/netfilter/nf_tables.h, NFTA_SET_ELEM_KEY). Text
 * and read-back both come from it. */
typedef struct {
	IscNftSet set;
	guint8 key[ISC_NFT_KEY_MAX];
	guint8 key_end[ISC_NFT_KEY_MAX]; /* interval sets: the last of each field; else equal to key
					  */
	guint8 data[ISC_NFT_DATA_MAX];   /* maps */
	guint64 rate;                    /* rate sets: bytes per second */
} IscNftElement;

typedef struct {
	gboolean is_bridge;
	const gchar *name;
	gboolean is_interval;
	guint key_len, data_len; /* bytes; data_len 0: a set */
} IscNftSetInfo;

const IscNftSetInfo *isc_nft_set_info(IscNftSet set);

/* For hash tables keyed by IscNftElement*: same set and same key. */
guint isc_nft_element_hash(gconstpointer element);
gboolean isc_nft_element_equal(gconstpointer a, gconstpointer b);

/* As nft prints it, e.g. `"isct2" . 52:54:4e:00:00:02 . 10.77.0.2`.  Returns: (transfer full) */
gchar *isc_nft_element_print(const IscNftElement *element);

/* Appends to @out (of guint32) what the name in @rule stands for: a node's address, a host's
 * addresses; none where it is not known (yet): the rule then allows nothing. */
typedef void (*IscNftResolve)(const IscEgress *rule, GArray *out, gpointer data);

/**
 * isc_nft_fence_elements:
 * @resolve: (nullable): for "node:NAME:…" and "host:NAME:…" rules
 *
 * All elements that stand for @fence.  Elements of wide classes are shared by all nodes of that
 * class. Errors: ISC_ERROR_INVALID: a name, address or MAC that cannot be one; more than
 * ISC_RULES_MAX rules. Returns: (transfer full): GArray of IscNftElement, none twice
 */
GArray *isc_nft_fence_elements(const IscNftConfig *config, const IscFence *fence,
		IscNftResolve resolve, gpointer data, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All elements of ports that are shared by nodes at @addresses (host byte order); none for none.
 * Returns: (transfer full): GArray of IscNftElement */
GArray *isc_nft_balance_elements(const GArray *expose, const guint32 *addresses, gsize n);

/* How the kernel calls group @name: a hash with bit 31 set, which keeps it apart from every other
 * mark of ours but egress classes, which no rule compares with it.  Whoever applies the elements
 * refuses two groups of one number. */
guint32 isc_nft_group_id(const gchar *name);

/* Set is shared between the nodes of a class, and so counted by the caller. */
gboolean isc_nft_element_is_shared(const IscNftElement *element);

/**
 * isc_nft_render_base:
 * Tables, sets, counters and all rules.  Replaces our rules where they stand already and keeps the
 * elements: applied as one transaction it leaves no moment without rules. Errors:
 * ISC_ERROR_INVALID: an interface name that is none. Returns: (transfer full)
 */
gchar *isc_nft_render_base(const IscNftConfig *config, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_nft_render_guard:
 * @n: below ISC_NFT_GUARDS; tables of different @n stand beside one another
 *
 * The table ISC_NFT_GUARD, which belongs to the netlink socket that makes it: nobody else can flush
 * it, and it ends with that socket.  It drops what our rules have not passed.  Errors: as
 * isc_nft_render_base().  Returns: (transfer full)
 */
gchar *isc_nft_render_guard(const IscNftConfig *config, guint n, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* "isc-dock-guard", "isc-dock-guard-1", …  Returns: (transfer full) */
gchar *isc_nft_guard_name(guint n);

/* Removes both tables, where they stand.  Static. */
const gchar *isc_nft_render_delete(void);

/* Empties every set that nodes are elements of; for a rewrite of all in one transaction.  Returns:
 * (transfer full) */
gchar *isc_nft_render_flush(void);

/**
 * isc_nft_render_change:
 * @gone, @come: arrays of pointers to IscNftElement; either may be NULL or empty
 *
 * The transaction that takes @gone out and puts @come in, the former first.
 * Returns: (transfer full)
 */
gchar *isc_nft_render_change(const GPtrArray *gone, const GPtrArray *come);

/* Bytes that a node limited to @rate (bytes per second) may send at once. */
guint32 isc_nft_burst(guint64 rate);

/* How many rules isc_nft_render_base()'s @text holds: what the kernel must hold afterwards. */
guint isc_nft_count_rules(const gchar *text);

/* An interface name as the kernel allows it and nft can quote it: [A-Za-z0-9_.@:-]{1,15}. */
gboolean isc_nft_is_ifname(const gchar *name);

/* Whether @address is in one of the nodes' networks. */
gboolean isc_nft_is_nodes_address(const IscNftConfig *config, guint32 address);

/* Whether @address is in a network that no node reaches unless a rule names it. */
gboolean isc_nft_is_reserved(const IscNftConfig *config, guint32 address);

/* The well-known networks that no node reaches unless a rule names them; see nft-base.c. */
const IscNet *isc_nft_reserved(gsize *n);
/* Cloud metadata services: named only by a rule for that one address. */
const guint32 *isc_nft_metadata(gsize *n);
