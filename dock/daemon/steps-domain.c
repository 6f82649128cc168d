/* The steps of the domain: its definition, start, readiness, pause; and the end of its trail. */
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "daemon/ready.h"
#include "daemon/steps.h"
#include "daemon/take.h"
#include "engine/vm-domain.h"
#include "engine/vm-limits.h"
#include "render/domain-xml.h"

#define POWEROFF_S 15 /* a guest that was asked gets this long */
#define DEFINED_S 10  /* for libvirt's event of a definition */

static gchar *describe(const IscDock *dock, const IscNode *node)
{
	return g_strdup_printf("Node of an immutable service container dock.  Image %s %s, "
			       "environment %s%s.\n"
			       "Managed by isc-dockd: use isc-vm to change it.",
			node->image_name, node->image_version,
			isc_environment_name(node->spec->environment),
			dock->accel == ISC_ACCEL_KVM ? "" : ", emulated (no hardware isolation)");
}

static gchar *render(IscDock *dock, const IscNode *node, GError **error)
{
	const gchar *machine = isc_machine_name(node->spec->machine);
	g_autofree gchar *file = g_strdup_printf("node-%s.xml", machine);
	g_autofree gchar *path = g_build_filename(dock->config->template_dir, file, NULL);
	gsize len;
	g_autofree gchar *template =
			isc_file_read(AT_FDCWD, path, ISC_DOMAIN_TEMPLATE_MAX, &len, error);
	g_autoptr(IscImage) image = template ? isc_steps_image(dock, node, error) : NULL;
	if (!image)
		return NULL;

	g_autofree gchar *title = g_strdup_printf("isc node %s (%s %s)%s", node->spec->name,
			node->image_name, node->image_version,
			dock->accel == ISC_ACCEL_KVM ? "" : " [emulated]");
	g_autofree gchar *description = describe(dock, node);
	g_autofree gchar *kernel = isc_image_store_part_path(dock->images, image, ISC_PART_KERNEL);
	g_autofree gchar *initrd = isc_image_store_part_path(dock->images, image, ISC_PART_INITRD);
	g_autofree gchar *root = isc_image_store_part_path(dock->images, image, ISC_PART_ROOT);
	g_autofree gchar *cmdline =
			isc_domain_cmdline(node->spec->machine, dock->accel, dock->tsc_khz, FALSE);
	g_autofree gchar *fwcfg = isc_steps_config_path(dock, node);
	g_autofree gchar *overlay = isc_steps_overlay_path(dock, node);
	g_autofree gchar *tap = isc_node_tap(node->slot);
	g_autofree gchar *mac = isc_node_mac_text(node->slot);
	g_autofree gchar *address = isc_node_address_text(&dock->config->plan, node);
	g_autofree gchar *spec = isc_spec_print_public(node->spec);
	g_autofree gchar *spec_digest = g_compute_checksum_for_string(G_CHECKSUM_SHA256, spec, -1);
	g_autofree gchar *audit = isc_channels_path(
			dock->config->run_dir, node->spec->name, ISC_CHANNEL_AUDIT);
	g_autofree gchar *log =
			isc_channels_path(dock->config->run_dir, node->spec->name, ISC_CHANNEL_LOG);
	g_autofree gchar *control = isc_channels_path(
			dock->config->run_dir, node->spec->name, ISC_CHANNEL_CONTROL);

	guint n = node->spec->labels->len;
	g_autofree IscDomainLabel *labels = g_new0(IscDomainLabel, n + 1);
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < n; i++) {
		const gchar *pair = node->spec->labels->pdata[i];
		gchar *key = g_strndup(pair, strcspn(pair, "="));
		g_ptr_array_add(keys, key);
		labels[i] = (IscDomainLabel){ key, (gchar *)strchr(pair, '=') + 1 };
	}

	guint n_volumes = node->spec->volumes->len;
	IscDomainVolume volumes[ISC_VOLUMES_MAX];
	IscVolume rows[ISC_VOLUMES_MAX];
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < n_volumes; i++) {
		const gchar *one = g_array_index(node->spec->volumes, IscVolumeUse, i).name;
		if (!isc_steps_own_volume(dock, node, one, &rows[i], error))
			return NULL;
		volumes[i] = (IscDomainVolume){ .path = isc_steps_volume_path(dock, one),
			.secret_uuid = rows[i].uuid,
			.serial = isc_steps_volume_serial(&rows[i]) };
		g_ptr_array_add(texts, (gpointer)volumes[i].path);
		g_ptr_array_add(texts, (gpointer)volumes[i].serial);
	}

	const guint32 uid = isc_node_uid(node->slot);
	const IscDomainParams params = {
		.name = node->spec->name,
		.uuid = node->uuid,
		.title = title,
		.description = description,
		.accel = dock->accel,
		.memory_mib = node->spec->memory_mib,
		.vcpus = node->spec->vcpus,
		.limits = node->spec->limits,
		.cpu_shares = isc_vm_cpu_shares(&node->spec->limits),
		.kernel = kernel,
		.initrd = initrd,
		.root = root,
		.cmdline = cmdline,
		.fwcfg = fwcfg,
		.overlay = overlay,
		.overlay_kept = node->spec->overlay_kept,
		.overlay_secret = node->uuid,
		.volumes = volumes,
		.n_volumes = n_volumes,
		.tap = tap,
		.mac = mac,
		.uid = uid,
		.gid = uid,
		.sockets = { audit, log, control },
		.meta = {
			.slot = node->slot,
			.address = address,
			.environment = (gchar *)isc_environment_name(node->spec->environment),
			.image_name = node->image_name,
			.image_version = node->image_version,
			.image_digest = (gchar *)node->digest,
			.image_status = (gchar *)"grey",
			.spec_digest = spec_digest,
			.spec = spec,
			.emulated = dock->accel != ISC_ACCEL_KVM,
			.labels = labels,
			.n_labels = n,
		},
	};
	return isc_domain_xml_render(template, len, &params, error);
}

