#include "policy/restart.h"

static gboolean is_wanted(IscRestart restart, IscEnding ending)
{
	return restart == ISC_RESTART_ALWAYS ||
	       (restart == ISC_RESTART_ON_FAILURE && ending != ISC_ENDING_CLEAN);
}

static guint pause_of(const IscUpkeep *upkeep, guint before)
{
	guint64 pause = (guint64)upkeep->delay_s << MIN(before, 24);
	return (guint)MIN(pause, MAX(upkeep->delay_s, upkeep->delay_max_s));
}

IscRestartVerdict isc_restart_decide(
		const IscUpkeep *upkeep, IscRestartRecord *record, IscEnding ending, gint64 now)
{
	record->next_at = 0;
	/* Nobody ordered it to stop, and it has not failed. */
	if (ending == ISC_ENDING_HOST) {
		record->next_at = now;
		return ISC_RESTART_DUE;
	}
	if (!is_wanted(upkeep->restart, ending))
		return ISC_RESTART_NOT_WANTED;
	if (ending == ISC_ENDING_REFUSED)
		return ISC_RESTART_REFUSED;

	/* A clock that was set back opens a new window: better than one that never passes. */
	if (record->window_start == 0 || now < record->window_start ||
			now - record->window_start >= upkeep->interval_s) {
		record->window_start = now;
		record->in_window = 0;
	}
	if (upkeep->burst && record->in_window >= upkeep->burst)
		return ISC_RESTART_CEILING;
	record->next_at = now + pause_of(upkeep, record->in_window);
	record->in_window++;
	record->total++;
	record->last = record->next_at;
	return ISC_RESTART_DUE;
}
