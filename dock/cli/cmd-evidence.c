/* The evidence verbs: what quarantines left behind, looked at with the caller's rights. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/seal.h"
#include "cli/cli.h"
#include "cli/evidence.h"

/* The n-th word as the name of evidence, NULL where it is none. */
static const gchar *get_name(const IscCli *cli, guint n, GError **error)
{
	if (n < cli->n_words && isc_copy_split(cli->words[n], NULL, NULL))
		return cli->words[n];
	g_autofree gchar *shown = n < cli->n_words ? isc_output_text(cli->words[n]) : NULL;
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is no name of evidence: NODE.qTIME, as 'isc-vm evidence list' shows "
			"it",
			shown ? shown : "");
	return NULL;
}

gboolean isc_cmd_evidence_list(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "NAME", "name", NULL },
		{ "TAKEN", "taken", isc_output_show_time },
		{ "SIZE", "size", isc_output_show_size },
		{ "SIGNED", "signed", isc_output_show_yes },
		{ "DISK", "disk", isc_output_show_yes },
		{ "VOLUMES", "volumes", NULL },
		{ "MEMORY", "memory", isc_output_show_yes },
		{ "REASON", "reason", NULL },
		{ NULL },
	};
	return isc_cli_list(cli, "ListEvidence", columns, error);
}

/* --- show, verify -------------------------------------------------------------------------- */

/* a{sv}: what the manifest says.  Floating. */
static GVariant *describe(const IscCopy *copy, const gchar *signer)
{
	g_autofree gchar *name = g_strjoin(".", copy->node, copy->name, NULL);
	GVariantDict dict;
	GVariantBuilder files;
	g_variant_builder_init(&files, G_VARIANT_TYPE("as"));
	for (guint i = 0; i < copy->files->len; i++) {
		const IscCopyFile *file = copy->files->pdata[i];
		g_autofree gchar *line = g_strdup_printf("%s %s", file->sha256, file->name);
		g_variant_builder_add(&files, "s", line);
	}
	g_variant_dict_init(&dict, NULL);
	g_variant_dict_insert(&dict, "name", "s", name);
	g_variant_dict_insert(&dict, "node", "s", copy->node);
	g_variant_dict_insert(&dict, "uuid", "s", copy->uuid);
	g_variant_dict_insert(&dict, "image", "s", copy->image_name);
	g_variant_dict_insert(&dict, "version", "s", copy->image_version);
	g_variant_dict_insert(&dict, "digest", "s", copy->digest);
	g_variant_dict_insert(&dict, "taken", "x", copy->taken);
	g_variant_dict_insert(&dict, "reason", "s", copy->reason);
	g_variant_dict_insert(&dict, "signer", "s", signer);
	g_variant_dict_insert_value(&dict, "files", g_variant_builder_end(&files));
	g_variant_dict_insert_value(&dict, "missing",
			g_variant_new_strv((const gchar *const *)copy->missing->pdata,
					(gssize)copy->missing->len));
	return g_variant_dict_end(&dict);
}

gboolean isc_cmd_evidence_show(IscCli *cli, GError **error)
{
	static const gchar *const first[] = { "name", "node", "taken", "reason", "image", "version",
		"digest", "uuid", "files", "missing", "signer", NULL };
	const gchar *name = get_name(cli, 0, error);
	IscClient *client = name ? isc_cli_client(cli, error) : NULL;
	g_autoptr(IscEvidence) evidence = client ? isc_evidence_open(client, name, error) : NULL;
	g_autofree gchar *signer = NULL;
	g_autoptr(IscCopy) copy = evidence ? isc_evidence_read(evidence, &signer, error) : NULL;
	if (!copy)
		return FALSE;
	g_autoptr(GVariant) dict = g_variant_ref_sink(describe(copy, signer));
	return isc_cli_print_pairs(cli, dict, first);
}

