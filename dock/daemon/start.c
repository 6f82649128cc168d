#include "daemon/start.h"

#include <fcntl.h>
#include <malloc.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "daemon/acts-link.h"
#include "daemon/balance.h"
#include "daemon/boot.h"
#include "daemon/boundary.h"
#include "daemon/bus.h"
#include "daemon/copies.h"
#include "daemon/monitor.h"
#include "daemon/names.h"
#include "daemon/port-guard.h"
#include "daemon/reconcile.h"
#include "daemon/restart.h"
#include "daemon/schedule.h"
#include "daemon/steps.h"
#include "engine/firewall-watch.h"
#include "engine/links.h"
#include "engine/packet-log.h"
#include "engine/vm-secret.h"

#define DEFAULT_CONFIG "/etc/isc-dock/dock.conf"
#define WORKERS 16

gboolean isc_start_parse(IscStartOptions *out, int argc, char **argv, GError **error)
{
	gchar *config = NULL;
	gboolean version = FALSE, check = FALSE, foreground = FALSE;
	const GOptionEntry entries[] = {
		{ "config", 'c', 0, G_OPTION_ARG_FILENAME, &config,
				"Configuration, default " DEFAULT_CONFIG, "FILE" },
		{ "check", 'n', 0, G_OPTION_ARG_NONE, &check,
				"Read the configuration, say OK, do nothing", NULL },
		{ "foreground", 'f', 0, G_OPTION_ARG_NONE, &foreground,
				"Accepted: it always runs in the foreground", NULL },
		{ "version", 'V', 0, G_OPTION_ARG_NONE, &version, "Print the version", NULL },
		{ NULL },
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);
	g_option_context_set_summary(context,
			"The daemon of an immutable service container dock; see isc-dockd(8).");
	g_option_context_add_main_entries(context, entries, NULL);

	g_autoptr(GError) why = NULL;
	gboolean ok = g_option_context_parse(context, &argc, &argv, &why) && argc == 1;
	out->config_path = config ? config : g_strdup(DEFAULT_CONFIG);
	if (!ok) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "%s; see isc-dockd --help",
				why ? why->message : "takes no arguments");
		return FALSE;
	}
	out->print_only = version || check;
	if (version)
		g_print("isc-dockd " ISC_VERSION "\n");
	if (check) {
		g_autoptr(IscConfig) read = isc_config_load(out->config_path, error);
		if (!read)
			return FALSE;
		g_print("%s: OK\n", out->config_path);
	}
	return TRUE;
}

static void run_free(gpointer data)
{
	IscRun *run = data;
	isc_key_free(run->key);
	g_free(run->boundary);
	g_free(run);
}

gboolean isc_start_config(IscDock *dock, const IscStartOptions *options, GError **error)
{
	dock->config = isc_config_load(options->config_path, error);
	if (!dock->config)
		return FALSE;
	isc_vm_wipe_freed_memory();
	/* Workers come and go; an arena for each would be kept for ever. */
	(void)mallopt(M_ARENA_MAX, 1);
	/* Fixed, else glibc raises it, and what images are read through stays in the heap's holes.
	 */
	(void)mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	g_mutex_init(&dock->lock);
	g_mutex_init(&dock->admission);
	g_mutex_init(&dock->balance);
	g_cond_init(&dock->changed);
	dock->runs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, run_free);
	dock->sources = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	dock->packets.asked = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	dock->packets.told = g_hash_table_new_full(NULL, NULL, NULL, g_free);
	dock->packets.unseen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	dock->began = g_get_monotonic_time();
	isc_steps_init(dock);
	return TRUE;
}

