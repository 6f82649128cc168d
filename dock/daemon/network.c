#include "daemon/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>

#include "base/error.h"
#include "daemon/balance.h"
#include "daemon/boundary.h"
#include "daemon/names.h"
#include "daemon/steps.h"
#include "engine/firewall-show.h"
#include "engine/links.h"
#include "policy/network.h"

static void put(GVariantBuilder *b, const gchar *key, GVariant *value)
{
	g_variant_builder_add(b, "{sv}", key, value);
}

static void put_text(GVariantBuilder *b, const gchar *key, const gchar *text)
{
	put(b, key, g_variant_new_string(text ? text : ""));
}

static void put_texts(GVariantBuilder *b, const gchar *key, const GPtrArray *texts)
{
	put(b, key, g_variant_new_strv((const gchar *const *)texts->pdata, (gssize)texts->len));
}

/* --- what the register says ---------------------------------------------------------------- */

/* All nodes, with what the boundary should hold of each. */
typedef struct {
	GPtrArray *nodes;      /* of IscNode */
	IscFence *fences;      /* as many */
	IscNetworkNode *known; /* as many */
} Wanted;

static void wanted_clear(Wanted *w)
{
	for (guint i = 0; w->fences && i < w->nodes->len; i++)
		isc_fence_clear(&w->fences[i]);
	g_free(w->fences);
	g_free(w->known);
	g_clear_pointer(&w->nodes, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wanted, wanted_clear)

static gboolean wanted_load(IscDock *dock, Wanted *w, GError **error)
{
	w->nodes = isc_register_list_nodes(dock->reg, error);
	if (!w->nodes)
		return FALSE;
	w->fences = g_new0(IscFence, w->nodes->len + 1);
	w->known = g_new0(IscNetworkNode, w->nodes->len + 1);
	for (guint i = 0; i < w->nodes->len; i++) {
		const IscNode *node = w->nodes->pdata[i];
		g_autofree gchar *ref = g_strconcat("sha256:", node->digest, NULL);
		g_autoptr(IscImage) image = isc_image_store_find(dock->images, ref, NULL);
		isc_steps_fence(dock, node, image, node->state == ISC_NODE_QUARANTINED,
				&w->fences[i]);
		g_autofree gchar *down = NULL;
		(void)isc_boundary_state(dock, node->spec->name, node->state, &down);
		w->known[i] = (IscNetworkNode){ &w->fences[i], isc_node_state_is_up(node->state),
			*node->spec->replica.set &&
					node->state == isc_balance_state(w->nodes,
								       node->spec->replica.set),
			down != NULL };
	}
	return TRUE;
}

static const gchar *name_at(guint32 address, gpointer data)
{
	const Wanted *w = data;
	for (guint i = 0; i < w->nodes->len; i++)
		if (w->fences[i].address == address)
			return w->fences[i].name;
	return NULL;
}

/* --- show ---------------------------------------------------------------------------------- */

static const gchar *link_of(const gchar *tap)
{
	gboolean up;
	if (!isc_links_is_up(tap, &up, NULL))
		return "none";
	return up ? "up" : "down";
}

/* In a few words, what holds for the node.  (transfer full) */
static gchar *boundary_of(IscDock *dock, const IscNetworkNode *node, const IscFirewallView *view)
{
	g_autoptr(GError) why = NULL;
	g_autofree gchar *down = NULL;
	if (!node->is_up)
		return view->is_pinned ? g_strdup("amiss: the node does not run, and the kernel "
						  "still holds it")
				       : g_strdup("off");
	(void)isc_boundary_state(dock, node->fence->name, ISC_NODE_READY, &down);
	if (down)
		return g_strdup_printf("down: %s", down);
	if (!isc_firewall_node_verify(dock->firewall, node->fence, &why))
		return g_strdup_printf("amiss: %s", why->message);
	if (view->is_cut != view->is_quarantined)
		return g_strdup("amiss: cut off by half");
	return g_strdup(view->is_quarantined ? "quarantined" : "in force");
}

static GVariant *show_sums(const IscFirewallCounters *sums)
{
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	for (guint kind = 1; kind < ISC_N_DROPS; kind++)
		if (sums->packets[kind])
			put(&b, isc_drop_name((IscDropKind)kind),
					g_variant_new_uint64(sums->packets[kind]));
	return g_variant_builder_end(&b);
}

/* Connections that were let through. */
static void put_passed(GVariantBuilder *b, const IscFirewallCounters *sums)
{
	for (guint kind = 0; kind < ISC_N_PASSES; kind++)
		put(b, isc_pass_counter((IscPassKind)kind),
				g_variant_new_uint64(sums->passed[kind]));
}

static GVariant *show_one(IscDock *dock, Wanted *w, guint i, IscFirewallShow *kernel)
{
	const IscNode *node = w->nodes->pdata[i];
	const IscFence *fence = &w->fences[i];
	g_autofree gchar *mac = isc_node_mac_text(node->slot);
	g_autofree gchar *network = isc_spec_network_text(node->spec);
	g_autofree gchar *address = isc_address_print(fence->address);
	g_auto(IscFirewallView) view = { 0 };
	isc_firewall_show_node(kernel, fence, name_at, w, &view);
	g_autofree gchar *boundary = boundary_of(dock, &w->known[i], &view);

	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_text(&b, "name", fence->name);
	put_text(&b, "state", isc_node_state_name(node->state));
	put_text(&b, "boundary", boundary);
	put_text(&b, "link", link_of(fence->tap));
	put_text(&b, "tap", fence->tap);
	put_text(&b, "mac", mac);
	put_text(&b, "address", address);
	put_text(&b, "network", network);
	put(&b, "pinned", g_variant_new_boolean(view.is_pinned));
	put_texts(&b, "expose", view.expose);
	put_texts(&b, "egress", view.egress);
	g_autoptr(GPtrArray) names = isc_dock_names_show(dock, node);
	if (names->len)
		put_texts(&b, "names", names);
	g_autofree gchar *bandwidth = isc_bandwidth_print(&view.bandwidth);
	if (*bandwidth)
		put_text(&b, "bandwidth", bandwidth);
	put(&b, "health", g_variant_new_uint32(view.health_port));
	IscFirewallCounters sums = { 0 };
	if (!isc_firewall_counters(dock->firewall, fence, &sums, NULL))
		sums = (IscFirewallCounters){ 0 };
	put(&b, "counters", show_sums(&sums));
	put_passed(&b, &sums);
	return g_variant_builder_end(&b);
}

static GVariant *show_all(IscDock *dock, Wanted *w, IscFirewallShow *kernel, GError **error)
{
	IscFirewallCounters sums;
	gboolean intact;
	g_autofree gchar *why = NULL;
	if (!isc_firewall_counters(dock->firewall, NULL, &sums, error) ||
			!isc_firewall_is_intact(dock->firewall, &intact, &why, error))
		return NULL;
	g_autofree gchar *amiss = intact ? NULL : g_strdup_printf("amiss: %s", why);

	GVariantBuilder b, list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < w->nodes->len; i++)
		g_variant_builder_add(&list, "@a{sv}", show_one(dock, w, i, kernel));
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_text(&b, "boundary", amiss ? amiss : "in force");
	put_text(&b, "outside", dock->outside);
	put(&b, "counters", show_sums(&sums));
	put_passed(&b, &sums);
	put(&b, "nodes", g_variant_builder_end(&list));
	return g_variant_builder_end(&b);
}

