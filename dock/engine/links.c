#include "engine/links.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/rtnl.h"
#include "model/node.h"
#include "render/nft.h"

#define FENCE_PREFERENCE                                                                           \
	70 /* of the routing rule: before any that an administrator is likely to have */

static int index_of(const gchar *name)
{
	return (int)if_nametoindex(name);
}

/* @bridge itself, or one of a node's own: "isc0-17". */
static gboolean is_bridge_of(const gchar *name, const gchar *bridge)
{
	gsize len = strlen(bridge);
	return strncmp(name, bridge, len) == 0 && (name[len] == '\0' || name[len] == '-');
}

/* --- sysctl ---------------------------------------------------------------------------------- */

/* CAP_NET_ADMIN suffices for files of a network namespace (net/core/sysctl_net.c).  @optional: a
 * kernel that lacks the file, e.g. without IPv6, needs no setting either. */
static gboolean set_sysctl(const gchar *name, const gchar *family, const gchar *key,
		const gchar *value, gboolean optional, GError **error)
{
	g_autofree gchar *path = g_strdup_printf("/proc/sys/net/%s/conf/%s/%s", family, name, key);
	isc_autofd int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	gchar old[16] = "";

	if (fd < 0)
		return (optional && errno == ENOENT) ||
		       isc_error_set_errno(error, errno, "cannot open '%s'", path);
	/* Written only where it differs: /proc/sys may be read-only and set up by someone else. */
	if (read(fd, old, sizeof old - 1) > 0 && strcmp(g_strchomp(old), value) == 0)
		return TRUE;
	return pwrite(fd, value, strlen(value), 0) >= 0 ||
	       isc_error_set_errno(error, errno, "cannot set '%s' to %s", path, value);
}

gboolean isc_links_forward(const gchar *name, GError **error)
{
	return set_sysctl(name, "ipv4", "forwarding", "1", FALSE, error);
}

gboolean isc_links_forward_again(const gchar *bridge, const gchar *outside, GError **error)
{
	struct if_nameindex *all = if_nameindex();
	gboolean ok = all != NULL;

	if (!all)
		isc_error_set_errno(error, errno, "cannot list the dock's interfaces");
	for (const struct if_nameindex *i = all; ok && i->if_index != 0; i++)
		if (g_strcmp0(i->if_name, outside) == 0 || is_bridge_of(i->if_name, bridge))
			ok = isc_links_forward(i->if_name, error);
	if (all)
		if_freenameindex(all);
	return ok;
}

gboolean isc_links_is_router(void)
{
	g_autofree gchar *value = NULL;
	return g_file_get_contents("/proc/sys/net/ipv4/ip_forward", &value, NULL, NULL) &&
	       *value == '1';
}

/* --- what a link is -------------------------------------------------------------------------- */

typedef struct {
	guint32 owner;
	guint32 master;
	guint8 mac[6];
	gboolean is_tap, is_persistent, has_vnet_hdr, is_up, is_isolated;
} LinkState;

static void take_info(struct nlattr *info, LinkState *state)
{
	struct nlattr *tb[IFLA_INFO_MAX + 1], *tun[IFLA_TUN_MAX + 1];

	if (nla_parse_nested(tb, IFLA_INFO_MAX, info, NULL) < 0)
		return;
	if (tb[IFLA_INFO_SLAVE_DATA]) {
		struct nlattr *isolated = nla_find(nla_data(tb[IFLA_INFO_SLAVE_DATA]),
				nla_len(tb[IFLA_INFO_SLAVE_DATA]), IFLA_BRPORT_ISOLATED);
		state->is_isolated = isolated && nla_get_u8(isolated) == 1;
	}
	if (!tb[IFLA_INFO_KIND] || nla_strcmp(tb[IFLA_INFO_KIND], "tun") != 0 ||
			!tb[IFLA_INFO_DATA] ||
			nla_parse_nested(tun, IFLA_TUN_MAX, tb[IFLA_INFO_DATA], NULL) < 0)
		return;
	state->is_tap = tun[IFLA_TUN_TYPE] && nla_get_u8(tun[IFLA_TUN_TYPE]) == IFF_TAP;
	state->owner = tun[IFLA_TUN_OWNER] ? nla_get_u32(tun[IFLA_TUN_OWNER]) : G_MAXUINT32;
	state->is_persistent = tun[IFLA_TUN_PERSIST] && nla_get_u8(tun[IFLA_TUN_PERSIST]);
	state->has_vnet_hdr = tun[IFLA_TUN_VNET_HDR] && nla_get_u8(tun[IFLA_TUN_VNET_HDR]);
}