gboolean isc_start_stores(IscDock *dock, GError **error)
{
	g_autofree gchar *reg = g_build_filename(dock->config->state_dir, "register.db", NULL);
	g_autofree gchar *acts = g_build_filename(dock->config->state_dir, "acts.db", NULL);
	g_autofree gchar *keys = g_build_filename(dock->config->state_dir, "keys", NULL);
	g_autofree gchar *images = g_build_filename(dock->config->state_dir, "images", NULL);
	g_autofree gchar *why = NULL;

	dock->accel = isc_accel_probe(&isc_accel_host, &why);
	dock->tsc_khz = isc_accel_tsc_khz(&isc_accel_host);
	g_message("accelerator: %s (%s)", isc_accel_name(dock->accel), why);
	return (dock->acts = isc_acts_open(acts, 0, error)) &&
	       (dock->reg = isc_register_open(reg, error)) &&
	       (dock->keys = isc_key_store_open(keys, g_getenv("CREDENTIALS_DIRECTORY"), error)) &&
	       isc_copies_open(dock, error) &&
	       (dock->images = isc_image_store_open(images, 0, 0, error));
}

/* What no node stands in may change; what one does, may not: addresses are in running guests, and
 * in rules.  A dock from before there was a plan had the default one. */
static gboolean keep_plan(IscDock *dock, GError **error)
{
	const IscAddressPlan preset = isc_address_plan_default();
	g_autofree gchar *path = g_build_filename(dock->config->state_dir, "address-plan", NULL);
	g_autofree gchar *now = isc_address_plan_print(&dock->config->plan);
	g_autoptr(GError) why = NULL;
	g_autofree gchar *was = isc_file_read(AT_FDCWD, path, 256, NULL, &why);
	if (!was && !g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND)) {
		g_propagate_error(error, g_steal_pointer(&why));
		return FALSE;
	}
	if (was)
		g_strchomp(was);
	else
		was = isc_address_plan_print(&preset);
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, error);
	if (!nodes)
		return FALSE;
	if (nodes->len && !g_str_equal(was, now)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"dock.conf says [Network] %s, but %u nodes stand with %s: put that "
				"back, "
				"or destroy them first",
				now, nodes->len, was);
		return FALSE;
	}
	g_autofree gchar *line = g_strconcat(now, "\n", NULL);
	return g_str_equal(was, now) ||
	       isc_file_write(AT_FDCWD, path, line, strlen(line), 0600, error);
}

/* A network that the host is in already is left alone as long as no node is in it: the bridge would
 * take its packets. */
static gboolean set_up_bridges(
		IscDock *dock, const GPtrArray *nodes, const GArray *host_nets, GError **error)
{
	const IscAddressPlan *plan = &dock->config->plan;
	const IscPlace common = isc_address_plan_common(plan);
	const IscBridge bridge = isc_steps_bridge(&common);
	g_autoptr(GError) why = NULL;
	gboolean any = FALSE;

	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		const IscPlace place = isc_node_place(plan, node);
		const IscBridge own = isc_steps_bridge(&place);
		if (!isc_node_state_is_up(node->state))
			continue;
		any = TRUE;
		/* One that is missing comes with its node: that does not run. */
		if (node->spec->network == ISC_NETWORK_DEDICATED && if_nametoindex(own.name) &&
				!isc_links_bridge_setup(&own, error))
			return FALSE;
	}
	if (!any && !isc_address_plan_check_host(plan, ISC_NETWORK_ISOLATED, host_nets, &why)) {
		g_critical("%s", why->message);
		return TRUE;
	}
	return isc_links_bridge_setup(&bridge, error);
}

static guint64 read_number(const gchar *path)
{
	g_autofree gchar *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? g_ascii_strtoull(text, NULL, 10) : 0;
}

/* An eighth of what the kernel's table of connections holds: one node, or those who flood one,
 * leave room for the others and for the dock's own. */
static guint share_of_connections(void)
{
	guint64 all = read_number("/proc/sys/net/netfilter/nf_conntrack_max");
	return (guint)CLAMP((all ? all : 65536 /* not loaded yet */) / 8, 1024, 1u << 20);
}

/* Rules first, with those of every node that may run, then what belongs to none goes, then the
 * bridge comes up. */
