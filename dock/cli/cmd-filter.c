/* The host filter: filter apply, confirm, off, show. */
#include <stdlib.h>

#include "base/error.h"
#include "cli/cli.h"

static GVariant *ask(IscCli *cli, const gchar *method, GVariant *options, GError **error)
{
	return isc_cli_ask(cli, NULL, method, options ? g_variant_new("(@a{sv})", options) : NULL,
			"(a{sv})", error);
}

gboolean isc_cmd_filter_apply(IscCli *cli, GError **error)
{
	const gchar *text = isc_args_get(cli->args, "for");
	guint64 seconds = 0;
	if (text && !g_ascii_string_to_unsigned(text, 10, 1, 3600, &seconds, NULL)) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID,
				"--for wants 1 to 3600 seconds");
		return FALSE;
	}
	g_autoptr(GVariant) result = ask(cli, "FilterApply",
			isc_cli_options(cli, seconds ? "seconds" : NULL,
					seconds ? g_variant_new_uint32((guint32)seconds) : NULL),
			error);
	if (!result)
		return FALSE;
	if (isc_cli_print_result(cli, result))
		return TRUE;
	guint left = 0;
	g_variant_lookup(result, "seconds", "u", &left);
	g_string_append_printf(cli->out,
			"on trial, off again by itself in %u s: log in anew from outside, "
			"then 'isc-vm filter confirm'\n",
			left);
	return TRUE;
}

static gboolean change(IscCli *cli, const gchar *method, const gchar *done, GError **error)
{
	g_autoptr(GVariant) result = ask(cli, method, isc_cli_options(cli, NULL, NULL), error);
	if (!result)
		return FALSE;
	if (isc_cli_print_result(cli, result))
		return TRUE;
	gboolean changed = TRUE;
	g_variant_lookup(result, "changed", "b", &changed);
	g_string_append_printf(cli->out, "%s\n", changed ? done : "so already");
	return TRUE;
}

gboolean isc_cmd_filter_confirm(IscCli *cli, GError **error)
{
	return change(cli, "FilterConfirm", "confirmed: it stays", error);
}

gboolean isc_cmd_filter_off(IscCli *cli, GError **error)
{
	return change(cli, "FilterOff", "off", error);
}

gboolean isc_cmd_filter_show(IscCli *cli, GError **error)
{
	static const gchar *const first[] = { "state", "seconds", "outside", "confirmed",
		"configured", "dropped", NULL };
	g_autoptr(GVariant) result = ask(cli, "FilterShow", NULL, error);
	if (!result)
		return FALSE;
	GVariantDict dict;
	g_variant_dict_init(&dict, result);
	g_variant_dict_remove(&dict, "changed");
	g_autoptr(GVariant) shown = g_variant_ref_sink(g_variant_dict_end(&dict));
	return isc_cli_print_pairs(cli, shown, first);
}
