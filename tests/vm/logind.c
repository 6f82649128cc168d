/* Says on the system bus what logind says when the host goes down: PrepareForShutdown(true), as the
 * owner of logind's name. */
#include <gio/gio.h>

static void on_name(GDBusConnection *connection, const gchar *name, gpointer loop)
{
	g_autoptr(GError) error = NULL;
	(void)name;
	if (!g_dbus_connection_emit_signal(connection, NULL, "/org/freedesktop/login1",
			    "org.freedesktop.login1.Manager", "PrepareForShutdown",
			    g_variant_new("(b)", TRUE), &error) ||
			!g_dbus_connection_flush_sync(connection, NULL, &error))
		g_error("%s", error->message);
	g_main_loop_quit(loop);
}

static void on_no_name(GDBusConnection *connection, const gchar *name, gpointer loop)
{
	(void)connection, (void)loop;
	g_error("the bus does not give the name %s", name);
}

int main(void)
{
	GMainLoop *loop = g_main_loop_new(NULL, FALSE);
	g_bus_own_name(G_BUS_TYPE_SYSTEM, "org.freedesktop.login1", G_BUS_NAME_OWNER_FLAGS_NONE,
			NULL, on_name, on_no_name, loop, NULL);
	g_main_loop_run(loop);
	g_main_loop_unref(loop);
	return 0;
}
