#include "daemon/show.h"

#include <string.h>

#include "base/error.h"
#include "daemon/boundary.h"
#include "daemon/options.h"
#include "daemon/import.h"
#include "daemon/jobs.h"
#include "daemon/limits.h"
#include "daemon/monitor.h"
#include "daemon/ready.h"
#include "daemon/steps.h"
#include "engine/vm-domain.h"

static void put(GVariantBuilder *b, const gchar *key, GVariant *value)
{
	g_variant_builder_add(b, "{sv}", key, value);
}

static void put_text(GVariantBuilder *b, const gchar *key, const gchar *text)
{
	put(b, key, g_variant_new_string(text ? text : ""));
}

static void put_pointers(GVariantBuilder *b, const gchar *key, const GPtrArray *texts)
{
	put(b, key, g_variant_new_strv((const gchar *const *)texts->pdata, (gssize)texts->len));
}

static void put_rules(GVariantBuilder *b, const IscSpec *spec)
{
	g_autoptr(GPtrArray) expose = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GPtrArray) egress = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < spec->expose->len; i++)
		g_ptr_array_add(expose,
				isc_expose_print(&g_array_index(spec->expose, IscExpose, i)));
	for (guint i = 0; i < spec->egress->len; i++)
		g_ptr_array_add(egress,
				isc_egress_print(&g_array_index(spec->egress, IscEgress, i)));
	g_autofree gchar *network = isc_spec_network_text(spec);
	put_text(b, "network", network);
	put_pointers(b, "expose", expose);
	put_pointers(b, "egress", egress);
	g_autofree gchar *bandwidth = isc_bandwidth_print(&spec->bandwidth);
	if (*bandwidth)
		put_text(b, "bandwidth", bandwidth);
}

/* --- nodes --------------------------------------------------------------------------------- */

static void put_node(GVariantBuilder *b, IscDock *dock, const IscNode *node)
{
	g_autofree gchar *address = isc_node_address_text(&dock->config->plan, node);
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	g_mutex_lock(&dock->lock);
	const gchar *busy = isc_dock_run(dock, node->spec->name)->busy;
	g_mutex_unlock(&dock->lock);

	put_text(b, "name", node->spec->name);
	put_text(b, "state", isc_node_state_name(node->state));
	put_text(b, "image", node->image_name);
	put_text(b, "version", node->image_version);
	put_text(b, "address", address);
	put_rules(b, node->spec);
	put_text(b, "environment", isc_environment_name(node->spec->environment));
	put(b, "since", g_variant_new_int64(node->since));
	put(b, "uid", g_variant_new_uint32(isc_node_uid(node->slot)));
	put(b, "pid",
			g_variant_new_uint32(isc_node_state_is_up(node->state)
							     ? (guint32)isc_vm_pid(NULL, domain)
							     : 0));
	put(b, "emulated", g_variant_new_boolean(dock->accel != ISC_ACCEL_KVM));
	g_autofree gchar *why = NULL;
	put_text(b, "boundary", isc_boundary_state(dock, node->spec->name, node->state, &why));
	put_text(b, "boundary-why", why);
	put_text(b, "busy", busy);
	put_text(b, "reason", node->reason);
	if (*node->spec->replica.set)
		put_text(b, "set", node->spec->replica.set);
	isc_jobs_show_result(dock, node, b);
}

GVariant *isc_show_nodes(IscCall *call, GError **error)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(call->dock->reg, error);
	if (!nodes)
		return NULL;
	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < nodes->len; i++) {
		GVariantBuilder b;
		g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
		put_node(&b, call->dock, nodes->pdata[i]);
		g_variant_builder_add(&list, "@a{sv}", g_variant_builder_end(&b));
	}
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}

/* What the node says of itself: claims, and shown as such. */
static GVariant *claims_of(IscDock *dock, const gchar *name)
{
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	const IscRun *run = isc_dock_run(dock, name);
	put(&b, "booted", g_variant_new_boolean(run->booted));
	put(&b, "started", g_variant_new_boolean(run->started));
	put(&b, "ready", g_variant_new_boolean(run->ready));
	if (run->stopped) {
		put(&b, "exit-status", g_variant_new_int64(run->exit_status));
		put(&b, "exit-signal", g_variant_new_int64(run->exit_signal));
	}
	if (run->heartbeat)
		put(&b, "heartbeat-age",
				g_variant_new_double(
						(gdouble)(g_get_monotonic_time() - run->heartbeat) /
						G_USEC_PER_SEC));
	put(&b, "audit-lost", g_variant_new_int64(run->audit_lost));
	put(&b, "audit-dropped", g_variant_new_int64(run->audit_dropped));
	return g_variant_builder_end(&b);
}

