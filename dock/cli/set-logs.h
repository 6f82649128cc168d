#pragma once
#include "cli/cli.h"

/**
 * isc_set_logs_show:
 * @members: of set @set now
 * @lines: the last so many of all of them together; 0: all
 *
 * What the services of a set's members wrote, in the order of time, each line behind the name of
 * its member; with --follow also what they write from then on, and those that come.
 */
gboolean isc_set_logs_show(IscCli *cli, const gchar *set, gchar *const *members, guint lines,
		GError **error) G_GNUC_WARN_UNUSED_RESULT;
