#include "daemon/balance.h"

#include "model/member.h"

IscNodeState isc_balance_state(const GPtrArray *nodes, const gchar *set)
{
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		if (node->state == ISC_NODE_READY && g_str_equal(node->spec->replica.set, set))
			return ISC_NODE_READY;
	}
	return ISC_NODE_UNREADY;
}

/* What all have so far: while the rules of a set change, its members do one after the other. */
static void keep_common(GArray *ports, const GArray *other)
{
	for (guint i = ports->len; i-- > 0;) {
		g_autofree gchar *text = isc_expose_print(&g_array_index(ports, IscExpose, i));
		gboolean has = FALSE;
		for (guint k = 0; k < other->len && !has; k++) {
			g_autofree gchar *its =
					isc_expose_print(&g_array_index(other, IscExpose, k));
			has = g_str_equal(text, its);
		}
		if (!has)
			g_array_remove_index(ports, i);
	}
}

/* NULL: nobody is in force, or there is no such set any more. */
static IscBalance *look(IscDock *dock, const gchar *set)
{
	g_autoptr(GPtrArray) members = isc_register_list_members(dock->reg, set, NULL);
	g_autoptr(IscBalance) out = NULL;
	g_autoptr(GArray) ports = NULL;
	IscNodeState state = members ? isc_balance_state(members, set) : ISC_NODE_READY;

	for (guint i = 0; members && i < members->len; i++) {
		const IscNode *node = members->pdata[i];
		if (node->damage || node->state != state || !isc_member_shares_ports(node->spec))
			continue;
		if (!out) {
			ports = g_array_copy(node->spec->expose);
			out = isc_balance_new(set, ports);
		}
		keep_common(ports, node->spec->expose);
		g_array_append_val(out->slots, node->slot);
	}
	return g_steal_pointer(&out);
}

static gboolean try(IscDock *dock, const gchar *set, GError **error)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->balance);
	g_autoptr(IscBalance) wanted = look(dock, set);
	return isc_firewall_balance(dock->firewall, set, wanted, error);
}

static void balance(IscDock *dock, const gchar *set)
{
	g_autoptr(GError) why = NULL;
	if (!try(dock, set, &why))
		isc_dock_event(dock, "", "set.ports", "alarm", ISC_CALLER_DOCK,
				"the ports of set %s do not follow its members: %s", set,
				why->message);
}

void isc_balance_follow(IscDock *dock, const gchar *name)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	if (node && dock->firewall && isc_member_shares_ports(node->spec))
		balance(dock, node->spec->replica.set);
}

gboolean isc_balance_rules(IscDock *dock, const IscNode *node, GError **error)
{
	return !isc_member_shares_ports(node->spec) || try(dock, node->spec->replica.set, error);
}

void isc_balance_start(IscDock *dock, const GPtrArray *nodes)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		if (isc_member_shares_ports(node->spec) &&
				g_hash_table_add(seen, (gpointer)node->spec->replica.set))
			balance(dock, node->spec->replica.set);
	}
}
