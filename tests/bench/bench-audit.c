/*
 * G11: audit records taken in, durable and chained.  Against a writer that syncs each record, and
 * auditd.
 *
 *   isc            frames of a guest parsed, lines made, hashed, chained, signed, fdatasync: group
 * commit, one thread sync each      the same lines, write and fdatasync one by one: what "nothing
 * is lost" costs without group commit auditd data    auditd fed over TCP as from another machine,
 * flush=data: it syncs each record, too auditd async   … flush=incremental_async, as Debian ships
 * it: acknowledged before it is on disk
 *
 * All on the same file system, in turns; the first round is dropped.  Unit: 1,000 records.  auditd
 * needs root (a network namespace of its own); without, it is left out and said so.  Prints JSON
 * lines.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <json-c/json.h>
#include <linux/fs.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "collector/frame.h"
#include "collector/trail-writer.h"

#define PORT 6060
#define WINDOW_US 15000 /* as the collector: from the first record to its commit */
#define SESSION 0x5151515151515151u

typedef enum {
	OURS,
	SYNC_EACH,
	AUDITD_DATA,
	AUDITD_ASYNC,
	N_KINDS,
} Kind;

/* clang-format off */
static const struct {
	const gchar *name;
	guint records; /* a round */
	guint goal;    /* how often ours must be as fast; 0: none */
} kinds[N_KINDS] = {
	[OURS]         = { "isc", 60000, 0 },
	[SYNC_EACH]    = { "sync each", 100, 50 },
	[AUDITD_DATA]  = { "auditd data", 100, 50 },
	[AUDITD_ASYNC] = { "auditd async", 6000, 0 },
};
/* clang-format on */

typedef struct {
	gchar *dir;
	int rounds;
	GArray *ms[N_KINDS]; /* double: for 1,000 records */
	double cpu_s;        /* of ours, all rounds that count */
	GArray *windows;     /* double, ms: from taking the first record to its being on disk */
	guint64 ours;
	GByteArray *frames; /* what the guest sends in one round */
	GPtrArray *lines;   /* what the peers write */
	IscTrailWriter *trail;
	int sync_fd;
	GSubprocess *auditd;
	int auditd_fd;
	gboolean has_auditd;
} Bench;

/* --- the records: commands, six each
 * --------------------------------------------------------------- */

static const struct {
	guint16 type;
	const gchar *name, *text;
} templates[] = {
	{ 1300, "SYSCALL",
			"arch=c000003e syscall=59 success=yes exit=0 a0=55d0c8a0 a1=55d0c8b0 "
			"a2=55d0c8c0 a3=8 "
			"items=2 ppid=1 pid=812 auid=4294967295 uid=33 gid=33 euid=33 suid=33 "
			"fsuid=33 egid=33 "
			"sgid=33 fsgid=33 tty=(none) ses=4294967295 comm=\"php\" "
			"exe=\"/usr/bin/php\" "
			"subj=kernel key=\"isc-exec\"" },
	{ 1309, "EXECVE", "argc=3 a0=\"php\" a1=\"-f\" a2=\"/srv/www/index.php\"" },
	{ 1307, "CWD", "cwd=\"/srv/www\"" },
	{ 1302, "PATH",
			"item=0 name=\"/usr/bin/php\" inode=2081 dev=fd:00 mode=0100755 ouid=0 "
			"ogid=0 rdev=00:00 "
			"nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0" },
	{ 1327, "PROCTITLE", "proctitle=706870002D66002F7372762F7777772F696E6465782E706870" },
	{ 1320, "EOE", "" },
};

static void make_records(Bench *b)
{
	g_autoptr(GByteArray) payload = g_byte_array_new();
	guint64 seq = 0;
	guint16 count = 0;

	b->frames = g_byte_array_new();
	b->lines = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < kinds[OURS].records; i++) {
		guint k = i % G_N_ELEMENTS(templates), event = i / G_N_ELEMENTS(templates);
		g_autofree gchar *text = g_strdup_printf("audit(%u.%03u:%u): %s",
				1700000000 + event / 1000, event % 1000, event, templates[k].text);
		IscWireRecord r = { templates[k].type, (guint16)strlen(text) };
		g_byte_array_append(payload, (const guint8 *)&r, sizeof r);
		g_byte_array_append(payload, (const guint8 *)text, r.len);
		count++;
		if (i < kinds[AUDITD_ASYNC].records)
			g_ptr_array_add(b->lines, g_strdup_printf("type=%s msg=%s\n",
								  templates[k].name, text));
		if (payload->len < ISC_WIRE_PAYLOAD_MAX - 1000 && i + 1 < kinds[OURS].records)
			continue;
		IscWireHeader h = { ISC_WIRE_MAGIC, payload->len, SESSION, ++seq, ISC_WIRE_RECORDS,
			count, 0 };
		g_byte_array_append(b->frames, (const guint8 *)&h, sizeof h);
		g_byte_array_append(b->frames, payload->data, payload->len);
		g_byte_array_set_size(payload, 0);
		count = 0;
	}
}

