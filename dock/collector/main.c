/* isc-collectord: takes the channels of the nodes, keeps what comes out of them. */
#include <gio/gio.h>
#include <sodium.h>
#include <stdlib.h>

#include "base/error.h"
#include "collector/sandbox.h"
#include "collector/setup.h"

static gboolean show_version;
static gchar *run_dir, *log_dir, *user;
static const GOptionEntry options[] = {
	{ "foreground", 0, G_OPTION_FLAG_NONE, G_OPTION_ARG_NONE, &(gboolean){ FALSE },
			"stay in the foreground (it always does)", NULL },
	{ "run-dir", 0, 0, G_OPTION_ARG_FILENAME, &run_dir, "of the link (/run/isc-dock)", "DIR" },
	{ "log-dir", 0, 0, G_OPTION_ARG_FILENAME, &log_dir, "of the trails (/var/log/isc-dock)",
			"DIR" },
	{ "user", 0, 0, G_OPTION_ARG_STRING, &user, "to become, as root (isc-collect)", "NAME" },
	{ "version", 0, 0, G_OPTION_ARG_NONE, &show_version, "say which version this is", NULL },
	G_OPTION_ENTRY_NULL,
};

static int fail(const GError *error)
{
	g_printerr("isc-collectord: %s\n", error->message);
	return error->domain == G_OPTION_ERROR ? 2 : isc_error_exit_status(error);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GOptionContext) context =
			g_option_context_new("- keep the audit trails of the nodes");
	IscSetup setup;

	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error))
		return fail(error);
	if (show_version) {
		g_print("isc-collectord %s\n", ISC_VERSION);
		return 0;
	}
	if (sodium_init() < 0)
		abort();

	const IscSetupOptions wanted = { run_dir ? run_dir : "/run/isc-dock",
		log_dir ? log_dir : "/var/log/isc-dock", user ? user : "isc-collect" };
	if (!isc_setup_prepare(&wanted, &setup, &error))
		return fail(error);
	const IscSandbox sandbox = { wanted.log_dir, setup.uid, setup.gid };
	if (!isc_sandbox_enter(&sandbox, &error))
		return fail(error);
	/* From here on: no way out, and the first byte of a guest is still to come. */
	return isc_collector_run(&setup.collector, &error) ? 0 : fail(error);
}
