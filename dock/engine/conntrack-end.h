#pragma once
#include <glib.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

/* Takes single flows out of the kernel's connection table.
 *
 * A flow that ended meanwhile may have been followed by another one of the same client's port,
 * which must not go in its place: where many are ended while others come in, that happens.  So it
 * is named by who answers, which is another node then, and by the kernel's id, which is of the
 * entry's place in memory and may be the same.  libnetfilter_conntrack (1.0.9) sends neither with
 * what it destroys. */

typedef struct IscFlowEnder IscFlowEnder;

/* Errors: ISC_ERROR_HOST.  Returns: (transfer full) */
IscFlowEnder *isc_flow_ender_new(GError **error) G_GNUC_WARN_UNUSED_RESULT;
void isc_flow_ender_free(IscFlowEnder *ender);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscFlowEnder, isc_flow_ender_free)

/* @flow: as it was read from the table.  *@was: it was there; that it has gone is no error. */
gboolean isc_flow_end(IscFlowEnder *ender, const struct nf_conntrack *flow, gboolean *was,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
