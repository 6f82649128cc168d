#pragma once
#include "daemon/bus.h"

/* Handlers that only look (and those of images). */
GVariant *isc_show_node(IscCall *call, GError **error);
GVariant *isc_show_nodes(IscCall *call, GError **error);
GVariant *isc_show_image(IscCall *call, GError **error);
GVariant *isc_show_images(IscCall *call, GError **error);
GVariant *isc_show_import_image(IscCall *call, GError **error);
GVariant *isc_show_remove_image(IscCall *call, GError **error);
