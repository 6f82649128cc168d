#include "daemon/bus.h"

#include <gio/gunixfdlist.h>
#include <string.h>

#include "api/roles.h"
#include "base/error.h"
#include "daemon/act.h"
#include "daemon/boundary.h"
#include "daemon/handlers.h"
#include "iscdock-dbus.h"

#define ROOT "/org/iscdock/Dock1"
#define NAME "org.iscdock.Dock1"

struct IscBus {
	IscDock *dock;
	GDBusConnection *connection;
	GDBusObjectManagerServer *manager;
	IscDbusDock1 *root;
	guint owner;
	void (*lost)(gpointer);
	gpointer data;
};

static gchar *node_path(const gchar *name)
{
	g_autofree gchar *escaped = g_dbus_escape_object_path(name);
	return g_strconcat(ROOT "/node/", escaped, NULL);
}

static gchar *image_path(const gchar *digest)
{
	return g_strconcat(ROOT "/image/d", digest, NULL);
}

/* --- calls --------------------------------------------------------------------------------- */

static void call_free(IscCall *call)
{
	g_free(call->name);
	g_clear_object(&call->out_fds);
	g_object_unref(call->invocation);
	g_free(call);
}

/* Who calls: the bus knows it from the kernel.  In a worker thread: it asks and waits. */
static gboolean ask_for_uid(IscCall *call, GError **error)
{
	g_autoptr(GVariant) answer = g_dbus_connection_call_sync(
			g_dbus_method_invocation_get_connection(call->invocation),
			"org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
			"GetConnectionUnixUser",
			g_variant_new("(s)", g_dbus_method_invocation_get_sender(call->invocation)),
			G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, 5000, NULL, error);
	if (!answer) {
		g_prefix_error(error, "cannot learn who calls: ");
		return FALSE;
	}
	g_variant_get(answer, "(u)", &call->uid);
	return TRUE;
}

/* The return functions eat the reference that came with the call; call_free() gives back our own.
 */
static void answer(IscCall *call, GVariant *result, const GError *why)
{
	if (result) {
		g_dbus_method_invocation_return_value_with_unix_fd_list(
				call->invocation, result, call->out_fds);
		return;
	}
	/* Errors that are not ours (GIO's, mostly) go out under our name too. */
	if (why->domain == ISC_ERROR)
		g_dbus_method_invocation_return_gerror(call->invocation, why);
	else
		g_dbus_method_invocation_return_dbus_error(call->invocation,
				isc_error_dbus_name(ISC_ERROR_FAILED), why->message);
}

/* In a worker thread. */
static void serve(IscDock *dock, gpointer data)
{
	IscCall *call = data;
	(void)dock;
	g_autoptr(GError) why = NULL;
	GVariant *result = NULL;
	gint64 began = g_get_monotonic_time();

	call->uid = (guint)-2; /* nobody, until the bus has said who it is */
	if (ask_for_uid(call, &why)) {
		call->roles = isc_roles_of_uid(call->uid);
		if (isc_roles_check(call->roles, call->handler->interface, call->handler->method,
				    &why))
			result = call->handler->run(call, &why);
		else
			isc_dock_event(call->dock, call->name, "api.denied", "warn", call->uid,
					"uid %u may not call %s", call->uid, call->handler->method);
	}
	/* A mistake of ours must not end the dock. */
	if (!result && !why)
		g_set_error(&why, ISC_ERROR, ISC_ERROR_FAILED,
				"%s failed, and isc-dockd cannot tell why: see its log",
				call->handler->method);
	isc_act_call(call, began, result ? NULL : why);
	answer(call, result, why);
	call_free(call);
}

/* One marshaller for every generated "handle-…" signal: whatever the arguments, the handler reads
 * them from the invocation. */
