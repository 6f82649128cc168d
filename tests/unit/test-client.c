/* isc-vm as a whole against a bus of its own and a dock that is played: what it sends, what it
 * prints, how it ends. The fake is registered with the interface that gdbus-codegen made, so that
 * it cannot drift from the API. */
#include "cm.h"

#include <fcntl.h>
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "iscdock-dbus.h"
#include "model/anchors.h"
#include "model/image.h"
#include "trail-fixture.h"

#define AS_ISC_VM "--as-isc-vm" /* then this program is isc-vm */

static const gchar *self; /* argv[0] */

typedef struct {
	GTestDBus *daemon;
	GDBusConnection *bus;
	GHashTable *answers; /* method → text of the reply's tuple, or "!ERROR-NAME message", or
				"?": none */
	GString *calls;      /* "NODE.Method ARGS\n" */
	gchar *dir, *trail;  /* a folder; a file in it, which OpenTrail and OpenChain open */
	Folder *chain;       /* where it is set, OpenChain opens the trail in it … */
	Folder *own;         /* … and in this one the dock's own */
	GString *imported;   /* "NAME=CONTENT\n" of the fds that ImportImage got */
	const gchar *signal_text; /* emitted as Progress before the answer, or NULL */
} Fake;

/* --- the dock that is played --- */

static void answer(Fake *fake, const gchar *method, const gchar *reply)
{
	g_hash_table_insert(fake->answers, (gpointer)method, (gpointer)reply);
}

static void emit(Fake *fake, const gchar *signal, GVariant *params)
{
	assert_true(g_dbus_connection_emit_signal(
			fake->bus, NULL, ISC_CLIENT_PATH, ISC_CLIENT_IFACE, signal, params, NULL));
}

static void take_files(Fake *fake, GVariant *params, GDBusMethodInvocation *call)
{
	GUnixFDList *fds =
			g_dbus_message_get_unix_fd_list(g_dbus_method_invocation_get_message(call));
	g_autoptr(GVariantIter) iter = NULL;
	const gchar *name;
	gint32 handle;
	g_variant_get(params, "(a{sh}a{sv})", &iter, NULL);
	while (g_variant_iter_next(iter, "{&sh}", &name, &handle)) {
		gchar content[32] = "";
		isc_autofd int fd = g_unix_fd_list_get(fds, handle, NULL);
		gssize n = pread(fd, content, 16, 0);
		assert_true(n >= 0);
		g_string_append_printf(fake->imported, "%s=%s\n", name, content);
	}
}

static void open_file(GUnixFDList *fds, GVariantBuilder *out, const gchar *path)
{
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	g_variant_builder_add(out, "h", g_unix_fd_list_append(fds, fd, NULL));
}

/* One pair an answer, as if the bus let no more through. */
static void open_chain(Fake *fake, GVariant *params, GDBusMethodInvocation *call)
{
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
	GVariantBuilder logs, chains, key;
	guint from, number = 0;
	const gchar *name;
	g_variant_get(params, "(&su)", &name, &from);
	gboolean is_packets = *name == '+'; /* the file, where there is one */
	gboolean is_own = g_str_equal(name, "@dock") && fake->own;
	if (is_packets && access(fake->trail, F_OK) != 0) {
		g_dbus_method_invocation_return_dbus_error(
				call, "org.iscdock.Error.NotFound", "no packet was dropped");
		return;
	}
	g_variant_builder_init(&logs, G_VARIANT_TYPE("ah"));
	g_variant_builder_init(&chains, G_VARIANT_TYPE("ah"));
	g_variant_builder_init(&key, G_VARIANT_TYPE("ah"));

	const Folder *folder = is_own ? fake->own : fake->chain;
	const gchar *dir = folder && !is_packets ? folder->path : NULL;
	g_autofree gchar *closed = g_strdup_printf("%s/audit.log.%u", dir, MAX(from, 1));
	if (dir && access(closed, F_OK) == 0)
		number = MAX(from, 1);
	g_autofree gchar *dot = number ? g_strdup_printf(".%u", number) : g_strdup("");
	g_autofree gchar *log =
			dir ? g_strdup_printf("%s/audit.log%s", dir, dot) : g_strdup(fake->trail);
	g_autofree gchar *chain =
			dir ? g_strdup_printf("%s/audit.chain%s", dir, dot) : g_strdup("/dev/null");
	g_autofree gchar *pub = dir ? g_strdup_printf("%s/seal.pub", dir) : g_strdup("/dev/null");
	open_file(fds, &logs, log);
	open_file(fds, &chains, chain);
	open_file(fds, &key, access(pub, F_OK) == 0 ? pub : "/dev/null");
	g_autoptr(GVariant) keys = g_variant_ref_sink(g_variant_builder_end(&key));
	gint32 handle;
	g_variant_get_child(keys, 0, "h", &handle);
	g_dbus_method_invocation_return_value_with_unix_fd_list(call,
			g_variant_new("(@auahahhu)",
					g_variant_new_fixed_array(
							G_VARIANT_TYPE_UINT32, &number, 1, 4),
					&logs, &chains, handle, number ? number + 1 : 0),
			fds);
}

static void on_call(GDBusConnection *bus, const gchar *sender, const gchar *path,
		const gchar *iface, const gchar *method, GVariant *params,
		GDBusMethodInvocation *call, gpointer data)
{
	(void)bus, (void)sender, (void)iface;
	Fake *fake = data;
	const gchar *reply = g_hash_table_lookup(fake->answers, method);
	g_autofree gchar *text = g_variant_print(params, FALSE);
	const gchar *node = strrchr(path, '/') + 1;
	g_string_append_printf(fake->calls, "%s.%s %s\n", node, method, text);

	if (fake->signal_text)
		emit(fake, "Progress",
				g_variant_new("(stuus)", node, (guint64)1, 2, 5,
						fake->signal_text));
	if (g_str_equal(method, "ImportImage"))
		take_files(fake, params, call);
	if (g_str_equal(method, "OpenTrail") && !reply) {
		g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
		isc_autofd int fd = open(fake->trail, O_RDONLY | O_CLOEXEC);
		gint handle = g_unix_fd_list_append(fds, fd, NULL);
		g_dbus_method_invocation_return_value_with_unix_fd_list(
				call, g_variant_new("(h)", handle), fds);
		return;
	}
	if (g_str_equal(method, "OpenChain") && !reply) {
		open_chain(fake, params, call);
		return;
	}
	if (!reply)
		reply = "(@a{sv} {},)";
	if (*reply == '?') {
		g_object_unref(call); /* silence */
		return;
	}
	if (*reply == '!') {
		g_auto(GStrv) parts = g_strsplit(reply + 1, " ", 2);
		g_dbus_method_invocation_return_dbus_error(call, parts[0], parts[1]);
		return;
	}
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) value = g_variant_parse(NULL, reply, NULL, NULL, &error);
	assert_no_error(error);
	g_dbus_method_invocation_return_value(call, value);
}

static GVariant *on_get(GDBusConnection *bus, const gchar *sender, const gchar *path,
		const gchar *iface, const gchar *property, GError **error, gpointer data)
{
	(void)bus, (void)sender, (void)path, (void)iface, (void)error, (void)data;
	if (g_str_equal(property, "Emulated"))
		return g_variant_new_boolean(TRUE);
	if (g_str_equal(property, "State"))
		return g_variant_new_string("degraded: libvirtd is not running");
	return g_variant_new_string(property);
}

static void export(Fake *fake, const gchar *path, GDBusInterfaceInfo *info)
{
	static const GDBusInterfaceVTable vtable = { on_call, on_get, NULL, { 0 } };
	g_autoptr(GError) error = NULL;
	g_dbus_connection_register_object(fake->bus, path, info, &vtable, fake, NULL, &error);
	assert_no_error(error);
}

static void own_name(Fake *fake, const gchar *method, const gchar *args)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GVariant) params = g_variant_parse(NULL, args, NULL, NULL, &error);
	assert_no_error(error);
	g_autoptr(GVariant) reply = g_dbus_connection_call_sync(fake->bus, "org.freedesktop.DBus",
			"/org/freedesktop/DBus", "org.freedesktop.DBus", method, params, NULL,
			G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
	assert_no_error(error);
}

static int set_up(void **state)
{
	Fake *fake = g_new0(Fake, 1);
	g_autoptr(GError) error = NULL;
	fake->daemon = g_test_dbus_new(G_TEST_DBUS_NONE);
	/* It complains about limits that a user namespace cannot raise. */
	int err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	dup2(null, STDERR_FILENO);
	g_test_dbus_up(fake->daemon);
	dup2(err, STDERR_FILENO);
	close(err);
	close(null);
	fake->bus = g_dbus_connection_new_for_address_sync(
			g_test_dbus_get_bus_address(fake->daemon),
			G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
					G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
			NULL, NULL, &error);
	assert_no_error(error);
	fake->answers = g_hash_table_new(g_str_hash, g_str_equal);
	answer(fake, "ListNodes", "([{'name': <'web'>}, {'name': <'db-1'>}],)");
	answer(fake, "PublicKey",
			"('RWQAAQIDBAUGBwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\\n',)");
	fake->calls = g_string_new(NULL);
	fake->imported = g_string_new(NULL);
	fake->dir = g_dir_make_tmp("isc-client-XXXXXX", NULL);
	fake->trail = g_build_filename(fake->dir, "trail", NULL);
	export(fake, ISC_CLIENT_PATH, isc_dbus_dock1_interface_info());
	export(fake, ISC_CLIENT_PATH "/node/web", isc_dbus_dock1_node_interface_info());
	export(fake, ISC_CLIENT_PATH "/node/db_2d1", isc_dbus_dock1_node_interface_info());
	own_name(fake, "RequestName", "('org.iscdock.Dock1', uint32 4)");
	*state = fake;
	return 0;
}

