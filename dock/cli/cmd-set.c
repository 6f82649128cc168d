/* Sets of equal nodes: scale, and what other verbs do where a name is a set's. */
#include "base/error.h"
#include "cli/cli.h"
#include "model/replica.h"

GVariant *isc_cli_ask_set(IscCli *cli, const gchar *method, GVariant *params, GError **why)
{
	g_autoptr(GVariant) held = g_variant_ref_sink(params);
	g_autoptr(GError) worse = NULL;
	if (!g_error_matches(*why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return NULL;
	GVariant *result = isc_cli_ask(cli, NULL, method, held, "(a{sv})", &worse);
	/* Of no set either: what was said of the node holds. */
	if (!result && g_error_matches(worse, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return NULL;
	g_clear_error(why);
	*why = g_steal_pointer(&worse);
	return result;
}

void isc_cli_print_set(IscCli *cli, GVariant *result)
{
	const gchar *name = "", *state = "";
	gdouble seconds = 0;
	gboolean changed = TRUE, emulated = FALSE;
	if (cli->json) {
		isc_cli_print_json(cli, result);
		return;
	}
	if (isc_cli_print_plan(cli, result))
		return;
	g_variant_lookup(result, "name", "&s", &name);
	g_variant_lookup(result, "state", "&s", &state);
	g_variant_lookup(result, "seconds", "d", &seconds);
	g_variant_lookup(result, "changed", "b", &changed);
	g_variant_lookup(result, "emulated", "b", &emulated);
	g_autofree gchar *clean_name = isc_output_text(name), *clean = isc_output_text(state);
	g_string_append_printf(cli->out, "%s: %s", clean_name, clean);
	if (changed)
		g_string_append_printf(cli->out, " after %.1f s", seconds);
	else
		g_string_append(cli->out, " already");
	g_string_append(cli->out, emulated ? " (emulated)\n" : "\n");
}

gboolean isc_cmd_scale(IscCli *cli, GError **error)
{
	guint64 count;
	const gchar *name = isc_cli_name(cli, 0, "set", error);
	if (!name)
		return FALSE;
	if (!g_ascii_string_to_unsigned(cli->words[1], 10, 1, ISC_REPLICAS_MAX, &count, NULL)) {
		g_autofree gchar *shown = isc_output_text(cli->words[1]);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is no number of members, 1 to %d; 'isc-vm destroy' ends a "
				"set",
				shown, ISC_REPLICAS_MAX);
		return FALSE;
	}
	g_autoptr(GVariant) result = isc_cli_ask(cli, NULL, "Scale",
			g_variant_new("(su@a{sv})", name, (guint)count,
					isc_cli_options(cli, NULL, NULL)),
			"(a{sv})", error);
	if (result)
		isc_cli_print_set(cli, result);
	return result != NULL;
}

gboolean isc_cli_show_set(IscCli *cli, const gchar *name, GError **why)
{
	static const gchar *const first[] = { "name", "state", "wanted", "ready", "ports",
		"created", NULL };
	static const IscColumn columns[] = {
		{ "MEMBER", "name", NULL },
		{ "STATE", "state", NULL },
		{ "IMAGE", "image", NULL },
		{ "VERSION", "version", NULL },
		{ "ADDRESS", "address", NULL },
		{ "EXPOSE", "expose", NULL },
		{ NULL },
	};
	g_autoptr(GVariant) set = isc_cli_ask_set(cli, "ShowSet", g_variant_new("(s)", name), why);
	if (!set)
		return FALSE;
	if (cli->json) {
		isc_cli_print_json(cli, set);
		return TRUE;
	}
	GVariantDict dict;
	g_variant_dict_init(&dict, set);
	g_autoptr(GVariant) members =
			g_variant_dict_lookup_value(&dict, "members", G_VARIANT_TYPE("aa{sv}"));
	g_variant_dict_remove(&dict, "members");
	g_autoptr(GVariant) rest = g_variant_ref_sink(g_variant_dict_end(&dict));
	isc_output_pairs(cli->out, rest, first);
	g_string_append_c(cli->out, '\n');
	if (members)
		isc_output_table(cli->out, members, columns);
	return TRUE;
}
