/*
 * What stands around a collector: isc-dockd at one end, nodes at the other, the agent's ring in
 * each.  For test-collector.sh.  Each scenario starts the real isc-collectord, ends with status 0
 * if the law held, and says on stderr why not.
 *
 *   collector-tool SCENARIO COLLECTORD DIR [ARG…]      DIR/run and DIR/log are there
 *   collector-tool verify FOLDER [SEAL.PUB]            prints "good RECORDS" or "KIND RECORD";
 * status 0 or 7
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "collector/link.h"
#include "collector/trail-verify.h"

#define NODES_MAX 8
#define NEED(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __func__, __LINE__, #what);  \
			dock_stop(d, SIGKILL);                                                     \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

/* One port as the agent has it: frames that are not acknowledged, and how far they are sent. */
typedef struct {
	int fd;
	GQueue frames; /* GBytes, frame head_seq first */
	guint64 head_seq, next_seq, sent_seq;
	gsize sent_bytes; /* of frame sent_seq */
	gboolean resumed;
	gint64 added_at[4096]; /* µs, by seq */
	gint64 worst_ack;      /* µs */
	GByteArray *in;
	guint orders;
	IscWireOrder order;
} Port;

typedef struct {
	gchar name[32];
	guint64 session;
	Port ports[ISC_N_CHANNELS];
} Node;

typedef struct {
	const gchar *collectord, *dir, *user;
	pid_t pid;
	int link;
	Node nodes[NODES_MAX];
	guint n_nodes;
	GArray *said; /* IscLinkMsg from the collector */
	guint crashes;
} Dock;

/* --- the agent's side
 * ----------------------------------------------------------------------------- */

static void port_init(Port *p)
{
	memset(p, 0, sizeof *p);
	p->fd = -1;
	g_queue_init(&p->frames);
	p->head_seq = p->next_seq = p->sent_seq = 1;
	p->in = g_byte_array_new();
}

static void port_add(Node *n, IscChannel channel, guint16 type, guint16 count, const void *payload,
		gsize len)
{
	Port *p = &n->ports[channel];
	IscWireHeader h = { ISC_WIRE_MAGIC, (guint32)len, n->session, p->next_seq, type, count, 0 };
	GByteArray *b = g_byte_array_new();
	g_byte_array_append(b, (const guint8 *)&h, sizeof h);
	g_byte_array_append(b, payload, (guint)len);
	g_queue_push_tail(&p->frames, g_byte_array_free_to_bytes(b));
	p->added_at[p->next_seq % G_N_ELEMENTS(p->added_at)] = g_get_monotonic_time();
	p->next_seq++;
}

static void port_acked(Port *p, guint64 seq)
{
	while (p->head_seq <= seq && !g_queue_is_empty(&p->frames)) {
		gint64 took = g_get_monotonic_time() -
			      p->added_at[p->head_seq % G_N_ELEMENTS(p->added_at)];
		p->worst_ack = MAX(p->worst_ack, took);
		g_bytes_unref(g_queue_pop_head(&p->frames));
		p->head_seq++;
	}
}

static void port_told(Node *n, Port *p, const IscWireHeader *h, const guint8 *payload)
{
	if (h->type == ISC_WIRE_RESUME) {
		if (h->session == n->session)
			port_acked(p, h->seq);
		p->sent_seq = p->head_seq;
		p->sent_bytes = 0;
		p->resumed = TRUE;
	} else if (h->type == ISC_WIRE_ACK && h->session == n->session) {
		port_acked(p, h->seq);
		if (p->sent_seq < p->head_seq) {
			p->sent_seq = p->head_seq;
			p->sent_bytes = 0;
		}
	} else if (h->type == ISC_WIRE_ORDER && h->len == sizeof p->order) {
		memcpy(&p->order, payload, sizeof p->order);
		p->orders++;
	}
}

static void port_hung_up(Port *p)
{
	close(p->fd);
	p->fd = -1;
	p->resumed = FALSE;
	g_byte_array_set_size(p->in, 0);
}

static void port_read(Node *n, Port *p)
{
	guint8 buf[4096];
	ssize_t got = recv(p->fd, buf, sizeof buf, MSG_DONTWAIT);
	if (got == 0 || (got < 0 && errno != EAGAIN)) {
		port_hung_up(p);
		return;
	}
	if (got > 0)
		g_byte_array_append(p->in, buf, (guint)got);
	IscWireHeader h;
	while (p->in->len >= sizeof h) {
		memcpy(&h, p->in->data, sizeof h);
		if (h.magic != ISC_WIRE_MAGIC)
			g_error("the collector sent no frame");
		if (p->in->len < sizeof h + h.len)
			break;
		port_told(n, p, &h, p->in->data + sizeof h);
		g_byte_array_remove_range(p->in, 0, (guint)(sizeof h + h.len));
	}
}

