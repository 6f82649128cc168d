/* audit export: a copy of a trail for others, which they verify without a dock. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "cli/audit-report.h"
#include "cli/cli.h"
#include "cli/trail-check.h"
#include "model/copy.h"

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

/* @dock_key: text of the key that the dock signs with */
static gboolean export_all(Export *e, const gchar *node, const IscSegments *segments,
		const gchar *dock_key, GError **error)
{
	for (guint i = 0; i < segments->all->len; i++)
		if (!export_pair(e, &g_array_index(segments->all, IscSegment, i), error))
			return FALSE;
	g_autofree gchar *digits = isc_audit_hex(segments->key, sizeof segments->key);
	g_autofree gchar *key = g_strdup_printf("ed25519 %s\n", digits);
	g_autofree gchar *now = isc_output_time(g_get_real_time() / G_USEC_PER_SEC);
	gboolean is_dock = g_str_equal(node, ISC_TRAIL_DOCK);
	g_autofree gchar *readme = g_strdup_printf(
			"Audit trail of %s, exported %s.\n"
			"audit.log*    records in the Linux audit format: ausearch -if audit.log, "
			"aureport -if audit.log\n"
			"audit.chain*  their hashes, chained and signed\n" ISC_SEAL_PUB
			"      public key of the trail; compare it with one that came another "
			"way\n" ISC_COPY_PUBLIC_KEY
			"      the key that the dock signs anchors with; that, "
			"too\n"
			"Verify with: isc-vm audit verify --export . %s\n",
			is_dock ? "the dock" : node, now, is_dock ? "--dock" : node);
	/* README comes last: a folder without it was not finished. */
	return export_text(e, ISC_SEAL_PUB, key, error) &&
	       export_text(e, ISC_COPY_PUBLIC_KEY, dock_key, error) &&
	       export_text(e, "README", readme, error) && finish_file(e->fd, "the folder", error);
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
	g_auto(IscTrailWanted) wanted = { 0 };
	g_auto(IscTrailFound) result = { 0 };
	g_autoptr(GVariant) dock_key =
			name ? isc_cli_ask(cli, NULL, "PublicKey", NULL, "(s)", error) : NULL;
	g_autoptr(GError) doubt = NULL;
	if (!dock_key || !isc_trail_wanted_get(cli, &wanted, error))
		return FALSE;
	gboolean is_sure = g_str_equal(name, ISC_TRAIL_DOCK) ||
			   isc_trail_wanted_learn(cli, &wanted, &doubt);
	if (!isc_trail_open(cli, name, &segments, error))
		return FALSE;
	if (!segments.has_key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"the dock has lost its public key (" ISC_SEAL_PUB ")");
		return FALSE;
	}
	gboolean made;
	isc_autofd int dir = take_folder(path, &made, error);
	if (dir < 0)
		return FALSE;
	g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
	Export e = { dir, files };
	if (!export_all(&e, name, &segments, g_variant_get_string(dock_key, NULL), error)) {
		for (guint i = 0; i < files->len; i++)
			unlinkat(dir, files->pdata[i], 0);
		if (made)
			rmdir(path);
		return FALSE;
	}

	/* A trail that does not hold is exported all the same: it is the evidence. */
	gboolean ok = isc_trail_check_folder(path, name, &wanted, &result, error);
	if (!ok && result.report.fault == ISC_TRAIL_GOOD)
		return FALSE;
	if (cli->json) {
		g_autoptr(IscJson) json = isc_trail_found_json(&result, name);
		json_object_object_add(json, "folder", json_object_new_string(path));
		isc_output_json(cli->out, json, TRUE);
	} else {
		isc_trail_found_print(cli->out, &result, name);
	}
	if (ok && !is_sure)
		g_propagate_error(error, g_steal_pointer(&doubt));
	return ok && is_sure;
}