/* @name: as it must be called, or NULL.  Prints what holds. */
static gboolean verify(IscCli *cli, IscEvidence *evidence, const gchar *name, GError **error)
{
	const gchar *key = isc_args_get(cli->args, "key");
	g_autofree gchar *signer = NULL;
	if (key && !isc_evidence_take_key(evidence, key, error))
		return FALSE;
	g_autoptr(IscCopy) copy = isc_evidence_read(evidence, &signer, error);
	if (!copy || !isc_evidence_check_files(evidence, copy, error))
		return FALSE;
	g_autofree gchar *is = g_strjoin(".", copy->node, copy->name, NULL);
	if (name && !g_str_equal(is, name)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "it is evidence %s", is);
		return FALSE;
	}
	if (cli->json) {
		g_autoptr(GVariant) dict = g_variant_ref_sink(describe(copy, signer));
		isc_cli_print_json(cli, dict);
		return TRUE;
	}
	g_autofree gchar *taken = isc_output_time(copy->taken);
	g_string_append_printf(cli->out, "%s: holds: %u files, taken %s, signed by %s\n", is,
			copy->files->len, taken, signer);
	for (guint i = 0; i < copy->missing->len; i++) {
		g_autofree gchar *text = isc_output_text(copy->missing->pdata[i]);
		g_string_append_printf(cli->out, "  missing from the start: %s\n", text);
	}
	return TRUE;
}

gboolean isc_cmd_evidence_verify(IscCli *cli, GError **error)
{
	const gchar *folder = isc_args_get(cli->args, "export");
	if (!folder && cli->n_words == 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"which evidence?  NAME..., or --export DIR");
		return FALSE;
	}
	if (folder) {
		const gchar *name = cli->n_words > 0 ? get_name(cli, 0, error) : NULL;
		if (cli->n_words > 0 && !name)
			return FALSE;
		g_autoptr(IscEvidence) evidence = isc_evidence_open_folder(folder, error);
		if (!evidence || !verify(cli, evidence, name, error)) {
			g_prefix_error(error, "%s: ", folder);
			return FALSE;
		}
		return TRUE;
	}
	IscClient *client = isc_cli_client(cli, error);
	g_autoptr(GError) first = NULL;
	for (guint i = 0; client && i < cli->n_words; i++) {
		g_autoptr(GError) why = NULL;
		const gchar *name = get_name(cli, i, &why);
		g_autoptr(IscEvidence) evidence =
				name ? isc_evidence_open(client, name, &why) : NULL;
		if (evidence && verify(cli, evidence, name, &why))
			continue;
		g_prefix_error(&why, "%s: ", cli->words[i]);
		if (!first)
			first = g_steal_pointer(&why);
		else
			g_printerr("isc-vm evidence verify: %s\n", why->message);
	}
	if (!first)
		return client != NULL;
	g_propagate_error(error, g_steal_pointer(&first));
	return FALSE;
}

/* --- export -------------------------------------------------------------------------------- */

/* The key of its disk @file.  Returns: fd of a file in memory, or -1 */
static int open_key(IscClient *client, const gchar *name, const gchar *file, GError **error)
{
	g_autoptr(GUnixFDList) fds = NULL;
	g_autoptr(GVariant) answer = isc_client_call(client, NULL, "OpenEvidenceKey",
			g_variant_new("(ss)", name, file), "(h)", NULL, &fds, error);
	if (!answer)
		return -1;
	if (fds && g_unix_fd_list_get_length(fds) > 0)
		return g_unix_fd_list_get(fds, 0, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "the dock gave no key");
	return -1;
}

