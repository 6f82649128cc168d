/* G8: what a change for one node costs at 5,000 nodes against at 10, and against the `nft` command
 * and against per-node chains.  G7: quarantine.  G9: the first connection to the last of 5,000
 * nodes against a ruleset of two rules.  R1: what goes through an exposed port of that node,
 * against those two rules and against the rules of libvirt's own NAT network.
 *
 * Everything happens in network namespaces of this process; needs root.  All kinds take turns in
 * each round, so that all see the same machine; the first rounds are warm-up and dropped.  Prints
 * JSON lines: the machine, one line per kind, one per goal.
 * usage: bench-firewall [-n N] [--nodes N] */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <nftables/libnftables.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "engine/firewall-nft.h"
#include "engine/links.h"

#define WARM_UP 5
#define CONNECTS 128 /* a round, half of them to each: the first ones find cold caches */
#define SMALL 10
#define PORT 80
#define SEND_MIB 64u

typedef struct nft_ctx IscNftCtx;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscNftCtx, nft_ctx_free)

typedef enum {
	ADD_SMALL,
	ADD_LARGE,
	VERIFY_SMALL,
	VERIFY_LARGE,
	REMOVE_SMALL,
	REMOVE_LARGE,
	ADD_COMMAND,
	ADD_CHAINS,
	QUARANTINE,
	QUARANTINE_COMMAND,
	CONNECT_LARGE,
	CONNECT_TWO_RULES,
	SEND_LARGE,
	SEND_TWO_RULES,
	SEND_LIBVIRT,
	N_KINDS,
} Kind;

static const struct {
	const gchar *id, *what;
} kinds[N_KINDS] = {
	{ "G8", "add a node at 10" },
	{ "G8", "add a node at 5000" },
	{ "G8", "read a node back at 10" },
	{ "G8", "read a node back at 5000" },
	{ "G8", "remove a node at 10" },
	{ "G8", "remove a node at 5000" },
	{ "G8", "the same by the nft command at 5000" },
	{ "G8", "the same by per-node chains at 5000" },
	{ "G7", "quarantine at 5000" },
	{ "G7", "the same by the nft command" },
	{ "G9", "first connection to the last of 5000" },
	{ "G9", "the same by a ruleset of two rules" },
	{ "R1", "64 MiB to an exposed port at 5000" },
	{ "R1", "the same by a ruleset of two rules" },
	{ "R1", "the same by libvirt's NAT rules" },
};

/* @ours over @peer, or @peer over @ours where a high number is good. */
static const struct {
	const gchar *id;
	Kind ours, peer;
	double goal;
	gboolean is_factor; /* peer / ours must be at least @goal; else ours / peer at most */
} goals[] = {
	{ "G8", ADD_LARGE, ADD_SMALL, 1.5, FALSE },
	{ "G8", VERIFY_LARGE, VERIFY_SMALL, 1.5, FALSE },
	{ "G8", REMOVE_LARGE, REMOVE_SMALL, 1.5, FALSE },
	{ "G8", ADD_LARGE, ADD_CHAINS, 50, TRUE },
	{ "G8", ADD_LARGE, ADD_COMMAND, 1, TRUE },
	{ "G7", QUARANTINE, QUARANTINE_COMMAND, 1, TRUE },
	{ "G9", CONNECT_LARGE, CONNECT_TWO_RULES, 1.2, FALSE },
	{ "R1", SEND_LARGE, SEND_TWO_RULES, 1.03, FALSE },
	{ "R1", SEND_LARGE, SEND_LIBVIRT, 1.03, FALSE },
};

/* A dock of its own: namespaces of the dock, of one node and of outside. */
typedef struct {
	int dock, node, outside;
	int listener;    /* the node's */
	IscFirewall *fw; /* NULL: the rules of a peer */
} Path;

typedef enum {
	OURS,
	TWO_RULES,
	LIBVIRT, /* of its default network, and what one adds to it to reach a guest from outside */
} Rules;

typedef struct {
	guint nodes, rounds;
	Path small, large, simple, libvirt;
	int chains_ns;
	IscNftCtx *chains;
	GArray *us[N_KINDS]; /* double */
	guint failures;
} Bench;

