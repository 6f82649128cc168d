#include "base/error.h"

#include <errno.h>
#include <gio/gio.h>

G_DEFINE_QUARK(isc - error, isc_error)

/* clang-format off */
static const GDBusErrorEntry entries[] = {
	{ ISC_ERROR_FAILED,    "org.iscdock.Error.Failed" },
	{ ISC_ERROR_INVALID,   "org.iscdock.Error.Invalid" },
	{ ISC_ERROR_NOT_FOUND, "org.iscdock.Error.NotFound" },
	{ ISC_ERROR_STATE,     "org.iscdock.Error.State" },
	{ ISC_ERROR_POLICY,    "org.iscdock.Error.Policy" },
	{ ISC_ERROR_AUTH,      "org.iscdock.Error.Auth" },
	{ ISC_ERROR_VERIFY,    "org.iscdock.Error.Verify" },
	{ ISC_ERROR_HOST,      "org.iscdock.Error.Host" },
	{ ISC_ERROR_TIMEOUT,   "org.iscdock.Error.Timeout" },
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(entries) == ISC_N_ERRORS);

int isc_error_exit_status(const GError *error)
{
	if (error->domain != ISC_ERROR || error->code < 0 || error->code >= ISC_N_ERRORS)
		return 1;
	return error->code + 1;
}

const gchar *isc_error_dbus_name(IscError code)
{
	return entries[code].dbus_error_name;
}

void isc_error_register_dbus(void)
{
	for (gsize i = 0; i < G_N_ELEMENTS(entries); i++)
		g_dbus_error_register_error(
				ISC_ERROR, entries[i].error_code, entries[i].dbus_error_name);
}

static IscError code_of_errno(int err)
{
	switch (err) {
	case ENOSPC:
	case EDQUOT:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return ISC_ERROR_HOST;
	default:
		return ISC_ERROR_FAILED;
	}
}

gboolean isc_error_set_errno(GError **error, int err, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *what = g_strdup_vprintf(format, args);
	va_end(args);

	g_set_error(error, ISC_ERROR, code_of_errno(err), "%s: %s", what, g_strerror(err));
	return FALSE;
}
