#include "daemon/given.h"

#include "base/error.h"

int isc_given_fd(GUnixFDList *fds, gint32 handle, const gchar *what, GError **error)
{
	if (fds && handle >= 0 && handle < g_unix_fd_list_get_length(fds))
		return g_unix_fd_list_get(fds, handle, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "'%s' did not come along", what);
	return -1;
}