static void marshal(GClosure *closure, GValue *ret, guint n, const GValue *values, gpointer hint,
		gpointer data)
{
	IscBus *bus = closure->data;
	GDBusMethodInvocation *invocation = g_value_get_object(&values[1]);
	(void)n, (void)hint, (void)data;
	g_value_set_boolean(ret, TRUE);

	const gchar *interface = g_dbus_method_invocation_get_interface_name(invocation);
	const gchar *method = g_dbus_method_invocation_get_method_name(invocation);
	const IscHandler *handler = isc_handlers_find(interface + strlen("org.iscdock."), method);
	if (!handler) {
		g_dbus_method_invocation_return_dbus_error(
				invocation, "org.freedesktop.DBus.Error.UnknownMethod", method);
		return;
	}

	IscCall *call = g_new0(IscCall, 1);
	call->dock = bus->dock;
	call->invocation = g_object_ref(invocation);
	call->handler = handler;
	call->params = g_dbus_method_invocation_get_parameters(invocation);
	call->fds = g_dbus_message_get_unix_fd_list(
			g_dbus_method_invocation_get_message(invocation));
	if (ISC_DBUS_IS_DOCK1_NODE(g_value_get_object(&values[0])))
		call->name = isc_dbus_dock1_node_dup_name(g_value_get_object(&values[0]));
	else
		call->name = g_strdup("");
	isc_dock_do(bus->dock, serve, call);
}

/* Connects every method of @skeleton. */
static void take_calls(IscBus *bus, GDBusInterfaceSkeleton *skeleton)
{
	GDBusInterfaceInfo *info = g_dbus_interface_skeleton_get_info(skeleton);
	for (gsize i = 0; info->methods && info->methods[i]; i++) {
		g_autoptr(GString) signal = g_string_new("handle");
		for (const gchar *c = info->methods[i]->name; *c; c++)
			if (g_ascii_isupper(*c))
				g_string_append_printf(signal, "-%c", g_ascii_tolower(*c));
			else
				g_string_append_c(signal, *c);
		GClosure *closure = g_closure_new_simple(sizeof(GClosure), bus);
		g_closure_set_marshal(closure, marshal);
		g_signal_connect_closure(skeleton, signal->str, closure, FALSE);
	}
}

/* --- signals and properties ---------------------------------------------------------------- */

GVariant *isc_bus_event_variant(const IscEventRow *row)
{
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	g_variant_builder_add(&b, "{sv}", "seq", g_variant_new_uint64(row->seq));
	g_variant_builder_add(&b, "{sv}", "time", g_variant_new_int64(row->time));
	g_variant_builder_add(&b, "{sv}", "node", g_variant_new_string(row->node));
	g_variant_builder_add(&b, "{sv}", "kind", g_variant_new_string(row->kind));
	g_variant_builder_add(&b, "{sv}", "level", g_variant_new_string(row->level));
	g_variant_builder_add(&b, "{sv}", "text", g_variant_new_string(row->text));
	g_variant_builder_add(&b, "{sv}", "caller", g_variant_new_uint32(row->caller));
	return g_variant_builder_end(&b);
}

/* g_dbus_connection_emit_signal() may be called from any thread; the generated emitters may not. */
static void emit(IscBus *bus, const gchar *signal, GVariant *params)
{
	(void)g_dbus_connection_emit_signal(
			bus->connection, NULL, ROOT, NAME, signal, params, NULL);
}

void isc_bus_event(IscBus *bus, const IscEventRow *row)
{
	emit(bus, "Event", g_variant_new("(@a{sv})", isc_bus_event_variant(row)));
}

void isc_bus_progress(IscBus *bus, const gchar *node, guint64 op, guint step, guint steps,
		const gchar *text)
{
	emit(bus, "Progress", g_variant_new("(stuus)", node, op, step, steps, text));
}

/* Objects and properties are touched in the main context alone. */
typedef struct {
	IscBus *bus;
	void (*run)(IscBus *bus, gchar **texts);
	gchar **texts;
} Update;

static gboolean do_update(gpointer data)
{
	Update *u = data;
	u->run(u->bus, u->texts);
	g_strfreev(u->texts);
	g_free(u);
	return G_SOURCE_REMOVE;
}

