/* R4.2, R4.3, F14, F15: what the collector takes from a guest. */
#include "cm.h"

#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "forward/receiver.h"

typedef struct {
	gchar *dir, *path, *address;
	int fd; /* listens, or gets datagrams */
	int stop[2];
	IscReceiver *receiver;
} Fixture;

static int setup_type(void **state, int type)
{
	Fixture *f = g_new0(Fixture, 1);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	f->dir = g_dir_make_tmp("isc-receiver-XXXXXX", NULL);
	f->path = g_build_filename(f->dir, "log", NULL);
	f->address = g_strconcat("unix:", f->path, NULL);
	g_strlcpy(a.sun_path, f->path, sizeof a.sun_path);
	f->fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (bind(f->fd, (struct sockaddr *)&a, sizeof a) != 0 || pipe(f->stop) != 0)
		return -1;
	if (type == SOCK_STREAM && listen(f->fd, 4) != 0)
		return -1;
	f->receiver = isc_receiver_new(f->address, f->stop[0], NULL);
	*state = f;
	return f->receiver ? 0 : -1;
}

static int setup_stream(void **state)
{
	return setup_type(state, SOCK_STREAM);
}

static int setup_datagram(void **state)
{
	return setup_type(state, SOCK_DGRAM);
}

static int teardown(void **state)
{
	Fixture *f = *state;
	isc_receiver_free(f->receiver);
	close(f->fd);
	close(f->stop[0]);
	close(f->stop[1]);
	g_unlink(f->path);
	g_rmdir(f->dir);
	g_free(f->dir);
	g_free(f->path);
	g_free(f->address);
	g_free(f);
	return 0;
}

/* A receiver in a thread of its own: reads @bytes and ends; less than was sent: as if it were
 * killed. */
typedef struct {
	Fixture *f;
	gsize bytes;
} Peer;

static gpointer serve(gpointer data)
{
	Peer *peer = data;
	gchar room[65536];
	int fd = accept(peer->f->fd, NULL, NULL);
	gsize left = peer->bytes;
	while (left > 0) {
		gssize n = recv(fd, room, MIN(left, sizeof room), 0);
		if (n <= 0)
			break;
		left -= (gsize)n;
	}
	if (peer->bytes == G_MAXSIZE || left > 0)
		close(fd);
	else {
		g_usleep(50000); /* more has come meanwhile, and stays unread */
		close(fd);
	}
	return NULL;
}

static gboolean deliver(Fixture *f, gsize reads, gsize sends, GError **error)
{
	Peer peer = { f, reads };
	GThread *thread = g_thread_new("peer", serve, &peer);
	g_autofree gchar *bytes = g_strnfill(sends, 'x');
	gboolean ok = isc_receiver_open(f->receiver, error) &&
		      isc_receiver_send(f->receiver, bytes, sends, error) &&
		      isc_receiver_confirm(f->receiver, error);
	g_thread_join(thread);
	return ok;
}

static void what_was_read_is_confirmed(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < 3; i++) {
		assert_true(deliver(f, G_MAXSIZE, 1 << 20, &error));
		assert_no_error(error);
	}
	assert_true(isc_receiver_is_stream(f->receiver));
}

static void what_was_not_read_is_not(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	assert_false(deliver(f, 1000, 5000, &error));
	assert_error(error, ISC_ERROR_HOST, f->path);
	/* The next batch is another connection. */
	assert_true(deliver(f, G_MAXSIZE, 5000, &error));
}

static void datagrams_are_confirmed_when_they_were_read(void **state)
{
	Fixture *f = *state;
	g_autoptr(GError) error = NULL;
	gchar room[100];
	assert_true(isc_receiver_open(f->receiver, &error));
	assert_false(isc_receiver_is_stream(f->receiver));
	assert_true(isc_receiver_send(f->receiver, "one", 3, &error));
	assert_true(isc_receiver_send(f->receiver, "two", 3, &error));
	assert_int_equal(recv(f->fd, room, sizeof room, 0), 3);

	/* One is not read, and we are told to stop: nothing is confirmed. */
	assert_int_equal(write(f->stop[1], "x", 1), 1);
	assert_false(isc_receiver_confirm(f->receiver, &error));
	assert_error(error, ISC_ERROR_HOST, "interrupted");
	assert_int_equal(recv(f->fd, room, sizeof room, 0), 3);

	assert_int_equal(read(f->stop[0], room, 1), 1);
	assert_true(isc_receiver_open(f->receiver, &error));
	assert_true(isc_receiver_send(f->receiver, "one", 3, &error));
	assert_int_equal(recv(f->fd, room, sizeof room, 0), 3);
	assert_true(isc_receiver_confirm(f->receiver, &error));
}

static void addresses_are_checked(void **state)
{
	(void)state;
	static const gchar *const good[] = { "tcp:log.example:514", "tcp:[::1]:6514",
		"unix:/dev/log" };
	static const gchar *const bad[] = { "", "udp:x:1", "tcp:x", "tcp::514", "tcp:x:0",
		"tcp:x:99999", "unix:log", "tcp:x:1\033" };
	for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autoptr(IscReceiver) r = isc_receiver_new(good[i], -1, NULL);
		assert_non_null(r);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autoptr(GError) error = NULL;
		assert_null(isc_receiver_new(bad[i], -1, &error));
		assert_error(error, ISC_ERROR_INVALID, "tcp:HOST:PORT");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_read_is_confirmed, setup_stream, teardown),
		cmocka_unit_test_setup_teardown(what_was_not_read_is_not, setup_stream, teardown),
		cmocka_unit_test_setup_teardown(datagrams_are_confirmed_when_they_were_read,
				setup_datagram, teardown),
		cmocka_unit_test(addresses_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