static int tear_down(void **state)
{
	Fake *fake = *state;
	if (fake->chain)
		folder_teardown((void **)&fake->chain);
	if (fake->own)
		folder_teardown((void **)&fake->own);
	g_dbus_connection_close_sync(fake->bus, NULL, NULL);
	g_clear_object(&fake->bus);
	g_test_dbus_stop(fake->daemon);
	g_object_unref(fake->daemon);
	g_hash_table_unref(fake->answers);
	g_string_free(fake->calls, TRUE);
	g_string_free(fake->imported, TRUE);
	g_autoptr(GDir) dir = g_dir_open(fake->dir, 0, NULL);
	for (const gchar *name; (name = g_dir_read_name(dir));) {
		g_autofree gchar *path = g_build_filename(fake->dir, name, NULL);
		g_unlink(path);
	}
	g_rmdir(fake->dir);
	g_free(fake->dir);
	g_free(fake->trail);
	g_free(fake);
	return 0;
}

/* --- isc-vm --- */

typedef struct {
	GSubprocess *process;
	gchar *out, *err;
	int status; /* exit status, or minus the signal */
	gboolean done;
} Run;

static void run_clear(Run *run)
{
	g_clear_object(&run->process);
	g_clear_pointer(&run->out, g_free);
	g_clear_pointer(&run->err, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static void on_done(GObject *source, GAsyncResult *result, gpointer data)
{
	Run *run = data;
	g_autoptr(GError) error = NULL;
	g_subprocess_communicate_utf8_finish(
			G_SUBPROCESS(source), result, &run->out, &run->err, &error);
	assert_no_error(error);
	run->status = g_subprocess_get_if_signaled(run->process)
				      ? -g_subprocess_get_term_sig(run->process)
				      : g_subprocess_get_exit_status(run->process);
	run->done = TRUE;
}

static GSubprocess *spawn(Fake *fake, const gchar *line)
{
	g_autoptr(GError) error = NULL;
	g_autofree gchar *whole = g_strdup_printf("x " AS_ISC_VM " %s", line);
	g_auto(GStrv) argv = NULL;
	assert_true(g_shell_parse_argv(whole, NULL, &argv, &error));
	g_free(argv[0]);
	argv[0] = g_strdup(self);
	g_autoptr(GSubprocessLauncher) launcher = g_subprocess_launcher_new(
			G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE);
	g_subprocess_launcher_setenv(launcher, "DBUS_SYSTEM_BUS_ADDRESS",
			fake->daemon ? g_test_dbus_get_bus_address(fake->daemon)
				     : "unix:path=/nonexistent/bus",
			TRUE);
	g_subprocess_launcher_setenv(launcher, "TZ", "UTC", TRUE);
	GSubprocess *process =
			g_subprocess_launcher_spawnv(launcher, (const gchar *const *)argv, &error);
	assert_no_error(error);
	return process;
}

static void finish(Run *run)
{
	g_subprocess_communicate_utf8_async(run->process, NULL, NULL, on_done, run);
	while (!run->done)
		g_main_context_iteration(NULL, TRUE);
}

static Run isc_vm(Fake *fake, const gchar *line)
{
	Run run = { .process = spawn(fake, line) };
	g_string_truncate(fake->calls, 0);
	finish(&run);
	return run;
}

/* --- what it sends --- */

static void verbs_send_what_the_command_line_says(void **state)
{
	Fake *fake = *state;
	static const struct {
		const gchar *line, *call;
	} cases[] = {
		{ "enable web", "web.Enable ({},)\n" },
		{ "enable db-1", "db_2d1.Enable ({},)\n" },
		{ "enable web --dry-run", "web.Enable ({'dry-run': <true>},)\n" },
		{ "--dry-run suspend web", "web.Suspend ({'dry-run': <true>},)\n" },
		{ "resume --timeout 7 web", "web.Resume ({'timeout': <uint32 7>},)\n" },
		{ "disable web --force", "web.Disable ({'force': <true>},)\n" },
		{ "destroy web db-1", "web.Destroy ({},)\ndb_2d1.Destroy ({},)\n" },
		{ "quarantine web --reason 'odd traffic' --pause",
				"web.Quarantine ('odd traffic', {'pause': <true>})\n" },
		{ "release -r 'all clear' web", "web.Release ('all clear', {})\n" },
		{ "snapshot create web", "web.SnapshotCreate ('', {})\n" },
		{ "snapshot create web before", "web.SnapshotCreate ('before', {})\n" },
		{ "snapshot restore web before", "web.SnapshotRestore ('before', {})\n" },
		{ "snapshot delete web before", "web.SnapshotDelete ('before', {})\n" },
		{ "image rm nginx", "Dock1.RemoveImage ('nginx', {})\n" },
		/* What the dock knows no deadline of, it is not sent one. */
		{ "image rm --timeout 9 --dry-run nginx",
				"Dock1.RemoveImage ('nginx', {'dry-run': <true>})\n" },
		{ "provision web --image nginx -p 8080:80 --env A=b --no-enable",
				"Dock1.Provision "
				"('[Node]\\nName=web\\nImage=nginx\\n[Network]\\nExpose=8080:80\\n"
				"[Service]\\nEnv=A=b\\n', {'enable': <false>})\n" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_auto(Run) run = isc_vm(fake, cases[i].line);
		assert_string_equal(run.err, "");
		assert_int_equal(run.status, 0);
		assert_string_equal(fake->calls->str, cases[i].call);
	}
}

static void wrong_command_lines_never_reach_the_dock(void **state)
{
	Fake *fake = *state;
	static const gchar *const lines[] = { "", "enabel web", "enable", "enable Web",
		"enable ../web", "enable web 'a b'", "list web", "list --jsno", "image",
		"quarantine web", "quarantine web --reason ' '", "snapshot restore web",
		"snapshot create web BAD", "provision", "provision web", "provision --image x",
		"provision web --image x --memory 1", "provision web -f /dev/null --image x",
		"provision -f /dev/null", "logs web -n x", "list --timeout 0", "show web --dry-run",
		"completion tcsh", "help nothing", "audit", "audit verify",
		"audit verify web --all", "audit verify --all --export /tmp",
		"audit verify web db-1 --anchor 1:0011223344556677",
		"audit verify web --anchor 1:00", "audit verify web --dock-key /tmp/x",
		"audit verify ../x", "audit web --success maybe", "audit web --since gestern",
		"audit web --type FOO", "audit web --uid root", "audit export web", "audit report",
		"audit report web --top x", "audit web verify" };
	for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_auto(Run) run = isc_vm(fake, lines[i]);
		if (run.status != 2 || fake->calls->len > 0)
			fail_msg("'%s': status %d, calls '%s'", lines[i], run.status,
					fake->calls->str);
		assert_string_equal(run.out, "");
		gchar *newline = strchr(run.err, '\n');
		assert_true(newline && newline[1] == '\0'); /* one line */
	}
}

static void a_node_file_goes_as_it_is_or_under_another_name(void **state)
{
	Fake *fake = *state;
	g_autofree gchar *path = g_build_filename(fake->dir, "web.node", NULL);
	assert_true(g_file_set_contents(path, "# mine\n[Node]\nName=web\nImage=nginx\n", -1, NULL));
	g_autofree gchar *line = g_strdup_printf("provision -f %s", path);
	g_auto(Run) run = isc_vm(fake, line);
	assert_int_equal(run.status, 0);
	assert_string_equal(fake->calls->str,
			"Dock1.Provision ('# mine\\n[Node]\\nName=web\\nImage=nginx\\n', {})\n");

	g_autofree gchar *renamed = g_strdup_printf("provision shop -f %s", path);
	g_auto(Run) other = isc_vm(fake, renamed);
	assert_int_equal(other.status, 0);
	assert_non_null(strstr(fake->calls->str, "Name=shop"));
	assert_null(strstr(fake->calls->str, "Name=web"));

	assert_true(g_file_set_contents(
			path, "[Node]\nName=web\nImage=nginx\nMemroy=5\n", -1, NULL));
	g_auto(Run) bad = isc_vm(fake, line);
	assert_int_equal(bad.status, 2);
	assert_non_null(strstr(bad.err, "web.node:4:"));
}

/* --- how it ends --- */

static void each_error_of_the_dock_has_its_exit_status(void **state)
{
	Fake *fake = *state;
	static const struct {
		const gchar *reply;
		int status;
		const gchar *says;
	} cases[] = {
		{ "!org.iscdock.Error.Failed it broke", 1, "isc-vm enable: it broke\n" },
		{ "!org.iscdock.Error.Invalid bad", 2, "bad" },
		{ "!org.iscdock.Error.NotFound none", 3, "none" },
		{ "!org.iscdock.Error.State busy", 4, "busy" },
		{ "!org.iscdock.Error.Policy no", 5, "no" },
		{ "!org.iscdock.Error.Auth not you", 6, "not you" },
		{ "!org.iscdock.Error.Verify bad digest", 7, "bad digest" },
		{ "!org.iscdock.Error.Host no kvm", 8, "no kvm" },
		{ "!org.iscdock.Error.Timeout late", 9, "late" },
		{ "!org.freedesktop.DBus.Error.AccessDenied long text of the bus", 6,
				"isc-operator" },
		{ "!org.freedesktop.DBus.Error.NoReply gone", 8, "went away" },
		{ "!org.freedesktop.DBus.Error.ServiceUnknown x", 8, "isc-dockd is not running" },
		{ "!org.freedesktop.DBus.Error.Spawn.ExecFailed x", 8, "isc-dockd is not running" },
		{ "!org.freedesktop.systemd1.NoSuchUnit x", 8, "isc-dockd is not running" },
		{ "!com.example.Odd what\033[2J", 1, "Enable: what\\x1b[2J" },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		answer(fake, "Enable", cases[i].reply);
		g_auto(Run) run = isc_vm(fake, "enable web");
		if (run.status != cases[i].status || !strstr(run.err, cases[i].says))
			fail_msg("%s: status %d, '%s'", cases[i].reply, run.status, run.err);
		assert_null(strstr(run.err, "GDBus.Error"));
		assert_string_equal(run.out, "");
	}
}

static void a_failure_is_told_in_json_as_well(void **state)
{
	Fake *fake = *state;
	answer(fake, "Show", "!org.iscdock.Error.State busy (enable)");
	g_auto(Run) run = isc_vm(fake, "show web --json");
	assert_int_equal(run.status, 4);
	g_autoptr(IscJson) json = json_tokener_parse(run.out);
	IscJson *error = json_object_object_get(json, "error");
	assert_int_equal(json_object_get_int(json_object_object_get(error, "status")), 4);
	assert_string_equal(json_object_get_string(json_object_object_get(error, "name")),
			"org.iscdock.Error.State");
	assert_string_equal(json_object_get_string(json_object_object_get(error, "message")),
			"busy (enable)");
}

static void a_node_that_is_not_there_is_status_3(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", "([{'name': <'web'>}],)");
	answer(fake, "ShowSet", "!org.iscdock.Error.NotFound no set 'nope'");
	g_auto(Run) run = isc_vm(fake, "show nope");
	assert_int_equal(run.status, 3);
	assert_string_equal(run.err,
			"isc-vm show: no node 'nope'; isc-vm list shows those there are\n");
}

static void the_name_of_a_set_is_taken_for_the_set(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", "([{'name': <'shop-1'>}],)");
	answer(fake, "ShowSet",
			"({'name': <'shop'>, 'state': <'1 of 2 ready'>, 'members': <[{'name': "
			"<'shop-1'>, "
			"'state': <'ready'>}]>},)");
	answer(fake, "DestroySet", "!org.iscdock.Error.Policy node 'shop-1' is protected");
	g_auto(Run) show = isc_vm(fake, "show shop");
	assert_int_equal(show.status, 0);
	assert_non_null(strstr(show.out, "1 of 2 ready"));
	assert_non_null(strstr(show.out, "shop-1"));
	g_auto(Run) destroy = isc_vm(fake, "destroy shop");
	assert_int_equal(destroy.status, 5);
	assert_string_equal(destroy.err, "isc-vm destroy: node 'shop-1' is protected\n");
}

/* What shares a verb with nodes, but has a method of its own. */
static void rules_of_a_set_are_the_sets(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", "([{'name': <'shop-1'>, 'set': <'shop'>}],)");
	answer(fake, "ShowSet",
			"({'name': <'shop'>, 'members': <[{'name': <'shop-1'>}, {'name': "
			"<'shop-2'>}]>},)");
	answer(fake, "ExposeSet", "({'name': <'shop'>, 'changed': <true>, 'seconds': <0.25>},)");
	answer(fake, "UnexposeSet", "!org.iscdock.Error.NotFound set 'shop' has no such rule");
	g_auto(Run) expose = isc_vm(fake, "expose shop 9000:80");
	assert_int_equal(expose.status, 0);
	assert_string_equal(expose.out, "shop: exposed after 0.25 s\n");
	/* It is the rule that is not there. */
	g_auto(Run) unexpose = isc_vm(fake, "unexpose shop 1:1");
	assert_int_equal(unexpose.status, 3);
	assert_string_equal(unexpose.err, "isc-vm unexpose: set 'shop' has no such rule\n");
}

static void a_set_stands_for_its_members_or_it_is_said_what_to_name(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes",
			"([{'name': <'other'>}, {'name': <'db-1'>, 'set': <'db'>, 'state': "
			"<'ready'>},"
			" {'name': <'db-2'>, 'set': <'db'>, 'state': <'failed'>}],)");
	answer(fake, "ShowSet", "({'members': <[{'name': <'db-1'>}, {'name': <'web'>}]>},)");
	answer(fake, "Disable", "({'state': <'disabled'>, 'seconds': <0.25>},)");
	g_auto(Run) disable = isc_vm(fake, "disable db");
	assert_int_equal(disable.status, 0);
	assert_string_equal(disable.out, "db-1: disabled after 0.2 s\nweb: disabled after 0.2 s\n");
	g_auto(Run) snapshot = isc_vm(fake, "snapshot create db s1");
	assert_int_equal(snapshot.status, 3);
	assert_string_equal(snapshot.err,
			"isc-vm snapshot create: 'db' is a set of nodes: name one of its members, "
			"which 'isc-vm show db' lists\n");
	g_auto(Run) sets = isc_vm(fake, "list --sets");
	assert_string_equal(sets.out, "SET  READY  MEMBERS\ndb   1      db-1 db-2\n");
	g_auto(Run) names = isc_vm(fake, "list --sets --names");
	assert_string_equal(names.out, "db\n");
}

/* All of it, by one call: a member after the other would leave the last ones on the net meanwhile.
 */
static void a_set_is_quarantined_and_released_as_a_whole(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", "([{'name': <'db-1'>, 'set': <'db'>}],)");
	answer(fake, "ShowSet", "({'members': <[{'name': <'db-1'>}]>},)");
	answer(fake, "QuarantineSet",
			"({'name': <'db'>, 'cut-off': <1.5>, 'evidence': <['db-1.q1', "
			"'db-2.q1']>},)");
	answer(fake, "ReleaseSet", "({'name': <'db'>, 'state': <'2 of 2 ready'>},)");
	g_auto(Run) quarantine = isc_vm(fake, "quarantine db --reason x --pause");
	assert_int_equal(quarantine.status, 0);
	assert_string_equal(quarantine.out, "db: quarantined, all of it cut off after 1.5 ms\n"
					    "  evidence: db-1.q1\n  evidence: db-2.q1\n");
	g_auto(Run) release = isc_vm(fake, "release db --reason x");
	assert_int_equal(release.status, 0);
	assert_string_equal(release.out, "db: 2 of 2 ready\n");
	answer(fake, "QuarantineSet",
			"!org.iscdock.Error.State set 'db': 1 of its 2 members are not in "
			"quarantine ('db-2'): node 'db-2' is busy");
	g_auto(Run) partly = isc_vm(fake, "quarantine db --reason x");
	assert_int_equal(partly.status, 4);
	assert_non_null(strstr(partly.err, "('db-2')"));
}

static void an_older_dock_is_not_taken_for_a_missing_node(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", "([{'name': <'other'>}, {'name': <'web'>}],)");
	answer(fake, "Enable", "!org.freedesktop.DBus.Error.UnknownMethod x");
	g_auto(Run) run = isc_vm(fake, "enable web");
	assert_int_equal(run.status, 1);
	assert_non_null(strstr(run.err, "install the same version"));
}

static void without_a_dock_or_a_bus_it_says_so(void **state)
{
	Fake *fake = *state;
	own_name(fake, "ReleaseName", "('org.iscdock.Dock1',)");
	g_auto(Run) run = isc_vm(fake, "list");
	assert_int_equal(run.status, 8);
	assert_non_null(strstr(run.err, "isc-dockd is not running: start it with"));
	g_auto(Run) version = isc_vm(fake, "version");
	assert_int_equal(version.status, 0);
	assert_non_null(strstr(version.out, "isc-dockd is not running"));

	Fake nobus = { .calls = fake->calls };
	g_auto(Run) without = isc_vm(&nobus, "doctor");
	assert_int_equal(without.status, 8);
	assert_non_null(strstr(without.err, "system bus"));
}

static gboolean leave(gpointer data)
{
	Fake *fake = data;
	if (fake->calls->len == 0)
		return G_SOURCE_CONTINUE;
	g_dbus_connection_close_sync(fake->bus, NULL, NULL);
	return G_SOURCE_REMOVE;
}

static void a_dock_that_dies_under_the_call_is_status_8(void **state)
{
	Fake *fake = *state;
	answer(fake, "Destroy", "?");
	g_timeout_add(10, leave, fake);
	g_auto(Run) run = isc_vm(fake, "destroy web");
	assert_int_equal(run.status, 8);
	assert_non_null(strstr(run.err, "went away"));
}

static void no_answer_in_time_is_status_9(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", "?");
	g_auto(Run) run = isc_vm(fake, "list --timeout 1");
	assert_int_equal(run.status, 9);
}

static void one_failure_does_not_stop_the_others(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", "(@aa{sv} [],)");
	answer(fake, "Disable", "({'state': <'disabled'>, 'seconds': <0.25>},)");
	g_auto(Run) run = isc_vm(fake, "disable nope web gone db-1");
	assert_int_equal(run.status, 3);
	assert_string_equal(run.out, "web: disabled after 0.2 s\ndb-1: disabled after 0.2 s\n");
	assert_non_null(strstr(run.err, "nope"));
	assert_non_null(strstr(run.err, "gone"));

	g_auto(Run) json = isc_vm(fake, "disable web nope --json");
	g_autoptr(IscJson) all = json_tokener_parse(json.out);
	assert_int_equal(json_object_array_length(all), 2);
	assert_true(json_object_object_get_ex(json_object_array_get_idx(all, 1), "error", NULL));
}

/* --- what it prints --- */

#define NODES                                                                                      \
	"([{'name': <'web'>, 'state': <'ready'>, 'boundary': <'in force'>,"                        \
	" 'image': <'nginx'>, 'version': <'1'>,"                                                   \
	" 'address': <'10.77.0.2'>, 'expose': <['tcp:8080:80']>, 'environment': <'development'>,"  \
	" 'since': <int64 1700000000>, 'emulated': <true>}, {'name': <'db-1'>,"                    \
	" 'state': <'disabled'>, 'boundary': <'off'>, 'emulated': <false>}],)"

static void list_shows_a_table_and_that_nodes_are_emulated(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", NODES);
	g_auto(Run) run = isc_vm(fake, "list");
	assert_int_equal(run.status, 0);
	assert_string_equal(run.out,
			"NAME  STATE     BOUNDARY  IMAGE    ADDRESS    EXPOSE       ENVIRONMENT "
			" ACCEL     SINCE\n"
			"web   ready     in force  nginx:1  10.77.0.2  tcp:8080:80  development "
			" emulated  2023-11-14 "
			"22:13:20\n"
			"db-1  disabled  off       -        -          -            -           "
			" kvm       -\n");
	assert_non_null(strstr(run.err, "degraded: libvirtd is not running"));

	g_auto(Run) names = isc_vm(fake, "list --names");
	assert_string_equal(names.out, "web\ndb-1\n");
}

static void json_is_what_the_dock_said(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListNodes", NODES);
	g_auto(Run) run = isc_vm(fake, "list --json");
	assert_string_equal(run.err, "");
	g_autoptr(IscJson) json = json_tokener_parse(run.out);
	g_autoptr(IscJson) wanted = json_tokener_parse(
			"[{\"name\":\"web\",\"state\":\"ready\",\"boundary\":\"in "
			"force\",\"image\":\"nginx\",\"version\":"
			"\"1\","
			"\"address\":\"10.77.0.2\",\"expose\":[\"tcp:8080:80\"],\"environment\":"
			"\"development\",\"since\":1700000000,\"emulated\":true},"
			"{\"name\":\"db-1\",\"state\":\"disabled\",\"boundary\":\"off\","
			"\"emulated\":false}]");
	assert_true(json_object_equal(json, wanted));
}

static void a_dry_run_prints_the_plan(void **state)
{
	Fake *fake = *state;
	answer(fake, "Provision", "({'plan': <['make the overlay', 'start\\u001b the domain']>},)");
	g_auto(Run) run = isc_vm(fake, "provision web --image nginx --dry-run");
	assert_string_equal(run.out, "make the overlay\nstart\\x1b the domain\n");
}

static void doctor_fails_where_a_check_fails_and_only_there(void **state)
{
	Fake *fake = *state;
	answer(fake, "Doctor",
			"([{'name': <'kvm'>, 'ok': <false>, 'level': <'warn'>, 'found': <'none'>, "
			"'advice': "
			"<'buy one'>}, {'name': <'libvirt'>, 'ok': <true>, 'level': <'ok'>, "
			"'found': "
			"<'9.0.0'>, 'advice': <''>}],)");
	g_auto(Run) warned = isc_vm(fake, "doctor");
	assert_int_equal(warned.status, 0);
	assert_non_null(strstr(warned.out, "kvm: buy one\n"));

	answer(fake, "Doctor",
			"([{'name': <'libvirt'>, 'ok': <false>, 'level': <'fail'>, 'found': "
			"<'off'>, "
			"'advice': <'start it'>}],)");
	g_auto(Run) failed = isc_vm(fake, "doctor --json");
	assert_int_equal(failed.status, 8);
	g_autoptr(IscJson) json = json_tokener_parse(failed.out);
	assert_int_equal(json_object_array_length(json), 1);
	assert_string_equal(failed.err, "isc-vm doctor: 1 of 1 checks failed\n");
}

static void fsck_fails_while_a_problem_is_left(void **state)
{
	Fake *fake = *state;
	answer(fake, "Fsck", "([{'what': <'tap'>, 'name': <'isct9'>, 'problem': <'orphan'>}],)");
	g_auto(Run) found = isc_vm(fake, "fsck");
	assert_int_equal(found.status, 7);
	assert_string_equal(fake->calls->str, "Dock1.Fsck ({},)\n");
	answer(fake, "Fsck", "([{'what': <'tap'>, 'name': <'isct9'>, 'repaired': <true>}],)");
	g_auto(Run) mended = isc_vm(fake, "fsck --repair");
	assert_int_equal(mended.status, 0);
	assert_string_equal(fake->calls->str, "Dock1.Fsck ({'repair': <true>},)\n");
	answer(fake, "Fsck", "(@aa{sv} [],)");
	g_auto(Run) clean = isc_vm(fake, "fsck");
	assert_int_equal(clean.status, 0);
	assert_string_equal(clean.out, "");
}

static void progress_is_silent_unless_asked_for(void **state)
{
	Fake *fake = *state;
	fake->signal_text = "make\033[2J the overlay";
	g_auto(Run) silent = isc_vm(fake, "enable web");
	assert_string_equal(silent.err, "");
	g_auto(Run) verbose = isc_vm(fake, "enable web --verbose");
	assert_string_equal(verbose.err, "[2/5] web: make\\x1b[2J the overlay\n");
}

/* --- import --- */

static gchar *make_image(Fake *fake)
{
	static const gchar *const files[] = { "vmlinuz", "initrd", "root.squashfs", "sbom.json" };
	static const gchar sha[] =
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	g_autoptr(IscImage) image = isc_image_new();
	image->name = g_strdup("web");
	image->version = g_strdup("1");
	image->description = g_strdup("");
	image->suite = g_strdup("bookworm");
	image->architecture = g_strdup("amd64");
	image->kernel_version = g_strdup("6.1.0");
	image->root_type = g_strdup("squashfs");
	image->exec = g_strsplit("/bin/true", ",", -1);
	image->user = g_strdup("www-data");
	image->profile = g_strdup("strict");
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		image->parts[i].file = g_strdup(files[i]);
		image->parts[i].size = 1 + i;
		g_strlcpy(image->parts[i].sha256, sha, 65);
		g_autofree gchar *path = g_build_filename(fake->dir, files[i], NULL);
		assert_true(g_file_set_contents(path, files[i], -1, NULL));
	}
	g_autofree gchar *signature = g_build_filename(fake->dir, ISC_IMAGE_SIGNATURE, NULL);
	assert_true(g_file_set_contents(signature, "sig", -1, NULL));
	g_autofree gchar *text = isc_image_print(image);
	gchar *path = g_build_filename(fake->dir, ISC_IMAGE_MANIFEST, NULL);
	assert_true(g_file_set_contents(path, text, -1, NULL));
	return path;
}

