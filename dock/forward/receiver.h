#pragma once
#include <glib.h>

/*
 * The receiver of syslog, and what it has surely got.  Plain syslog has no acknowledgement, and
 * what the receiver's kernel took the receiver itself may never read.  So a batch is a connection
 * of its own: we end our side, and a receiver that has read everything ends its.  One that is
 * killed with anything unread resets the connection instead (RFC 2525; unix sockets do the same),
 * and the batch is sent again.  For datagrams the kernel tells how many were not read yet.
 */
typedef struct IscReceiver IscReceiver;

/**
 * isc_receiver_new:
 * @address: "tcp:HOST:PORT", "unix:/PATH" (a stream or a datagram socket)
 * @stop_fd: whenever this is readable, waiting ends with an error
 *
 * Errors: ISC_ERROR_INVALID.  Returns: (transfer full)
 */
IscReceiver *isc_receiver_new(const gchar *address, int stop_fd, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_receiver_free(IscReceiver *receiver);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscReceiver, isc_receiver_free)

/* Connects, where it is not connected.  Errors: ISC_ERROR_HOST. */
gboolean isc_receiver_open(IscReceiver *receiver, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Whether messages are framed, or are datagrams; once it is open. */
gboolean isc_receiver_is_stream(const IscReceiver *receiver);

/* One message, or with a stream any number of bytes.  Errors: ISC_ERROR_HOST: what was sent since
 * isc_receiver_open() may be lost, and the connection is closed. */
gboolean isc_receiver_send(IscReceiver *receiver, const gchar *bytes, gsize len, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Ends the batch: TRUE where the receiver has read all of it.  The connection is closed. */
gboolean isc_receiver_confirm(IscReceiver *receiver, GError **error) G_GNUC_WARN_UNUSED_RESULT;
