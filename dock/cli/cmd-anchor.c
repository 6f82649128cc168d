/* audit anchor: the ends of trails, verified, to be kept somewhere else. */
#include <string.h>

#include "base/error.h"
#include "base/name.h"
#include "cli/audit-report.h"
#include "cli/cli.h"
#include "cli/trail-check.h"

/* Names on the command line, else all there are.  (transfer full), NULL on errors */
static GStrv names_to_anchor(IscCli *cli, GError **error)
{
	for (guint i = 0; i < cli->n_words; i++)
		if (!isc_cli_trail_word(cli, i, error))
			return NULL;
	if (cli->n_words > 0)
		return g_strdupv((gchar **)cli->words);
	IscClient *client = isc_cli_client(cli, error);
	g_autoptr(GVariant) names =
			client ? isc_client_ask(client, NULL, "ListTrails", NULL, "(as)", error)
			       : NULL;
	return names ? g_variant_dup_strv(names, NULL) : NULL;
}

/* The dock puts them into syslog and into its own trail. */
static gboolean note(IscCli *cli, GVariantBuilder *anchors, GError **error)
{
	GVariant *params = g_variant_new("(a(sst))", anchors);
	IscClient *client = isc_cli_client(cli, error);
	if (!client) {
		g_variant_unref(g_variant_ref_sink(params));
		return FALSE;
	}
	g_autoptr(GVariant) reply = isc_client_call(
			client, NULL, "NoteAnchors", params, "()", NULL, NULL, error);
	return reply != NULL;
}

gboolean isc_cmd_audit_anchor(IscCli *cli, GError **error)
{
	g_auto(IscTrailWanted) wanted = { 0 };
	g_auto(GStrv) names = names_to_anchor(cli, error);
	if (!names || !isc_trail_wanted_get(cli, &wanted, error))
		return FALSE;

	g_autoptr(IscJson) list = json_object_new_array();
	g_autoptr(GString) lines = g_string_new(NULL);
	g_autofree guint8 *key = NULL;
	GVariantBuilder anchors;
	g_variant_builder_init(&anchors, G_VARIANT_TYPE("a(sst)"));
	guint bad = 0, n = g_strv_length(names);
	for (guint i = 0; i < n; i++) {
		g_auto(IscTrailFound) found = { 0 };
		g_autoptr(GError) why = NULL;
		/* What does not hold now is worth nothing later. */
		if (!isc_trail_check(cli, names[i], &wanted, NULL, NULL, &found, &why)) {
			g_printerr("isc-vm audit anchor: %s: %s\n", names[i], why->message);
			bad++;
			continue;
		}
		g_autofree gchar *end = isc_audit_anchor_print(&found.report);
		isc_anchors_print_trail(lines, names[i], &found.report);
		json_object_array_add(list, isc_trail_found_json(&found, names[i]));
		g_variant_builder_add(&anchors, "(sst)", names[i], end, found.report.records);
		if (!key)
			key = g_memdup2(found.report.root, sizeof found.report.root);
	}
	if (cli->json) {
		isc_output_json(cli->out, list, TRUE);
	} else if (key) {
		g_autofree gchar *now = isc_output_time(g_get_real_time() / G_USEC_PER_SEC);
		g_string_append_printf(cli->out,
				"# ends of audit trails, %s; check with: isc-vm audit verify --all "
				"--anchors THIS_FILE\n",
				now);
		isc_anchors_print_key(cli->out, key);
		g_string_append(cli->out, lines->str);
	}
	if (!note(cli, &anchors, error))
		return FALSE;
	if (bad == 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "%u of %u trails cannot be anchored", bad,
			n);
	return FALSE;
}