static void put_upkeep(GVariantBuilder *b, IscDock *dock, const IscNode *node)
{
	IscRestartRecord record;
	g_autoptr(IscImage) image = isc_steps_image(dock, node, NULL);
	g_autofree gchar *health = image ? isc_ready_health(node, image) : NULL;
	put_text(b, "health", health);
	isc_monitor_show(dock->monitor, node->spec->name, b);
	put_text(b, "restart", isc_restart_name(node->spec->upkeep.restart));
	if (!isc_register_get_restart(dock->reg, node->uuid, &record, NULL))
		return;
	put(b, "restarts", g_variant_new_uint32(record.total));
	put_text(b, "restart-reason", record.reason);
	put(b, "restart-last", g_variant_new_int64(record.last));
	put(b, "restart-at", g_variant_new_int64(record.next_at));
}

static void put_previous(GVariantBuilder *b, IscDock *dock, const IscNode *node)
{
	g_autofree gchar *ref = g_strconcat("sha256:", node->previous, NULL);
	g_autoptr(IscImage) image =
			*node->previous ? isc_image_store_find(dock->images, ref, NULL) : NULL;
	g_autofree gchar *text = image ? g_strconcat(image->name, ":", image->version, NULL) : NULL;
	put_text(b, "rollback-to", text);
	put_text(b, "stands-for", node->stands_for);
}

GVariant *isc_show_node(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, call->name, error);
	g_autoptr(GPtrArray) snapshots =
			node ? isc_register_list_snapshots(dock->reg, node->uuid, error) : NULL;
	if (!snapshots)
		return NULL;

	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < snapshots->len; i++)
		g_ptr_array_add(names, ((IscSnapshot *)snapshots->pdata[i])->name);
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	g_autofree gchar *tap = isc_node_tap(node->slot);
	g_autofree gchar *mac = isc_node_mac_text(node->slot);
	g_autofree gchar *spec = isc_spec_print_public(node->spec);
	IscVmState seen = ISC_VM_STATE_ABSENT;
	gboolean asked = isc_vm_state(dock->vm, domain, &seen, NULL);

	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_node(&b, dock, node);
	put_text(&b, "uuid", node->uuid);
	put_text(&b, "digest", node->digest);
	put_text(&b, "description", node->spec->description);
	put(&b, "memory", g_variant_new_uint32(node->spec->memory_mib));
	put(&b, "vcpus", g_variant_new_uint32(node->spec->vcpus));
	put(&b, "overlay", g_variant_new_uint32(node->spec->overlay_mib));
	put(&b, "overlay-kept", g_variant_new_boolean(node->spec->overlay_kept));
	isc_limits_show(dock, node, &b);
	isc_jobs_show(dock, node, &b);
	put_pointers(&b, "labels", node->spec->labels);
	put(&b, "created", g_variant_new_int64(node->created));
	put(&b, "starts", g_variant_new_uint32(node->starts));
	put_text(&b, "machine", isc_machine_name(node->spec->machine));
	put_text(&b, "domain", domain);
	put_text(&b, "seen", asked ? isc_vm_state_name(seen) : "unknown: libvirtd does not answer");
	put_text(&b, "tap", tap);
	put_text(&b, "mac", mac);
	put_upkeep(&b, dock, node);
	put_previous(&b, dock, node);
	put(&b, "claims", claims_of(dock, call->name));
	put(&b, "counters", isc_steps_counters(dock, node));
	put_pointers(&b, "snapshots", names);
	put_text(&b, "spec", spec);
	return g_variant_new("(@a{sv})", g_variant_builder_end(&b));
}

/* --- images -------------------------------------------------------------------------------- */

static guint64 size_of(const IscImage *image)
{
	guint64 size = 0;
	for (guint i = 0; i < ISC_N_PARTS; i++)
		size += image->parts[i].size;
	return size;
}

static GPtrArray *users_of(IscDock *dock, const gchar *digest, GError **error)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, error);
	if (!nodes)
		return NULL;
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		if (g_str_equal(node->digest, digest) || g_str_equal(node->previous, digest))
			g_ptr_array_add(names, g_strdup(node->spec->name));
	}
	return names;
}

static void put_image(GVariantBuilder *b, const IscImage *image)
{
	put_text(b, "name", image->name);
	put_text(b, "version", image->version);
	put_text(b, "digest", image->digest);
	put(b, "size", g_variant_new_uint64(size_of(image)));
	put(b, "created", g_variant_new_int64(image->created));
}

GVariant *isc_show_images(IscCall *call, GError **error)
{
	g_autoptr(GPtrArray) all = isc_image_store_list(call->dock->images, error);
	if (!all)
		return NULL;
	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < all->len; i++) {
		const IscStoredImage *stored = all->pdata[i];
		g_autoptr(GPtrArray) users = users_of(call->dock, stored->digest, error);
		if (!users) {
			g_variant_builder_clear(&list);
			return NULL;
		}
		GVariantBuilder b;
		g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
		if (stored->image)
			put_image(&b, stored->image);
		else
			put_text(&b, "digest", stored->digest);
		put(&b, "imported", g_variant_new_int64(stored->imported));
		put(&b, "immutable", g_variant_new_boolean(stored->immutable));
		put_text(&b, "problem", stored->problem);
		put_pointers(&b, "nodes", users);
		g_variant_builder_add(&list, "@a{sv}", g_variant_builder_end(&b));
	}
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}

