#pragma once
#include <glib.h>

/* The kernel's side of the packet log: what the rules log goes to one NFLOG group, and one socket
 * reads it.  Opened here, where the right to it is (CAP_NET_ADMIN); read by isc-collectord alone,
 * for what comes out of it are bytes of packets. */

#define ISC_PACKET_LOG_GROUP 77
#define ISC_PACKET_LOG_BYTES 128 /* of each packet: headers; the rules say the same (snaplen) */

/**
 * isc_packet_log_open:
 * @group: NFLOG group
 *
 * A netlink socket, bound to @group, that does not block.  The kernel lets go of the group when its
 * last copy is closed.  Errors: ISC_ERROR_STATE: another socket reads the group; ISC_ERROR_HOST.
 * Returns: an fd, owned by the caller; -1 on failure
 */
int isc_packet_log_open(guint16 group, GError **error) G_GNUC_WARN_UNUSED_RESULT;
