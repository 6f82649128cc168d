/* limit: what a node may use of the host. */
#include "base/error.h"
#include "cli/cli.h"

/* clang-format off */
static const struct {
	const gchar *option, *key;
} table[] = {
	{ "cpu-quota",          "CPUQuota" },
	{ "cpu-weight",         "CPUWeight" },
	{ "io-read-bandwidth",  "IOReadBandwidth" },
	{ "io-write-bandwidth", "IOWriteBandwidth" },
	{ "iops",               "IOPS" },
	{ "bandwidth",          "Bandwidth" },
	{ "memory",             "Memory" },
	{ "vcpus",              "VCPUs" },
};
/* clang-format on */

static void print_result(IscCli *cli, const gchar *name, GVariant *result)
{
	const gchar *limits = "", *in_force = NULL;
	gboolean changed = TRUE;
	if (isc_cli_print_result(cli, result))
		return;
	g_variant_lookup(result, "changed", "b", &changed);
	g_variant_lookup(result, "limits", "&s", &limits);
	g_autofree gchar *text = isc_output_text(*limits ? limits : "none");
	g_string_append_printf(cli->out, "%s: limits: %s%s", name, text, changed ? "" : " already");
	if (g_variant_lookup(result, "limits-in-force", "&s", &in_force)) {
		g_autofree gchar *now = isc_output_text(*in_force ? in_force : "none");
		g_string_append_printf(cli->out, "; in force: %s", now);
	}
	g_string_append_c(cli->out, '\n');
}

gboolean isc_cmd_limit(IscCli *cli, GError **error)
{
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	if (!name)
		return FALSE;
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
	for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
		const gchar *value = isc_args_get(cli->args, table[i].option);
		if (value)
			g_ptr_array_add(texts, g_strconcat(table[i].key, "=", value, NULL));
	}
	if (texts->len == 0) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"name a limit that shall change: 'isc-vm limit --help' lists them");
		return FALSE;
	}
	g_ptr_array_add(texts, NULL);
	g_autoptr(GError) why = NULL;
	g_autoptr(GVariant) result = isc_cli_ask(cli, name, "Limit",
			g_variant_new("(^as@a{sv})", texts->pdata,
					isc_cli_options(cli, NULL, NULL)),
			"(a{sv})", &why);
	if (result) {
		print_result(cli, name, result);
		return TRUE;
	}
	result = isc_cli_ask_set(cli, "LimitSet",
			g_variant_new("(s^as@a{sv})", name, texts->pdata,
					isc_cli_options(cli, NULL, NULL)),
			&why);
	if (result) {
		isc_cli_print_set(cli, result);
		return TRUE;
	}
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}
