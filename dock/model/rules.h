#pragma once
#include <glib.h>

#include "base/name.h"

/* Network rules as data.  Plain values without pointers: copy them by assignment, there is nothing
 * to free. Addresses are IPv4 in host byte order, ports 1..65535; both ends of a range belong to
 * it. */

#define ISC_RULE_MAX_BYTES 128     /* a rule's text */
#define ISC_RULES_MAX 64           /* rules of one kind per node */
#define ISC_RULE_MAX_HOST_PORTS 16 /* of a host by name: each for each of its addresses */
#define ISC_RULE_MAX_PORTS 256     /* of a node in one rule: each costs a map element */

/* IANA protocol numbers. */
typedef enum {
	ISC_PROTO_ICMP = 1,
	ISC_PROTO_TCP = 6,
	ISC_PROTO_UDP = 17,
} IscProto;

/* "tcp", "udp", "icmp"; static. */
const gchar *isc_proto_name(IscProto proto);

typedef struct {
	guint32 address; /* all bits behind @prefix are zero */
	guint8 prefix;   /* bits, 0..32 */
} IscNet;

gboolean isc_net_contains(const IscNet *outer, const IscNet *inner);
gboolean isc_net_overlaps(const IscNet *a, const IscNet *b);
guint32 isc_net_last(const IscNet *net); /* its last address */

/* A port of the dock that leads to a port of the node. */
typedef struct {
	IscProto proto;     /* TCP or UDP */
	guint32 outside;    /* which of the dock's addresses; 0: all of them */
	guint16 host_first; /* on the dock */
	guint16 host_last;  /* >= host_first */
	guint16 node_first; /* in the node; the range there is as long */
} IscExpose;

typedef enum {
	ISC_EGRESS_DENY,  /* says the default aloud; stands alone */
	ISC_EGRESS_OPEN,  /* anywhere but reserved networks (metadata, private, the dock's own) */
	ISC_EGRESS_NET,   /* protocol, network, ports */
	ISC_EGRESS_NODE,  /* another node of the dock, by name */
	ISC_EGRESS_HOST,  /* a host outside, by a name that the dock resolves */
	ISC_EGRESS_GROUP, /* every other node of the group that the node itself is in */
} IscEgressKind;

/* Where a node may open connections to. */
typedef struct {
	IscEgressKind kind;
	IscProto proto;                /* NET: any; else TCP or UDP */
	IscNet net;                    /* NET */
	guint16 port_first, port_last; /* 0 for ICMP */
	gchar name[ISC_HOST_MAX + 1];  /* NODE, GROUP, HOST */
} IscEgress;

/**
 * isc_expose_parse:
 * @text: [tcp:|udp:][ADDRESS:]PORT[-PORT]:PORT[-PORT], the dock's side first: "8080:80",
 *        "udp:5000-5010:5000-5010", "tcp:192.0.2.7:443:8443".  The protocol is tcp where none is
 * given.
 *
 * Errors: ISC_ERROR_INVALID with the text and the position (from 1) of what is wrong.
 */
gboolean isc_expose_parse(const gchar *text, IscExpose *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The canonical text: parse(print(x)) = x.  Returns: (transfer full) */
gchar *isc_expose_print(const IscExpose *expose);

/* Both claim the same protocol, port and address of the dock. */
gboolean isc_expose_overlaps(const IscExpose *a, const IscExpose *b);

/**
 * isc_egress_parse:
 * @text: "deny", "open", "icmp", "icmp:NET", "tcp:NET:PORT[-PORT]", "udp:NET:PORT[-PORT]" with NET
 * an address or ADDRESS/BITS, "host:NAME.DOMAIN:tcp/PORT[-PORT]", or "node:NAME:tcp/PORT[-PORT]",
 * "group:NAME:tcp/PORT[-PORT]" (udp as well)
 *
 * Errors: as isc_expose_parse(); a network with bits behind its prefix is one, with the network
 * that was meant.
 */
gboolean isc_egress_parse(const gchar *text, IscEgress *out, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
gchar *isc_egress_print(const IscEgress *egress);

/**
 * isc_expose_parse_list:
 * @texts: NULL-terminated, or NULL for none; at most ISC_RULES_MAX
 *
 * Errors: as isc_expose_parse(), and ISC_ERROR_INVALID where two of them claim one port.
 * Returns: (transfer full): GArray of IscExpose; g_array_unref()
 */
GArray *isc_expose_parse_list(const gchar *const *texts, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* GArray of IscEgress.  Errors: also where "deny" stands beside another rule. */
GArray *isc_egress_parse_list(const gchar *const *texts, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* "10.77.0.2" or "10.0.0.0/8" (no host bits).  Errors: ISC_ERROR_INVALID. */
gboolean isc_net_parse(const gchar *text, IscNet *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
gchar *isc_net_print(const IscNet *net);
gchar *isc_address_print(guint32 address);