/* --- namespaces ----------------------------------------------------------------------------- */

static int new_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -1;
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	g_autofree gchar *ignored = NULL;
	g_spawn_command_line_sync("ip link set lo up", &ignored, NULL, NULL, NULL);
	return fd;
}

static void enter(int ns)
{
	if (setns(ns, CLONE_NEWNET) < 0)
		g_error("setns: %s", g_strerror(errno));
}

G_GNUC_PRINTF(1, 2)
static void sh(const gchar *format, ...)
{
	va_list args;
	int status;
	va_start(args, format);
	g_autofree gchar *command = g_strdup_vprintf(format, args);
	va_end(args);
	if (!g_spawn_command_line_sync(command, NULL, NULL, &status, NULL) || status != 0)
		g_error("'%s' fails", command);
}

/* --- nodes ---------------------------------------------------------------------------------- */

static IscFence *fence_of(guint slot)
{
	IscFence *f = g_new0(IscFence, 1);
	g_autofree gchar *expose = g_strdup_printf("tcp:%u:%d", 1000 + slot, PORT);
	g_autofree gchar *egress = g_strdup_printf("tcp:203.0.113.%u:443", slot % 250 + 1);
	const gchar *exposes[] = { expose, NULL };
	const gchar *egresses[] = { egress, "tcp:203.0.112.0/24:1-1024", NULL };
	const guint8 mac[6] = { 0x52, 0x54, 0x4e, 0, (guint8)(slot >> 8), (guint8)slot };

	f->slot = slot;
	f->address = 0x0a4d0000 + slot;
	f->health_port = PORT;
	memcpy(f->mac, mac, sizeof mac);
	g_snprintf(f->name, sizeof f->name, "n%u", slot);
	g_snprintf(f->tap, sizeof f->tap, "isct%u", slot);
	f->expose = isc_expose_parse_list(exposes, NULL);
	f->egress = isc_egress_parse_list(egresses, NULL);
	return f;
}

static IscFirewall *firewall_new(guint nodes)
{
	static const gchar *const outside[] = { "wan", NULL };
	const IscFirewallConfig config = { .bridge = "isc0",
		.subnet = { 0x0a4d0000, 16 },
		.bridge_mac = { 0x52, 0x54, 0x4e, 0, 0, 1 },
		.tap_prefix = "isct",
		.outside = outside,
		.uid_first = 1900000002,
		.uid_last = 1900065000,
		.log_group = 77 };
	g_autoptr(GError) error = NULL;
	IscFirewall *fw = isc_firewall_new(&config, &error);

	if (!fw || !isc_firewall_setup(fw, &error))
		g_error("%s", error->message);
	for (guint slot = 2; slot < 2 + nodes; slot++) {
		g_autoptr(IscFence) fence = fence_of(slot);
		if (!isc_firewall_node_add(fw, fence, &error))
			g_error("%s", error->message);
	}
	return fw;
}

static void two_rules(guint slot)
{
	sh("nft add table inet two");
	sh("nft add chain inet two n { type nat hook prerouting priority -100 \\; }");
	sh("nft add chain inet two f { type filter hook forward priority 0 \\; policy drop \\; }");
	sh("nft add rule inet two n iifname wan tcp dport %u dnat ip to 10.77.%u.%u:%d",
			1000 + slot, slot >> 8, slot & 255, PORT);
	sh("nft add rule inet two f ct state established,related accept");
	sh("nft add rule inet two f ct status dnat accept");
}

