#pragma once
/* Automatic clean-up for types that are not GLib's.  One line a type, here only.
 * Types of heavy libraries (libvirt, nftables, cryptsetup, …) are declared beside the one module
 * that uses them, so that a unit test need not link them all. */
#include <dirent.h>
#include <glib.h>
#include <json-c/json.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <stdio.h>
#include <unistd.h>

/* A file descriptor that closes itself: `isc_autofd int fd = open(…)`; -1 is empty. */
static inline void isc_clear_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline int isc_steal_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}
#define isc_autofd __attribute__((cleanup(isc_clear_fd)))

typedef struct json_object IscJson;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscJson, json_object_put)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FILE, fclose)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathContext, xmlXPathFreeContext)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlXPathObject, xmlXPathFreeObject)
