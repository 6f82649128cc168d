#include "daemon/boundary.h"

#include <string.h>

#include "base/error.h"
#include "daemon/bus.h"
#include "daemon/host-filter.h"
#include "daemon/steps.h"
#include "engine/conntrack.h"
#include "engine/links.h"

static gboolean has_link(IscNodeState state)
{
	return isc_node_state_is_up(state) && state != ISC_NODE_ENABLING &&
	       state != ISC_NODE_DISABLING && state != ISC_NODE_DESTROYING;
}

const gchar *isc_boundary_state(IscDock *dock, const gchar *name, IscNodeState state, gchar **why)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	const gchar *own = isc_dock_run(dock, name)->boundary;
	const gchar *down = dock->boundary ? dock->boundary : own;

	if (why)
		*why = has_link(state) ? g_strdup(down) : NULL;
	if (!isc_node_state_is_up(state))
		return "off";
	if (!has_link(state))
		return "changing";
	if (down)
		return "down";
	return state == ISC_NODE_QUARANTINED ? "quarantined" : "in force";
}

/* --- all of it ------------------------------------------------------------------------------- */

/* Returns whether it was otherwise before. */
static gboolean set_text(IscDock *dock, gchar **at, const gchar *why)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	gboolean changed = (*at == NULL) != (why == NULL);
	g_free(*at);
	*at = g_strdup(why);
	return changed;
}

static void tell_bus(IscDock *dock, const GPtrArray *nodes)
{
	if (!dock->bus)
		return;
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		isc_bus_node_changed(dock->bus, node->spec->name, node->state);
	}
	isc_bus_state_changed(dock->bus);
}

void isc_boundary_is_lost(IscDock *dock, const gchar *reason)
{
	/* nft's errors end with the batch: that is for the log alone. */
	const gchar *end = strstr(reason, "; batch: ");
	g_autofree gchar *why = g_strndup(reason, end ? (gsize)(end - reason) : strlen(reason));
	g_autoptr(GError) error = NULL;

	/* First the mark, which isc_boundary_up() looks at, then the links, and only then anything
	 * that takes time or may fail: the register is not asked which links there are. */
	gboolean is_new = set_text(dock, &dock->boundary, why);
	gboolean ok = isc_links_all_down(ISC_TAP_PREFIX, &error);
	if (!is_new && ok)
		return;
	g_warning("the boundary: %s", reason);
	isc_dock_event(dock, "", "boundary.down", "alarm", ISC_CALLER_DOCK,
			"the dock's rules are not in force (%s): %s", why,
			ok ? "every node's link is down" : error->message);
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	tell_bus(dock, nodes);
}

void isc_boundary_stands(IscDock *dock)
{
	gboolean is_new = set_text(dock, &dock->boundary, NULL);
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);

	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		g_autofree gchar *tap = isc_node_tap(node->slot);
		g_autoptr(GError) why = NULL;
		g_mutex_lock(&dock->lock);
		gboolean is_cut = isc_dock_run(dock, node->spec->name)->boundary != NULL;
		g_mutex_unlock(&dock->lock);
		if (has_link(node->state) && !is_cut && !isc_boundary_up(dock, tap, &why) &&
				!g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
			g_warning("link of '%s': %s", node->spec->name, why->message);
	}
	if (!is_new)
		return;
	isc_dock_event(dock, "", "boundary.up", "warn", ISC_CALLER_DOCK,
			"the dock's rules are in force again, and the links are up");
	tell_bus(dock, nodes);
}

/* Whoever sent to an exposed port meanwhile is led to the node from now on. */
static void end_strays(IscDock *dock)
{
	g_autoptr(GArray) expose = g_array_new(FALSE, FALSE, sizeof(IscExpose));
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	g_autoptr(GError) error = NULL;

	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		const GArray *own = node->spec->expose;
		if (has_link(node->state))
			g_array_append_vals(expose, own->data, own->len);
	}
	if (!isc_conntrack_end_strays(expose, &dock->config->plan, NULL, &error))
		g_warning("flows from before the rules were put back: %s", error->message);
}

void isc_boundary_on_event(const IscFirewallEvent *event, gpointer data)
{
	IscDock *dock = data;
	const gint ms = (gint)(event->took / G_TIME_SPAN_MILLISECOND);

	if (event->error)
		isc_boundary_is_lost(dock, event->error->message);
	/* While attempts go on it is on record once. */
	if (!event->again)
		isc_dock_event(dock, "", "boundary.drift", "alarm", ISC_CALLER_DOCK,
				"the dock's rules were changed by %s: %s", event->who, event->why);
	if (event->error)
		return;
	isc_dock_do(dock, isc_host_filter_look, NULL); /* a flush takes that, too */
	end_strays(dock);
	isc_dock_event(dock, "", "boundary.restored", "warn", ISC_CALLER_DOCK,
			"the dock's rules were put back %d ms after it was noticed", ms);
	g_mutex_lock(&dock->lock);
	gboolean was_down = dock->boundary != NULL;
	g_mutex_unlock(&dock->lock);
	if (was_down)
		isc_boundary_stands(dock);
}

