#include "cli/client.h"

#include <glib-unix.h>
#include <string.h>

#include "base/error.h"
#include "model/replica.h"

#define NOT_RUNNING                                                                                \
	"isc-dockd is not running: start it with 'systemctl start isc-dockd', or as "              \
	"'isc-dockd --foreground' where there is no systemd"

struct IscClient {
	GDBusConnection *bus;
	GCancellable *cancel; /* cancelled when a signal comes */
	GMainLoop *loop;
	IscProgress *progress;
	gboolean wants_progress;
	const gchar *subject; /* borrowed; whose progress to show in calls of the dock's own; NULL:
				 all */
	guint timeout_s;
	int signal; /* the one that came, or 0 */
	guint sources[3];
	IscEventFunc on_event;
	gpointer event_data;
	IscPresenceFunc on_presence;
	gpointer presence_data;
	guint event_id, watch_id;
};

/* --- signals of the process ------------------------------------------------------------------- */

static gboolean came(IscClient *client, int signo)
{
	client->signal = signo;
	g_cancellable_cancel(client->cancel);
	g_main_loop_quit(client->loop);
	return G_SOURCE_CONTINUE;
}

static gboolean on_int(gpointer data)
{
	return came(data, SIGINT);
}

static gboolean on_term(gpointer data)
{
	return came(data, SIGTERM);
}

static gboolean on_hup(gpointer data)
{
	return came(data, SIGHUP);
}

/* --- connection ------------------------------------------------------------------------------- */

IscClient *isc_client_new(guint timeout_s, IscProgressMode progress, GError **error)
{
	isc_error_register_dbus();

	g_autoptr(GError) why = NULL;
	g_autoptr(GDBusConnection) bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &why);
	if (!bus) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"cannot reach the system bus (is dbus-daemon running?): %s",
				why->message);
		return NULL;
	}
	/* Else GLib kills the process without a word when the bus goes away. */
	g_dbus_connection_set_exit_on_close(bus, FALSE);

	IscClient *client = g_new0(IscClient, 1);
	client->bus = g_steal_pointer(&bus);
	client->cancel = g_cancellable_new();
	client->loop = g_main_loop_new(NULL, FALSE);
	client->progress = isc_progress_new(STDERR_FILENO, progress);
	client->wants_progress = progress != ISC_PROGRESS_NONE;
	client->timeout_s = timeout_s;
	client->sources[0] = g_unix_signal_add(SIGINT, on_int, client);
	client->sources[1] = g_unix_signal_add(SIGTERM, on_term, client);
	client->sources[2] = g_unix_signal_add(SIGHUP, on_hup, client);
	return client;
}

void isc_client_free(IscClient *client)
{
	if (!client)
		return;
	for (gsize i = 0; i < G_N_ELEMENTS(client->sources); i++)
		g_source_remove(client->sources[i]);
	if (client->event_id)
		g_dbus_connection_signal_unsubscribe(client->bus, client->event_id);
	if (client->watch_id)
		g_bus_unwatch_name(client->watch_id);
	isc_progress_free(client->progress);
	g_main_loop_unref(client->loop);
	g_object_unref(client->cancel);
	g_object_unref(client->bus);
	g_free(client);
}

int isc_client_signal(const IscClient *client)
{
	return client->signal;
}

gchar *isc_client_node_path(const gchar *node)
{
	g_auto(GStrv) parts = g_strsplit(node, "-", -1);
	g_autofree gchar *name = g_strjoinv("_2d", parts);
	return g_strconcat(ISC_CLIENT_PATH "/node/", name, NULL);
}

/* --- errors ----------------------------------------------------------------------------------- */

