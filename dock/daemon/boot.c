#include "daemon/boot.h"

#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"

#define KERNEL_ID "/proc/sys/kernel/random/boot_id"

static gchar *path_of(const IscDock *dock)
{
	return g_build_filename(dock->config->state_dir, "boot-id", NULL);
}

/* This boot's id and a newline, or NULL. */
static gchar *read_kernel_id(void)
{
	gchar *id = NULL;
	return g_file_get_contents(KERNEL_ID, &id, NULL, NULL) ? id : NULL;
}

void isc_boot_look(IscDock *dock)
{
	g_autofree gchar *path = path_of(dock);
	g_autofree gchar *now = read_kernel_id();
	g_autofree gchar *was = isc_file_read(AT_FDCWD, path, 64, NULL, NULL);
	dock->boot.is_new = now && was && !g_str_equal(now, was);
	if (dock->boot.is_new)
		isc_dock_event(dock, "", "dock.host-started", "info", ISC_CALLER_DOCK,
				"the host was started anew: the nodes that ran on it are started");
}

gboolean isc_boot_is_new(IscDock *dock)
{
	return g_atomic_int_get(&dock->boot.is_new);
}

void isc_boot_seen(IscDock *dock)
{
	g_autofree gchar *path = path_of(dock);
	g_autofree gchar *now = read_kernel_id();
	g_autoptr(GError) why = NULL;
	if (!now || (!isc_boot_is_new(dock) && g_file_test(path, G_FILE_TEST_EXISTS)))
		return;
	if (isc_file_write(AT_FDCWD, path, now, strlen(now), 0600, &why))
		g_atomic_int_set(&dock->boot.is_new, FALSE);
	else
		g_warning("%s", why->message);
}

gboolean isc_boot_is_over(IscDock *dock)
{
	return g_atomic_int_get(&dock->boot.is_over);
}

static void on_shutdown(GDBusConnection *connection, const gchar *sender, const gchar *path,
		const gchar *interface, const gchar *signal, GVariant *params, gpointer data)
{
	IscDock *dock = data;
	gboolean begins = FALSE;
	(void)connection, (void)sender, (void)path, (void)interface, (void)signal;
	if (!g_variant_is_of_type(params, G_VARIANT_TYPE("(b)")))
		return;
	g_variant_get(params, "(b)", &begins);
	g_atomic_int_set(&dock->boot.is_over, begins);
	isc_dock_event(dock, "", "dock.host-ends", "info", ISC_CALLER_DOCK,
			begins ? "the host goes down: nodes that end now are started with it again"
			       : "the host does not go down after all");
}

void isc_boot_listen(IscDock *dock, GDBusConnection *connection)
{
	g_dbus_connection_signal_subscribe(connection, "org.freedesktop.login1",
			"org.freedesktop.login1.Manager", "PrepareForShutdown",
			"/org/freedesktop/login1", NULL, G_DBUS_SIGNAL_FLAGS_NONE, on_shutdown,
			dock, NULL);
}
