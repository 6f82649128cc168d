#include "daemon/reconcile.h"

#include <string.h>

#include "base/error.h"
#include "daemon/boot.h"
#include "daemon/boundary.h"
#include "daemon/bus.h"
#include "daemon/host-filter.h"
#include "daemon/jobs.h"
#include "daemon/lost-rows.h"
#include "daemon/monitor.h"
#include "daemon/port-guard.h"
#include "daemon/recovery.h"
#include "daemon/restart.h"
#include "daemon/room.h"
#include "daemon/schedule.h"
#include "daemon/sets.h"
#include "daemon/silence.h"
#include "daemon/snapshots.h"
#include "daemon/stalled.h"
#include "daemon/steps.h"
#include "daemon/upgrade.h"
#include "daemon/verbs.h"
#include "daemon/volumes.h"
#include "engine/vm-domain.h"
#include "render/domain-meta.h"
#include "render/domain-xml.h"

#define TIMER_S 30
#define RESULT_S 5 /* for the result of a job, which may come behind the end of its domain */

/* --- one node ------------------------------------------------------------------------------ */

static gboolean has_stopped(const IscRun *run, gpointer data)
{
	(void)data;
	return run->stopped;
}

/* NULL where it need not be put away.  (transfer full) */
static IscNode *get_ended(IscDock *dock, const gchar *name)
{
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	if (!node || node->state == ISC_NODE_DISABLED || node->state == ISC_NODE_FAILED ||
			node->state == ISC_NODE_QUARANTINED)
		return NULL;
	return g_steal_pointer(&node);
}

/* A node that ended by itself: what it held is put away, and it says why. */
static void settle_ended(IscDock *dock, gpointer data)
{
	g_autofree gchar *name = data;
	g_autoptr(GError) why = NULL;
	g_autoptr(IscNode) node = get_ended(dock, name);
	if (!node)
		return;
	if (node->spec->job.is_job) {
		guint starts = node->starts;
		(void)isc_dock_wait(dock, name, has_stopped, NULL,
				g_get_monotonic_time() + RESULT_S * G_USEC_PER_SEC, NULL);
		isc_node_free(node);
		node = get_ended(dock, name);
		if (!node || node->starts != starts)
			return; /* somebody else was quicker */
	}
	g_mutex_lock(&dock->lock);
	const IscRun *run = isc_dock_run(dock, name);
	gint status = run->stopped ? (gint)run->exit_status : -1;
	gint sig = run->stopped ? (gint)run->exit_signal : 0;
	g_autofree gchar *reason =
			run->stopped ? g_strdup_printf("its service ended with status "
						       "%" G_GINT64_FORMAT
						       ", signal %" G_GINT64_FORMAT,
						       run->exit_status, run->exit_signal)
				     : g_strdup("its domain ended outside the dock's orders");
	gboolean clean = run->stopped && run->exit_status == 0 && run->exit_signal == 0;
	g_mutex_unlock(&dock->lock);
	IscEnding ending = clean ? ISC_ENDING_CLEAN : ISC_ENDING_FAILED;
	/* One that was suspended was not to run; whether a job may run twice, its Restart= says. */
	if (isc_boot_is_new(dock) && node->state != ISC_NODE_SUSPENDED && !node->spec->job.is_job) {
		ending = ISC_ENDING_HOST;
		g_free(reason);
		reason = g_strdup("the host was started anew");
	}

	isc_jobs_end(dock, node, 0, clean ? ISC_RUN_DONE : ISC_RUN_FAILED, status, sig,
			clean ? NULL : reason);
	/* Entered first: a restart that is due is not lost where the daemon dies from here on. */
	gboolean again = isc_restart_enter(dock, name, ending, reason);
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = {
		.verb = ISC_VERB_DISABLE, .node = name, .caller = ISC_CALLER_DOCK, .force = TRUE
	};
	if (!isc_verb_run(dock, &request, &out, &why))
		g_message("node '%s' ended and could not be put away: %s", name, why->message);
	else
		isc_dock_set_state(dock, name, clean ? ISC_NODE_DISABLED : ISC_NODE_FAILED, reason,
				ISC_CALLER_DOCK);
	if (again) {
		isc_restart_schedule(dock, name);
		return;
	}
	isc_jobs_vanish(dock, name);
	isc_schedule_ended(dock, node);
}

