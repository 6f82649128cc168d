/* The step that changes a node's network rules.  The register is written first: the boundary is
 * drawn from it at each start, so that a crash at any point leaves what the register says, and the
 * journal's recovery goes on from there.  Then the kernel, in one transaction, read back; at last
 * the connections that are no longer allowed. */
#include "daemon/admission.h"
#include "daemon/balance.h"
#include "daemon/names.h"
#include "daemon/steps.h"
#include "engine/conntrack.h"
#include "policy/rule-change.h"

gboolean isc_steps_rules_in_force(IscDock *dock, const IscNode *node, GError **error)
{
	g_autofree gchar *ref = g_strconcat("sha256:", node->digest, NULL);
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, ref, error);
	if (!image)
		return FALSE;
	IscFence fence;
	isc_steps_fence(dock, node, image, node->state == ISC_NODE_QUARANTINED, &fence);
	gboolean ok = isc_firewall_node_rules(dock->firewall, &fence, error);
	isc_fence_clear(&fence);
	return ok;
}

/* Where a rule with a name led to; none where nothing of that name is known. */
static GArray *peers_of(IscDock *dock, const IscEgress *rule)
{
	GArray *out = g_array_new(FALSE, FALSE, sizeof(guint32));
	g_autoptr(GPtrArray) nodes = NULL;

	if (rule->kind == ISC_EGRESS_HOST && dock->names) {
		g_array_unref(out);
		return isc_names_get(dock->names, rule->name, NULL);
	}
	if (rule->kind == ISC_EGRESS_NODE || rule->kind == ISC_EGRESS_GROUP)
		nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		const gchar *name = rule->kind == ISC_EGRESS_NODE ? node->spec->name
								  : node->spec->group;
		guint32 address = isc_node_address(&dock->config->plan, node);
		if (g_str_equal(name, rule->name))
			g_array_append_val(out, address);
	}
	return out;
}

/* A connection that another rule would still allow ends as well; it can be opened anew. */
static gboolean end_connections(
		IscDock *dock, const IscNode *node, const IscRuleChange *change, GError **error)
{
	guint32 address = isc_node_address(&dock->config->plan, node);
	for (guint i = 0; i < change->closed->len; i++)
		if (!isc_conntrack_end_expose(address, &g_array_index(change->closed, IscExpose, i),
				    NULL, error))
			return FALSE;
	for (guint i = 0; i < change->denied->len; i++) {
		const IscEgress *rule = &g_array_index(change->denied, IscEgress, i);
		g_autoptr(GArray) peers = peers_of(dock, rule);
		if (!isc_conntrack_end_egress(address, rule, peers, NULL, error))
			return FALSE;
	}
	return isc_conntrack_end_strays(change->opened, &dock->config->plan, NULL, error);
}

static gboolean make(
		IscDock *dock, const gchar *name, const gchar *arg, gboolean back, GError **error)
{
	g_auto(IscRuleChange) change = { 0 };
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, error);
	if (!node || !isc_rule_change_work_out(node->spec, arg, back, &change, error))
		return FALSE;
	isc_spec_set_rules(node->spec, change.expose, change.egress);
	if (!isc_admission_rules(dock, node, change.opened, /* enter= */ TRUE, error))
		return FALSE;
	gboolean ok = !isc_node_state_is_up(node->state) ||
		      (isc_steps_rules_in_force(dock, node, error) &&
				      isc_balance_rules(dock, node, error) &&
				      end_connections(dock, node, &change, error));
	/* Only now are hosts forgotten that no rule names any more: their connections are ended. */
	isc_dock_names_look(dock);
	return ok;
}

gboolean isc_step_rules_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	(void)cancel;
	return make(self, node->spec->name, arg, /* back= */ FALSE, error);
}

gboolean isc_step_rules_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	(void)cancel;
	return make(self, node->spec->name, arg, /* back= */ TRUE, error);
}
