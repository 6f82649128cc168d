#include "daemon/port-guard.h"

#include <string.h>

#include "base/error.h"
#include "daemon/boundary.h"
#include "daemon/steps.h"
#include "engine/links.h"

gboolean isc_port_guard_is_bad(const guint8 mac[6])
{
	return isc_node_is_mac(mac, NULL);
}

static const IscNode *node_of_slot(const GPtrArray *nodes, guint slot)
{
	for (guint i = 0; i < nodes->len; i++)
		if (((const IscNode *)nodes->pdata[i])->slot == slot)
			return nodes->pdata[i];
	return NULL;
}

static const IscNode *node_of_tap(const GPtrArray *nodes, const gchar *tap)
{
	guint64 slot;
	return g_ascii_string_to_unsigned(tap + strlen(ISC_TAP_PREFIX), 10, ISC_SLOT_MIN,
			       ISC_SLOT_MAX, &slot, NULL)
			       ? node_of_slot(nodes, (guint)slot)
			       : NULL;
}

/* All of them: an entry is lost also where the tap has had the MAC for a moment, and of several
 * that it had one after the other only one may have been told. */
static void pin_all(IscDock *dock, const GPtrArray *nodes)
{
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		const IscPlace place = isc_node_place(&dock->config->plan, node);
		g_autofree gchar *name = isc_node_tap(node->slot);
		const IscTap tap = isc_steps_tap(node, name, &place);
		g_autoptr(GError) why = NULL;
		if (isc_node_state_is_up(node->state) && !isc_links_pin(&tap, &why) &&
				!g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
			g_warning("port of '%s': %s", node->spec->name, why->message);
	}
}

static void take_away(IscDock *dock, const GPtrArray *nodes, const IscLinkTrouble *trouble)
{
	const IscNode *culprit = node_of_tap(nodes, trouble->name);
	const gchar *name = culprit ? culprit->spec->name : "";
	const IscPlace place = culprit ? isc_node_place(&dock->config->plan, culprit)
				       : isc_address_plan_common(&dock->config->plan);
	IscTap tap = { .name = trouble->name, .bridge = place.bridge };
	g_autoptr(GError) why = NULL;
	guint slot = 0;

	if (culprit)
		tap.address = place.address;
	gboolean ok = isc_links_cut_off(&tap, trouble->index, &why);
	(void)isc_node_is_mac(trouble->mac, &slot);
	const IscNode *victim = node_of_slot(nodes, slot);
	const gchar *whose = victim                     ? victim->spec->name
			     : slot == ISC_SLOT_GATEWAY ? "the dock"
							: "nobody yet";
	g_autofree gchar *text = g_strdup_printf(
			"its tap %s got the MAC of %s, from its hypervisor or from root: %s",
			trouble->name, whose, ok ? "the tap is deleted" : why->message);
	if (culprit && ok)
		isc_boundary_has_no_port(dock, culprit, text);
	isc_dock_event(dock, name, "boundary.usurped", "alarm", ISC_CALLER_DOCK,
			"the hypervisor of %s seems to be taken over: %s; quarantine the node, or "
			"disable it",
			culprit ? name : "no known node", text);
}

static void mend(IscDock *dock, const IscLinkTrouble *trouble)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, &why);
	g_autoptr(GArray) found = NULL;

	if (!nodes) {
		g_warning("ports: %s", why->message);
		nodes = g_ptr_array_new();
	}
	if (*trouble->name) {
		take_away(dock, nodes, trouble);
	} else {
		found = isc_link_watch_find(ISC_TAP_PREFIX, isc_port_guard_is_bad, &why);
		if (!found)
			g_warning("ports: %s", why->message);
		for (guint i = 0; found && i < found->len; i++)
			take_away(dock, nodes, &g_array_index(found, IscLinkTrouble, i));
	}
	pin_all(dock, nodes);
}

void isc_port_guard_on_trouble(const IscLinkTrouble *trouble, gpointer dock)
{
	mend(dock, trouble);
}

void isc_port_guard_start(IscDock *dock)
{
	const IscLinkTrouble any = { 0 };
	mend(dock, &any);
}

void isc_port_guard_look(IscDock *dock, const IscNode *node)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *tap = isc_node_tap(node->slot);
	gboolean is_apart = FALSE;

	g_mutex_lock(&dock->lock);
	gboolean is_told = isc_dock_run(dock, name)->boundary != NULL;
	g_mutex_unlock(&dock->lock);
	if (is_told || (isc_links_is_isolated(tap, NULL, &is_apart, NULL) && is_apart))
		return;
	g_autofree gchar *why =
			g_strdup_printf("its tap %s is no isolated port of a bridge any more", tap);
	isc_boundary_of_node(dock, node, why);
}
