/* Verbs that only look: list, show, doctor, fsck. */
#include "base/error.h"
#include "cli/cli.h"

/* Emulated nodes are no boundary to rely on: that is shown wherever nodes are. */
static gchar *show_accel(GVariant *row, const gchar *key)
{
	gboolean emulated;
	if (!g_variant_lookup(row, key, "b", &emulated))
		return NULL;
	return g_strdup(emulated ? "emulated" : "kvm");
}

static gchar *show_image(GVariant *row, const gchar *key)
{
	const gchar *name = NULL, *version = "";
	if (!g_variant_lookup(row, key, "&s", &name))
		return NULL;
	g_variant_lookup(row, "version", "&s", &version);
	g_autofree gchar *both = *version ? g_strconcat(name, ":", version, NULL) : g_strdup(name);
	return isc_output_text(both);
}

/* The dock answers from its register even where libvirt is gone; whoever reads that must know. */
static void warn_if_degraded(IscClient *client)
{
	g_autoptr(GVariant) dock = isc_client_properties(client, NULL);
	const gchar *state = "ok";
	if (!dock || !g_variant_lookup(dock, "State", "&s", &state) || g_str_equal(state, "ok"))
		return;
	g_autofree gchar *text = isc_output_text(state);
	g_printerr("isc-vm: warning: the dock is not in order: %s\n", text);
}

static gboolean has_any(GVariant *rows, const gchar *key)
{
	gsize n = g_variant_n_children(rows);
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
		g_autoptr(GVariant) value = g_variant_lookup_value(row, key, NULL);
		if (value)
			return TRUE;
	}
	return FALSE;
}

gboolean isc_cmd_list(IscCli *cli, GError **error)
{
	/* The first two behind the name only where there are sets and jobs. */
	static const IscColumn all[] = {
		{ "NAME", "name", NULL },
		{ "SET", "set", NULL },
		{ "JOB", "job-result", NULL },
		{ "STATE", "state", NULL },
		{ "BOUNDARY", "boundary", NULL },
		{ "IMAGE", "image", show_image },
		{ "ADDRESS", "address", NULL },
		{ "EXPOSE", "expose", NULL },
		{ "ENVIRONMENT", "environment", NULL },
		{ "ACCEL", "emulated", show_accel },
		{ "SINCE", "since", isc_output_show_time },
		{ NULL },
	};
	IscColumn columns[G_N_ELEMENTS(all)] = { 0 };
	if (isc_args_has(cli->args, "destroyed"))
		return isc_cli_list_destroyed(cli, error);
	if (isc_args_has(cli->args, "sets"))
		return isc_cli_list_sets(cli, error);
	g_autoptr(GVariant) rows = isc_cli_ask(cli, NULL, "ListNodes", NULL, "(aa{sv})", error);
	if (!rows)
		return FALSE;
	if (isc_args_has(cli->args, "names")) {
		isc_output_names(cli->out, rows, cli->json);
		return TRUE;
	}
	if (cli->json) {
		isc_cli_print_json(cli, rows);
		return TRUE;
	}
	warn_if_degraded(cli->client);
	for (gsize i = 0, n = 0; i < G_N_ELEMENTS(all); i++)
		if ((i != 1 && i != 2) || has_any(rows, all[i].key))
			columns[n++] = all[i];
	isc_output_table(cli->out, rows, columns);
	return TRUE;
}

gboolean isc_cmd_show(IscCli *cli, GError **error)
{
	static const gchar *const first[] = { "name", "set", "state", "reason", "boundary",
		"boundary-why", "description", "image", "version", "digest", "environment",
		"emulated", "address", "network", "expose", "egress", "bandwidth", "since",
		"created", "memory", "vcpus", "limits", "limits-in-force", "job", "max-runtime",
		"schedule", "schedule-paused", "schedule-next", "last-run", "ephemeral", "overlay",
		"labels", "rollback-to", "health", "health-failures", "restart", "restarts",
		"restart-reason", "restart-last", "restart-at", "snapshots", "uuid", "domain",
		"uid", "pid", "tap", "mac", NULL };
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	g_autoptr(GError) why = NULL;
	if (!name)
		return FALSE;
	g_autoptr(GVariant) node = isc_cli_ask(cli, name, "Show", NULL, "(a{sv})", &why);
	if (isc_cli_print_pairs(cli, node, first) || isc_cli_show_set(cli, name, &why))
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

gboolean isc_cmd_doctor(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "CHECK", "name", NULL },
		{ "LEVEL", "level", NULL },
		{ "FOUND", "found", NULL },
		{ NULL },
	};
	g_autoptr(GVariant) rows = isc_cli_ask(cli, NULL, "Doctor", NULL, "(aa{sv})", error);
	if (!isc_cli_print_rows(cli, rows, columns))
		return FALSE;

	guint failed = 0;
	gsize n = g_variant_n_children(rows);
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
		const gchar *name = "?", *level = "", *advice = "";
		gboolean ok = TRUE;
		g_variant_lookup(row, "name", "&s", &name);
		g_variant_lookup(row, "level", "&s", &level);
		g_variant_lookup(row, "advice", "&s", &advice);
		g_variant_lookup(row, "ok", "b", &ok);
		/* A warning is not ok, and yet the host will do. */
		failed += g_str_equal(level, "fail") || (!*level && !ok);
		if (cli->json || !*advice || (ok && g_str_equal(level, "ok")))
			continue;
		g_autofree gchar *clean_name = isc_output_text(name);
		g_autofree gchar *clean = isc_output_text(advice);
		g_string_append_printf(cli->out, "%s: %s\n", clean_name, clean);
	}
	if (failed == 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "%u of %" G_GSIZE_FORMAT " checks failed",
			failed, n);
	return FALSE;
}

gboolean isc_cmd_fsck(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "WHAT", "what", NULL },
		{ "NAME", "name", NULL },
		{ "REPAIRED", "repaired", isc_output_show_yes },
		{ "PROBLEM", "problem", NULL },
		{ NULL },
	};
	IscClient *client = isc_cli_client(cli, error);
	if (!client)
		return FALSE;
	GVariantDict options;
	g_variant_dict_init(&options, NULL);
	if (isc_args_has(cli->args, "repair"))
		g_variant_dict_insert(&options, "repair", "b", TRUE);
	g_autoptr(GVariant) rows = isc_client_ask(client, NULL, "Fsck",
			g_variant_new("(@a{sv})", g_variant_dict_end(&options)), "(aa{sv})", error);
	if (!rows)
		return FALSE;

	gsize n = g_variant_n_children(rows), left = n;
	for (gsize i = 0; i < n; i++) {
		g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
		gboolean repaired = FALSE;
		g_variant_lookup(row, "repaired", "b", &repaired);
		left -= repaired ? 1 : 0;
	}
	if (cli->json)
		isc_cli_print_json(cli, rows);
	else if (n > 0)
		isc_output_table(cli->out, rows, columns);
	if (left == 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "%" G_GSIZE_FORMAT " problems%s", left,
			isc_args_has(cli->args, "repair") ? " are left" : ": isc-vm fsck --repair");
	return FALSE;
}
