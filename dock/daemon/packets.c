#include "daemon/packets.h"

#include <net/if.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/steps.h"
#include "engine/packet-log.h"

/* What the kernel has counted of one node, or of nobody, by kind. */
typedef struct {
	guint64 dropped[ISC_N_DROPS], passed[ISC_N_PASSES];
} Counts;

#define EVENT_EVERY_US ((gint64)600 * G_USEC_PER_SEC) /* of one node and kind */
#define PENDING_MAX 256u /* nodes that the collector may ask for at once */

/* What a kind means, and how grave it is: who speaks for another or has left its hypervisor is not
 * just misconfigured. */
static const struct {
	const gchar *level, *text;
} kinds[ISC_N_DROPS] = {
	[ISC_DROP_MAC] = { "warn", "sent as another MAC" },
	[ISC_DROP_IP] = { "warn", "sent as another address" },
	[ISC_DROP_ARP] = { "warn", "spoke for another by ARP, or flooded" },
	[ISC_DROP_DHCP] = { "warn", "spoke DHCP" },
	[ISC_DROP_IPV6] = { "info", "spoke IPv6" },
	[ISC_DROP_VLAN] = { "warn", "sent VLAN tags" },
	[ISC_DROP_OPTION] = { "warn", "sent IP options" },
	[ISC_DROP_OTHER] = { "warn", "sent control frames" },
	[ISC_DROP_QUARANTINE] = { "info", "is quarantined" },
	[ISC_DROP_PEER] = { "warn", "tried to reach another node" },
	[ISC_DROP_HOST] = { "warn", "tried to reach the dock" },
	[ISC_DROP_RESERVED] = { "warn", "tried to reach reserved networks" },
	[ISC_DROP_EGRESS] = { "info", "tried to reach what no rule allows" },
	[ISC_DROP_INVALID] = { "info", "sent what belongs to no connection" },
	[ISC_DROP_INGRESS] = { "info", "was tried from outside at no exposed port" },
	[ISC_DROP_SPOOF] = { "warn", "somebody outside sent as a node" },
	[ISC_DROP_RATE] = { NULL, NULL }, /* counted, not logged */
	[ISC_DROP_LOCAL] = { "info", "the dock tried to reach a node" },
	[ISC_DROP_UID] = { "alarm", "its hypervisor opened a socket on the dock" },
	[ISC_DROP_FULL] = { "warn", "had as many connections as a node may" },
	[ISC_DROP_FRAGMENT] = { "warn", "sent more fragments than a node may" },
};

/* What is counted for the dock as a whole, for it is nobody's. */
static const IscDropKind nobodys[] = { ISC_DROP_SPOOF, ISC_DROP_LOCAL };

static gboolean tell(IscDock *dock, IscLinkMsg *msg, const gchar *text, int fd)
{
	g_strlcpy(msg->text, text, sizeof msg->text);
	return isc_link_send(dock->link, msg, fd, NULL);
}

static void send_count(IscDock *dock, const gchar *node, guint slot, const gchar *kind, guint64 n,
		gint64 how)
{
	IscLinkMsg msg = isc_link_msg(ISC_LINK_DROPPED, node, slot);
	msg.a = (gint64)MIN(n, (guint64)G_MAXINT64);
	msg.b = how;
	tell(dock, &msg, kind, -1);
}

static void send_fence(IscDock *dock, const IscNode *node, guint port)
{
	g_autofree gchar *tap = isc_node_tap(node->slot);
	IscLinkMsg msg = isc_link_msg(ISC_LINK_FENCE, node->spec->name, node->slot);
	guint8 mac[6];

	isc_node_mac(node->slot, mac);
	msg.a = port;
	msg.b = isc_node_address(&dock->config->plan, node);
	msg.d = isc_node_uid(node->slot);
	for (guint i = 0; i < sizeof mac; i++)
		msg.c = msg.c << 8 | mac[i];
	tell(dock, &msg, tap, -1);
}

/* --- counters ------------------------------------------------------------------------------------
 */

