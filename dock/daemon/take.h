#pragma once
/* One verb a node at a time. */
#include "daemon/dock.h"
#include "model/node.h"

/**
 * isc_verbs_take:
 * @name: of a node, or '@' and the name of a volume, or '*' and that of a set
 *
 * Takes it for one verb.  Another one under way is an error (ISC_ERROR_STATE); only quarantine and
 * destroy interrupt it.  Give it back.
 */
gboolean isc_verbs_take(IscDock *dock, const gchar *name, IscVerb verb, GCancellable *cancel,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The same; without @may_interrupt whatever is under way is an error: a dry run ends nothing. */
gboolean isc_verbs_take_for(IscDock *dock, const gchar *name, IscVerb verb, gboolean may_interrupt,
		GCancellable *cancel, GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_verbs_give_back(IscDock *dock, const gchar *name);

/* For what is no verb of its own: @what (static) is what others are told, until it is given back.
 */
void isc_verbs_call_it(IscDock *dock, const gchar *name, const gchar *what);

/* What @name is busy with shall end, for a quarantine; waits for nothing. */
void isc_verbs_interrupt(IscDock *dock, const gchar *name);

/* Whoever starts node @name, and has it: does a quarantine wait for that?  Then what runs already
 * is left to run, cut off as it is, for what it can tell; the start has failed, with @error. */
gboolean isc_verbs_is_seized(IscDock *dock, const gchar *name, GError **error);
