/* Evidence of a quarantine: STATEDIR/evidence/NODE.QNAME with copies of the overlay and of the
 * volumes (encrypted, their keys NODE.evidence.QNAME and NODE.evidence.QNAME.VOLUME in the key
 * store), all of one moment, the tail of the trail, the node's spec, and a manifest
 * of their hashes that the dock signs.  It outlives the node.  Whatever cannot be had is named in
 * the manifest: a trail is worth keeping also where the disk is not to be had. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "daemon/copies.h"
#include "daemon/disk-copy.h"
#include "daemon/evidence.h"
#include "daemon/memory-dump.h"
#include "daemon/steps.h"

#define TRAIL_TAIL (4 * 1024 * 1024) /* bytes of the trail that go into the evidence */
#define FLUSH_S 2

static const gchar *const trail[] = { "audit.log", "audit.chain", "service.log", NULL };

static gboolean is_flushed(const IscRun *run, gpointer data)
{
	return run->flush_id == *(guint32 *)data;
}

/* What the collector has read so far is to be in the trail; a collector that is away has written
 * what it had. */
static void flush_trail(IscDock *dock, const IscNode *node)
{
	guint32 id = isc_dock_next_id(dock);
	IscLinkMsg msg = isc_link_msg(ISC_LINK_FLUSH, node->spec->name, node->slot);
	msg.a = id;
	if (isc_link_send(dock->link, &msg, -1, NULL))
		(void)isc_dock_wait(dock, node->spec->name, is_flushed, &id,
				g_get_monotonic_time() + FLUSH_S * G_USEC_PER_SEC, NULL);
}