static void port_write(Port *p)
{
	while (p->resumed && p->sent_seq < p->next_seq) {
		GBytes *b = g_queue_peek_nth(&p->frames, (guint)(p->sent_seq - p->head_seq));
		gsize len;
		const guint8 *bytes = g_bytes_get_data(b, &len);
		ssize_t n = send(p->fd, bytes + p->sent_bytes, len - p->sent_bytes,
				MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n <= 0)
			return;
		p->sent_bytes += (gsize)n;
		if (p->sent_bytes < len)
			return;
		p->sent_bytes = 0;
		p->sent_seq++;
	}
}

/* --- the dock's side
 * ------------------------------------------------------------------------------ */

static void dock_connect(Dock *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	g_snprintf(a.sun_path, sizeof a.sun_path, "%s/run/" ISC_LINK_SOCKET, d->dir);
	for (guint i = 0; i < 500; i++) {
		d->link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
		if (connect(d->link, (struct sockaddr *)&a, sizeof a) == 0)
			return;
		close(d->link);
		g_usleep(10000);
	}
	g_error("cannot connect to the collector: %s", g_strerror(errno));
}

static void dock_start(Dock *d)
{
	g_autofree gchar *run = g_strconcat(d->dir, "/run", NULL);
	g_autofree gchar *log = g_strconcat(d->dir, "/log", NULL);
	d->pid = fork();
	if (d->pid == 0) {
		if (d->user)
			execl(d->collectord, "isc-collectord", "--foreground", "--run-dir", run,
					"--log-dir", log, "--user", d->user, NULL);
		else
			execl(d->collectord, "isc-collectord", "--foreground", "--run-dir", run,
					"--log-dir", log, NULL);
		_exit(127);
	}
	dock_connect(d);
}

static int dock_stop(Dock *d, int sig)
{
	int status = -1;
	if (d->pid > 0) {
		kill(d->pid, sig);
		waitpid(d->pid, &status, 0);
	}
	d->pid = 0;
	close(d->link);
	return status;
}

static void dock_send(Dock *d, IscLinkKind kind, const gchar *node, guint16 channel, gint64 a,
		gint64 b, gint64 c, const gchar *text, int fd)
{
	IscLinkMsg m = { .version = ISC_LINK_VERSION,
		.kind = (guint16)kind,
		.channel = channel,
		.slot = 7,
		.a = a,
		.b = b,
		.c = c };
	union {
		struct cmsghdr h;
		gchar bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { &m, sizeof m };
	struct msghdr h = { .msg_iov = &iov, .msg_iovlen = 1 };

	g_strlcpy(m.node, node, sizeof m.node);
	g_strlcpy(m.text, text, sizeof m.text);
	if (fd >= 0) {
		h.msg_control = &control;
		h.msg_controllen = sizeof control;
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof fd);
		memcpy(CMSG_DATA(&control.h), &fd, sizeof fd);
	}
	if (sendmsg(d->link, &h, MSG_NOSIGNAL) != sizeof m)
		fprintf(stderr, "link: %s\n", g_strerror(errno));
}

static void dock_attach(Dock *d, Node *n, IscChannel channel)
{
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		g_error("socketpair: %s", g_strerror(errno));
	Port *p = &n->ports[channel];
	if (p->fd >= 0)
		port_hung_up(p);
	p->fd = pair[0];
	dock_send(d, ISC_LINK_ATTACH, n->name, channel, 0, 0, 0, "", pair[1]);
	close(pair[1]);
}

static Node *dock_add_node(Dock *d, const gchar *name)
{
	Node *n = &d->nodes[d->n_nodes++];
	g_strlcpy(n->name, name, sizeof n->name);
	randombytes_buf(&n->session, sizeof n->session);
	for (guint i = 0; i < ISC_N_CHANNELS; i++) {
		port_init(&n->ports[i]);
		dock_attach(d, n, i);
	}
	return n;
}

static void dock_read(Dock *d)
{
	IscLinkMsg m;
	while (recv(d->link, &m, sizeof m, MSG_DONTWAIT) == sizeof m)
		/* Its greeting, again where nobody answers, and anchors come unasked. */
		if (m.kind != ISC_LINK_LISTENS && !(m.kind == ISC_LINK_FLUSHED && m.a == -1))
			g_array_append_val(d->said, m);
}

/* Lets bytes flow for @ms. */
static void dock_run(Dock *d, guint ms)
{
	gint64 end = g_get_monotonic_time() + ms * 1000;
	do {
		struct pollfd fds[NODES_MAX * ISC_N_CHANNELS + 1];
		nfds_t n = 0;
		fds[n++] = (struct pollfd){ d->link, POLLIN, 0 };
		for (guint i = 0; i < d->n_nodes; i++)
			for (guint k = 0; k < ISC_N_CHANNELS; k++) {
				Port *p = &d->nodes[i].ports[k];
				gboolean more = p->resumed && p->sent_seq < p->next_seq;
				fds[n++] = (struct pollfd){ p->fd, POLLIN | (more ? POLLOUT : 0),
					0 };
			}
		poll(fds, n, 2);
		dock_read(d);
		for (guint i = 0; i < d->n_nodes; i++)
			for (guint k = 0; k < ISC_N_CHANNELS; k++) {
				Port *p = &d->nodes[i].ports[k];
				if (p->fd >= 0)
					port_read(&d->nodes[i], p);
				if (p->fd >= 0)
					port_write(p);
			}
	} while (g_get_monotonic_time() < end);
}

