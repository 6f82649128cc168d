#pragma once
#include <glib.h>

/* The one error domain.  The order is the documented exit status minus one, see
 * isc_error_exit_status(); never reorder.  Each code also has one D-Bus name. */
#define ISC_ERROR isc_error_quark()
typedef enum {
	ISC_ERROR_FAILED,    /* 1: something else broke; the message says what */
	ISC_ERROR_INVALID,   /* 2: the request is wrong: mend it and ask again */
	ISC_ERROR_NOT_FOUND, /* 3: no such node, image, snapshot, … */
	ISC_ERROR_STATE,     /* 4: wrong state, busy, taken, or a pool is exhausted */
	ISC_ERROR_POLICY,    /* 5: well formed, but a rule says no */
	ISC_ERROR_AUTH,      /* 6: the caller's role does not allow it */
	ISC_ERROR_VERIFY,    /* 7: a digest, signature or chain does not hold */
	ISC_ERROR_HOST,      /* 8: the host lacks something: libvirt, kernel, tool, space */
	ISC_ERROR_TIMEOUT,   /* 9: not done within the deadline */
	ISC_N_ERRORS,
} IscError;

GQuark isc_error_quark(void);

/* Returns 1..9 for an ISC_ERROR, 1 for any other domain.  @error must not be NULL. */
int isc_error_exit_status(const GError *error);

/* The D-Bus error name of @code, e.g. "org.iscdock.Error.NotFound"; static. */
const gchar *isc_error_dbus_name(IscError code);

/* Registers the names above with GDBus, so that errors cross the bus as they are.  Idempotent. */
void isc_error_register_dbus(void);

/**
 * isc_error_set_errno:
 * @err: an errno value
 * @format: what was being done, e.g. "cannot open '%s'"
 *
 * Sets ISC_ERROR_FAILED (ISC_ERROR_HOST for ENOSPC, EDQUOT, EMFILE, ENFILE and ENOMEM) with
 * "WHAT: strerror".  Always returns FALSE, so that callers can return it.
 */
gboolean isc_error_set_errno(GError **error, int err, const gchar *format, ...) G_GNUC_PRINTF(3, 4);
