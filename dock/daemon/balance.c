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

/* NULL: nobody is in force, or there is no such set any more. */
static IscBalance *look(IscDock *dock, const gchar *set)
{
	g_autoptr(GPtrArray) members = isc_register_list_members(dock->reg, set, NULL);
	g_autoptr(IscBalance) out = NULL;
	IscNodeState state = members ? isc_balance_state(members, set) : ISC_NODE_READY;

	for (guint i = 0; members && i < members->len; i++) {
		const IscNode *node = members->pdata[i];
		if (node->damage || node->state != state || !isc_member_shares_ports(node->spec))
			continue;
		/* All have the same. */
		if (!out)
			out = isc_balance_new(set, node->spec->expose);
		g_array_append_val(out->slots, node->slot);
	}
	return g_steal_pointer(&out);
}

static void balance(IscDock *dock, const gchar *set)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->balance);
	g_autoptr(IscBalance) wanted = look(dock, set);
	g_autoptr(GError) why = NULL;

	if (!isc_firewall_balance(dock->firewall, set, wanted, &why))
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
