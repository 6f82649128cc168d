#include "daemon/secrets.h"

#include "base/error.h"
#include "daemon/verbs.h"
#include "engine/vm-domain.h"
#include "engine/vm-secret.h"
#include "model/secret-use.h"

/* Is there anything for a key to be open for?  TRUE also where nobody knows. */
static gboolean may_run(IscDock *dock, const IscNode *node)
{
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	IscVmState seen = ISC_VM_STATE_ABSENT;
	return node->damage || isc_node_state_is_up(node->state) ||
	       !isc_vm_state(dock->vm, domain, &seen, NULL) ||
	       (seen != ISC_VM_STATE_ABSENT && seen != ISC_VM_STATE_OFF);
}

/* @uuid: its node must have that one; NULL: any */
static gboolean is_of_node(IscDock *dock, const gchar *name, const gchar *uuid)
{
	g_autoptr(GError) why = NULL;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, &why);
	if (!node)
		return !g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND);
	return (!uuid || node->damage || g_str_equal(node->uuid, uuid)) && may_run(dock, node);
}

static gboolean is_of_volume(IscDock *dock, const gchar *name, const gchar *uuid)
{
	g_autoptr(GError) why = NULL;
	IscVolume volume;
	if (!isc_register_get_volume(dock->reg, name, &volume, &why))
		return !g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND);
	return g_str_equal(volume.uuid, uuid) && *volume.node &&
	       is_of_node(dock, volume.node, NULL);
}

/* Nobody is at what @secret may belong to, and nobody shall be: taken into @held, which gives it
 * back.  FALSE: somebody is. */
static gboolean take(IscDock *dock, GPtrArray *held, gchar *name)
{
	g_autofree gchar *own = name;
	if (!isc_verbs_take(dock, own, ISC_VERB_EXPOSE, NULL, NULL))
		return FALSE;
	g_ptr_array_add(held, g_steal_pointer(&own));
	return TRUE;
}

static gboolean hold(IscDock *dock, IscSecretKind kind, const gchar *name, GPtrArray *held)
{
	if (kind != ISC_SECRET_VOLUME)
		return take(dock, held, g_strdup(name));
	IscVolume volume;
	if (!take(dock, held, g_strconcat("@", name, NULL)))
		return FALSE;
	return !isc_register_get_volume(dock->reg, name, &volume, NULL) || !*volume.node ||
	       take(dock, held, g_strdup(volume.node));
}

static gboolean is_orphan(
		IscDock *dock, const IscVmSecret *secret, IscSecretKind kind, const gchar *name)
{
	switch (kind) {
	case ISC_SECRET_OVERLAY:
		return !is_of_node(dock, name, secret->uuid);
	case ISC_SECRET_VOLUME:
		return !is_of_volume(dock, name, secret->uuid);
	case ISC_SECRET_COPY: /* only a verb under way makes one, and nobody is at it */
		break;
	}
	return TRUE;
}

static void look(IscDock *dock, const IscVmSecret *secret, gboolean repair, IscReconcileFunc found,
		gpointer data)
{
	g_autoptr(GPtrArray) held = g_ptr_array_new_with_free_func(g_free);
	g_autofree gchar *name = NULL;
	IscSecretKind kind;
	gboolean stands = FALSE;
	if (!isc_secret_use_parse(secret->usage, &kind, &name))
		return;
	/* It was listed before it was held: its verb may have ended since, and it with that. */
	if (hold(dock, kind, name, held) && is_orphan(dock, secret, kind, name) &&
			isc_vm_secret_has(dock->vm, secret->uuid, &stands, NULL) && stands) {
		g_autoptr(GError) why = NULL;
		gboolean gone = repair && isc_vm_secret_unset(dock->vm, secret->uuid, &why);
		if (why)
			g_message("secret '%s': %s", secret->usage, why->message);
		found(data, "secret", secret->usage,
				kind == ISC_SECRET_COPY ? "opens a copy that nobody makes"
				: kind == ISC_SECRET_VOLUME
						? "opens a volume that is not in use"
						: "opens the overlay of no node that runs",
				gone);
	}
	for (guint i = 0; i < held->len; i++)
		isc_verbs_give_back(dock, held->pdata[i]);
}

void isc_secrets_check(IscDock *dock, gboolean repair, IscReconcileFunc found, gpointer data)
{
	/* That libvirtd does not answer is told elsewhere. */
	g_autoptr(GPtrArray) all = isc_vm_secret_list(dock->vm, NULL);
	for (guint i = 0; all && i < all->len; i++)
		look(dock, all->pdata[i], repair, found, data);
}