/* The last bytes of one file of the trail, unread by us, into @to. */
static gboolean keep_tail(const gchar *from, const gchar *to, GError **error)
{
	isc_autofd int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	if (fd < 0 && errno == ENOENT)
		return TRUE;
	if (fd < 0 || fstat(fd, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", from);
	if (st.st_size > TRAIL_TAIL && lseek(fd, -TRAIL_TAIL, SEEK_END) < 0)
		return isc_error_set_errno(error, errno, "cannot read '%s'", from);
	gsize len;
	g_autofree gchar *bytes = isc_file_read_fd(fd, from, TRAIL_TAIL * 2, &len, error);
	return bytes && isc_file_write(AT_FDCWD, to, bytes, len, 0400, error);
}

static void miss(IscCopy *copy, const gchar *what, const GError *why)
{
	g_ptr_array_add(copy->missing, g_strdup_printf("%s: %s", what, why->message));
}

static void keep_memory(IscDock *dock, const IscNode *node, const gchar *name, const gchar *dir,
		IscCopy *copy)
{
	g_autofree gchar *to = g_build_filename(dir, ISC_COPY_MEMORY, NULL);
	g_autofree gchar *id = isc_evidence_memory_key_id(node->spec->name, name);
	g_autoptr(GError) why = NULL;
	if (access(to, F_OK) != 0 && !isc_memory_dump(dock, node, to, id, &why))
		miss(copy, "memory", why);
}

static void keep_trail(IscDock *dock, const IscNode *node, const gchar *dir, IscCopy *copy)
{
	flush_trail(dock, node);
	for (gsize i = 0; trail[i]; i++) {
		g_autofree gchar *from = g_build_filename(
				dock->config->log_dir, "nodes", node->spec->name, trail[i], NULL);
		g_autofree gchar *to = g_build_filename(dir, trail[i], NULL);
		g_autoptr(GError) why = NULL;
		if (!keep_tail(from, to, &why))
			miss(copy, trail[i], why);
	}
}

/* Into the node's own folder first: only there may its QEMU write.  @n: how many of the disks. */
static gboolean keep_disks(IscDock *dock, const IscNode *node, const gchar *name, guint n,
		const GPtrArray *copies, const gchar *dir, GCancellable *cancel, GError **error)
{
	gboolean frozen;
	/* The guest is not asked to be quiet: it is the suspect. */
	if (!isc_disk_copies_drop(dock, node->spec->name, "evidence", name, error) ||
			!isc_disk_copies_make(dock, node, copies, n, FALSE, &frozen, cancel, error))
		return FALSE;
	/* The overlay last: where it is, they all are. */
	for (guint i = n; i-- > 0;) {
		const IscDiskCopy *c = copies->pdata[i];
		g_autofree gchar *file = isc_evidence_disk(c->volume.name);
		g_autofree gchar *to = g_build_filename(dir, file, NULL);
		if (rename(c->path, to) < 0)
			return isc_error_set_errno(
					error, errno, "cannot move '%s' to the evidence", c->path);
	}
	return TRUE;
}

/* All of them, of one moment; where that fails at least the overlay. */
static void keep_all_disks(IscDock *dock, const IscNode *node, const gchar *name, const gchar *dir,
		IscCopy *copy, GCancellable *cancel, GError **no_disk)
{
	g_autofree gchar *disk = g_build_filename(dir, ISC_COPY_DISK, NULL);
	g_autoptr(GPtrArray) copies = isc_disk_copies_new(dock, node, "evidence", name, no_disk);
	if (copies && access(disk, F_OK) != 0 &&
			!keep_disks(dock, node, name, copies->len, copies, dir, cancel, no_disk) &&
			copies->len > 1) {
		g_autoptr(GError) why = NULL;
		miss(copy, "volumes", *no_disk);
		if (!keep_disks(dock, node, name, 1, copies, dir, cancel, &why))
			miss(copy, "overlay", why);
	} else if (*no_disk) {
		miss(copy, "overlay", *no_disk);
	}
	if (*no_disk && access(disk, F_OK) != 0)
		(void)isc_disk_copies_drop(dock, node->spec->name, "evidence", name, NULL);
	for (guint i = 1; copies && i < copies->len; i++) {
		const IscVolume *volume = &((const IscDiskCopy *)copies->pdata[i])->volume;
		g_autofree gchar *file = isc_evidence_disk(volume->name);
		g_autofree gchar *path = g_build_filename(dir, file, NULL);
		const gchar *const files[] = { file, NULL };
		g_autoptr(GError) why = NULL;
		if (access(path, F_OK) != 0)
			continue;
		if (isc_copies_add_files(copy, dir, files, &why))
			isc_disk_copies_describe(copy, volume, file);
		else
			miss(copy, file, why);
	}
}

/* @arg: "QNAME REASON", "QNAME+memory REASON" */
gboolean isc_step_evidence_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	static const gchar *const files[] = { ISC_COPY_DISK, ISC_COPY_MEMORY, "audit.log",
		"audit.chain", "service.log", "node.spec", NULL };
	IscDock *dock = self;
	const gchar *space = strchr(arg, ' ');
	g_autofree gchar *name = space ? g_strndup(arg, (gsize)(space - arg)) : g_strdup(arg);
	gboolean memory = g_str_has_suffix(name, ISC_ARG_MEMORY);
	if (memory)
		name[strlen(name) - strlen(ISC_ARG_MEMORY)] = '\0';
	g_autofree gchar *folder = g_strjoin(".", node->spec->name, name, NULL);
	g_autofree gchar *dir = isc_evidence_dir(dock, folder);
	g_autofree gchar *manifest = g_build_filename(dir, ISC_COPY_MANIFEST, NULL);
	g_autofree gchar *spec_path = g_build_filename(dir, "node.spec", NULL);
	g_autoptr(IscCopy) copy = isc_copies_describe(ISC_COPY_EVIDENCE, node, name);
	g_autoptr(GError) no_disk = NULL;

	g_free(copy->reason);
	copy->reason = g_strdup(space ? space + 1 : "");
	if (!isc_file_mkdir(dir, 0700, error) || !isc_file_write(AT_FDCWD, spec_path, copy->spec,
								 strlen(copy->spec), 0400, error))
		return FALSE;
	/* First what is gone first. */
	if (memory)
		keep_memory(dock, node, name, dir, copy);
	keep_all_disks(dock, node, name, dir, copy, cancel, &no_disk);
	keep_trail(dock, node, dir, copy);
	if (!isc_copies_add_files(copy, dir, files, error) ||
			!isc_copies_sign(dock, copy, manifest, error))
		return FALSE;
	if (copy->missing->len == 0)
		return TRUE;
	g_set_error(error, no_disk ? no_disk->domain : ISC_ERROR,
			no_disk ? no_disk->code : ISC_ERROR_FAILED, "not in the evidence: %s",
			(const gchar *)copy->missing->pdata[0]);
	return FALSE;
}