static gboolean all_acked(const Dock *d)
{
	for (guint i = 0; i < d->n_nodes; i++)
		for (guint k = 0; k < ISC_N_CHANNELS; k++)
			if (!g_queue_is_empty((GQueue *)&d->nodes[i].ports[k].frames))
				return FALSE;
	return TRUE;
}

static gboolean run_until_acked(Dock *d, guint ms)
{
	for (guint i = 0; i < ms / 10 && !all_acked(d); i++)
		dock_run(d, 10);
	for (guint i = 0; i < d->n_nodes && !all_acked(d); i++)
		for (guint k = 0; k < ISC_N_CHANNELS; k++)
			fprintf(stderr, "%s, port %u: %u frames wait\n", d->nodes[i].name, k,
					g_queue_get_length(&d->nodes[i].ports[k].frames));
	return all_acked(d);
}

static const IscLinkMsg *find_said(const Dock *d, IscLinkKind kind, const gchar *node)
{
	for (guint i = d->said->len; i-- > 0;) {
		const IscLinkMsg *m = &g_array_index(d->said, IscLinkMsg, i);
		if (m->kind == kind && strcmp(m->node, node) == 0)
			return m;
	}
	return NULL;
}

static const IscLinkMsg *wait_said(Dock *d, IscLinkKind kind, const gchar *node, guint ms)
{
	for (guint i = 0; i < ms / 10 && !find_said(d, kind, node); i++)
		dock_run(d, 10);
	return find_said(d, kind, node);
}

static void dock_restart(Dock *d)
{
	for (guint i = 0; i < d->n_nodes; i++)
		for (guint k = 0; k < ISC_N_CHANNELS; k++)
			if (d->nodes[i].ports[k].fd >= 0)
				port_hung_up(&d->nodes[i].ports[k]);
	dock_start(d);
	for (guint i = 0; i < d->n_nodes; i++)
		for (guint k = 0; k < ISC_N_CHANNELS; k++)
			dock_attach(d, &d->nodes[i], k);
}

/* --- what nodes say
 * ------------------------------------------------------------------------------- */

static void add_record(GByteArray *out, guint16 type, const gchar *text)
{
	IscWireRecord r = { type, (guint16)strlen(text) };
	g_byte_array_append(out, (const guint8 *)&r, sizeof r);
	g_byte_array_append(out, (const guint8 *)text, r.len);
}

/* Command @i, as a kernel tells it: six records. */
static void say_command(Node *n, guint i)
{
	static const struct {
		guint16 type;
		const gchar *format;
	} records[] = {
		{ 1300, "audit(%u.%03u:%u): arch=c000003e syscall=59 success=yes exit=0 a0=55d0 "
			"a1=55d1 "
			"a2=55d2 a3=8 items=2 ppid=1 pid=%u auid=4294967295 uid=33 gid=33 euid=33 "
			"suid=33 "
			"fsuid=33 egid=33 sgid=33 fsgid=33 tty=(none) ses=4294967295 comm=\"cmd\" "
			"exe=\"/usr/bin/cmd\" subj=kernel key=\"isc-exec\"" },
		{ 1309, "audit(%u.%03u:%u): argc=2 a0=\"cmd\" a1=\"arg-%u\"" },
		{ 1307, "audit(%u.%03u:%u): cwd=\"/srv/%u\"" },
		{ 1302, "audit(%u.%03u:%u): item=0 name=\"/usr/bin/cmd\" inode=%u dev=fd:00 "
			"mode=0100755 "
			"ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 "
			"cap_fver=0 "
			"cap_frootid=0" },
		{ 1327, "audit(%u.%03u:%u): proctitle=636D6400%u" },
		{ 1320, "audit(%u.%03u:%u): " },
	};
	g_autoptr(GByteArray) b = g_byte_array_new();
	for (gsize k = 0; k < G_N_ELEMENTS(records); k++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		g_autofree gchar *text = g_strdup_printf(
				records[k].format, 1700000000 + i / 1000, i % 1000, i, i);
#pragma GCC diagnostic pop
		add_record(b, records[k].type, text);
	}
	port_add(n, ISC_CHANNEL_AUDIT, ISC_WIRE_RECORDS, G_N_ELEMENTS(records), b->data, b->len);
}

static void say_line(Node *n, guint i)
{
	g_autoptr(GByteArray) b = g_byte_array_new();
	g_autofree gchar *text = g_strdup_printf("line %u", i);
	add_record(b, 1, text);
	port_add(n, ISC_CHANNEL_LOG, ISC_WIRE_RECORDS, 1, b->data, b->len);
}

static void say_event(Node *n, guint32 kind, gint64 a, gint64 b)
{
	IscWireEvent e = { kind, 0, a, b, 0, 0 };
	port_add(n, ISC_CHANNEL_CONTROL, ISC_WIRE_EVENT, 0, &e, sizeof e);
}

