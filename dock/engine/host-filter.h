#pragma once
#include <glib.h>

/* The host filter in the kernel; its rules are render/host-filter.h's. */

typedef enum {
	ISC_HOST_FILTER_OFF,
	ISC_HOST_FILTER_TRIAL, /* ends by itself */
	ISC_HOST_FILTER_ON,
} IscHostFilterState;

/* "off", "trial", "on"; static. */
const gchar *isc_host_filter_state_name(IscHostFilterState state);

typedef struct {
	IscHostFilterState state;
	gboolean stands; /* the table is there, also where a trial has ended */
	guint seconds;   /* left of a trial */
	guint64 dropped; /* packets */
} IscHostFilterView;

/* Errors: ISC_ERROR_HOST, with nft's words. */
gboolean isc_host_filter_run(const gchar *text, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* As the kernel has it.  Errors: ISC_ERROR_HOST: it could not be asked. */
gboolean isc_host_filter_read(IscHostFilterView *out, GError **error) G_GNUC_WARN_UNUSED_RESULT;
