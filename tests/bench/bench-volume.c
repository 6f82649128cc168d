/* G1: an encrypted overlay, made and on disk.  G2: QEMU opening it.  Against qemu-img in the same
 * run.
 *
 * Every round makes and opens one volume of each kind, ours several times, so that all see the same
 * machine; the first round is warm-up and dropped.  Failures are counted, never dropped: qemu-img's
 * benchmark fails at random, and a script that uses it has to ask again, which is what its numbers
 * include. Prints JSON lines: the machine, one line per kind, one per goal. */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "engine/volume.h"
#include "store/keys.h"

#define TRIES_MAX 15
#define OURS_PER_ROUND 4

typedef enum {
	OURS,
	QEMU_IMG_DEFAULT,
	QEMU_IMG_QUICK,
	N_KINDS,
} Kind;

static const gchar *const kind_names[N_KINDS] = { "isc-volume", "qemu-img",
	"qemu-img iter-time=10" };

/* How often our volume must be as fast: performance.md's goals; 0: none. */
static const struct {
	const gchar *id;
	guint goal[N_KINDS];
} goals[] = { { "G1", { 0, 100, 50 } }, { "G2", { 0, 50, 0 } } };

typedef struct {
	GArray *ms[2][N_KINDS]; /* double, by goal and kind */
	guint failures[N_KINDS];
	int rounds, size_mib;
	gchar *dir, *templates, *volume, *key_file;
	IscKey *key;
	GSubprocess *daemon; /* qemu-storage-daemon, or NULL: G2 is not measured */
	GDataInputStream *answers;
} Bench;

static double ms_since(gint64 start)
{
	return (double)(g_get_monotonic_time() - start) / 1000.0;
}

/* --- G1 ----------------------------------------------------------------------------- */

static gboolean run(const gchar *const *argv, GError **error)
{
	g_autoptr(GSubprocess) process = g_subprocess_newv(argv,
			G_SUBPROCESS_FLAGS_STDOUT_SILENCE | G_SUBPROCESS_FLAGS_STDERR_SILENCE,
			error);
	return process && g_subprocess_wait_check(process, NULL, error);
}

static gboolean sync_file(const gchar *path, GError **error)
{
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return isc_error_set_errno(error, errno, "cannot sync '%s'", path);
	return TRUE;
}

static gboolean create_by_qemu_img(Bench *b, Kind kind, GError **error)
{
	g_autofree gchar *secret = g_strconcat("secret,id=k,file=", b->key_file, NULL);
	g_autofree gchar *size = g_strdup_printf("%dM", b->size_mib);
	const gchar *options = kind == QEMU_IMG_QUICK ? "encrypt.format=luks,encrypt.key-secret=k,"
							"encrypt.iter-time=10"
						      : "encrypt.format=luks,encrypt.key-secret=k";
	const gchar *const argv[] = { "qemu-img", "create", "-q", "-f", "qcow2", "--object", secret,
		"-o", options, b->volume, size, NULL };
	for (guint i = 0; i < TRIES_MAX; i++) {
		g_clear_error(error);
		if (run(argv, error))
			return sync_file(b->volume, error);
		b->failures[kind]++;
	}
	return FALSE;
}

static gboolean create(Bench *b, Kind kind, double *ms, GError **error)
{
	gint64 start = g_get_monotonic_time();
	gboolean ok = kind == OURS ? isc_volume_create(b->volume, b->templates, (guint)b->size_mib,
						     isc_key_hex(b->key), (uid_t)-1, (gid_t)-1,
						     error)
				   : create_by_qemu_img(b, kind, error);
	*ms = ms_since(start);
	return ok;
}

/* --- G2: a running QEMU opens the volume, as at a node's start ---------------------- */

/* Sends one QMP command and waits for its answer; events in between are skipped. */
static gboolean qmp(Bench *b, const gchar *command, GError **error)
{
	GOutputStream *in = g_subprocess_get_stdin_pipe(b->daemon);
	if (!g_output_stream_write_all(in, command, strlen(command), NULL, NULL, error) ||
			!g_output_stream_flush(in, NULL, error))
		return FALSE;
	for (;;) {
		g_autofree gchar *line =
				g_data_input_stream_read_line(b->answers, NULL, NULL, error);
		if (!line) {
			if (error && !*error)
				g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "QEMU went away");
			return FALSE;
		}
		g_autoptr(IscJson) answer = json_tokener_parse(line);
		if (json_object_object_get_ex(answer, "return", NULL))
			return TRUE;
		if (json_object_object_get_ex(answer, "error", NULL)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "QEMU says %s", line);
			return FALSE;
		}
	}
}

