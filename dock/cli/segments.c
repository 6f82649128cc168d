#include "cli/segments.h"

#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "collector/trail-verify.h"

#define KEY_MAX 4096 /* bytes of seal.pub */

static void close_segment(gpointer p)
{
	IscSegment *s = p;
	isc_clear_fd(&s->log);
	isc_clear_fd(&s->chain);
}

void isc_segments_clear(IscSegments *segments)
{
	g_clear_pointer(&segments->all, g_array_unref);
}

gchar *isc_segments_file(const IscSegments *segments, guint number)
{
	for (guint i = 0; number > 0 && i < segments->all->len; i++)
		if (g_array_index(segments->all, IscSegment, i).number == number)
			return g_strdup_printf("audit.log.%u", number);
	return g_strdup("audit.log");
}

/* One that cannot be used is said when a trail is verified, not when it is only read. */
static void take_key(IscSegments *out, int fd)
{
	gsize len;
	g_autofree gchar *text = isc_file_read_fd(fd, ISC_SEAL_PUB, KEY_MAX, &len, NULL);
	out->has_key = text && isc_seal_pub_parse(text, len, out->key, NULL);
}

/* Returns: the n-th handle of @handles as an fd, -1 on errors */
static int take_fd(GUnixFDList *fds, GVariant *handles, gsize n, GError **error)
{
	gint32 handle;
	g_variant_get_child(handles, n, "h", &handle);
	return g_unix_fd_list_get(fds, handle, error);
}

static gboolean no_files(GError **error)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED, "the dock sent no files");
	return FALSE;
}

/* What one answer holds.  *@next: where to go on, 0: that was all */
static gboolean take_page(
		IscSegments *out, GVariant *reply, GUnixFDList *fds, guint *next, GError **error)
{
	g_autoptr(GVariant) numbers = g_variant_get_child_value(reply, 0);
	g_autoptr(GVariant) logs = g_variant_get_child_value(reply, 1);
	g_autoptr(GVariant) chains = g_variant_get_child_value(reply, 2);
	gsize n = g_variant_n_children(numbers);
	gint32 key;
	g_variant_get_child(reply, 3, "h", &key);
	g_variant_get_child(reply, 4, "u", next);
	if (!fds || n == 0 || g_variant_n_children(logs) != n || g_variant_n_children(chains) != n)
		return no_files(error);

	isc_autofd int key_fd = g_unix_fd_list_get(fds, key, error);
	if (key_fd < 0)
		return FALSE;
	take_key(out, key_fd);
	for (gsize i = 0; i < n; i++) {
		IscSegment s = { .log = -1, .chain = -1 };
		g_variant_get_child(numbers, i, "u", &s.number);
		s.chain = take_fd(fds, chains, i, error);
		s.log = s.chain < 0 ? -1 : take_fd(fds, logs, i, error);
		g_array_append_val(out->all, s);
		if (s.log < 0)
			return FALSE;
	}
	return TRUE;
}

/* The limit is low only for the sake of select(2), which nobody uses here. */
void isc_segments_raise_limit(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
}

gboolean isc_segments_open(IscClient *client, const gchar *node, IscSegments *out, GError **error)
{
	*out = (IscSegments){ .all = g_array_new(FALSE, FALSE, sizeof(IscSegment)) };
	g_array_set_clear_func(out->all, close_segment);
	isc_segments_raise_limit();
	guint from = 0, next = 0;
	do {
		g_autoptr(GUnixFDList) fds = NULL;
		g_autoptr(GVariant) reply = isc_client_call(client, NULL, "OpenChain",
				g_variant_new("(su)", node, from), "(auahahhu)", NULL, &fds, error);
		if (!reply || !take_page(out, reply, fds, &next, error))
			return FALSE;
		if (next != 0 && next <= from)
			return no_files(error);
		from = next;
	} while (next != 0);
	return TRUE;
}
