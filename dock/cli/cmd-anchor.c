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
	g_autoptr(GVariant) names = isc_cli_ask(cli, NULL, "ListTrails", NULL, "(as)", error);
	return names ? g_variant_dup_strv(names, NULL) : NULL;
}

/* The dock puts them into syslog and into its own trail, and signs them.  Returns: (transfer full)
 * the text to keep; "" of none */
static gchar *note(IscCli *cli, GVariantBuilder *anchors, GError **error)
{
	g_autoptr(GVariant) reply = isc_cli_ask(
			cli, NULL, "NoteAnchors", g_variant_new("(a(sst))", anchors), "(s)", error);
	return reply ? g_variant_dup_string(reply, NULL) : NULL;
}

/* It goes into a file unread: so it is looked at here.  @key: that the trails begin with */
static gboolean is_sound(const gchar *text, const guint8 key[32], GError **error)
{
	g_autoptr(IscAnchors) anchors = isc_anchors_parse(text, strlen(text), error);
	if (!anchors)
		return FALSE;
	if (anchors->signature && anchors->has_key && memcmp(anchors->key, key, 32) == 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"the dock signed nothing, or for another key than that of its trails");
	return FALSE;
}

gboolean isc_cmd_audit_anchor(IscCli *cli, GError **error)
{
	g_auto(IscTrailWanted) wanted = { 0 };
	g_auto(GStrv) names = names_to_anchor(cli, error);
	if (!names || !isc_trail_wanted_get(cli, &wanted, error))
		return FALSE;

	g_autoptr(IscJson) list = json_object_new_array();
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
		g_autofree gchar *end = isc_audit_end_print(&found.report);
		json_object_array_add(list, isc_trail_found_json(&found, names[i]));
		g_variant_builder_add(&anchors, "(sst)", names[i], end, found.report.records);
		if (!key)
			key = g_memdup2(found.report.root, sizeof found.report.root);
	}
	g_autofree gchar *text = note(cli, &anchors, error);
	if (!text || (key && !is_sound(text, key, error)))
		return FALSE;
	if (cli->json) {
		g_autoptr(IscJson) all = json_object_new_object();
		json_object_object_add(all, "signed", json_object_new_string(text));
		json_object_object_add(all, "trails", json_object_get(list));
		isc_output_json(cli->out, all, TRUE);
	} else {
		g_string_append(cli->out, text);
	}
	if (bad == 0)
		return TRUE;
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY, "%u of %u trails cannot be anchored", bad,
			n);
	return FALSE;
}
