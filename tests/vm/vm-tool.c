/* Drives dock/engine/vm-* and the renderer by hand and by tests: one command a line on stdin, one
 * line of answer each: ok COMMAND MS …        error COMMAND CODE MESSAGE and, in between, what
 * happens: "event KIND DOMAIN DETAIL", "connection up|down WHY", "channel NAME accept uid=U pid=P",
 * "channel NAME data TEXT", "channel NAME hup".  Ends at the end of stdin. */
#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "collector/wire.h"
#include "engine/accel.h"
#include "engine/vm-backup.h"
#include "engine/vm-domain.h"
#include "engine/vm-libvirt.h"
#include "engine/vm-secret.h"
#include "engine/volume.h"
#include "render/domain-xml.h"

typedef struct {
	IscVm *vm;
	GMainLoop *loop;
	GMutex lock;
	GCond happened;
	GString *seen; /* every event line since the last "forget" */
	int listeners[ISC_N_CHANNELS], conns[ISC_N_CHANNELS];
	int exit_status;
} Tool;

static const gchar *const channels[] = { "audit", "log", "control" };

static void say(Tool *tool, const gchar *format, ...) G_GNUC_PRINTF(2, 3);
static void say(Tool *tool, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *line = g_strdup_vprintf(format, args);
	va_end(args);

	g_mutex_lock(&tool->lock);
	puts(line);
	fflush(stdout);
	g_string_append_printf(tool->seen, "%s\n", line);
	g_cond_broadcast(&tool->happened);
	g_mutex_unlock(&tool->lock);
}

static void on_connection(gpointer data, gboolean up, const gchar *why)
{
	say(data, "connection %s %s", up ? "up" : "down", why);
}

static void on_event(gpointer data, const IscVmEvent *event)
{
	say(data, "event %s %s %s", isc_vm_event_name(event->kind), event->domain, event->detail);
}

/* --- channels
 * ------------------------------------------------------------------------------------- */

typedef struct {
	Tool *tool;
	guint channel;
} Port;

static gpointer serve(gpointer data)
{
	g_autofree Port *port = data;
	Tool *tool = port->tool;
	const gchar *name = channels[port->channel];

	for (;;) {
		isc_autofd int fd =
				accept4(tool->listeners[port->channel], NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return NULL;
		struct ucred who;
		socklen_t len = sizeof who;
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
		tool->conns[port->channel] = fd;
		say(tool, "channel %s accept uid=%u gid=%u pid=%d", name, who.uid, who.gid,
				who.pid);
		gchar bytes[4096];
		gssize n;
		while ((n = read(fd, bytes, sizeof bytes - 1)) > 0) {
			bytes[n] = '\0';
			g_auto(GStrv) lines = g_strsplit(g_strchomp(bytes), "\n", -1);
			for (gchar **line = lines; *line; line++)
				if (strcmp(*line, "beat") != 0)
					say(tool, "channel %s data %s", name, *line);
		}
		tool->conns[port->channel] = -1;
		say(tool, "channel %s hup", name);
	}
}

/* listen DIR UID GID: the dock's side of the three channels. */
static gboolean do_listen(Tool *tool, gchar **arg, GError **error)
{
	for (guint i = 0; i < ISC_N_CHANNELS; i++) {
		struct sockaddr_un at = { .sun_family = AF_UNIX };
		g_snprintf(at.sun_path, sizeof at.sun_path, "%s/%s.sock", arg[1], channels[i]);
		g_unlink(at.sun_path);
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
				listen(fd, 1) < 0 ||
				chown(at.sun_path, (uid_t)atol(arg[2]), (gid_t)atol(arg[3])) < 0 ||
				chmod(at.sun_path, 0660) < 0)
			return isc_error_set_errno(error, errno, "listen on %s", at.sun_path);
		tool->listeners[i] = fd;
		tool->conns[i] = -1;
		Port *port = g_new(Port, 1);
		*port = (Port){ tool, i };
		g_thread_unref(g_thread_new("port", serve, port));
	}
	return TRUE;
}

static gboolean do_send(Tool *tool, gchar **arg, GError **error)
{
	g_autofree gchar *line = g_strconcat(arg[2], "\n", NULL);
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		if (strcmp(arg[1], channels[i]) == 0)
			return isc_file_write_all(tool->conns[i], line, strlen(line), error);
	return FALSE;
}

/* hangup: the collector is restarted; QEMU must come back by itself. */
static gboolean do_hangup(Tool *tool, gchar **arg, GError **error)
{
	(void)arg, (void)error;
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		if (tool->conns[i] >= 0)
			shutdown(tool->conns[i], SHUT_RDWR);
	return TRUE;
}

/* --- rendering
 * ------------------------------------------------------------------------------------ */