void isc_reconcile_ended(IscDock *dock, const gchar *name)
{
	isc_dock_do(dock, settle_ended, g_strdup(name));
}

/* A node that may not run does: somebody started it behind the dock's back. */
static void put_down(IscDock *dock, gpointer data)
{
	g_autofree gchar *name = data;
	g_autofree gchar *domain = isc_node_domain(name);
	g_autoptr(GError) why = NULL;
	isc_dock_event(dock, name, "node.drift", "alarm", ISC_CALLER_DOCK,
			"domain %s was started by somebody else: it is stopped", domain);
	if (!isc_vm_destroy(dock->vm, domain, &why))
		isc_dock_event(dock, name, "node.drift", "alarm", ISC_CALLER_DOCK,
				"domain %s cannot be stopped: %s", domain, why->message);
}

/* --- libvirt's events ---------------------------------------------------------------------- */

static void on_started(IscDock *dock, const IscNode *node)
{
	if (!isc_node_state_is_up(node->state))
		isc_dock_do(dock, put_down, g_strdup(node->spec->name));
}

static void on_ended(IscDock *dock, const IscNode *node)
{
	if (isc_boot_is_over(dock))
		return; /* the next boot finds it as it was */
	if (node->state == ISC_NODE_QUARANTINED)
		isc_dock_event(dock, node->spec->name, "node.ended", "warn", ISC_CALLER_DOCK,
				"%s ended while in quarantine; its evidence is kept",
				node->spec->name);
	else
		isc_dock_do(dock, settle_ended, g_strdup(node->spec->name));
}

static void drift(IscDock *dock, const IscNode *node, const gchar *what)
{
	isc_dock_event(dock, node->spec->name, "node.drift", "warn", ISC_CALLER_DOCK,
			"domain isc-%s was %s by somebody else", node->spec->name, what);
}

static void on_undisturbed_event(IscDock *dock, const IscNode *node, const IscVmEvent *event)
{
	const gchar *name = node->spec->name;
	switch (event->kind) {
	case ISC_VM_STARTED:
		on_started(dock, node);
		break;
	case ISC_VM_STOPPED:
	case ISC_VM_CRASHED:
		on_ended(dock, node);
		break;
	case ISC_VM_SUSPENDED:
		/* One that was stopped for its disk is told of by ISC_VM_IO_ERROR. */
		if (!g_str_equal(event->detail, "ioerror") &&
				(node->state == ISC_NODE_READY ||
						node->state == ISC_NODE_UNREADY)) {
			drift(dock, node, "suspended");
			isc_dock_set_state(dock, name, ISC_NODE_SUSPENDED,
					"suspended outside the dock's orders", ISC_CALLER_DOCK);
		}
		break;
	case ISC_VM_RESUMED:
		if (node->state == ISC_NODE_SUSPENDED) {
			drift(dock, node, "resumed");
			isc_dock_set_state(dock, name, ISC_NODE_READY,
					"resumed outside the dock's orders", ISC_CALLER_DOCK);
		}
		break;
	case ISC_VM_DEFINED:
		drift(dock, node, "edited");
		break;
	case ISC_VM_UNDEFINED:
		drift(dock, node, "undefined");
		break;
	case ISC_VM_IO_ERROR:
	case ISC_N_VM_EVENTS:
		break;
	}
}