static const struct {
	const gchar *dbus_name; /* a trailing '*' matches what begins so */
	IscError code;
	const gchar *message; /* NULL: the one that came */
} remote_errors[] = {
	{ "org.freedesktop.DBus.Error.ServiceUnknown", ISC_ERROR_HOST, NOT_RUNNING },
	{ "org.freedesktop.DBus.Error.NameHasNoOwner", ISC_ERROR_HOST, NOT_RUNNING },
	{ "org.freedesktop.DBus.Error.Spawn.*", ISC_ERROR_HOST, NOT_RUNNING },
	{ "org.freedesktop.systemd1.*", ISC_ERROR_HOST, NOT_RUNNING },
	{ "org.freedesktop.DBus.Error.NoReply", ISC_ERROR_HOST,
			"isc-dockd went away before it answered: see its log, and 'isc-vm fsck' "
			"once it runs again" },
	{ "org.freedesktop.DBus.Error.Disconnected", ISC_ERROR_HOST,
			"the system bus went away before isc-dockd answered" },
	{ "org.freedesktop.DBus.Error.AccessDenied", ISC_ERROR_AUTH,
			"the dock does not take orders from this user: be root, or a member of "
			"isc-operator, isc-security or isc-auditor (after joining a group, log in "
			"again)" },
	{ "org.freedesktop.DBus.Error.InvalidArgs", ISC_ERROR_INVALID, NULL },
	{ "org.freedesktop.DBus.Error.LimitsExceeded", ISC_ERROR_STATE, NULL },
	{ "org.freedesktop.DBus.Error.NoMemory", ISC_ERROR_HOST, NULL },
};

static gboolean is_unknown_object(const GError *error)
{
	g_autofree gchar *name = g_dbus_error_get_remote_error(error);
	return g_strcmp0(name, "org.freedesktop.DBus.Error.UnknownMethod") == 0 ||
	       g_strcmp0(name, "org.freedesktop.DBus.Error.UnknownObject") == 0 ||
	       g_strcmp0(name, "org.freedesktop.DBus.Error.UnknownInterface") == 0;
}

static gboolean matches(const gchar *pattern, const gchar *name)
{
	gsize len = strlen(pattern);
	if (pattern[len - 1] == '*')
		return strncmp(pattern, name, len - 1) == 0;
	return g_str_equal(pattern, name);
}

/* The error of a call as one of ours.  Takes @raw. */
static void translate(const gchar *method, GError *raw, GError **error)
{
	g_autoptr(GError) whole = raw;
	g_autofree gchar *name = g_dbus_error_get_remote_error(whole);
	gboolean is_unknown = is_unknown_object(whole);
	g_dbus_error_strip_remote_error(whole);

	if (whole->domain == ISC_ERROR ||
			g_error_matches(whole, G_IO_ERROR, G_IO_ERROR_CANCELLED)) {
		g_propagate_error(error, g_steal_pointer(&whole));
		return;
	}
	if (g_error_matches(whole, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ||
			g_error_matches(whole, G_DBUS_ERROR, G_DBUS_ERROR_TIMEOUT) ||
			g_error_matches(whole, G_DBUS_ERROR, G_DBUS_ERROR_TIMED_OUT)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT,
				"no answer from the dock within --timeout; what was asked for may "
				"still go "
				"on: see 'isc-vm list' and 'isc-vm events'");
		return;
	}
	if (g_error_matches(whole, G_IO_ERROR, G_IO_ERROR_CLOSED)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"the system bus went away before isc-dockd answered");
		return;
	}
	if (is_unknown || g_error_matches(whole, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"isc-dockd and isc-vm (%s) do not fit together in %s: install the "
				"same "
				"version of both",
				ISC_VERSION, method);
		return;
	}
	for (gsize i = 0; name && i < G_N_ELEMENTS(remote_errors); i++) {
		if (!matches(remote_errors[i].dbus_name, name))
			continue;
		const gchar *message = remote_errors[i].message;
		g_set_error_literal(error, ISC_ERROR, remote_errors[i].code,
				message ? message : whole->message);
		return;
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "%s: %s", method, whole->message);
}

/* --- progress --------------------------------------------------------------------------------- */

static void on_progress(GDBusConnection *bus, const gchar *sender, const gchar *path,
		const gchar *iface, const gchar *signal, GVariant *params, gpointer data)
{
	(void)bus, (void)sender, (void)path, (void)iface, (void)signal;
	IscClient *client = data;
	const gchar *node, *text;
	guint step, steps;
	if (!g_variant_is_of_type(params, G_VARIANT_TYPE("(stuus)")))
		return;
	g_variant_get(params, "(&stuu&s)", &node, NULL, &step, &steps, &text);
	isc_progress_step(client->progress, node, step, steps, text);
}

