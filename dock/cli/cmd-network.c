/* The network of nodes: expose, unexpose, allow, deny, network show, network explain. */
#include "base/error.h"
#include "cli/cli.h"

/* --- rules ------------------------------------------------------------------------------------ */

static gboolean change(IscCli *cli, const gchar *method, const gchar *done, GError **error)
{
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	IscClient *client = name ? isc_cli_client(cli, error) : NULL;
	if (!client)
		return FALSE;
	GVariantBuilder rules;
	g_variant_builder_init(&rules, G_VARIANT_TYPE("as"));
	for (guint i = 1; i < cli->n_words; i++) {
		if (!g_utf8_validate(cli->words[i], -1, NULL)) {
			g_variant_builder_clear(&rules);
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "rule %u is no UTF-8", i);
			return FALSE;
		}
		g_variant_builder_add(&rules, "s", cli->words[i]);
	}
	g_autoptr(GVariant) list = g_variant_ref_sink(g_variant_builder_end(&rules));
	g_autoptr(GError) why = NULL;
	g_autoptr(GVariant) result = isc_client_ask(client, name, method,
			g_variant_new("(@as@a{sv})", list, isc_cli_options(cli, NULL, NULL)),
			"(a{sv})", &why);
	if (!result) {
		g_autofree gchar *of_set = g_strconcat(method, "Set", NULL);
		result = isc_cli_ask_set(cli, of_set,
				g_variant_new("(s@as@a{sv})", name, list,
						isc_cli_options(cli, NULL, NULL)),
				&why);
	}
	if (!result) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	if (isc_cli_print_result(cli, result))
		return TRUE;
	gboolean changed = TRUE;
	gdouble seconds = 0;
	g_variant_lookup(result, "changed", "b", &changed);
	g_variant_lookup(result, "seconds", "d", &seconds);
	g_string_append_printf(cli->out, "%s: ", name);
	if (changed)
		g_string_append_printf(cli->out, "%s after %.2f s\n", done, seconds);
	else
		g_string_append(cli->out, "so already\n");
	return TRUE;
}

gboolean isc_cmd_expose(IscCli *cli, GError **error)
{
	return change(cli, "Expose", "exposed", error);
}

gboolean isc_cmd_unexpose(IscCli *cli, GError **error)
{
	return change(cli, "Unexpose", "exposed no more", error);
}

gboolean isc_cmd_allow(IscCli *cli, GError **error)
{
	return change(cli, "Allow", "allowed", error);
}

gboolean isc_cmd_deny(IscCli *cli, GError **error)
{
	return change(cli, "Deny", "denied", error);
}

/* --- questions -------------------------------------------------------------------------------- */

/* Packets dropped, of all kinds together. */
static gchar *show_dropped(GVariant *row, const gchar *key)
{
	g_autoptr(GVariant) counters = g_variant_lookup_value(row, key, G_VARIANT_TYPE_VARDICT);
	GVariantIter iter;
	GVariant *value;
	guint64 sum = 0;
	if (!counters)
		return NULL;
	g_variant_iter_init(&iter, counters);
	while (g_variant_iter_next(&iter, "{sv}", NULL, &value)) {
		if (g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64))
			sum += g_variant_get_uint64(value);
		g_variant_unref(value);
	}
	return g_strdup_printf("%" G_GUINT64_FORMAT, sum);
}

static void print_all(IscCli *cli, GVariant *all)
{
	static const gchar *const first[] = { "boundary", "outside", "opened", "allowed", NULL };
	static const IscColumn columns[] = {
		{ "NAME", "name", NULL },
		{ "BOUNDARY", "boundary", NULL },
		{ "LINK", "link", NULL },
		{ "ADDRESS", "address", NULL },
		{ "EXPOSE", "expose", NULL },
		{ "EGRESS", "egress", NULL },
		{ "DROPPED", "counters", show_dropped },
		{ NULL },
	};
	g_autoptr(GVariant) nodes = g_variant_lookup_value(all, "nodes", G_VARIANT_TYPE("aa{sv}"));
	GVariantDict rest;
	g_variant_dict_init(&rest, all);
	g_variant_dict_remove(&rest, "nodes");
	g_autoptr(GVariant) dock = g_variant_ref_sink(g_variant_dict_end(&rest));
	isc_output_pairs(cli->out, dock, first);
	if (nodes && g_variant_n_children(nodes)) {
		g_string_append_c(cli->out, '\n');
		isc_output_table(cli->out, nodes, columns);
	}
}

gboolean isc_cmd_network_show(IscCli *cli, GError **error)
{
	static const gchar *const first[] = { "name", "state", "boundary", "link", "tap", "mac",
		"address", "network", "pinned", "expose", "egress", "names", "bandwidth", "health",
		"counters", "opened", "allowed", NULL };
	const gchar *name = cli->n_words ? isc_cli_name(cli, 0, "node", error) : "";
	g_autoptr(GVariant) result =
			name ? isc_cli_ask(cli, NULL, "ShowNetwork", g_variant_new("(s)", name),
					       "(a{sv})", error)
			     : NULL;
	if (!result)
		return FALSE;
	if (cli->json)
		isc_cli_print_json(cli, result);
	else if (*name)
		isc_output_pairs(cli->out, result, first);
	else
		print_all(cli, result);
	return TRUE;
}

gboolean isc_cmd_network_explain(IscCli *cli, GError **error)
{
	static const gchar *const first[] = { "from", "to", "stands-for", "port", "verdict", "rule",
		"why", "where", "kind", NULL };
	for (guint i = 0; i < cli->n_words; i++)
		if (!g_utf8_validate(cli->words[i], -1, NULL)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "word %u is no UTF-8",
					i + 1);
			return FALSE;
		}
	g_autoptr(GVariant) result = isc_cli_ask(cli, NULL, "ExplainNetwork",
			g_variant_new("(sss)", cli->words[0], cli->words[1], cli->words[2]),
			"(a{sv})", error);
	return isc_cli_print_pairs(cli, result, first);
}
