#pragma once
/* A virtio-serial port with its ring: what goes into the ring goes out when the dock listens, and
 * comes back after each new connection if the dock does not have it yet. */
#include <stdbool.h>
#include <stdint.h>

#include "init/ring.h"

typedef struct {
	int fd;          /* nonblocking, -1: no such port */
	bool host;       /* somebody had the other end at the last look */
	bool resumed;    /* the dock has said where it stands; before that nothing is sent */
	int64_t seal_ms; /* when the open frame is to be closed; 0: none is open */
	IscRing ring;
	IscInput input;
} IscPort;

/* Finds the port by @name (waits for it at most @ms) and opens it; makes its ring of @size bytes (a
 * power of two). The ring's memory is not shared with children.  Returns 0 or -errno. */
int isc_port_open(IscPort *port, const char *name, int ms, uint64_t size, uint64_t session);

/* Adds a record, to be sent at latest ISC_PORT_BATCH_MS from now (or with the next full frame). */
enum {
	ISC_PORT_BATCH_MS = 20,
};
void isc_port_record(IscPort *port, uint16_t type, const void *text, size_t len, int64_t now);

/* Adds an event and sends it at once if it can.  Returns false if there was no room for it. */
bool isc_port_event(IscPort *port, uint32_t kind, int64_t a, int64_t b, int64_t c, int64_t d);

/* Reads what the dock sent (@hangup: it has gone away), then sends.  Each order goes to @order.
 * The port is watched edge-triggered: a port without a listener reports its hang-up for ever. */
void isc_port_ready(IscPort *port, bool hangup, void (*order)(void *data, const IscWireOrder *),
		void *data);

/* Sends what there is until the port takes no more; never blocks. */
void isc_port_pump(IscPort *port);

/* Closes the open frame now, or when its time has come (@now >= seal_ms), and sends. */
void isc_port_flush(IscPort *port);