static gboolean set_boundary_up(IscDock *dock, GError **error)
{
	const IscAddressPlan *plan = &dock->config->plan;
	dock->outside = dock->config->outside ? g_strdup(dock->config->outside)
					      : isc_links_outside(NULL);
	if (!dock->outside)
		g_warning("no outside interface: nothing can be exposed; set OutsideInterface=");
	const gchar *outside[] = { dock->outside, NULL };
	g_autoptr(GArray) host_nets = isc_links_host_nets(plan->bridge, error);
	if (!host_nets)
		return FALSE;
	IscFirewallConfig config = {
		.bridge = plan->bridge,
		.subnet = plan->subnet,
		.dedicated = plan->dedicated,
		.tap_prefix = ISC_TAP_PREFIX,
		.outside = outside,
		.uid_first = isc_node_uid(ISC_SLOT_MIN),
		.uid_last = isc_node_uid(ISC_SLOT_MAX),
		.daemon_uid = dock->uid,
		.log_group = ISC_PACKET_LOG_GROUP,
		.host_nets = (const IscNet *)(gpointer)host_nets->data,
		.n_host_nets = host_nets->len,
		.connections = dock->config->node_connections ? dock->config->node_connections
							      : share_of_connections(),
		.leave_first = dock->config->leave[0],
		.leave_last = dock->config->leave[1],
		.is_router = isc_links_is_router(),
		.fragment_pool = read_number("/proc/sys/net/ipv4/ipfrag_high_thresh"),
		.fragment_time = (guint)read_number("/proc/sys/net/ipv4/ipfrag_time"),
	};
	isc_node_mac(ISC_SLOT_GATEWAY, config.bridge_mac);
	dock->firewall = isc_firewall_new(&config, error);
	if (!dock->firewall || !isc_firewall_setup(dock->firewall, error))
		return FALSE;

	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, error);
	if (!nodes)
		return FALSE;
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		g_autoptr(GError) why = NULL;
		if (node->damage) /* it may run on from an earlier daemon */
			isc_boundary_of_node(dock, node, node->damage);
		if (!isc_node_state_is_up(node->state) && !node->stand_in)
			continue;
		g_autofree gchar *ref = g_strconcat("sha256:", node->digest, NULL);
		g_autoptr(IscImage) image = isc_image_store_find(dock->images, ref, NULL);
		IscFence fence;
		isc_steps_fence(dock, node, image, node->state == ISC_NODE_QUARANTINED, &fence);
		/* One node's bad rule harms that node only: without its elements it is cut off. */
		if (!isc_firewall_node_add(dock->firewall, &fence, &why))
			isc_boundary_of_node(dock, node, why->message);
		isc_fence_clear(&fence);
	}
	isc_dock_names_recall(dock);
	isc_balance_start(dock, nodes);
	return isc_firewall_sync(dock->firewall, error) &&
	       set_up_bridges(dock, nodes, host_nets, error) &&
	       (!dock->outside || isc_links_forward(dock->outside, error));
}

gboolean isc_start_boundary(IscDock *dock, GError **error)
{
	/* Nothing was touched yet: what an earlier daemon has put in force stands. */
	if (!keep_plan(dock, error))
		return FALSE;
	if (set_boundary_up(dock, error))
		return TRUE;
	/* Nodes that run on from an earlier daemon: no rules, no links. */
	isc_boundary_is_lost(dock, error && *error ? (*error)->message : "unknown");
	return FALSE;
}