/* libvirt will tell of it, perhaps only when the verb is through: that is nobody else's doing. */
static gboolean define_own(IscDock *dock, const gchar *name, const gchar *xml, GError **error)
{
	g_mutex_lock(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	run->defined = g_get_monotonic_time() > run->defined_until ? 1 : run->defined + 1;
	run->defined_until = G_MAXINT64;
	g_mutex_unlock(&dock->lock);

	gboolean ok = isc_vm_define(
			dock->vm, xml, error); /* takes seconds where libvirt looks at QEMU anew */

	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	run = isc_dock_run(dock, name);
	if (!ok && run->defined)
		run->defined--;
	run->defined_until = g_get_monotonic_time() + DEFINED_S * G_USEC_PER_SEC;
	return ok;
}

/* What is written is the register's node: the rules of @node may have changed since it was loaded.
 */
gboolean isc_step_define_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	const gchar *name = node->spec->name;
	(void)arg, (void)cancel;
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, name, error);
	g_autofree gchar *xml = now ? render(dock, now, error) : NULL;
	if (!xml)
		return FALSE;

	return define_own(dock, name, xml, error);
}

gboolean isc_step_define_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	(void)arg, (void)cancel;
	return isc_vm_undefine(dock->vm, domain, error);
}

gboolean isc_step_start_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	(void)arg, (void)cancel;
	isc_dock_reset_claims(dock, node->spec->name);
	gboolean any = isc_limits_any(&node->spec->limits);
	/* Limits hold from its first instruction on; one that cannot be in force is an error. */
	return isc_steps_verified(dock, node, error) &&
	       isc_vm_start(dock->vm, domain, /* paused= */ any, error) &&
	       (!any || (isc_steps_set_limits(dock, node, /* had= */ FALSE, error) &&
					isc_vm_resume(dock->vm, domain, error)));
}

static gboolean is_gone(const IscRun *run, gpointer data)
{
	(void)data;
	return run->gone;
}

gboolean isc_step_start_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	(void)cancel;

	if (g_str_equal(arg, ISC_ARG_ASK)) {
		IscVmState seen = ISC_VM_STATE_OFF;
		IscLinkMsg order = isc_link_msg(ISC_LINK_ORDER, node->spec->name, node->slot);
		order.a = ISC_ORDER_POWEROFF;
		order.b = isc_dock_next_id(dock);
		order.c = (POWEROFF_S - 5) * 1000;
		if (isc_vm_state(dock->vm, domain, &seen, NULL) && seen == ISC_VM_STATE_RUNNING &&
				isc_link_send(dock->link, &order, -1, NULL))
			(void)isc_dock_wait(dock, node->spec->name, is_gone, NULL,
					g_get_monotonic_time() + POWEROFF_S * G_USEC_PER_SEC, NULL);
	}
	return isc_vm_destroy(dock->vm, domain, error);
}

gboolean isc_step_ready_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg;
	g_autoptr(IscImage) image = isc_steps_image(dock, node, error);
	g_autoptr(GError) not_ready = NULL;
	gboolean ready =
			image && (isc_ready_wait(dock, node, image, cancel, &not_ready) ||
						 isc_verbs_is_seized(dock, node->spec->name, NULL));
	if (image && !ready)
		g_propagate_error(error, g_steal_pointer(&not_ready));

	/* It says that its file systems are mounted: from now on one that is missing is a loss, and
	 * no reason to make one. */
	g_mutex_lock(&dock->lock);
	gboolean booted = isc_dock_run(dock, node->spec->name)->booted;
	g_mutex_unlock(&dock->lock);
	g_autoptr(GError) why = NULL;
	if (booted && node->spec->volumes->len &&
			!isc_register_use_volumes(dock->reg, node->spec->name, &why))
		g_warning("volumes of '%s': %s", node->spec->name, why->message);
	return ready;
}

gboolean isc_step_pause_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	(void)arg, (void)cancel;
	return isc_vm_suspend(dock->vm, domain, error);
}

gboolean isc_step_pause_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	IscVmState seen;
	(void)arg, (void)cancel;
	if (!isc_vm_state(dock->vm, domain, &seen, error))
		return FALSE;
	return seen != ISC_VM_STATE_PAUSED || isc_vm_resume(dock->vm, domain, error);
}

gboolean isc_step_trail_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	IscLinkMsg msg = isc_link_msg(ISC_LINK_FORGET, node->spec->name, node->slot);
	(void)arg, (void)cancel;
	return isc_link_send(dock->link, &msg, -1, error);
}