gboolean isc_boundary_up(IscDock *dock, const gchar *tap, GError **error)
{
	g_autofree gchar *lost = NULL;
	gboolean is_apart = FALSE;

	/* In no bridge it would lead straight to the dock, past the rules for frames. */
	if (!isc_links_is_isolated(tap, NULL, &is_apart, error))
		return FALSE;
	if (!is_apart) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"'%s' is no isolated port of a bridge: it stays down", tap);
		return FALSE;
	}
	if (!isc_links_set_up(tap, TRUE, error))
		return FALSE;
	/* Whoever loses the boundary marks it first and then takes the links down: one of us sees
	 * the other. */
	g_mutex_lock(&dock->lock);
	lost = g_strdup(dock->boundary);
	g_mutex_unlock(&dock->lock);
	if (!lost)
		return TRUE;
	if (isc_links_set_up(tap, FALSE, error))
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"the dock's rules are not in force: %s", lost);
	return FALSE;
}

/* --- one node -------------------------------------------------------------------------------- */

void isc_boundary_of_node(IscDock *dock, const IscNode *node, const gchar *node_why)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *tap = isc_node_tap(node->slot);
	g_autoptr(GError) why = NULL;

	g_mutex_lock(&dock->lock);
	gchar **at = &isc_dock_run(dock, name)->boundary;
	gboolean is_same = *at == NULL && node_why == NULL;
	g_mutex_unlock(&dock->lock);
	if (is_same)
		return;
	gboolean is_new = set_text(dock, at, node_why);
	if ((has_link(node->state) || node->damage) &&
			!(node_why ? isc_links_set_up(tap, FALSE, &why)
				   : isc_boundary_up(dock, tap, &why)) &&
			!g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		g_warning("link of '%s': %s", name, why->message);
	if (!is_new)
		return;
	if (node_why)
		isc_dock_event(dock, name, "boundary.down", "alarm", ISC_CALLER_DOCK,
				"the rules of %s are not in force: its link is down: %s", name,
				node_why);
	else
		isc_dock_event(dock, name, "boundary.up", "warn", ISC_CALLER_DOCK,
				"the rules of %s are in force again", name);
	if (dock->bus)
		isc_bus_node_changed(dock->bus, name, node->state);
}

void isc_boundary_has_no_port(IscDock *dock, const IscNode *node, const gchar *why)
{
	const gchar *name = node->spec->name;

	g_mutex_lock(&dock->lock);
	gchar **at = &isc_dock_run(dock, name)->boundary;
	g_mutex_unlock(&dock->lock);
	(void)set_text(dock, at, why);
	if (dock->bus)
		isc_bus_node_changed(dock->bus, name, node->state);
}

static void try_node(IscDock *dock, const IscNode *node)
{
	g_autofree gchar *tap = isc_node_tap(node->slot);
	gboolean is_apart = FALSE;

	/* Rules alone do not bring back one whose port is gone. */
	if (!isc_links_is_isolated(tap, NULL, &is_apart, NULL) || !is_apart)
		return;
	g_autofree gchar *ref = g_strconcat("sha256:", node->digest, NULL);
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, ref, NULL);
	g_autoptr(GError) why = NULL;
	IscFence fence;

	isc_steps_fence(dock, node, image, node->state == ISC_NODE_QUARANTINED, &fence);
	gboolean ok = isc_firewall_node_add(dock->firewall, &fence, &why) &&
		      isc_firewall_node_verify(dock->firewall, &fence, &why);
	isc_fence_clear(&fence);
	isc_boundary_of_node(dock, node, ok ? NULL : why->message);
}

void isc_boundary_retry(IscDock *dock)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);

	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		g_mutex_lock(&dock->lock);
		const IscRun *run = isc_dock_run(dock, node->spec->name);
		gboolean is_due = run->boundary && !run->busy;
		g_mutex_unlock(&dock->lock);
		if (is_due && has_link(node->state))
			try_node(dock, node);
	}
}

/* --- the dock's own networks ----------------------------------------------------------------- */

/* In the main thread, that what was read first is not written last. */
void isc_boundary_on_addresses(gpointer data)
{
	IscDock *dock = data;
	g_autoptr(GError) why = NULL;
	g_autoptr(GArray) nets = isc_links_host_nets(dock->config->plan.bridge, &why);
	gboolean changed = FALSE;

	/* The rules first, then what is routed by them. */
	if (!nets ||
			!isc_firewall_set_host_nets(dock->firewall,
					(const IscNet *)(gpointer)nets->data, nets->len,
					isc_links_is_router(), &changed, &why) ||
			!isc_links_forward_again(dock->config->plan.bridge, dock->outside, &why))
		isc_dock_event(dock, "", "boundary.networks", "alarm", ISC_CALLER_DOCK,
				"the dock's networks have changed, and its boundary does not know "
				"that: %s",
				why->message);
	else if (changed)
		isc_dock_event(dock, "", "boundary.networks", "info", ISC_CALLER_DOCK,
				"the dock's networks have changed, or whether it is a router: the "
				"rules follow");
}