GVariant *isc_network_show_call(IscCall *call, GError **error)
{
	const gchar *name;
	g_auto(Wanted) w = { 0 };
	g_variant_get(call->params, "(&s)", &name);
	if (*name && !isc_name_check("node", name, error))
		return NULL;
	g_autoptr(IscFirewallShow) kernel =
			wanted_load(call->dock, &w, error) ? isc_firewall_show_read(error) : NULL;
	if (!kernel)
		return NULL;
	if (!*name) {
		GVariant *all = show_all(call->dock, &w, kernel, error);
		return all ? g_variant_new("(@a{sv})", all) : NULL;
	}
	for (guint i = 0; i < w.nodes->len; i++)
		if (g_str_equal(w.fences[i].name, name))
			return g_variant_new("(@a{sv})", show_one(call->dock, &w, i, kernel));
	/* It says so. */
	g_autoptr(IscNode) late = isc_register_get_node(call->dock->reg, name, error);
	if (late)
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"node '%s' came this moment; ask again", name);
	return NULL;
}

/* --- explain ------------------------------------------------------------------------------- */

/* All of the dock's own addresses but loopback's. */
static GArray *dock_addresses(GError **error)
{
	struct ifaddrs *all;
	GArray *out = g_array_new(FALSE, FALSE, sizeof(guint32));
	if (getifaddrs(&all) < 0) {
		isc_error_set_errno(error, errno, "cannot list the dock's addresses");
		g_array_unref(out);
		return NULL;
	}
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
			continue;
		guint32 address = ntohl(((const struct sockaddr_in *)(gconstpointer)i->ifa_addr)
							->sin_addr.s_addr);
		if (address >> 24 != 127)
			g_array_append_val(out, address);
	}
	freeifaddrs(all);
	return out;
}

GVariant *isc_network_explain_call(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	const gchar *from, *to, *port;
	g_auto(Wanted) w = { 0 };
	g_variant_get(call->params, "(&s&s&s)", &from, &to, &port);
	g_autoptr(GArray) addresses = wanted_load(dock, &w, error) ? dock_addresses(error) : NULL;
	g_autoptr(GArray) nets =
			addresses ? isc_links_host_nets(dock->config->plan.bridge, error) : NULL;
	if (!nets)
		return NULL;
	const IscNftConfig config = { .subnet = dock->config->plan.subnet,
		.dedicated = dock->config->plan.dedicated,
		.host_nets = (const IscNet *)(gconstpointer)nets->data,
		.n_host_nets = nets->len };
	g_autoptr(GHashTable) hosts = isc_dock_names_table(dock);
	const IscNetwork network = { .config = &config,
		.nodes = w.known,
		.n_nodes = w.nodes->len,
		.dock = (const guint32 *)(gconstpointer)addresses->data,
		.n_dock = addresses->len,
		.hosts = hosts };
	g_auto(IscNetworkAnswer) answer = { 0 };
	if (!isc_network_explain(&network, from, to, port, &answer, error))
		return NULL;

	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_text(&b, "from", from);
	put_text(&b, "to", to);
	put_text(&b, "port", port);
	put_text(&b, "verdict", isc_verdict_name(answer.verdict));
	put_text(&b, "rule", answer.rule);
	if (answer.kind)
		put_text(&b, "kind", isc_drop_name(answer.kind));
	if (*answer.where)
		put_text(&b, "where", answer.where);
	if (answer.hosts)
		put_texts(&b, "stands-for", answer.hosts);
	put_text(&b, "why", answer.why);
	return g_variant_new("(@a{sv})", g_variant_builder_end(&b));
}
