/* Verbs that move nodes between states: enable, disable, suspend, resume, destroy, quarantine,
 * release, snapshots. */
#include "base/error.h"
#include "base/name.h"
#include "cli/cli.h"

static void print_line(IscCli *cli, const gchar *name, const gchar *done, GVariant *result)
{
	if (isc_cli_print_plan(cli, result))
		return;
	const gchar *state = NULL;
	gdouble seconds = 0;
	gboolean changed = TRUE;
	g_variant_lookup(result, "changed", "b", &changed);
	g_variant_lookup(result, "state", "&s", &state);
	g_variant_lookup(result, "seconds", "d", &seconds);
	g_autofree gchar *clean = state ? isc_output_text(state) : NULL;
	g_string_append_printf(cli->out, "%s: %s", name, clean ? clean : done);
	if (!changed)
		g_string_append(cli->out, " already");
	else if (seconds > 0)
		g_string_append_printf(cli->out, " after %.1f s", seconds);
	g_string_append_c(cli->out, '\n');

	/* destroy and disable: what can no longer be read by anybody */
	g_autofree const gchar **shredded = NULL;
	if (!g_variant_lookup(result, "shredded", "^a&s", &shredded))
		return;
	for (gsize i = 0; shredded[i]; i++) {
		g_autofree gchar *text = isc_output_text(shredded[i]);
		g_string_append_printf(cli->out, "  shredded: %s\n", text);
	}
}

/* --- several names ---------------------------------------------------------------------------- */

static IscJson *failure_json(const gchar *name, const GError *why)
{
	IscJson *one = json_object_new_object(), *inner = json_object_new_object();
	g_autofree gchar *text = g_utf8_make_valid(why->message, -1);
	json_object_object_add(inner, "status", json_object_new_int(isc_error_exit_status(why)));
	json_object_object_add(inner, "message", json_object_new_string(text));
	json_object_object_add(one, "name", json_object_new_string(name));
	json_object_object_add(one, "error", inner);
	return one;
}

/**
 * each:
 * Does @method to every name, that of a set standing for its members.  One that fails does not keep
 * the others from their turn; the first failure's status is that of the command.  @option: set to
 * true in the call's options where the command line has it, or NULL.  @set_method: the like of
 * sets, or NULL.
 */
static gboolean each(IscCli *cli, const gchar *method, const gchar *set_method, const gchar *option,
		const gchar *done, GError **error)
{
	for (guint i = 0; i < cli->n_words; i++)
		if (!isc_cli_name(cli, i, "node", error))
			return FALSE;
	IscClient *client = isc_cli_client(cli, error);
	if (!client)
		return FALSE;

	gboolean has = option && isc_args_has(cli->args, option);
	g_autoptr(IscJson) all = json_object_new_array();
	g_autoptr(GPtrArray) names = isc_cli_names(cli);
	g_autoptr(GError) first = NULL;
	for (guint i = 0; i < names->len && !isc_client_signal(client); i++) {
		const gchar *name = names->pdata[i];
		g_autoptr(GError) why = NULL;
		GVariant *options = isc_cli_options(
				cli, has ? option : NULL, has ? g_variant_new_boolean(TRUE) : NULL);
		g_autoptr(GVariant) result = isc_client_ask(client, name, method,
				g_variant_new("(@a{sv})", options), "(a{sv})", &why);
		if (!result && set_method)
			result = isc_cli_ask_set(cli, set_method,
					g_variant_new("(s@a{sv})", name,
							isc_cli_options(cli, NULL, NULL)),
					&why);
		if (!result && !set_method && isc_cli_put_members(cli, names, i, &why))
			continue;
		if (result && names->len == 1 && cli->json)
			isc_cli_print_json(cli, result);
		else if (result && cli->json)
			json_object_array_add(all, isc_output_to_json(result));
		else if (result)
			print_line(cli, name, done, result);
		if (result)
			continue;

		if (names->len > 1 && cli->json)
			json_object_array_add(all, failure_json(name, why));
		if (!first)
			first = g_steal_pointer(&why);
		else
			g_printerr("isc-vm %s: %s\n", cli->verb->name, why->message);
	}
	if (names->len > 1 && cli->json)
		isc_output_json(cli->out, all, TRUE);
	if (!first)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&first));
	return FALSE;
}

gboolean isc_cmd_enable(IscCli *cli, GError **error)
{
	return each(cli, "Enable", NULL, NULL, "enabled", error);
}

gboolean isc_cmd_disable(IscCli *cli, GError **error)
{
	return each(cli, "Disable", NULL, "force", "disabled", error);
}

gboolean isc_cmd_suspend(IscCli *cli, GError **error)
{
	return each(cli, "Suspend", NULL, NULL, "suspended", error);
}

