/* R1.9: packets in the trail. */
#include "trail-fixture.h"

#include "collector/packet-trail.h"

typedef struct {
	Folder *folder;
	IscPacketTrailHost host;
	GString *told; /* files of which an end was told */
} Fixture;

static void on_end(gpointer self, const gchar *node, const IscTrailState *end)
{
	Fixture *f = self;
	assert_true(end->records > 0 && end->block > 0);
	g_string_append_printf(f->told, "%s.%u ", node, end->segment);
}

static int setup(void **state)
{
	Fixture *f = g_new0(Fixture, 1);
	if (folder_setup((void **)&f->folder) != 0)
		return -1;
	f->told = g_string_new(NULL);
	f->host = (IscPacketTrailHost){ .log_fd = f->folder->fd,
		.nodes_fd = f->folder->fd,
		.root = &f->folder->root,
		.pool = g_thread_pool_new(isc_packet_trail_run_job, NULL, 1, TRUE, NULL),
		.tell_end = on_end,
		.self = f };
	*state = f;
	return 0;
}

/* Also the folders below: the trail may have protected its files. */
static void unlock(const gchar *path)
{
	const Folder below = { .path = (gchar *)path,
		.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	if (below.fd < 0)
		return;
	folder_unlock(&below);
	close(below.fd);
}

static int teardown(void **state)
{
	Fixture *f = *state;
	g_thread_pool_free(f->host.pool, FALSE, TRUE);
	static const gchar *const nodes[] = { "web", "dock" };
	for (gsize i = 0; i < G_N_ELEMENTS(nodes); i++) {
		g_autofree gchar *path = g_build_filename(
				f->folder->path, nodes[i], ISC_PACKET_TRAIL_FOLDER, NULL);
		unlock(path);
	}
	g_string_free(f->told, TRUE);
	int rc = folder_teardown((void **)&f->folder);
	g_free(f);
	return rc;
}

static void settle(IscPacketTrail *t)
{
	for (guint i = 0; i < 5000 && isc_packet_trail_is_busy(t); i++) {
		isc_packet_trail_flush(t);
		g_usleep(1000);
	}
	assert_false(isc_packet_trail_is_busy(t));
}

static gchar *read_log(const Fixture *f, const gchar *node)
{
	g_autofree gchar *path = g_build_filename(
			f->folder->path, node, ISC_PACKET_TRAIL_FOLDER, "audit.log", NULL);
	gchar *text = NULL;
	g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

static gboolean verify(const Fixture *f, const gchar *node, const gchar *name)
{
	g_autofree gchar *path =
			g_build_filename(f->folder->path, node, ISC_PACKET_TRAIL_FOLDER, NULL);
	isc_autofd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const IscTrailExpect expect = { .name = name, .root = f->folder->root.pub };
	IscTrailReport report;
	gboolean ok = isc_trail_verify_dir(dir, &expect, NULL, NULL, &report, NULL);
	isc_trail_report_clear(&report);
	return ok;
}

static void lines_go_into_a_chained_trail_of_the_nodes_own(void **state)
{
	Fixture *f = *state;
	IscPacketTrail *t = isc_packet_trail_new(&f->host, "web");
	isc_packet_trail_flush(t);
	assert_int_not_equal(faccessat(f->folder->fd, "web", F_OK, 0), 0); /* nothing to write */
	isc_packet_trail_add(t, 1700000000123456, "kind=mac rule=bridge/drop-mac");
	isc_packet_trail_note(t, 1700000001000000, "op=network-left-out kind=mac left-out=9");
	settle(t);
	isc_packet_trail_free(t);
	/* And on in another life. */
	t = isc_packet_trail_new(&f->host, "web");
	isc_packet_trail_add(t, 1700000002000000, "kind=ip rule=bridge/drop-ip");
	settle(t);
	isc_packet_trail_free(t);

	g_autofree gchar *text = read_log(f, "web");
	assert_string_equal(text,
			"type=NETFILTER_PKT msg=audit(1700000000.123:4000000001): kind=mac "
			"rule=bridge/drop-mac\n"
			"type=DAEMON_CONFIG msg=audit(1700000001.000:4000000002): "
			"op=network-left-out kind=mac left-out=9\n"
			"type=NETFILTER_PKT msg=audit(1700000002.000:4000000003): kind=ip "
			"rule=bridge/drop-ip\n");
	gchar name[ISC_PACKET_TRAIL_NAME];
	isc_packet_trail_name("web", name);
	assert_true(verify(f, "web", name));
	/* It cannot be passed off as the audit trail of the node. */
	assert_false(verify(f, "web", "web"));
	/* How far it is, once in each life. */
	assert_string_equal(f->told->str, "web.1 web.1 ");
}

static void what_is_nobodys_is_the_docks(void **state)
{
	Fixture *f = *state;
	IscPacketTrail *t = isc_packet_trail_new(&f->host, "");
	isc_packet_trail_add(t, 1700000000000000, "kind=spoof");
	settle(t);
	isc_packet_trail_free(t);
	g_autofree gchar *text = read_log(f, "dock");
	assert_true(text && strstr(text, "kind=spoof"));
	assert_true(verify(f, "dock", "+@dock"));
}

/* The disk refuses: nobody waits, and what was lost is a number in the next line. */
static void lines_that_were_refused_are_counted(void **state)
{
	Fixture *f = *state;
	isc_autofd int file = openat(f->folder->fd, "web", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	IscPacketTrail *t = isc_packet_trail_new(&f->host, "web");
	isc_packet_trail_add(t, 0, "kind=mac");
	isc_packet_trail_flush(t);
	for (guint i = 0; i < 5000 && isc_packet_trail_is_busy(t); i++) {
		g_usleep(1000);
		isc_packet_trail_flush(t);
	}
	for (guint i = 0; i < 5000; i++) /* it does not keep all that comes meanwhile */
		isc_packet_trail_add(t, 0, "kind=mac");
	assert_null(read_log(f, "web"));
	isc_packet_trail_free(t);
	assert_int_equal(unlinkat(f->folder->fd, "web", 0), 0);
}

/* Files of 8 MiB: the oldest goes, the log says so, and what is left verifies. */
static void a_log_is_kept_to_its_bound(void **state)
{
	Fixture *f = *state;
	f->host.keep_mib = 1;
	IscPacketTrail *t = isc_packet_trail_new(&f->host, "web");
	g_autofree gchar *text = g_strnfill(8000, 'x');
	for (guint i = 0; i < 2800; i++) {
		isc_packet_trail_add(t, 1700000000000000, text);
		if (i % 200 == 199)
			settle(t);
	}
	settle(t);
	isc_packet_trail_free(t);
	g_autofree gchar *folder =
			g_build_filename(f->folder->path, "web", ISC_PACKET_TRAIL_FOLDER, NULL);
	g_autofree gchar *first = g_build_filename(folder, "audit.log.1", NULL);
	g_autofree gchar *second = g_build_filename(folder, "audit.log.2", NULL);
	assert_false(g_file_test(first, G_FILE_TEST_EXISTS) ||
			g_file_test(second, G_FILE_TEST_EXISTS));
	g_autofree gchar *log = read_log(f, "web");
	assert_non_null(strstr(log, "op=network-trimmed files=2-2 bytes="));
	assert_non_null(strstr(log, " keep-mib=1 res=success\n"));
	assert_true(verify(f, "web", "+web"));
	/* That a file was begun is told, so that it is missed when it is gone. */
	assert_string_equal(f->told->str, "web.1 web.2 web.3 ");
}

/* What is let through waits for company, what is dropped for nothing. */
static void calm_lines_go_together(void **state)
{
	Fixture *f = *state;
	IscPacketTrail *t = isc_packet_trail_new(&f->host, "web");
	gint64 began = g_get_monotonic_time();
	isc_packet_trail_add_calm(t, 1700000000000000, "kind=exposed n=1");
	settle(t); /* the first one does not wait */
	for (guint i = 2; i < 5; i++) {
		g_autofree gchar *line = g_strdup_printf("kind=exposed n=%u", i);
		isc_packet_trail_add_calm(t, 1700000000000000, line);
		isc_packet_trail_flush(t);
	}
	g_autofree gchar *before = read_log(f, "web");
	gboolean is_in_time = g_get_monotonic_time() - began <
			      ISC_PACKET_TRAIL_CALM_S / 2 * G_USEC_PER_SEC;
	assert_true(!is_in_time || (isc_packet_trail_is_busy(t) && !strstr(before, "n=2")));
	isc_packet_trail_add(t, 1700000000000000, "kind=mac n=5");
	settle(t);
	g_autofree gchar *after = read_log(f, "web");
	assert_non_null(strstr(after, "n=2"));
	assert_true(strstr(after, "n=4") < strstr(after, "n=5"));
	isc_packet_trail_add_calm(t, 1700000000000000, "kind=exposed n=6");
	isc_packet_trail_hurry(t);
	settle(t);
	isc_packet_trail_free(t);
}

static void a_name_is_marked_and_cut(void **state)
{
	(void)state;
	gchar name[ISC_PACKET_TRAIL_NAME];
	isc_packet_trail_name("web", name);
	assert_string_equal(name, "+web");
	isc_packet_trail_name("a123456789012345678901234567890", name);
	assert_string_equal(name, "+a12345678901234567890123456789");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
				lines_go_into_a_chained_trail_of_the_nodes_own, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_nobodys_is_the_docks, setup, teardown),
		cmocka_unit_test_setup_teardown(
				lines_that_were_refused_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_log_is_kept_to_its_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(calm_lines_go_together, setup, teardown),
		cmocka_unit_test(a_name_is_marked_and_cut),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
