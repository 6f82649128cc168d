#pragma once
#include "daemon/dock.h"

/* The stages of isc-dockd's start, in the order in which main() calls them, and its end. */

typedef struct {
	gchar *config_path;  /* owned */
	gboolean print_only; /* --help, --version, --check: printed, nothing else to do */
} IscStartOptions;

/* Errors: ISC_ERROR_INVALID. */
gboolean isc_start_parse(IscStartOptions *out, int argc, char **argv, GError **error);

gboolean isc_start_config(IscDock *dock, const IscStartOptions *options, GError **error);
gboolean isc_start_stores(IscDock *dock, GError **error); /* register, keys, images */
gboolean isc_start_boundary(IscDock *dock,
		GError **error); /* rules, with those of all nodes, then the bridge */
gboolean isc_start_links(IscDock *dock, GError **error); /* collector, libvirt, workers */
gboolean isc_start_bus(IscDock *dock, void (*lost)(gpointer), gpointer data, GError **error);

/* Nodes, rules and bridge stay. */
void isc_start_end(IscDock *dock);