GVariant *isc_show_image(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	const gchar *ref;
	g_variant_get(call->params, "(&s)", &ref);
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, ref, error);
	g_autoptr(GPtrArray) users = image ? users_of(dock, image->digest, error) : NULL;
	g_autoptr(IscTrust) trust = users ? isc_trust_load(dock->config->trusted_dir, error) : NULL;
	if (!trust)
		return NULL;

	g_autofree gchar *signer = NULL;
	g_autoptr(GError) why = NULL;
	g_autoptr(IscImage) verified =
			isc_image_store_verify(dock->images, image->digest, trust, &signer, &why);
	g_autofree gchar *exec = g_strjoinv(" ", image->exec);

	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_image(&b, image);
	put(&b, "verified", g_variant_new_boolean(verified != NULL));
	put_text(&b, "signer", signer);
	put_text(&b, "problem", why ? why->message : "");
	put_pointers(&b, "nodes", users);
	put_text(&b, "description", image->description);
	put_text(&b, "suite", image->suite);
	put_text(&b, "kernel", image->kernel_version);
	put_text(&b, "service", exec);
	put_text(&b, "user", image->user);
	put_text(&b, "health", image->health);
	put_text(&b, "profile", image->profile);
	put(&b, "ports", g_variant_new_strv((const gchar *const *)image->ports, -1));
	put(&b, "writable", g_variant_new_strv((const gchar *const *)image->writable, -1));
	put(&b, "capabilities", g_variant_new_strv((const gchar *const *)image->capabilities, -1));
	return g_variant_new("(@a{sv})", g_variant_builder_end(&b));
}

GVariant *isc_show_import_image(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	g_autoptr(GVariant) files = g_variant_get_child_value(call->params, 0);
	g_autoptr(GVariant) dict = g_variant_get_child_value(call->params, 1);
	IscOptions options;
	if (!isc_options_parse(dict, "dry-run ", &options, error))
		return NULL;
	g_autoptr(IscTrust) trust = isc_trust_load(dock->config->trusted_dir, error);
	if (!trust)
		return NULL;

	gboolean was_there = FALSE;
	g_autoptr(IscImage) image = isc_import(
			dock, files, call->fds, trust, options.dry_run, &was_there, error);
	if (!image)
		return NULL;
	if (!was_there && !options.dry_run) {
		isc_bus_add_image(dock->bus, image);
		isc_dock_event(dock, "", "image.imported", "info", call->uid,
				"image %s %s (%.12s) is imported", image->name, image->version,
				image->digest);
	}
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_image(&b, image);
	put(&b, "new", g_variant_new_boolean(!was_there));
	return g_variant_new("(@a{sv})", g_variant_builder_end(&b));
}

/* Neither a node needs it, nor a snapshot: that would open, and nothing could be made of it. */
static gboolean is_unused(IscDock *dock, const IscImage *image, GError **error)
{
	g_autoptr(GPtrArray) users = users_of(dock, image->digest, error);
	g_autoptr(GPtrArray) nodes = users ? isc_register_list_nodes(dock->reg, error) : NULL;
	if (!nodes)
		return FALSE;
	if (users->len) {
		g_autofree gchar *more =
				users->len == 1 ? g_strdup("")
						: g_strdup_printf(" and %u more", users->len - 1);
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"image '%s:%s' is that of node '%s'%s, or what it would be rolled "
				"back to: destroy or upgrade first",
				image->name, image->version, (const gchar *)users->pdata[0], more);
		return FALSE;
	}
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		g_autoptr(GPtrArray) all =
				isc_register_list_snapshots(dock->reg, node->uuid, error);
		if (!all)
			return FALSE;
		for (guint k = 0; k < all->len; k++) {
			const IscSnapshot *snapshot = all->pdata[k];
			if (!g_str_equal(snapshot->digest, image->digest))
				continue;
			g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
					"image '%s:%s' is that of snapshot '%s' of node '%s': "
					"delete that first",
					image->name, image->version, snapshot->name,
					node->spec->name);
			return FALSE;
		}
	}
	return TRUE;
}

GVariant *isc_show_remove_image(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	const gchar *ref;
	g_autoptr(GVariant) dict = NULL;
	IscOptions options;
	g_variant_get(call->params, "(&s@a{sv})", &ref, &dict);
	if (!isc_options_parse(dict, "dry-run ", &options, error))
		return NULL;

	/* Nobody may be admitted with it while it goes. */
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->admission);
	g_autoptr(IscImage) image = isc_image_store_find(dock->images, ref, error);
	if (!image || !is_unused(dock, image, error))
		return NULL;
	if (!options.dry_run) {
		if (!isc_image_store_remove(dock->images, image->digest, error))
			return NULL;
		isc_bus_remove_image(dock->bus, image->digest);
		isc_dock_event(dock, "", "image.removed", "info", call->uid,
				"image %s %s (%.12s) is removed", image->name, image->version,
				image->digest);
	}
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_image(&b, image);
	put(&b, "removed", g_variant_new_boolean(!options.dry_run));
	return g_variant_new("(@a{sv})", g_variant_builder_end(&b));
}
