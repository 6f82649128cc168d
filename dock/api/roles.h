#pragma once
#include <glib.h>

/* Who may call what.  Roles are unix groups (isc-operator, isc-security, isc-auditor); root has all
 * of them. The caller's uid comes from the bus. */
typedef enum {
	ISC_ROLE_OPERATOR = 1 << 0,
	ISC_ROLE_SECURITY = 1 << 1,
	ISC_ROLE_AUDITOR = 1 << 2,
} IscRole;

#define ISC_ROLE_ANY (ISC_ROLE_OPERATOR | ISC_ROLE_SECURITY | ISC_ROLE_AUDITOR)

/**
 * isc_roles_of_uid:
 * From the user database; a uid that it does not know has none.
 * Returns: IscRole bits
 */
guint isc_roles_of_uid(guint uid);

/* "operator,security", "none".  Returns: (transfer full) */
gchar *isc_roles_print(guint roles);

/* The roles that may call @method of @interface (without "org.iscdock."); 0 for a method the table
 * does not know: refused. */
guint isc_roles_for_method(const gchar *interface, const gchar *method);

/* Errors: ISC_ERROR_AUTH naming the method and the roles that would do. */
gboolean isc_roles_check(guint roles, const gchar *interface, const gchar *method, GError **error);
