/* The verbs of the dock's own life, and of what was destroyed on it. */
#include "base/error.h"
#include "cli/cli.h"

gboolean isc_cli_list_destroyed(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "NAME", "name", NULL },
		{ "DESTROYED", "destroyed", isc_output_show_time },
		{ "IMAGE", "image", NULL },
		{ "VERSION", "version", NULL },
		{ "UUID", "uuid", NULL },
		{ "SHREDDED", "shredded", NULL },
		{ NULL },
	};
	return isc_cli_list(cli, "ListDestroyed", columns, error);
}

gboolean isc_cmd_dock_status(IscCli *cli, GError **error)
{
	static const gchar *const first[] = { "state", "boundary", "draining", "nodes", "disk",
		"uptime", "accelerator", "emulated", "address", "version", "hypervisor", NULL };
	g_autoptr(GVariant) status = isc_cli_ask(cli, NULL, "Status", NULL, "(a{sv})", error);
	return isc_cli_print_pairs(cli, status, first);
}

/* "DONE: a, b" where @key of @result has names. */
static void print_names(IscCli *cli, GVariant *result, const gchar *key, const gchar *done)
{
	g_autofree const gchar **names = NULL;
	if (!g_variant_lookup(result, key, "^a&s", &names) || !names[0])
		return;
	g_autofree gchar *list = g_strjoinv(", ", (gchar **)names);
	g_autofree gchar *clean = isc_output_text(list);
	g_string_append_printf(cli->out, "%s: %s\n", done, clean);
}

gboolean isc_cmd_dock_drain(IscCli *cli, GError **error)
{
	gboolean force = isc_args_has(cli->args, "force");
	IscClient *client = isc_cli_client(cli, error);
	if (!client)
		return FALSE;
	isc_client_set_subject(client, NULL);
	g_autoptr(GVariant) result = isc_client_ask(client, NULL, "Drain",
			g_variant_new("(@a{sv})",
					isc_cli_options(cli, force ? "force" : NULL,
							force ? g_variant_new_boolean(TRUE)
							      : NULL)),
			"(a{sv})", error);
	if (!result)
		return FALSE;
	if (isc_cli_print_result(cli, result))
		return TRUE;
	print_names(cli, result, "stopped", "stopped");
	print_names(cli, result, "left", "left as they are");
	g_string_append(cli->out, "the dock is drained: no node is started until 'isc-vm dock "
				  "undrain'\n");
	return TRUE;
}

gboolean isc_cmd_dock_undrain(IscCli *cli, GError **error)
{
	g_autoptr(GVariant) result = isc_cli_ask(cli, NULL, "Undrain", NULL, "(a{sv})", error);
	if (!result)
		return FALSE;
	if (cli->json)
		isc_cli_print_json(cli, result);
	else
		g_string_append(cli->out, "nodes may be started\n");
	return TRUE;
}

gboolean isc_cmd_dock_teardown(IscCli *cli, GError **error)
{
	g_autoptr(GVariant) result = isc_cli_ask(cli, NULL, "Teardown",
			g_variant_new("(@a{sv})", isc_cli_options(cli, NULL, NULL)), "(a{sv})",
			error);
	if (!result)
		return FALSE;
	if (!isc_cli_print_result(cli, result))
		g_string_append(cli->out, "the dock is torn down; isc-dockd ends\n");
	return TRUE;
}

/* --- protection ------------------------------------------------------------------------------- */

gboolean isc_cli_set_each(IscCli *cli, const gchar *method, const gchar *done, GError **error)
{
	for (guint i = 0; i < cli->n_words; i++)
		if (!isc_cli_name(cli, i, "node", error))
			return FALSE;
	IscClient *client = isc_cli_client(cli, error);
	g_autoptr(GPtrArray) names = isc_cli_names(cli);
	for (guint i = 0; client && i < names->len; i++) {
		gboolean changed = TRUE;
		g_autoptr(GError) why = NULL;
		const gchar *name = names->pdata[i];
		g_autoptr(GVariant) result =
				isc_client_ask(client, name, method, NULL, "(a{sv})", &why);
		if (!result && isc_cli_put_members(cli, names, i, &why))
			continue;
		if (!result) {
			g_propagate_error(error, g_steal_pointer(&why));
			return FALSE;
		}
		g_variant_lookup(result, "changed", "b", &changed);
		if (cli->json)
			isc_cli_print_json(cli, result);
		else
			g_string_append_printf(cli->out, "%s: %s%s\n", name, done,
					changed ? "" : " already");
	}
	return client != NULL;
}

gboolean isc_cmd_protect(IscCli *cli, GError **error)
{
	return isc_cli_set_each(cli, "Protect", "protected", error);
}

gboolean isc_cmd_unprotect(IscCli *cli, GError **error)
{
	return isc_cli_set_each(cli, "Unprotect", "not protected", error);
}
