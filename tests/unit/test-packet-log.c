#include "netns.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "collector/packet.h"
#include "engine/packet-log.h"

/* dock/engine/packet-log.c against the kernel, read by dock/collector/packet.c. */

static void one_socket_reads_the_group_until_its_last_copy_is_closed(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	isc_autofd int fd = isc_packet_log_open(77, &error);
	assert_no_error(error);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(isc_packet_log_open(77, &error), -1);
	assert_error(error, ISC_ERROR_STATE, "NFLOG group 77");
	isc_autofd int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	isc_clear_fd(&fd);
	assert_int_equal(isc_packet_log_open(77, NULL), -1);
	isc_clear_fd(&copy);
	fd = isc_packet_log_open(77, &error);
	assert_no_error(error);
}

static void send_udp(guint16 port)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	isc_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	(void)sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof to);
}

typedef struct {
	guint n;
	IscPacket last;
} Seen;

static void on_packet(const IscPacket *packet, gpointer data)
{
	Seen *seen = data;
	/* Numbered without a gap: none is missing. */
	if (seen->n > 0)
		assert_int_equal(packet->seq, seen->last.seq + 1);
	seen->last = *packet;
	seen->n++;
}

static void what_the_rules_log_arrives(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	netns_run("ip link set lo up");
	netns_run("nft add table inet t");
	netns_run("nft add chain inet t o '{ type filter hook output priority 0; }'");
	netns_run("nft add rule inet t o meta l4proto udp log prefix '\"isc:uid:uid:drop-uid\"' "
		  "group "
		  "77 snaplen 128");
	isc_autofd int fd = isc_packet_log_open(77, &error);
	assert_no_error(error);
	for (guint i = 0; i < 100; i++)
		send_udp(4711);

	static guint8 buffer[128 * 1024] __attribute__((aligned(8)));
	Seen seen = { 0 };
	struct pollfd p = { fd, POLLIN, 0 };
	while (seen.n < 100 && poll(&p, 1, 2000) == 1) {
		ssize_t len = recv(fd, buffer, sizeof buffer, 0);
		assert_true(len > 0);
		isc_packet_parse(buffer, (gsize)len, on_packet, &seen);
	}
	assert_int_equal(seen.n, 100);
	assert_string_equal(seen.last.kind, "uid");
	assert_int_equal(seen.last.whose, ISC_WHOSE_UID);
	assert_int_equal(seen.last.uid, 0);
	assert_int_equal(seen.last.to, 0x7f000001);
	assert_int_equal(seen.last.to_port, 4711);
}

int main(void)
{
	if (!netns_enter()) {
		puts("ok 1 - the packet log # SKIP no namespaces here");
		return 0;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_socket_reads_the_group_until_its_last_copy_is_closed),
		cmocka_unit_test(what_the_rules_log_arrives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
