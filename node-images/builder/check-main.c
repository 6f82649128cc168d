/* isc-image-check IMAGE-FOLDER: looks at the root of an image in libguestfs' appliance, prints one
 * JSON report (builder/check.h).  Run by `isc-image build` in a box of its own with limits; exit
 * status 0: there is a report, whatever it says; 8: libguestfs does not start here. */
#include <fcntl.h>
#include <guestfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "builder/check.h"
#include "builder/service.h"
#include "collector/wire.h"
#include "engine/accel.h"
#include "model/health.h"
#include "model/image.h"

#define SERVICE_MAX (64 * 1024)

typedef struct guestfs_statns_list StatList;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StatList, guestfs_free_statns_list)

static gboolean set_guestfs_error(guestfs_h *g, GError **error, IscError code, const gchar *what)
{
	const gchar *why = guestfs_last_error(g);
	g_set_error(error, ISC_ERROR, code, "%s: %s", what, why ? why : "no reason given");
	return FALSE;
}

static gboolean launch(guestfs_h *g, const gchar *dir, const IscImage *image, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, image->parts[ISC_PART_ROOT].file, NULL);
	guestfs_set_error_handler(g, NULL, NULL);
	/* `direct`: no libvirt between; the appliance boots where there is no KVM, too. */
	gchar *tcg[] = { (gchar *)"force_tcg", NULL };
	if (guestfs_set_backend(g, "direct") < 0 ||
			(isc_accel_probe(&isc_accel_host, NULL) == ISC_ACCEL_TCG &&
					guestfs_set_backend_settings(g, tcg) < 0) ||
			guestfs_set_network(g, 0) < 0 || guestfs_set_recovery_proc(g, 0) < 0 ||
			guestfs_add_drive_opts(g, path, GUESTFS_ADD_DRIVE_OPTS_READONLY, 1,
					GUESTFS_ADD_DRIVE_OPTS_FORMAT, "raw", -1) < 0 ||
			guestfs_launch(g) < 0)
		return set_guestfs_error(g, error, ISC_ERROR_HOST, "cannot start libguestfs");
	if (guestfs_mount_vfs(g, "ro,nosuid,nodev,noexec", image->root_type, "/dev/sda", "/") < 0)
		return set_guestfs_error(g, error, ISC_ERROR_VERIFY, "cannot mount the root");
	return TRUE;
}

/* --- what is looked at ------------------------------------------------------------ */

static void check_required(guestfs_h *g, IscReport *report)
{
	static const gchar *const folders[] = { "/proc", "/sys", "/dev", "/run", "/tmp", "/etc",
		"/var", "/usr/lib/iscdock" };
	for (gsize i = 0; i < G_N_ELEMENTS(folders); i++)
		if (guestfs_is_dir(g, folders[i]) != 1)
			isc_report_add(report, ISC_FINDING_REQUIRED, "%s is no folder", folders[i]);
	if (guestfs_is_file(g, ISC_SERVICE_FILE) != 1)
		isc_report_add(report, ISC_FINDING_REQUIRED, "%s is missing", ISC_SERVICE_FILE);
	if (guestfs_is_file(g, "/etc/passwd") != 1)
		isc_report_add(report, ISC_FINDING_REQUIRED, "/etc/passwd is missing");
}

static void check_mode(const gchar *folder, const gchar *name, const struct guestfs_statns *st,
		IscReport *report)
{
	g_autofree gchar *path = g_build_filename("/", folder, name, NULL);
	mode_t mode = (mode_t)st->st_mode;
	report->files++;
	if (st->st_ino == -1)
		isc_report_add(report, ISC_FINDING_REQUIRED, "%s cannot be read", path);
	else if (S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode))
		isc_report_add(report, ISC_FINDING_DEVICE, "%s is no plain file", path);
	else if (!S_ISLNK(mode) && mode & (S_ISUID | S_ISGID))
		isc_report_add(report, ISC_FINDING_SETUID, "%s has mode %04o", path, mode & 07777);
}

/* @names: all entries of @folder: one question to the appliance. */
static gboolean check_folder(guestfs_h *g, const gchar *folder, gchar **names, IscReport *report)
{
	g_autofree gchar *path = g_build_filename("/", folder, NULL);
	g_autoptr(StatList) stats = guestfs_lstatnslist(g, path, names);
	if (!stats || stats->len != g_strv_length(names))
		return FALSE;
	for (guint32 i = 0; i < stats->len; i++)
		check_mode(folder, names[i], &stats->val[i], report);
	return TRUE;
}

