/* R1.9: packets from the kernel. */
#include "netns.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "collector/packet-log.h"
#include "collector/packet.h"
#include "engine/packet-log.h"
#include "trail-fixture.h"

/* dock/engine/packet-log.c against the kernel, read by dock/collector/packet.c and packet-log.c. */

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

static void log_all_udp(void)
{
	netns_run("ip link set lo up");
	netns_run("nft add table inet t");
	netns_run("nft add chain inet t o '{ type filter hook output priority 0; }'");
	netns_run("nft add rule inet t o meta l4proto udp log prefix '\"isc:uid:uid:drop-uid\"' "
		  "group "
		  "77 snaplen 128");
}

static void what_the_rules_log_arrives(void **state)
{
	(void)state;
	g_autoptr(GError) error = NULL;
	log_all_udp();
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

static void tell_nobody(gpointer self, const IscLinkMsg *msg)
{
	(void)self;
	(void)msg;
}

static gboolean give_up(gpointer data)
{
	*(gboolean *)data = TRUE;
	return G_SOURCE_REMOVE;
}

/* @word and the number behind it in the log of what is no node's; 0: not there */
static guint64 number_of(const Folder *f, const gchar *word)
{
	g_autofree gchar *path = g_build_filename(
			f->path, "dock", ISC_PACKET_TRAIL_FOLDER, "audit.log", NULL);
	g_autofree gchar *text = NULL;
	g_file_get_contents(path, &text, NULL, NULL);
	const gchar *at = text ? strstr(text, word) : NULL;
	return at ? g_ascii_strtoull(at + strlen(word), NULL, 10) : 0;
}

static void what_the_kernel_had_no_room_for_is_counted(void **state)
{
	const Folder *f = *state;
	g_autoptr(GError) error = NULL;
	const IscPacketTrailHost host = { .log_fd = f->fd, .nodes_fd = f->fd, .root = &f->root };
	const int small = 1;
	gboolean is_late = FALSE;
	IscReactor *reactor = isc_reactor_new(&error);
	IscPacketLog *log = isc_packet_log_new(reactor, &host, tell_nobody, NULL, &error);
	assert_non_null(log);
	int fd = isc_packet_log_open(77, &error);
	assert_no_error(error);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	isc_packet_log_message(log,
			&(IscLinkMsg){ .version = ISC_LINK_VERSION,
					.kind = ISC_LINK_PACKETS,
					.a = 77 },
			fd);
	for (guint i = 0; i < 500; i++)
		send_udp(4711);
	guint timer = g_timeout_add_seconds(30, give_up, &is_late);
	while (!is_late && number_of(f, "op=network-overrun packets=") == 0) {
		send_udp(4712); /* its number shows the gap */
		g_main_context_iteration(NULL, FALSE);
		g_usleep(20000);
	}
	assert_false(is_late);
	assert_in_range(number_of(f, "op=network-overrun packets="), 1, 500);
	g_source_remove(timer);
	isc_packet_log_free(log);
	isc_reactor_free(reactor);
	g_autofree gchar *below = g_build_filename(f->path, "dock", ISC_PACKET_TRAIL_FOLDER, NULL);
	isc_autofd int dir = open(below, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	folder_unlock(&(Folder){ .path = below, .fd = dir });
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
		cmocka_unit_test_setup_teardown(what_the_kernel_had_no_room_for_is_counted,
				folder_setup, folder_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
