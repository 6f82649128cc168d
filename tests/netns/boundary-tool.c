/* Drives the boundary from a test, one command a line on stdin, one answer a line on stdout: "ok
 * [TEXT]" or "err STATUS MESSAGE".  Events of the watch come as lines "event …" between them.
 * usage: boundary-tool BRIDGE OUTSIDE DAEMON-UID NODE-UID-FIRST NODE-UID-LAST CONNECTIONS */
#include <gio/gio.h>
#include <gio/gunixinputstream.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/conntrack.h"
#include "engine/firewall-nft.h"
#include "engine/firewall-watch.h"
#include "engine/links.h"
#include "engine/names.h"
#include "model/address-plan.h"

typedef struct {
	IscFirewallConfig config;
	IscFirewall *fw;
	IscFirewallWatch *watch;
	IscNames *names;
	GHashTable *fences; /* slot → IscFence */
	GArray *host_nets;
	const gchar *outside[2];
	GMainLoop *loop;
	GDataInputStream *in;
} Tool;

static void fill_fence(IscFence *f, guint slot)
{
	*f = (IscFence){ .slot = slot, .address = 0x0a4d0000 + slot };
	g_snprintf(f->tap, sizeof f->tap, "isct%u", slot);
	const guint8 mac[6] = { 0x52, 0x54, 0x4e, 0, (guint8)(slot >> 8), (guint8)slot };
	memcpy(f->mac, mac, sizeof mac);
}

static const IscNet dedicated = { 0x0a4e0000, 20 };

static IscNetworkModel model_of(const IscFence *f)
{
	const IscNet host = { f->address, 32 };
	return isc_net_contains(&dedicated, &host) ? ISC_NETWORK_DEDICATED : ISC_NETWORK_ISOLATED;
}

/* "expose=8080:80" "egress=open" "group=shop" "dedicated=1" "health=80" "rate-up=N" "rate-down=N",
 * any number of them. */
static gboolean take_options(IscFence *f, gchar **words, GError **error)
{
	g_autoptr(GPtrArray) expose = g_ptr_array_new(), egress = g_ptr_array_new();

	for (gsize i = 0; words[i]; i++) {
		gchar *value = strchr(words[i], '=');
		if (!value)
			continue;
		*value++ = '\0';
		if (strcmp(words[i], "expose") == 0)
			g_ptr_array_add(expose, value);
		else if (strcmp(words[i], "egress") == 0)
			g_ptr_array_add(egress, value);
		else if (strcmp(words[i], "group") == 0)
			g_strlcpy(f->group, value, sizeof f->group);
		else if (strcmp(words[i], "dedicated") == 0) {
			f->address = dedicated.address + 4 * (f->slot - 2) + 2;
		} else if (strcmp(words[i], "health") == 0)
			f->health_port = (guint16)atoi(value);
		else if (strcmp(words[i], "rate-up") == 0)
			f->rate_up = strtoull(value, NULL, 10);
		else if (strcmp(words[i], "rate-down") == 0)
			f->rate_down = strtoull(value, NULL, 10);
	}
	g_ptr_array_add(expose, NULL);
	g_ptr_array_add(egress, NULL);
	f->expose = isc_expose_parse_list((const gchar *const *)expose->pdata, error);
	f->egress = f->expose ? isc_egress_parse_list((const gchar *const *)egress->pdata, error)
			      : NULL;
	return f->egress != NULL;
}

static IscBridge the_bridge(const Tool *t)
{
	return (IscBridge){ .name = t->config.bridge,
		.gateway = 0x0a4d0001,
		.prefix = 16,
		.mac = { 0x52, 0x54, 0x4e, 0, 0, 1 },
		.accept_mark = ISC_NFT_ACCEPT_MARK };
}

static IscTap tap_of(const Tool *t, const IscFence *f, const gchar *bridge)
{
	IscTap tap = {
		.name = f->tap, .bridge = bridge, .address = f->address, .uid = t->config.uid_first
	};
	memcpy(tap.mac, f->mac, sizeof tap.mac);
	return tap;
}

static void on_event(const IscFirewallEvent *event, gpointer data)
{
	(void)data;
	printf("event %s; %s; %s\n", event->error ? "down" : "restored", event->who, event->why);
	fflush(stdout);
}

static void on_name(const gchar *host, const guint32 *addresses, guint n, const gchar *trouble,
		gpointer data)
{
	Tool *t = data;
	g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(guint32));
	g_autoptr(GError) error = NULL;
	(void)trouble;
	g_array_append_vals(list, addresses, n);
	if (!isc_firewall_host(t->fw, host, list, &error))
		fprintf(stderr, "boundary-tool: %s: %s\n", host, error->message);
}

/* Whom rules name now. */
static void look_at_names(Tool *t)
{
	g_auto(GStrv) hosts = isc_firewall_hosts(t->fw);
	if (!t->names)
		t->names = isc_names_new(isc_names_lookup_dns, on_name, t);
	isc_names_want(t->names, (const gchar *const *)hosts);
}

