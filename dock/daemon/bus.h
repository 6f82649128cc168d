#pragma once
#include "daemon/dock.h"

/* The dock on D-Bus: objects, properties, signals, and the way of each call to its handler. */

/* One method.  `run` is called in a worker thread after the caller's role was checked; returns
 * (transfer full) the floating tuple of the answer. */
typedef struct IscCall IscCall;
typedef struct {
	const gchar *interface, *method; /* "Dock1.Node", "Enable" */
	GVariant *(*run)(IscCall *call, GError **error);
} IscHandler;

struct IscCall {
	IscDock *dock;
	gchar *name; /* of the object: node name, or "" */
	guint uid;   /* who calls, as the bus says */
	guint roles;
	guint64 order;        /* id in the journal of what it set off; 0: of nothing */
	GVariant *params;     /* the tuple of arguments */
	GUnixFDList *fds;     /* that came with it, or NULL */
	GUnixFDList *out_fds; /* to go with the answer; a handler may set it */
	const IscHandler *handler;
	GDBusMethodInvocation *invocation;
};

/**
 * isc_bus_new:
 * Exports the objects and asks for the name.  @lost is called in the main context when the bus or
 * the name is gone.
 */
IscBus *isc_bus_new(
		IscDock *dock, GDBusConnection *connection, void (*lost)(gpointer), gpointer data);
void isc_bus_free(IscBus *bus);

/* Any thread. */
void isc_bus_event(IscBus *bus, const IscEventRow *row);
void isc_bus_progress(IscBus *bus, const gchar *node, guint64 op, guint step, guint steps,
		const gchar *text);
void isc_bus_node_changed(IscBus *bus, const gchar *name, IscNodeState state);
void isc_bus_node_image(IscBus *bus, const gchar *name, const gchar *digest);
void isc_bus_add_node(IscBus *bus, const IscNode *node);
void isc_bus_remove_node(IscBus *bus, const gchar *name);
void isc_bus_add_image(IscBus *bus, const IscImage *image);
void isc_bus_remove_image(IscBus *bus, const gchar *digest);
void isc_bus_state_changed(IscBus *bus);

/* The answer's dictionary: {sv} entries of an event.  Returns: (transfer floating) */
GVariant *isc_bus_event_variant(const IscEventRow *row);