static gboolean check_files(guestfs_h *g, IscReport *report, GError **error)
{
	g_auto(GStrv) paths = guestfs_find(g, "/");
	g_autoptr(GHashTable) folders = g_hash_table_new_full(
			g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	gboolean ok = paths != NULL;
	for (gsize i = 0; ok && paths[i]; i++) {
		gchar *slash = strrchr(paths[i], '/');
		g_autofree gchar *folder =
				g_strndup(paths[i], slash ? (gsize)(slash - paths[i]) : 0);
		GPtrArray *names = g_hash_table_lookup(folders, folder);
		if (!names) {
			names = g_ptr_array_new();
			g_hash_table_insert(folders, g_strdup(folder), names);
		}
		g_ptr_array_add(names, slash ? slash + 1 : paths[i]);
	}
	GHashTableIter iter;
	gpointer folder, names;
	g_hash_table_iter_init(&iter, folders);
	while (ok && g_hash_table_iter_next(&iter, &folder, &names)) {
		g_ptr_array_add(names, NULL);
		ok = check_folder(g, folder, (gchar **)((GPtrArray *)names)->pdata, report);
	}
	return ok || set_guestfs_error(g, error, ISC_ERROR_VERIFY, "cannot list the root");
}

static void check_exec(guestfs_h *g, const gchar *program, IscReport *report)
{
	/* Without links, as the service will see it: resolved in the appliance, below the mount. */
	g_autofree gchar *real = guestfs_realpath(g, program);
	if (!real) {
		isc_report_add(report, ISC_FINDING_EXEC, "%s is missing", program);
		return;
	}
	struct guestfs_statns *st = guestfs_statns(g, real);
	if (!st || !S_ISREG((mode_t)st->st_mode) || !((mode_t)st->st_mode & 0111))
		isc_report_add(report, ISC_FINDING_EXEC, "%s is not executable", program);
	guestfs_free_statns(st);
}

/* A small text file of the root.  Returns: (transfer full) or NULL */
static gchar *read_text(guestfs_h *g, const gchar *path)
{
	size_t len = 0;
	gchar *bytes = guestfs_filesize(g, path) <= SERVICE_MAX ? guestfs_read_file(g, path, &len)
								: NULL;
	if (bytes && memchr(bytes, '\0', len))
		g_clear_pointer(&bytes, free);
	return bytes;
}

static void check_user(guestfs_h *g, const IscImage *image, guint uid, guint gid, IscReport *report)
{
	g_autofree gchar *text = read_text(g, "/etc/passwd");
	g_autofree gchar *want = g_strdup_printf(":%u:%u:", uid, gid);
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		g_auto(GStrv) f = g_strsplit(lines[i], ":", -1);
		if (g_strv_length(f) < 4 || !g_str_equal(f[0], image->user))
			continue;
		g_autofree gchar *has = g_strdup_printf(":%s:%s:", f[2], f[3]);
		if (uid == 0 || !g_str_equal(has, want))
			isc_report_add(report, ISC_FINDING_USER, "%s has uid:gid %s:%s, not %u:%u",
					image->user, f[2], f[3], uid, gid);
		return;
	}
	isc_report_add(report, ISC_FINDING_USER, "%s is not in /etc/passwd", image->user);
}

static void check_service(guestfs_h *g, const IscImage *image, IscReport *report)
{
	g_autofree gchar *text = read_text(g, ISC_SERVICE_FILE);
	g_autoptr(GError) why = NULL;
	guint uid = 0, gid = 0;
	if (text && isc_service_agrees(text, image, &uid, &gid, &why))
		check_user(g, image, uid, gid, report);
	else
		isc_report_add(report, ISC_FINDING_SERVICE, "%s",
				why ? why->message : "unreadable");
}

static gboolean check(const gchar *dir, GError **error)
{
	g_autofree gchar *path = g_build_filename(dir, ISC_IMAGE_MANIFEST, NULL);
	gsize len;
	g_autofree gchar *bytes =
			isc_file_read(AT_FDCWD, path, ISC_IMAGE_MANIFEST_MAX, &len, error);
	g_autoptr(IscImage) image = bytes ? isc_image_parse(bytes, len, error) : NULL;
	if (!image)
		return FALSE;
	guestfs_h *g = guestfs_create();
	g_autoptr(IscReport) report = isc_report_new();
	gboolean ok = launch(g, dir, image, error) && check_files(g, report, error);
	if (ok) {
		check_required(g, report);
		g_auto(GStrv) check = isc_health_command(image->health);
		check_exec(g, image->exec[0], report);
		if (check)
			check_exec(g, check[0], report);
		check_service(g, image, report);
	}
	guestfs_close(g);
	if (!ok)
		return FALSE;
	g_autofree gchar *text = isc_report_print(report);
	return isc_file_write_all(STDOUT_FILENO, text, strlen(text), error);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: isc-image-check IMAGE-FOLDER\n");
		return 2;
	}
	g_autoptr(GError) error = NULL;
	if (check(argv[1], &error))
		return 0;
	fprintf(stderr, "%s\n", error->message);
	return isc_error_exit_status(error);
}
