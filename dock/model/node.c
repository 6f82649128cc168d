#include "model/node.h"

#include <string.h>

#include "base/error.h"
#include "base/name.h"

static const gchar *const state_names[ISC_N_NODE_STATES] = {
	[ISC_NODE_DISABLED] = "disabled",
	[ISC_NODE_ENABLING] = "enabling",
	[ISC_NODE_READY] = "ready",
	[ISC_NODE_UNREADY] = "unready",
	[ISC_NODE_SUSPENDED] = "suspended",
	[ISC_NODE_QUARANTINED] = "quarantined",
	[ISC_NODE_FAILED] = "failed",
	[ISC_NODE_DISABLING] = "disabling",
	[ISC_NODE_DESTROYING] = "destroying",
};

static const gchar *const verb_names[ISC_N_VERBS] = {
	[ISC_VERB_PROVISION] = "provision",
	[ISC_VERB_ENABLE] = "enable",
	[ISC_VERB_DISABLE] = "disable",
	[ISC_VERB_SUSPEND] = "suspend",
	[ISC_VERB_RESUME] = "resume",
	[ISC_VERB_SNAPSHOT_CREATE] = "snapshot create",
	[ISC_VERB_SNAPSHOT_RESTORE] = "snapshot restore",
	[ISC_VERB_SNAPSHOT_DELETE] = "snapshot delete",
	[ISC_VERB_QUARANTINE] = "quarantine",
	[ISC_VERB_RELEASE] = "release",
	[ISC_VERB_DESTROY] = "destroy",
	[ISC_VERB_EXPOSE] = "expose",
	[ISC_VERB_UNEXPOSE] = "unexpose",
	[ISC_VERB_ALLOW] = "allow",
	[ISC_VERB_DENY] = "deny",
	[ISC_VERB_UPGRADE] = "upgrade",
	[ISC_VERB_ROLLBACK] = "rollback",
	[ISC_VERB_VOLUME_ATTACH] = "volume attach",
	[ISC_VERB_VOLUME_DETACH] = "volume detach",
	[ISC_VERB_LIMIT] = "limit",
	[ISC_VERB_VOLUME_CREATE] = "volume create",
	[ISC_VERB_VOLUME_IMPORT] = "volume import",
	[ISC_VERB_VOLUME_RESIZE] = "volume resize",
	[ISC_VERB_VOLUME_REKEY] = "volume rekey",
	[ISC_VERB_VOLUME_REMOVE] = "volume rm",
};

/* Rows: states, columns: verbs in their order.  '+' legal, '=' already so, '-' refused.
 * A node that is in the middle of something (…ing) is only met here after a crash: then what clears
 * it away is legal.  Quarantine, disable and destroy are never blocked by anything but the end of
 * the node. Rules may change in quarantine, too: the cut stands above them. */
/* clang-format off */
static const gchar *const table[ISC_N_NODE_STATES] = {
	/*                         prov en  dis sus res crt rst del qua rel dst exp une all den upg rlb  vat vdt lim  of volumes */
	[ISC_NODE_DISABLED]    = "-"  "+" "=" "-" "-" "-" "+" "+" "+" "-" "+" "+" "+" "+" "+" "+" "+"  "+" "+" "+"  "-----",
	[ISC_NODE_ENABLING]    = "-"  "-" "+" "-" "-" "-" "-" "-" "+" "-" "+" "-" "-" "-" "-" "-" "-"  "-" "-" "-"  "-----",
	[ISC_NODE_READY]       = "-"  "=" "+" "+" "=" "+" "+" "+" "+" "-" "+" "+" "+" "+" "+" "+" "+"  "-" "-" "+"  "-----",
	[ISC_NODE_UNREADY]     = "-"  "=" "+" "+" "=" "+" "+" "+" "+" "-" "+" "+" "+" "+" "+" "+" "+"  "-" "-" "+"  "-----",
	[ISC_NODE_SUSPENDED]   = "-"  "-" "+" "=" "+" "+" "+" "+" "+" "-" "+" "+" "+" "+" "+" "-" "-"  "-" "-" "+"  "-----",
	[ISC_NODE_QUARANTINED] = "-"  "-" "-" "-" "-" "+" "-" "-" "=" "+" "+" "+" "+" "+" "+" "-" "-"  "-" "-" "+"  "-----",
	[ISC_NODE_FAILED]      = "-"  "+" "+" "-" "-" "-" "+" "+" "+" "-" "+" "+" "+" "+" "+" "+" "+"  "+" "+" "+"  "-----",
	[ISC_NODE_DISABLING]   = "-"  "-" "+" "-" "-" "-" "-" "-" "+" "-" "+" "-" "-" "-" "-" "-" "-"  "-" "-" "-"  "-----",
	[ISC_NODE_DESTROYING]  = "-"  "-" "-" "-" "-" "-" "-" "-" "-" "-" "+" "-" "-" "-" "-" "-" "-"  "-" "-" "-"  "-----",
};
/* clang-format on */

const gchar *isc_node_state_name(IscNodeState state)
{
	return state_names[state];
}

gboolean isc_node_state_parse(const gchar *text, IscNodeState *out)
{
	for (guint i = 0; i < ISC_N_NODE_STATES; i++)
		if (g_strcmp0(text, state_names[i]) == 0) {
			*out = (IscNodeState)i;
			return TRUE;
		}
	return FALSE;
}

