#pragma once
#include <glib.h>

#include "base/cleanup.h"
#include "collector/trail-verify.h"

/* Counts over an audit trail, and how a trail's state is told.  Pure. */

typedef struct IscAuditReport IscAuditReport;

IscAuditReport *isc_audit_report_new(void);

/* Counts one record; fits IscTrailRecordFunc, so that only what was verified is counted. */
void isc_audit_report_take(const IscTrailRecord *record, gpointer report);

/* The same with a record of the packet log. */
void isc_audit_report_take_packet(const IscTrailRecord *record, gpointer report);

/**
 * isc_audit_report_finish:
 * @top: how many of the commands that were run most often are listed
 *
 * {"commands": {"run", "distinct", "top": [{"command", "count"}]}, "logins": {"good", "failed",
 * "sessions"}, "failures": {"calls", "acts"}, "privilege-changes", "keys": {KEY: n}, "types":
 * {TYPE: n}, "network": {"dropped", "logged", "kinds": {KIND: n}, "accepted": {KIND: n}}}; "logged"
 * of those that were dropped. Call it once, at the end. Returns: (transfer full)
 */
IscJson *isc_audit_report_finish(IscAuditReport *report, guint top);

/* The same as lines for people; cleaned for a terminal. */
void isc_audit_report_print(GString *out, IscJson *counts);

/**
 * isc_audit_trail_json:
 * {"name", "good", "records", "blocks", "lost", "violations", "restarts", "cut", "clock-steps",
 * "first", "last", "closed", "unsealed", "key", "end"}; where retention took its beginning also
 * "retention": {"files", "records", "anchors", "last"}; where not good also "fault", "record",
 * "segment", "detail". Times are seconds since 1970; "end" is what --anchor takes.
 * @name: of the node; NULL: as the trail says.  Returns: (transfer full)
 */
IscJson *isc_audit_trail_json(const IscTrailReport *report, const gchar *name);

/* Where it ends, as an anchor (base/anchor.h).  Returns: (transfer full) */
gchar *isc_audit_end_print(const IscTrailReport *report);

/* 2 * @len digits.  Returns: (transfer full) */
gchar *isc_audit_hex(const guint8 *bytes, gsize len);

void isc_audit_report_free(IscAuditReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscAuditReport, isc_audit_report_free)