static int on_link(struct nl_msg *msg, void *data)
{
	LinkState *state = data;
	const struct ifinfomsg *head = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *tb[IFLA_MAX + 1];

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof *head, tb, IFLA_MAX, NULL) < 0)
		return NL_OK;
	state->is_up = (head->ifi_flags & IFF_UP) != 0;
	state->master = tb[IFLA_MASTER] ? nla_get_u32(tb[IFLA_MASTER]) : 0;
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) == sizeof state->mac)
		memcpy(state->mac, nla_data(tb[IFLA_ADDRESS]), sizeof state->mac);
	if (tb[IFLA_LINKINFO])
		take_info(tb[IFLA_LINKINFO], state);
	return NL_OK;
}

static gboolean read_link(const gchar *name, LinkState *state, GError **error)
{
	const struct ifinfomsg head = { .ifi_index = index_of(name) };

	memset(state, 0, sizeof *state);
	if (head.ifi_index == 0)
		return isc_rtnl_fail(error, -NLE_NODEV, "interface", name);
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_GETLINK, 0, &head, sizeof head);
	int err = isc_rtnl_talk(msg, on_link, state);
	return err == 0 || isc_rtnl_fail(error, err, "cannot read", name);
}

/* --- bridge ---------------------------------------------------------------------------------- */

/* @stp_only: the kernel takes no forward delay of 0 while STP is on, and looks at the delay first.
 * @with_mac: where it has that MAC already, setting it once more would do nothing but throw away
 * the nodes' permanent ARP entries. */
static int send_bridge(const IscBridge *b, int flags, gboolean stp_only, gboolean with_mac)
{
	const struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_NEWLINK, flags, &head, sizeof head);

	isc_rtnl_put(msg, IFLA_IFNAME, b->name, strlen(b->name) + 1);
	isc_rtnl_put_u32(msg, IFLA_GROUP, ISC_NFT_BRIDGES);
	if (with_mac)
		isc_rtnl_put(msg, IFLA_ADDRESS, b->mac, sizeof b->mac);
	struct nlattr *info = isc_rtnl_nest(msg, IFLA_LINKINFO);
	isc_rtnl_put(msg, IFLA_INFO_KIND, "bridge", strlen("bridge"));
	struct nlattr *data = isc_rtnl_nest(msg, IFLA_INFO_DATA);
	isc_rtnl_put_u32(msg, IFLA_BR_STP_STATE, 0);
	if (!stp_only) {
		isc_rtnl_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0);
		isc_rtnl_put_u8(msg, IFLA_BR_MCAST_SNOOPING, 0);
		isc_rtnl_put_u8(msg, IFLA_BR_MCAST_QUERIER, 0);
	}
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return isc_rtnl_talk(msg, NULL, NULL);
}

static gboolean add_address(const IscBridge *b, GError **error)
{
	const struct ifaddrmsg head = { .ifa_family = AF_INET,
		.ifa_prefixlen = b->prefix,
		.ifa_index = (unsigned)index_of(b->name) };
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(
			RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &head, sizeof head);

	isc_rtnl_put_address(msg, IFA_LOCAL, b->gateway);
	isc_rtnl_put_address(msg, IFA_ADDRESS, b->gateway);
	int err = isc_rtnl_talk(msg, NULL, NULL);
	return err == 0 || isc_rtnl_fail(error, err, "cannot give an address to", b->name);
}

/* Answers for a peer at once, where the kernel would wait up to 0.8 s for another to do so. */
static gboolean set_proxy_delay(const IscBridge *b, GError **error)
{
	const struct ndtmsg head = { .ndtm_family = AF_INET };
	const guint64 none = 0; /* milliseconds */
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_SETNEIGHTBL, 0, &head, sizeof head);

	isc_rtnl_put(msg, NDTA_NAME, "arp_cache", sizeof "arp_cache");
	struct nlattr *nest = isc_rtnl_nest(msg, NDTA_PARMS | NLA_F_NESTED);
	isc_rtnl_put_u32(msg, NDTPA_IFINDEX, (guint32)index_of(b->name));
	isc_rtnl_put(msg, NDTPA_PROXY_DELAY, &none, sizeof none);
	nla_nest_end(msg, nest);
	int err = isc_rtnl_talk(msg, NULL, NULL);
	return err == 0 || isc_rtnl_fail(error, err, "cannot set the ARP delay of", b->name);
}