/* --- what must be in the trail
 * -------------------------------------------------------------------- */

typedef struct {
	guint next; /* command */
	guint wrong;
	guint dock; /* lines of the dock's own */
} Check;

static void check_record(const IscTrailRecord *r, gpointer data)
{
	Check *c = data;
	if (r->flags & ISC_RECORD_DOCK) {
		c->dock++;
		return;
	}
	if (r->type != 1309)
		return;
	g_autofree gchar *line = g_strndup(r->line, r->len);
	g_autofree gchar *want = g_strdup_printf("a0=\"cmd\" a1=\"arg-%u\"", c->next++);
	if (!g_str_has_suffix(line, want)) {
		if (c->wrong++ == 0)
			fprintf(stderr, "wanted %s, got %s\n", want, line);
	}
}

/* Whether node @name has commands 0..@n-1, each once and in order, and its trail verifies. */
static gboolean has_commands(const Dock *d, const gchar *name, guint n)
{
	g_autofree gchar *path = g_strdup_printf("%s/log/nodes/%s", d->dir, name);
	isc_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	Check c = { 0 };
	g_auto(IscTrailReport) r = { 0 };
	g_autoptr(GError) error = NULL;
	IscTrailExpect expect = { .name = name };

	if (!isc_trail_verify_dir(fd, &expect, check_record, &c, &r, &error)) {
		fprintf(stderr, "%s: %s\n", name, error->message);
		return FALSE;
	}
	fprintf(stderr,
			"%s: %u commands, %" G_GUINT64_FORMAT " records, %" G_GUINT64_FORMAT
			" blocks, %u restarts, %" G_GUINT64_FORMAT
			" bytes cut, lost %" G_GUINT64_FORMAT ", bad %" G_GUINT64_FORMAT "\n",
			name, c.next, r.records, r.blocks, r.restarts, r.cut, r.lost, r.bad);
	return c.next == n && c.wrong == 0 && r.lost == 0;
}

/* Whether the service log ends with line @n-1 and holds those before it without a gap, each once;
 * from 0, where its quota did not do away with the oldest file. */
static gboolean has_lines(const Dock *d, const gchar *name, guint n)
{
	static const gchar *const files[] = { ".3", ".2", ".1", "" };
	g_autoptr(GString) all = g_string_new(NULL);
	guint n_files = 0;

	for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree gchar *path = g_strdup_printf(
				"%s/log/nodes/%s/service.log%s", d->dir, name, files[i]);
		g_autofree gchar *text = NULL;
		if (g_file_get_contents(path, &text, NULL, NULL)) {
			g_string_append(all, text);
			n_files++;
		}
	}
	g_auto(GStrv) lines = g_strsplit(all->str, "\n", -1);
	guint have = g_strv_length(lines) - 1;
	if (have > n || (have < n && n_files < G_N_ELEMENTS(files)))
		return FALSE;
	for (guint i = 0; i < have; i++) {
		g_autofree gchar *want = g_strdup_printf("Z stdout line %u", n - have + i);
		if (!g_str_has_suffix(lines[i], want))
			return FALSE;
	}
	return TRUE;
}

/* --- scenarios
 * ------------------------------------------------------------------------------------ */

/* N commands of one node, for ausearch; then the end. */
static int feed(Dock *d, guint n)
{
	dock_start(d);
	Node *node = dock_add_node(d, "web");
	say_event(node, ISC_EVENT_BOOTED, 0, 0);
	say_event(node, ISC_EVENT_STARTED, 42, 0);
	for (guint i = 0; i < n; i++)
		say_command(node, i);
	for (guint i = 0; i < n; i++)
		say_line(node, i);
	NEED(run_until_acked(d, 20000));
	dock_send(d, ISC_LINK_FLUSH, "web", 0, 99, 0, 0, "", -1);
	const IscLinkMsg *m = wait_said(d, ISC_LINK_FLUSHED, "web", 2000);
	NEED(m && m->a == 99 && m->b >= (gint64)n * 6 && m->c == 0 && m->slot == 7);
	for (guint k = 0; k < ISC_N_CHANNELS; k++)
		port_hung_up(&node->ports[k]);
	dock_send(d, ISC_LINK_FORGET, "web", 0, 0, 0, 0, "", -1);
	NEED(wait_said(d, ISC_LINK_FORGOTTEN, "web", 5000));
	NEED(has_commands(d, "web", n));
	NEED(has_lines(d, "web", n));
	NEED(WIFEXITED(dock_stop(d, SIGTERM)));
	return 0;
}

