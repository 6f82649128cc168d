/* Persistent volumes. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "cli/cli.h"
#include "model/volume-use.h"

#define KEY_LINE_MAX 1024 /* more than the dock takes */

/* Names and paths are not checked for more than the bus needs: the dock says what is wrong. */
static gboolean check_words(const IscCli *cli, GError **error)
{
	for (guint i = 0; i < cli->n_words; i++)
		if (!g_utf8_validate(cli->words[i], -1, NULL)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "word %u is no UTF-8",
					i + 1);
			return FALSE;
		}
	return TRUE;
}

/* @done: what became of the volume */
static void print_result(IscCli *cli, const gchar *name, GVariant *result, const gchar *done)
{
	if (isc_cli_print_result(cli, result))
		return;
	gboolean changed = TRUE;
	gdouble seconds = 0;
	g_variant_lookup(result, "changed", "b", &changed);
	g_variant_lookup(result, "seconds", "d", &seconds);
	g_string_append_printf(cli->out, "volume %s: %s", name, done);
	if (!changed)
		g_string_append(cli->out, " already");
	else if (seconds > 0)
		g_string_append_printf(cli->out, " after %.1f s", seconds);
	g_string_append_c(cli->out, '\n');
}

/* @params: floating */
static gboolean ask(IscCli *cli, const gchar *name, const gchar *method, GVariant *params,
		const gchar *done, GError **error)
{
	g_autoptr(GVariant) result = isc_cli_ask(cli, NULL, method, params, "(a{sv})", error);
	if (!result)
		return FALSE;
	print_result(cli, name, result, done);
	return TRUE;
}

static gboolean sized(IscCli *cli, const gchar *method, const gchar *done, GError **error)
{
	guint mib;
	const gchar *name = isc_cli_name(cli, 0, "volume", error);
	if (!name || !isc_volume_size_parse(cli->words[1], &mib, error))
		return FALSE;
	return ask(cli, name, method,
			g_variant_new("(su@a{sv})", name, mib, isc_cli_options(cli, NULL, NULL)),
			done, error);
}

gboolean isc_cmd_volume_create(IscCli *cli, GError **error)
{
	return sized(cli, "CreateVolume", "made", error);
}

gboolean isc_cmd_volume_resize(IscCli *cli, GError **error)
{
	return sized(cli, "ResizeVolume", "resized", error);
}

gboolean isc_cmd_volume_attach(IscCli *cli, GError **error)
{
	if (!check_words(cli, error))
		return FALSE;
	g_autofree gchar *done = g_strdup_printf("attached to %s", cli->words[1]);
	return ask(cli, cli->words[0], "AttachVolume",
			g_variant_new("(sss@a{sv})", cli->words[0], cli->words[1], cli->words[2],
					isc_cli_options(cli, NULL, NULL)),
			done, error);
}

static gboolean plain(IscCli *cli, const gchar *method, const gchar *done, GError **error)
{
	const gchar *name = isc_cli_name(cli, 0, "volume", error);
	return name &&
	       ask(cli, name, method,
			       g_variant_new("(s@a{sv})", name, isc_cli_options(cli, NULL, NULL)),
			       done, error);
}

gboolean isc_cmd_volume_detach(IscCli *cli, GError **error)
{
	return plain(cli, "DetachVolume", "detached", error);
}

gboolean isc_cmd_volume_rm(IscCli *cli, GError **error)
{
	return plain(cli, "RemoveVolume", "shredded, and its key", error);
}

gboolean isc_cmd_volume_rekey(IscCli *cli, GError **error)
{
	return plain(cli, "RekeyVolume", "has a new key, the old one is erased", error);
}

/* --- list, show ------------------------------------------------------------------------------- */

gboolean isc_cmd_volume_list(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "NAME", "name", NULL },
		{ "SIZE", "size", isc_output_show_size },
		{ "USED", "used", isc_output_show_size },
		{ "NODE", "node", NULL },
		{ "PATH", "path", NULL },
		{ "CREATED", "created", isc_output_show_time },
		{ NULL },
	};
	return isc_cli_list(cli, "ListVolumes", columns, error);
}

gboolean isc_cmd_volume_show(IscCli *cli, GError **error)
{
	static const gchar *const first[] = { "name", "size", "used", "node", "path", "opens",
		"problem", "created", NULL };
	const gchar *name = isc_cli_name(cli, 0, "volume", error);
	g_autoptr(GVariant) volume =
			name ? isc_cli_ask(cli, NULL, "ShowVolume", g_variant_new("(s)", name),
					       "(a{sv})", error)
			     : NULL;
	return isc_cli_print_pairs(cli, volume, first);
}

/* --- export, import --------------------------------------------------------------------------- */

static int open_file(const gchar *path, int flags, GError **error)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0600);
	if (fd >= 0)
		return fd;
	g_set_error(error, ISC_ERROR,
			errno == ENOENT   ? ISC_ERROR_NOT_FOUND
			: errno == EEXIST ? ISC_ERROR_STATE
					  : ISC_ERROR_FAILED,
			"cannot open '%s': %s", path, g_strerror(errno));
	return -1;
}