gboolean isc_start_links(IscDock *dock, GError **error)
{
	g_autofree gchar *socket = g_build_filename(dock->config->run_dir, ISC_LINK_SOCKET, NULL);
	dock->pool = g_thread_pool_new(isc_dock_work, dock, WORKERS, FALSE, error);
	if (!dock->pool || !isc_restart_pool(dock, error) ||
			!(dock->monitor = isc_monitor_new(dock, error)))
		return FALSE;

	isc_vm_register_events();
	dock->link = isc_link_new(socket, dock->collector_uid, isc_dock_on_link, dock);
	dock->acts_link = isc_acts_link_new(dock);
	dock->channels = isc_channels_new(
			dock->config->run_dir, dock->link, isc_reconcile_refused, dock);
	dock->vm = isc_vm_new(dock->config->libvirt_uri, &isc_reconcile_owner, dock);

	/* Without libvirtd the dock runs on, degraded: quarantine and looking must work. */
	g_autoptr(GError) why = NULL;
	if (!isc_vm_connect(dock->vm, &why))
		isc_dock_set_trouble(dock, why->message);
	isc_dock_names_start(dock);
	dock->watch = isc_firewall_watch_new(
			dock->firewall, NULL, isc_boundary_on_event, dock, error);
	if (!dock->watch)
		return FALSE;
	dock->addresses = isc_address_watch_new(NULL, isc_boundary_on_addresses, dock, error);
	dock->links = dock->addresses ? isc_link_watch_new(NULL, ISC_TAP_PREFIX,
							isc_port_guard_is_bad,
							isc_port_guard_on_trouble, dock, error)
				      : NULL;
	return dock->links != NULL;
}

gboolean isc_start_bus(IscDock *dock, void (*lost)(gpointer), gpointer data, GError **error)
{
	g_autoptr(GDBusConnection) connection = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, error);
	if (!connection) {
		g_prefix_error(error, "no system bus: start dbus-daemon: ");
		return FALSE;
	}
	g_dbus_connection_set_exit_on_close(connection, FALSE);
	dock->bus = isc_bus_new(dock, connection, lost, data);
	isc_boot_listen(dock, connection);

	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, error);
	g_autoptr(GPtrArray) images = nodes ? isc_image_store_list(dock->images, error) : NULL;
	if (!images)
		return FALSE;
	for (guint i = 0; i < nodes->len; i++)
		isc_bus_add_node(dock->bus, nodes->pdata[i]);
	for (guint i = 0; i < images->len; i++)
		if (((IscStoredImage *)images->pdata[i])->image)
			isc_bus_add_image(dock->bus, ((IscStoredImage *)images->pdata[i])->image);
	isc_dock_event(dock, "", "dock.started", "info", ISC_CALLER_DOCK,
			"isc-dockd " ISC_VERSION " runs, accelerator %s",
			isc_accel_name(dock->accel));
	return TRUE;
}

void isc_start_end(IscDock *dock)
{
	dock->stopping = TRUE;
	isc_bus_free(dock->bus);
	dock->bus = NULL;
	isc_schedule_stop(dock);
	/* Verbs under way come to their end; what does not is found in the journal. */
	isc_monitor_stop(dock->monitor);
	g_thread_pool_free(dock->background, /* immediate= */ FALSE, /* wait= */ TRUE);
	g_thread_pool_free(dock->pool, /* immediate= */ FALSE, /* wait= */ TRUE);
	isc_monitor_free(dock->monitor);
	isc_names_free(dock->names);
	isc_firewall_watch_free(dock->watch);
	isc_address_watch_free(dock->addresses);
	isc_link_watch_free(dock->links);
	isc_channels_free(dock->channels);
	isc_acts_link_free(dock->acts_link);
	dock->acts_link = NULL;
	isc_link_free(dock->link);
	isc_vm_free(dock->vm);
	isc_firewall_free(dock->firewall);
	isc_image_store_free(dock->images);
	isc_key_store_free(dock->keys);
	isc_register_close(dock->reg);
	isc_acts_close(dock->acts);
	g_hash_table_unref(dock->runs);
	g_hash_table_unref(dock->packets.asked);
	g_hash_table_unref(dock->packets.told);
	g_hash_table_unref(dock->packets.unseen);
	isc_config_free((IscConfig *)dock->config);
	g_free(dock->outside);
	g_free(dock->trouble);
	g_free(dock->boundary);
}
