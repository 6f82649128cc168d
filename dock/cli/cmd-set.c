/* Sets of equal nodes: scale, and what other verbs do where a name is a set's. */
#include "base/error.h"
#include "cli/cli.h"
#include "model/replica.h"

/* NULL: there is none of that name. */
static GVariant *show(IscCli *cli, const gchar *name)
{
	return isc_cli_ask(cli, NULL, "ShowSet", g_variant_new("(s)", name), "(a{sv})", NULL);
}

GStrv isc_cli_members(IscCli *cli, const gchar *name, GError **error)
{
	g_autoptr(GVariant) set = isc_cli_ask(
			cli, NULL, "ShowSet", g_variant_new("(s)", name), "(a{sv})", error);
	g_autoptr(GVariant) members =
			set ? g_variant_lookup_value(set, "members", G_VARIANT_TYPE("aa{sv}"))
			    : NULL;
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	for (gsize i = 0; members && i < g_variant_n_children(members); i++) {
		g_autoptr(GVariant) member = g_variant_get_child_value(members, i);
		const gchar *one;
		if (g_variant_lookup(member, "name", "&s", &one))
			g_strv_builder_add(names, one);
	}
	if (set && !members)
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"isc-dockd does not tell the members of '%s': install the same "
				"version of both",
				name);
	return members ? g_strv_builder_end(names) : NULL;
}

GPtrArray *isc_cli_names(const IscCli *cli)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < cli->n_words; i++)
		g_ptr_array_add(names, g_strdup(cli->words[i]));
	return names;
}

gboolean isc_cli_put_members(IscCli *cli, GPtrArray *names, guint at, GError **why)
{
	g_autoptr(GVariant) set = g_error_matches(*why, ISC_ERROR, ISC_ERROR_NOT_FOUND)
						  ? show(cli, names->pdata[at])
						  : NULL;
	g_autoptr(GVariant) members =
			set ? g_variant_lookup_value(set, "members", G_VARIANT_TYPE("aa{sv}"))
			    : NULL;
	for (gsize i = 0; members && i < g_variant_n_children(members); i++) {
		g_autoptr(GVariant) member = g_variant_get_child_value(members, i);
		const gchar *name;
		if (g_variant_lookup(member, "name", "&s", &name))
			g_ptr_array_insert(names, (gint)(++at), g_strdup(name));
	}
	return members != NULL;
}

GVariant *isc_cli_ask_set(IscCli *cli, const gchar *method, GVariant *params, GError **why)
{
	g_autoptr(GVariant) held = g_variant_ref_sink(params);
	g_autoptr(GError) worse = NULL;
	if (!g_error_matches(*why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return NULL;
	GVariant *result = isc_cli_ask(cli, NULL, method, held, "(a{sv})", &worse);
	/* Of no set either: what was said of the node holds.  But it may be an image, or a rule,
	 * that is not there. */
	if (!result && g_error_matches(worse, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		g_autoptr(GVariant) first = g_variant_get_child_value(held, 0);
		g_autoptr(GVariant) set =
				g_str_equal(method, "ShowSet")
						? NULL
						: show(cli, g_variant_get_string(first, NULL));
		if (!set)
			return NULL;
	}
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

/* --- list --sets ------------------------------------------------------------------------------ */

static gchar *join_names(GVariant *row, const gchar *key)
{
	g_autofree const gchar **names = NULL;
	return g_variant_lookup(row, key, "^a&s", &names) ? g_strjoinv(" ", (gchar **)names) : NULL;
}

/* The members of set @name among @nodes, as a row of the list.  Returns: floating */
static GVariant *set_row(GVariant *nodes, const gchar *name)
{
	GVariantBuilder row, members;
	guint ready = 0;
	g_variant_builder_init(&members, G_VARIANT_TYPE_STRING_ARRAY);
	for (gsize i = 0; i < g_variant_n_children(nodes); i++) {
		g_autoptr(GVariant) node = g_variant_get_child_value(nodes, i);
		const gchar *set, *member, *state = "";
		if (!g_variant_lookup(node, "set", "&s", &set) || !g_str_equal(set, name) ||
				!g_variant_lookup(node, "name", "&s", &member))
			continue;
		g_variant_lookup(node, "state", "&s", &state);
		ready += g_str_equal(state, "ready");
		g_variant_builder_add(&members, "s", member);
	}
	g_variant_builder_init(&row, G_VARIANT_TYPE_VARDICT);
	g_variant_builder_add(&row, "{sv}", "name", g_variant_new_string(name));
	g_variant_builder_add(&row, "{sv}", "ready", g_variant_new_uint32(ready));
	g_variant_builder_add(&row, "{sv}", "members", g_variant_builder_end(&members));
	return g_variant_builder_end(&row);
}

gboolean isc_cli_list_sets(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "SET", "name", NULL },
		{ "READY", "ready", NULL },
		{ "MEMBERS", "members", join_names },
		{ NULL },
	};
	g_autoptr(GVariant) nodes = isc_cli_ask(cli, NULL, "ListNodes", NULL, "(aa{sv})", error);
	if (!nodes)
		return FALSE;
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	GVariantBuilder all;
	g_variant_builder_init(&all, G_VARIANT_TYPE("aa{sv}"));
	for (gsize i = 0; i < g_variant_n_children(nodes); i++) {
		g_autoptr(GVariant) node = g_variant_get_child_value(nodes, i);
		const gchar *set;
		if (g_variant_lookup(node, "set", "&s", &set) && *set &&
				g_hash_table_add(seen, (gpointer)set))
			g_variant_builder_add_value(&all, set_row(nodes, set));
	}
	g_autoptr(GVariant) rows = g_variant_ref_sink(g_variant_builder_end(&all));
	if (isc_args_has(cli->args, "names"))
		isc_output_names(cli->out, rows, cli->json);
	else
		(void)isc_cli_print_rows(cli, rows, columns);
	return TRUE;
}
