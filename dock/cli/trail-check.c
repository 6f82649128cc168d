#include "cli/trail-check.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "cli/audit-report.h"
#include "model/copy.h"

#define KEY_MAX 4096     /* bytes of seal.pub */
#define LOOKS 3          /* at a trail that has no block yet */
#define LOOKS_ROTATED 25 /* at the dock's own between two of its files */
#define LOOK_AGAIN_US (200 * 1000)

void isc_trail_wanted_clear(IscTrailWanted *w)
{
	g_clear_pointer(&w->anchors, g_array_unref);
	g_clear_pointer(&w->book, isc_anchors_free);
	g_clear_pointer(&w->signer, g_free);
	g_clear_pointer(&w->noted, g_free);
	g_clear_pointer(&w->ends, g_hash_table_unref);
	g_clear_error(&w->doubt);
}

void isc_trail_found_clear(IscTrailFound *r)
{
	isc_trail_report_clear(&r->report);
	isc_serial_report_clear(&r->serials);
	g_clear_pointer(&r->file, g_free);
}

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

/* The key that anchors are signed with: (transfer full) its text, and where it is from. */
static gchar *get_dock_key(IscCli *cli, gsize *len, gchar **from, GError **error)
{
	const gchar *given = isc_args_get(cli->args, "dock-key");
	const gchar *folder = isc_args_get(cli->args, "export");
	if (!given && !folder) {
		g_autoptr(GVariant) answer =
				isc_cli_ask(cli, NULL, "PublicKey", NULL, "(s)", error);
		*from = g_strdup("the dock's public key");
		return answer ? g_variant_dup_string(answer, len) : NULL;
	}
	*from = given ? g_strdup(given) : g_build_filename(folder, ISC_COPY_PUBLIC_KEY, NULL);
	gchar *text = isc_file_read(AT_FDCWD, *from, KEY_MAX, len, error);
	if (!text && !given && access(*from, F_OK) != 0) {
		g_clear_error(error);
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"they are signed, and no " ISC_COPY_PUBLIC_KEY
				" lies in '%s' to check that with: give the dock's with --dock-key",
				folder);
	}
	return text;
}

static gboolean check_signature(IscCli *cli, IscTrailWanted *w, GError **error)
{
	IscPublicKey key;
	gsize len = 0;
	g_autofree gchar *from = NULL;
	g_autofree gchar *text = get_dock_key(cli, &len, &from, error);
	if (!text)
		return FALSE;
	if (!isc_public_key_parse(text, len, &key, error)) {
		g_prefix_error(error, "%s: ", from);
		return FALSE;
	}
	if (!isc_anchors_check(w->book, &key, &w->noted, error))
		return FALSE;
	w->signer = isc_public_key_id(&key);
	return TRUE;
}

/* What was noted goes for the key, too, unless another one is given. */
static gboolean read_book(IscCli *cli, const gchar *path, IscTrailWanted *w, GError **error)
{
	gsize len;
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, ISC_ANCHORS_MAX, &len, error);
	w->book = text ? isc_anchors_parse(text, len, error) : NULL;
	gboolean ok = w->book && (!w->book->signature || check_signature(cli, w, error));
	if (ok && !w->signer && isc_args_has(cli->args, "dock-key")) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "they are not signed");
		ok = FALSE;
	}
	if (!ok) {
		g_prefix_error(error, "anchors '%s': ", path);
		return FALSE;
	}
	if (!w->signer)
		g_printerr("isc-vm %s: warning: the anchors in '%s' are not signed: they are worth "
			   "what the place is where they were kept\n",
				cli->verb->name, path);
	if (w->book->has_key && !w->expect.root)
		w->expect.root = w->book->key;
	return TRUE;
}

gboolean isc_trail_wanted_get(IscCli *cli, IscTrailWanted *w, GError **error)
{
	const gchar *key = isc_args_get(cli->args, "key");
	const gchar *book = isc_args_get(cli->args, "anchors");
	*w = (IscTrailWanted){ .anchors = g_array_new(FALSE, FALSE, sizeof(IscTrailAnchor)),
		.ends = isc_trail_ends_new() };
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
		if (!isc_trail_anchor_parse(*text, &anchor, error)) {
			g_prefix_error(error, "--anchor: ");
			return FALSE;
		}
		g_array_append_val(w->anchors, anchor);
	}
	return !book || read_book(cli, book, w, error);
}

/* What the trail of @name must be; valid as long as @wanted and *@anchors (transfer full) are. */
static IscTrailExpect expect_of(const IscTrailWanted *wanted, const gchar *name, GArray **anchors)
{
	IscTrailExpect expect = wanted->expect;
	const GArray *given = wanted->book && name ? g_hash_table_lookup(wanted->book->trails, name)
						   : NULL;
	const IscTrailEnd *end = name ? g_hash_table_lookup(wanted->ends, name) : NULL;
	if (!given)
		given = wanted->anchors;
	*anchors = g_array_new(FALSE, FALSE, sizeof(IscTrailAnchor));
	g_array_append_vals(*anchors, given->data, given->len);
	if (end) {
		g_array_append_val(*anchors, end->end);
		expect.files = end->file;
	}
	expect.name = name;
	expect.anchors = (const IscTrailAnchor *)(gconstpointer)(*anchors)->data;
	expect.n_anchors = (*anchors)->len;
	return expect;
}

