#include "daemon/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "daemon/ready.h"
#include "engine/conntrack.h"
#include "engine/links.h"
#include "engine/vm-domain.h"
#include "engine/vm-secret.h"
#include "engine/volume.h"
#include "render/domain-xml.h"

#define POWEROFF_S 15 /* a guest that was asked gets this long */
#define DEFINED_S 10  /* for libvirt's event of a definition */

static gchar *overlay_path(const IscDock *dock, const IscNode *node)
{
	return g_build_filename(
			dock->config->state_dir, "nodes", node->spec->name, "overlay.qcow2", NULL);
}

static gchar *config_path(const IscDock *dock, const IscNode *node)
{
	return g_build_filename(dock->config->run_dir, "nodes", node->spec->name, "config", NULL);
}

static gchar *template_dir(const IscDock *dock)
{
	return g_build_filename(dock->config->state_dir, "templates", NULL);
}

static gboolean give_to_node(const gchar *path, const IscNode *node, gboolean owner, GError **error)
{
	gid_t gid = (gid_t)isc_node_uid(node->slot);
	if (chown(path, owner ? gid : (uid_t)-1, gid) < 0)
		return isc_error_set_errno(error, errno, "cannot give '%s' to node '%s'", path,
				node->spec->name);
	return TRUE;
}

/* --- folder -------------------------------------------------------------------------------- */

/* Ours, and the node's group may pass through: QEMU reaches its own files and lists nothing. */
static gboolean folder_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *dir = isc_dock_node_dir(dock, node->spec->name);
	g_autofree gchar *snapshots = g_build_filename(dir, "snapshots", NULL);
	(void)arg, (void)cancel;
	return isc_file_mkdir(dir, 0710, error) && give_to_node(dir, node, FALSE, error) &&
	       isc_file_mkdir(snapshots, 0710, error) &&
	       give_to_node(snapshots, node, FALSE, error);
}

static gboolean folder_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *dir = isc_dock_node_dir(dock, node->spec->name);
	g_autofree gchar *run = isc_dock_node_run_dir(dock, node->spec->name);
	(void)arg, (void)cancel;
	return isc_file_remove_tree(run, error) && isc_file_remove_tree(dir, error);
}

/* --- image --------------------------------------------------------------------------------- */

static gboolean verify_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	g_autoptr(IscTrust) trust = isc_trust_load(dock->config->trusted_dir, error);
	if (!trust)
		return FALSE;
	g_autoptr(IscImage) image =
			isc_image_store_verify(dock->images, node->digest, trust, NULL, error);
	return image != NULL;
}

static IscImage *image_of(IscDock *dock, const IscNode *node, GError **error)
{
	g_autofree gchar *ref = g_strconcat("sha256:", node->digest, NULL);
	return isc_image_store_find(dock->images, ref, error);
}

/* --- overlay and its key ------------------------------------------------------------------- */

static void keep_key(IscDock *dock, const gchar *name, IscKey *key)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	IscRun *run = isc_dock_run(dock, name);
	isc_key_free(run->key);
	run->key = key;
}

static gboolean overlay_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *path = overlay_path(dock, node);
	(void)arg, (void)cancel;
	keep_key(dock, node->spec->name, NULL);
	return isc_volume_shred(path, error);
}

static gboolean overlay_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *path = overlay_path(dock, node);
	g_autofree gchar *templates = template_dir(dock);
	uid_t uid = (uid_t)isc_node_uid(node->slot);
	g_autoptr(IscKey) key = NULL;

	/* Whatever is there is of an earlier start: each start begins clean. */
	if (!overlay_down(self, node, "", cancel, error))
		return FALSE;
	if (*arg) {
		key = isc_step_overlay_from_snapshot(dock, node, arg, path, error);
		if (!key)
			return FALSE;
	} else {
		key = isc_key_new_random();
		if (!isc_volume_template_ensure(templates, node->spec->overlay_mib, error) ||
				!isc_volume_create(path, templates, node->spec->overlay_mib,
						isc_key_hex(key), uid, (gid_t)uid, error))
			return FALSE;
	}
	keep_key(dock, node->spec->name, g_steal_pointer(&key));
	return TRUE;
}