static void import_hands_over_the_open_files(void **state)
{
	Fake *fake = *state;
	g_autofree gchar *manifest = make_image(fake);
	answer(fake, "ImportImage",
			"({'name': <'web'>, 'version': <'1'>, 'digest': <'0123456789abcdef'>, "
			"'size': "
			"<uint64 2048>, 'new': <true>},)");
	g_autofree gchar *line = g_strdup_printf("image import %s", fake->dir);
	g_auto(Run) run = isc_vm(fake, line);
	assert_string_equal(run.err, "");
	assert_int_equal(run.status, 0);
	assert_string_equal(run.out, "web:1 imported (0123456789ab, 2.0 KiB)\n");
	assert_non_null(strstr(fake->imported->str, "manifest.json={"));
	assert_non_null(strstr(fake->imported->str, "manifest.json.minisig=sig\n"));
	assert_non_null(strstr(fake->imported->str, "vmlinuz=vmlinuz\n"));
	assert_non_null(strstr(fake->imported->str, "sbom.json=sbom.json\n"));

	g_autofree gchar *dry_line = g_strconcat(line, " --dry-run", NULL);
	g_auto(Run) dry = isc_vm(fake, dry_line);
	assert_string_equal(
			dry.out, "web:1 holds, and would be imported (0123456789ab, 2.0 KiB)\n");
	assert_true(g_str_has_suffix(fake->calls->str, "{'dry-run': <true>})\n"));
}