gboolean isc_cmd_resume(IscCli *cli, GError **error)
{
	return each(cli, "Resume", NULL, NULL, "resumed", error);
}

gboolean isc_cmd_destroy(IscCli *cli, GError **error)
{
	return each(cli, "Destroy", "DestroySet", NULL, "destroyed", error);
}

/* --- quarantine ------------------------------------------------------------------------------- */

/* A call with one text and options, @option = @value (floating) among them unless it is NULL.
 * Returns: (transfer full) the answer */
static GVariant *with_text(IscCli *cli, const gchar *method, const gchar *text, const gchar *option,
		GVariant *value, GError **error)
{
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	IscClient *client = name ? isc_cli_client(cli, error) : NULL;
	if (!client)
		return NULL;
	GVariant *options = isc_cli_options(cli, option, value);
	return isc_client_ask(client, name, method, g_variant_new("(s@a{sv})", text, options),
			"(a{sv})", error);
}

/* Floating. */
static GVariant *quarantine_options(IscCli *cli)
{
	g_autoptr(GVariant) base = g_variant_ref_sink(isc_cli_options(cli, NULL, NULL));
	GVariantDict dict;
	g_variant_dict_init(&dict, base);
	if (isc_args_has(cli->args, "pause"))
		g_variant_dict_insert(&dict, "pause", "b", TRUE);
	if (isc_args_has(cli->args, "with-memory"))
		g_variant_dict_insert(&dict, "memory", "b", TRUE);
	return g_variant_dict_end(&dict);
}

/* Of a node, or of the set that has the name.  *@is_set: it was a set */
static GVariant *with_reason(IscCli *cli, const gchar *method, const gchar *set_method,
		gboolean *is_set, GError **error)
{
	const gchar *reason = isc_args_get(cli->args, "reason");
	g_autofree gchar *stripped = reason ? g_strstrip(g_strdup(reason)) : NULL;
	g_autoptr(GError) why = NULL;
	if (!stripped || !*stripped || !g_utf8_validate(stripped, -1, NULL)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"--reason TEXT must be given: it goes on record");
		return NULL;
	}
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	if (!name)
		return NULL;
	g_autoptr(GVariant) options = g_variant_ref_sink(quarantine_options(cli));
	GVariant *result = isc_cli_ask(cli, name, method,
			g_variant_new("(s@a{sv})", stripped, options), "(a{sv})", &why);
	*is_set = FALSE;
	if (!result) {
		result = isc_cli_ask_set(cli, set_method,
				g_variant_new("(ss@a{sv})", name, stripped, options), &why);
		*is_set = result != NULL;
	}
	if (!result)
		g_propagate_error(error, g_steal_pointer(&why));
	return result;
}

gboolean isc_cmd_quarantine(IscCli *cli, GError **error)
{
	gboolean is_set;
	g_autoptr(GVariant) result =
			with_reason(cli, "Quarantine", "QuarantineSet", &is_set, error);
	if (!result)
		return FALSE;
	if (isc_cli_print_result(cli, result))
		return TRUE;

	gdouble ms;
	const gchar *evidence;
	g_autofree const gchar **all = NULL;
	g_string_append_printf(cli->out, "%s: quarantined", cli->words[0]);
	if (g_variant_lookup(result, "cut-off", "d", &ms))
		g_string_append_printf(cli->out, ", %scut off after %.1f ms",
				is_set ? "all of it " : "", ms);
	if (g_variant_lookup(result, "evidence", "&s", &evidence) && *evidence) {
		g_autofree gchar *text = isc_output_text(evidence);
		g_string_append_printf(cli->out, ", evidence: %s", text);
	}
	g_string_append_c(cli->out, '\n');
	(void)g_variant_lookup(result, "evidence", "^a&s", &all);
	for (gsize i = 0; all && all[i]; i++) {
		g_autofree gchar *text = isc_output_text(all[i]);
		g_string_append_printf(cli->out, "  evidence: %s\n", text);
	}
	return TRUE;
}

gboolean isc_cmd_release(IscCli *cli, GError **error)
{
	gboolean is_set;
	g_autoptr(GVariant) result = with_reason(cli, "Release", "ReleaseSet", &is_set, error);
	if (!result)
		return FALSE;
	if (cli->json)
		isc_cli_print_json(cli, result);
	else
		print_line(cli, cli->words[0], "released", result);
	return TRUE;
}

/* --- snapshots -------------------------------------------------------------------------------- */

