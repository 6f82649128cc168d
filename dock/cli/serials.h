#pragma once
#include "cli/output.h"
#include "collector/trail-verify.h"

/* Are the guest kernel's own serial numbers without gaps?  Each event of a boot has one, so that an
 * event that never reached the dock shows as a missing number, whoever dropped it: as far as what
 * is on record as lost does not explain it.  What a kernel lost it tells every five seconds and at
 * its end: so of a boot that did not end in order, or goes on, the last ten are not judged.  Pure.
 */
typedef struct IscSerials IscSerials;

IscSerials *isc_serials_new(void);
void isc_serials_free(IscSerials *serials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IscSerials, isc_serials_free)

/* Fits IscTrailRecordFunc. */
void isc_serials_take(const IscTrailRecord *record, gpointer serials);

#define ISC_GAPS_NAMED 20u /* gaps that are named; all are counted */

typedef struct {
	guint64 session;  /* boot of the guest */
	gint64 time;      /* µs: host clock, of the record behind the gap */
	guint64 from, to; /* missing serials, both included */
} IscSerialGap;

typedef struct {
	guint64 events;      /* serials seen */
	guint64 missing;     /* serials that are not there */
	guint64 unsettled;   /* … of them, too young for a loss to be on record */
	guint64 unexplained; /* … beyond what that boot has on record as lost */
	GArray *gaps;        /* (owned) of IscSerialGap, of boots with unexplained ones: the first
				ISC_GAPS_NAMED */
} IscSerialReport;

/* Ends the count; once. */
void isc_serials_finish(IscSerials *serials, IscSerialReport *out);
void isc_serial_report_clear(IscSerialReport *report);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(IscSerialReport, isc_serial_report_clear)

/* {"events", "missing", "unsettled", "unexplained", "gaps": [{"from", "to", "session", "time"}]}.
 * (transfer full) */
IscJson *isc_serial_report_json(const IscSerialReport *report);

/* ", kernel serials 5, 9-12 are missing, 5 of them without a loss on record"; nothing where all is
 * explained. */
void isc_serial_report_print(GString *out, const IscSerialReport *report);
