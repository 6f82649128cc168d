/* audit verify, report: whether a trail holds, and what is in it.  Both check what they read:
 * nothing is counted as good that was not verified. */
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/name.h"
#include "cli/audit-report.h"
#include "cli/cli.h"
#include "cli/trail-check.h"

#define TOP 10 /* commands of a report, where --top does not say */

/* --- verify ----------------------------------------------------------------------------------- */

/* What is there holds, but is it all?  A gap that no loss on record explains is no better than an
 * edit: somebody in the node kept something from the dock. */
static gboolean is_complete(const IscTrailFound *found, GError **error)
{
	if (found->serials.unexplained == 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"it holds, but %" G_GUINT64_FORMAT
			" events of the node's kernel are missing without a loss on record",
			found->serials.unexplained);
	return FALSE;
}

static gboolean verify_folder(
		IscCli *cli, const gchar *path, const IscTrailWanted *wanted, GError **error)
{
	gboolean is_dock = isc_args_has(cli->args, "dock");
	const gchar *name = is_dock ? ISC_TRAIL_DOCK : isc_cli_trail_word(cli, 0, error);
	g_auto(IscTrailFound) result = { 0 };
	if (cli->n_words > 0 && !name)
		return FALSE;
	gboolean ok = isc_trail_check_folder(path, name, wanted, &result, error);
	if (!ok && result.report.fault == ISC_TRAIL_GOOD)
		return FALSE;
	ok = ok && is_complete(&result, error);
	/* A key that lay beside what it proves proves only that both are of one origin. */
	g_autofree gchar *inside = g_build_filename(path, ISC_SEAL_PUB, NULL);
	gboolean given = wanted->expect.root != NULL;
	const gchar *source = given ? "given" : access(inside, F_OK) == 0 ? "folder" : "trail";
	if (cli->json) {
		g_autoptr(IscJson) json = isc_trail_found_json(&result, name);
		json_object_object_add(json, "key-from", json_object_new_string(source));
		isc_trail_wanted_json(json, wanted);
		isc_output_json(cli->out, json, TRUE);
		return ok;
	}
	isc_trail_wanted_print(cli->out, wanted);
	isc_trail_found_print(cli->out, &result, name);
	g_autofree gchar *key = isc_audit_hex(result.report.root, sizeof result.report.root);
	if (ok && !given)
		g_string_append_printf(cli->out,
				"it begins with key %s, which came with it: compare it with the "
				"dock's own seal.pub, or give that with --key\n",
				key);
	return ok;
}

static void add_keys(GHashTable *names, GHashTable *of)
{
	GHashTableIter i;
	gpointer name;
	g_hash_table_iter_init(&i, of);
	while (g_hash_table_iter_next(&i, &name, NULL))
		g_hash_table_add(names, g_strdup(name));
}

static gint by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const gchar *const *)a, *(const gchar *const *)b);
}

/* @names (container freed) and those of trails that were anchored, here or elsewhere: one that is
 * gone is found so. */
static GStrv with_anchored(const gchar **names, const IscTrailWanted *wanted)
{
	g_autofree const gchar **owned = names;
	g_autoptr(GHashTable) all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (; *names; names++)
		g_hash_table_add(all, g_strdup(*names));
	add_keys(all, wanted->ends);
	if (wanted->book)
		add_keys(all, wanted->book->trails);
	guint n;
	g_autofree gchar **sorted = (gchar **)g_hash_table_get_keys_as_array(all, &n);
	qsort(sorted, n, sizeof *sorted, by_text);
	return g_strdupv(sorted);
}

/* Returns: (transfer full) of names, NULL on errors */
static GStrv names_to_verify(IscCli *cli, IscTrailWanted *wanted, GError **error)
{
	if (!isc_args_has(cli->args, "all")) {
		for (guint i = 0; i < cli->n_words; i++)
			if (!isc_cli_trail_word(cli, i, error))
				return NULL;
		g_autoptr(GStrvBuilder) names = g_strv_builder_new();
		g_strv_builder_addv(names, (const gchar **)cli->words);
		if (isc_args_has(cli->args, "dock"))
			g_strv_builder_add(names, ISC_TRAIL_DOCK);
		return g_strv_builder_end(names);
	}
	/* Before it is asked which there are.  What is in doubt is said of each trail. */
	g_autoptr(GError) doubt = NULL;
	if (!isc_trail_wanted_learn(cli, wanted, &doubt))
		g_debug("%s", doubt->message);
	g_autoptr(GVariant) listed = isc_cli_ask(cli, NULL, "ListTrails", NULL, "(as)", error);
	return listed ? with_anchored(g_variant_get_strv(listed, NULL), wanted) : NULL;
}

static gboolean check_words(const IscCli *cli, GError **error)
{
	gboolean all = isc_args_has(cli->args, "all"), folder = isc_args_has(cli->args, "export");
	guint named = cli->n_words + isc_args_has(cli->args, "dock");
	const gchar *why =
			all && folder         ? "--all and --export exclude each other"
			: all && named > 0    ? "names and --all exclude each other"
			: folder && named > 1 ? "a folder holds one trail"
			: !all && !folder && !named
					? "say which: NAME, --dock, --all or --export DIR"
			: isc_args_has(cli->args, "anchors") && folder && !named
					? "say whose trail the folder holds: NAME or --dock"
			: isc_args_has(cli->args, "dock-key") && !isc_args_has(cli->args, "anchors")
					? "--dock-key is the key of --anchors: say which"
			: isc_args_has(cli->args, "anchor") && (all || named > 1)
					? "an anchor is of one trail: name that one"
					: NULL;
	if (why)
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID, why);
	return !why;
}