static gchar *print_host(Tool *t, const gchar *host)
{
	g_autoptr(GArray) known = isc_firewall_host_addresses(t->fw, host);
	g_autoptr(GString) s = g_string_new(NULL);
	for (guint i = 0; i < known->len; i++) {
		g_autofree gchar *text = isc_address_print(g_array_index(known, guint32, i));
		g_string_append_printf(s, "%s%s", i ? " " : "", text);
	}
	return g_string_free(g_steal_pointer(&s), FALSE);
}

static gchar *print_counters(const IscFirewallCounters *c)
{
	GString *s = g_string_new(NULL);
	for (guint k = 1; k < ISC_N_DROPS; k++)
		if (c->packets[k])
			g_string_append_printf(s, "%s=%" G_GUINT64_FORMAT " ",
					isc_drop_name((IscDropKind)k), c->packets[k]);
	for (guint k = 0; k < ISC_N_PASSES; k++)
		g_string_append_printf(s, "%s%s=%" G_GUINT64_FORMAT, k ? " " : "",
				isc_pass_counter((IscPassKind)k), c->passed[k]);
	return g_string_free(s, FALSE);
}

static gboolean add_node(Tool *t, guint slot, gchar **words, GError **error)
{
	IscFence *f = g_new0(IscFence, 1);

	fill_fence(f, slot);
	g_strlcpy(f->name, words[2] ? words[2] : "", sizeof f->name);
	if (!words[2] || !take_options(f, words + 3, error) ||
			!isc_firewall_node_add(t->fw, f, error)) {
		isc_fence_free(f);
		return FALSE;
	}
	g_hash_table_insert(t->fences, GUINT_TO_POINTER(slot), f);
	look_at_names(t);
	return TRUE;
}

static gboolean end_flows(const IscFence *f, gchar **words, gchar **answer, GError **error)
{
	guint n = 0;
	gboolean ok = FALSE;
	IscExpose x;
	IscEgress e;

	if (strcmp(words[2], "all") == 0)
		ok = isc_conntrack_end_node(f->address, &n, error);
	else if (g_str_has_prefix(words[2], "expose=") && isc_expose_parse(words[2] + 7, &x, error))
		ok = isc_conntrack_end_expose(f->address, &x, &n, error);
	else if (g_str_has_prefix(words[2], "egress=") && isc_egress_parse(words[2] + 7, &e, error))
		ok = isc_conntrack_end_egress(f->address, &e, NULL, &n, error);
	*answer = g_strdup_printf("%u", n);
	return ok;
}

/* Commands that concern one node. */
static gboolean node_command(Tool *t, const gchar *verb, gchar **words, gchar **answer,
		gboolean *known, GError **error)
{
	guint slot = words[1] ? (guint)atoi(words[1]) : 0;
	const IscFence *f = g_hash_table_lookup(t->fences, GUINT_TO_POINTER(slot));
	IscFence bare;
	IscFirewallCounters counters;
	IscExpose x;

	*known = TRUE;
	if (!f) {
		fill_fence(&bare, slot);
		g_strlcpy(bare.name, "stranger", sizeof bare.name);
		f = &bare;
	}
	IscPlace place = { f->address, f->address - 1, 30, "" };
	g_snprintf(place.bridge, sizeof place.bridge, "%s-%u", t->config.bridge, slot & 0xffff);
	const gboolean is_own = model_of(f) == ISC_NETWORK_DEDICATED;
	IscTap tap = tap_of(t, f, is_own ? place.bridge : t->config.bridge);
	IscBridge own = the_bridge(t);
	own.name = place.bridge;
	own.gateway = place.gateway;
	own.prefix = place.prefix;
	if (strcmp(verb, "add") == 0)
		return add_node(t, slot, words, error);
	if (strcmp(verb, "verify") == 0)
		return isc_firewall_node_verify(t->fw, f, error);
	if (strcmp(verb, "remove") == 0)
		return isc_firewall_node_remove(t->fw, f, error);
	if (strcmp(verb, "quarantine") == 0)
		return isc_firewall_quarantine(t->fw, f, TRUE, FALSE, error);
	if (strcmp(verb, "release") == 0)
		return isc_firewall_quarantine(t->fw, f, FALSE, FALSE, error);
	if (strcmp(verb, "tap") == 0)
		return isc_links_tap_add(&tap, error);
	if (strcmp(verb, "untap") == 0)
		return isc_links_tap_remove(&tap, error);
	if (strcmp(verb, "port") == 0)
		return (!is_own || isc_links_bridge_setup(&own, error)) &&
		       isc_links_port_setup(&tap, error);
	if (strcmp(verb, "unbridge") == 0)
		return isc_links_bridge_remove(&own, error);
	if (strcmp(verb, "up") == 0 || strcmp(verb, "down") == 0)
		return isc_links_set_up(f->tap, strcmp(verb, "up") == 0, error);
	if (strcmp(verb, "isolated") == 0) {
		gboolean is = FALSE, ok = isc_links_is_isolated(f->tap, tap.bridge, &is, error);
		*answer = g_strdup(is ? "yes" : "no");
		return ok;
	}
	if (strcmp(verb, "end") == 0 && words[1] && words[2])
		return end_flows(f, words, answer, error);
	if (strcmp(verb, "free") == 0 && words[1] && words[2])
		return isc_expose_parse(words[2], &x, error) &&
		       isc_firewall_check_free(t->fw, &x, slot, error);
	if (strcmp(verb, "counters") == 0) {
		gboolean ok = isc_firewall_counters(t->fw, slot ? f : NULL, &counters, error);
		*answer = ok ? print_counters(&counters) : NULL;
		return ok;
	}
	*known = FALSE;
	return FALSE;
}