/* Those of one node, or of nobody (@node NULL), to whom no connection is let through. */
static gboolean read_counts(IscDock *dock, const IscNode *node, Counts *out)
{
	IscFirewallCounters counters;
	g_autoptr(GError) why = NULL;
	IscFence fence = { 0 };
	if (node)
		isc_steps_fence(dock, node, NULL, FALSE, &fence);
	gboolean ok = isc_firewall_counters(dock->firewall, node ? &fence : NULL, &counters, &why);
	isc_fence_clear(&fence);
	if (!ok) {
		g_warning("packet log: %s", why->message);
		return FALSE;
	}
	memset(out, 0, sizeof *out);
	if (node)
		memcpy(out->passed, counters.passed, sizeof out->passed);
	for (guint kind = 1; node && kind < ISC_N_DROPS; kind++)
		out->dropped[kind] = kinds[kind].level ? counters.packets[kind] : 0;
	for (gsize i = 0; !node && i < G_N_ELEMENTS(nobodys); i++)
		out->dropped[nobodys[i]] = counters.packets[nobodys[i]];
	return TRUE;
}

static void send_counts(IscDock *dock, const IscNode *node, const Counts *counts, gint64 how)
{
	const gchar *name = node ? node->spec->name : "";
	guint slot = node ? node->slot : 0;
	for (guint kind = 1; kind < ISC_N_DROPS; kind++)
		if (counts->dropped[kind] > 0)
			send_count(dock, name, slot, isc_drop_name((IscDropKind)kind),
					counts->dropped[kind], how);
	for (guint kind = 0; kind < ISC_N_PASSES; kind++)
		if (counts->passed[kind] > 0)
			send_count(dock, name, slot, isc_pass_name((IscPassKind)kind),
					counts->passed[kind], how);
}

/* To a collector that has just come: what was counted up to when the one before it went is told, or
 * lost with it; what came since is neither. */
static void send_base(IscDock *dock, const IscNode *node, const Counts *counts)
{
	const gchar *name = node ? node->spec->name : "";
	g_autofree gchar *key = NULL;
	g_autofree Counts *before = NULL;
	g_mutex_lock(&dock->lock);
	g_hash_table_steal_extended(
			dock->packets.unseen, name, (gpointer *)&key, (gpointer *)&before);
	g_mutex_unlock(&dock->lock);
	send_counts(dock, node, before ? before : counts, 1);
	if (!before)
		return;
	send_counts(dock, node, counts, 0);
	send_count(dock, name, node ? node->slot : 0, "end", 0, 2);
}

static void remember(IscDock *dock, const IscNode *node)
{
	const gchar *name = node ? node->spec->name : "";
	Counts counts;
	if (!read_counts(dock, node, &counts))
		return;
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	if (!g_hash_table_contains(dock->packets.unseen, name))
		g_hash_table_insert(dock->packets.unseen, g_strdup(name),
				g_memdup2(&counts, sizeof counts));
}

static void remember_all(IscDock *dock, gpointer data)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, NULL);
	(void)data;
	for (guint i = 0; nodes && i < nodes->len; i++)
		remember(dock, nodes->pdata[i]);
	remember(dock, NULL);
}

void isc_packets_on_loss(IscDock *dock)
{
	isc_dock_do(dock, remember_all, NULL);
}

void isc_packets_node_up(IscDock *dock, const IscNode *node, gboolean is_new)
{
	g_autofree gchar *tap = isc_node_tap(node->slot);
	guint port = if_nametoindex(tap);
	Counts counts;
	if (port == 0)
		return;
	send_fence(dock, node, port);
	if (!is_new && read_counts(dock, node, &counts))
		send_base(dock, node, &counts);
}

void isc_packets_node_down(IscDock *dock, const IscNode *node)
{
	Counts counts;
	g_mutex_lock(&dock->lock);
	g_hash_table_remove(dock->packets.unseen, node->spec->name);
	g_mutex_unlock(&dock->lock);
	if (read_counts(dock, node, &counts))
		send_counts(dock, node, &counts, 0);
	send_fence(dock, node, 0);
}

/* --- events --------------------------------------------------------------------------------------
 */

/* Whether this node and kind have had no event for a while. */
static gboolean is_news(IscDock *dock, guint slot, guint kind)
{
	gpointer key = GUINT_TO_POINTER(slot << 8 | kind);
	gint64 now = g_get_monotonic_time();
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	gint64 *at = g_hash_table_lookup(dock->packets.told, key);
	if (at && now - *at < EVENT_EVERY_US)
		return FALSE;
	if (!at) {
		at = g_new(gint64, 1);
		g_hash_table_insert(dock->packets.told, key, at);
	}
	*at = now;
	return TRUE;
}