gboolean isc_steps_push_secret(IscDock *dock, const IscNode *node, GError **error)
{
	g_autofree gchar *usage = g_strdup_printf("isc-%s/overlay", node->spec->name);
	g_mutex_lock(&dock->lock);
	const IscKey *held = isc_dock_run(dock, node->spec->name)->key;
	g_autoptr(IscKey) key = held ? isc_key_new_from_hex(isc_key_hex(held), NULL) : NULL;
	g_mutex_unlock(&dock->lock);
	if (!key) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"the overlay's key of node '%s' is gone with an earlier isc-dockd",
				node->spec->name);
		return FALSE;
	}
	return isc_vm_secret_set(dock->vm, node->uuid, usage, isc_key_hex(key), error);
}

static gboolean secret_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	(void)arg, (void)cancel;
	return isc_steps_push_secret(self, node, error);
}

static gboolean secret_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return isc_vm_secret_unset(dock->vm, node->uuid, error);
}

/* --- what the guest is told ---------------------------------------------------------------- */

static void add_lines(GString *out, const gchar *key, const GPtrArray *values)
{
	for (guint i = 0; i < values->len; i++)
		g_string_append_printf(out, "%s=%s\n", key, (const gchar *)values->pdata[i]);
}

/* Format: collector/wire.h.  In RUNDIR, which is memory: it may hold secrets. */
static gboolean config_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	g_autoptr(IscImage) image = image_of(dock, node, error);
	if (!image)
		return FALSE;
	g_autofree gchar *dir = isc_dock_node_run_dir(dock, node->spec->name);
	g_autofree gchar *path = config_path(dock, node);
	g_autofree gchar *address = isc_node_address_text(node->slot);
	g_autofree gchar *mac = isc_node_mac_text(node->slot);
	g_autofree gchar *gateway = isc_node_address_text(1);
	g_auto(GStrv) uuid = g_strsplit(node->uuid, "-", -1);
	g_autofree gchar *machine_id = g_strjoinv("", uuid);

	g_autoptr(GString) text = g_string_new(NULL);
	g_string_append_printf(text,
			"node=%s\nhostname=%s\nmachine-id=%s\naddress=%s/"
			"16\ngateway=%s\nmac=%s\nprofile=%s\n",
			node->spec->name, node->spec->name, machine_id, address, gateway, mac,
			image->profile);
	add_lines(text, "writable", node->spec->writable);
	add_lines(text, "env", node->spec->env);

	gboolean ok = isc_file_mkdir(dir, 0710, error) && give_to_node(dir, node, FALSE, error) &&
		      isc_file_write(AT_FDCWD, path, text->str, text->len, 0400, error) &&
		      give_to_node(path, node, TRUE, error);
	explicit_bzero(text->str, text->len);
	return ok;
}

static gboolean config_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *dir = isc_dock_node_run_dir(dock, node->spec->name);
	(void)arg, (void)cancel;
	return isc_file_remove_tree(dir, error);
}

static gboolean channels_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return isc_channels_open(dock->channels, node, error);
}

static gboolean channels_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel, (void)error;
	isc_channels_close(dock->channels, node->spec->name);
	return TRUE;
}

/* --- the net ------------------------------------------------------------------------------- */

void isc_steps_fence(
		const IscNode *node, const IscImage *image, gboolean quarantined, IscFence *out)
{
	g_autofree gchar *tap = isc_node_tap(node->slot);
	*out = (IscFence){ .slot = node->slot,
		.address = isc_node_address(node->slot),
		.health_port = image ? isc_ready_health_port(image) : 0,
		.quarantined = quarantined,
		.expose = g_array_ref(node->spec->expose),
		.egress = g_array_ref(node->spec->egress) };
	isc_node_mac(node->slot, out->mac);
	g_strlcpy(out->name, node->spec->name, sizeof(out->name));
	g_strlcpy(out->tap, tap, sizeof(out->tap));
}

