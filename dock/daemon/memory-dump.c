#include "daemon/memory-dump.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/seal.h"
#include "daemon/room.h"
#include "engine/vm-dump.h"

typedef struct {
	int from, to;
	const IscKey *key;
	gboolean ok;
	GError *why;
} Pour;

/* Ends with the last writer, or at once where it fails: then QEMU's next write fails, too. */
static gpointer pour(gpointer data)
{
	Pour *p = data;
	p->ok = isc_seal(p->from, p->to, isc_key_hex(p->key), &p->why);
	isc_clear_fd(&p->from);
	return NULL;
}

/* Both ends of the fifo: a reader that is not asked to wait for a writer, and a writer that keeps
 * it from seeing an end before QEMU has come. */
static gboolean open_fifo(const gchar *path, int *reader, int *writer, GError **error)
{
	(void)unlink(path);
	if (mkfifo(path, 0600) < 0 ||
			(*reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW)) <
					0 ||
			(*writer = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)) < 0 ||
			fcntl(*reader, F_SETFL, 0) < 0)
		return isc_error_set_errno(error, errno, "cannot make '%s'", path);
	return TRUE;
}

static gboolean dump(IscDock *dock, const IscNode *node, int to, const IscKey *key, GError **error)
{
	g_autofree gchar *dir = isc_dock_node_run_dir(dock, node->spec->name);
	g_autofree gchar *path = g_build_filename(dir, "memory", NULL);
	g_autofree gchar *domain = isc_node_domain(node->spec->name);
	isc_autofd int reader = -1, writer = -1;
	if (!open_fifo(path, &reader, &writer, error)) {
		(void)unlink(path);
		return FALSE;
	}
	Pour p = { .from = isc_steal_fd(&reader), .to = to, .key = key };
	GThread *thread = g_thread_new("memory", pour, &p);
	gboolean ok = isc_vm_dump_memory(dock->vm, domain, path, error);
	isc_clear_fd(&writer);
	g_thread_join(thread);
	(void)unlink(path);
	/* Why it could not be written says more than that QEMU's pipe was shut. */
	if (p.why) {
		g_clear_error(error);
		g_propagate_error(error, p.why);
	}
	return ok && p.ok;
}

gboolean isc_memory_dump(IscDock *dock, const IscNode *node, const gchar *to, const gchar *key_id,
		GError **error)
{
	g_autofree gchar *what = g_strdup_printf("the memory of node '%s' takes", node->spec->name);
	g_autofree gchar *tmp = g_strconcat(to, ".tmp", NULL);
	g_autoptr(IscKey) key = isc_key_new_random();
	(void)unlink(tmp);
	if (!isc_room_check(dock, what, node->spec->memory_mib, error) ||
			!isc_key_store_erase(dock->keys, key_id, error) ||
			!isc_key_store_save(dock->keys, key_id, key, error))
		return FALSE;
	isc_autofd int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	gboolean ok = fd >= 0 ? dump(dock, node, fd, key, error)
			      : isc_error_set_errno(error, errno, "cannot make '%s'", tmp);
	if (ok && (fsync(fd) < 0 || rename(tmp, to) < 0))
		ok = isc_error_set_errno(error, errno, "cannot write '%s'", to);
	if (ok)
		return TRUE;
	(void)unlink(tmp);
	g_autoptr(GError) late = NULL;
	if (!isc_key_store_erase(dock->keys, key_id, &late))
		g_warning("key of a dump that failed: %s", late->message);
	return FALSE;
}