/* Each definition that we make excuses one event. */
static gboolean take_own_definition(IscRun *run)
{
	if (run->defined == 0 || g_get_monotonic_time() > run->defined_until)
		return FALSE;
	run->defined--;
	return TRUE;
}

static void on_vm_event(gpointer data, const IscVmEvent *event)
{
	IscDock *dock = data;
	const gchar *name = event->domain + strlen(ISC_DOMAIN_PREFIX);

	g_mutex_lock(&dock->lock);
	if (event->kind == ISC_VM_STOPPED || event->kind == ISC_VM_CRASHED) {
		isc_dock_run(dock, name)->gone = TRUE;
		g_cond_broadcast(&dock->changed);
	}
	gboolean own = event->kind == ISC_VM_DEFINED &&
		       take_own_definition(isc_dock_run(dock, name));
	gboolean busy = isc_dock_run(dock, name)->busy != NULL;
	g_mutex_unlock(&dock->lock);

	/* Whatever is under way: nobody else will tell. */
	if (event->kind == ISC_VM_IO_ERROR) {
		isc_stalled_on_event(dock, name, event->detail);
		return;
	}
	/* A verb under way makes these events itself, and looks at their result. */
	g_autoptr(IscNode) node = busy || own ? NULL : isc_register_get_node(dock->reg, name, NULL);
	if (node)
		on_undisturbed_event(dock, node, event);
}

/* libvirtd forgets them when it ends, and its clients' jobs on a running node's disk want them.  A
 * node that was started by an earlier isc-dockd has none to push: its key went with that. */
static void push_secrets(IscDock *dock)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		g_autoptr(GError) why = NULL;
		if (isc_node_state_is_up(node->state) &&
				!isc_dock_is_busy(dock, node->spec->name) &&
				!isc_steps_push_secret(dock, node, &why))
			g_debug("%s", why->message);
	}
}

static void look_at_all(IscDock *dock, gpointer data)
{
	(void)data;
	isc_host_filter_look(dock, NULL);
	(void)isc_reconcile_all(dock, /* repair= */ TRUE, NULL, NULL);
	push_secrets(dock);
	isc_recovery_finish(dock);
	isc_upgrade_mend(dock);
	isc_sets_mend(dock, /* fill= */ FALSE);
	isc_stalled_mend(dock);
}

static void on_connection(gpointer data, gboolean up, const gchar *why)
{
	IscDock *dock = data;
	if (dock->stopping)
		return;
	if (up) {
		isc_dock_set_trouble(dock, NULL);
		isc_dock_do(dock, look_at_all, NULL);
		isc_sets_mend_soon(dock);
	} else {
		g_autofree gchar *text = g_strdup_printf("libvirtd does not answer: %s", why);
		isc_dock_set_trouble(dock, text);
	}
}

const IscVmOwner isc_reconcile_owner = { on_connection, on_vm_event };

/* --- everything ---------------------------------------------------------------------------- */

typedef struct {
	IscDock *dock;
	gboolean repair;
	IscReconcileFunc found;
	gpointer data;
	guint n;
} Look;

static void report(Look *look, const gchar *what, const gchar *name, const gchar *problem,
		gboolean repaired)
{
	if (!repaired)
		look->n++;
	if (look->found)
		look->found(look->data, what, name, problem, repaired);
	else
		isc_dock_event(look->dock, g_str_equal(what, "node") ? name : "", "dock.reconcile",
				repaired ? "warn" : "alarm", ISC_CALLER_DOCK, "%s %s: %s%s", what,
				name, problem, repaired ? "; mended" : "");
}

static void report_one(gpointer data, const gchar *what, const gchar *name, const gchar *problem,
		gboolean repaired)
{
	report(data, what, name, problem, repaired);
}

static gboolean runs(IscVmState state)
{
	return state == ISC_VM_STATE_RUNNING || state == ISC_VM_STATE_PAUSED ||
	       state == ISC_VM_STATE_STOPPING;
}