const gchar *isc_verb_name(IscVerb verb)
{
	return verb_names[verb];
}

gboolean isc_verb_parse(const gchar *text, IscVerb *out)
{
	for (guint i = 0; i < ISC_N_VERBS; i++)
		if (g_strcmp0(text, verb_names[i]) == 0) {
			*out = (IscVerb)i;
			return TRUE;
		}
	return FALSE;
}

gboolean isc_verb_is_about_rules(IscVerb verb)
{
	return verb == ISC_VERB_EXPOSE || verb == ISC_VERB_UNEXPOSE || verb == ISC_VERB_ALLOW ||
	       verb == ISC_VERB_DENY;
}

gboolean isc_verb_is_upgrade(IscVerb verb)
{
	return verb == ISC_VERB_UPGRADE || verb == ISC_VERB_ROLLBACK;
}

gboolean isc_node_state_is_up(IscNodeState state)
{
	return state != ISC_NODE_DISABLED && state != ISC_NODE_FAILED;
}

IscLegal isc_node_verb_legal(IscNodeState state, IscVerb verb)
{
	switch (table[state][verb]) {
	case '+':
		return ISC_LEGAL_YES;
	case '=':
		return ISC_LEGAL_DONE;
	default:
		return ISC_LEGAL_NO;
	}
}

/* What the operator can do about a refusal. */
static const gchar *advice(IscNodeState state, IscVerb verb)
{
	switch (state) {
	case ISC_NODE_QUARANTINED:
		return "a security officer releases it with 'isc-vm release'";
	case ISC_NODE_DISABLED:
	case ISC_NODE_FAILED:
		return verb == ISC_VERB_RELEASE ? "it is not in quarantine"
						: "start it with 'isc-vm enable'";
	case ISC_NODE_SUSPENDED:
		if (verb == ISC_VERB_VOLUME_ATTACH || verb == ISC_VERB_VOLUME_DETACH)
			return "stop it first with 'isc-vm disable'";
		return "wake it with 'isc-vm resume'";
	case ISC_NODE_DESTROYING:
		return "finish with 'isc-vm destroy'";
	case ISC_NODE_ENABLING:
	case ISC_NODE_DISABLING:
		return "wait for it, or 'isc-vm disable' it";
	case ISC_NODE_READY:
	case ISC_NODE_UNREADY:
	case ISC_N_NODE_STATES:
		break;
	}
	if (verb == ISC_VERB_VOLUME_ATTACH || verb == ISC_VERB_VOLUME_DETACH)
		return "stop it first with 'isc-vm disable'";
	return verb == ISC_VERB_RELEASE ? "it is not in quarantine" : "see 'isc-vm show'";
}

gboolean isc_node_check_verb(const IscNode *node, IscVerb verb, gboolean *done, GError **error)
{
	if (node->damage && verb != ISC_VERB_DESTROY) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"node '%s': %s; 'isc-vm fsck --repair' takes it up from libvirt's "
				"definition, where there is one; else 'isc-vm destroy' it",
				node->spec->name, node->reason);
		return FALSE;
	}
	IscLegal legal = isc_node_verb_legal(node->state, verb);
	*done = legal == ISC_LEGAL_DONE;
	if (legal != ISC_LEGAL_NO)
		return TRUE;
	g_set_error(error, ISC_ERROR,
			node->state == ISC_NODE_QUARANTINED ? ISC_ERROR_POLICY : ISC_ERROR_STATE,
			"node '%s' is %s: cannot %s; %s", node->spec->name,
			state_names[node->state], verb_names[verb], advice(node->state, verb));
	return FALSE;
}

guint isc_node_uid(guint slot)
{
	return ISC_UID_BASE + slot;
}

void isc_node_mac(guint slot, guint8 mac[6])
{
	const guint8 bytes[6] = { 0x52, 0x54, 0x4e, 0, (guint8)(slot >> 8), (guint8)slot };
	for (gsize i = 0; i < 6; i++)
		mac[i] = bytes[i];
}

gboolean isc_node_is_mac(const guint8 mac[6], guint *slot)
{
	const guint of = (guint)mac[4] << 8 | mac[5];
	guint8 would_be[6];

	isc_node_mac(of, would_be);
	if (memcmp(mac, would_be, sizeof would_be) != 0)
		return FALSE;
	if (slot)
		*slot = of;
	return TRUE;
}

gchar *isc_node_mac_text(guint slot)
{
	return g_strdup_printf("52:54:4e:00:%02x:%02x", slot >> 8 & 0xff, slot & 0xff);
}

gchar *isc_node_tap(guint slot)
{
	return g_strdup_printf(ISC_TAP_PREFIX "%u", slot);
}

gchar *isc_node_stand_in_name(const gchar *name)
{
	static const gchar end[] = "-next";
	gsize room = ISC_NAME_MAX - strlen(end);
	return g_strdup_printf("%.*s%s", (int)MIN(strlen(name), room), name, end);
}

gboolean isc_node_is_stand_in(const IscNode *node)
{
	return node->stands_for && *node->stands_for;
}

gchar *isc_node_domain(const gchar *name)
{
	return g_strconcat("isc-", name, NULL);
}

void isc_node_free(IscNode *node)
{
	if (!node)
		return;
	isc_spec_free(node->spec);
	g_free(node->image_name);
	g_free(node->image_version);
	g_free(node->reason);
	g_free(node->stands_for);
	g_free(node->damage);
	g_free(node);
}
