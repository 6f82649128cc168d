/* Who else filters or switches on this host, and what it means for nodes. */
#include <string.h>

#include "base/error.h"
#include "daemon/doctor-private.h"
#include "engine/links.h"
#include "engine/neighbours.h"

#define BRIDGE "$BRIDGE" /* in advice: its name */

static gboolean is_one(const gchar *path)
{
	g_autofree gchar *value = isc_doctor_line_of(path);
	return g_strcmp0(value, "1") == 0;
}

/* Somebody who writes 0 to net.ipv4.ip_forward turns it off on every interface. */
void isc_doctor_forward(IscDock *dock, IscFinding *f)
{
	const gchar *names[] = { dock->config->plan.bridge, dock->outside };
	const gchar *off = NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(names) && names[i] && !off; i++) {
		g_autofree gchar *path =
				g_strdup_printf("/proc/sys/net/ipv4/conf/%s/forwarding", names[i]);
		off = is_one(path) ? NULL : names[i];
	}
	if (off)
		isc_doctor_say(f, ISC_FINDING_FAIL,
				"restart isc-dockd, and find what turned it off (sysctl "
				"net.ipv4.ip_forward=0 does)",
				"IPv4 forwarding is off on %s: nodes reach nothing", off);
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "packets of nodes are forwarded");
}

/* Two networks of one number: packets for the one go into the other. */
void isc_doctor_addresses(IscDock *dock, IscFinding *f)
{
	const IscAddressPlan *plan = &dock->config->plan;
	g_autoptr(GError) why = NULL;
	g_autoptr(GArray) nets = isc_links_host_nets(plan->bridge, &why);
	g_autofree gchar *text = isc_address_plan_print(plan);
	if (nets && isc_address_plan_check_host(plan, ISC_NETWORK_ISOLATED, nets, &why) &&
			isc_address_plan_check_host(plan, ISC_NETWORK_DEDICATED, nets, &why))
		isc_doctor_say(f, ISC_FINDING_OK, "", "%s: the nodes' alone", text);
	else
		isc_doctor_say(f, ISC_FINDING_FAIL,
				"no node is provisioned or enabled there; destroy the nodes, "
				"choose "
				"another network in dock.conf, see isc-dock.conf(5), restart "
				"isc-dockd",
				"%s", why->message);
}

/* FALSE: the finding is made. */
static gboolean ask(const IscDock *dock, IscNeighbours *n, IscFinding *f)
{
	g_autoptr(GError) why = NULL;
	if (isc_neighbours_read(dock->config->plan.bridge, n, &why))
		return TRUE;
	isc_doctor_say(f, ISC_FINDING_WARN, "look at 'nft list chains'",
			"the tables of others cannot be read: %s", why->message);
	return FALSE;
}

static void judge(IscDock *dock, IscNeighbourKind kind, gboolean needs_drop, const gchar *name,
		const gchar *does, const gchar *advice, IscFinding *f)
{
	g_auto(IscNeighbours) n = { 0 };
	if (!ask(dock, &n, f))
		return;
	if (!n.is_there[kind])
		isc_doctor_say(f, ISC_FINDING_OK, "", "%s filters nothing here", name);
	else if (needs_drop && !n.forward_drops)
		isc_doctor_say(f, ISC_FINDING_OK, "", "%s is there and lets packets of nodes pass",
				name);
	else if (n.lets_through[kind])
		isc_doctor_say(f, ISC_FINDING_OK, "", "%s is there and has a rule for %s", name,
				dock->config->plan.bridge);
	else
		isc_doctor_say(f, ISC_FINDING_WARN, advice, "%s %s", name, does);
}

void isc_doctor_firewalld(IscDock *dock, IscFinding *f)
{
	judge(dock, ISC_NEIGHBOUR_FIREWALLD, FALSE, "firewalld",
			"rejects what is forwarded between its zones: nodes reach nothing",
			"firewall-cmd --permanent --zone=trusted --add-interface=" BRIDGE
			" && firewall-cmd --reload; what nodes may reach is for the dock's "
			"rules to say",
			f);
}

void isc_doctor_ufw(IscDock *dock, IscFinding *f)
{
	judge(dock, ISC_NEIGHBOUR_UFW, TRUE, "ufw",
			"drops what is forwarded (chain FORWARD has policy drop): nodes are cut "
			"off",
			"ufw route allow in on " BRIDGE " && ufw route allow out on " BRIDGE, f);
}

void isc_doctor_docker(IscDock *dock, IscFinding *f)
{
	judge(dock, ISC_NEIGHBOUR_DOCKER, TRUE, "Docker",
			"has set policy drop on chain FORWARD: nodes are cut off",
			"iptables -I DOCKER-USER -i " BRIDGE
			" -j ACCEPT && iptables -I DOCKER-USER -o " BRIDGE
			" -j ACCEPT, at each start of Docker",
			f);
}

void isc_doctor_libvirt_networks(IscDock *dock, IscFinding *f)
{
	g_auto(IscNeighbours) n = { 0 };
	if (!ask(dock, &n, f))
		return;
	isc_doctor_say(f, ISC_FINDING_OK, "", "%s",
			n.is_there[ISC_NEIGHBOUR_LIBVIRT]
					? "libvirt has networks of its own, with rules for their "
					  "bridges only; no node is on them"
					: "libvirt has no networks of its own");
}

void isc_doctor_others(IscDock *dock, IscFinding *f)
{
	g_auto(IscNeighbours) n = { 0 };
	if (!ask(dock, &n, f))
		return;
	gboolean nobodys = n.forward_drops && !n.is_there[ISC_NEIGHBOUR_UFW] &&
			   !n.is_there[ISC_NEIGHBOUR_DOCKER];
	if (n.dropping || nobodys)
		isc_doctor_say(f, ISC_FINDING_WARN,
				"let it accept what comes from and goes to " BRIDGE
				": the dock's own rules judge that",
				"drops all forwarded packets it does not know: chain %s",
				n.dropping ? n.dropping : "ip filter FORWARD");
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "no other table drops packets of nodes");
}

void isc_doctor_nftables_service(IscDock *dock, IscFinding *f)
{
	g_autofree gchar *text = NULL;
	gboolean is_enabled =
			g_file_test("/etc/systemd/system/sysinit.target.wants/nftables.service",
					G_FILE_TEST_IS_SYMLINK);
	(void)dock;
	if (g_file_get_contents("/etc/nftables.conf", &text, NULL, NULL) &&
			isc_neighbours_flushes(text) && is_enabled)
		isc_doctor_say(f, ISC_FINDING_WARN,
				"in /etc/nftables.conf, delete your own tables in place of 'flush "
				"ruleset'",
				"nftables.service flushes everybody's rules when it starts or "
				"reloads: nodes are cut off until isc-dockd has put its own back");
	else
		isc_doctor_say(f, ISC_FINDING_OK, "", "nftables.service leaves our tables alone");
}

void isc_doctor_bridge_netfilter(IscDock *dock, IscFinding *f)
{
	(void)dock;
	if (is_one("/proc/sys/net/bridge/bridge-nf-call-iptables"))
		isc_doctor_say(f, ISC_FINDING_WARN,
				"sysctl net.bridge.bridge-nf-call-iptables=0, unless Kubernetes or "
				"Docker need it",
				"br_netfilter sends bridged frames through the rules for routed "
				"packets: each packet of a node is judged twice, by others' rules, "
				"too");
	else
		isc_doctor_say(f, ISC_FINDING_OK, "",
				"bridged frames are not judged as routed ones");
}