/* As libvirt 9.0 writes them (src/network/bridge_driver_linux.c, src/util/viriptables.c). */
static void libvirt_rules(guint slot)
{
	static const gchar *const rules[] = {
		"filter -N LIBVIRT_FWX",
		"filter -N LIBVIRT_FWI",
		"filter -N LIBVIRT_FWO",
		"filter -A FORWARD -j LIBVIRT_FWX",
		"filter -A FORWARD -j LIBVIRT_FWI",
		"filter -A FORWARD -j LIBVIRT_FWO",
		"filter -A LIBVIRT_FWX -i isc0 -o isc0 -j ACCEPT",
		"filter -A LIBVIRT_FWI -d 10.77.0.0/16 -o isc0 -m conntrack --ctstate "
		"RELATED,ESTABLISHED -j ACCEPT",
		"filter -A LIBVIRT_FWI -o isc0 -j REJECT",
		"filter -A LIBVIRT_FWO -s 10.77.0.0/16 -i isc0 -j ACCEPT",
		"filter -A LIBVIRT_FWO -i isc0 -j REJECT",
		"nat -N LIBVIRT_PRT",
		"nat -A POSTROUTING -j LIBVIRT_PRT",
		"nat -A LIBVIRT_PRT -s 10.77.0.0/16 -d 224.0.0.0/24 -j RETURN",
		"nat -A LIBVIRT_PRT -s 10.77.0.0/16 -d 255.255.255.255/32 -j RETURN",
		"nat -A LIBVIRT_PRT -s 10.77.0.0/16 ! -d 10.77.0.0/16 -p tcp -j MASQUERADE "
		"--to-ports 1024-65535",
		"nat -A LIBVIRT_PRT -s 10.77.0.0/16 ! -d 10.77.0.0/16 -j MASQUERADE",
	};
	for (gsize i = 0; i < G_N_ELEMENTS(rules); i++)
		sh("iptables -t %s", rules[i]);
	sh("iptables -t nat -A PREROUTING -i wan -p tcp --dport %u -j DNAT --to 10.77.%u.%u:%d",
			1000 + slot, slot >> 8, slot & 255, PORT);
	sh("iptables -I FORWARD -o isc0 -d 10.77.%u.%u -p tcp --dport %d -m conntrack --ctstate "
	   "NEW -j ACCEPT",
			slot >> 8, slot & 255, PORT);
}

/* Outside, dock and the node of @slot, joined by wires; the node listens. */
static void path_new(Path *path, guint nodes, Rules rules)
{
	const guint slot = 1 + nodes;
	g_autoptr(GError) error = NULL;

	path->node = new_namespace();
	path->outside = new_namespace();
	path->dock = new_namespace();
	sh("ip link add wan type veth peer name eth0");
	sh("ip link set eth0 netns /proc/%d/fd/%d", getpid(), path->outside);
	sh("ip link set wan up");
	sh("ip address add 198.51.100.1/24 dev wan");
	sh("ip link add isct%u type veth peer name eth0", slot);
	sh("ip link set eth0 netns /proc/%d/fd/%d", getpid(), path->node);
	const IscBridge bridge = { .name = "isc0",
		.gateway = 0x0a4d0001,
		.prefix = 16,
		.mac = { 0x52, 0x54, 0x4e, 0, 0, 1 },
		.accept_mark = rules == OURS ? ISC_NFT_ACCEPT_MARK : 0 };
	g_autoptr(IscFence) fence = fence_of(slot);
	IscTap port = { .name = fence->tap, .bridge = "isc0", .address = fence->address };
	memcpy(port.mac, fence->mac, sizeof port.mac);
	if (!isc_links_bridge_setup(&bridge, &error) || !isc_links_forward("wan", &error) ||
			!isc_links_port_setup(&port, &error) ||
			!isc_links_set_up(port.name, TRUE, &error))
		g_error("%s", error->message);
	if (rules == TWO_RULES)
		two_rules(slot);
	else if (rules == LIBVIRT)
		libvirt_rules(slot);
	else
		path->fw = firewall_new(nodes);
	enter(path->node);
	sh("ip link set eth0 address 52:54:4e:00:%02x:%02x up", slot >> 8, slot & 255);
	sh("ip address add 10.77.%u.%u/16 dev eth0", slot >> 8, slot & 255);
	sh("ip route add default via 10.77.0.1");
	path->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	if (bind(path->listener, (const struct sockaddr *)&any, sizeof any) < 0 ||
			listen(path->listener, 4096) < 0)
		g_error("listen: %s", g_strerror(errno));
	enter(path->outside);
	sh("ip link set eth0 up");
	sh("ip address add 198.51.100.2/24 dev eth0");
}

/* --- peers ---------------------------------------------------------------------------------- */