/* "from all iif isc0 fwmark 0/MARK blackhole": a rule with the value 0 matches packets with none of
 * the mask's bits. */
static gboolean set_fence(const IscBridge *b, gboolean on, GError **error)
{
	const struct fib_rule_hdr head = { .family = AF_INET, .action = FR_ACT_BLACKHOLE };
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(on ? RTM_NEWRULE : RTM_DELRULE,
			on ? NLM_F_CREATE | NLM_F_EXCL : 0, &head, sizeof head);

	isc_rtnl_put(msg, FRA_IIFNAME, b->name, strlen(b->name) + 1);
	isc_rtnl_put_u32(msg, FRA_PRIORITY, FENCE_PREFERENCE);
	isc_rtnl_put_u32(msg, FRA_FWMARK, 0);
	isc_rtnl_put_u32(msg, FRA_FWMASK, b->accept_mark);
	int err = isc_rtnl_talk(msg, NULL, NULL);
	if (err == 0 || (on && err == -NLE_EXIST) || (!on && err == -NLE_OBJ_NOTFOUND))
		return TRUE;
	return isc_rtnl_fail(error, err, "cannot set the routing rule of", b->name);
}

gboolean isc_links_bridge_setup(const IscBridge *b, GError **error)
{
	static const struct {
		const gchar *family, *key, *value;
		gboolean optional;
	} keys[] = {
		{ "ipv6", "disable_ipv6", "1", TRUE },
		{ "ipv4", "forwarding", "1", FALSE },
		{ "ipv4", "proxy_arp_pvlan", "1", FALSE },
		{ "ipv4", "src_valid_mark", "1",
				FALSE }, /* the routing rule holds for the way back, too */
		{ "ipv4", "send_redirects", "0", FALSE },
		{ "ipv4", "accept_redirects", "0", FALSE },
		{ "ipv4", "accept_source_route", "0", FALSE },
		{ "ipv4", "arp_ignore", "1",
				FALSE }, /* tells nodes of no other address of the dock */
		{ "ipv4", "rp_filter", "1", FALSE },
	};
	LinkState state = { 0 };
	int err = send_bridge(b, NLM_F_CREATE | NLM_F_EXCL, /* stp_only= */ FALSE,
			/* with_mac= */ TRUE);
	const gboolean stands = err == -NLE_EXIST;

	if (stands && !read_link(b->name, &state, error))
		return FALSE;
	const gboolean with_mac = stands && memcmp(state.mac, b->mac, sizeof b->mac) != 0;
	if (stands)
		err = send_bridge(b, 0, /* stp_only= */ TRUE, with_mac);
	if (err == 0)
		err = send_bridge(b, 0, /* stp_only= */ FALSE, /* with_mac= */ FALSE);
	if (err < 0)
		return isc_rtnl_fail(error, err, "cannot make the bridge", b->name);
	for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
		if (!set_sysctl(b->name, keys[i].family, keys[i].key, keys[i].value,
				    keys[i].optional, error))
			return FALSE;
	if (b->accept_mark && !set_fence(b, TRUE, error))
		return FALSE;
	return set_proxy_delay(b, error) && add_address(b, error) &&
	       isc_links_set_up(b->name, TRUE, error);
}

static gboolean delete_index(int index, const gchar *name, GError **error)
{
	const struct ifinfomsg head = { .ifi_index = index };
	if (head.ifi_index == 0)
		return TRUE;
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_DELLINK, 0, &head, sizeof head);
	int err = isc_rtnl_talk(msg, NULL, NULL);
	return err == 0 || err == -NLE_NODEV || isc_rtnl_fail(error, err, "cannot delete", name);
}

static gboolean delete_link(const gchar *name, GError **error)
{
	return delete_index(index_of(name), name, error);
}

gboolean isc_links_bridge_remove(const IscBridge *b, GError **error)
{
	return (!b->accept_mark || set_fence(b, FALSE, error)) && delete_link(b->name, error);
}

/* --- ports ----------------------------------------------------------------------------------- */

