/* Evidence: isc-dockd hands it out and removes it.  It is looked into by isc-vm, as the caller:
 * files go over as open descriptors, and who opened them is on record. */
#include <errno.h>
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "daemon/answer.h"
#include "daemon/copies.h"
#include "daemon/disk-copy.h"
#include "daemon/evidence.h"
#include "daemon/handlers.h"
#include "daemon/options.h"
#include "engine/volume.h"

#define VOLUME_PREFIX "volume-"
#define DISK_SUFFIX ".qcow2"

gchar *isc_evidence_dir(const IscDock *dock, const gchar *folder)
{
	return g_build_filename(dock->config->state_dir, "evidence", folder, NULL);
}

gchar *isc_evidence_disk(const gchar *volume)
{
	return volume && *volume ? g_strconcat(VOLUME_PREFIX, volume, DISK_SUFFIX, NULL)
				 : g_strdup(ISC_COPY_DISK);
}

gchar *isc_evidence_memory_key_id(const gchar *node, const gchar *name)
{
	return g_strjoin(".", node, "memory", name, NULL);
}

/* The id of the key of the disk @file of evidence, or of its memory.  Errors: ISC_ERROR_INVALID: it
 * is neither. */
static gchar *key_id(const gchar *node, const gchar *name, const gchar *file, GError **error)
{
	g_autofree gchar *volume = NULL;
	if (g_str_equal(file, ISC_COPY_DISK))
		return isc_disk_copies_key_id(node, "evidence", name, NULL);
	if (g_str_equal(file, ISC_COPY_MEMORY))
		return isc_evidence_memory_key_id(node, name);
	if (g_str_has_prefix(file, VOLUME_PREFIX) && g_str_has_suffix(file, DISK_SUFFIX))
		volume = g_strndup(file + strlen(VOLUME_PREFIX),
				strlen(file) - strlen(VOLUME_PREFIX) - strlen(DISK_SUFFIX));
	if (isc_name_is_valid(volume))
		return isc_disk_copies_key_id(node, "evidence", name, volume);
	g_autofree gchar *shown = isc_text_escape(file, -1, 80);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"'%s' is not sealed in evidence: " ISC_COPY_DISK ", " VOLUME_PREFIX
			"NAME" DISK_SUFFIX " or " ISC_COPY_MEMORY,
			shown);
	return NULL;
}

/* The first argument of the call, checked, and the folder that it names. */
static gchar *find(IscCall *call, const gchar **out, gchar **node, gchar **name, GError **error)
{
	g_autoptr(GVariant) text = g_variant_get_child_value(call->params, 0);
	*out = g_variant_get_string(text, NULL); /* lives as long as the call's arguments */
	g_autofree gchar *shown = isc_text_escape(*out, -1, 80);
	if (!isc_copy_split(*out, node, name)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"'%s' is no name of evidence: NODE.qTIME, see 'isc-vm evidence "
				"list'",
				shown);
		return NULL;
	}
	g_autofree gchar *dir = isc_evidence_dir(call->dock, *out);
	if (access(dir, F_OK) == 0)
		return g_steal_pointer(&dir);
	g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
			"no evidence '%s'; 'isc-vm evidence list' shows what there is", shown);
	return NULL;
}

/* --- list ---------------------------------------------------------------------------------- */

/* Bytes that the files of a folder take on disk. */
static guint64 size_of(const gchar *dir)
{
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	guint64 size = 0;
	const gchar *file;
	while (d && (file = g_dir_read_name(d))) {
		g_autofree gchar *path = g_build_filename(dir, file, NULL);
		struct stat st;
		if (lstat(path, &st) == 0)
			size += (guint64)st.st_blocks * 512;
	}
	return size;
}

static void put_volumes(GVariantBuilder *b, const IscCopy *copy)
{
	GVariantBuilder names;
	g_variant_builder_init(&names, G_VARIANT_TYPE("as"));
	for (guint i = 0; i < copy->volumes->len; i++)
		g_variant_builder_add(
				&names, "s", g_array_index(copy->volumes, IscCopyVolume, i).name);
	isc_answer_put(b, "volumes", g_variant_builder_end(&names));
}

static GVariant *row_of(IscDock *dock, const gchar *folder, const gchar *node)
{
	g_autofree gchar *dir = isc_evidence_dir(dock, folder);
	g_autofree gchar *manifest = g_build_filename(dir, ISC_COPY_MANIFEST, NULL);
	g_autoptr(GError) why = NULL;
	g_autoptr(IscCopy) copy = isc_copies_load(dock, manifest, &why);
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(folder));
	isc_answer_put(&b, "node", g_variant_new_string(node));
	isc_answer_put(&b, "size", g_variant_new_uint64(size_of(dir)));
	isc_answer_put(&b, "signed", g_variant_new_boolean(copy != NULL));
	if (copy) {
		isc_answer_put(&b, "taken", g_variant_new_int64(copy->taken));
		isc_answer_put(&b, "reason", g_variant_new_string(copy->reason));
		isc_answer_put(&b, "disk",
				g_variant_new_boolean(
						isc_copy_find_file(copy, ISC_COPY_DISK) != NULL));
		isc_answer_put(&b, "memory",
				g_variant_new_boolean(
						isc_copy_find_file(copy, ISC_COPY_MEMORY) != NULL));
		put_volumes(&b, copy);
		isc_answer_put_strings(&b, "missing", copy->missing);
	}
	return g_variant_builder_end(&b);
}

static gint by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const gchar *const *)a, *(const gchar *const *)b);
}