static IscJson *found_json(
		const IscTrailFound *found, const gchar *name, const IscTrailWanted *wanted)
{
	IscJson *json = isc_trail_found_json(found, name);
	isc_trail_wanted_json(json, wanted);
	return json;
}

gboolean isc_cmd_audit_verify(IscCli *cli, GError **error)
{
	g_auto(IscTrailWanted) wanted = { 0 };
	if (!check_words(cli, error) || !isc_trail_wanted_get(cli, &wanted, error))
		return FALSE;
	const gchar *folder = isc_args_get(cli->args, "export");
	if (folder)
		return verify_folder(cli, folder, &wanted, error);
	g_auto(GStrv) names = names_to_verify(cli, &wanted, error);
	if (!names)
		return FALSE;

	gboolean several = isc_args_has(cli->args, "all") ||
			   cli->n_words + isc_args_has(cli->args, "dock") > 1;
	g_autoptr(IscJson) list = json_object_new_array();
	g_autoptr(GError) failed = NULL; /* what could not be looked at */
	guint bad = 0, n = g_strv_length(names);
	if (!cli->json)
		isc_trail_wanted_print(cli->out, &wanted);
	for (guint i = 0; i < n; i++) {
		g_auto(IscTrailFound) result = { 0 };
		g_autoptr(GError) why = NULL;
		gboolean ok = isc_trail_check(cli, names[i], &wanted, NULL, NULL, &result, &why);
		gboolean seen = ok || result.report.fault != ISC_TRAIL_GOOD;
		ok = ok && is_complete(&result, &why);
		bad += seen && !ok;
		if (seen && !cli->json)
			isc_trail_found_print(cli->out, &result, names[i]);
		if (seen && cli->json)
			json_object_array_add(list, found_json(&result, names[i], &wanted));
		if (!ok && !several) {
			g_propagate_prefixed_error(error, g_steal_pointer(&why), "%s: ", names[i]);
			break;
		}
		if (!seen) {
			IscJson *one = json_object_new_object();
			json_object_object_add(one, "name", json_object_new_string(names[i]));
			json_object_object_add(one, "error", json_object_new_string(why->message));
			json_object_array_add(list, one);
			g_printerr("isc-vm audit verify: %s: %s\n", names[i], why->message);
			if (!failed)
				failed = g_steal_pointer(&why);
		}
	}
	if (cli->json && several)
		isc_output_json(cli->out, list, TRUE);
	else if (cli->json && json_object_array_length(list) > 0)
		isc_output_json(cli->out, json_object_array_get_idx(list, 0), TRUE);
	if (!several)
		return !error || !*error;
	if (bad > 0)
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				"%u of %u trails do not hold or are not complete", bad, n);
	else if (failed)
		g_propagate_error(error, g_steal_pointer(&failed));
	else
		return TRUE;
	return FALSE;
}

/* --- report ----------------------------------------------------------------------------------- */

/* Counts what the node's packet log has, too; it may have none.  FALSE: it does not hold */
static gboolean report_packets(IscCli *cli, const gchar *name, IscTrailWanted *wanted,
		IscAuditReport *report, GError **error)
{
	g_auto(IscTrailFound) result = { 0 };
	g_autoptr(GError) why = NULL;
	g_autofree gchar *packets = g_strdup_printf("%c%s", ISC_TRAIL_PACKETS, name);
	if (*name == ISC_TRAIL_PACKETS ||
			isc_trail_check(cli, packets, wanted, isc_audit_report_take_packet, report,
					&result, &why) ||
			g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return TRUE;
	g_propagate_prefixed_error(error, g_steal_pointer(&why), "%s: ", packets);
	return FALSE;
}

gboolean isc_cmd_audit_report(IscCli *cli, GError **error)
{
	const gchar *name = isc_cli_trail(cli, 0, error);
	guint top = TOP;
	g_auto(IscTrailWanted) wanted = { 0 };
	g_auto(IscTrailFound) result = { 0 };
	g_autoptr(IscAuditReport) report = isc_audit_report_new();
	if (!name || !isc_args_uint(cli->args, "top", 0, 100000, &top, error) ||
			!isc_trail_wanted_get(cli, &wanted, error))
		return FALSE;
	gboolean ok = isc_trail_check(
			cli, name, &wanted, isc_audit_report_take, report, &result, error);
	if (!ok && result.report.fault == ISC_TRAIL_GOOD)
		return FALSE;
	ok &= report_packets(cli, name, &wanted, report, ok ? error : NULL);

	g_autoptr(IscJson) counts = isc_audit_report_finish(report, top);
	if (cli->json) {
		json_object_object_add(counts, "trail", isc_trail_found_json(&result, name));
		isc_output_json(cli->out, counts, TRUE);
		return ok;
	}
	isc_trail_found_print(cli->out, &result, name);
	isc_audit_report_print(cli->out, counts);
	return ok;
}