static double seconds_since(gint64 start)
{
	return (double)(g_get_monotonic_time() - start) / G_USEC_PER_SEC;
}

/* --- ours
 * ------------------------------------------------------------------------------------------ */

typedef struct {
	Bench *b;
	gint64 first; /* µs: since when something waits; 0: nothing does */
	guint64 frame;
} Ours;

static void commit(Ours *o)
{
	g_autoptr(GError) error = NULL;
	if (!isc_trail_writer_commit(o->b->trail, FALSE, &error))
		g_error("%s", error->message);
	double ms = seconds_since(o->first) * 1000;
	g_array_append_val(o->b->windows, ms);
	o->first = 0;
}

static void on_frame(gpointer self, const IscFrame *frame)
{
	Ours *o = self;
	gsize at = 0, len;
	guint16 type;
	const gchar *text;
	gint64 now = g_get_real_time();
	IscTrailMark mark = { SESSION, ++o->frame, 0, 0 };

	if (!o->first)
		o->first = g_get_monotonic_time();
	isc_trail_writer_mark(o->b->trail, &mark);
	while (isc_frame_next_record(frame, &at, &type, &text, &len))
		isc_trail_writer_add(o->b->trail, now, mark.frame, type, text, len);
	if (isc_trail_writer_is_full(o->b->trail) || g_get_monotonic_time() - o->first > WINDOW_US)
		commit(o);
}

static void on_bad(gpointer self, IscWireBad what, gboolean fresh)
{
	(void)self;
	(void)fresh;
	g_error("bad frame %d", what);
}

static double cpu_seconds(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void run_ours(Bench *b)
{
	static const IscFrameOps ops = { on_frame, on_bad };
	Ours o = { .b = b };
	IscFrameParser p;

	isc_frame_parser_init(&p, ISC_CHANNEL_AUDIT, FALSE, &ops, &o);
	/* In the pieces in which a socket gives it. */
	for (gsize at = 0; at < b->frames->len; at += 128 * 1024)
		isc_frame_parser_feed(
				&p, b->frames->data + at, MIN(128 * 1024, b->frames->len - at));
	if (o.first)
		commit(&o);
	isc_frame_parser_clear(&p);
}

/* --- sync each
 * ------------------------------------------------------------------------------------- */

static void run_sync_each(Bench *b)
{
	g_autoptr(GError) error = NULL;
	for (guint i = 0; i < kinds[SYNC_EACH].records; i++) {
		const gchar *line = b->lines->pdata[i];
		if (!isc_file_write_all(b->sync_fd, line, strlen(line), &error) ||
				fdatasync(b->sync_fd) != 0)
			g_error("cannot write");
	}
}

/* --- auditd: the protocol of audisp-remote, see its remote-config and audit's private.h
 * ------------- */

static void put32(guint8 *p, guint32 n)
{
	for (guint i = 0; i < 4; i++)
		p[i] = (guint8)(n >> 8 * i);
}

static gboolean read_acks(int fd, gsize *have, guint n, guint *acked)
{
	guint8 buf[4096];
	while (*acked < n) {
		ssize_t got = recv(fd, buf, sizeof buf, 0);
		if (got <= 0)
			return FALSE;
		*have += (gsize)got;
		*acked = (guint)(*have / 16); /* an answer is a header of 16 bytes */
	}
	return TRUE;
}

static gboolean run_auditd(Bench *b, Kind kind)
{
	guint n = kinds[kind].records, acked = 0;
	gsize have = 0;
	for (guint i = 0; i < n; i++) {
		const gchar *line = b->lines->pdata[i];
		gsize len = strlen(line);
		guint8 message[16 + 1024] = { 0xfe, 0, 0, 0xff };
		put32(message + 6, 0); /* a record */
		message[10] = (guint8)len;
		message[11] = (guint8)(len >> 8);
		put32(message + 12, i + 1);
		memcpy(message + 16, line, len);
		if (send(b->auditd_fd, message, 16 + len, MSG_NOSIGNAL) != (ssize_t)(16 + len))
			return FALSE;
		/* Some in flight, so that it is its speed and not that of the loopback. */
		if (i % 64 == 63 && !read_acks(b->auditd_fd, &have, i - 31, &acked))
			return FALSE;
	}
	return read_acks(b->auditd_fd, &have, n, &acked);
}

static gboolean loopback_up(void)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	isc_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0;
}