/* The definition's copy of the rules: what a lost register would be rebuilt from.  They differ
 * where libvirtd was away when they changed. */
static gboolean has_old_rules(IscDock *dock, const IscNode *node, const IscVmInfo *info)
{
	g_autoptr(IscDomainMeta) meta = isc_domain_meta_parse(info->xml, strlen(info->xml), NULL);
	g_autoptr(IscSpec) spec = meta && meta->spec ? isc_spec_parse("metadata", meta->spec,
								       strlen(meta->spec), NULL)
						     : NULL;
	g_autoptr(IscSpec) wanted = spec ? isc_spec_copy(spec) : NULL;
	if (!spec)
		return FALSE; /* somebody else's edit; that was told when it was made */
	/* They may have changed since @node was read. */
	g_autoptr(IscNode) now = isc_register_get_node(dock->reg, node->spec->name, NULL);
	if (!now)
		return FALSE;
	isc_spec_set_rules(wanted, now->spec->expose, now->spec->egress);
	wanted->protect = now->spec->protect;
	wanted->job.is_paused = now->spec->job.is_paused;
	wanted->limits = now->spec->limits;
	wanted->bandwidth = now->spec->bandwidth;
	wanted->memory_mib = now->spec->memory_mib;
	wanted->vcpus = now->spec->vcpus;
	g_autofree gchar *is = isc_spec_print_public(spec), *should = isc_spec_print_public(wanted);
	return !g_str_equal(is, should);
}

static void look_at_node(Look *look, const IscNode *node, GHashTable *seen)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *domain = isc_node_domain(name);
	const IscVmInfo *info = g_hash_table_lookup(seen, domain);
	gboolean up = isc_node_state_is_up(node->state);
	gboolean is_running = info && runs(info->state);

	if (isc_dock_is_busy(look->dock, name))
		return;
	if (up && is_running && look->repair)
		isc_port_guard_look(look->dock, node);
	if (up && !is_running && node->state != ISC_NODE_QUARANTINED) {
		report(look, "node", name, "should run and does not", look->repair);
		/* A job's result is waited for, by somebody who may wait. */
		if (look->repair && node->spec->job.is_job)
			isc_reconcile_ended(look->dock, name);
		else if (look->repair)
			settle_ended(look->dock, g_strdup(name));
	} else if (!up && is_running) {
		report(look, "node", name, "runs and should not", look->repair);
		if (look->repair)
			put_down(look->dock, g_strdup(name));
	} else if (!info || !info->persistent || has_old_rules(look->dock, node, info)) {
		report(look, "node", name,
				info && info->persistent ? "has other rules or limits than its "
							   "definition in libvirt"
							 : "has no definition in libvirt",
				look->repair);
		g_autoptr(GError) why = NULL;
		const IscAdapter *define = &look->dock->engine.adapters[ISC_STEP_DEFINE];
		if (look->repair && !define->up(look->dock->engine.self, node, "", NULL, &why))
			g_message("node '%s': %s", name, why->message);
	}
}

/* A domain with our metadata that the register does not know: the register was lost, the domain is
 * the truth. */