/* A table with a chain per node, as others have it: policy by jump. */
static void chains_text(GString *s, guint slot)
{
	g_autofree gchar *a = isc_address_print(0x0a4d0000 + slot);
	g_string_append_printf(s,
			"add chain inet peer n%u\n"
			"add rule inet peer n%u ct state established accept\n"
			"add rule inet peer n%u ip daddr 203.0.113.%u tcp dport 443 accept\n"
			"add rule inet peer n%u ip daddr 203.0.112.0/24 tcp dport 1-1024 accept\n"
			"add rule inet peer n%u drop\n"
			"add rule inet peer nat tcp dport %u dnat ip to %s:%d\n"
			"add rule inet peer forward ip saddr %s jump n%u\n",
			slot, slot, slot, slot % 250 + 1, slot, slot, 1000 + slot, a, PORT, a,
			slot);
}

static gboolean chains_run(Bench *b, const gchar *text)
{
	gboolean ok = nft_run_cmd_from_buffer(b->chains, text) == 0;
	const gchar *words = nft_ctx_get_error_buffer(b->chains);
	if (!ok)
		fprintf(stderr, "bench-firewall: chains: %s\n", words);
	return ok;
}

static void chains_new(Bench *b)
{
	g_autoptr(GString) s = g_string_new(
			"add table inet peer\n"
			"add chain inet peer nat { type nat hook prerouting priority -100; }\n"
			"add chain inet peer forward { type filter hook forward priority 0; }\n");

	b->chains_ns = new_namespace();
	b->chains = nft_ctx_new(NFT_CTX_DEFAULT);
	nft_ctx_buffer_output(b->chains);
	nft_ctx_buffer_error(b->chains);
	for (guint slot = 2; slot < 2 + b->nodes; slot++) {
		chains_text(s, slot);
		if (slot % 500 != 0 && slot != 1 + b->nodes)
			continue;
		if (!chains_run(b, s->str))
			g_error("chains");
		g_string_truncate(s, 0);
	}
}

/* The transaction of @fence by `nft -f -` in @ns. */
static gboolean run_command(int ns, const gchar *text, GError **error)
{
	g_autoptr(GSubprocess) nft = NULL;
	enter(ns);
	nft = g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE, error, "nft", "-f", "-", NULL);
	return nft && g_subprocess_communicate_utf8(nft, text, NULL, NULL, NULL, error) &&
	       g_subprocess_get_successful(nft);
}

static gchar *text_of(guint slot, gboolean come)
{
	static const IscNftConfig config = {
		.bridge = "isc0", .subnet = { 0x0a4d0000, 16 }, .tap_prefix = "isct"
	};
	g_autoptr(IscFence) fence = fence_of(slot);
	g_autoptr(GArray) elements = isc_nft_fence_elements(&config, fence, NULL, NULL, NULL);
	g_autoptr(GPtrArray) list = g_ptr_array_new();

	for (guint i = 0; i < elements->len; i++) {
		IscNftElement *e = &g_array_index(elements, IscNftElement, i);
		if (!isc_nft_element_is_shared(e)) /* the class stands: others are in it */
			g_ptr_array_add(list, e);
	}
	return come ? isc_nft_render_change(NULL, list) : isc_nft_render_change(list, NULL);
}

/* --- rounds --------------------------------------------------------------------------------- */

/* A connection takes some 20 us: whole ones are too coarse. */
static double now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void note(Bench *b, Kind kind, double start, gboolean ok, gboolean counts)
{
	double us = now_us() - start;
	if (!ok)
		b->failures++;
	else if (counts)
		g_array_append_val(b->us[kind], us);
}

static void round_ours(Bench *b, IscFirewall *fw, guint slot, Kind add, gboolean counts)
{
	g_autoptr(IscFence) fence = fence_of(slot);
	double start = now_us();

	note(b, add, start, isc_firewall_node_add(fw, fence, NULL), counts);
	start = now_us();
	note(b, add + (VERIFY_SMALL - ADD_SMALL), start, isc_firewall_node_verify(fw, fence, NULL),
			counts);
	start = now_us();
	note(b, add + (REMOVE_SMALL - ADD_SMALL), start, isc_firewall_node_remove(fw, fence, NULL),
			counts);
}