/* One of random digits, for its owner alone. */
static int make_key_file(const gchar *path, GError **error)
{
	guint8 key[32];
	gchar text[66];
	if (sodium_init() < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "libsodium does not start");
		return -1;
	}
	randombytes_buf(key, sizeof key);
	sodium_bin2hex(text, sizeof text, key, sizeof key);
	text[64] = '\n';
	isc_autofd int fd = open_file(path, O_RDWR | O_CREAT | O_EXCL, error);
	gboolean ok = fd >= 0 && isc_file_write_all(fd, text, 65, error) &&
		      (fsync(fd) == 0 || isc_error_set_errno(error, errno, "cannot sync"));
	sodium_memzero(key, sizeof key);
	sodium_memzero(text, sizeof text);
	return ok ? isc_steal_fd(&fd) : -1;
}

/* A pipe's, a terminal's: the dock takes only what cannot keep it waiting.  Takes @from. */
static int read_key(int from, GError **error)
{
	gchar text[KEY_LINE_MAX];
	gsize len = 0;
	gssize n = 1;
	isc_autofd int fd = from;
	while (len < sizeof text && n > 0 && !memchr(text, '\n', len)) {
		n = read(fd, text + len, sizeof text - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (gsize)n;
	}
	isc_autofd int memory = n < 0 ? -1 : isc_file_new_memory("isc-key", error);
	gboolean ok = n < 0 ? isc_error_set_errno(error, errno, "cannot read the key file")
			    : memory >= 0 && isc_file_write_all(memory, text, len, error);
	explicit_bzero(text, sizeof text);
	return ok ? isc_steal_fd(&memory) : -1;
}

/* @made: NULL, or where there is none it is made, and *@made tells whether it was */
static int open_key_file(IscCli *cli, gboolean *made, GError **error)
{
	const gchar *path = isc_args_get(cli->args, "key-file");
	struct stat st;
	if (!path) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"--key-file FILE must be given: its first line opens the copy");
		return -1;
	}
	if (g_str_equal(path, "-"))
		path = "/dev/stdin";
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && made) {
		int key = make_key_file(path, error);
		*made = key >= 0;
		return key;
	}
	if (fd < 0)
		return open_file(path, O_RDONLY, error);
	if (fstat(fd, &st) == 0 &&
			(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode) || S_ISSOCK(st.st_mode)))
		return read_key(isc_steal_fd(&fd), error);
	return isc_steal_fd(&fd);
}

static GVariant *send_files(IscCli *cli, const gchar *method, int file, int key, GError **error)
{
	IscClient *client = isc_cli_client(cli, error);
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
	gint first = client ? g_unix_fd_list_append(fds, file, error) : -1;
	gint second = first >= 0 ? g_unix_fd_list_append(fds, key, error) : -1;
	g_autoptr(GVariant) tuple = NULL;
	if (second >= 0)
		tuple = isc_client_call(client, NULL, method,
				g_variant_new("(shh@a{sv})", cli->words[0], first, second,
						isc_cli_options(cli, NULL, NULL)),
				"(a{sv})", fds, NULL, error);
	return tuple ? g_variant_get_child_value(tuple, 0) : NULL;
}

static GVariant *copy_out(IscCli *cli, const gchar *path, int key, GError **error)
{
	isc_autofd int fd = open_file(path, O_RDWR | O_CREAT | O_EXCL, error);
	if (fd < 0)
		return NULL;
	g_autoptr(GVariant) result = send_files(cli, "ExportVolume", fd, key, error);
	/* The copy is made to outlive this host. */
	if (result && (fsync(fd) == 0 || isc_error_set_errno(error, errno, "'%s'", path)))
		return g_steal_pointer(&result);
	(void)unlink(path);
	return NULL;
}

gboolean isc_cmd_volume_export(IscCli *cli, GError **error)
{
	const gchar *path = cli->words[1];
	gboolean made = FALSE;
	isc_autofd int key = -1;
	if (!isc_cli_name(cli, 0, "volume", error) || (key = open_key_file(cli, &made, error)) < 0)
		return FALSE;
	g_autoptr(GVariant) result = copy_out(cli, path, key, error);
	if (!result) {
		if (made) /* it opens nothing */
			(void)unlink(isc_args_get(cli->args, "key-file"));
		return FALSE;
	}
	if (cli->json) {
		isc_cli_print_json(cli, result);
		return TRUE;
	}
	g_autofree gchar *size = isc_output_show_size(result, "size");
	g_autofree gchar *shown = isc_output_text(path);
	g_string_append_printf(
			cli->out, "volume %s: copied to '%s', %s\n", cli->words[0], shown, size);
	return TRUE;
}

gboolean isc_cmd_volume_import(IscCli *cli, GError **error)
{
	isc_autofd int key = -1;
	if (!isc_cli_name(cli, 0, "volume", error) || (key = open_key_file(cli, NULL, error)) < 0)
		return FALSE;
	isc_autofd int fd = open_file(cli->words[1], O_RDONLY, error);
	g_autoptr(GVariant) result =
			fd < 0 ? NULL : send_files(cli, "ImportVolume", fd, key, error);
	if (!result)
		return FALSE;
	print_result(cli, cli->words[0], result, "made from the copy");
	return TRUE;
}