/* Numbers of the kernel's and words of our own: no byte of a packet. */
static void file_events(IscDock *dock, const IscNode *node, const Counts *counts)
{
	for (guint kind = 1; kind < ISC_N_DROPS; kind++) {
		if (counts->dropped[kind] == 0 || !is_news(dock, node ? node->slot : 0, kind))
			continue;
		const gchar *name = node ? node->spec->name : "";
		isc_dock_event(dock, name, "network.dropped", kinds[kind].level, ISC_CALLER_DOCK,
				"%s%s%s: %" G_GUINT64_FORMAT " packets dropped as '%s' so far; see "
				"isc-vm network log%s%s",
				name, node ? " " : "", kinds[kind].text, counts->dropped[kind],
				isc_drop_name((IscDropKind)kind), node ? " " : "", name);
	}
}

/* --- the collector asks --------------------------------------------------------------------------
 */

static void answer_count(IscDock *dock, gpointer data)
{
	g_autofree gchar *name = data;
	Counts counts;
	g_autoptr(IscNode) node = *name ? isc_register_get_node(dock->reg, name, NULL) : NULL;

	/* It may be gone; then its last counts are told. */
	if ((node || !*name) && read_counts(dock, node, &counts)) {
		send_counts(dock, node, &counts, 0);
		file_events(dock, node, &counts);
	}
	send_count(dock, name, node ? node->slot : 0, "end", 0, 2);
	g_mutex_lock(&dock->lock);
	g_hash_table_remove(dock->packets.asked, name);
	g_mutex_unlock(&dock->lock);
}

static void on_count(IscDock *dock, const gchar *name)
{
	g_mutex_lock(&dock->lock);
	gboolean is_new = g_hash_table_size(dock->packets.asked) < PENDING_MAX &&
			  g_hash_table_add(dock->packets.asked, g_strdup(name));
	g_mutex_unlock(&dock->lock);
	if (is_new)
		isc_dock_do(dock, answer_count, g_strdup(name));
}

static void open_log(IscDock *dock)
{
	g_autoptr(GError) why = NULL;
	IscLinkMsg msg = isc_link_msg(ISC_LINK_PACKETS, "", 0);
	msg.a = ISC_PACKET_LOG_GROUP;
	isc_autofd int fd = isc_packet_log_open(ISC_PACKET_LOG_GROUP, &why);
	if (fd >= 0) {
		/* No collector: it says hello again when it is back. */
		tell(dock, &msg, "", fd);
		g_atomic_int_set(&dock->packets.failures, 0);
		return;
	}
	g_warning("%s", why->message);
	/* The first may be an earlier collector's socket that is not quite closed yet. */
	if (g_atomic_int_add(&dock->packets.failures, 1) == 1)
		isc_dock_event(dock, "", "network.unlogged", "warn", ISC_CALLER_DOCK,
				"dropped packets are counted, but not logged: %s", why->message);
}

static void send_keep(IscDock *dock)
{
	IscLinkMsg msg = isc_link_msg(ISC_LINK_KEEP, "", 0);
	msg.a = dock->config->packet_log_keep_mib;
	tell(dock, &msg, "", -1);
}

/* It has no right to use it, and outlives us. */
static void hand_over_guard(IscDock *dock)
{
	IscLinkMsg msg = isc_link_msg(ISC_LINK_GUARD, "", 0);
	isc_autofd int fd = isc_firewall_guard_fd(dock->firewall);
	if (fd >= 0)
		tell(dock, &msg, "", fd);
}

/* Who is who goes first, so that the first packet finds its node. */
static void introduce(IscDock *dock, gpointer data)
{
	const IscLinkMsg *msg = data;
	Counts counts;
	g_autoptr(GPtrArray) nodes = msg->b ? NULL : isc_register_list_nodes(dock->reg, NULL);

	if (!msg->b) {
		hand_over_guard(dock);
		send_keep(dock);
	}
	for (guint i = 0; nodes && i < nodes->len; i++)
		isc_packets_node_up(dock, nodes->pdata[i], /* is_new= */ FALSE);
	if (!msg->b && read_counts(dock, NULL, &counts))
		send_base(dock, NULL, &counts);
	if (!msg->b) {
		g_mutex_lock(&dock->lock);
		g_hash_table_remove_all(dock->packets.unseen); /* of nodes that are down by now */
		g_mutex_unlock(&dock->lock);
	}
	if (msg->a != ISC_PACKET_LOG_GROUP)
		open_log(dock);
	g_free(data);
}

void isc_packets_on_link(IscDock *dock, const IscLinkMsg *msg)
{
	if (msg->kind == ISC_LINK_LISTENS)
		isc_dock_do(dock, introduce, g_memdup2(msg, sizeof *msg));
	else if (msg->kind == ISC_LINK_COUNT)
		on_count(dock, msg->node);
}
