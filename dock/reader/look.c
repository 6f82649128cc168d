#include "reader/look.h"

#include <errno.h>
#include <guestfs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "engine/accel.h"
#include "reader/disk.h"

#define CHUNK (1024 * 1024)
#define NAME_BYTES 255

typedef struct guestfs_statns Stat;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Stat, guestfs_free_statns)
typedef struct guestfs_statns_list StatList;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StatList, guestfs_free_statns_list)

static gboolean fail(guestfs_h *g, GError **error, IscError code, const gchar *what)
{
	const gchar *why = guestfs_last_error(g);
	g_autofree gchar *shown = isc_text_escape(why ? why : "no reason given", -1, 400);
	g_set_error(error, ISC_ERROR, code, "%s: %s", what, shown);
	return FALSE;
}

static gboolean launch(guestfs_h *g, const gchar *socket, GError **error)
{
	g_autofree gchar *server = g_strconcat("unix:", socket, NULL);
	gchar *servers[] = { server, NULL };
	gchar *tcg[] = { (gchar *)"force_tcg", NULL };
	guestfs_set_error_handler(g, NULL, NULL);
	if (guestfs_set_backend(g, "direct") < 0 ||
			(isc_accel_probe(&isc_accel_host, NULL) == ISC_ACCEL_TCG &&
					guestfs_set_backend_settings(g, tcg) < 0) ||
			guestfs_set_network(g, 0) < 0 || guestfs_set_recovery_proc(g, 0) < 0 ||
			guestfs_add_drive_opts(g, ISC_DISK_EXPORT, GUESTFS_ADD_DRIVE_OPTS_READONLY,
					1, GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw",
					GUESTFS_ADD_DRIVE_OPTS_PROTOCOL, "nbd",
					GUESTFS_ADD_DRIVE_OPTS_SERVER, servers, -1) < 0 ||
			guestfs_launch(g) < 0)
		return fail(g, error, ISC_ERROR_HOST, "cannot start libguestfs");
	/* Its journal goes into a layer above the disk, which is gone afterwards. */
	if (guestfs_mount_vfs(g, "ro,nosuid,nodev,noexec", "ext4", "/dev/sda", "/") < 0)
		return fail(g, error, ISC_ERROR_VERIFY, "the disk holds no ext4 file system");
	return TRUE;
}

/* --- folders ------------------------------------------------------------------------------- */

static const gchar *type_of(mode_t mode)
{
	return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "folder" : S_ISLNK(mode) ? "link" : "other";
}

static void put_text(json_object *one, const gchar *key, const gchar *bytes)
{
	g_autofree gchar *text = isc_text_escape(bytes, -1, 4 * NAME_BYTES);
	json_object_object_add(one, key, json_object_new_string(text));
}

static json_object *entry(const gchar *name, const Stat *st, const gchar *target)
{
	json_object *one = json_object_new_object();
	mode_t mode = (mode_t)st->st_mode;
	g_autofree gchar *bits = g_strdup_printf("%04o", mode & 07777);
	put_text(one, "name", name);
	put_text(one, "type", st->st_ino == -1 ? "other" : type_of(mode));
	put_text(one, "mode", bits);
	json_object_object_add(one, "uid", json_object_new_int64(st->st_uid));
	json_object_object_add(one, "gid", json_object_new_int64(st->st_gid));
	json_object_object_add(one, "size", json_object_new_int64(st->st_size));
	json_object_object_add(one, "modified", json_object_new_int64(st->st_mtime_sec));
	if (S_ISLNK(mode))
		put_text(one, "target", target);
	return one;
}

static gboolean list(guestfs_h *g, const gchar *path, int out, GError **error)
{
	g_auto(GStrv) names = guestfs_ls(g, path);
	guint n = names ? g_strv_length(names) : 0;
	if (!names)
		return fail(g, error, ISC_ERROR_FAILED, "cannot list it");
	if (n > ISC_LOOK_ENTRIES_MAX) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"it has %u entries, more than %d: name one of them", n,
				ISC_LOOK_ENTRIES_MAX);
		return FALSE;
	}
	g_autoptr(StatList) stats = guestfs_lstatnslist(g, path, names);
	g_auto(GStrv) targets = guestfs_readlinklist(g, path, names);
	if (!stats || stats->len != n || !targets || g_strv_length(targets) != n)
		return fail(g, error, ISC_ERROR_FAILED, "cannot look at its entries");
	g_autoptr(IscJson) all = json_object_new_array();
	for (guint i = 0; i < n; i++)
		json_object_array_add(all, entry(names[i], &stats->val[i], targets[i]));
	const gchar *text = json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN);
	return isc_file_write_all(out, "d", 1, error) &&
	       isc_file_write_all(out, text, strlen(text), error);
}

/* --- files --------------------------------------------------------------------------------- */

static gboolean pour(guestfs_h *g, const gchar *path, gint64 size, int out, GError **error)
{
	if (!isc_file_write_all(out, "f", 1, error))
		return FALSE;
	for (gint64 at = 0; at < size;) {
		size_t n = 0;
		g_autofree gchar *bytes = guestfs_pread(g, path, CHUNK, at, &n);
		if (!bytes)
			return fail(g, error, ISC_ERROR_FAILED, "cannot read it");
		if (n == 0)
			break;
		if (!isc_file_write_all(out, bytes, n, error))
			return FALSE;
		at += (gint64)n;
	}
	return TRUE;
}

static gboolean look(guestfs_h *g, const gchar *path, int out, GError **error)
{
	g_autoptr(Stat) st = guestfs_lstatns(g, path);
	if (!st)
		return fail(g, error,
				guestfs_last_errno(g) == ENOENT ? ISC_ERROR_NOT_FOUND
								: ISC_ERROR_FAILED,
				"no such path on the disk");
	mode_t mode = (mode_t)st->st_mode;
	if (S_ISDIR(mode))
		return list(g, path, out, error);
	if (S_ISREG(mode))
		return pour(g, path, st->st_size, out, error);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"it is neither a folder nor a file but a %s: list the folder it is in",
			S_ISLNK(mode) ? "link" : "special file");
	return FALSE;
}

gboolean isc_look(const gchar *socket, const gchar *path, int out, GError **error)
{
	guestfs_h *g = guestfs_create();
	gboolean ok = g && launch(g, socket, error) && look(g, path, out, error);
	if (g)
		guestfs_close(g);
	else
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "libguestfs does not start");
	return ok;
}
