#pragma once
#include "daemon/bus.h"
#include "daemon/options.h"

/* A dock that is drained starts no node, until it is undrained; STATEDIR/draining says so across
 * restarts. */

gboolean isc_drain_is_on(const IscDock *dock);
gboolean isc_drain_set(IscDock *dock, gboolean on, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Errors: ISC_ERROR_POLICY where the dock is drained. */
gboolean isc_drain_may_start(const IscDock *dock, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* Stops all nodes that run, one by one, those that were started last first; asks them, unless
 * `force`.  Nodes in quarantine stay as they are: they are shut off, and evidence.
 * Returns: floating "(a{sv})": stopped as, left as, warnings as, plan as */
GVariant *isc_drain(IscCall *call, const IscOptions *options, GError **error);