static gboolean snapshot(IscCli *cli, const gchar *method, const gchar *done, const gchar *option,
		GVariant *value, GError **error)
{
	const gchar *snap = "";
	if (cli->n_words > 1 && !(snap = isc_cli_name(cli, 1, "snapshot", error)))
		return FALSE;
	g_autoptr(GVariant) result = with_text(cli, method, snap, option, value, error);
	if (!result)
		return FALSE;
	if (isc_cli_print_result(cli, result))
		return TRUE;

	gdouble seconds;
	gboolean frozen;
	g_variant_lookup(result, "snapshot", "&s", &snap);
	g_autofree gchar *clean = isc_output_text(snap);
	g_autofree gchar *size = isc_output_show_size(result, "size");
	g_string_append_printf(cli->out, "%s: snapshot %s %s", cli->words[0], clean, done);
	if (size)
		g_string_append_printf(cli->out, ", %s", size);
	if (g_variant_lookup(result, "seconds", "d", &seconds))
		g_string_append_printf(cli->out, " after %.1f s", seconds);
	/* Then it is what a power cut would have left, and whoever restores it should know. */
	if (g_variant_lookup(result, "frozen", "b", &frozen) && !frozen)
		g_string_append(cli->out, " (file systems were not frozen)");
	g_string_append_c(cli->out, '\n');
	return TRUE;
}

gboolean isc_cmd_snapshot_create(IscCli *cli, GError **error)
{
	guint keep = 0;
	if (!isc_args_uint(cli->args, "keep", 1, 10000, &keep, error))
		return FALSE;
	return snapshot(cli, "SnapshotCreate", "created", keep ? "keep" : NULL,
			keep ? g_variant_new_uint32(keep) : NULL, error);
}

gboolean isc_cmd_snapshot_clone(IscCli *cli, GError **error)
{
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	const gchar *snap = name ? isc_cli_name(cli, 1, "snapshot", error) : NULL;
	const gchar *node = snap ? isc_cli_name(cli, 2, "node", error) : NULL;
	IscClient *client = node ? isc_cli_client(cli, error) : NULL;
	if (!client)
		return FALSE;
	isc_client_set_subject(client, node);
	g_autoptr(GVariant) result = isc_client_ask(client, name, "SnapshotClone",
			g_variant_new("(ss^as@a{sv})", snap, node,
					isc_args_list(cli->args, "expose"),
					isc_cli_options(cli, NULL, NULL)),
			"(a{sv})", error);
	if (!result)
		return FALSE;
	if (cli->json)
		isc_cli_print_json(cli, result);
	else
		print_line(cli, node, "cloned", result);
	return TRUE;
}

gboolean isc_cmd_snapshot_restore(IscCli *cli, GError **error)
{
	return snapshot(cli, "SnapshotRestore", "restored", NULL, NULL, error);
}

gboolean isc_cmd_snapshot_delete(IscCli *cli, GError **error)
{
	return snapshot(cli, "SnapshotDelete", "deleted, keys shredded", NULL, NULL, error);
}

gboolean isc_cmd_snapshot_verify(IscCli *cli, GError **error)
{
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	const gchar *snap = name ? isc_cli_name(cli, 1, "snapshot", error) : NULL;
	g_autoptr(GVariant) result =
			snap ? isc_cli_ask(cli, name, "SnapshotVerify", g_variant_new("(s)", snap),
					       "(a{sv})", error)
			     : NULL;
	guint32 files = 0;
	if (!result)
		return FALSE;
	if (cli->json) {
		isc_cli_print_json(cli, result);
		return TRUE;
	}
	g_variant_lookup(result, "files", "u", &files);
	g_string_append_printf(cli->out, "%s: snapshot %s holds: %u disks\n", name, snap, files);
	return TRUE;
}

/* "3d", "5h", "12min", "8s". */
static gchar *show_age(GVariant *row, const gchar *key)
{
	static const struct {
		gint64 seconds;
		const gchar *unit;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	gint64 then;
	if (!g_variant_lookup(row, key, "x", &then))
		return NULL;
	gint64 age = MAX(g_get_real_time() / G_USEC_PER_SEC - then, 0);
	gsize i = 0;
	while (i < G_N_ELEMENTS(units) - 1 && age < units[i].seconds)
		i++;
	return g_strdup_printf("%" G_GINT64_FORMAT "%s", age / units[i].seconds, units[i].unit);
}

gboolean isc_cmd_snapshot_list(IscCli *cli, GError **error)
{
	static const IscColumn columns[] = {
		{ "NAME", "name", NULL },
		{ "CREATED", "created", isc_output_show_time },
		{ "AGE", "created", show_age },
		{ "SIZE", "size", isc_output_show_size },
		{ "IMAGE", "digest", isc_output_show_short },
		{ "FROZEN", "frozen", isc_output_show_yes },
		{ "VOLUMES", "volumes", NULL },
		{ NULL },
	};
	const gchar *name = isc_cli_name(cli, 0, "node", error);
	g_autoptr(GVariant) rows =
			name ? isc_cli_ask(cli, name, "SnapshotList", NULL, "(aa{sv})", error)
			     : NULL;
	return isc_cli_print_rows(cli, rows, columns);
}