/* More than a file of the trail holds: then the end, of the collector, too. */
static int rotate(Dock *d)
{
	dock_start(d);
	Node *node = dock_add_node(d, "web");
	g_autofree gchar *blank = g_strnfill(8900, 'x');
	for (guint i = 0; i < (66u << 20) / 8900; i++) {
		g_autoptr(GByteArray) b = g_byte_array_new();
		g_autofree gchar *text = g_strdup_printf(
				"audit(1700000000.000:%u): argc=1 a0=\"%s\"", i, blank);
		g_autofree gchar *end = g_strdup_printf("audit(1700000000.000:%u): ", i);
		add_record(b, 1309, text);
		add_record(b, 1320, end);
		port_add(node, ISC_CHANNEL_AUDIT, ISC_WIRE_RECORDS, 2, b->data, b->len);
	}
	say_event(node, ISC_EVENT_BYE, 0, 0);
	NEED(run_until_acked(d, 100000));
	for (guint k = 0; k < ISC_N_CHANNELS; k++)
		port_hung_up(&node->ports[k]);
	dock_send(d, ISC_LINK_FORGET, "web", 0, 0, 0, 0, "", -1);
	NEED(wait_said(d, ISC_LINK_FORGOTTEN, "web", 20000));
	int status = dock_stop(d, SIGTERM);
	NEED(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

/* A guest whose events 10 to 12 never come: with @lost > 0 its agent says that it dropped so many.
 */
static int gap(Dock *d, guint lost)
{
	g_autoptr(GByteArray) b = g_byte_array_new();
	g_autofree gchar *count = g_strdup_printf("%u", lost);
	dock_start(d);
	Node *node = dock_add_node(d, "web");
	say_event(node, ISC_EVENT_STARTED, 42, 0);
	for (guint i = 1; i < 10; i++)
		say_command(node, i);
	add_record(b, ISC_WIRE_LOST, count);
	if (lost > 0)
		port_add(node, ISC_CHANNEL_AUDIT, ISC_WIRE_RECORDS, 1, b->data, b->len);
	for (guint i = 13; i < 20; i++)
		say_command(node, i);
	say_event(node, ISC_EVENT_BYE, 0, 0);
	NEED(run_until_acked(d, 20000));
	for (guint k = 0; k < ISC_N_CHANNELS; k++)
		port_hung_up(&node->ports[k]);
	dock_send(d, ISC_LINK_FORGET, "web", 0, 0, 0, 0, "", -1);
	NEED(wait_said(d, ISC_LINK_FORGOTTEN, "web", 5000));
	NEED(WIFEXITED(dock_stop(d, SIGTERM)));
	return 0;
}

/* Killed again and again under load; the ring of the agent is large enough. */
static int kills(Dock *d, guint seconds)
{
	guint said = 0;
	gint64 end = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;

	dock_start(d);
	dock_add_node(d, "web");
	dock_add_node(d, "db");
	while (g_get_monotonic_time() < end) {
		for (guint round = g_random_int_range(1, 40); round > 0; round--) {
			/* No more than a ring holds. */
			guint waiting = 0;
			for (guint k = 0; k < d->n_nodes; k++)
				waiting = MAX(waiting,
						g_queue_get_length(
								&d->nodes[k].ports[ISC_CHANNEL_AUDIT]
										 .frames));
			for (guint i = 0; i < 40 && waiting < 4000; i++, said++)
				for (guint k = 0; k < d->n_nodes; k++) {
					say_command(&d->nodes[k], said);
					say_line(&d->nodes[k], said);
				}
			dock_run(d, g_random_int_range(1, 12));
		}
		dock_stop(d, SIGKILL);
		d->crashes++;
		dock_restart(d);
	}
	NEED(run_until_acked(d, 30000));
	fprintf(stderr, "%u kills\n", d->crashes);
	NEED(has_commands(d, "web", said));
	NEED(has_commands(d, "db", said));
	NEED(has_lines(d, "web", said));
	NEED(WEXITSTATUS(dock_stop(d, SIGTERM)) == 0);
	return 0;
}

/* One node shouts on all ports; the other one is heard as soon as ever. */
static int flood(Dock *d, guint seconds)
{
	dock_start(d);
	Node *loud = dock_add_node(d, "loud"), *quiet = dock_add_node(d, "quiet");
	guint said = 0, i = 0;
	gint64 end = g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC;

	dock_run(d, 100);
	while (g_get_monotonic_time() < end) {
		while (g_queue_get_length(&loud->ports[ISC_CHANNEL_AUDIT].frames) < 2000)
			say_command(loud, i++);
		while (g_queue_get_length(&loud->ports[ISC_CHANNEL_LOG].frames) < 2000)
			say_line(loud, i);
		while (g_queue_get_length(&loud->ports[ISC_CHANNEL_CONTROL].frames) < 100)
			say_event(loud, ISC_EVENT_HEARTBEAT, 0, 0);
		if (g_queue_is_empty(&quiet->ports[ISC_CHANNEL_AUDIT].frames))
			say_command(quiet, said++);
		dock_run(d, 1);
	}
	g_autofree gchar *path = g_strdup_printf("/proc/%d/status", d->pid);
	g_autofree gchar *status = NULL;
	NEED(g_file_get_contents(path, &status, NULL, NULL));
	const gchar *rss = strstr(status, "VmHWM:");
	NEED(rss);
	guint64 kib = g_ascii_strtoull(rss + 6, NULL, 10);
	gint64 worst = quiet->ports[ISC_CHANNEL_AUDIT].worst_ack;
	fprintf(stderr,
			"loud: %u commands taken; quiet: %u, slowest %.1f ms; peak "
			"%" G_GUINT64_FORMAT " KiB\n",
			i - g_queue_get_length(&loud->ports[ISC_CHANNEL_AUDIT].frames), said,
			worst / 1000.0, kib);
	NEED(run_until_acked(d, 20000));
	NEED(worst < 500000);
	NEED(kib < 64 * 1024);
	NEED(has_commands(d, "quiet", said));
	NEED(has_commands(d, "loud", i));
	NEED(WEXITSTATUS(dock_stop(d, SIGTERM)) == 0);
	return 0;
}

/* Rubbish on every port, half frames, lies: the node is flagged, its neighbour notices nothing, and
 * what it says in good order afterwards is kept. */
static int garbage(Dock *d)
{
	dock_start(d);
	Node *bad = dock_add_node(d, "bad"), *good = dock_add_node(d, "good");
	g_autofree guint8 *rubbish = g_malloc(200000);

	say_command(bad, 0);
	say_command(good, 0);
	NEED(run_until_acked(d, 2000));
	for (guint round = 0; round < 12; round++) {
		randombytes_buf(rubbish, 200000);
		for (guint k = 0; k < ISC_N_CHANNELS; k++)
			for (guint at = 0; at < 200000;) {
				ssize_t n = send(bad->ports[k].fd, rubbish + at, 200000 - at,
						MSG_DONTWAIT | MSG_NOSIGNAL);
				at += (guint)MAX(n, 0);
				dock_run(d, 1);
			}
		/* The frame with which the parser finds its way again. */
		say_command(bad, round + 1);
		say_event(bad, ISC_EVENT_HEARTBEAT, 0, 0);
		say_command(good, round + 1);
		NEED(run_until_acked(d, 2000));
	}
	say_event(bad, 77, 0, 0);
	say_event(bad, ISC_EVENT_READY, 0, 0);
	NEED(run_until_acked(d, 2000));
	const IscLinkMsg *m = find_said(d, ISC_LINK_BAD, "bad");
	NEED(m && m->a >= 10);
	NEED(!find_said(d, ISC_LINK_BAD, "good"));
	NEED(find_said(d, ISC_LINK_EVENT, "bad")->a == ISC_EVENT_READY);
	NEED(has_commands(d, "good", 13));
	NEED(has_commands(d, "bad", 13));

	/* Half a frame, then nothing. */
	g_array_set_size(d->said, 0);
	GBytes *frame;
	say_command(bad, 13);
	frame = g_queue_peek_tail(&bad->ports[ISC_CHANNEL_AUDIT].frames);
	Port *p = &bad->ports[ISC_CHANNEL_AUDIT];
	p->resumed = FALSE;
	NEED(send(p->fd, g_bytes_get_data(frame, NULL), 100, MSG_NOSIGNAL) == 100);
	for (guint i = 0; i < 2000 && !find_said(d, ISC_LINK_BAD, "bad"); i++) {
		if (i % 10 == 0)
			say_command(good, 13 + i / 10);
		dock_run(d, 10);
	}
	m = find_said(d, ISC_LINK_BAD, "bad");
	/* Told only when the count doubled; the trail has it either way. */
	fprintf(stderr, "slowest of good: %.1f ms\n",
			good->ports[ISC_CHANNEL_AUDIT].worst_ack / 1000.0);
	p->resumed = TRUE;
	p->sent_bytes = 0;
	NEED(run_until_acked(d, 5000));
	NEED(good->ports[ISC_CHANNEL_AUDIT].worst_ack < 500000);
	NEED(has_commands(d, "bad", 14));
	NEED(WEXITSTATUS(dock_stop(d, SIGTERM)) == 0);
	return 0;
}

/* Claims go up, orders go down, and a new isc-dockd learns what it missed. */
static int claims(Dock *d)
{
	dock_start(d);
	Node *n = dock_add_node(d, "web");
	say_event(n, ISC_EVENT_BOOTED, 0, 0);
	say_event(n, ISC_EVENT_STARTED, 42, 0);
	say_event(n, ISC_EVENT_HEARTBEAT, 3, 1);
	say_event(n, ISC_EVENT_READY, -5, 6);
	NEED(run_until_acked(d, 2000));
	const IscLinkMsg *m = find_said(d, ISC_LINK_EVENT, "web");
	NEED(m && m->a == ISC_EVENT_READY && m->b == -5 && m->c == 6 && m->flags == 0 &&
			m->slot == 7);

	dock_send(d, ISC_LINK_ORDER, "web", 0, ISC_ORDER_FREEZE, 12345, 3000, "", -1);
	for (guint i = 0; i < 100 && !n->ports[ISC_CHANNEL_CONTROL].orders; i++)
		dock_run(d, 10);
	const IscWireOrder *o = &n->ports[ISC_CHANNEL_CONTROL].order;
	NEED(o->kind == ISC_ORDER_FREEZE && o->id == 12345 && o->a == 3000);

	/* isc-dockd goes, the node does not notice. */
	close(d->link);
	g_array_set_size(d->said, 0);
	say_command(n, 0);
	dock_connect(d);
	NEED(run_until_acked(d, 2000));
	m = find_said(d, ISC_LINK_EVENT, "web");
	NEED(m && m->a == ISC_EVENT_READY && m->b == -5 && m->flags == 1);
	NEED(d->said->len == 3);

	/* … and a second one takes the place of the first. */
	int old = d->link;
	dock_connect(d);
	gchar byte;
	NEED(wait_said(d, ISC_LINK_EVENT, "web", 1000));
	struct pollfd gone = { old, POLLIN, 0 };
	NEED(poll(&gone, 1, 1000) == 1 && recv(old, &byte, 1, MSG_DONTWAIT) <= 0);
	close(old);

	/* The guest boots again within the same connection and waits for RESUME, which it gets when
	 * it was silent. */
	randombytes_buf(&n->session, sizeof n->session);
	g_array_set_size(d->said, 0);
	for (guint k = 0; k < ISC_N_CHANNELS; k++) {
		Port *p = &n->ports[k];
		p->next_seq = p->sent_seq = p->head_seq = 1;
		p->resumed = FALSE;
	}
	say_event(n, ISC_EVENT_BOOTED, 0, 0);
	say_line(n, 0);
	say_command(n, 1);
	NEED(run_until_acked(d, 40000));
	NEED(find_said(d, ISC_LINK_EVENT, "web")->a == ISC_EVENT_BOOTED);

	dock_send(d, ISC_LINK_ORDER, "none", 0, ISC_ORDER_THAW, 1, 0, "", -1);
	NEED(wait_said(d, ISC_LINK_CLOSED, "none", 1000));
	dock_send(d, ISC_LINK_FORGET, "none", 0, 0, 0, 0, "", -1);
	NEED(wait_said(d, ISC_LINK_FORGOTTEN, "none", 1000));
	port_hung_up(&n->ports[ISC_CHANNEL_LOG]);
	m = wait_said(d, ISC_LINK_CLOSED, "web", 1000);
	NEED(m && m->channel == ISC_CHANNEL_LOG);
	NEED(WEXITSTATUS(dock_stop(d, SIGTERM)) == 0);
	return 0;
}

/* Who writes no message of the link is cut off, and nothing else happens. */
static int intruder(Dock *d)
{
	dock_start(d);
	Node *n = dock_add_node(d, "web");
	say_command(n, 0);
	NEED(run_until_acked(d, 2000));
	gchar byte;
	for (guint i = 0; i < 4; i++) {
		IscLinkMsg m = {
			.version = ISC_LINK_VERSION, .kind = ISC_LINK_FLUSH, .node = "web"
		};
		gsize len = sizeof m;
		if (i == 0)
			m.version = 99;
		else if (i == 1)
			g_strlcpy(m.node, "../web", sizeof m.node);
		else if (i == 2)
			m.kind = ISC_LINK_ATTACH; /* without a descriptor */
		else
			len = 5;
		NEED(send(d->link, &m, len, MSG_NOSIGNAL) == (ssize_t)len);
		struct pollfd gone = { d->link, POLLIN, 0 };
		/* What it said first is still there. */
		ssize_t got = 1;
		while (got > 0 && poll(&gone, 1, 2000) == 1)
			got = recv(d->link, &byte, 1, 0);
		NEED(got <= 0);
		close(d->link);
		dock_connect(d);
	}
	say_command(n, 1);
	NEED(run_until_acked(d, 2000));
	NEED(has_commands(d, "web", 2));
	NEED(WEXITSTATUS(dock_stop(d, SIGTERM)) == 0);
	return 0;
}

/* A server of one answer at 127.0.0.1; returns a socket connected to it. */
static int serve(const gchar *answer, pid_t *child)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (struct sockaddr *)&a, len) != 0 || listen(l, 1) != 0 ||
			getsockname(l, (struct sockaddr *)&a, &len) != 0 ||
			connect(c, (struct sockaddr *)&a, len) != 0)
		g_error("loopback: %s", g_strerror(errno));
	*child = fork();
	if (*child == 0) {
		gchar buf[512];
		int s = accept(l, NULL, NULL);
		ssize_t n = recv(s, buf, sizeof buf, 0);
		static const gchar want[] = "GET /ready HTTP/1.0\r\nHost: node\r\n\r\n";
		if (n != sizeof want - 1 || memcmp(buf, want, (gsize)n) != 0)
			_exit(1);
		if (!answer)
			pause();
		if (send(s, answer, strlen(answer), MSG_NOSIGNAL) < 0)
			_exit(1);
		_exit(0);
	}
	close(l);
	return c;
}

