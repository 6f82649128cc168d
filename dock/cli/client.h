#pragma once
#include <gio/gio.h>
#include <gio/gunixfdlist.h>

#include "cli/progress.h"

/* The dock as seen from the command line: calls over the system bus, its errors as ours. */

#define ISC_CLIENT_BUS_NAME "org.iscdock.Dock1"
#define ISC_CLIENT_IFACE "org.iscdock.Dock1"
#define ISC_CLIENT_NODE_IFACE "org.iscdock.Dock1.Node"
#define ISC_CLIENT_PATH "/org/iscdock/Dock1"

typedef struct IscClient IscClient;

/**
 * isc_client_new:
 * @timeout_s: give up waiting for an answer after that long; 0: never
 * @progress: mode of the progress display on standard error
 *
 * Connects to the system bus (DBUS_SYSTEM_BUS_ADDRESS, or the standard one).  From here on SIGINT,
 * SIGTERM and SIGHUP end calls and loops (see isc_client_signal()) instead of the process, so that
 * the terminal is left clean. Errors: ISC_ERROR_HOST: no bus. Returns: (transfer full)
 */
IscClient *isc_client_new(guint timeout_s, IscProgressMode progress, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/**
 * isc_client_call:
 * @node: whose method it is (a valid name), or NULL for the dock's own
 * @params: its arguments, a tuple; floating ones are consumed
 * @reply: type of the answer, e.g. "(a{sv})"
 * @in, @out: (nullable): file descriptors that go along; *@out (transfer full), may be set to NULL
 *
 * Errors: the dock's own as they are; ISC_ERROR_NOT_FOUND: no such node; ISC_ERROR_HOST: isc-dockd
 * is not there or went away; ISC_ERROR_AUTH: the bus refused; ISC_ERROR_TIMEOUT: @timeout_s is
 * over; G_IO_ERROR_CANCELLED: a signal came. Returns: (transfer full): the answer, a tuple
 */
GVariant *isc_client_call(IscClient *client, const gchar *node, const gchar *method,
		GVariant *params, const gchar *reply, GUnixFDList *in, GUnixFDList **out,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* As above for a method whose answer is one value in the tuple.  Returns: (transfer full) that
 * value */
GVariant *isc_client_ask(IscClient *client, const gchar *node, const gchar *method,
		GVariant *params, const gchar *reply, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Calls of the dock's own method that are about @node (provision): show its progress only.  @node:
 * borrowed; NULL: all */
void isc_client_set_subject(IscClient *client, const gchar *node);

/* Properties of the dock object, a{sv}.  Errors: as isc_client_call().  Returns: (transfer full) */
GVariant *isc_client_properties(IscClient *client, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The file behind OpenTrail, also of a node that is no more.  @kind: "audit" or "service". Returns:
 * an fd (close it), or -1 with @error set */
int isc_client_open_trail(IscClient *client, const gchar *node, const gchar *kind, GError **error)
		G_GNUC_WARN_UNUSED_RESULT;

/* Whether the dock has a node of that name; TRUE where it cannot be told. */
gboolean isc_client_has_node(IscClient *client, const gchar *node);

/* Calls @func with each Event signal (a{sv}, borrowed) that arrives while a loop runs. */
typedef void (*IscEventFunc)(GVariant *event, gpointer data);
void isc_client_on_event(IscClient *client, IscEventFunc func, gpointer data);

/* Calls @func whenever isc-dockd comes onto the bus or leaves it, also once at the start of the
 * loop. */
typedef void (*IscPresenceFunc)(gboolean present, gpointer data);
void isc_client_on_presence(IscClient *client, IscPresenceFunc func, gpointer data);

/* Runs until isc_client_quit() or a signal. */
void isc_client_loop(IscClient *client);
void isc_client_quit(IscClient *client);

/* The signal that came, or 0. */
int isc_client_signal(const IscClient *client);

/* The object path of a node: '-' is written _2d.  @node: valid.  Returns: (transfer full) */
gchar *isc_client_node_path(const gchar *node);

void isc_client_free(IscClient *client);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscClient, isc_client_free)
