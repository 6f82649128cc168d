#include <glib-unix.h>
#include <locale.h>
#include <stdlib.h>
#include <syslog.h>

#include "base/error.h"
#include "daemon/bus.h"
#include "daemon/privileges.h"
#include "daemon/reconcile.h"
#include "daemon/start.h"

typedef struct {
	GMainLoop *loop;
	gboolean bus_lost;
} Life;

static gboolean on_signal(gpointer data)
{
	g_main_loop_quit(((Life *)data)->loop);
	return G_SOURCE_CONTINUE;
}

static void on_bus_lost(gpointer data)
{
	Life *life = data;
	life->bus_lost = TRUE;
	g_main_loop_quit(life->loop);
}

static int fail(const GError *error)
{
	g_printerr("isc-dockd: %s\n", error->message);
	syslog(LOG_DAEMON | LOG_ERR, "%s", error->message);
	return isc_error_exit_status(error);
}

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	openlog("isc-dockd", LOG_PID | LOG_NDELAY, LOG_DAEMON);
	isc_error_register_dbus();

	g_autoptr(GError) error = NULL;
	IscStartOptions options;
	if (!isc_start_parse(&options, argc, argv, &error))
		return fail(error);
	if (options.print_only)
		return EXIT_SUCCESS;

	/* The order matters: rules before nodes, recovery before anybody may call. */
	IscDock dock = { 0 };
	Life life = { g_main_loop_new(NULL, FALSE), FALSE };
	if (!isc_start_config(&dock, &options, &error) || !isc_privileges_prepare(&dock, &error) ||
			!isc_privileges_drop(&dock, &error) ||
			!isc_privileges_lock(&dock, &error) || !isc_start_stores(&dock, &error) ||
			!isc_start_boundary(&dock, &error) || !isc_start_links(&dock, &error) ||
			!isc_reconcile_start(&dock, &error) ||
			!isc_start_bus(&dock, on_bus_lost, &life, &error))
		return fail(error);

	g_unix_signal_add(SIGTERM, on_signal, &life);
	g_unix_signal_add(SIGINT, on_signal, &life);
	g_main_loop_run(life.loop);

	isc_start_end(&dock);
	g_main_loop_unref(life.loop);
	if (!life.bus_lost)
		return EXIT_SUCCESS;
	g_printerr("isc-dockd: the bus, or the name org.iscdock.Dock1 on it, is lost; is another "
		   "isc-dockd running?\n");
	return 8;
}