static gboolean command(Tool *t, gchar **words, gchar **answer, GError **error)
{
	const gchar *verb = words[0] ? words[0] : "";
	const IscBridge bridge = the_bridge(t);
	gboolean known, intact = FALSE;

	if (strcmp(verb, "bridge") == 0)
		return isc_links_bridge_setup(&bridge, error) &&
		       isc_links_forward(t->config.outside[0], error);
	if (strcmp(verb, "unbridge") == 0 && !words[1])
		return isc_links_bridge_remove(&bridge, error);
	if (strcmp(verb, "setup") == 0)
		return isc_firewall_setup(t->fw, error);
	if (strcmp(verb, "sync") == 0)
		return isc_firewall_sync(t->fw, error);
	if (strcmp(verb, "teardown") == 0)
		return isc_firewall_teardown(t->fw, error);
	if (strcmp(verb, "watch") == 0)
		return (t->watch = isc_firewall_watch_new(t->fw, NULL, on_event, t, error)) != NULL;
	if (strcmp(verb, "host") == 0 && words[1]) {
		*answer = print_host(t, words[1]);
		return TRUE;
	}
	if (strcmp(verb, "outside") == 0)
		return (*answer = isc_links_outside(error)) != NULL;
	if (strcmp(verb, "intact") == 0) {
		gchar *why = NULL;
		gboolean ok = isc_firewall_is_intact(t->fw, &intact, &why, error);
		*answer = why ? why : g_strdup("intact");
		return ok;
	}
	gboolean ok = node_command(t, verb, words, answer, &known, error);
	if (!known)
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "no such command: '%s'", verb);
	return ok;
}

static void on_line(GObject *source, GAsyncResult *result, gpointer data)
{
	Tool *t = data;
	g_autofree gchar *line = g_data_input_stream_read_line_finish(
			G_DATA_INPUT_STREAM(source), result, NULL, NULL);
	g_autoptr(GError) error = NULL;
	g_autofree gchar *answer = NULL;

	if (!line) {
		g_main_loop_quit(t->loop);
		return;
	}
	g_auto(GStrv) words = g_strsplit(g_strstrip(line), " ", -1);
	gint64 start = g_get_monotonic_time();
	if (command(t, words, &answer, &error))
		printf("ok %" G_GINT64_FORMAT " %s\n", g_get_monotonic_time() - start,
				answer ? answer : "");
	else
		printf("err %d %s\n", error ? isc_error_exit_status(error) : 1,
				error ? error->message : "usage");
	fflush(stdout);
	g_data_input_stream_read_line_async(t->in, G_PRIORITY_DEFAULT, NULL, on_line, t);
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	Tool t = { 0 };

	if (argc != 7)
		return 2;
	t.outside[0] = argv[2];
	t.host_nets = isc_links_host_nets(argv[1], &error);
	if (!t.host_nets) {
		fprintf(stderr, "boundary-tool: %s\n", error->message);
		return 1;
	}
	t.config = (IscFirewallConfig){ .bridge = argv[1],
		.subnet = { 0x0a4d0000, 16 },
		.dedicated = dedicated,
		.bridge_mac = { 0x52, 0x54, 0x4e, 0, 0, 1 },
		.tap_prefix = "isct",
		.outside = t.outside,
		.daemon_uid = (guint32)atol(argv[3]),
		.uid_first = (guint32)atol(argv[4]),
		.uid_last = (guint32)atol(argv[5]),
		.connections = (guint)atol(argv[6]),
		.is_router = isc_links_is_router(),
		.log_group = 77,
		.host_nets = (const IscNet *)(void *)t.host_nets->data,
		.n_host_nets = t.host_nets->len };
	t.fw = isc_firewall_new(&t.config, &error);
	if (!t.fw) {
		fprintf(stderr, "boundary-tool: %s\n", error->message);
		return 1;
	}
	t.fences = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)isc_fence_free);
	t.loop = g_main_loop_new(NULL, FALSE);
	g_autoptr(GInputStream) in = g_unix_input_stream_new(0, FALSE);
	t.in = g_data_input_stream_new(in);
	g_data_input_stream_read_line_async(t.in, G_PRIORITY_DEFAULT, NULL, on_line, &t);
	g_main_loop_run(t.loop);
	isc_names_free(t.names);
	isc_firewall_watch_free(t.watch);
	isc_firewall_free(t.fw);
	g_hash_table_unref(t.fences);
	g_object_unref(t.in);
	g_main_loop_unref(t.loop);
	g_array_unref(t.host_nets);
	return 0;
}