static void import_refuses_what_is_no_whole_image(void **state)
{
	Fake *fake = *state;
	g_autofree gchar *manifest = make_image(fake);
	g_autofree gchar *line = g_strdup_printf("image import %s", fake->dir);
	g_autofree gchar *root = g_build_filename(fake->dir, "root.squashfs", NULL);
	g_autofree gchar *signature = g_build_filename(fake->dir, ISC_IMAGE_SIGNATURE, NULL);

	/* A link could have a privileged caller hand over any file. */
	g_unlink(root);
	assert_int_equal(symlink("/etc/passwd", root), 0);
	g_auto(Run) link = isc_vm(fake, line);
	assert_int_equal(link.status, 2);
	assert_non_null(strstr(link.err, "symbolic link"));
	g_unlink(root);
	g_auto(Run) gone = isc_vm(fake, line);
	assert_int_equal(gone.status, 3);
	assert_non_null(strstr(gone.err, "root.squashfs"));
	assert_int_equal(mkfifo(root, 0600), 0);
	g_auto(Run) fifo = isc_vm(fake, line);
	assert_int_equal(fifo.status, 2);

	g_unlink(signature);
	g_auto(Run) unsigned_image = isc_vm(fake, line);
	assert_int_equal(unsigned_image.status, 7);
	assert_non_null(strstr(unsigned_image.err, "not signed"));
	assert_true(g_file_set_contents(signature, "sig", -1, NULL));
	assert_true(g_file_set_contents(manifest, "{\"name\": ", -1, NULL));
	g_auto(Run) damaged = isc_vm(fake, line);
	assert_int_equal(damaged.status, 7);
	g_unlink(manifest);
	g_auto(Run) none = isc_vm(fake, line);
	assert_int_equal(none.status, 3);
	g_auto(Run) nowhere = isc_vm(fake, "image import /nonexistent");
	assert_int_equal(nowhere.status, 3);
	assert_string_equal(fake->calls->str, "");
}

