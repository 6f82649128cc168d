#include "daemon/import.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/given.h"

typedef struct {
	GVariant *files;
	GUnixFDList *fds;
} Given;

/* The caller opened the files, with its own rights; here they are only read. */
static int open_given(gpointer data, const gchar *file, GError **error)
{
	const Given *given = data;
	gint32 index;
	if (!given->fds || !g_variant_lookup(given->files, file, "h", &index)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND, "'%s' is missing", file);
		return -1;
	}
	int fd = isc_given_fd(given->fds, index, file, error);
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
		isc_error_set_errno(error, errno, "cannot read '%s'", file);
		isc_clear_fd(&fd);
	}
	return fd;
}

IscImage *isc_import(IscDock *dock, GVariant *files, GUnixFDList *fds, const IscTrust *trust,
		gboolean dry_run, gboolean *was_there, GError **error)
{
	Given given = { files, fds };
	const IscImageSource source = { open_given, &given };
	return dry_run ? isc_image_store_check_from(dock->images, &source, trust, was_there, error)
		       : isc_image_store_import_from(
					 dock->images, &source, trust, was_there, error);
}
