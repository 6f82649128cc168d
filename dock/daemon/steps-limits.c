/* The step that changes a node's limits.  The register first: after a crash the journal's recovery
 * goes on from there; then the boundary (bandwidth) and the domain that runs, read back.  What is
 * not in force is never on record. */
#include <string.h>

#include "daemon/admission.h"
#include "daemon/steps.h"
#include "engine/vm-limits.h"
#include "policy/limit-change.h"

/* QEMU is asked about its disks only where they have limits, or had: libvirt marks a domain whose
 * monitor others use as tainted. */
static IscVmDisks disks_of(const IscNode *node, gboolean had)
{
	const IscLimits *l = &node->spec->limits;
	gboolean any = had || l->read_bps || l->write_bps || l->iops;
	return (IscVmDisks){ .n = any ? 2 + node->spec->volumes->len : 0,
		.is_pci = node->spec->machine == ISC_MACHINE_Q35 };
}

gboolean isc_steps_set_limits(IscDock *dock, const IscNode *node, gboolean had, GError **error)
{
	const IscVmDisks disks = disks_of(node, had);
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	return isc_vm_set_limits(dock->vm, domain, &disks, &node->spec->limits, error);
}

gboolean isc_steps_get_limits(IscDock *dock, const IscNode *node, IscLimits *out, GError **error)
{
	const IscVmDisks disks = disks_of(node, /* had= */ FALSE);
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	return isc_vm_get_limits(dock->vm, domain, &disks, out, error);
}

static gboolean put_in_force(IscDock *dock, const IscNode *node, const gchar *arg, GError **error)
{
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	IscVmState seen = ISC_VM_STATE_ABSENT;
	if (!isc_steps_rules_in_force(dock, node, error) ||
			!isc_vm_state(dock->vm, domain, &seen, error))
		return FALSE;
	return (seen != ISC_VM_STATE_RUNNING && seen != ISC_VM_STATE_PAUSED) ||
	       isc_steps_set_limits(dock, node, strstr(arg, "IO") != NULL, error);
}

static gboolean make(
		IscDock *dock, const gchar *name, const gchar *arg, gboolean back, GError **error)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, error);
	IscSpec *next = node ? isc_limit_change_work_out(node->spec, arg, back, error) : NULL;
	if (!next)
		return FALSE;
	gboolean ok = isc_admission_limits(dock, node, next, /* enter= */ TRUE, error);
	isc_spec_free(node->spec);
	node->spec = next;
	return ok && (!isc_node_state_is_up(node->state) || put_in_force(dock, node, arg, error));
}

gboolean isc_step_limits_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	(void)cancel;
	return make(self, node->spec->name, arg, /* back= */ FALSE, error);
}

gboolean isc_step_limits_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	(void)cancel;
	return make(self, node->spec->name, arg, /* back= */ TRUE, error);
}