/* --- logs, audit, events --- */

static void put(Fake *fake, const gchar *text)
{
	isc_autofd int fd = open(fake->trail, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void trails_are_cleaned_for_the_terminal(void **state)
{
	Fake *fake = *state;
	put(fake, "one\ntwo \033[2J\xff\nthree");
	g_auto(Run) logs = isc_vm(fake, "logs web -n 2");
	assert_int_equal(logs.status, 0);
	assert_string_equal(logs.out, "two \\x1b[2J\\xff\nthree\n");
	assert_string_equal(fake->calls->str,
			"Dock1.ShowSet ('web',)\nDock1.OpenTrail ('web', 'service')\n");
	g_auto(Run) all = isc_vm(fake, "audit web -n all");
	assert_true(g_str_has_prefix(all.out, "one\n"));
	assert_string_equal(fake->calls->str, "Dock1.OpenChain ('web', 0)\n");
}

static void logs_in_json_have_time_stream_and_text(void **state)
{
	Fake *fake = *state;
	put(fake, "2026-01-02T03:04:05.678Z stderr a \\x1b b\nodd\n");
	g_auto(Run) plain = isc_vm(fake, "logs web -n 2");
	assert_string_equal(plain.out, "2026-01-02T03:04:05.678Z stderr a \\x1b b\nodd\n");
	g_auto(Run) json = isc_vm(fake, "logs web --json");
	assert_string_equal(json.out,
			"{\"time\":\"2026-01-02T03:04:05.678Z\",\"stream\":\"stderr\",\"text\":\"a "
			"\\\\x1b b\"}\n{\"text\":\"odd\"}\n");
}

static void audit_shows_commands_and_json(void **state)
{
	Fake *fake = *state;
	put(fake, "type=SYSCALL msg=audit(1700000000.123:45): syscall=59 success=yes uid=33 pid=7\n"
		  "type=EXECVE msg=audit(1700000000.123:45): argc=2 a0=\"cat\" a1=612062\n"
		  "type=EOE msg=audit(1700000000.123:45): \n");
	g_auto(Run) commands = isc_vm(fake, "audit web --commands");
	assert_string_equal(commands.out, "2023-11-14 22:13:20.123  uid=33  cat 'a b'\n");
	g_auto(Run) json = isc_vm(fake, "audit web --json");
	g_auto(GStrv) lines = g_strsplit(g_strchomp(json.out), "\n", -1);
	assert_int_equal(g_strv_length(lines), 3);
	g_autoptr(IscJson) execve = json_tokener_parse(lines[1]);
	IscJson *argv = json_object_object_get(execve, "argv");
	assert_string_equal(json_object_get_string(json_object_array_get_idx(argv, 1)), "a b");
}

/* Reads the process's output until it holds @wanted; the test's own time limit ends a wait in vain.
 */
static void await(GSubprocess *process, GString *seen, const gchar *wanted)
{
	GInputStream *out = g_subprocess_get_stdout_pipe(process);
	while (!strstr(seen->str, wanted)) {
		if (g_pollable_input_stream_is_readable(G_POLLABLE_INPUT_STREAM(out))) {
			gchar buffer[4096];
			gssize n = g_input_stream_read(out, buffer, sizeof buffer, NULL, NULL);
			assert_true(n > 0);
			g_string_append_len(seen, buffer, n);
		}
		while (g_main_context_iteration(NULL, FALSE))
			;
		g_usleep(2000);
	}
}

static void logs_follow_growth_and_rotation_until_interrupted(void **state)
{
	Fake *fake = *state;
	put(fake, "old\n");
	Run run = { .process = spawn(fake, "logs web -f -n 1") };
	g_autoptr(GString) seen = g_string_new(NULL);
	await(run.process, seen, "old\n");
	put(fake, "more\n");
	await(run.process, seen, "more\n");

	g_autofree gchar *aside = g_strconcat(fake->trail, ".1", NULL);
	put(fake, "last of the old\n");
	assert_int_equal(g_rename(fake->trail, aside), 0);
	put(fake, "first of the new\n");
	await(run.process, seen, "first of the new\n");
	assert_string_equal(seen->str, "old\nmore\nlast of the old\nfirst of the new\n");

	g_subprocess_send_signal(run.process, SIGINT);
	finish(&run);
	assert_int_equal(run.status, -SIGINT);
	assert_string_equal(run.err, "");
	run_clear(&run);
}

/* The fake has one file, which is every member's. */
static void logs_of_a_set_are_merged_by_time_behind_their_names(void **state)
{
	Fake *fake = *state;
	answer(fake, "ShowSet", "({'members': <[{'name': <'db-1'>}, {'name': <'db-10'>}]>},)");
	put(fake, "2026-01-02T03:04:05.678Z stdout b\n2026-01-02T03:04:05.677Z stderr a\n"
		  "piece\033[2J of it\n");
	g_auto(Run) all = isc_vm(fake, "logs db");
	assert_int_equal(all.status, 0);
	assert_string_equal(all.out, "db-1  | 2026-01-02T03:04:05.677Z stderr a\n"
				     "db-1  | piece\\x1b[2J of it\n"
				     "db-10 | 2026-01-02T03:04:05.677Z stderr a\n"
				     "db-10 | piece\\x1b[2J of it\n"
				     "db-1  | 2026-01-02T03:04:05.678Z stdout b\n"
				     "db-10 | 2026-01-02T03:04:05.678Z stdout b\n");
	g_auto(Run) last = isc_vm(fake, "logs db -n 1 --json");
	assert_string_equal(last.out, "{\"text\":\"piece\\\\x1b[2J of it\",\"node\":\"db-10\"}\n");

	Run run = { .process = spawn(fake, "logs db -f -n 1") };
	g_autoptr(GString) seen = g_string_new(NULL);
	await(run.process, seen, "db-1");
	put(fake, "2026-01-02T03:04:06.000Z stdout new\n");
	await(run.process, seen, "db-10 | 2026-01-02T03:04:06.000Z stdout new\n");
	assert_non_null(strstr(seen->str, "db-1  | 2026-01-02T03:04:06.000Z stdout new\n"));
	/* One that is new is found. */
	answer(fake, "ShowSet", "({'members': <[{'name': <'db-11'>}]>},)");
	await(run.process, seen, "db-11 | 2026-01-02T03:04:06.000Z stdout new\n");
	answer(fake, "ShowSet", "!org.iscdock.Error.NotFound no set 'db'");
	finish(&run);
	assert_int_equal(run.status, 0);
	assert_string_equal(run.err, "isc-vm logs: set 'db' is no more\n");
	run_clear(&run);
}

static void logs_end_when_the_node_is_gone(void **state)
{
	Fake *fake = *state;
	put(fake, "a\n");
	Run run = { .process = spawn(fake, "logs web -f") };
	g_autoptr(GString) seen = g_string_new(NULL);
	await(run.process, seen, "a\n");
	answer(fake, "OpenTrail", "!org.iscdock.Error.NotFound no node 'web'");
	put(fake, "bye\n");
	g_unlink(fake->trail);
	finish(&run);
	assert_int_equal(run.status, 0);
	assert_string_equal(run.out, "bye\n");
	assert_non_null(strstr(run.err, "no node"));
	run_clear(&run);
}

/* --- audit: search, verify, export, report --- */

static void put_key(const Folder *f, const guint8 pub[32])
{
	g_autoptr(GString) text = g_string_new("ed25519 ");
	for (gsize i = 0; i < 32; i++)
		g_string_append_printf(text, "%02x", pub[i]);
	g_string_append_c(text, '\n');
	folder_write(f, "seal.pub", text->str, text->len);
	folder_unlock(f);
}

/* Adds @line to the dock's own trail, as its collector does. */
static void note_own(Fake *fake, const gchar *line)
{
	g_autoptr(GError) error = NULL;
	if (!fake->own) {
		assert_int_equal(folder_setup((void **)&fake->own), 0);
		fake->own->root = fake->chain->root;
		put_key(fake->own, fake->own->root.pub);
	}
	IscTrailWriter *t = isc_trail_writer_open(
			fake->own->fd, "@dock", &fake->own->root, 0, NULL, &error);
	assert_no_error(error);
	isc_trail_writer_note(t, g_get_real_time(), ISC_LINE_CONFIG, "%s", line);
	commit(t, FALSE);
	isc_trail_writer_free(t);
	folder_unlock(fake->own);
}

/* Frames 1..@n of "web" over several files, sealed; and seal.pub.  And a dock that has acted. */
static void make_chain(Fake *fake, guint n, gboolean close)
{
	assert_int_equal(folder_setup((void **)&fake->chain), 0);
	IscTrailWriter *t = folder_open_trail(fake->chain, 1000, NULL);
	for (guint i = 1; i <= n; i++) {
		add_frame(t, i);
		commit(t, FALSE);
	}
	if (close)
		commit(t, TRUE);
	isc_trail_writer_free(t);
	put_key(fake->chain, fake->chain->root.pub);
	note_own(fake, "op=network-left-out");
}

static void audit_reads_all_files_of_a_trail(void **state)
{
	Fake *fake = *state;
	make_chain(fake, 40, FALSE);
	g_auto(Run) all = isc_vm(fake, "audit web -n all --type EXECVE");
	g_auto(GStrv) lines = g_strsplit(g_strchomp(all.out), "\n", -1);
	assert_int_equal(g_strv_length(lines), 80); /* EXECVE and EOE */
	assert_non_null(strstr(lines[0], "cmd-1\""));
	assert_non_null(strstr(lines[78], "cmd-40\""));
	assert_non_null(strstr(fake->calls->str, "('web', 2)"));

	g_auto(Run) last = isc_vm(fake, "audit web -n 75");
	g_auto(GStrv) some = g_strsplit(g_strchomp(last.out), "\n", -1);
	assert_int_equal(g_strv_length(some), 75);
	assert_non_null(strstr(some[74], "type=EOE"));
}

static void audit_finds_events_by_what_their_records_say(void **state)
{
	Fake *fake = *state;
	put(fake, "type=SYSCALL msg=audit(1700000000.123:45): syscall=59 success=yes uid=33 "
		  "key=\"exec\"\n"
		  "type=SYSCALL msg=audit(1700000000.124:46): syscall=2 success=no uid=34 "
		  "key=\"denied\"\n"
		  "type=EXECVE msg=audit(1700000000.123:45): argc=1 a0=\"cat\"\n"
		  "type=EOE msg=audit(1700000000.124:46): \n"
		  "type=EOE msg=audit(1700000000.123:45): \n"
		  "no record\n");
	static const struct {
		const gchar *options, *serials;
	} cases[] = {
		{ "--key exec", "45 45 45 " },
		{ "--type execve", "45 45 45 " },
		{ "--uid 34", "46 46 " },
		{ "--success no", "46 46 " },
		{ "--uid 33,34 --success yes", "45 45 45 " },
		{ "--uid 33 --success no", "" },
		{ "--since @1700000000", "45 45 45 46 46 " },
		{ "--until @1699999999", "" },
		{ "--since '2023-11-14 22:13:20' --until 2023-11-14T22:13:21Z --key denied",
				"46 46 " },
	};
	for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree gchar *line = g_strdup_printf("audit web %s", cases[i].options);
		g_auto(Run) run = isc_vm(fake, line);
		g_autoptr(GString) serials = g_string_new(NULL);
		g_auto(GStrv) lines = g_strsplit(run.out, "\n", -1);
		for (gsize n = 0; lines[n] && *lines[n]; n++)
			g_string_append_printf(serials, "%.2s ", strchr(lines[n], ')') - 2);
		if (run.status != 0 || !g_str_equal(serials->str, cases[i].serials))
			fail_msg("%s: %d '%s' %s", cases[i].options, run.status, serials->str,
					run.err);
	}
	g_auto(Run) commands = isc_vm(fake, "audit web -c --uid 33");
	assert_string_equal(commands.out, "2023-11-14 22:13:20.123  uid=33  cat\n");
}

static void audit_search_follows_and_waits_for_the_rest_of_an_event(void **state)
{
	Fake *fake = *state;
	put(fake, "type=SYSCALL msg=audit(1700000000.123:45): success=yes uid=33\n");
	Run run = { .process = spawn(fake, "audit web -f --uid 33") };
	g_autoptr(GString) seen = g_string_new(NULL);
	await(run.process, seen, ":45)");
	put(fake, "type=SYSCALL msg=audit(1700000001.123:46): success=yes uid=34\n"
		  "type=SYSCALL msg=audit(1700000001.124:47): success=yes uid=33\n");
	await(run.process, seen, ":47)");
	assert_null(strstr(seen->str, ":46)"));
	g_subprocess_send_signal(run.process, SIGINT);
	finish(&run);
	run_clear(&run);
}

static void audit_verify_names_the_first_bad_record(void **state)
{
	Fake *fake = *state;
	make_chain(fake, 40, TRUE);
	g_auto(Run) good = isc_vm(fake, "audit verify web");
	assert_int_equal(good.status, 0);
	assert_true(g_str_has_prefix(good.out, "web: good: 80 records"));

	g_autoptr(GBytes) whole = folder_read(fake->chain, "audit.log.2");
	gsize len;
	const gchar *bytes = g_bytes_get_data(whole, &len);
	g_autofree gchar *edited = g_memdup2(bytes, len);
	edited[len - 10] ^= 1;
	folder_write(fake->chain, "audit.log.2", edited, len);
	g_auto(Run) bad = isc_vm(fake, "audit verify web");
	assert_int_equal(bad.status, 7);
	assert_non_null(strstr(bad.out, "in audit.log.2: edited: "));
	assert_non_null(strstr(bad.err, "in audit.log.2: edited: "));
	g_auto(Run) data = isc_vm(fake, "audit verify web --json");
	assert_int_equal(data.status, 7);
	g_autoptr(IscJson) json = json_tokener_parse(data.out);
	assert_false(json_object_get_boolean(json_object_object_get(json, "good")));
	assert_string_equal(
			json_object_get_string(json_object_object_get(json, "fault")), "edited");
	assert_string_equal(json_object_get_string(json_object_object_get(json, "file")),
			"audit.log.2");
	guint64 record = json_object_get_uint64(json_object_object_get(json, "record"));
	assert_int_equal(record,
			json_object_get_uint64(json_object_object_get(json, "records")) + 1);
}

static void audit_verify_takes_no_other_name_key_or_end(void **state)
{
	Fake *fake = *state;
	make_chain(fake, 4, FALSE);
	g_autofree gchar *other = g_build_filename(fake->dir, "other.pub", NULL);
	assert_true(g_file_set_contents(other,
			"ed25519 "
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\n",
			-1, NULL));
	g_autofree gchar *line = g_strdup_printf("audit verify web --key %s", other);
	g_auto(Run) key = isc_vm(fake, line);
	assert_int_equal(key.status, 7);
	assert_non_null(strstr(key.out, "resealed"));
	g_auto(Run) name = isc_vm(fake, "audit verify db-1");
	assert_int_equal(name.status, 7);
	assert_non_null(strstr(name.out, "swapped"));

	g_auto(Run) now = isc_vm(fake, "audit verify web");
	g_autofree gchar *end = g_strdup(strstr(now.out, "end ") + 4);
	*strpbrk(end, ",\n") = '\0';
	g_autofree gchar *same = g_strdup_printf("audit verify web --anchor %s", end);
	g_auto(Run) anchored = isc_vm(fake, same);
	assert_int_equal(anchored.status, 0);
	g_auto(Run) older = isc_vm(fake, "audit verify web --anchor 99:0011223344556677");
	assert_int_equal(older.status, 7);
	assert_non_null(strstr(older.out, "replayed"));

	answer(fake, "ListTrails", "(['db-1', 'web'],)");
	g_auto(Run) all = isc_vm(fake, "audit verify --all --json");
	assert_int_equal(all.status, 7);
	assert_non_null(strstr(all.err, "1 of 2 trails"));
	g_autoptr(IscJson) list = json_tokener_parse(all.out);
	assert_int_equal(json_object_array_length(list), 2);

	unlinkat(fake->chain->fd, "seal.pub", 0);
	g_auto(Run) lost = isc_vm(fake, "audit verify web");
	assert_int_equal(lost.status, 7);
	assert_non_null(strstr(lost.err, "--key"));
}

/* R4.2, T19: the dock's own trail says how far others are. */
static void audit_verify_misses_what_the_dock_has_noted(void **state)
{
	Fake *fake = *state;
	make_chain(fake, 40, TRUE);
	g_auto(Run) now = isc_vm(fake, "audit verify web --json");
	g_autoptr(IscJson) json = json_tokener_parse(now.out);
	const gchar *end = json_object_get_string(json_object_object_get(json, "end"));
	g_autofree gchar *there = g_strdup_printf(
			"op=trail-end trail=web file=2 end=%s records=80 res=success", end);
	note_own(fake, there);
	g_auto(Run) good = isc_vm(fake, "audit verify web");
	assert_int_equal(good.status, 0);
	note_own(fake, "op=trail-end trail=web file=2 end=99999:0011223344556677 records=9");
	g_auto(Run) older = isc_vm(fake, "audit verify web");
	assert_int_equal(older.status, 7);
	assert_non_null(strstr(older.out, "replayed"));
	note_own(fake, "op=trail-end trail=web file=99 end=99999:0011223344556677 records=9");
	g_auto(Run) shorter = isc_vm(fake, "audit verify web");
	assert_int_equal(shorter.status, 7);
	assert_non_null(strstr(shorter.out, "truncated: files "));
	assert_non_null(strstr(shorter.out, " to 99 are missing"));

	note_own(fake, "op=trail-end trail=gone file=1 end=9:0011223344556677 records=9");
	answer(fake, "ListTrails", "(['@dock'],)");
	answer(fake, "OpenChain", "!org.iscdock.Error.NotFound no trail");
	g_auto(Run) none = isc_vm(fake, "audit verify web");
	assert_int_equal(none.status, 3); /* and no dock either that would know of it */
	g_hash_table_remove(fake->answers, "OpenChain");
	g_auto(Run) all = isc_vm(fake, "audit verify --all");
	assert_int_equal(all.status, 7);
	assert_non_null(strstr(all.out, "gone: BAD: "));
	assert_non_null(strstr(all.out, "web: BAD: "));

	/* Who took that away has not made the others good. */
	folder_teardown((void **)&fake->own);
	fake->own = NULL;
	note_own(fake, there);
	folder_write(fake->own, "audit.log", "x\n", 2);
	g_auto(Run) blind = isc_vm(fake, "audit verify web");
	assert_int_equal(blind.status, 7);
	assert_non_null(strstr(blind.err, "nobody can tell"));
}

static void audit_exports_are_verified_without_a_dock(void **state)
{
	Fake *fake = *state, none = { .calls = g_string_new(NULL) };
	make_chain(fake, 40, FALSE);
	isc_autofd int log = openat(fake->chain->fd, "audit.log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(
			write(log, "half a li", 9), 9); /* what the collector is writing just now */
	g_autofree gchar *out = g_build_filename(fake->dir, "export", NULL);
	g_autofree gchar *line = g_strdup_printf("audit export web %s", out);
	g_auto(Run) made = isc_vm(fake, line);
	assert_int_equal(made.status, 0);
	struct stat st;
	assert_int_equal(stat(out, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	g_auto(Run) again = isc_vm(fake, line);
	assert_int_equal(again.status, 4);

	g_autofree gchar *verify = g_strdup_printf("audit verify --export %s", out);
	g_auto(Run) good = isc_vm(&none, verify);
	assert_int_equal(good.status, 0);
	assert_non_null(strstr(good.out, "web: good: 80 records"));
	assert_non_null(strstr(good.out, "compare it"));
	/* Behind its last record an export holds nothing. */
	g_autofree gchar *path = g_build_filename(out, "audit.log", NULL);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	isc_autofd int end = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(end, "type=X\n", 7), 7);
	g_auto(Run) bad = isc_vm(&none, verify);
	assert_int_equal(bad.status, 7);
	assert_non_null(strstr(bad.out, "inserted"));
	g_auto(Run) nothing = isc_vm(&none, "audit verify --export /nonexistent");
	assert_int_equal(nothing.status, 3);
	assert_true(isc_file_remove_tree(out, NULL));
	g_string_free(none.calls, TRUE);
}

/* A dock with a signing key, and what it answers to "audit anchor web".  The trail's end is where
 * it is now. */
typedef struct {
	gchar *text, *path, *pub, *note, *key; /* path, pub: files with text and public key */
} Anchored;

static void anchored_clear(Anchored *a)
{
	g_free(a->text);
	g_free(a->path);
	g_free(a->pub);
	g_free(a->note);
	g_free(a->key);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Anchored, anchored_clear)

static gchar *as_answer(const gchar *text)
{
	g_autoptr(GVariant) v = g_variant_ref_sink(g_variant_new("(s)", text));
	return g_variant_print(v, FALSE);
}

static void set_up_anchors(Fake *fake, Anchored *a)
{
	g_autoptr(GError) error = NULL;
	g_autofree gchar *secret = g_build_filename(fake->dir, "signing.key", NULL), *pub = NULL;
	g_autoptr(GString) text = g_string_new(NULL);
	IscTrailAnchor end;
	make_chain(fake, 4, FALSE);
	g_auto(Run) now = isc_vm(fake, "audit verify web --json");
	g_autoptr(IscJson) json = json_tokener_parse(now.out);
	const gchar *at = json_object_get_string(json_object_object_get(json, "end"));
	assert_true(isc_trail_anchor_parse(at, &end, &error));
	isc_anchors_print_head(text, 1700000000, fake->chain->root.pub);
	isc_anchors_print_trail(text, "web", &end, 8);

	a->pub = g_build_filename(fake->dir, "dock.pub", NULL);
	a->path = g_build_filename(fake->dir, "anchors", NULL);
	assert_true(isc_minisign_keygen(secret, a->pub, &error));
	g_autofree gchar *sig = isc_minisign_sign(secret, text->str, text->len, "uid 7", &error);
	assert_no_error(error);
	a->text = g_strconcat(text->str, sig, NULL);
	assert_true(g_file_set_contents(a->path, a->text, -1, NULL));
	assert_true(g_file_get_contents(a->pub, &pub, NULL, NULL));
	a->note = as_answer(a->text);
	a->key = as_answer(pub);
	answer(fake, "NoteAnchors", a->note);
	answer(fake, "PublicKey", a->key);
}

static void anchors_must_be_what_the_dock_signed(void **state)
{
	Fake *fake = *state;
	g_auto(Anchored) a = { 0 };
	set_up_anchors(fake, &a);
	g_auto(Run) made = isc_vm(fake, "audit anchor web");
	assert_int_equal(made.status, 0);
	assert_string_equal(made.out, a.text);
	g_autofree gchar *line = g_strdup_printf("audit verify web --anchors %s", a.path);
	g_auto(Run) good = isc_vm(fake, line);
	assert_int_equal(good.status, 0);
	assert_string_equal(good.err, "");
	assert_true(g_str_has_prefix(good.out, "anchors: signed by key "));
	assert_non_null(strstr(good.out, ": uid 7\nweb: good: 8 records"));

	/* An earlier end in the place of the one that was noted. */
	g_autofree gchar *changed = g_strdup(a.text);
	*strstr(changed, "web ") = 'x';
	assert_true(g_file_set_contents(a.path, changed, -1, NULL));
	g_auto(Run) bad = isc_vm(fake, line);
	assert_int_equal(bad.status, 7);
	assert_non_null(strstr(bad.err, "the content was changed after it was signed"));
	assert_null(strstr(fake->calls->str, "OpenChain"));

	/* As earlier docks made them. */
	g_autofree gchar *strict = g_strdup_printf("%s --dock-key %s", line, a.pub);
	*strstr(a.text, "untrusted") = '\0';
	assert_true(g_file_set_contents(a.path, a.text, -1, NULL));
	g_auto(Run) old = isc_vm(fake, line);
	assert_int_equal(old.status, 0);
	assert_non_null(strstr(old.err, "are not signed"));
	g_auto(Run) refused = isc_vm(fake, strict);
	assert_int_equal(refused.status, 7);
	assert_non_null(strstr(refused.err, "not signed"));
}

static void anchors_are_checked_without_a_dock(void **state)
{
	Fake *fake = *state, none = { .calls = g_string_new(NULL) };
	g_auto(Anchored) a = { 0 };
	set_up_anchors(fake, &a);
	g_autofree gchar *out = g_build_filename(fake->dir, "export", NULL);
	g_autofree gchar *export = g_strdup_printf("audit export web %s", out);
	g_auto(Run) made = isc_vm(fake, export);
	assert_int_equal(made.status, 0);

	g_autofree gchar *line =
			g_strdup_printf("audit verify web --export %s --anchors %s", out, a.path);
	g_auto(Run) good = isc_vm(&none, line);
	assert_int_equal(good.status, 0);
	assert_non_null(strstr(good.out, "anchors: signed by key "));
	g_autofree gchar *data = g_strconcat(line, " --json", NULL);
	g_auto(Run) shown = isc_vm(&none, data);
	g_autoptr(IscJson) json = json_tokener_parse(shown.out);
	assert_true(json_object_get_boolean(
			json_object_object_get(json_object_object_get(json, "anchors"), "signed")));

	g_autofree gchar *inside = g_build_filename(out, "dock.pub", NULL);
	assert_int_equal(g_unlink(inside), 0);
	g_auto(Run) keyless = isc_vm(&none, line);
	assert_int_equal(keyless.status, 7);
	assert_non_null(strstr(keyless.err, "--dock-key"));
	g_autofree gchar *given = g_strdup_printf("%s --dock-key %s", line, a.pub);
	g_auto(Run) with = isc_vm(&none, given);
	assert_int_equal(with.status, 0);
	/* Somebody else's dock.pub. */
	assert_true(g_file_set_contents(inside,
			"RWQAAQIDBAUGBwABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n", -1, NULL));
	g_auto(Run) other = isc_vm(&none, line);
	assert_int_equal(other.status, 7);
	assert_true(isc_file_remove_tree(out, NULL));
	g_string_free(none.calls, TRUE);
}

static void audit_report_counts_what_was_verified(void **state)
{
	Fake *fake = *state;
	make_chain(fake, 40, FALSE);
	g_auto(Run) run = isc_vm(fake, "audit report web --json --top 3");
	assert_int_equal(run.status, 0);
	g_autoptr(IscJson) json = json_tokener_parse(run.out);
	IscJson *commands = json_object_object_get(json, "commands");
	assert_int_equal(json_object_get_int(json_object_object_get(commands, "run")), 40);
	assert_int_equal(json_object_array_length(json_object_object_get(commands, "top")), 3);
	assert_true(json_object_get_boolean(
			json_object_object_get(json_object_object_get(json, "trail"), "good")));
}

#define PACKET(second, kind)                                                                       \
	"type=NETFILTER_PKT msg=audit(" second ".000:1): kind=" kind " proto=6\n"

static void dropped_packets_are_shown_by_kind_and_time(void **state)
{
	Fake *fake = *state;
	put(fake, PACKET("1700000000", "mac") PACKET("1700000009", "arp") "rubbish\n" PACKET(
				  "1700000005",
				  "ip") "type=DAEMON_CONFIG msg=audit(1700000010.000:2): "
					"op=network-left-out kind=mac left-out=9 lines=1 "
					"dropped=10\n");
	g_auto(Run) all = isc_vm(fake, "network log web --json");
	assert_int_equal(all.status, 0);
	assert_string_equal(fake->calls->str, "Dock1.ShowSet ('web',)\n"
					      "Dock1.OpenChain ('+web', 0)\n");
	static const gchar *const order[] = { "\"mac\"", "\"ip\"", "\"arp\"", "\"left-out\":9" };
	const gchar *at = all.out;
	for (gsize i = 0; i < G_N_ELEMENTS(order); i++) {
		at = strstr(at, order[i]);
		assert_non_null(at);
	}
	g_auto(Run) last = isc_vm(fake, "network log web -n 2 --json");
	assert_null(strstr(last.out, "\"ip\""));
	assert_non_null(strstr(last.out, "\"arp\""));
	g_auto(Run) kinds = isc_vm(fake, "network log web --kind ip,arp --json");
	assert_null(strstr(kinds.out, "\"mac\""));
	assert_non_null(strstr(kinds.out, "\"ip\""));
	g_auto(Run) time = isc_vm(fake, "network log web --since @1700000004 --until @1700000006");
	assert_non_null(strstr(time.out, " ip "));
	assert_null(strstr(time.out, " arp "));
	answer(fake, "ListTrails", "(['web', '+web', '@dock'],)");
	g_auto(Run) every = isc_vm(fake, "network log --kind arp");
	assert_int_equal(every.status, 0);
	assert_non_null(strstr(every.out, " web "));
	g_auto(Run) when = isc_vm(fake, "network log --since nonsense");
	assert_int_equal(when.status, 2);
	g_auto(Run) both = isc_vm(fake, "network log web --dock");
	assert_int_equal(both.status, 2);
}

static void a_node_may_be_called_as_a_verb(void **state)
{
	Fake *fake = *state;
	put(fake, "line\n");
	g_auto(Run) run = isc_vm(fake, "audit --timeout 9 -- verify");
	assert_int_equal(run.status, 0);
	assert_string_equal(fake->calls->str, "Dock1.OpenChain ('verify', 0)\n");
	g_auto(Run) after = isc_vm(fake, "audit -n 3 report");
	assert_string_equal(fake->calls->str, "Dock1.OpenChain ('report', 0)\n");
	g_auto(Run) verb = isc_vm(fake, "audit --json report web");
	assert_true(g_str_has_suffix(fake->calls->str, "Dock1.OpenChain ('web', 0)\n"));
	assert_int_equal(verb.status, 7); /* without a key */
}

static GVariant *event(guint64 seq, const gchar *node, const gchar *text)
{
	GVariantDict dict;
	g_variant_dict_init(&dict, NULL);
	g_variant_dict_insert(&dict, "seq", "t", seq);
	g_variant_dict_insert(&dict, "time", "x", G_GINT64_CONSTANT(1700000000000000));
	g_variant_dict_insert(&dict, "node", "s", node);
	g_variant_dict_insert(&dict, "kind", "s", "node.ready");
	g_variant_dict_insert(&dict, "level", "s", "info");
	g_variant_dict_insert(&dict, "text", "s", text);
	g_variant_dict_insert(&dict, "caller", "u", 1000);
	return g_variant_new("(@a{sv})", g_variant_dict_end(&dict));
}

static void events_show_the_record_then_what_comes_each_once(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListEvents",
			"([{'seq': <uint64 1>, 'node': <'web'>, 'text': <'first'>}, {'seq': "
			"<uint64 2>, "
			"'node': <'web'>, 'text': <'second'>}],)");
	g_auto(Run) once = isc_vm(fake, "events web -n 1");
	assert_string_equal(fake->calls->str, "Dock1.ListEvents ('web', 0, 1)\n");
	assert_null(strstr(once.out, "first"));
	assert_non_null(strstr(once.out, "second"));

	Run run = { .process = spawn(fake, "events web -f --json") };
	g_autoptr(GString) seen = g_string_new(NULL);
	await(run.process, seen, "second");
	emit(fake, "Event", event(2, "web", "second again"));
	emit(fake, "Event", event(3, "other", "not ours"));
	emit(fake, "Event", event(4, "web", "third"));
	await(run.process, seen, "third");
	g_subprocess_send_signal(run.process, SIGTERM);
	finish(&run);
	assert_int_equal(run.status, -SIGTERM);
	assert_null(strstr(seen->str, "again"));
	assert_null(strstr(seen->str, "not ours"));
	g_auto(GStrv) lines = g_strsplit(g_strchomp(seen->str), "\n", -1);
	assert_int_equal(g_strv_length(lines), 3);
	run_clear(&run);
}

static void events_go_on_over_a_restart_of_the_dock(void **state)
{
	Fake *fake = *state;
	answer(fake, "ListEvents", "(@aa{sv} [],)");
	Run run = { .process = spawn(fake, "events -f") };
	g_autoptr(GString) seen = g_string_new(NULL);
	while (fake->calls->len == 0)
		g_main_context_iteration(NULL, TRUE);
	/* Not before it listens: the name's watch comes after the record was read. */
	for (guint64 seq = 7; !strstr(seen->str, "up"); seq++) {
		emit(fake, "Event", event(7, "web", "up"));
		await(run.process, seen, "up");
	}
	g_usleep(100000);
	own_name(fake, "ReleaseName", "('org.iscdock.Dock1',)");
	answer(fake, "ListEvents",
			"([{'seq': <uint64 8>, 'node': <'web'>, 'text': <'meanwhile'>}],)");
	g_string_truncate(fake->calls, 0);
	g_usleep(50000);
	own_name(fake, "RequestName", "('org.iscdock.Dock1', uint32 4)");
	await(run.process, seen, "meanwhile");
	assert_string_equal(fake->calls->str, "Dock1.ListEvents ('', 7, 1000)\n");
	g_subprocess_send_signal(run.process, SIGINT);
	finish(&run);
	assert_int_equal(run.status, -SIGINT);
	assert_non_null(strstr(run.err, "went away"));
	run_clear(&run);
}

int main(int argc, char **argv)
{
	if (argc > 1 && g_str_equal(argv[1], AS_ISC_VM)) {
		argv[1] = (gchar *)"isc-vm";
		return isc_cli_main(argc - 1, argv + 1);
	}
	self = argv[0];
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(verbs_send_what_the_command_line_says),
		TEST(wrong_command_lines_never_reach_the_dock),
		TEST(a_node_file_goes_as_it_is_or_under_another_name),
		TEST(each_error_of_the_dock_has_its_exit_status),
		TEST(a_failure_is_told_in_json_as_well),
		TEST(a_node_that_is_not_there_is_status_3),
		TEST(the_name_of_a_set_is_taken_for_the_set),
		TEST(rules_of_a_set_are_the_sets),
		TEST(a_set_stands_for_its_members_or_it_is_said_what_to_name),
		TEST(a_set_is_quarantined_and_released_as_a_whole),
		TEST(an_older_dock_is_not_taken_for_a_missing_node),
		TEST(without_a_dock_or_a_bus_it_says_so),
		TEST(a_dock_that_dies_under_the_call_is_status_8),
		TEST(no_answer_in_time_is_status_9),
		TEST(one_failure_does_not_stop_the_others),
		TEST(list_shows_a_table_and_that_nodes_are_emulated),
		TEST(json_is_what_the_dock_said),
		TEST(a_dry_run_prints_the_plan),
		TEST(doctor_fails_where_a_check_fails_and_only_there),
		TEST(fsck_fails_while_a_problem_is_left),
		TEST(progress_is_silent_unless_asked_for),
		TEST(import_hands_over_the_open_files),
		TEST(import_refuses_what_is_no_whole_image),
		TEST(trails_are_cleaned_for_the_terminal),
		TEST(logs_in_json_have_time_stream_and_text),
		TEST(logs_of_a_set_are_merged_by_time_behind_their_names),
		TEST(audit_shows_commands_and_json),
		TEST(logs_follow_growth_and_rotation_until_interrupted),
		TEST(logs_end_when_the_node_is_gone),
		TEST(audit_reads_all_files_of_a_trail),
		TEST(audit_finds_events_by_what_their_records_say),
		TEST(audit_search_follows_and_waits_for_the_rest_of_an_event),
		TEST(audit_verify_names_the_first_bad_record),
		TEST(audit_verify_takes_no_other_name_key_or_end),
		TEST(audit_verify_misses_what_the_dock_has_noted),
		TEST(audit_exports_are_verified_without_a_dock),
		TEST(anchors_must_be_what_the_dock_signed),
		TEST(anchors_are_checked_without_a_dock),
		TEST(audit_report_counts_what_was_verified),
		TEST(dropped_packets_are_shown_by_kind_and_time),
		TEST(a_node_may_be_called_as_a_verb),
		TEST(events_show_the_record_then_what_comes_each_once),
		TEST(events_go_on_over_a_restart_of_the_dock),
	};
	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