static gboolean on_tick(gpointer data)
{
	IscClient *client = data;
	isc_progress_tick(client->progress);
	return G_SOURCE_CONTINUE;
}

/* --- calls ------------------------------------------------------------------------------------ */

typedef struct {
	GMainLoop *loop;
	GAsyncResult *result; /* owned */
} Wait;

static void on_reply(GObject *source, GAsyncResult *result, gpointer data)
{
	(void)source;
	Wait *wait = data;
	wait->result = g_object_ref(result);
	g_main_loop_quit(wait->loop);
}

static GVariant *call(IscClient *client, const gchar *path, const gchar *iface, const gchar *method,
		GVariant *params, const gchar *reply, GUnixFDList *in, GUnixFDList **out,
		GError **error)
{
	/* A loop of its own: the client's is left for isc_client_loop(), which may be what calls
	 * us. */
	g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
	Wait wait = { loop, NULL };
	gint timeout_ms = client->timeout_s > 0
					  ? (gint)MIN(client->timeout_s, G_MAXINT / 1000) * 1000
					  : G_MAXINT; /* GDBus: no limit */

	g_dbus_connection_call_with_unix_fd_list(client->bus, ISC_CLIENT_BUS_NAME, path, iface,
			method, params, G_VARIANT_TYPE(reply), G_DBUS_CALL_FLAGS_NONE, timeout_ms,
			in, client->cancel, on_reply, &wait);
	while (!wait.result)
		g_main_loop_run(loop);

	g_autoptr(GAsyncResult) result = wait.result;
	return g_dbus_connection_call_with_unix_fd_list_finish(client->bus, out, result, error);
}

/* As isc_client_has_node(); *@is_set: it is the name of a set. */
static gboolean has_node(IscClient *client, const gchar *node, gboolean *is_set)
{
	g_autoptr(GVariant) reply = call(client, ISC_CLIENT_PATH, ISC_CLIENT_IFACE, "ListNodes",
			NULL, "(aa{sv})", NULL, NULL, NULL);
	if (!reply)
		return TRUE;
	g_autoptr(GVariant) rows = g_variant_get_child_value(reply, 0);
	for (gsize i = 0; i < g_variant_n_children(rows); i++) {
		g_autoptr(GVariant) row = g_variant_get_child_value(rows, i);
		const gchar *name, *set;
		if (g_variant_lookup(row, "name", "&s", &name) && g_str_equal(name, node))
			return TRUE;
		if (g_variant_lookup(row, "set", "&s", &set) && g_str_equal(set, node))
			*is_set = TRUE;
	}
	return FALSE;
}

gboolean isc_client_has_node(IscClient *client, const gchar *node)
{
	gboolean is_set;
	return has_node(client, node, &is_set);
}

GVariant *isc_client_call(IscClient *client, const gchar *node, const gchar *method,
		GVariant *params, const gchar *reply, GUnixFDList *in, GUnixFDList **out,
		GError **error)
{
	g_autofree gchar *path = node ? isc_client_node_path(node) : g_strdup(ISC_CLIENT_PATH);
	const gchar *iface = node ? ISC_CLIENT_NODE_IFACE : ISC_CLIENT_IFACE;
	g_autoptr(GVariant) kept = params ? g_variant_ref_sink(params) : NULL;
	guint progress_id = 0, tick_id = 0;
	gboolean is_there = TRUE, is_set = FALSE;
	if (client->wants_progress) {
		progress_id = g_dbus_connection_signal_subscribe(client->bus, ISC_CLIENT_BUS_NAME,
				ISC_CLIENT_IFACE, "Progress", ISC_CLIENT_PATH,
				node ? node : client->subject, G_DBUS_SIGNAL_FLAGS_NONE,
				on_progress, client, NULL);
		tick_id = g_timeout_add_seconds(1, on_tick, client);
	}

	/* A node that was missing and is there was destroyed and made anew this moment. */
	g_autoptr(GError) raw = NULL;
	GVariant *result = call(client, path, iface, method, kept, reply, in, out, &raw);
	if (!result && node && is_unknown_object(raw)) {
		is_there = has_node(client, node, &is_set);
		if (is_there) {
			g_clear_error(&raw);
			result = call(client, path, iface, method, kept, reply, in, out, &raw);
		}
	}

	if (client->wants_progress) {
		g_source_remove(tick_id);
		g_dbus_connection_signal_unsubscribe(client->bus, progress_id);
		isc_progress_clear(client->progress);
	}
	if (result)
		return result;

	if (!is_there && is_set) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, ISC_NO_NODE_BUT_A_SET, node,
				node);
		return NULL;
	}
	if (!is_there) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no node '%s'; isc-vm list shows those there are", node);
		return NULL;
	}
	translate(method, g_steal_pointer(&raw), error);
	return NULL;
}