static void update(IscBus *bus, void (*run)(IscBus *, gchar **), const gchar *const *texts)
{
	Update *u = g_new0(Update, 1);
	u->bus = bus;
	u->run = run;
	u->texts = g_strdupv((gchar **)texts);
	g_main_context_invoke(NULL, do_update, u);
}

static void do_node_changed(IscBus *bus, gchar **t)
{
	g_autofree gchar *path = node_path(t[0]);
	g_autoptr(GDBusInterface) node = g_dbus_object_manager_get_interface(
			G_DBUS_OBJECT_MANAGER(bus->manager), path, NAME ".Node");
	if (node) {
		isc_dbus_dock1_node_set_state(ISC_DBUS_DOCK1_NODE(node), t[1]);
		isc_dbus_dock1_node_set_boundary(ISC_DBUS_DOCK1_NODE(node), t[2]);
	}
}

void isc_bus_node_changed(IscBus *bus, const gchar *name, IscNodeState state)
{
	update(bus, do_node_changed,
			(const gchar *const[]){ name, isc_node_state_name(state),
					isc_boundary_state(bus->dock, name, state, NULL), NULL });
}

static void do_node_image(IscBus *bus, gchar **t)
{
	g_autofree gchar *path = node_path(t[0]);
	g_autoptr(GDBusInterface) node = g_dbus_object_manager_get_interface(
			G_DBUS_OBJECT_MANAGER(bus->manager), path, NAME ".Node");
	if (node)
		isc_dbus_dock1_node_set_image(ISC_DBUS_DOCK1_NODE(node), t[1]);
}

void isc_bus_node_image(IscBus *bus, const gchar *name, const gchar *digest)
{
	update(bus, do_node_image, (const gchar *const[]){ name, digest, NULL });
}

static void do_add_node(IscBus *bus, gchar **t)
{
	g_autofree gchar *path = node_path(t[0]);
	g_autoptr(IscDbusObjectSkeleton) object = isc_dbus_object_skeleton_new(path);
	g_autoptr(IscDbusDock1Node) node = isc_dbus_dock1_node_skeleton_new();
	isc_dbus_dock1_node_set_name(node, t[0]);
	isc_dbus_dock1_node_set_uuid(node, t[1]);
	isc_dbus_dock1_node_set_state(node, t[2]);
	isc_dbus_dock1_node_set_image(node, t[3]);
	isc_dbus_dock1_node_set_address(node, t[4]);
	isc_dbus_dock1_node_set_environment(node, t[5]);
	isc_dbus_dock1_node_set_boundary(node, t[6]);
	take_calls(bus, G_DBUS_INTERFACE_SKELETON(node));
	isc_dbus_object_skeleton_set_dock1_node(object, node);
	g_dbus_object_manager_server_export(bus->manager, G_DBUS_OBJECT_SKELETON(object));
}

void isc_bus_add_node(IscBus *bus, const IscNode *node)
{
	g_autofree gchar *address = isc_node_address_text(&bus->dock->config->plan, node);
	g_mutex_lock(&bus->dock->lock);
	isc_dock_run(bus->dock, node->spec->name)->slot = node->slot;
	g_mutex_unlock(&bus->dock->lock);
	update(bus, do_add_node,
			(const gchar *const[]){ node->spec->name, node->uuid,
					isc_node_state_name(node->state), node->digest, address,
					isc_environment_name(node->spec->environment),
					isc_boundary_state(bus->dock, node->spec->name, node->state,
							NULL),
					NULL });
}

static void do_unexport(IscBus *bus, gchar **t)
{
	g_dbus_object_manager_server_unexport(bus->manager, t[0]);
}

void isc_bus_remove_node(IscBus *bus, const gchar *name)
{
	g_autofree gchar *path = node_path(name);
	update(bus, do_unexport, (const gchar *const[]){ path, NULL });
}