gboolean isc_links_set_up(const gchar *name, gboolean up, GError **error)
{
	const struct ifinfomsg head = {
		.ifi_index = index_of(name), .ifi_flags = up ? IFF_UP : 0, .ifi_change = IFF_UP
	};
	if (head.ifi_index == 0)
		return isc_rtnl_fail(error, -NLE_NODEV, "interface", name);
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_NEWLINK, 0, &head, sizeof head);
	int err = isc_rtnl_talk(msg, NULL, NULL);
	return err == 0 ||
	       isc_rtnl_fail(error, err, up ? "cannot set up" : "cannot set down", name);
}

gboolean isc_links_all_down(const gchar *prefix, GError **error)
{
	struct if_nameindex *all = if_nameindex();
	gboolean ok = all != NULL;

	if (!all)
		isc_error_set_errno(error, errno, "cannot list the dock's interfaces");
	for (const struct if_nameindex *i = all; i && i->if_index != 0; i++) {
		g_autoptr(GError) why = NULL;
		if (!g_str_has_prefix(i->if_name, prefix) ||
				isc_links_set_up(i->if_name, FALSE, &why) ||
				g_error_matches(why, ISC_ERROR, ISC_ERROR_NOT_FOUND))
			continue;
		if (ok)
			g_propagate_error(error, g_steal_pointer(&why));
		ok = FALSE;
	}
	if (all)
		if_freenameindex(all);
	return ok;
}

static gboolean enslave(const IscTap *port, GError **error)
{
	const struct ifinfomsg head = { .ifi_index = index_of(port->name) };
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_NEWLINK, 0, &head, sizeof head);

	isc_rtnl_put_u32(msg, IFLA_MASTER, (guint32)index_of(port->bridge));
	isc_rtnl_put_u32(msg, IFLA_GROUP, ISC_NFT_TAPS);
	int err = isc_rtnl_talk(msg, NULL, NULL);
	return err == 0 || isc_rtnl_fail(error, err, "cannot put into the bridge", port->name);
}

/* Isolated: no frame from one node's port to another's.  Locked (kernels from 5.18 on, others do
 * not look at it): only frames from a MAC in the FDB come in, also while no firewall rule stands.
 */
static gboolean set_port_flags(const IscTap *port, GError **error)
{
	static const struct {
		int attr;
		guint8 value;
	} flags[] = {
		{ IFLA_BRPORT_ISOLATED, 1 },
		{ IFLA_BRPORT_LEARNING, 0 },
		{ IFLA_BRPORT_LOCKED, 1 },
		{ IFLA_BRPORT_UNICAST_FLOOD, 0 },
		{ IFLA_BRPORT_MCAST_FLOOD, 0 },
		{ IFLA_BRPORT_BCAST_FLOOD, 0 },
		{ IFLA_BRPORT_PROTECT, 1 },
		{ IFLA_BRPORT_GUARD, 0 },
	};
	const struct ifinfomsg head = { .ifi_family = AF_BRIDGE,
		.ifi_index = index_of(port->name) };
	/* Frames to 01:80:c2:00:00:0x (LLDP, EAPOL, …) would go straight to the dock's own sockets.
	 * "Forwarded", they pass our rules, which drop and count them; all but pause frames, which
	 * the kernel never lets in. */
	const guint16 group_forward = 0xfffd;
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_SETLINK, 0, &head, sizeof head);
	struct nlattr *nest = isc_rtnl_nest(msg, IFLA_PROTINFO | NLA_F_NESTED);

	isc_rtnl_put(msg, IFLA_BRPORT_GROUP_FWD_MASK, &group_forward, sizeof group_forward);
	for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
		isc_rtnl_put_u8(msg, flags[i].attr, flags[i].value);
	nla_nest_end(msg, nest);
	int err = isc_rtnl_talk(msg, NULL, NULL);
	return err == 0 || isc_rtnl_fail(error, err, "cannot isolate the bridge port", port->name);
}