static gboolean copy_fd(int from, int dir, const gchar *name, GError **error)
{
	struct stat st;
	isc_autofd int to =
			openat(dir, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0 || from < 0 || fstat(from, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot make '%s'", name);
	if (!isc_file_copy_sparse(from, to, st.st_size, error))
		return FALSE;
	return fsync(to) == 0 || isc_error_set_errno(error, errno, "cannot write '%s'", name);
}

#define DISK_SUFFIX ".qcow2"

/* "overlay.qcow2" → "overlay.key", "memory.elf.sealed" → "memory.key".  (transfer full) */
static gchar *key_file(const gchar *disk)
{
	g_autofree gchar *stem = g_strndup(disk, strcspn(disk, "."));
	return g_strconcat(stem, ".key", NULL);
}

static gboolean export_keys(IscCli *cli, const gchar *name, const IscEvidence *evidence, int dir,
		GError **error)
{
	GHashTableIter iter;
	gpointer file;
	g_hash_table_iter_init(&iter, evidence->files);
	while (g_hash_table_iter_next(&iter, &file, NULL)) {
		if (!g_str_has_suffix(file, DISK_SUFFIX) && !g_str_equal(file, ISC_COPY_MEMORY))
			continue;
		g_autofree gchar *to = key_file(file);
		isc_autofd int fd = open_key(cli->client, name, file, error);
		if (fd < 0 || !copy_fd(fd, dir, to, error))
			return FALSE;
	}
	return TRUE;
}

static gboolean export_all(IscCli *cli, const gchar *name, const IscEvidence *evidence, int dir,
		GError **error)
{
	GHashTableIter iter;
	gpointer file;
	g_hash_table_iter_init(&iter, evidence->files);
	while (g_hash_table_iter_next(&iter, &file, NULL))
		if (!copy_fd(isc_evidence_fd(evidence, file), dir, file, error))
			return FALSE;
	return isc_file_write(dir, ISC_COPY_PUBLIC_KEY, evidence->key, evidence->key_len, 0600,
			       error) &&
	       (!isc_args_has(cli->args, "with-key") ||
			       export_keys(cli, name, evidence, dir, error));
}

gboolean isc_cmd_evidence_export(IscCli *cli, GError **error)
{
	const gchar *name = get_name(cli, 0, error), *path = cli->words[1];
	IscClient *client = name ? isc_cli_client(cli, error) : NULL;
	g_autoptr(IscEvidence) evidence = client ? isc_evidence_open(client, name, error) : NULL;
	g_autoptr(IscCopy) copy = evidence ? isc_evidence_read(evidence, NULL, error) : NULL;
	if (!copy)
		return FALSE;
	if (mkdir(path, 0700) < 0) {
		g_set_error(error, ISC_ERROR, errno == EEXIST ? ISC_ERROR_STATE : ISC_ERROR_FAILED,
				"cannot make the folder '%s': %s", path, g_strerror(errno));
		return FALSE;
	}
	isc_autofd int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", path);
	if (!export_all(cli, name, evidence, dir, error)) {
		g_autoptr(GError) late = NULL;
		if (!isc_file_remove_tree(path, &late))
			g_printerr("isc-vm: warning: %s\n", late->message);
		return FALSE;
	}
	g_autoptr(IscEvidence) again = isc_evidence_open_folder(path, error);
	return again && verify(cli, again, name, error);
}

/* --- remove -------------------------------------------------------------------------------- */

gboolean isc_cmd_evidence_rm(IscCli *cli, GError **error)
{
	const gchar *name = get_name(cli, 0, error), *reason = isc_args_get(cli->args, "reason");
	if (!name)
		return FALSE;
	if (!reason || !*reason || !g_utf8_validate(reason, -1, NULL)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"--reason TEXT must be given: it goes on record");
		return FALSE;
	}
	g_autoptr(GVariant) result = isc_cli_ask(cli, NULL, "RemoveEvidence",
			g_variant_new("(ss@a{sv})", name, reason, isc_cli_options(cli, NULL, NULL)),
			"(a{sv})", error);
	if (!result)
		return FALSE;
	if (!isc_cli_print_result(cli, result))
		g_string_append_printf(cli->out, "%s: shredded\n", name);
	return TRUE;
}

/* --- memory -------------------------------------------------------------------------------- */

/* The key of @file: from the dock, or of an exported folder the one beside it. */
static int find_key(IscClient *client, const gchar *folder, const gchar *name, const gchar *file,
		GError **error)
{
	g_autofree gchar *key_name = key_file(file);
	if (!folder)
		return open_key(client, name, file, error);
	g_autofree gchar *path = g_build_filename(folder, key_name, NULL);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no %s in '%s': export it with --with-key", key_name, folder);
	return fd;
}

static gboolean write_memory(int sealed, int key_fd, const gchar *path, GError **error)
{
	gsize len;
	g_autofree gchar *key = isc_file_read_fd(key_fd, "the key", 64, &len, error);
	isc_autofd int to =
			key ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)
			    : -1;
	if (key && to < 0)
		isc_error_set_errno(error, errno, "cannot make '%s'", path);
	gboolean ok = to >= 0 && isc_unseal(sealed, to, key, error);
	if (key)
		explicit_bzero(key, len);
	if (to >= 0 && !ok)
		(void)unlink(path);
	return ok;
}

