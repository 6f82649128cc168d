/* The image verbs. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "cli/cli.h"
#include "model/image.h"

/* --- import ----------------------------------------------------------------------------------- */

/* A file of the image folder: no link may lead the dock to another file of ours. */
static int open_part(int dir, const gchar *folder, const gchar *name, GError **error)
{
	isc_autofd int fd = openat(
			dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0) {
		int err = errno;
		g_set_error(error, ISC_ERROR,
				err == ENOENT  ? ISC_ERROR_NOT_FOUND
				: err == ELOOP ? ISC_ERROR_INVALID
					       : ISC_ERROR_FAILED,
				"cannot open '%s' in '%s': %s", name, folder,
				err == ELOOP ? "it is a symbolic link" : g_strerror(err));
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' in '%s' is no regular file",
				name, folder);
		return -1;
	}
	return isc_steal_fd(&fd);
}

static gboolean add_file(
		GVariantBuilder *files, GUnixFDList *fds, const gchar *name, int fd, GError **error)
{
	gint handle = g_unix_fd_list_append(fds, fd, error);
	if (handle < 0)
		return FALSE;
	g_variant_builder_add(files, "{sh}", name, handle);
	return TRUE;
}

static gboolean add_parts(
		GVariantBuilder *files, GUnixFDList *fds, const gchar *folder, GError **error)
{
	isc_autofd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		g_set_error(error, ISC_ERROR,
				errno == ENOENT ? ISC_ERROR_NOT_FOUND : ISC_ERROR_INVALID,
				"cannot open the image folder '%s': %s", folder, g_strerror(errno));
		return FALSE;
	}

	isc_autofd int manifest_fd = open_part(dir, folder, ISC_IMAGE_MANIFEST, error);
	if (manifest_fd < 0) {
		g_prefix_error(error, "no image: ");
		return FALSE;
	}
	isc_autofd int signature_fd = open_part(dir, folder, ISC_IMAGE_SIGNATURE, error);
	if (signature_fd < 0) {
		if (g_error_matches(*error, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
			g_clear_error(error);
			g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
					"'%s' is not signed (no " ISC_IMAGE_SIGNATURE
					"): build it with isc-image, or sign it with minisign -S",
					folder);
		}
		return FALSE;
	}

	gsize len;
	g_autofree gchar *bytes = isc_file_read_fd(
			manifest_fd, ISC_IMAGE_MANIFEST, ISC_IMAGE_MANIFEST_MAX, &len, error);
	if (!bytes)
		return FALSE;
	g_autoptr(GError) why = NULL;
	g_autoptr(IscImage) image = isc_image_parse(bytes, len, &why);
	if (!image) {
		/* Whatever broke it, the signature cannot hold: the dock would say no more than
		 * that. */
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				ISC_IMAGE_MANIFEST " in '%s' is damaged or was tampered with: %s",
				folder, why->message);
		return FALSE;
	}

	if (!add_file(files, fds, ISC_IMAGE_MANIFEST, manifest_fd, error) ||
			!add_file(files, fds, ISC_IMAGE_SIGNATURE, signature_fd, error))
		return FALSE;
	for (guint i = 0; i < ISC_N_PARTS; i++) {
		isc_autofd int fd = open_part(dir, folder, image->parts[i].file, error);
		if (fd < 0 || !add_file(files, fds, image->parts[i].file, fd, error))
			return FALSE;
	}
	return TRUE;
}

gboolean isc_cmd_image_import(IscCli *cli, GError **error)
{
	g_auto(GVariantBuilder) files;
	g_variant_builder_init(&files, G_VARIANT_TYPE("a{sh}"));
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
	if (!add_parts(&files, fds, cli->words[0], error))
		return FALSE;

	IscClient *client = isc_cli_client(cli, error);
	if (!client)
		return FALSE;
	g_autoptr(GVariant) tuple = isc_client_call(client, NULL, "ImportImage",
			g_variant_new("(a{sh}@a{sv})", &files, isc_cli_options(cli, NULL, NULL)),
			"(a{sv})", fds, NULL, error);
	if (!tuple)
		return FALSE;
	g_autoptr(GVariant) result = g_variant_get_child_value(tuple, 0);
	if (cli->json) {
		isc_cli_print_json(cli, result);
		return TRUE;
	}

	const gchar *name = "?", *version = "?";
	gboolean is_new = TRUE;
	g_variant_lookup(result, "name", "&s", &name);
	g_variant_lookup(result, "version", "&s", &version);
	g_variant_lookup(result, "new", "b", &is_new);
	g_autofree gchar *clean_name = isc_output_text(name);
	g_autofree gchar *clean_version = isc_output_text(version);
	g_autofree gchar *digest = isc_output_show_short(result, "digest");
	g_autofree gchar *size = isc_output_show_size(result, "size");
	g_string_append_printf(cli->out, "%s:%s %s (%s, %s)\n", clean_name, clean_version,
			!is_new        ? "is there already"
			: cli->dry_run ? "holds, and would be imported"
				       : "imported",
			digest ? digest : "-", size ? size : "-");
	return TRUE;
}

/* --- list, show, rm --------------------------------------------------------------------------- */

gboolean isc_cmd_image_list(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "NAME", "name", NULL },
		{ "VERSION", "version", NULL },
		{ "DIGEST", "digest", isc_output_show_short },
		{ "SIZE", "size", isc_output_show_size },
		{ "IMPORTED", "imported", isc_output_show_time },
		{ "NODES", "nodes", NULL },
		{ "PROBLEM", "problem", NULL },
		{ NULL },
	};
	return isc_cli_list(cli, "ListImages", columns, error);
}

gboolean isc_cmd_image_show(IscCli *cli, GError **error)
{
	static const gchar *const first[] = { "name", "version", "digest", "description", "size",
		"imported", "verified", "nodes", "service", "ports", "writable", NULL };
	g_autoptr(GVariant) image = isc_cli_ask(cli, NULL, "ShowImage",
			g_variant_new("(s)", cli->words[0]), "(a{sv})", error);
	return isc_cli_print_pairs(cli, image, first);
}

gboolean isc_cmd_image_rm(IscCli *cli, GError **error)
{
	IscClient *client = isc_cli_client(cli, error);
	if (!client)
		return FALSE;
	g_autoptr(IscJson) all = json_object_new_array();
	for (guint i = 0; i < cli->n_words; i++) {
		g_autoptr(GVariant) result = isc_client_ask(client, NULL, "RemoveImage",
				g_variant_new("(s@a{sv})", cli->words[i],
						isc_cli_options(cli, NULL, NULL)),
				"(a{sv})", error);
		if (!result)
			return FALSE;
		if (cli->json && cli->n_words == 1)
			isc_cli_print_json(cli, result);
		else if (cli->json)
			json_object_array_add(all, isc_output_to_json(result));
		else {
			g_autofree gchar *shown = isc_output_text(cli->words[i]);
			g_string_append_printf(cli->out, "%s: %s\n", shown,
					cli->dry_run ? "would be removed" : "removed");
		}
	}
	if (cli->json && cli->n_words > 1)
		isc_output_json(cli->out, all, TRUE);
	return TRUE;
}