static gboolean start_daemon(Bench *b, GError **error)
{
	g_autofree gchar *tool = g_find_program_in_path("qemu-storage-daemon");
	if (!tool) {
		fprintf(stderr, "bench-volume: no qemu-storage-daemon (qemu-system-common): no "
				"G2\n");
		return TRUE;
	}
	b->daemon = g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE,
			error, tool, "--chardev", "stdio,id=m", "--monitor", "chardev=m", NULL);
	if (!b->daemon)
		return FALSE;
	b->answers = g_data_input_stream_new(g_subprocess_get_stdout_pipe(b->daemon));
	g_autofree gchar *secret =
			g_strdup_printf("{\"execute\":\"object-add\",\"arguments\":{"
					"\"qom-type\":\"secret\",\"id\":\"k\",\"file\":\"%s\"}}\n",
					b->key_file);
	return qmp(b, "{\"execute\":\"qmp_capabilities\"}\n", error) && qmp(b, secret, error);
}

static gboolean open_in_qemu(Bench *b, double *ms, GError **error)
{
	g_autofree gchar *add =
			g_strdup_printf("{\"execute\":\"blockdev-add\",\"arguments\":{\"driver\":"
					"\"qcow2\",\"node-name\":\"v\","
					"\"encrypt\":{\"format\":\"luks\",\"key-secret\":\"k\"},"
					"\"file\":{\"driver\":\"file\",\"filename\":\"%s\"}}}\n",
					b->volume);
	gint64 start = g_get_monotonic_time();
	gboolean ok = qmp(b, add, error);
	*ms = ms_since(start);
	return ok && qmp(b, "{\"execute\":\"blockdev-del\",\"arguments\":{\"node-name\":\"v\"}}\n",
				     error);
}

/* --- rounds and result -------------------------------------------------------------- */

static gboolean measure(Bench *b, Kind kind, gboolean keep, GError **error)
{
	double made, opened;
	if (!create(b, kind, &made, error)) {
		g_prefix_error(error, "%s: ", kind_names[kind]);
		return FALSE;
	}
	if (b->daemon && !open_in_qemu(b, &opened, error))
		return FALSE;
	if (!isc_volume_shred(b->volume, error))
		return FALSE;
	if (keep)
		g_array_append_val(b->ms[0][kind], made);
	if (keep && b->daemon)
		g_array_append_val(b->ms[1][kind], opened);
	return TRUE;
}

static gboolean measure_all(Bench *b, GError **error)
{
	for (int round = 0; round <= b->rounds; round++) {
		for (guint i = 0; i < OURS_PER_ROUND; i++)
			if (!measure(b, OURS, round > 0, error))
				return FALSE;
		for (Kind kind = QEMU_IMG_DEFAULT; kind < N_KINDS; kind++)
			if (!measure(b, kind, round > 0, error))
				return FALSE;
		fprintf(stderr, "bench-volume: round %d of %d\n", round, b->rounds);
	}
	return TRUE;
}

