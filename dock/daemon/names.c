#include "daemon/names.h"

#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "engine/names.h"
#include "render/egress.h"

#define RECALL_S 120 /* what an earlier run knew holds so long, unless a server says otherwise */
#define FILE_MAX (4 * 1024 * 1024)

/* STATEDIR/names: "HOST ADDRESS ADDRESS…", one a line.  Without it a restart would close what rules
 * allow until the name servers have answered. */
static gchar *path_of(const IscDock *dock)
{
	return g_build_filename(dock->config->state_dir, "names", NULL);
}

static void append_addresses(GString *s, const GArray *addresses)
{
	for (guint i = 0; i < addresses->len; i++) {
		g_autofree gchar *text = isc_address_print(g_array_index(addresses, guint32, i));
		g_string_append_printf(s, " %s", text);
	}
}

/* Called by one thread at a time or several: the last one writes what holds. */
static void remember(IscDock *dock)
{
	g_auto(GStrv) hosts = isc_firewall_hosts(dock->firewall);
	g_autofree gchar *path = path_of(dock);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autoptr(GError) why = NULL;
	for (gsize i = 0; hosts[i]; i++) {
		g_autoptr(GArray) known = isc_firewall_host_addresses(dock->firewall, hosts[i]);
		if (known->len == 0)
			continue;
		g_string_append(text, hosts[i]);
		append_addresses(text, known);
		g_string_append_c(text, '\n');
	}
	if (!isc_file_write(AT_FDCWD, path, text->str, text->len, 0600, &why))
		g_warning("names: %s", why->message);
}

static GArray *parse_addresses(gchar *const *words)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(guint32));
	IscNet net;
	for (gsize i = 0; words[i]; i++)
		if (isc_net_parse(words[i], &net, NULL) && net.prefix == 32)
			g_array_append_val(out, net.address);
	return out;
}

void isc_dock_names_recall(IscDock *dock)
{
	g_autofree gchar *path = path_of(dock);
	gsize len;
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, FILE_MAX, &len, NULL);
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);
		g_autoptr(GArray) addresses = NULL;
		g_autoptr(GError) why = NULL;
		if (!words[0] || !isc_host_is_valid(words[0]))
			continue;
		addresses = parse_addresses(words + 1);
		if (!isc_firewall_host(dock->firewall, words[0], addresses, &why))
			g_warning("names: %s: %s", words[0], why->message);
	}
}

/* The answers go to the log and to whoever listens: rules that change by themselves are worth it.
 */
static void tell(IscDock *dock, const gchar *host, const GArray *addresses, const gchar *trouble)
{
	g_autoptr(GString) text = g_string_new(host);
	const IscEgress rule = { .kind = ISC_EGRESS_HOST, .proto = ISC_PROTO_TCP };
	gboolean inward = FALSE;
	for (guint i = 0; i < addresses->len; i++)
		inward |= isc_firewall_judge(dock->firewall, NULL, &rule,
					  g_array_index(addresses, guint32, i)) !=
			  ISC_EGRESS_ANSWER_FREE;
	g_string_append(text, addresses->len ? " is now" : " has no address");
	append_addresses(text, addresses);
	if (inward)
		g_string_append(text,
				"; reserved networks among them are refused where no rule names "
				"them");
	if (trouble)
		g_string_append_printf(text, "; %s", trouble);
	isc_dock_event(dock, "", "dock.name", inward || trouble ? "warn" : "info", ISC_CALLER_DOCK,
			"%s", text->str);
}

static void on_changed(const gchar *host, const guint32 *addresses, guint n, const gchar *trouble,
		gpointer data)
{
	IscDock *dock = data;
	g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(guint32));
	g_autoptr(GError) why = NULL;
	g_array_append_vals(list, addresses, n);
	if (!isc_firewall_host(dock->firewall, host, list, &why)) {
		g_critical("boundary: host '%s': %s", host, why->message);
		return;
	}
	remember(dock);
	tell(dock, host, list, trouble);
}

void isc_dock_names_start(IscDock *dock)
{
	g_auto(GStrv) hosts = isc_firewall_hosts(dock->firewall);
	dock->names = isc_names_new(isc_names_lookup_dns, on_changed, dock);
	for (gsize i = 0; hosts[i]; i++) {
		g_autoptr(GArray) known = isc_firewall_host_addresses(dock->firewall, hosts[i]);
		isc_names_recall(dock->names, hosts[i], known, RECALL_S);
	}
	isc_dock_names_look(dock);
}

void isc_dock_names_look(IscDock *dock)
{
	if (!dock->names)
		return;
	g_auto(GStrv) hosts = isc_firewall_hosts(dock->firewall);
	isc_names_want(dock->names, (const gchar *const *)hosts);
}

static gchar *show_rule(IscDock *dock, const IscNode *node, const IscEgress *rule)
{
	g_autofree gchar *trouble = NULL;
	g_autoptr(GArray) known = isc_names_get(dock->names, rule->name, &trouble);
	g_autoptr(GString) text = g_string_new(NULL);
	g_autofree gchar *printed = isc_egress_print(rule);
	g_string_append_printf(text, "%s =", printed);
	for (guint i = 0; i < known->len; i++) {
		const guint32 address = g_array_index(known, guint32, i);
		g_autofree gchar *shown = isc_address_print(address);
		gboolean refused = isc_firewall_judge(dock->firewall, node->spec->egress, rule,
						   address) == ISC_EGRESS_ANSWER_REFUSED;
		g_string_append_printf(text, " %s%s", shown, refused ? " (refused: reserved)" : "");
	}
	if (known->len == 0)
		g_string_append(text, " nothing");
	if (trouble)
		g_string_append_printf(text, " (%s)", trouble);
	return g_string_free(g_steal_pointer(&text), FALSE);
}

GPtrArray *isc_dock_names_show(IscDock *dock, const IscNode *node)
{
	GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; dock->names && i < node->spec->egress->len; i++) {
		const IscEgress *rule = &g_array_index(node->spec->egress, IscEgress, i);
		if (rule->kind == ISC_EGRESS_HOST)
			g_ptr_array_add(out, show_rule(dock, node, rule));
	}
	return out;
}

GHashTable *isc_dock_names_table(IscDock *dock)
{
	GHashTable *out = g_hash_table_new_full(
			g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
	g_auto(GStrv) hosts = isc_firewall_hosts(dock->firewall);
	for (gsize i = 0; hosts[i]; i++)
		g_hash_table_insert(out, g_strdup(hosts[i]),
				isc_firewall_host_addresses(dock->firewall, hosts[i]));
	return out;
}