static void do_add_image(IscBus *bus, gchar **t)
{
	g_autofree gchar *path = image_path(t[2]);
	g_autoptr(IscDbusObjectSkeleton) object = isc_dbus_object_skeleton_new(path);
	g_autoptr(IscDbusDock1Image) image = isc_dbus_dock1_image_skeleton_new();
	isc_dbus_dock1_image_set_name(image, t[0]);
	isc_dbus_dock1_image_set_version(image, t[1]);
	isc_dbus_dock1_image_set_digest(image, t[2]);
	isc_dbus_object_skeleton_set_dock1_image(object, image);
	g_dbus_object_manager_server_export(bus->manager, G_DBUS_OBJECT_SKELETON(object));
}

void isc_bus_add_image(IscBus *bus, const IscImage *image)
{
	update(bus, do_add_image,
			(const gchar *const[]){ image->name, image->version, image->digest, NULL });
}

void isc_bus_remove_image(IscBus *bus, const gchar *digest)
{
	g_autofree gchar *path = image_path(digest);
	update(bus, do_unexport, (const gchar *const[]){ path, NULL });
}

static void do_state_changed(IscBus *bus, gchar **t)
{
	(void)t;
	g_mutex_lock(&bus->dock->lock);
	g_autofree gchar *state =
			bus->dock->boundary  ? g_strconcat("degraded: boundary: down: ",
							       bus->dock->boundary, NULL)
			: bus->dock->trouble ? g_strconcat("degraded: ", bus->dock->trouble, NULL)
					     : g_strdup("ok");
	g_mutex_unlock(&bus->dock->lock);
	isc_dbus_dock1_set_state(bus->root, state);
}

void isc_bus_state_changed(IscBus *bus)
{
	update(bus, do_state_changed, (const gchar *const[]){ NULL });
}

/* --- life ---------------------------------------------------------------------------------- */

static void on_name_lost(GDBusConnection *connection, const gchar *name, gpointer data)
{
	IscBus *bus = data;
	(void)connection, (void)name;
	bus->lost(bus->data);
}

IscBus *isc_bus_new(
		IscDock *dock, GDBusConnection *connection, void (*lost)(gpointer), gpointer data)
{
	IscBus *bus = g_new0(IscBus, 1);
	bus->dock = dock;
	bus->connection = g_object_ref(connection);
	bus->lost = lost;
	bus->data = data;
	bus->manager = g_dbus_object_manager_server_new(ROOT);

	bus->root = isc_dbus_dock1_skeleton_new();
	g_autofree gchar *outside = isc_dock_outside_address(dock);
	isc_dbus_dock1_set_version(bus->root, ISC_VERSION);
	isc_dbus_dock1_set_accelerator(bus->root, isc_accel_name(dock->accel));
	isc_dbus_dock1_set_emulated(bus->root, dock->accel != ISC_ACCEL_KVM);
	isc_dbus_dock1_set_outside_address(bus->root, outside);
	take_calls(bus, G_DBUS_INTERFACE_SKELETON(bus->root));
	do_state_changed(bus, NULL);

	g_dbus_object_manager_server_set_connection(bus->manager, connection);
	g_autoptr(GError) why = NULL;
	if (!g_dbus_interface_skeleton_export(
			    G_DBUS_INTERFACE_SKELETON(bus->root), connection, ROOT, &why))
		g_critical("cannot export '" ROOT "': %s", why->message);
	bus->owner = g_bus_own_name_on_connection(connection, NAME,
			G_BUS_NAME_OWNER_FLAGS_DO_NOT_QUEUE, NULL, on_name_lost, bus, NULL);
	return bus;
}

void isc_bus_free(IscBus *bus)
{
	if (!bus)
		return;
	g_bus_unown_name(bus->owner);
	g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(bus->root));
	g_object_unref(bus->root);
	g_object_unref(bus->manager);
	g_object_unref(bus->connection);
	g_free(bus);
}