/* Hands each good record on, and counts its serial. */
typedef struct {
	IscSerials *serials;
	IscTrailRecordFunc func;
	gpointer data;
} Reader;

static void on_record(const IscTrailRecord *record, gpointer data)
{
	Reader *reader = data;
	isc_serials_take(record, reader->serials);
	if (reader->func)
		reader->func(record, reader->data);
}

/* --- looking ---------------------------------------------------------------------------------- */

gboolean isc_trail_open(IscCli *cli, const gchar *name, IscSegments *out, GError **error)
{
	IscClient *client = isc_cli_client(cli, error);
	if (!client || !isc_segments_open(client, name, out, error))
		return FALSE;
	/* It takes signals for itself; from here on they may end us as they are used to. */
	g_clear_pointer(&cli->client, isc_client_free);
	return TRUE;
}

/* Names the file of a fault and says it in @error.  Returns: FALSE */
static gboolean say_fault(IscTrailFound *r, gchar *file, GError **error)
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

static gboolean check_node_once(IscCli *cli, const gchar *name, const IscTrailWanted *wanted,
		IscTrailRecordFunc func, gpointer data, IscTrailFound *out, GError **error)
{
	g_auto(IscSegments) segments = { 0 };
	if (!isc_trail_open(cli, name, &segments, error))
		return FALSE;
	g_autoptr(GArray) anchors = NULL;
	IscTrailExpect expect = expect_of(wanted, name, &anchors);
	expect.whole = g_str_equal(name, ISC_TRAIL_DOCK); /* of its end nobody else tells */
	if (!expect.root && !segments.has_key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"the dock has lost its public key (" ISC_SEAL_PUB
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
	g_autoptr(IscSerials) serials = isc_serials_new();
	Reader reader = { serials, func, data };
	gboolean ok = isc_trail_verify_fds(
			logs, chains, n, &expect, on_record, &reader, &out->report, error);
	isc_serials_finish(serials, &out->serials);
	if (ok)
		return TRUE;
	return say_fault(out, isc_segments_file(&segments, out->report.segment), error);
}

static gboolean is_gone(const IscTrailWanted *wanted, const gchar *name, const GError *why)
{
	return g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND) &&
	       (g_hash_table_contains(wanted->ends, name) ||
			       (wanted->book && g_hash_table_contains(wanted->book->trails, name)));
}

/* A trail that begins just now has files without a first block for a moment, as one that was
 * emptied has for ever; and between two files of the dock's own there is none to write to.  So
 * those are looked at again. */
static gboolean may_mend(const IscTrailReport *r, guint look)
{
	return r->fault == ISC_TRAIL_TRUNCATED &&
	       ((r->blocks == 0 && look < LOOKS) || (r->rotated && look < LOOKS_ROTATED));
}

static gboolean look_at(IscCli *cli, const gchar *name, const IscTrailWanted *wanted,
		IscTrailRecordFunc func, gpointer data, IscTrailFound *out, GError **error)
{
	for (guint look = 1;; look++) {
		g_autoptr(GError) why = NULL;
		if (check_node_once(cli, name, wanted, func, data, out, &why))
			return TRUE;
		if (!may_mend(&out->report, look)) {
			if (is_gone(wanted, name, why))
				g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
						"it was anchored, and is not there any more");
			else
				g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		isc_trail_found_clear(out);
		*out = (IscTrailFound){ 0 };
		g_usleep(LOOK_AGAIN_US);
	}
}

/* Its own anchors are left out: they are looked at when it is itself the one to be checked. */
static void learn(IscCli *cli, IscTrailWanted *w)
{
	g_autoptr(GArray) none = g_array_new(FALSE, FALSE, sizeof(IscTrailAnchor));
	g_autoptr(GHashTable) no_ends = isc_trail_ends_new();
	const IscTrailWanted own = { .expect = w->expect, .anchors = none, .ends = no_ends };
	g_auto(IscTrailFound) found = { 0 };
	g_autoptr(GError) why = NULL;
	if (look_at(cli, ISC_TRAIL_DOCK, &own, isc_trail_ends_take, w->ends, &found, &why))
		return;
	if (found.report.fault == ISC_TRAIL_GOOD &&
			!g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		w->doubt = g_steal_pointer(&why);
		g_prefix_error(&w->doubt, "the dock's own trail: ");
		return;
	}
	g_set_error(&w->doubt, ISC_ERROR, ISC_ERROR_VERIFY,
			"whether files are missing at its end nobody can tell, because the dock's "
			"own "
			"trail %s: isc-vm audit verify --dock",
			found.report.fault == ISC_TRAIL_GOOD ? "is gone" : "does not hold");
}