/* render TEMPLATE OUT KEY=VALUE…; sockets are DIR/audit.sock … */
static gboolean do_render(Tool *tool, gchar **arg, GError **error)
{
	g_autoptr(GHashTable) v = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	(void)tool;
	for (gchar **pair = arg + 3; *pair; pair++) {
		gchar *eq = strchr(*pair, '=');
		if (eq)
			g_hash_table_insert(v, g_strndup(*pair, (gsize)(eq - *pair)), eq + 1);
	}
#define GET(key) ((gchar *)g_hash_table_lookup(v, key))
#define NUM(key) (GET(key) ? (guint)g_ascii_strtoull(GET(key), NULL, 10) : 0)
	const IscMachine machine = strstr(arg[1], "q35") ? ISC_MACHINE_Q35 : ISC_MACHINE_MICROVM;
	const IscAccel accel = isc_accel_probe(&isc_accel_host, NULL);
	g_autofree gchar *cmdline = isc_domain_cmdline(
			machine, accel, isc_accel_tsc_khz(&isc_accel_host), GET("console") != NULL);
	g_autofree gchar *sockets[ISC_N_CHANNELS];
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		sockets[i] = g_strdup_printf("%s/%s.sock", GET("sockets"), channels[i]);
	gchar *digest = g_strnfill(64, 'a');
	IscDomainParams p = {
		.name = GET("name"),
		.uuid = GET("uuid"),
		.title = "ISC node of a test",
		.description = "made by vm-tool",
		.accel = accel,
		.memory_mib = NUM("memory"),
		.vcpus = NUM("vcpus"),
		.kernel = GET("kernel"),
		.initrd = GET("initrd"),
		.root = GET("root"),
		.cmdline = cmdline,
		.fwcfg = GET("fwcfg"),
		.overlay = GET("overlay"),
		.overlay_secret = GET("secret"),
		.tap = GET("tap"),
		.mac = GET("mac"),
		.uid = NUM("uid"),
		.gid = NUM("gid"),
		.sockets = { sockets[0], sockets[1], sockets[2] },
		.console = GET("console"),
		.limits = { .cpu_percent = NUM("cpu_percent"), .iops = NUM("disk_iops") },
		.meta = { .slot = NUM("slot"),
				.address = (gchar *)"10.77.0.2",
				.environment = (gchar *)"development",
				.image_name = (gchar *)"test",
				.image_version = (gchar *)"1",
				.image_digest = digest,
				.image_status = (gchar *)"grey",
				.spec_digest = digest,
				.emulated = accel == ISC_ACCEL_TCG },
	};
	g_autofree gchar *template = NULL;
	gsize len = 0;
	gboolean ok = FALSE;
	template = isc_file_read(AT_FDCWD, arg[1], ISC_DOMAIN_TEMPLATE_MAX, &len, error);
	g_autofree gchar *xml = template ? isc_domain_xml_render(template, len, &p, error) : NULL;
	if (xml)
		ok = g_file_set_contents(arg[2], xml, -1, error);
	for (guint i = 0; i < ISC_N_CHANNELS; i++)
		g_free(g_steal_pointer(&sockets[i]));
	g_free(digest);
	return ok;
}

/* --- libvirt
 * -------------------------------------------------------------------------------------- */

static gboolean do_define(Tool *tool, gchar **arg, GError **error)
{
	g_autofree gchar *xml = isc_file_read(AT_FDCWD, arg[1], 1 << 20, NULL, error);
	return xml && isc_vm_define(tool->vm, xml, error);
}

static gboolean do_undefine(Tool *tool, gchar **arg, GError **error)
{
	return isc_vm_undefine(tool->vm, arg[1], error);
}

static gboolean do_start(Tool *tool, gchar **arg, GError **error)
{
	return isc_vm_start(tool->vm, arg[1], g_strcmp0(arg[2], "paused") == 0, error);
}

static gboolean do_destroy(Tool *tool, gchar **arg, GError **error)
{
	return isc_vm_destroy(tool->vm, arg[1], error);
}

static gboolean do_suspend(Tool *tool, gchar **arg, GError **error)
{
	return isc_vm_suspend(tool->vm, arg[1], error);
}

static gboolean do_resume(Tool *tool, gchar **arg, GError **error)
{
	return isc_vm_resume(tool->vm, arg[1], error);
}

static gboolean do_link(Tool *tool, gchar **arg, GError **error)
{
	return isc_vm_set_link(tool->vm, arg[1], strcmp(arg[2], "up") == 0, error);
}

static gboolean do_state(Tool *tool, gchar **arg, GError **error)
{
	IscVmState state;
	if (!isc_vm_state(tool->vm, arg[1], &state, error))
		return FALSE;
	say(tool, "state %s %s", arg[1], isc_vm_state_name(state));
	return TRUE;
}