static gboolean start_auditd(Bench *b, Kind kind)
{
	g_autoptr(GError) error = NULL;
	g_autofree gchar *dir = g_build_filename(b->dir, "auditd", NULL);
	g_autofree gchar *conf = g_build_filename(dir, "auditd.conf", NULL);
	g_autofree gchar *text = g_strdup_printf(
			"local_events = no\nwrite_logs = yes\n"
			"log_file = %s/audit.log\nlog_format = RAW\nflush = %s\n"
			"freq = 50\nmax_log_file = 1000\nnum_logs = 2\n"
			"max_log_file_action = IGNORE\nname_format = NONE\n"
			"space_left = 75\nspace_left_action = IGNORE\n"
			"admin_space_left = 50\nadmin_space_left_action = IGNORE\n"
			"disk_full_action = IGNORE\ndisk_error_action = IGNORE\n"
			"tcp_listen_port = %d\ntcp_client_max_idle = 0\n"
			"use_libwrap = no\ndistribute_network = no\n",
			dir, kind == AUDITD_DATA ? "DATA" : "INCREMENTAL_ASYNC", PORT);

	if (!isc_file_mkdir(dir, 0700, &error) ||
			!isc_file_write(AT_FDCWD, conf, text, strlen(text), 0600, &error))
		g_error("%s", error->message);
	b->auditd = g_subprocess_new(
			G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
			&error, "auditd", "-n", "-c", dir, NULL);
	if (!b->auditd)
		return FALSE;
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	for (guint i = 0; i < 300; i++) {
		b->auditd_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(b->auditd_fd, (struct sockaddr *)&a, sizeof a) == 0)
			return TRUE;
		isc_clear_fd(&b->auditd_fd);
		g_usleep(10000);
	}
	return FALSE;
}

static void stop_auditd(Bench *b)
{
	isc_clear_fd(&b->auditd_fd);
	if (b->auditd) {
		g_subprocess_send_signal(b->auditd, SIGTERM);
		g_subprocess_wait(b->auditd, NULL, NULL);
	}
	g_clear_object(&b->auditd);
}

/* --- rounds
 * ---------------------------------------------------------------------------------------- */

static void measure(Bench *b, Kind kind, gboolean counts)
{
	gboolean auditd = kind == AUDITD_DATA || kind == AUDITD_ASYNC, ok = TRUE;
	if (auditd && (!b->has_auditd || !start_auditd(b, kind))) {
		stop_auditd(b);
		return;
	}
	gint64 start = g_get_monotonic_time();
	double cpu = cpu_seconds();
	if (kind == OURS)
		run_ours(b);
	else if (kind == SYNC_EACH)
		run_sync_each(b);
	else
		ok = run_auditd(b, kind);
	double ms = seconds_since(start) * 1e6 / kinds[kind].records;
	if (auditd)
		stop_auditd(b);
	if (!counts || !ok)
		return;
	g_array_append_val(b->ms[kind], ms);
	if (kind == OURS) {
		b->cpu_s += cpu_seconds() - cpu;
		b->ours += kinds[kind].records;
	}
}