gboolean isc_trail_wanted_learn(IscCli *cli, IscTrailWanted *w, GError **error)
{
	if (!w->is_learned)
		learn(cli, w);
	w->is_learned = TRUE;
	if (w->doubt && error)
		*error = g_error_copy(w->doubt);
	return !w->doubt;
}

gboolean isc_trail_check(IscCli *cli, const gchar *name, IscTrailWanted *wanted,
		IscTrailRecordFunc func, gpointer data, IscTrailFound *out, GError **error)
{
	g_autoptr(GError) doubt = NULL;
	gboolean is_sure = g_str_equal(name, ISC_TRAIL_DOCK) ||
			   isc_trail_wanted_learn(cli, wanted, &doubt);
	if (!look_at(cli, name, wanted, func, data, out, error))
		return FALSE;
	if (!is_sure)
		g_propagate_error(error, g_steal_pointer(&doubt));
	return is_sure;
}

gboolean isc_trail_check_folder(const gchar *path, const gchar *name, const IscTrailWanted *wanted,
		IscTrailFound *out, GError **error)
{
	isc_autofd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "no folder '%s'", path);
		return FALSE;
	}
	if (dir < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", path);

	g_autoptr(GArray) anchors = NULL;
	IscTrailExpect expect = expect_of(wanted, name, &anchors);
	guint8 key[32];
	struct stat st;
	/* An export ends at a sealed record: it may not hold anything behind it.  A plain copy of a
	 * trail may. */
	expect.at_rest = fstatat(dir, ISC_SEAL_PUB, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (expect.at_rest && !expect.root) {
		if (!read_key(dir, ISC_SEAL_PUB, key, error))
			return FALSE;
		expect.root = key;
	}
	isc_segments_raise_limit();
	g_autoptr(IscSerials) serials = isc_serials_new();
	Reader reader = { serials, NULL, NULL };
	gboolean ok = isc_trail_verify_dir(dir, &expect, on_record, &reader, &out->report, error);
	isc_serials_finish(serials, &out->serials);
	if (ok)
		return TRUE;
	g_autofree gchar *numbered = g_strdup_printf("audit.log.%u", out->report.segment);
	gboolean is_closed = fstatat(dir, numbered, &st, AT_SYMLINK_NOFOLLOW) == 0;
	return say_fault(out, g_strdup(is_closed ? numbered : "audit.log"), error);
}

void isc_trail_wanted_print(GString *out, const IscTrailWanted *w)
{
	if (!w->signer)
		return;
	g_autofree gchar *noted = isc_output_text(w->noted);
	g_string_append_printf(out, "anchors: signed by key %s: %s\n", w->signer, noted);
}

void isc_trail_wanted_json(IscJson *to, const IscTrailWanted *w)
{
	if (!w->book)
		return;
	IscJson *anchors = json_object_new_object();
	json_object_object_add(anchors, "signed", json_object_new_boolean(w->signer != NULL));
	if (w->signer) {
		json_object_object_add(anchors, "signer", json_object_new_string(w->signer));
		json_object_object_add(anchors, "noted", json_object_new_string(w->noted));
	}
	json_object_object_add(to, "anchors", anchors);
}

static gchar *when(gint64 us)
{
	return isc_output_time(us / G_USEC_PER_SEC);
}

IscJson *isc_trail_found_json(const IscTrailFound *r, const gchar *name)
{
	IscJson *json = isc_audit_trail_json(&r->report, name);
	json_object_object_add(json, "serials", isc_serial_report_json(&r->serials));
	if (r->file)
		json_object_object_add(json, "file", json_object_new_string(r->file));
	return json;
}

void isc_trail_found_print(GString *out, const IscTrailFound *r, const gchar *name)
{
#define N G_GUINT64_FORMAT
	const IscTrailReport *t = &r->report;
	g_autofree gchar *whose = isc_text_escape(name ? name : *t->name ? t->name : "?", -1, 64);
	g_autofree gchar *first = when(t->first_time), *last = when(t->last_time),
			 *end = isc_audit_end_print(t);
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
	if (t->trimmed_files > 0) {
		g_autofree gchar *when_trimmed = when(t->trimmed_time);
		g_string_append_printf(out,
				", files 1 to %u (%" N " records) gone by retention, last at %s",
				t->trimmed_files, t->trimmed_records, when_trimmed);
	}
	if (t->trimmed_anchors > 0)
		g_string_append_printf(out, ", %u anchors are of what is gone", t->trimmed_anchors);
	if (t->restarts > 0)
		g_string_append_printf(out, ", taken up again %u times", t->restarts);
	isc_serial_report_print(out, &r->serials);
	if (t->clock_steps > 0)
		g_string_append_printf(out, ", the host's clock was set %u times", t->clock_steps);
	if (t->uncovered > 0)
		g_string_append_printf(
				out, ", %" N " bytes at the end not sealed (yet)", t->uncovered);
	g_string_append_c(out, '\n');
#undef N
}