static gboolean set_neighbour(const IscTap *port, gboolean in_bridge, gboolean on, GError **error)
{
	const struct ndmsg head = { .ndm_family = in_bridge ? AF_BRIDGE : AF_INET,
		.ndm_ifindex = index_of(in_bridge ? port->name : port->bridge),
		.ndm_state = in_bridge ? NUD_NOARP : NUD_PERMANENT,
		.ndm_flags = in_bridge ? NTF_MASTER : 0 };
	if (!on && head.ndm_ifindex == 0)
		return TRUE;
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(on ? RTM_NEWNEIGH : RTM_DELNEIGH,
			on ? NLM_F_CREATE | NLM_F_REPLACE : 0, &head, sizeof head);

	if (!in_bridge)
		isc_rtnl_put_address(msg, NDA_DST, port->address);
	if (in_bridge || on)
		isc_rtnl_put(msg, NDA_LLADDR, port->mac, 6);
	int err = isc_rtnl_talk(msg, NULL, NULL);
	if (err == 0 || (!on && err == -NLE_OBJ_NOTFOUND))
		return TRUE;
	return isc_rtnl_fail(error, err, "cannot pin the node's address to", port->name);
}

gboolean isc_links_port_setup(const IscTap *port, GError **error)
{
	if (index_of(port->bridge) == 0)
		return isc_rtnl_fail(error, -NLE_NODEV, "bridge", port->bridge);
	return set_sysctl(port->name, "ipv6", "disable_ipv6", "1", TRUE, error) &&
	       enslave(port, error) && set_port_flags(port, error) &&
	       set_neighbour(port, /* in_bridge= */ TRUE, TRUE, error) &&
	       set_neighbour(port, /* in_bridge= */ FALSE, TRUE, error);
}

gboolean isc_links_pin(const IscTap *port, GError **error)
{
	if (index_of(port->name) == 0)
		return isc_rtnl_fail(error, -NLE_NODEV, "interface", port->name);
	return set_neighbour(port, /* in_bridge= */ TRUE, TRUE, error) &&
	       set_neighbour(port, /* in_bridge= */ FALSE, TRUE, error);
}

gboolean isc_links_cut_off(const IscTap *port, guint index, GError **error)
{
	return delete_index((int)index, port->name, error) &&
	       set_neighbour(port, /* in_bridge= */ FALSE, FALSE, error);
}

/* --- taps ------------------------------------------------------------------------------------ */

gboolean isc_links_is_up(const gchar *name, gboolean *up, GError **error)
{
	LinkState state;
	if (!read_link(name, &state, error))
		return FALSE;
	*up = state.is_up;
	return TRUE;
}

gboolean isc_links_is_isolated(
		const gchar *name, const gchar *bridge, gboolean *isolated, GError **error)
{
	LinkState state;
	if (!read_link(name, &state, error))
		return FALSE;
	*isolated = state.is_isolated && state.master != 0 &&
		    (!bridge || state.master == (guint32)index_of(bridge));
	return TRUE;
}

static gboolean make_tap(const IscTap *tap, GError **error)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL };
	isc_autofd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		isc_error_set_errno(error, errno, "cannot open '/dev/net/tun'");
		return FALSE;
	}
	g_strlcpy(request.ifr_name, tap->name, sizeof request.ifr_name);
	if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOWNER, (gulong)tap->uid) < 0 ||
			ioctl(fd, TUNSETPERSIST, 1UL) < 0)
		return isc_error_set_errno(error, errno, "cannot make the tap '%s'", tap->name);
	return TRUE;
}

gboolean isc_links_tap_add(const IscTap *tap, GError **error)
{
	LinkState state = { 0 };
	gboolean stands = index_of(tap->name) != 0;

	if (stands && !read_link(tap->name, &state, error))
		return FALSE;
	if (stands && (!state.is_tap || !state.is_persistent || !state.has_vnet_hdr ||
				      state.owner != tap->uid ||
				      isc_node_is_mac(state.mac, NULL))) {
		if (!delete_link(tap->name, error))
			return FALSE;
		stands = FALSE;
	}
	return (stands || make_tap(tap, error)) && isc_links_port_setup(tap, error);
}

gboolean isc_links_tap_remove(const IscTap *tap, GError **error)
{
	return delete_link(tap->name, error) &&
	       set_neighbour(tap, /* in_bridge= */ FALSE, FALSE, error);
}

/* --- what the host has ----------------------------------------------------------------------- */

typedef struct {
	guint32 metric;
	guint32 index; /* 0: none seen */
} DefaultRoute;