gboolean isc_cmd_evidence_memory(IscCli *cli, GError **error)
{
	const gchar *folder = isc_args_get(cli->args, "export");
	const gchar *name = folder ? NULL : get_name(cli, 0, error);
	guint at = folder ? 0 : 1;
	if (!folder && !name)
		return FALSE;
	if (cli->n_words != at + 1) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "which FILE shall it be?");
		return FALSE;
	}
	IscClient *client = folder ? NULL : isc_cli_client(cli, error);
	g_autoptr(IscEvidence) evidence = folder   ? isc_evidence_open_folder(folder, error)
					  : client ? isc_evidence_open(client, name, error)
						   : NULL;
	int sealed = evidence ? isc_evidence_fd(evidence, ISC_COPY_MEMORY) : -1;
	if (evidence && sealed < 0)
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"this evidence has no memory: it is taken by 'isc-vm quarantine "
				"--with-memory' alone");
	isc_autofd int key =
			sealed >= 0 ? find_key(client, folder, name, ISC_COPY_MEMORY, error) : -1;
	if (key < 0 || !write_memory(sealed, key, cli->words[at], error))
		return FALSE;
	g_string_append_printf(cli->out, "%s: written; it holds all secrets of the node\n",
			cli->words[at]);
	return TRUE;
}

/* --- browse -------------------------------------------------------------------------------- */

gboolean isc_cmd_evidence_browse(IscCli *cli, GError **error)
{
	const gchar *folder = isc_args_get(cli->args, "export");
	guint at = folder ? 0 : 1;
	const gchar *name = folder ? NULL : get_name(cli, 0, error);
	const gchar *path = cli->n_words > at ? cli->words[at] : "/";
	if ((!folder && !name) || cli->n_words > at + 1) {
		if (name || folder)
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "one PATH at a time");
		return FALSE;
	}
	IscClient *client = folder ? NULL : isc_cli_client(cli, error);
	g_autoptr(IscEvidence) evidence = folder   ? isc_evidence_open_folder(folder, error)
					  : client ? isc_evidence_open(client, name, error)
						   : NULL;
	if (!evidence)
		return FALSE;
	const gchar *volume = isc_args_get(cli->args, "volume");
	g_autofree gchar *file = volume ? g_strconcat("volume-", volume, DISK_SUFFIX, NULL)
					: g_strdup(ISC_COPY_DISK);
	int disk = isc_evidence_fd(evidence, file);
	if (disk < 0) {
		g_autofree gchar *shown = isc_output_text(file);
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"this evidence has no %s; 'isc-vm evidence show' says what it has, "
				"and what is missing",
				shown);
		return FALSE;
	}
	isc_autofd int key = find_key(client, folder, name, file, error);
	return key >= 0 && isc_browse(cli, disk, key, path, error);
}
