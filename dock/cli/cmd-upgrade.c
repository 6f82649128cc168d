/* upgrade, rollback. */
#include "base/error.h"
#include "cli/cli.h"

/* Returns: floating a{sv}, or NULL with @error set */
static GVariant *options_of(const IscCli *cli, GError **error)
{
	guint drain;
	gboolean has_drain = isc_args_has(cli->args, "drain");
	if (!isc_args_uint(cli->args, "drain", 0, 3600, &drain, error))
		return NULL;
	g_autoptr(GVariant) common = g_variant_ref_sink(isc_cli_options(cli, NULL, NULL));
	GVariantDict dict;
	g_variant_dict_init(&dict, common);
	if (has_drain)
		g_variant_dict_insert(&dict, "drain", "u", drain);
	if (isc_args_has(cli->args, "in-place"))
		g_variant_dict_insert(&dict, "in-place", "b", TRUE);
	return g_variant_dict_end(&dict);
}

static void print_result(IscCli *cli, GVariant *result)
{
	if (isc_cli_print_result(cli, result))
		return;
	const gchar *state = "";
	gdouble seconds = 0;
	gboolean changed = TRUE;
	g_variant_lookup(result, "changed", "b", &changed);
	g_variant_lookup(result, "state", "&s", &state);
	g_variant_lookup(result, "seconds", "d", &seconds);
	g_autofree gchar *clean = isc_output_text(state);
	g_string_append_printf(cli->out, "%s: %s", cli->words[0], clean);
	if (changed)
		g_string_append_printf(cli->out, " after %.1f s\n", seconds);
	else
		g_string_append(cli->out, ", of that image already\n");
}

static gboolean call(IscCli *cli, const gchar *method, const gchar *image, GError **error)
{
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	GVariant *options = name ? options_of(cli, error) : NULL;
	if (!options)
		return FALSE;
	g_autoptr(GError) why = NULL;
	g_autoptr(GVariant) kept = g_variant_ref_sink(options);
	GVariant *params = image ? g_variant_new("(s@a{sv})", image, kept)
				 : g_variant_new("(@a{sv})", kept);
	g_autoptr(GVariant) result = isc_cli_ask(cli, name, method, params, "(a{sv})", &why);
	if (result) {
		print_result(cli, result);
		return TRUE;
	}
	params = g_variant_new("(ss@a{sv})", name, image ? image : "", kept);
	result = isc_cli_ask_set(cli, "UpgradeSet", params, &why);
	if (result) {
		isc_cli_print_set(cli, result);
		return TRUE;
	}
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

gboolean isc_cmd_upgrade(IscCli *cli, GError **error)
{
	const gchar *image = isc_args_get(cli->args, "image");
	if (image)
		return call(cli, "Upgrade", image, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"--image is missing: usage: isc-vm upgrade NAME --image IMG");
	return FALSE;
}

gboolean isc_cmd_rollback(IscCli *cli, GError **error)
{
	return call(cli, "Rollback", NULL, error);
}