static int on_route(struct nl_msg *msg, void *data)
{
	DefaultRoute *best = data;
	const struct rtmsg *head = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *tb[RTA_MAX + 1];
	guint32 index = 0, metric = 0;

	if (head->rtm_dst_len != 0 || head->rtm_type != RTN_UNICAST ||
			nlmsg_parse(nlmsg_hdr(msg), sizeof *head, tb, RTA_MAX, NULL) < 0 ||
			(tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : head->rtm_table) !=
					RT_TABLE_MAIN)
		return NL_OK;
	if (tb[RTA_OIF])
		index = nla_get_u32(tb[RTA_OIF]);
	else if (tb[RTA_MULTIPATH])
		index = (guint32)((const struct rtnexthop *)nla_data(tb[RTA_MULTIPATH]))
					->rtnh_ifindex;
	if (tb[RTA_PRIORITY])
		metric = nla_get_u32(tb[RTA_PRIORITY]);
	if (index && (!best->index || metric < best->metric))
		*best = (DefaultRoute){ metric, index };
	return NL_OK;
}

gchar *isc_links_outside(GError **error)
{
	const struct rtmsg head = { .rtm_family = AF_INET };
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_GETROUTE, NLM_F_DUMP, &head, sizeof head);
	DefaultRoute best = { 0 };
	gchar name[IF_NAMESIZE];
	int err = isc_rtnl_talk(msg, on_route, &best);

	if (err < 0) {
		isc_rtnl_fail(error, err, "cannot read the routes of", "the dock");
		return NULL;
	}
	if (!best.index || !if_indextoname(best.index, name)) {
		g_set_error_literal(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"the dock has no default route: name its outside interface in "
				"dock.conf");
		return NULL;
	}
	return g_strdup(name);
}

typedef struct {
	int only;            /* interface index; 0: any */
	const gchar *except; /* name of a bridge, or NULL */
	GArray *nets;        /* of IscNet, or NULL */
	GArray *addresses;   /* of guint32, or NULL */
} Addresses;

static gboolean is_index_of(guint index, const gchar *bridge)
{
	gchar name[IF_NAMESIZE] = "";
	return if_indextoname(index, name) && is_bridge_of(name, bridge);
}

static int on_address(struct nl_msg *msg, void *data)
{
	Addresses *a = data;
	const struct ifaddrmsg *head = nlmsg_data(nlmsg_hdr(msg));
	struct nlattr *tb[IFA_MAX + 1];

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof *head, tb, IFA_MAX, NULL) < 0 || !tb[IFA_LOCAL] ||
			(a->except && is_index_of(head->ifa_index, a->except)) ||
			(a->only && (int)head->ifa_index != a->only))
		return NL_OK;
	guint32 local = GUINT32_FROM_BE(nla_get_u32(tb[IFA_LOCAL]));
	/* On a point-to-point link this is the other end. */
	guint32 peer = tb[IFA_ADDRESS] ? GUINT32_FROM_BE(nla_get_u32(tb[IFA_ADDRESS])) : local;
	guint32 mask = head->ifa_prefixlen ? ~0u << (32 - MIN(head->ifa_prefixlen, 32)) : 0;
	const IscNet net = { peer & mask, head->ifa_prefixlen };
	if (a->addresses)
		g_array_append_val(a->addresses, local);
	if (a->nets && local >> 24 != 127 && net.prefix > 0)
		g_array_append_val(a->nets, net);
	return NL_OK;
}

static gboolean read_addresses(Addresses *a, GError **error)
{
	const struct ifaddrmsg head = { .ifa_family = AF_INET };
	g_autoptr(IscNlMsg) msg = isc_rtnl_message(RTM_GETADDR, NLM_F_DUMP, &head, sizeof head);
	int err = isc_rtnl_talk(msg, on_address, a);
	return err == 0 || isc_rtnl_fail(error, err, "cannot read the addresses of", "the dock");
}

GArray *isc_links_host_nets(const gchar *bridge, GError **error)
{
	g_autoptr(GArray) nets = g_array_new(FALSE, FALSE, sizeof(IscNet));
	Addresses a = { .except = bridge, .nets = nets };
	return read_addresses(&a, error) ? g_steal_pointer(&nets) : NULL;
}

GArray *isc_links_addresses(const gchar *name, GError **error)
{
	g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(guint32));
	Addresses a = { .only = index_of(name), .addresses = addresses };

	if (a.only == 0) {
		isc_rtnl_fail(error, -NLE_NODEV, "interface", name);
		return NULL;
	}
	return read_addresses(&a, error) ? g_steal_pointer(&addresses) : NULL;
}