GVariant *isc_client_ask(IscClient *client, const gchar *node, const gchar *method,
		GVariant *params, const gchar *reply, GError **error)
{
	g_autoptr(GVariant) tuple =
			isc_client_call(client, node, method, params, reply, NULL, NULL, error);
	return tuple ? g_variant_get_child_value(tuple, 0) : NULL;
}

GVariant *isc_client_properties(IscClient *client, GError **error)
{
	GError *raw = NULL;
	g_autoptr(GVariant) tuple = call(client, ISC_CLIENT_PATH, "org.freedesktop.DBus.Properties",
			"GetAll", g_variant_new("(s)", ISC_CLIENT_IFACE), "(a{sv})", NULL, NULL,
			&raw);
	if (tuple)
		return g_variant_get_child_value(tuple, 0);
	translate("GetAll", raw, error);
	return NULL;
}

int isc_client_open_trail(IscClient *client, const gchar *node, const gchar *kind, GError **error)
{
	g_autoptr(GUnixFDList) fds = NULL;
	g_autoptr(GVariant) reply = isc_client_call(client, NULL, "OpenTrail",
			g_variant_new("(ss)", node, kind), "(h)", NULL, &fds, error);
	if (!reply)
		return -1;
	gint32 handle;
	g_variant_get(reply, "(h)", &handle);
	if (!fds) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "the dock sent no file");
		return -1;
	}
	return g_unix_fd_list_get(fds, handle, error);
}

void isc_client_set_subject(IscClient *client, const gchar *node)
{
	client->subject = node;
}

/* --- signals of the dock ---------------------------------------------------------------------- */

static void on_event(GDBusConnection *bus, const gchar *sender, const gchar *path,
		const gchar *iface, const gchar *signal, GVariant *params, gpointer data)
{
	(void)bus, (void)sender, (void)path, (void)iface, (void)signal;
	IscClient *client = data;
	if (!g_variant_is_of_type(params, G_VARIANT_TYPE("(a{sv})")))
		return;
	g_autoptr(GVariant) event = g_variant_get_child_value(params, 0);
	client->on_event(event, client->event_data);
}

void isc_client_on_event(IscClient *client, IscEventFunc func, gpointer data)
{
	client->on_event = func;
	client->event_data = data;
	client->event_id = g_dbus_connection_signal_subscribe(client->bus, ISC_CLIENT_BUS_NAME,
			ISC_CLIENT_IFACE, "Event", ISC_CLIENT_PATH, NULL, G_DBUS_SIGNAL_FLAGS_NONE,
			on_event, client, NULL);
}

static void on_appeared(GDBusConnection *bus, const gchar *name, const gchar *owner, gpointer data)
{
	(void)bus, (void)name, (void)owner;
	IscClient *client = data;
	client->on_presence(TRUE, client->presence_data);
}

static void on_vanished(GDBusConnection *bus, const gchar *name, gpointer data)
{
	(void)bus, (void)name;
	IscClient *client = data;
	client->on_presence(FALSE, client->presence_data);
}

void isc_client_on_presence(IscClient *client, IscPresenceFunc func, gpointer data)
{
	client->on_presence = func;
	client->presence_data = data;
	client->watch_id = g_bus_watch_name_on_connection(client->bus, ISC_CLIENT_BUS_NAME,
			G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared, on_vanished, client, NULL);
}

void isc_client_loop(IscClient *client)
{
	if (client->signal == 0)
		g_main_loop_run(client->loop);
}

void isc_client_quit(IscClient *client)
{
	g_main_loop_quit(client->loop);
}