static int probes(Dock *d)
{
	static const struct {
		const gchar *answer;
		gint64 status;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\n\r\n", 200 },
		{ "HTTP/1.0 503 no\r\n\r\n", 503 },
		{ "HTTP/1.1 999 odd\r\n", -1 },
		{ "SSH-2.0-x\r\n", -1 },
		{ "HTTP/1.", -1 },
		{ "", -1 },
		{ NULL, 0 },
	};
	dock_start(d);
	for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
		pid_t child;
		int fd = serve(cases[i].answer, &child);
		g_array_set_size(d->said, 0);
		dock_send(d, ISC_LINK_PROBE, "web", 0, 70 + i, 300, 0, "/ready", fd);
		close(fd);
		const IscLinkMsg *m = wait_said(d, ISC_LINK_PROBED, "web", 2000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		NEED(m && m->a == 70 + i);
		if (m->b != cases[i].status)
			fprintf(stderr, "case %u: %" G_GINT64_FORMAT "\n", i, m->b);
		NEED(m->b == cases[i].status);
	}
	NEED(WEXITSTATUS(dock_stop(d, SIGTERM)) == 0);
	return 0;
}

/* Runs until told to stop on stdin, so that a shell can look at the process; prints its pid. */
static int hold(Dock *d)
{
	dock_start(d);
	Node *n = dock_add_node(d, "web");
	say_event(n, ISC_EVENT_READY, 0, 0);
	say_command(n, 0);
	say_line(n, 0);
	NEED(run_until_acked(d, 3000));
	printf("%d\n", d->pid);
	fflush(stdout);
	gchar byte;
	while (read(0, &byte, 1) < 0)
		;
	say_command(n, 1);
	NEED(run_until_acked(d, 3000));
	NEED(WEXITSTATUS(dock_stop(d, SIGTERM)) == 0);
	NEED(has_commands(d, "web", 2));
	return 0;
}