GVariant *isc_handle_evidence_list(IscCall *call, GError **error)
{
	g_autofree gchar *path = isc_evidence_dir(call->dock, NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, error);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	const gchar *entry;
	if (!dir)
		return NULL;
	while ((entry = g_dir_read_name(dir)))
		if (isc_copy_split(entry, NULL, NULL))
			g_ptr_array_add(names, g_strdup(entry));
	g_ptr_array_sort(names, by_text);

	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < names->len; i++) {
		g_autofree gchar *node = NULL;
		(void)isc_copy_split(names->pdata[i], &node, NULL);
		g_variant_builder_add(&list, "@a{sv}", row_of(call->dock, names->pdata[i], node));
	}
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}

/* --- open ---------------------------------------------------------------------------------- */

static gboolean add_fd(GUnixFDList *fds, const gchar *path, gint *at, GError **error)
{
	isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", path);
	*at = g_unix_fd_list_append(fds, fd, error);
	return *at >= 0;
}

GVariant *isc_handle_evidence_open(IscCall *call, GError **error)
{
	const gchar *folder, *file;
	g_autofree gchar *node = NULL, *name = NULL;
	g_autofree gchar *dir = find(call, &folder, &node, &name, error);
	g_autoptr(GDir) d = dir ? g_dir_open(dir, 0, error) : NULL;
	g_autofree gchar *key = isc_copies_public_key_path(call->dock);
	g_autoptr(GUnixFDList) fds = g_unix_fd_list_new();
	gint at;
	if (!d || !add_fd(fds, key, &at, error))
		return NULL;
	GVariantBuilder files;
	g_variant_builder_init(&files, G_VARIANT_TYPE("a{sh}"));
	for (guint n = 0; n < ISC_COPY_FILES_MAX && (file = g_dir_read_name(d));) {
		g_autofree gchar *path = g_build_filename(dir, file, NULL);
		if (!isc_copy_file_is_valid(file))
			continue;
		if (!add_fd(fds, path, &at, error)) {
			g_variant_builder_clear(&files);
			return NULL;
		}
		g_variant_builder_add(&files, "{sh}", file, at);
		n++;
	}
	isc_dock_event(call->dock, node, "evidence.opened", "info", call->uid,
			"evidence %s was opened for reading", folder);
	call->out_fds = g_steal_pointer(&fds);
	return g_variant_new("(a{sh}h)", &files, 0);
}

GVariant *isc_handle_evidence_open_key(IscCall *call, GError **error)
{
	const gchar *folder, *file;
	g_autofree gchar *node = NULL, *name = NULL;
	g_autofree gchar *dir = find(call, &folder, &node, &name, error);
	if (!dir)
		return NULL;
	g_variant_get(call->params, "(&s&s)", NULL, &file);
	g_autofree gchar *id = key_id(node, name, file, error);
	g_autoptr(IscKey) key = id ? isc_key_store_load(call->dock->keys, id, error) : NULL;
	/* In memory, and gone with whoever reads it. */
	isc_autofd int fd = key ? isc_file_new_memory("evidence-key", error) : -1;
	if (fd < 0 || !isc_file_write_all(fd, isc_key_hex(key), 64, error))
		return NULL;
	if (lseek(fd, 0, SEEK_SET) < 0) {
		isc_error_set_errno(error, errno, "cannot hand the key out");
		return NULL;
	}
	isc_dock_event(call->dock, node, "evidence.key", "warn", call->uid,
			"the key of %s of evidence %s was handed out", file, folder);
	call->out_fds = g_unix_fd_list_new();
	return g_unix_fd_list_append(call->out_fds, fd, error) < 0 ? NULL : g_variant_new("(h)", 0);
}

/* --- remove -------------------------------------------------------------------------------- */

/* Keys first: from then on the disks are noise.  What is left of an interrupted removal is
 * removed by the next. */
static gboolean shred(IscDock *dock, const gchar *dir, const gchar *node, const gchar *name,
		GError **error)
{
	g_autofree gchar *memory = isc_evidence_memory_key_id(node, name);
	if (!isc_key_store_erase(dock->keys, memory, error) ||
			!isc_disk_copies_erase_keys(dock, node, "evidence", name, error))
		return FALSE;
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const gchar *file;
	while (d && (file = g_dir_read_name(d))) {
		g_autofree gchar *path = g_build_filename(dir, file, NULL);
		if (g_str_has_suffix(file, DISK_SUFFIX) && !isc_volume_shred(path, error))
			return FALSE;
	}
	return isc_file_remove_tree(dir, error);
}

GVariant *isc_handle_evidence_remove(IscCall *call, GError **error)
{
	const gchar *folder, *reason;
	g_autofree gchar *node = NULL, *name = NULL;
	g_autofree gchar *dir = find(call, &folder, &node, &name, error);
	g_autoptr(GVariant) dict = NULL;
	IscOptions options;
	if (!dir)
		return NULL;
	g_variant_get(call->params, "(&s&s@a{sv})", NULL, &reason, &dict);
	if (!isc_answer_check_reason(reason, error) ||
			!isc_options_parse(dict, "dry-run ", &options, error))
		return NULL;
	g_autoptr(IscNode) stands = isc_register_get_node(call->dock->reg, node, NULL);
	if (stands && stands->state == ISC_NODE_QUARANTINED) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_POLICY,
				"node '%s' is still in quarantine: release or destroy it first",
				node);
		return NULL;
	}
	if (!options.dry_run && !shred(call->dock, dir, node, name, error))
		return NULL;
	if (!options.dry_run)
		isc_dock_event(call->dock, node, "evidence.removed", "warn", call->uid,
				"evidence %s was shredded: %s", folder, reason);

	static const gchar *const plan[] = { "- keys", "- disks", "- folder", NULL };
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(folder));
	isc_answer_put(&b, "plan", g_variant_new_strv(plan, -1));
	isc_answer_put(&b, "changed", g_variant_new_boolean(!options.dry_run));
	return isc_answer(&b);
}
