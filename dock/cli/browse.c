/* Runs isc-evidence-read and shows what it says.  What it says came off a suspect's disk: lists are
 * parsed as one parses what a stranger sends, and no byte reaches a terminal unescaped. */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/evidence.h"

#define SECONDS 120 /* the appliance takes 10 to 30 where it is emulated */
#define PROGRAM "isc-evidence-read"
#define OUT_MAX ((gsize)256 * 1024 * 1024)
#define ENTRIES_MAX 10000

/* Beside isc-vm in a build, in PREFIX/lib/isc-dock where it is installed.  (transfer full) */
static gchar *find_program(GError **error)
{
	g_autofree gchar *self = g_file_read_link("/proc/self/exe", error);
	if (!self)
		return NULL;
	g_autofree gchar *dir = g_path_get_dirname(self);
	g_autofree gchar *beside = g_build_filename(dir, PROGRAM, NULL);
	g_autofree gchar *lib = g_build_filename(dir, "../lib/isc-dock", PROGRAM, NULL);
	if (g_file_test(beside, G_FILE_TEST_IS_EXECUTABLE))
		return g_steal_pointer(&beside);
	if (g_file_test(lib, G_FILE_TEST_IS_EXECUTABLE))
		return g_steal_pointer(&lib);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, PROGRAM " is not installed beside isc-vm");
	return NULL;
}

/* Its exit status is one of ours, its last word the message. */
static gboolean judge(GSubprocess *process, const gchar *says, GError **error)
{
	if (g_subprocess_get_if_exited(process) && g_subprocess_get_exit_status(process) == 0)
		return TRUE;
	int status = g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process)
							 : 1;
	g_autofree gchar *text = isc_output_text(says && *says ? says : PROGRAM " was killed");
	g_set_error_literal(error, ISC_ERROR,
			status >= 1 && status <= ISC_N_ERRORS ? (gint)(status - 1)
							      : (gint)ISC_ERROR_FAILED,
			g_strchomp(text));
	return FALSE;
}

static GBytes *run(int disk, int key, const gchar *path, guint seconds, GError **error)
{
	g_autofree gchar *program = find_program(error);
	g_autofree gchar *limit = g_strdup_printf("%u", seconds);
	if (!program)
		return NULL;
	g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
			G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
	g_subprocess_launcher_take_fd(launcher, fcntl(disk, F_DUPFD_CLOEXEC, 10), 3);
	g_subprocess_launcher_take_fd(launcher, fcntl(key, F_DUPFD_CLOEXEC, 10), 4);
	g_autoptr(GSubprocess) process =
			g_subprocess_launcher_spawn(launcher, error, program, limit, path, NULL);
	g_autoptr(GBytes) out = NULL, err = NULL;
	if (!process || !g_subprocess_communicate(process, NULL, NULL, &out, &err, error))
		return NULL;
	g_autofree gchar *says =
			g_strndup(g_bytes_get_data(err, NULL), MIN(g_bytes_get_size(err), 4096));
	if (!judge(process, says, error))
		return NULL;
	if (g_bytes_get_size(out) >= 1 && g_bytes_get_size(out) <= OUT_MAX)
		return g_steal_pointer(&out);
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, PROGRAM " said nothing, or too much");
	return NULL;
}

/* --- a folder ------------------------------------------------------------------------------ */

static gboolean add_row(GVariantBuilder *rows, json_object *one)
{
	static const gchar *const texts[] = { "name", "type", "mode", "target" };
	static const gchar *const numbers[] = { "uid", "gid", "size", "modified" };
	GVariantDict dict;
	json_object *value;
	if (!json_object_is_type(one, json_type_object))
		return FALSE;
	g_variant_dict_init(&dict, NULL);
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
		if (json_object_object_get_ex(one, texts[i], &value) &&
				json_object_is_type(value, json_type_string))
			g_variant_dict_insert(&dict, texts[i], "s", json_object_get_string(value));
	for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
		if (json_object_object_get_ex(one, numbers[i], &value) &&
				json_object_is_type(value, json_type_int))
			g_variant_dict_insert(&dict, numbers[i], "x", json_object_get_int64(value));
	g_variant_builder_add(rows, "@a{sv}", g_variant_dict_end(&dict));
	return TRUE;
}

static gboolean show_folder(IscCli *cli, const gchar *text, gsize len, GError **error)
{
	static const IscColumn columns[] = {
		{ "TYPE", "type", NULL },
		{ "MODE", "mode", NULL },
		{ "UID", "uid", NULL },
		{ "GID", "gid", NULL },
		{ "SIZE", "size", NULL },
		{ "MODIFIED", "modified", isc_output_show_time },
		{ "NAME", "name", NULL },
		{ "TARGET", "target", NULL },
		{ NULL },
	};
	json_tokener *tokener = json_tokener_new_ex(4);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	g_autoptr(IscJson) all = json_tokener_parse_ex(tokener, text, (int)len);
	json_tokener_free(tokener);
	gboolean ok = json_object_is_type(all, json_type_array) &&
		      json_object_array_length(all) <= ENTRIES_MAX;
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE("aa{sv}"));
	for (gsize i = 0; ok && i < json_object_array_length(all); i++)
		ok = add_row(&b, json_object_array_get_idx(all, i));
	g_autoptr(GVariant) rows = g_variant_ref_sink(g_variant_builder_end(&b));
	if (!ok) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				PROGRAM " gave no list that can be read");
		return FALSE;
	}
	return isc_cli_print_rows(cli, rows, columns);
}

/* --- a file -------------------------------------------------------------------------------- */

/* To a terminal line by line, escaped; else as it is. */
static gboolean show_file(IscCli *cli, const gchar *bytes, gsize len, GError **error)
{
	if (cli->json) {
		g_autofree gchar *base64 = g_base64_encode((const guchar *)bytes, len);
		g_autoptr(IscJson) root = json_object_new_object();
		json_object_object_add(root, "size", json_object_new_int64((gint64)len));
		json_object_object_add(root, "base64", json_object_new_string(base64));
		isc_output_json(cli->out, root, TRUE);
		return TRUE;
	}
	if (!isatty(STDOUT_FILENO))
		return isc_file_write_all(STDOUT_FILENO, bytes, len, error);
	for (gsize at = 0; at < len;) {
		const gchar *end = memchr(bytes + at, '\n', len - at);
		gsize n = end ? (gsize)(end - bytes) - at : len - at;
		g_autofree gchar *line = isc_output_bytes(bytes + at, n);
		g_string_append_printf(cli->out, "%s\n", line);
		at += n + 1;
	}
	return TRUE;
}

gboolean isc_browse(IscCli *cli, int disk, int key, const gchar *path, GError **error)
{
	if (*path != '/' || strlen(path) > 4000) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"PATH is absolute: '/' is the top of the node's overlay");
		return FALSE;
	}
	g_autoptr(GBytes) said =
			run(disk, key, path, cli->timeout_s ? cli->timeout_s : SECONDS, error);
	if (!said)
		return FALSE;
	gsize len;
	const gchar *text = g_bytes_get_data(said, &len);
	return *text == 'd' ? show_folder(cli, text + 1, len - 1, error)
			    : show_file(cli, text + 1, len - 1, error);
}