/* No room on the disk: what was acknowledged stays, what was not comes again when there is room. */
static int full_disk(Dock *d, const gchar *filler)
{
	dock_start(d);
	Node *n = dock_add_node(d, "web");
	guint i = 0;
	for (; i < 2000; i++)
		say_command(n, i);
	for (guint k = 0; k < 500 && !find_said(d, ISC_LINK_REFUSED, "web"); k++)
		dock_run(d, 10);
	const IscLinkMsg *m = find_said(d, ISC_LINK_REFUSED, "web");
	NEED(m && m->a == ENOSPC);
	NEED(!all_acked(d));
	NEED(unlink(filler) == 0);
	for (; i < 2100; i++)
		say_command(n, i);
	NEED(run_until_acked(d, 20000));
	NEED(has_commands(d, "web", i));
	NEED(WEXITSTATUS(dock_stop(d, SIGTERM)) == 0);
	return 0;
}

static int verify(const gchar *path, const gchar *pub)
{
	isc_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g_auto(IscTrailReport) r = { 0 };
	g_autoptr(GError) error = NULL;
	guint8 root[32];
	IscTrailExpect expect = { 0 };

	if (pub) {
		g_autofree gchar *text = isc_file_read(AT_FDCWD, pub, 128, NULL, &error);
		if (!text || !isc_seal_pub_parse(text, strlen(text), root, &error)) {
			fprintf(stderr, "%s\n", error->message);
			return 2;
		}
		expect.root = root;
	}
	if (isc_trail_verify_dir(fd, &expect, NULL, NULL, &r, &error)) {
		printf("good %" G_GUINT64_FORMAT "\n", r.records);
		return 0;
	}
	fprintf(stderr, "%s\n", error->message);
	printf("%s %" G_GUINT64_FORMAT "\n", isc_trail_fault_name(r.fault), r.record);
	return 7;
}

