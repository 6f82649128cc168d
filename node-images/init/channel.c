#include "init/channel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "init/util.h"

#define PORTS "/sys/class/virtio-ports"

static int find(const char *name, char path[300])
{
	char file[300], found[64];
	struct dirent *e;
	int error = -ENOENT;
	DIR *d = opendir(PORTS);

	if (!d)
		return -errno;
	while (error && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, PORTS "/%.200s/name", e->d_name);
		if (isc_slurp(file, found, sizeof found) <= 0)
			continue;
		found[strcspn(found, "\n")] = '\0';
		if (strcmp(found, name) != 0)
			continue;
		snprintf(path, 300, "/dev/%.200s", e->d_name);
		error = 0;
	}
	closedir(d);
	return error;
}

int isc_port_open(IscPort *port, const char *name, int ms, uint64_t size, uint64_t session)
{
	int64_t end = isc_now_ms() + ms;
	char path[300];
	void *memory;
	int error;

	port->fd = -1;
	/* Ports and their names appear a moment after the driver: the device announces them one by
	 * one. */
	while ((error = find(name, path)) && isc_now_ms() < end)
		usleep(2000);
	if (error)
		return error;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	madvise(memory, size, MADV_DONTFORK);
	isc_ring_init(&port->ring, memory, size, session);
	port->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return port->fd < 0 ? -errno : 0;
}

void isc_port_pump(IscPort *port)
{
	const uint8_t *data;
	ssize_t n;
	size_t len;

	while (port->resumed && (len = isc_ring_peek(&port->ring, &data)) > 0) {
		n = write(port->fd, data, len);
		if (n <= 0)
			break;
		isc_ring_sent(&port->ring, (size_t)n);
	}
}

void isc_port_flush(IscPort *port)
{
	isc_ring_seal(&port->ring);
	port->seal_ms = 0;
	isc_port_pump(port);
}

static void watch_open(IscPort *port, int64_t now)
{
	if (!isc_ring_is_open(&port->ring))
		port->seal_ms = 0;
	else if (!port->seal_ms)
		port->seal_ms = now + ISC_PORT_BATCH_MS;
}

void isc_port_record(IscPort *port, uint16_t type, const void *text, size_t len, int64_t now)
{
	uint64_t sealed = port->ring.next_seq;

	isc_ring_record(&port->ring, type, text, len);
	if (port->ring.next_seq != sealed) {
		port->seal_ms = 0;
		isc_port_pump(port);
	}
	watch_open(port, now);
}

bool isc_port_event(IscPort *port, uint32_t kind, int64_t a, int64_t b, int64_t c, int64_t d)
{
	IscWireEvent event = { .kind = kind, .a = a, .b = b, .c = c, .d = d };
	bool fits = isc_ring_frame(&port->ring, ISC_WIRE_EVENT, &event, sizeof event);

	isc_port_pump(port);
	return fits;
}

static void handle(IscPort *port, const IscWireHeader *header, const uint8_t *payload,
		void (*order)(void *data, const IscWireOrder *), void *data)
{
	IscWireOrder o;

	switch (header->type) {
	case ISC_WIRE_RESUME:
		isc_ring_resume(&port->ring, header->session, header->seq);
		port->resumed = true;
		break;
	case ISC_WIRE_ACK:
		/* One of an earlier boot may still lie in the port. */
		if (header->session == port->ring.session)
			isc_ring_ack(&port->ring, header->seq);
		break;
	case ISC_WIRE_ORDER:
		if (header->len < sizeof o)
			break;
		memcpy(&o, payload, sizeof o);
		order(data, &o);
		break;
	default:
		break;
	}
}

void isc_port_ready(IscPort *port, bool hangup, void (*order)(void *data, const IscWireOrder *),
		void *data)
{
	uint8_t bytes[256], payload[ISC_INPUT_PAYLOAD];
	IscWireHeader header;
	ssize_t n;

	/* First the end of the old connection, then what came: data overtakes the news that there
	 * is a new connection (they travel in different queues), so a port that still looks hung up
	 * may already hold the new one's RESUME. */
	if (hangup && port->host) {
		port->resumed = false;
		port->input.len = 0;
	}
	port->host = !hangup;
	while ((n = read(port->fd, bytes, sizeof bytes)) > 0) {
		isc_input_feed(&port->input, bytes, (size_t)n);
		while (isc_input_next(&port->input, &header, payload))
			handle(port, &header, payload, order, data);
	}
	watch_open(port, isc_now_ms());
	isc_port_pump(port);
}
