#pragma once
#include <glib.h>

#include "render/egress.h"
#include "render/nft.h"

/* The boundary in force: keeps what is wanted, writes it to the kernel by one persistent
 * libnftables context, and reads it back by netlink (nft-read.h).  Every function may be called
 * from any thread; they take turns.
 *
 * What stands in the kernel stands without us: nothing is removed when the daemon ends or dies, but
 * for the guard (guard.h), which only matters where somebody flushes our rules; it stands as long
 * as somebody holds what isc_firewall_guard_fd() gives. After a restart: isc_firewall_setup()
 * renews the rules and keeps all elements, the daemon adds its nodes again (no change where nothing
 * has changed), then isc_firewall_sync() drops what belongs to no node any more.
 *
 * Order for a node's start: node_add, node_verify, only then its tap (links.h). */

typedef struct IscFirewall IscFirewall;
typedef IscNftConfig IscFirewallConfig;

/* @config is copied.  Errors: ISC_ERROR_HOST: no nf_tables, or no right to it (CAP_NET_ADMIN). */
IscFirewall *isc_firewall_new(const IscFirewallConfig *config, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;
void isc_firewall_free(IscFirewall *fw); /* leaves the kernel as it is */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscFirewall, isc_firewall_free)

/**
 * isc_firewall_setup:
 * Puts our two tables in force and checks them.  Where they stand already the rules are renewed in
 * one transaction and the elements stay.  Tables of another version, which cannot be renewed, are
 * replaced: the nodes are cut off until they are added again. Errors: ISC_ERROR_HOST (with nft's
 * words), ISC_ERROR_VERIFY (the kernel holds something else than we wrote).
 */
gboolean isc_firewall_setup(IscFirewall *fw, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Another outside interface, other networks of the host, …: all of it in one transaction, the nodes
 * stay. */
gboolean isc_firewall_reconfigure(IscFirewall *fw, const IscFirewallConfig *config, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* The same where only the networks of the host, or whether it is a router, may have changed.
 * @changed: (out): whether they have. */
gboolean isc_firewall_set_host_nets(IscFirewall *fw, const IscNet *nets, gsize n,
		gboolean is_router, gboolean *changed, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Removes both tables.  Only for uninstalling and tests: everything of ours is then closed or gone.
 */
gboolean isc_firewall_teardown(IscFirewall *fw, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_firewall_node_add:
 * Puts all of @fence in force in one transaction; where the node is known already, what has
 * changed.  Rules of other nodes that name this one begin to hold.  @fence is copied. Errors:
 * ISC_ERROR_STATE: a port is taken (says by whom); ISC_ERROR_INVALID; ISC_ERROR_HOST.  Nothing has
 * changed then.
 */
gboolean isc_firewall_node_add(IscFirewall *fw, const IscFence *fence, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_firewall_node_verify:
 * Reads back from the kernel that every element of @fence and every rule is in force.
 * Errors: ISC_ERROR_VERIFY, naming what is missing: the tap must not go up.
 */
gboolean isc_firewall_node_verify(IscFirewall *fw, const IscFence *fence, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_firewall_node_rules:
 * Other rules for a node, in one transaction, and read back: what came is in the kernel, what went
 * is not.  A node in quarantine stays there, whatever @fence says: who cuts a node off does not
 * wait for who changes its rules. Errors: as isc_firewall_node_add(); ISC_ERROR_VERIFY.
 */
gboolean isc_firewall_node_rules(IscFirewall *fw, const IscFence *fence, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_firewall_balance:
 * @balance: (nullable): the ports that the members of @set share, and who of them may have new
 * connections; NULL: none
 *
 * In one transaction.  From then on a member that is cut off, or whose fence goes, is out in that
 * very transaction.  Where the kernel holds something else than it should, all is written anew.
 * Errors: ISC_ERROR_HOST, ISC_ERROR_VERIFY.
 */
gboolean isc_firewall_balance(IscFirewall *fw, const gchar *set, const IscBalance *balance,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_firewall_host:
 * @addresses: of guint32: what @host stands for from now on
 *
 * For rules "host:NAME:…" of all nodes, in one transaction, read back.  A host that no rule names
 * is no error, and nothing is kept of it. Errors: ISC_ERROR_HOST, ISC_ERROR_VERIFY.
 */
gboolean isc_firewall_host(IscFirewall *fw, const gchar *host, const GArray *addresses,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* All hosts that rules of nodes name, sorted.  Returns: (transfer full) */
gchar **isc_firewall_hosts(IscFirewall *fw);

/* What @host stands for in the boundary.  Returns: (transfer full): GArray of guint32 */
GArray *isc_firewall_host_addresses(IscFirewall *fw, const gchar *host);

/* What becomes of @address as an answer for the name in @rule; see render/egress.h.  @egress: all
 * rules of the node, or NULL. */
IscEgressAnswer isc_firewall_judge(
		IscFirewall *fw, const GArray *egress, const IscEgress *rule, guint32 address);

/* Takes the node out, with what was counted for it; rules of others that name it end too.  An
 * unknown one is no error. */
gboolean isc_firewall_node_remove(IscFirewall *fw, const IscFence *fence, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_firewall_quarantine:
 * Cuts the node off in both directions, running connections too, at its bridge port and above; or
 * lets it back. It stays so over every other change until @on is FALSE.  @only_standing: one whose
 * fence we have not put up is left without.
 */
gboolean isc_firewall_quarantine(IscFirewall *fw, const IscFence *fence, gboolean on,
		gboolean only_standing, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Rewrites everything in one transaction: exactly the nodes that were added, nothing else in our
 * tables. */
gboolean isc_firewall_sync(IscFirewall *fw, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_firewall_is_intact:
 * Compares the kernel with what is wanted: every rule, every element.
 * @why: (out) (optional) (transfer full): what is amiss; NULL if nothing
 * Errors: only where the kernel could not be asked.
 */
gboolean isc_firewall_is_intact(IscFirewall *fw, gboolean *intact, gchar **why, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_firewall_check_free:
 * @except: slot whose own ports do not count, or 0
 *
 * Errors: ISC_ERROR_STATE: another node, or a program on the dock that listens, has a port of
 * @expose.
 */
gboolean isc_firewall_check_free(IscFirewall *fw, const IscExpose *expose, guint except,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

typedef struct {
	guint64 packets[ISC_N_DROPS]; /* dropped, by kind */
	guint64 bytes[ISC_N_DROPS];
	guint64 passed[ISC_N_PASSES]; /* connections that were let through */
} IscFirewallCounters;

/* Of the whole dock (@fence NULL), or of one node: what was dropped from it and to it, and which
 * connections it was let have. */
gboolean isc_firewall_counters(IscFirewall *fw, const IscFence *fence, IscFirewallCounters *out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

guint isc_firewall_n_nodes(IscFirewall *fw);

/* What keeps the guard standing when this process has died; opaque.  Returns: a descriptor of the
 * caller's, -1: there is no guard */
int isc_firewall_guard_fd(IscFirewall *fw);

/* Netlink ports our own changes come from; @port is the sender of a notification.  For
 * firewall-watch. */
gboolean isc_firewall_is_own_port(IscFirewall *fw, guint32 port);