static void adopt(Look *look, const IscVmInfo *info)
{
	IscDock *dock = look->dock;
	const gchar *name = info->domain + strlen(ISC_DOMAIN_PREFIX);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscDomainMeta) meta = isc_domain_meta_parse(info->xml, strlen(info->xml), &why);
	g_autoptr(IscNode) node = g_new0(IscNode, 1);

	if (meta && meta->spec)
		node->spec = isc_spec_parse("metadata", meta->spec, strlen(meta->spec), &why);
	if (!node->spec || !g_str_equal(node->spec->name, name)) {
		report(look, "domain", info->domain,
				why ? why->message : "its metadata is of another node", FALSE);
		return;
	}
	report(look, "domain", info->domain, "is not in the register", look->repair);
	if (!look->repair)
		return;
	node->slot = meta->slot;
	g_strlcpy(node->uuid, info->uuid, sizeof(node->uuid));
	g_strlcpy(node->digest, meta->image_digest, sizeof(node->digest));
	node->image_name = g_strdup(meta->image_name);
	node->image_version = g_strdup(meta->image_version);
	/* What it was before is not known: cut off until an officer has looked, where it runs. */
	node->state = runs(info->state) ? ISC_NODE_QUARANTINED : ISC_NODE_DISABLED;
	node->reason = g_strdup("taken up from libvirt: the register had lost it");
	node->created = node->since = g_get_real_time() / G_USEC_PER_SEC;
	const IscSlots slots = isc_address_plan_slots(&dock->config->plan, node->spec->network);
	if (!isc_register_add_node(dock->reg, node, &slots, &why)) {
		g_warning("cannot take up '%s': %s", info->domain, why->message);
		return;
	}
	isc_volumes_adopt(dock, node);
	isc_sets_adopt(dock, node);
	isc_steps_overlay_adopt(dock, node);
	if (dock->bus)
		isc_bus_add_node(dock->bus, node);
	isc_snapshots_check(dock, node, /* repair= */ TRUE, report_one, look);
	const IscAdapter *fence = &dock->engine.adapters[ISC_STEP_FENCE];
	const IscAdapter *cut = &dock->engine.adapters[ISC_STEP_CUT];
	if (node->state != ISC_NODE_QUARANTINED)
		return;
	if (!fence->up(dock->engine.self, node, "", NULL, &why) ||
			!cut->up(dock->engine.self, node, "", NULL, &why))
		g_warning("boundary of '%s': %s", name, why->message);
	else
		isc_boundary_of_node(dock, node, NULL);
	g_clear_error(&why);
	if (!isc_channels_open(dock->channels, node, &why))
		g_message("node '%s': %s", name, why->message);
}

/* A row that cannot be read makes way for what libvirt's definition knows of the node, if that is
 * good. */
static gboolean give_up_row(Look *look, const IscNode *node, GHashTable *seen)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *domain = isc_node_domain(name);
	const IscVmInfo *info = g_hash_table_lookup(seen, domain);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscDomainMeta) meta =
			info ? isc_domain_meta_parse(info->xml, strlen(info->xml), &why) : NULL;
	g_autoptr(IscSpec) spec = meta && meta->spec ? isc_spec_parse("metadata", meta->spec,
								       strlen(meta->spec), &why)
						     : NULL;
	if (isc_dock_is_busy(look->dock, name))
		return FALSE;
	gboolean is_good = spec && g_str_equal(spec->name, name);
	gboolean mended = is_good && look->repair &&
			  isc_register_remove_node(look->dock->reg, name, &why);
	/* On record once: this is looked at again and again. */
	if (look->repair && !mended)
		isc_boundary_of_node(look->dock, node, node->damage);
	if (mended || look->found)
		report(look, "node", name, node->damage, mended);
	if (why)
		g_debug("node '%s': %s", name, why->message);
	return mended;
}

static gboolean is_lost(IscDock *dock)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	return dock->boundary != NULL;
}

static void look_at_boundary(Look *look)
{
	gboolean intact = FALSE;
	g_autofree gchar *what = NULL;
	g_autoptr(GError) why = NULL;
	if (!isc_firewall_is_intact(look->dock->firewall, &intact, &what, &why)) {
		if (look->repair)
			isc_boundary_is_lost(look->dock, why->message);
		report(look, "boundary", "isc-dock", why->message, FALSE);
		return;
	}
	gboolean mended = intact || (look->repair && isc_firewall_sync(look->dock->firewall, &why));
	if (look->repair && mended) {
		isc_boundary_retry(look->dock);
		if (is_lost(look->dock))
			isc_boundary_stands(look->dock);
	} else if (look->repair) {
		isc_boundary_is_lost(look->dock, why->message);
	}
	if (intact)
		return;
	report(look, "boundary", "isc-dock", what, mended);
}