static void round_command(Bench *b, guint slot, gboolean counts)
{
	g_autofree gchar *come = text_of(slot, TRUE), *gone = text_of(slot, FALSE);
	double start = now_us();
	note(b, ADD_COMMAND, start, run_command(b->large.dock, come, NULL), counts);
	run_command(b->large.dock, gone, NULL);
}

static void round_chains(Bench *b, guint slot, gboolean counts)
{
	g_autoptr(GString) text = g_string_new(NULL);
	chains_text(text, slot); /* stays: 40 more among 5,000 */
	double start = now_us();
	note(b, ADD_CHAINS, start, chains_run(b, text->str), counts);
}

static void round_quarantine(Bench *b, gboolean counts)
{
	g_autoptr(IscFence) fence = fence_of(7);
	double start = now_us();
	note(b, QUARANTINE, start, isc_firewall_quarantine(b->large.fw, fence, TRUE, FALSE, NULL),
			counts);
	gboolean ok = isc_firewall_quarantine(b->large.fw, fence, FALSE, FALSE, NULL);
	start = now_us();
	ok = run_command(b->large.dock,
			     "add element inet isc-dock quarantined { 10.77.0.8 }\n"
			     "add element bridge isc-dock cut { \"isct8\" }\n",
			     NULL) &&
	     ok;
	note(b, QUARANTINE_COMMAND, start, ok, counts);
	run_command(b->large.dock,
			"delete element inet isc-dock quarantined { 10.77.0.8 }\n"
			"delete element bridge isc-dock cut { \"isct8\" }\n",
			NULL);
}

static void round_connect(Bench *b, const Path *path, Kind kind, gboolean counts)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((guint16)(1001 + b->nodes)),
		.sin_addr.s_addr = htonl(0xc6336401) };
	const struct linger hard = { 1, 0 };

	enter(path->outside);
	isc_autofd int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	double start = now_us();
	note(b, kind, start, connect(s, (const struct sockaddr *)&to, sizeof to) == 0, counts);
}

/* Reads to the end.  Returns the number of bytes. */
static gpointer read_all(gpointer data)
{
	static gchar room[1 << 20];
	gsize sum = 0;
	for (gssize n; (n = read(GPOINTER_TO_INT(data), room, sizeof room)) > 0;)
		sum += (gsize)n;
	return GSIZE_TO_POINTER(sum);
}