static gboolean do_list(Tool *tool, gchar **arg, GError **error)
{
	(void)arg;
	g_autoptr(GPtrArray) list = isc_vm_list(tool->vm, error);
	if (!list)
		return FALSE;
	for (guint i = 0; i < list->len; i++) {
		const IscVmInfo *info = g_ptr_array_index(list, i);
		g_autoptr(IscDomainMeta) meta =
				isc_domain_meta_parse(info->xml, strlen(info->xml), NULL);
		say(tool, "domain %s %s %s slot=%u image=%s", info->domain, info->uuid,
				isc_vm_state_name(info->state), meta ? meta->slot : 0,
				meta ? meta->image_name : "-");
	}
	return TRUE;
}

static gboolean do_stats(Tool *tool, gchar **arg, GError **error)
{
	(void)arg;
	g_autoptr(GPtrArray) list = isc_vm_stats(tool->vm, error);
	if (!list)
		return FALSE;
	for (guint i = 0; i < list->len; i++) {
		const IscVmStats *s = g_ptr_array_index(list, i);
		say(tool,
				"stats %s %s cpu_ms=%" G_GUINT64_FORMAT
				" rss_kib=%" G_GUINT64_FORMAT " read=%" G_GUINT64_FORMAT
				" write=%" G_GUINT64_FORMAT,
				s->domain, isc_vm_state_name(s->state), s->cpu_ns / 1000000,
				s->memory_kib, s->read_bytes, s->write_bytes);
	}
	return TRUE;
}

static gboolean do_pid(Tool *tool, gchar **arg, GError **error)
{
	(void)error;
	say(tool, "pid %s %d", arg[1], isc_vm_pid(NULL, arg[1]));
	return TRUE;
}

/* volume PATH TEMPLATES MIB KEYFILE UID */
static gboolean do_volume(Tool *tool, gchar **arg, GError **error)
{
	(void)tool;
	g_autofree gchar *key = isc_file_read(AT_FDCWD, arg[4], 64, NULL, error);
	uid_t uid = (uid_t)atol(arg[5]);
	return key && isc_volume_create(arg[1], arg[2], (guint)atoi(arg[3]), key, uid, uid, error);
}

/* secret UUID USAGE KEYFILE */
static gboolean do_secret(Tool *tool, gchar **arg, GError **error)
{
	gsize len = 0;
	g_autofree gchar *key = isc_file_read(AT_FDCWD, arg[3], 128, &len, error);
	if (!key)
		return FALSE;
	gboolean ok = isc_vm_secret_set(tool->vm, arg[1], arg[2], key, error);
	explicit_bzero(key, len);
	return ok;
}

static gboolean do_unsecret(Tool *tool, gchar **arg, GError **error)
{
	return isc_vm_secret_unset(tool->vm, arg[1], error);
}

static void progress(gpointer data, guint64 done, guint64 total)
{
	say(data, "progress %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT, done, total);
}

static void begun(gpointer data)
{
	say(data, "begun");
}

/* backup DOMAIN DEV PATH SECRET MS [cancel] */
static gboolean do_backup(Tool *tool, gchar **arg, GError **error)
{
	const IscVmBackupDisk disk = { arg[2], arg[3], arg[4] };
	g_autoptr(GCancellable) cancel = g_cancellable_new();
	return isc_vm_backup(tool->vm, arg[1], &disk, 1, (guint)atoi(arg[5]), cancel, begun,
			progress, tool, error);
}

/* leak KEYFILE: is the key anywhere in this process?  The needle is kept inverted, so as not to
 * find itself. */
static gboolean do_leak(Tool *tool, gchar **arg, GError **error)
{
	guint8 needle[64], page[1 << 16];
	guint found = 0;
	{
		isc_autofd int fd = open(arg[1], O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, needle, sizeof needle) != sizeof needle)
			return isc_error_set_errno(error, errno, "%s", arg[1]);
		for (guint i = 0; i < sizeof needle; i++)
			needle[i] = (guint8)~needle[i];
	}
	g_autoptr(FILE) maps = fopen("/proc/self/maps", "re");
	isc_autofd int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	gchar line[512];
	while (maps && fgets(line, sizeof line, maps)) {
		guint64 from, to;
		gchar r;
		if (sscanf(line, "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x %c", &from, &to,
				    &r) != 3 ||
				r != 'r' || strstr(line, "[v"))
			continue;
		for (guint64 at = from; at < to; at += sizeof page - sizeof needle) {
			gssize n = pread(mem, page, MIN(sizeof page, to - at), (off_t)at);
			for (gssize i = 0; i + (gssize)sizeof needle <= n; i++) {
				guint k = 0;
				while (k < sizeof needle && (page[i + k] ^ needle[k]) == 0xff)
					k++;
				if (k == sizeof needle) {
					found++;
					memset(page + i, 0, k);
				}
			}
		}
	}
	memset(page, 0, sizeof page);
	say(tool, "leak %u", found);
	return TRUE;
}