/* Read back from the kernel before it counts as done: no tap without its rules. */
static gboolean fence_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	g_autoptr(IscImage) image = image_of(dock, node, error);
	if (!image)
		return FALSE;
	IscFence fence;
	isc_steps_fence(node, image, FALSE, &fence);
	gboolean ok = isc_firewall_node_add(dock->firewall, &fence, error) &&
		      isc_firewall_node_verify(dock->firewall, &fence, error);
	isc_fence_clear(&fence);
	return ok;
}

static gboolean end_flows(const IscNode *node, GError **error)
{
	return isc_conntrack_end_node(isc_node_address(node->slot), NULL, error);
}

static gboolean fence_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	IscFence fence;
	isc_steps_fence(node, NULL, FALSE, &fence);
	gboolean ok = isc_firewall_node_remove(dock->firewall, &fence, error) &&
		      end_flows(node, error);
	isc_fence_clear(&fence);
	return ok;
}

static IscTap tap_of(const IscNode *node, const gchar *name)
{
	IscTap tap = { .name = name,
		.bridge = ISC_BRIDGE,
		.address = isc_node_address(node->slot),
		.uid = isc_node_uid(node->slot) };
	isc_node_mac(node->slot, tap.mac);
	return tap;
}

static gboolean tap_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	g_autofree gchar *name = isc_node_tap(node->slot);
	IscTap tap = tap_of(node, name);
	(void)self, (void)arg, (void)cancel;
	return isc_links_tap_add(&tap, error) && isc_links_set_up(name, TRUE, error);
}

static gboolean tap_down(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	g_autofree gchar *name = isc_node_tap(node->slot);
	IscTap tap = tap_of(node, name);
	(void)self, (void)arg, (void)cancel;
	return isc_links_tap_remove(&tap, error);
}

static gboolean quarantine(IscDock *dock, const IscNode *node, gboolean on, GError **error)
{
	IscFence fence;
	isc_steps_fence(node, NULL, on, &fence);
	gboolean ok = isc_firewall_quarantine(dock->firewall, &fence, on, error);
	isc_fence_clear(&fence);
	return ok;
}

static gboolean cut_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return quarantine(dock, node, TRUE, error) && end_flows(node, error);
}

static gboolean cut_down(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return quarantine(dock, node, FALSE, error);
}

/* --- the domain ---------------------------------------------------------------------------- */

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
	g_autoptr(IscImage) image = template ? image_of(dock, node, error) : NULL;
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
	g_autofree gchar *fwcfg = config_path(dock, node);
	g_autofree gchar *overlay = overlay_path(dock, node);
	g_autofree gchar *tap = isc_node_tap(node->slot);
	g_autofree gchar *mac = isc_node_mac_text(node->slot);
	g_autofree gchar *address = isc_node_address_text(node->slot);
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

	const guint32 uid = isc_node_uid(node->slot);
	const IscDomainParams params = {
		.name = node->spec->name,
		.uuid = node->uuid,
		.title = title,
		.description = description,
		.accel = dock->accel,
		.memory_mib = node->spec->memory_mib,
		.vcpus = node->spec->vcpus,
		.kernel = kernel,
		.initrd = initrd,
		.root = root,
		.cmdline = cmdline,
		.fwcfg = fwcfg,
		.overlay = overlay,
		.overlay_secret = node->uuid,
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
static gboolean define_up(gpointer self, const IscNode *node, const gchar *arg,
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

static gboolean define_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	(void)arg, (void)cancel;
	return isc_vm_undefine(dock->vm, domain, error);
}

static gboolean start_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	(void)arg, (void)cancel;
	isc_dock_reset_claims(dock, node->spec->name);
	return isc_vm_start(dock->vm, domain, FALSE, error);
}

static gboolean is_gone(const IscRun *run, gpointer data)
{
	(void)data;
	return run->gone;
}

static gboolean start_down(gpointer self, const IscNode *node, const gchar *arg,
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

static gboolean ready_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	IscDock *dock = self;
	(void)arg;
	g_autoptr(IscImage) image = image_of(dock, node, error);
	return image && isc_ready_wait(dock, node, image, cancel, error);
}