int main(int argc, char **argv)
{
	if (argc < 3 || sodium_init() < 0)
		return 2;
	if (strcmp(argv[1], "verify") == 0)
		return verify(argv[2], argv[3]);
	if (argc < 4)
		return 2;
	Dock dock = { .collectord = argv[2], .dir = argv[3], .link = -1 }, *d = &dock;
	d->said = g_array_new(FALSE, FALSE, sizeof(IscLinkMsg));
	d->user = g_getenv("COLLECTOR_USER");
	signal(SIGPIPE, SIG_IGN);
	guint n = argc > 4 ? (guint)strtoul(argv[4], NULL, 10) : 5;
	return strcmp(argv[1], "feed") == 0        ? feed(d, n)
	       : strcmp(argv[1], "gap") == 0       ? gap(d, n)
	       : strcmp(argv[1], "rotate") == 0    ? rotate(d)
	       : strcmp(argv[1], "kills") == 0     ? kills(d, n)
	       : strcmp(argv[1], "flood") == 0     ? flood(d, n)
	       : strcmp(argv[1], "garbage") == 0   ? garbage(d)
	       : strcmp(argv[1], "claims") == 0    ? claims(d)
	       : strcmp(argv[1], "intruder") == 0  ? intruder(d)
	       : strcmp(argv[1], "probes") == 0    ? probes(d)
	       : strcmp(argv[1], "hold") == 0      ? hold(d)
	       : strcmp(argv[1], "full-disk") == 0 ? full_disk(d, argv[4])
						   : 2;
}