static int compare_doubles(gconstpointer a, gconstpointer b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double percentile(const GArray *ms, guint percent)
{
	guint rank = (ms->len * percent + 99) / 100;
	return g_array_index(ms, double, MAX(rank, 1) - 1);
}

static void print_line(json_object *line)
{
	puts(json_object_to_json_string_ext(
			line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(line);
}

static void add_number(json_object *line, const gchar *key, double n)
{
	g_autofree gchar *text = g_strdup_printf("%.3f", n);
	json_object_object_add(line, key, json_object_new_double_s(n, text));
}

static void print_machine(const Bench *b)
{
	struct utsname host;
	struct statfs fs;
	uname(&host);
	json_object *line = json_object_new_object();
	json_object_object_add(line, "bench", json_object_new_string("audit"));
	json_object_object_add(line, "kernel", json_object_new_string(host.release));
	json_object_object_add(line, "machine", json_object_new_string(host.machine));
	json_object_object_add(line, "cores", json_object_new_int((int)g_get_num_processors()));
	if (statfs(b->dir, &fs) == 0)
		json_object_object_add(line, "filesystem", json_object_new_int64(fs.f_type));
	print_line(line);
}

static void print_kind(Bench *b, Kind kind)
{
	GArray *ms = b->ms[kind];
	if (ms->len == 0) {
		fprintf(stderr, "bench-audit: no %s here (needs root and auditd)\n",
				kinds[kind].name);
		return;
	}
	json_object *line = json_object_new_object();
	json_object_object_add(line, "id", json_object_new_string("G11"));
	json_object_object_add(line, "what", json_object_new_string(kinds[kind].name));
	json_object_object_add(line, "n", json_object_new_int((int)ms->len));
	add_number(line, "p50_ms", percentile(ms, 50));
	add_number(line, "p99_ms", percentile(ms, 99));
	add_number(line, "max_ms", g_array_index(ms, double, ms->len - 1));
	json_object_object_add(line, "failures", json_object_new_int(b->rounds - (int)ms->len));
	add_number(line, "records_per_s", 1e6 / percentile(ms, 50));
	if (kind == OURS) {
		add_number(line, "records_per_core_s", (double)b->ours / b->cpu_s);
		g_array_sort(b->windows, compare_doubles);
		double window = percentile(b->windows, 99);
		add_number(line, "window_p99_ms", window);
		add_number(line, "window_max_ms", percentile(b->windows, 100));
		json_object_object_add(line, "met",
				json_object_new_boolean((double)b->ours / b->cpu_s >= 100000 &&
							window <= 50));
	} else {
		double ratio = percentile(ms, 50) / percentile(b->ms[OURS], 50);
		add_number(line, "ratio", ratio);
		if (kinds[kind].goal) {
			json_object_object_add(
					line, "goal", json_object_new_int((int)kinds[kind].goal));
			json_object_object_add(line, "met",
					json_object_new_boolean(ratio >= kinds[kind].goal));
		}
	}
	print_line(line);
}

static void prepare(Bench *b, const IscSealKey *root)
{
	g_autoptr(GError) error = NULL;
	isc_autofd int dir = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	make_records(b);
	b->windows = g_array_new(FALSE, FALSE, sizeof(double));
	b->trail = isc_trail_writer_open(dir, "bench", root, 0, NULL, &error);
	if (!b->trail)
		g_error("%s", error->message);
	b->sync_fd = openat(dir, "sync-each.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	/* The network of the machine is not ours to listen on. */
	b->has_auditd = geteuid() == 0 && g_find_program_in_path("auditd") &&
			unshare(CLONE_NEWNET) == 0 && loopback_up();
	for (Kind kind = 0; kind < N_KINDS; kind++)
		b->ms[kind] = g_array_new(FALSE, FALSE, sizeof(double));
}

/* As root the trail is append-only by chattr. */
static void unlock(const gchar *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	for (const gchar *name; dir && (name = g_dir_read_name(dir));) {
		g_autofree gchar *file = g_build_filename(path, name, NULL);
		isc_autofd int fd = open(file, O_RDONLY | O_CLOEXEC);
		int flags = 0;
		if (fd >= 0)
			(void)ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

int main(int argc, char **argv)
{
	Bench b = { .rounds = 12, .sync_fd = -1, .auditd_fd = -1 };
	const GOptionEntry options[] = {
		{ "rounds", 'n', 0, G_OPTION_ARG_INT, &b.rounds,
				"Rounds that count; each takes about 2 s", "N" },
		G_OPTION_ENTRY_NULL,
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(GOptionContext) context = g_option_context_new("- measure audit ingest");
	IscSealKey root;

	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error) || b.rounds < 1 ||
			sodium_init() < 0) {
		fprintf(stderr, "bench-audit: %s\n", error ? error->message : "wrong rounds");
		return 2;
	}
	/* A real disk: on a file system in memory fdatasync costs nothing. */
	b.dir = g_strdup("/var/tmp/isc-bench-XXXXXX");
	if (!g_mkdtemp_full(b.dir, 0700)) {
		fprintf(stderr, "bench-audit: /var/tmp: %s\n", g_strerror(errno));
		return 1;
	}
	crypto_sign_keypair(root.pub, root.secret);
	prepare(&b, &root);
	for (int round = 0; round <= b.rounds; round++)
		for (Kind kind = 0; kind < N_KINDS; kind++)
			measure(&b, kind, round > 0);
	for (Kind kind = 0; kind < N_KINDS; kind++)
		g_array_sort(b.ms[kind], compare_doubles);
	print_machine(&b);
	for (Kind kind = 0; kind < N_KINDS; kind++)
		print_kind(&b, kind);
	for (Kind kind = 0; kind < N_KINDS; kind++)
		g_array_unref(b.ms[kind]);
	g_array_unref(b.windows);
	if (!isc_trail_writer_commit(b.trail, TRUE, &error))
		fprintf(stderr, "bench-audit: %s\n", error->message);
	isc_trail_writer_free(b.trail);
	g_byte_array_unref(b.frames);
	g_ptr_array_unref(b.lines);
	isc_clear_fd(&b.sync_fd);
	unlock(b.dir);
	return isc_file_remove_tree(b.dir, NULL) ? 0 : 1;
}