static gint compare_doubles(gconstpointer a, gconstpointer b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* Nearest rank; @ms is sorted. */
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

static void add_text(json_object *line, const gchar *key, const gchar *text)
{
	json_object_object_add(line, key, json_object_new_string(text));
}

static void add_ms(json_object *line, const gchar *key, double ms)
{
	g_autofree gchar *text = g_strdup_printf("%.3f", ms);
	json_object_object_add(line, key, json_object_new_double_s(ms, text));
}

static void print_machine(const Bench *b)
{
	struct utsname host;
	uname(&host);
	g_autofree gchar *version = NULL;
	const gchar *argv[] = { "qemu-img", "--version", NULL };
	g_spawn_sync(NULL, (gchar **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &version, NULL,
			NULL, NULL);
	json_object *line = json_object_new_object();
	add_text(line, "bench", "volume");
	add_text(line, "kernel", host.release);
	add_text(line, "machine", host.machine);
	json_object_object_add(line, "cores", json_object_new_int((int)g_get_num_processors()));
	add_text(line, "qemu", version ? g_strdelimit(version, "\n", '\0') : "unknown");
	json_object_object_add(line, "size_mib", json_object_new_int(b->size_mib));
	print_line(line);
}

static void print_result(Bench *b)
{
	for (guint g = 0; g < G_N_ELEMENTS(goals); g++) {
		double ours = 0;
		for (Kind kind = 0; kind < N_KINDS; kind++) {
			GArray *ms = b->ms[g][kind];
			if (ms->len == 0)
				continue;
			g_array_sort(ms, compare_doubles);
			json_object *line = json_object_new_object();
			add_text(line, "id", goals[g].id);
			add_text(line, "what", kind_names[kind]);
			json_object_object_add(line, "n", json_object_new_int((int)ms->len));
			add_ms(line, "p50_ms", percentile(ms, 50));
			add_ms(line, "p99_ms", percentile(ms, 99));
			add_ms(line, "max_ms", g_array_index(ms, double, ms->len - 1));
			json_object_object_add(line, "failures",
					json_object_new_int(g == 0 ? (int)b->failures[kind] : 0));
			if (kind == OURS) {
				ours = percentile(ms, 50);
			} else {
				double ratio = percentile(ms, 50) / ours;
				add_ms(line, "ratio", ratio);
				if (goals[g].goal[kind]) {
					json_object_object_add(line, "goal",
							json_object_new_int(
									(int)goals[g].goal[kind]));
					json_object_object_add(line, "met",
							json_object_new_boolean(
									ratio >=
									goals[g].goal[kind]));
				}
			}
			print_line(line);
		}
	}
}

static gboolean bench(Bench *b, GError **error)
{
	b->key = isc_key_new_random();
	if (!isc_file_mkdir(b->templates, 0700, error) ||
			!isc_file_write(AT_FDCWD, b->key_file, isc_key_hex(b->key), 64, 0600,
					error) ||
			!isc_volume_template_ensure(b->templates, (guint)b->size_mib, error) ||
			!start_daemon(b, error) || !measure_all(b, error))
		return FALSE;
	print_machine(b);
	print_result(b);
	return TRUE;
}

static void stop(Bench *b)
{
	if (b->daemon) {
		g_subprocess_force_exit(b->daemon);
		g_subprocess_wait(b->daemon, NULL, NULL);
	}
	g_clear_object(&b->daemon);
	g_clear_object(&b->answers);
	isc_key_free(b->key);
	if (!isc_file_remove_tree(b->dir, NULL))
		fprintf(stderr, "bench-volume: %s is left over\n", b->dir);
	for (guint i = 0; i < 2 * N_KINDS; i++)
		g_array_unref(b->ms[i / N_KINDS][i % N_KINDS]);
	g_free(b->dir);
	g_free(b->templates);
	g_free(b->volume);
	g_free(b->key_file);
}

int main(int argc, char **argv)
{
	Bench b = { .rounds = 8, .size_mib = 256 };
	const GOptionEntry options[] = {
		{ "rounds", 'n', 0, G_OPTION_ARG_INT, &b.rounds,
				"Rounds that count; each takes about 10 s", "N" },
		{ "size", 's', 0, G_OPTION_ARG_INT, &b.size_mib, "Virtual size of a volume",
				"MiB" },
		{ NULL, 0, 0, 0, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	g_autoptr(GOptionContext) context =
			g_option_context_new("- time of encrypted volumes (G1, G2)");
	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		fprintf(stderr, "bench-volume: %s\n", error->message);
		return 2;
	}
	if (b.rounds < 1 || b.size_mib < ISC_VOLUME_MIB_MIN || b.size_mib > ISC_VOLUME_MIB_MAX) {
		fprintf(stderr, "bench-volume: --rounds and --size must be 1 or more\n");
		return 2;
	}
	b.dir = g_dir_make_tmp("isc-bench-XXXXXX", &error);
	if (!b.dir) {
		fprintf(stderr, "bench-volume: %s\n", error->message);
		return 1;
	}
	b.templates = g_build_filename(b.dir, "templates", NULL);
	b.volume = g_build_filename(b.dir, "volume.qcow2", NULL);
	b.key_file = g_build_filename(b.dir, "key", NULL);
	for (guint i = 0; i < 2 * N_KINDS; i++)
		b.ms[i / N_KINDS][i % N_KINDS] = g_array_new(FALSE, FALSE, sizeof(double));

	gboolean ok = bench(&b, &error);
	if (!ok)
		fprintf(stderr, "bench-volume: %s\n", error->message);
	stop(&b);
	return ok ? 0 : isc_error_exit_status(error);
}
