/* provision: a node from the command line or from a node file. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/nodefile.h"
#include "model/spec.h"

/* Options that say what the node is; a node file says all of that itself. */
static const gchar *const spec_options[] = { "image", "network", "expose", "egress", "bandwidth",
	"memory", "vcpus", "cpu-quota", "cpu-weight", "io-read-bandwidth", "io-write-bandwidth",
	"iops", "protect", "replicas", "replica-ports", "job", "max-runtime", "schedule",
	"persistent", "ephemeral", "overlay", "volume", "env", "env-file", "writable",
	"environment", "machine", "label", "description", "restart", "restart-sec",
	"restart-max-delay-sec", "start-limit-burst", "start-limit-interval-sec", "health",
	"health-interval", "health-retries", NULL };

/* A file that the operator names, "-" for standard input.  Links are followed: it is the operator's
 * own file, read with the operator's own rights.  Returns: (transfer full) */
static gchar *read_input(const gchar *path, gsize max, gsize *len, GError **error)
{
	gboolean is_stdin = g_str_equal(path, "-");
	isc_autofd int opened = is_stdin ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int fd = is_stdin ? STDIN_FILENO : opened;
	if (fd < 0) {
		g_set_error(error, ISC_ERROR,
				errno == ENOENT ? ISC_ERROR_NOT_FOUND : ISC_ERROR_FAILED,
				"cannot open '%s': %s", path, g_strerror(errno));
		return NULL;
	}

	g_autofree gchar *bytes = g_malloc(max + 2);
	gsize n = 0;
	for (gssize got = 1; got != 0 && n <= max;) {
		got = read(fd, bytes + n, max + 1 - n);
		if (got < 0 && errno != EINTR) {
			isc_error_set_errno(error, errno, "cannot read '%s'", path);
			return NULL;
		}
		n += got > 0 ? (gsize)got : 0;
	}
	if (n > max) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is longer than the %" G_GSIZE_FORMAT " bytes allowed", path,
				max);
		return NULL;
	}
	if (memchr(bytes, '\0', n)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s': a NUL byte", path);
		return NULL;
	}
	bytes[n] = '\0';
	*len = n;
	return g_steal_pointer(&bytes);
}

static gchar *spec_from_options(const IscCli *cli, gchar **name, GError **error)
{
	if (cli->n_words == 0 || !isc_args_has(cli->args, "image")) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"%s is missing: usage: isc-vm provision NAME --image IMG, or -f "
				"FILE",
				cli->n_words == 0 ? "NAME" : "--image");
		return NULL;
	}
	const gchar *given = isc_cli_name(cli, 0, "node", error);
	if (!given)
		return NULL;

	g_autoptr(GPtrArray) env = g_ptr_array_new_with_free_func(g_free);
	gchar *const *files = isc_args_list(cli->args, "env-file");
	for (gsize i = 0; files[i]; i++) {
		gsize len;
		g_autofree gchar *text = read_input(files[i], ISC_SPEC_MAX_BYTES, &len, error);
		if (!text || !isc_nodefile_env_parse(env, files[i], text, error))
			return NULL;
	}
	gchar *const *pairs = isc_args_list(cli->args, "env");
	for (gsize i = 0; pairs[i]; i++)
		if (!isc_nodefile_env_add(env, pairs[i], error))
			return NULL;

	*name = g_strdup(given);
	return isc_nodefile_build(given, cli->args, env, error);
}

static gchar *spec_from_file(const IscCli *cli, const gchar *path, gchar **name, GError **error)
{
	for (gsize i = 0; spec_options[i]; i++)
		if (isc_args_has(cli->args, spec_options[i])) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"--%s does not go with -f: write it into the node file",
					spec_options[i]);
			return NULL;
		}

	gsize len;
	g_autofree gchar *text = read_input(path, ISC_SPEC_MAX_BYTES, &len, error);
	if (!text)
		return NULL;
	/* Here, not only in the dock: only here is the file's name known. */
	g_autoptr(IscSpec) spec = isc_spec_parse(path, text, len, error);
	if (!spec)
		return NULL;
	if (cli->n_words == 0) {
		*name = g_strdup(spec->name);
		return g_steal_pointer(&text);
	}

	const gchar *given = isc_cli_name(cli, 0, "node", error);
	if (!given)
		return NULL;
	*name = g_strdup(given);
	g_free(spec->name);
	spec->name = g_strdup(given);
	return isc_spec_print(spec);
}

static void print_result(IscCli *cli, const gchar *name, GVariant *result)
{
	if (isc_cli_print_result(cli, result))
		return;

	const gchar *state = "", *address = "";
	gdouble seconds = 0;
	gboolean emulated = FALSE;
	g_variant_lookup(result, "state", "&s", &state);
	g_variant_lookup(result, "address", "&s", &address);
	g_variant_lookup(result, "seconds", "d", &seconds);
	g_variant_lookup(result, "emulated", "b", &emulated);
	gboolean changed = TRUE;
	g_variant_lookup(result, "changed", "b", &changed);
	g_autofree gchar *clean_state = isc_output_text(state);
	g_autofree gchar *clean_address = isc_output_text(address);
	g_string_append_printf(cli->out, "%s: %s", name, *clean_state ? clean_state : "done");
	if (*clean_address)
		g_string_append_printf(cli->out, " at %s", clean_address);
	if (!changed)
		g_string_append(cli->out, " already");
	else if (seconds > 0)
		g_string_append_printf(cli->out, " after %.1f s", seconds);
	g_string_append(cli->out, emulated ? " (emulated)\n" : "\n");
}

/* What never begins cannot be waited for. */
static gboolean check_wait(const IscCli *cli, const gchar *text, GError **error)
{
	if (!isc_args_has(cli->args, "wait"))
		return TRUE;
	g_autoptr(IscSpec) spec = isc_spec_parse("node file", text, strlen(text), error);
	if (!spec)
		return FALSE;
	if (spec->job.is_job && !*spec->job.schedule && !isc_args_has(cli->args, "no-enable"))
		return TRUE;
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
			"--wait is for a job that is started at once: --job, without --schedule "
			"and "
			"--no-enable");
	return FALSE;
}

gboolean isc_cmd_provision(IscCli *cli, GError **error)
{
	g_autofree gchar *name = NULL;
	const gchar *path = isc_args_get(cli->args, "file");
	g_autofree gchar *spec = path ? spec_from_file(cli, path, &name, error)
				      : spec_from_options(cli, &name, error);
	if (!spec)
		return FALSE;

	IscClient *client = check_wait(cli, spec, error) ? isc_cli_client(cli, error) : NULL;
	if (!client)
		return FALSE;
	isc_client_set_subject(client, name);
	GVariant *options = isc_args_has(cli->args, "no-enable")
					    ? isc_cli_options(cli, "enable",
							      g_variant_new_boolean(FALSE))
					    : isc_cli_options(cli, NULL, NULL);
	g_autoptr(GVariant) result = isc_client_ask(client, NULL, "Provision",
			g_variant_new("(s@a{sv})", spec, options), "(a{sv})", error);
	isc_client_set_subject(client, NULL);
	if (!result)
		return FALSE;
	/* With --wait the result is the job's. */
	if (isc_args_has(cli->args, "wait") && !cli->dry_run)
		return isc_cli_wait_for_job(cli, name, error);
	print_result(cli, name, result);
	return TRUE;
}