static int accept_next(const Path *path)
{
	int fd = -1;
	for (guint i = 0; i < 1000 && fd < 0; i++) {
		fd = accept4(path->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			g_usleep(100);
	}
	return fd;
}

static void round_send(Bench *b, const Path *path, Kind kind, gboolean counts)
{
	static gchar room[1 << 20];
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((guint16)(1001 + b->nodes)),
		.sin_addr.s_addr = htonl(0xc6336401) };

	for (int old; (old = accept4(path->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
		close(old); /* of round_connect() */
	enter(path->outside);
	isc_autofd int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	gboolean ok = connect(s, (const struct sockaddr *)&to, sizeof to) == 0;
	isc_autofd int other = ok ? accept_next(path) : -1;
	if (other < 0) {
		b->failures++;
		return;
	}
	double start = now_us();
	GThread *reader = g_thread_new("reader", read_all, GINT_TO_POINTER(other));
	for (guint i = 0; i < SEND_MIB && ok; i++)
		ok = write(s, room, sizeof room) == sizeof room;
	shutdown(s, SHUT_WR);
	ok = GPOINTER_TO_SIZE(g_thread_join(reader)) == SEND_MIB * sizeof room && ok;
	note(b, kind, start, ok, counts);
}

static void measure(Bench *b)
{
	const guint slot = 2 + b->nodes + 10;

	for (guint round = 0; round < b->rounds + WARM_UP; round++) {
		gboolean counts = round >= WARM_UP;
		round_ours(b, b->small.fw, slot, ADD_SMALL, counts);
		round_ours(b, b->large.fw, slot, ADD_LARGE, counts);
		round_quarantine(b, counts);
		/* Whoever comes second finds the kernel's common code in the cache: both do. */
		for (guint i = 0; i < CONNECTS; i++)
			if ((round + i) % 2)
				round_connect(b, &b->large, CONNECT_LARGE, counts);
			else
				round_connect(b, &b->simple, CONNECT_TWO_RULES, counts);
		round_send(b, &b->large, SEND_LARGE, counts);
		round_send(b, &b->simple, SEND_TWO_RULES, counts);
		round_send(b, &b->libvirt, SEND_LIBVIRT, counts);
		if (round % 4 == 0) {
			round_command(b, slot, counts);
			round_chains(b, slot + round, counts);
		}
	}
}

/* --- results -------------------------------------------------------------------------------- */

static gint compare_doubles(gconstpointer a, gconstpointer b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static double percentile(const GArray *a, guint p)
{
	return a->len ? g_array_index(a, double, MIN(a->len - 1, a->len * p / 100)) : 0;
}

static void print_results(Bench *b)
{
	struct utsname host;

	uname(&host);
	printf("{\"bench\":\"firewall\",\"kernel\":\"%s\",\"machine\":\"%s\",\"cores\":%u,"
	       "\"nodes\":%u,\"failures\":%u}\n",
			host.release, host.machine, g_get_num_processors(), b->nodes, b->failures);
	for (Kind kind = 0; kind < N_KINDS; kind++) {
		GArray *us = b->us[kind];
		g_array_sort(us, compare_doubles);
		printf("{\"id\":\"%s\",\"what\":\"%s\",\"n\":%u,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
		       "\"max_ms\":%.3f}\n",
				kinds[kind].id, kinds[kind].what, us->len,
				percentile(us, 50) / 1000, percentile(us, 99) / 1000,
				percentile(us, 100) / 1000);
	}
	for (gsize i = 0; i < G_N_ELEMENTS(goals); i++) {
		double ours = percentile(b->us[goals[i].ours], 50);
		double peer = percentile(b->us[goals[i].peer], 50);
		double ratio = goals[i].is_factor ? peer / ours : ours / peer;
		gboolean met = goals[i].is_factor ? ratio >= goals[i].goal : ratio <= goals[i].goal;
		printf("{\"id\":\"%s\",\"what\":\"%s / "
		       "%s\",\"ratio\":%.2f,\"goal\":%s%g,\"met\":%s}\n",
				goals[i].id,
				kinds[goals[i].is_factor ? goals[i].peer : goals[i].ours].what,
				kinds[goals[i].is_factor ? goals[i].ours : goals[i].peer].what,
				ratio, "", goals[i].goal, met ? "true" : "false");
	}
}

int main(int argc, char **argv)
{
	Bench b = { .nodes = 5000, .rounds = 100 };
	gint rounds = 0, nodes = 0;
	g_autoptr(GError) error = NULL;
	const GOptionEntry options[] = {
		{ "rounds", 'n', 0, G_OPTION_ARG_INT, &rounds, "default 100", "N" },
		{ "nodes", 0, 0, G_OPTION_ARG_INT, &nodes, "default 5000", "N" },
		{ NULL, 0, 0, 0, NULL, NULL, NULL },
	};
	g_autoptr(GOptionContext) context = g_option_context_new(NULL);

	g_option_context_add_main_entries(context, options, NULL);
	if (!g_option_context_parse(context, &argc, &argv, &error)) {
		fprintf(stderr, "bench-firewall: %s\n", error->message);
		return 2;
	}
	b.rounds = rounds > 0 ? (guint)rounds : b.rounds;
	b.nodes = nodes > SMALL ? (guint)nodes : b.nodes;
	if (geteuid() != 0) {
		fprintf(stderr, "bench-firewall: needs root for its namespaces\n");
		return 8;
	}
	for (guint i = 0; i < N_KINDS; i++)
		b.us[i] = g_array_new(FALSE, FALSE, sizeof(double));
	path_new(&b.small, SMALL, OURS);
	path_new(&b.large, b.nodes, OURS);
	path_new(&b.simple, b.nodes, TWO_RULES);
	path_new(&b.libvirt, b.nodes, LIBVIRT);
	chains_new(&b);
	measure(&b);
	print_results(&b);
	isc_firewall_free(b.small.fw);
	isc_firewall_free(b.large.fw);
	nft_ctx_free(b.chains);
	for (guint i = 0; i < N_KINDS; i++)
		g_array_unref(b.us[i]);
	return b.failures ? 1 : 0;
}
