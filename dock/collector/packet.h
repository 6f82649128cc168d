#pragma once
#include <glib.h>

/*
 * One packet of the packet log, as the kernel's NFLOG gives it (linux/netfilter/nfnetlink_log.h).
 * Pure: bytes and a limit.
 *
 * What the kernel says (port, uid, mark, prefix) and what the packet says (addresses, ports) are
 * kept apart: only the former tells whose packet it was.  Nothing of a packet is ever kept as text:
 * what is printed are numbers, and so there is nothing to escape.
 *
 * The rules log with the prefix "isc:KIND:WHOSE:CHAIN" (render/nft-base.c).
 */

#define ISC_PACKET_KIND 16
#define ISC_PACKET_CHAIN 32

/* Who the rule held it against. */
typedef enum {
	ISC_WHOSE_NOBODY, /* "none", or a word that we do not know */
	ISC_WHOSE_PORT,   /* "port": the tap it came in by */
	ISC_WHOSE_FROM,   /* "from": its sender, which the bridge has proven */
	ISC_WHOSE_TO,     /* "to": its receiver */
	ISC_WHOSE_UID,    /* "uid": the owner of the socket */
} IscPacketWhose;

typedef struct {
	/* the kernel's word */
	gchar kind[ISC_PACKET_KIND];   /* "mac"; [a-z0-9-]+ */
	gchar chain[ISC_PACKET_CHAIN]; /* "drop-mac" */
	IscPacketWhose whose;
	gboolean is_bridge;
	guint32 port; /* index of the interface it came in by, of the bridge port where there is
			 one; 0: of the dock's own */
	guint32 uid;  /* of the socket; G_MAXUINT32: not told */
	guint32 seq;  /* of the group */
	gboolean has_seq;

	/* conntrack's: where the first packet of the connection was sent to, before the dock
	 * redirected it */
	gboolean has_asked;
	guint32 asked;      /* host byte order */
	guint16 asked_port; /* 0: the protocol has none */

	/* the packet's */
	gboolean has_macs, has_to;
	guint8 from_mac[6], to_mac[6]; /* to_mac where has_to */
	guint16 ethertype;             /* host byte order */
	gint vlan;                     /* 0..4095; -1: no tag */
	gboolean is_ip;                /* version 4, with a whole header */
	guint32 from, to;              /* host byte order */
	guint8 proto;
	guint16 len, fragment; /* bytes; offset in bytes */
	gboolean has_ports;    /* TCP, UDP */
	guint16 from_port, to_port;
	gint flags;     /* of TCP; -1: none */
	gint icmp_type; /* -1: no ICMP */
	guint8 icmp_code;
	gboolean is_ip6;
	guint8 from6[16], to6[16];
	gboolean is_arp; /* Ethernet and IPv4 */
	guint16 arp_op;
	guint8 arp_mac[6];
	guint32 arp_from, arp_to;
} IscPacket;

/* @packet: borrowed.  One that is not the dock's own (another prefix) comes with kind "". */
typedef void (*IscPacketFunc)(const IscPacket *packet, gpointer data);

/**
 * isc_packet_parse:
 * @bytes: one datagram of the netlink socket, aligned to 4; @len: any
 *
 * Calls @func for each packet in it.  Returns: how many
 */
guint isc_packet_parse(const guint8 *bytes, gsize len, IscPacketFunc func, gpointer data);

/* Whether packets of @kind were let through. */
gboolean isc_packet_kind_is_accepted(const gchar *kind);

/* Adds "kind=mac rule=bridge/drop-mac smac=… …", printable, at most ISC_PACKET_TEXT_MAX bytes. */
#define ISC_PACKET_TEXT_MAX 512
void isc_packet_print(GString *out, const IscPacket *packet);