static gboolean do_connected(Tool *tool, gchar **arg, GError **error)
{
	(void)arg, (void)error;
	say(tool, "connected %s", isc_vm_is_connected(tool->vm) ? "yes" : "no");
	return TRUE;
}

static gboolean do_accel(Tool *tool, gchar **arg, GError **error)
{
	(void)arg, (void)error;
	g_autofree gchar *why = NULL;
	IscAccel accel = isc_accel_probe(&isc_accel_host, &why);
	say(tool, "accel %s %u %s", isc_accel_name(accel), isc_accel_tsc_khz(&isc_accel_host), why);
	return TRUE;
}

static gboolean do_forget(Tool *tool, gchar **arg, GError **error)
{
	(void)arg, (void)error;
	g_mutex_lock(&tool->lock);
	g_string_truncate(tool->seen, 0);
	g_mutex_unlock(&tool->lock);
	return TRUE;
}

/* wait MS TEXT…: until a line with TEXT has been said since the last "forget". */
static gboolean do_wait(Tool *tool, gchar **arg, GError **error)
{
	gint64 until = g_get_monotonic_time() + (gint64)atoi(arg[1]) * 1000;
	g_autofree gchar *text = g_strjoinv(" ", arg + 2);
	gboolean there = TRUE;

	g_mutex_lock(&tool->lock);
	while (!strstr(tool->seen->str, text) && there)
		there = g_cond_wait_until(&tool->happened, &tool->lock, until);
	g_mutex_unlock(&tool->lock);
	if (!there)
		g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT, "'%s' did not happen", text);
	return there;
}

static const struct {
	const gchar *name;
	guint n_args;
	gboolean (*run)(Tool *tool, gchar **arg, GError **error);
} commands[] = {
	{ "render", 3, do_render },
	{ "listen", 3, do_listen },
	{ "send", 2, do_send },
	{ "hangup", 0, do_hangup },
	{ "define", 1, do_define },
	{ "undefine", 1, do_undefine },
	{ "start", 1, do_start },
	{ "destroy", 1, do_destroy },
	{ "suspend", 1, do_suspend },
	{ "resume", 1, do_resume },
	{ "link", 2, do_link },
	{ "state", 1, do_state },
	{ "list", 0, do_list },
	{ "stats", 0, do_stats },
	{ "pid", 1, do_pid },
	{ "secret", 3, do_secret },
	{ "volume", 5, do_volume },
	{ "unsecret", 1, do_unsecret },
	{ "backup", 5, do_backup },
	{ "leak", 1, do_leak },
	{ "connected", 0, do_connected },
	{ "accel", 0, do_accel },
	{ "forget", 0, do_forget },
	{ "wait", 2, do_wait },
};

static void obey(Tool *tool, gchar *line)
{
	g_auto(GStrv) arg = g_strsplit(g_strstrip(line), " ", -1);
	if (!arg[0] || !*arg[0])
		return;
	for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
		if (strcmp(commands[i].name, arg[0]) != 0 ||
				g_strv_length(arg) <= commands[i].n_args)
			continue;
		g_autoptr(GError) error = NULL;
		gint64 t = g_get_monotonic_time();
		if (commands[i].run(tool, arg, &error))
			say(tool, "ok %s %.1f", line, (gdouble)(g_get_monotonic_time() - t) / 1000);
		else
			say(tool, "error %s %s %s", line,
					error && error->domain == ISC_ERROR
							? isc_error_dbus_name((IscError)error->code)
							: "other",
					error ? error->message : "");
		return;
	}
	say(tool, "error %s usage", line);
}

static gpointer read_commands(gpointer data)
{
	Tool *tool = data;
	gchar line[4096];

	while (fgets(line, sizeof line, stdin))
		obey(tool, line);
	g_main_loop_quit(tool->loop);
	return NULL;
}

int main(int argc, char **argv)
{
	static const IscVmOwner owner = { on_connection, on_event };
	Tool tool = { .seen = g_string_new(NULL) };

	isc_vm_wipe_freed_memory();
	isc_vm_register_events();
	tool.loop = g_main_loop_new(NULL, FALSE);
	tool.vm = isc_vm_new(argc > 1 ? argv[1] : NULL, &owner, &tool);
	g_autoptr(GError) error = NULL;
	if (!isc_vm_connect(tool.vm, &error))
		say(&tool, "error connect %s %s", isc_error_dbus_name((IscError)error->code),
				error->message);
	g_thread_unref(g_thread_new("commands", read_commands, &tool));
	g_main_loop_run(tool.loop);
	isc_vm_free(tool.vm);
	g_main_loop_unref(tool.loop);
	return 0;
}
