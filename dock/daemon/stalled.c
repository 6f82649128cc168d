#include "daemon/stalled.h"

#include <string.h>

#include "base/error.h"
#include "daemon/disk-copy.h"
#include "daemon/room.h"
#include "daemon/verbs.h"
#include "engine/vm-domain.h"

#define LOOK_S 5
#define ROOM_MIB 64 /* to go on with: less would only stop it again at once */

/* MiB that the disks of @node may still grow by, at most ROOM_MIB.  A disk has its size and some
 * tables. */
static guint64 need_of(IscDock *dock, const IscNode *node)
{
	g_autoptr(GPtrArray) disks = isc_disk_copies_new(dock, node, "snapshot", "none", NULL);
	guint64 need = 0;
	for (guint i = 0; disks && i < disks->len; i++) {
		const IscDiskCopy *disk = disks->pdata[i];
		const gchar *const paths[] = { disk->from, NULL };
		guint64 taken = isc_room_taken(paths),
			may = (guint64)disk->mib + disk->mib / 64 + 2;
		need += may > taken ? may - taken : 0;
	}
	return MIN(need, ROOM_MIB);
}

static void look(IscDock *dock, gpointer data);

static gboolean on_look(gpointer data)
{
	isc_dock_do(data, look, NULL);
	return G_SOURCE_REMOVE;
}

static gboolean may_go_on_by_itself(IscDock *dock, const gchar *name)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	return isc_dock_run(dock, name)->busy == NULL && !isc_dock_run(dock, name)->disk_broken;
}

gboolean isc_stalled_admits(IscDock *dock, const IscNode *node, GError **error)
{
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	g_autofree gchar *what = g_strdup_printf(
			"the disks of node '%s' may come to need", node->spec->name);
	g_mutex_lock(&dock->lock);
	gboolean broken = isc_dock_run(dock, node->spec->name)->disk_broken;
	g_mutex_unlock(&dock->lock);
	return broken || !isc_vm_is_stalled(dock->vm, domain) ||
	       isc_room_check(dock, what, need_of(dock, node), error);
}

static void show(IscDock *dock, const IscNode *node, const gchar *detail, gboolean full);

/* TRUE: it is still stopped. */
static gboolean look_at(IscDock *dock, const IscNode *node)
{
	const gchar *name = node->spec->name;
	g_autofree gchar *domain = isc_node_domain(name);
	g_autoptr(GError) why = NULL;
	if (!isc_node_state_is_up(node->state) || !isc_vm_is_stalled(dock->vm, domain) ||
			!may_go_on_by_itself(dock, name))
		return FALSE;
	/* It could not be written when it happened. */
	if (node->state == ISC_NODE_READY || node->state == ISC_NODE_UNREADY)
		show(dock, node, "enospc", TRUE);
	if (node->state != ISC_NODE_SUSPENDED || !isc_stalled_admits(dock, node, NULL))
		return TRUE;
	g_auto(IscOutcome) out = { 0 };
	const IscRequest request = {
		.verb = ISC_VERB_RESUME, .node = name, .caller = ISC_CALLER_DOCK
	};
	if (!isc_verb_run(dock, &request, &out, &why)) {
		g_message("node '%s': %s", name, why->message);
		return TRUE;
	}
	isc_dock_event(dock, name, "node.room", "info", ISC_CALLER_DOCK,
			"%s goes on: there is room for its disks again", name);
	return FALSE;
}

static gboolean mend(IscDock *dock)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	gboolean any = FALSE;
	for (guint i = 0; nodes && i < nodes->len; i++)
		any |= look_at(dock, nodes->pdata[i]);
	if (!any)
		isc_room_reserve(dock);
	return any;
}

void isc_stalled_mend(IscDock *dock)
{
	(void)mend(dock);
}

/* Again, as long as one is stopped. */
static void look(IscDock *dock, gpointer data)
{
	(void)data;
	if (mend(dock) && !dock->stopping)
		g_timeout_add_seconds(LOOK_S, on_look, dock);
}

static void show(IscDock *dock, const IscNode *node, const gchar *detail, gboolean full)
{
	const gchar *name = node->spec->name;
	g_autoptr(GError) room = NULL;
	g_autofree gchar *text = NULL;
	if (full && !isc_room_check(dock, "its disks may come to need", need_of(dock, node), &room))
		text = g_strdup_printf("paused, nothing is lost: %s", room->message);
	else
		text = g_strdup_printf("paused: its disk failed (%s)", detail);
	isc_dock_event(dock, name, full ? "node.no-room" : "node.io-error", "alarm",
			ISC_CALLER_DOCK, "%s is %s", name, text);
	/* What is under way (or a quarantine) has the last word on the state. */
	if (node->state == ISC_NODE_READY || node->state == ISC_NODE_UNREADY ||
			node->state == ISC_NODE_SUSPENDED)
		isc_dock_set_state(dock, name, ISC_NODE_SUSPENDED, text, ISC_CALLER_DOCK);
}

void isc_stalled_on_event(IscDock *dock, const gchar *name, const gchar *detail)
{
	gboolean full = g_str_has_suffix(detail, "enospc");
	g_autoptr(IscNode) node = isc_register_get_node(dock->reg, name, NULL);
	g_mutex_lock(&dock->lock);
	isc_dock_run(dock, name)->disk_broken = !full;
	g_mutex_unlock(&dock->lock);
	if (!node)
		return;
	if (full)
		(void)isc_room_give_reserve(dock);
	show(dock, node, detail, full);
	if (full)
		g_timeout_add_seconds(LOOK_S, on_look, dock);
}