guint isc_reconcile_all(IscDock *dock, gboolean repair, IscReconcileFunc found, gpointer data)
{
	Look look = { dock, repair, found, data, 0 };
	g_autoptr(GError) why = NULL;
	look_at_boundary(&look);

	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, &why);
	g_autoptr(GPtrArray) domains = nodes ? isc_vm_list(dock->vm, &why) : NULL;
	if (!domains) {
		report(&look, "dock", "libvirt", why->message, FALSE);
		return look.n;
	}
	look.n += isc_lost_rows_look(dock, domains, repair, found, data);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; i < domains->len; i++)
		g_hash_table_insert(
				seen, ((IscVmInfo *)domains->pdata[i])->domain, domains->pdata[i]);
	for (guint i = 0; i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		if (node->damage && give_up_row(&look, node, seen))
			continue;
		g_hash_table_add(known, node->spec->name);
		if (!node->damage)
			look_at_node(&look, node, seen);
	}
	for (guint i = 0; i < domains->len; i++) {
		const IscVmInfo *info = domains->pdata[i];
		if (!g_hash_table_contains(known, info->domain + strlen(ISC_DOMAIN_PREFIX)) &&
				!isc_dock_is_busy(dock, info->domain + strlen(ISC_DOMAIN_PREFIX)))
			adopt(&look, info);
	}
	if (repair)
		isc_boot_seen(dock);
	return look.n;
}

void isc_reconcile_refused(gpointer data, const gchar *node, IscChannel channel, guint uid)
{
	static const gchar *const names[ISC_N_CHANNELS] = { "audit", "log", "control" };
	isc_dock_event(data, node, "channel.refused", "alarm", ISC_CALLER_DOCK,
			"uid %u tried to speak as %s on its %s channel: refused", uid, node,
			names[channel]);
}

static void mend(IscDock *dock, gpointer data)
{
	(void)data;
	isc_upgrade_mend(dock);
	isc_sets_mend(dock, /* fill= */ TRUE);
}

/* When all is up. */
static gboolean on_first(gpointer data)
{
	isc_dock_do(data, mend, NULL);
	return G_SOURCE_REMOVE;
}

static gboolean on_timer(gpointer data)
{
	isc_dock_do(data, look_at_all, NULL);
	return G_SOURCE_CONTINUE;
}

/* Nodes that ran on while we were away: listen for their QEMUs again.  Their fence was put up
 * before. */
static void take_up(IscDock *dock)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	for (guint i = 0; nodes && i < nodes->len; i++) {
		const IscNode *node = nodes->pdata[i];
		g_autoptr(GError) why = NULL;
		if (isc_node_state_is_up(node->state) &&
				!isc_channels_open(dock->channels, node, &why))
			g_message("node '%s': %s", node->spec->name, why->message);
	}
}

gboolean isc_reconcile_start(IscDock *dock, GError **error)
{
	isc_boot_look(dock);
	isc_recovery_run(dock);
	take_up(dock);
	isc_port_guard_start(dock);
	isc_boundary_on_addresses(dock); /* what changed before they were watched */
	/* Set down by an earlier daemon that could not have the rules, where one did. */
	isc_boundary_stands(dock);
	isc_host_filter_start(dock);
	if (isc_vm_is_connected(dock->vm))
		(void)isc_reconcile_all(dock, /* repair= */ TRUE, NULL, NULL);
	isc_lost_rows_tell(dock);
	isc_room_reserve(dock);
	isc_jobs_start(dock);
	isc_restart_start(dock);
	isc_monitor_start(dock->monitor);
	isc_silence_listen(dock);
	g_timeout_add(0, on_first, dock);
	g_timeout_add_seconds(TIMER_S, on_timer, dock);
	return isc_schedule_start(dock, error);
}
