/* audit verify, export, report: whether a trail holds, a copy for others, and what is in it.  All
 * three check what they read: nothing is counted or handed on as good that was not verified. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "cli/audit-report.h"
#include "cli/cli.h"
#include "cli/segments.h"
#include "collector/trail-verify.h"

#define KEY_MAX 4096 /* bytes of seal.pub */
#define KEY_FILE "seal.pub"
#define LOOKS 3 /* at a trail that has no block yet */
#define LOOK_AGAIN_US (200 * 1000)
#define TOP 10 /* commands of a report, where --top does not say */

/* What the command line says that a trail must be; kept as long as `expect` is used. */
typedef struct {
	IscTrailExpect expect;
	guint8 key[32];
	GArray *anchors; /* of IscTrailAnchor */
} Wanted;

static void wanted_clear(Wanted *w)
{
	g_clear_pointer(&w->anchors, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wanted, wanted_clear)

/* One trail that was looked at. */
typedef struct {
	IscTrailReport report;
	gchar *file; /* of the first bad record */
} Result;

static void result_clear(Result *r)
{
	isc_trail_report_clear(&r->report);
	g_clear_pointer(&r->file, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

static gboolean read_key(int dir_fd, const gchar *path, guint8 out[32], GError **error)
{
	gsize len;
	g_autofree gchar *text = isc_file_read(dir_fd, path, KEY_MAX, &len, error);
	if (!text || !isc_seal_pub_parse(text, len, out, error)) {
		g_prefix_error(error, "key '%s': ", path);
		return FALSE;
	}
	return TRUE;
}

static gboolean get_wanted(const IscCli *cli, Wanted *w, GError **error)
{
	const gchar *key = isc_args_get(cli->args, "key");
	*w = (Wanted){ .anchors = g_array_new(FALSE, FALSE, sizeof(IscTrailAnchor)) };
	if (sodium_init() < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "libsodium does not start");
		return FALSE;
	}
	if (key && !read_key(AT_FDCWD, key, w->key, error))
		return FALSE;
	if (key)
		w->expect.root = w->key;
	for (gchar *const *text = isc_args_list(cli->args, "anchor"); *text; text++) {
		IscTrailAnchor anchor;
		if (!isc_audit_anchor_parse(*text, &anchor, error))
			return FALSE;
		g_array_append_val(w->anchors, anchor);
	}
	w->expect.anchors = (const IscTrailAnchor *)(gpointer)w->anchors->data;
	w->expect.n_anchors = w->anchors->len;
	return TRUE;
}

/* --- looking ---------------------------------------------------------------------------------- */

static gboolean open_trail(IscCli *cli, const gchar *name, IscSegments *out, GError **error)
{
	IscClient *client = isc_cli_client(cli, error);
	if (!client || !isc_segments_open(client, name, out, error))
		return FALSE;
	/* It takes signals for itself; from here on they may end us as they are used to. */
	g_clear_pointer(&cli->client, isc_client_free);
	return TRUE;
}

/* Names the file of a fault and says it in @error.  Returns: FALSE */
static gboolean say_fault(Result *r, gchar *file, GError **error)
{
	r->file = file;
	if (r->report.fault == ISC_TRAIL_GOOD) {
		g_free(g_steal_pointer(&r->file));
		return FALSE;
	}
	g_clear_error(error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"record %" G_GUINT64_FORMAT " in %s: %s: %s", r->report.record, r->file,
			isc_trail_fault_name(r->report.fault), r->report.detail);
	return FALSE;
}

static gboolean check_node_once(IscCli *cli, const gchar *name, const Wanted *wanted,
		IscTrailRecordFunc func, gpointer data, Result *out, GError **error)
{
	g_auto(IscSegments) segments = { 0 };
	if (!open_trail(cli, name, &segments, error))
		return FALSE;
	IscTrailExpect expect = wanted->expect;
	expect.name = name;
	if (!expect.root && !segments.has_key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"the dock has lost its public key (" KEY_FILE
				"): give one that was kept with --key");
		return FALSE;
	}
	if (!expect.root)
		expect.root = segments.key;

	guint n = segments.all->len;
	g_autofree int *logs = g_new(int, n), *chains = g_new(int, n);
	for (guint i = 0; i < n; i++) {
		logs[i] = g_array_index(segments.all, IscSegment, i).log;
		chains[i] = g_array_index(segments.all, IscSegment, i).chain;
	}
	if (isc_trail_verify_fds(logs, chains, n, &expect, func, data, &out->report, error))
		return TRUE;
	return say_fault(out, isc_segments_file(&segments, out->report.segment), error);
}

/* Checks the trail of node @name as the dock has it.  FALSE with a fault in @out: it was read and
 * does not hold.  A trail that begins just now has files without a first block for a moment, as one
 * that was emptied has for ever: so one without any is looked at again. */
static gboolean check_node(IscCli *cli, const gchar *name, const Wanted *wanted,
		IscTrailRecordFunc func, gpointer data, Result *out, GError **error)
{
	for (guint look = 1;; look++) {
		g_autoptr(GError) why = NULL;
		if (check_node_once(cli, name, wanted, func, data, out, &why))
			return TRUE;
		if (out->report.fault != ISC_TRAIL_TRUNCATED || out->report.blocks > 0 ||
				look == LOOKS) {
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		result_clear(out);
		*out = (Result){ 0 };
		g_usleep(LOOK_AGAIN_US);
	}
}

/* The same for a folder, without any dock.  @name: (nullable): whose trail it must be */
static gboolean check_folder(const gchar *path, const gchar *name, const Wanted *wanted,
		Result *out, GError **error)
{
	isc_autofd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "no folder '%s'", path);
		return FALSE;
	}
	if (dir < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", path);

	IscTrailExpect expect = wanted->expect;
	guint8 key[32];
	struct stat st;
	expect.name = name;
	/* An export ends at a sealed record: it may not hold anything behind it.  A plain copy of a
	 * trail may. */
	expect.at_rest = fstatat(dir, KEY_FILE, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (expect.at_rest && !expect.root) {
		if (!read_key(dir, KEY_FILE, key, error))
			return FALSE;
		expect.root = key;
	}
	if (isc_trail_verify_dir(dir, &expect, NULL, NULL, &out->report, error))
		return TRUE;
	g_autofree gchar *numbered = g_strdup_printf("audit.log.%u", out->report.segment);
	gboolean is_closed = fstatat(dir, numbered, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return say_fault(out, g_strdup(is_closed ? numbered : "audit.log"), error);
}

/* --- verify ----------------------------------------------------------------------------------- */

static gchar *when(gint64 us)
{
	return isc_output_time(us / G_USEC_PER_SEC);
}

static IscJson *result_json(const Result *r, const gchar *name)
{
	IscJson *json = isc_audit_trail_json(&r->report, name);
	if (r->file)
		json_object_object_add(json, "file", json_object_new_string(r->file));
	return json;
}

/* One line: what was found. */
static void print_result(GString *out, const Result *r, const gchar *name)
{
#define N G_GUINT64_FORMAT
	const IscTrailReport *t = &r->report;
	g_autofree gchar *whose = isc_text_escape(name ? name : *t->name ? t->name : "?", -1, 64);
	g_autofree gchar *first = when(t->first_time), *last = when(t->last_time),
			 *end = isc_audit_anchor_print(t);
	if (t->fault != ISC_TRAIL_GOOD) {
		g_autofree gchar *detail = isc_output_text(t->detail);
		g_string_append_printf(out,
				"%s: BAD: record %" N " in %s: %s: %s (%" N " good before it)\n",
				whose, t->record, r->file, isc_trail_fault_name(t->fault), detail,
				t->records);
		return;
	}
	g_string_append_printf(out, "%s: good: %" N " records, %s to %s, %s, end %s", whose,
			t->records, first, last, t->closed ? "closed" : "open", end);
	if (t->lost > 0)
		g_string_append_printf(out, ", %" N " records lost (on record)", t->lost);
	if (t->bad > 0)
		g_string_append_printf(out, ", the node broke the protocol %" N " times", t->bad);
	if (t->restarts > 0)
		g_string_append_printf(out, ", taken up again %u times", t->restarts);
	if (t->clock_steps > 0)
		g_string_append_printf(out, ", the host's clock was set %u times", t->clock_steps);
	if (t->uncovered > 0)
		g_string_append_printf(
				out, ", %" N " bytes at the end not sealed (yet)", t->uncovered);
	g_string_append_c(out, '\n');
#undef N
}

static gboolean verify_folder(IscCli *cli, const gchar *path, const Wanted *wanted, GError **error)
{
	gboolean is_dock = isc_args_has(cli->args, "dock");
	const gchar *name = is_dock ? ISC_TRAIL_DOCK : isc_cli_name(cli, 0, "node", error);
	g_auto(Result) result = { 0 };
	if (cli->n_words > 0 && !name)
		return FALSE;
	gboolean ok = check_folder(path, name, wanted, &result, error);
	if (!ok && result.report.fault == ISC_TRAIL_GOOD)
		return FALSE;
	/* A key that lay beside what it proves proves only that both are of one origin. */
	g_autofree gchar *inside = g_build_filename(path, KEY_FILE, NULL);
	gboolean given = wanted->expect.root != NULL;
	const gchar *source = given ? "given" : access(inside, F_OK) == 0 ? "folder" : "trail";
	if (cli->json) {
		g_autoptr(IscJson) json = result_json(&result, name);
		json_object_object_add(json, "key-from", json_object_new_string(source));
		isc_output_json(cli->out, json, TRUE);
		return ok;
	}
	print_result(cli->out, &result, name);
	g_autofree gchar *key = isc_audit_hex(result.report.root, sizeof result.report.root);
	if (ok && !given)
		g_string_append_printf(cli->out,
				"it begins with key %s, which came with it: compare it with the "
				"dock's own " KEY_FILE ", or give that with --key\n",
				key);
	return ok;
}

/* Returns: (transfer full) of names, NULL on errors */
static GStrv names_to_verify(IscCli *cli, GError **error)
{
	if (!isc_args_has(cli->args, "all")) {
		for (guint i = 0; i < cli->n_words; i++)
			if (!isc_cli_name(cli, i, "node", error))
				return NULL;
		g_autoptr(GStrvBuilder) names = g_strv_builder_new();
		g_strv_builder_addv(names, (const gchar **)cli->words);
		if (isc_args_has(cli->args, "dock"))
			g_strv_builder_add(names, ISC_TRAIL_DOCK);
		return g_strv_builder_end(names);
	}
	IscClient *client = isc_cli_client(cli, error);
	g_autoptr(GVariant) names =
			client ? isc_client_ask(client, NULL, "ListTrails", NULL, "(as)", error)
			       : NULL;
	return names ? g_variant_dup_strv(names, NULL) : NULL;
}

static gboolean check_words(const IscCli *cli, GError **error)
{
	gboolean all = isc_args_has(cli->args, "all"), folder = isc_args_has(cli->args, "export");
	guint named = cli->n_words + isc_args_has(cli->args, "dock");
	const gchar *why = all && folder         ? "--all and --export exclude each other"
			   : all && named > 0    ? "names and --all exclude each other"
			   : folder && named > 1 ? "a folder holds one trail"
			   : !all && !folder && !named
					   ? "say which: NAME, --dock, --all or --export DIR"
			   : isc_args_has(cli->args, "anchor") && (all || named > 1)
					   ? "an anchor is of one trail: name that one"
					   : NULL;
	if (why)
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID, why);
	return !why;
}

gboolean isc_cmd_audit_verify(IscCli *cli, GError **error)
{
	g_auto(Wanted) wanted = { 0 };
	if (!check_words(cli, error) || !get_wanted(cli, &wanted, error))
		return FALSE;
	const gchar *folder = isc_args_get(cli->args, "export");
	if (folder)
		return verify_folder(cli, folder, &wanted, error);
	g_auto(GStrv) names = names_to_verify(cli, error);
	if (!names)
		return FALSE;

	gboolean several = isc_args_has(cli->args, "all") ||
			   cli->n_words + isc_args_has(cli->args, "dock") > 1;
	g_autoptr(IscJson) list = json_object_new_array();
	g_autoptr(GError) failed = NULL; /* what could not be looked at */
	guint bad = 0, n = g_strv_length(names);
	for (guint i = 0; i < n; i++) {
		g_auto(Result) result = { 0 };
		g_autoptr(GError) why = NULL;
		gboolean ok = check_node(cli, names[i], &wanted, NULL, NULL, &result, &why);
		gboolean seen = ok || result.report.fault != ISC_TRAIL_GOOD;
		bad += seen && !ok;
		if (seen && !cli->json)
			print_result(cli->out, &result, names[i]);
		if (seen && cli->json)
			json_object_array_add(list, result_json(&result, names[i]));
		if (!ok && !several) {
			g_propagate_prefixed_error(error, g_steal_pointer(&why), "%s: ", names[i]);
			break;
		}
		if (!seen) {
			IscJson *one = json_object_new_object();
			json_object_object_add(one, "name", json_object_new_string(names[i]));
			json_object_object_add(one, "error", json_object_new_string(why->message));
			json_object_array_add(list, one);
			g_printerr("isc-vm audit verify: %s: %s\n", names[i], why->message);
			if (!failed)
				failed = g_steal_pointer(&why);
		}
	}
	if (cli->json && several)
		isc_output_json(cli->out, list, TRUE);
	else if (cli->json && json_object_array_length(list) > 0)
		isc_output_json(cli->out, json_object_array_get_idx(list, 0), TRUE);
	if (!several)
		return !error || !*error;
	if (bad > 0)
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "%u of %u trails do not hold", bad,
				n);
	else if (failed)
		g_propagate_error(error, g_steal_pointer(&failed));
	else
		return TRUE;
	return FALSE;
}

/* --- report ----------------------------------------------------------------------------------- */

gboolean isc_cmd_audit_report(IscCli *cli, GError **error)
{
	const gchar *name = isc_cli_trail(cli, 0, error);
	guint top = TOP;
	g_auto(Wanted) wanted = { 0 };
	g_auto(Result) result = { 0 };
	g_autoptr(IscAuditReport) report = isc_audit_report_new();
	if (!name || !isc_args_uint(cli->args, "top", 0, 100000, &top, error) ||
			!get_wanted(cli, &wanted, error))
		return FALSE;
	gboolean ok = check_node(cli, name, &wanted, isc_audit_report_take, report, &result, error);
	if (!ok && result.report.fault == ISC_TRAIL_GOOD)
		return FALSE;

	g_autoptr(IscJson) counts = isc_audit_report_finish(report, top);
	if (cli->json) {
		json_object_object_add(counts, "trail", result_json(&result, name));
		isc_output_json(cli->out, counts, TRUE);
		return ok;
	}
	print_result(cli->out, &result, name);
	isc_audit_report_print(cli->out, counts);
	return ok;
}

/* --- export ----------------------------------------------------------------------------------- */

/* A folder being filled. */
typedef struct {
	int fd;
	GPtrArray *made; /* names of files in it */
} Export;

static int make_file(Export *e, const gchar *name, GError **error)
{
	int fd = openat(e->fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		isc_error_set_errno(error, errno, "cannot make '%s'", name);
	else
		g_ptr_array_add(e->made, g_strdup(name));
	return fd;
}

static gboolean finish_file(int fd, const gchar *name, GError **error)
{
	return fsync(fd) == 0 || isc_error_set_errno(error, errno, "cannot write '%s'", name);
}

static gboolean copy_bytes(int from, int to, GError **error)
{
	g_autofree guint8 *buffer = g_malloc(256 * 1024);
	for (;;) {
		gssize n = read(from, buffer, 256 * 1024);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return isc_error_set_errno(error, errno, "cannot read the trail");
		if (n == 0)
			return TRUE;
		if (!isc_file_write_all(to, buffer, (gsize)n, error))
			return FALSE;
	}
}

/* A trail that is being written has half a commit at its end: that goes.  One that was ended stays
 * as it is, so that whatever stands behind its end is found. */
static gboolean cut_to_sealed(int log, int chain, GError **error)
{
	g_autoptr(GMappedFile) map = g_mapped_file_new_from_fd(chain, FALSE, error);
	if (!map)
		return FALSE;
	const guint8 *bytes = (const guint8 *)g_mapped_file_get_contents(map);
	gsize len = g_mapped_file_get_length(map), at = 0;
	guint64 covered = 0;
	IscBlock b;
	IscBlockState state = ISC_BLOCK_SHORT;
	while (at < len && (state = isc_block_parse(bytes + at, len - at, &b)) == ISC_BLOCK_OK) {
		if (b.header->kind == ISC_CHAIN_CLOSE || b.header->kind == ISC_CHAIN_ROTATE)
			return TRUE;
		at += b.header->len;
		covered = b.header->offset + isc_block_log_bytes(&b);
	}
	struct stat st;
	if (at == 0 || state == ISC_BLOCK_BAD)
		return TRUE;
	if (ftruncate(chain, (off_t)at) == 0 && fstat(log, &st) == 0 &&
			((guint64)st.st_size <= covered || ftruncate(log, (off_t)covered) == 0))
		return TRUE;
	return isc_error_set_errno(error, errno, "cannot cut the copy");
}

/* Chain first: what it covers is in the log by then. */
static gboolean export_pair(Export *e, const IscSegment *s, GError **error)
{
	g_autofree gchar *dot = s->number ? g_strdup_printf(".%u", s->number) : g_strdup("");
	g_autofree gchar *chain_name = g_strconcat("audit.chain", dot, NULL);
	g_autofree gchar *log_name = g_strconcat("audit.log", dot, NULL);
	isc_autofd int chain = make_file(e, chain_name, error);
	if (chain < 0 || !copy_bytes(s->chain, chain, error))
		return FALSE;
	isc_autofd int log = make_file(e, log_name, error);
	if (log < 0 || !copy_bytes(s->log, log, error))
		return FALSE;
	if (s->number == 0 && !cut_to_sealed(log, chain, error))
		return FALSE;
	return finish_file(chain, chain_name, error) && finish_file(log, log_name, error);
}

static gboolean export_text(Export *e, const gchar *name, const gchar *text, GError **error)
{
	isc_autofd int fd = make_file(e, name, error);
	return fd >= 0 && isc_file_write_all(fd, text, strlen(text), error) &&
	       finish_file(fd, name, error);
}

static gboolean export_all(
		Export *e, const gchar *node, const IscSegments *segments, GError **error)
{
	for (guint i = 0; i < segments->all->len; i++)
		if (!export_pair(e, &g_array_index(segments->all, IscSegment, i), error))
			return FALSE;
	g_autofree gchar *digits = isc_audit_hex(segments->key, sizeof segments->key);
	g_autofree gchar *key = g_strdup_printf("ed25519 %s\n", digits);
	g_autofree gchar *now = when(g_get_real_time());
	gboolean is_dock = g_str_equal(node, ISC_TRAIL_DOCK);
	g_autofree gchar *readme = g_strdup_printf(
			"Audit trail of %s, exported %s.\n"
			"audit.log*    records in the Linux audit format: ausearch -if audit.log, "
			"aureport -if audit.log\n"
			"audit.chain*  their hashes, chained and signed\n" KEY_FILE
			"      public key of the dock; compare it with one that came another way\n"
			"Verify with: isc-vm audit verify --export . %s\n",
			is_dock ? "the dock" : node, now, is_dock ? "--dock" : node);
	/* README comes last: a folder without it was not finished. */
	return export_text(e, KEY_FILE, key, error) && export_text(e, "README", readme, error) &&
	       finish_file(e->fd, "the folder", error);
}

/* Makes the folder, or takes an empty one.  *@made: which it was.  Returns: fd, -1 on errors */
static int take_folder(const gchar *path, gboolean *made, GError **error)
{
	*made = mkdir(path, 0700) == 0;
	if (!*made && errno != EEXIST) {
		isc_error_set_errno(error, errno, "cannot make '%s'", path);
		return -1;
	}
	isc_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	g_autoptr(GDir) dir = fd < 0 ? NULL : g_dir_open(path, 0, NULL);
	if (dir && g_dir_read_name(dir)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "'%s' is not empty", path);
		return -1;
	}
	if (!dir || fchmod(fd, 0700) != 0) {
		isc_error_set_errno(error, errno, "cannot use '%s'", path);
		return -1;
	}
	return isc_steal_fd(&fd);
}

gboolean isc_cmd_audit_export(IscCli *cli, GError **error)
{
	const gchar *name = isc_cli_trail(cli, 1, error);
	const gchar *path = name ? cli->words[cli->n_words - 1] : NULL;
	g_auto(IscSegments) segments = { 0 };
	g_auto(Wanted) wanted = { 0 };
	g_auto(Result) result = { 0 };
	if (!name || !get_wanted(cli, &wanted, error) || !open_trail(cli, name, &segments, error))
		return FALSE;
	if (!segments.has_key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"the dock has lost its public key (" KEY_FILE ")");
		return FALSE;
	}
	gboolean made;
	isc_autofd int dir = take_folder(path, &made, error);
	if (dir < 0)
		return FALSE;
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	Export e = { dir, files };
	if (!export_all(&e, name, &segments, error)) {
		for (guint i = 0; i < files->len; i++)
			unlinkat(dir, files->pdata[i], 0);
		if (made)
			rmdir(path);
		return FALSE;
	}

	/* A trail that does not hold is exported all the same: it is the evidence. */
	gboolean ok = check_folder(path, name, &wanted, &result, error);
	if (!ok && result.report.fault == ISC_TRAIL_GOOD)
		return FALSE;
	if (cli->json) {
		g_autoptr(IscJson) json = result_json(&result, name);
		json_object_object_add(json, "folder", json_object_new_string(path));
		isc_output_json(cli->out, json, TRUE);
	} else {
		print_result(cli->out, &result, name);
	}
	return ok;
}