static gboolean pause_up(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	(void)arg, (void)cancel;
	return isc_vm_suspend(dock->vm, domain, error);
}

static gboolean pause_down(gpointer self, const IscNode *node, const gchar *arg,
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

static gboolean trail_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	IscLinkMsg msg = isc_link_msg(ISC_LINK_FORGET, node->spec->name, node->slot);
	(void)arg, (void)cancel;
	return isc_link_send(dock->link, &msg, -1, error);
}

static gboolean nothing(gpointer self, const IscNode *node, const gchar *arg, GCancellable *cancel,
		GError **error)
{
	(void)self, (void)node, (void)arg, (void)cancel, (void)error;
	return TRUE;
}

/* --- the table ----------------------------------------------------------------------------- */

static const IscAdapter adapters[ISC_N_STEP_KINDS] = {
	[ISC_STEP_FOLDER] = { folder_up, folder_down },
	[ISC_STEP_VERIFY] = { verify_up, NULL },
	[ISC_STEP_OVERLAY] = { overlay_up, overlay_down },
	[ISC_STEP_CONFIG] = { config_up, config_down },
	[ISC_STEP_SECRET] = { secret_up, secret_down },
	[ISC_STEP_CHANNELS] = { channels_up, channels_down },
	[ISC_STEP_FENCE] = { fence_up, fence_down },
	[ISC_STEP_TAP] = { tap_up, tap_down },
	[ISC_STEP_DEFINE] = { define_up, define_down },
	[ISC_STEP_START] = { start_up, start_down },
	[ISC_STEP_READY] = { ready_up, NULL },
	[ISC_STEP_PAUSE] = { pause_up, pause_down },
	[ISC_STEP_CUT] = { cut_up, cut_down },
	[ISC_STEP_SNAPSHOT] = { isc_step_snapshot_up, isc_step_snapshot_down },
	[ISC_STEP_EVIDENCE] = { isc_step_evidence_up, NULL },
	[ISC_STEP_SNAPSHOTS] = { nothing, isc_step_snapshots_down },
	[ISC_STEP_TRAIL] = { nothing, trail_down },
	[ISC_STEP_RULES] = { isc_step_rules_up, isc_step_rules_down },
};

void isc_steps_init(IscDock *dock)
{
	dock->engine = (IscEngine){ adapters, dock };
}

GVariant *isc_steps_counters(IscDock *dock, const IscNode *node)
{
	IscFence fence;
	IscFirewallCounters counters = { 0 };
	GVariantBuilder b;

	isc_steps_fence(node, NULL, FALSE, &fence);
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	if (isc_firewall_counters(dock->firewall, &fence, &counters, NULL))
		for (guint kind = 1; kind < ISC_N_DROPS; kind++)
			if (counters.packets[kind])
				g_variant_builder_add(&b, "{sv}", isc_drop_name((IscDropKind)kind),
						g_variant_new_uint64(counters.packets[kind]));
	isc_fence_clear(&fence);
	return g_variant_builder_end(&b);
}

/* --- import -------------------------------------------------------------------------------- */

typedef struct {
	GVariant *files;
	GUnixFDList *fds;
} Given;

/* The caller opened the files, with its own rights; here they are only read. */
static int open_given(gpointer data, const gchar *file, GError **error)
{
	const Given *given = data;
	gint32 index;
	if (!given->fds || !g_variant_lookup(given->files, file, "h", &index)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "'%s' is missing", file);
		return -1;
	}
	int fd = g_unix_fd_list_get(given->fds, index, error); /* a copy of its own */
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
		isc_error_set_errno(error, errno, "cannot read '%s'", file);
		isc_clear_fd(&fd);
	}
	return fd;
}

IscImage *isc_steps_import(IscDock *dock, GVariant *files, GUnixFDList *fds, const IscTrust *trust,
		gboolean dry_run, gboolean *was_there, GError **error)
{
	Given given = { files, fds };
	const IscImageSource source = { open_given, &given };
	return dry_run ? isc_image_store_check_from(dock->images, &source, trust, was_there, error)
		       : isc_image_store_import_from(
					 dock->images, &source, trust, was_there, error);
}
