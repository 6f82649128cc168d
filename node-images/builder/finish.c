#include "builder/finish.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <glob.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "builder/program.h"
#include "builder/service.h"
#include "collector/wire.h"
#include "model/health.h"

#define STATUS "/var/lib/dpkg/status"
#define STATUS_MAX (32 * 1024 * 1024)
#define PASSWD_MAX (1024 * 1024)
#define TIMEOUT_S 300

/* --- what goes -------------------------------------------------------------------- */

/* clang-format off */
/* glob(7) patterns; whole trees.  The names of mirrors and the dates of installation would also make equal images
 * differ; keys and seeds would be shared by all nodes of an image. */
static const gchar *const removed[] = {
	"/dev/*", "/dev/.[!.]*", "/proc/*", "/sys/*", "/run/*", "/run/.[!.]*", "/tmp/*", "/tmp/.[!.]*",
	"/var/tmp/*", "/var/tmp/.[!.]*", "/boot/*", "/vmlinuz*", "/initrd*", "/root/.[!.]*",
	"/etc/machine-id", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/mtab", "/etc/.pwd.lock",
	"/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-",
	"/etc/apt/sources.list*", "/etc/apt/apt.conf.d/99mmdebstrap", "/etc/dpkg/dpkg.cfg.d/99mmdebstrap",
	"/etc/ssh/ssh_host_*", "/etc/ssl/private/ssl-cert-snakeoil.key", "/etc/ssl/certs/ssl-cert-snakeoil.pem",
	"/var/lib/systemd/random-seed", "/var/lib/dbus/machine-id", "/var/lib/urandom/random-seed",
	"/var/lib/apt", "/var/cache/apt", "/var/cache/debconf", "/var/cache/ldconfig", "/var/cache/man",
	"/var/log/apt", "/var/backups", "/usr/sbin/policy-rc.d",
	"/var/lib/dpkg/*-old", "/var/lib/dpkg/info", "/var/lib/dpkg/triggers", "/var/lib/dpkg/updates",
	"/var/lib/dpkg/lock*", "/var/lib/dpkg/available", "/var/lib/dpkg/parts", "/var/lib/dpkg/alternatives",
	"/usr/share/man", "/usr/share/info", "/usr/share/locale", "/usr/share/lintian", "/usr/share/bug",
	"/usr/share/doc-base", "/usr/share/bash-completion", "/usr/share/groff", "/usr/share/linda",
};

/* The folders stay: services expect them. */
static const gchar *const emptied[] = { "/var/log", "/var/cache" };
/* clang-format on */

static gboolean remove_known(GError **error)
{
	for (gsize i = 0; i < G_N_ELEMENTS(removed); i++) {
		glob_t found = { 0 };
		gboolean ok = TRUE;
		if (glob(removed[i], GLOB_NOSORT, NULL, &found) == 0)
			for (gsize k = 0; k < found.gl_pathc && ok; k++)
				ok = isc_file_remove_tree(found.gl_pathv[k], error);
		globfree(&found);
		if (!ok)
			return FALSE;
	}
	return TRUE;
}

/* Calls @visit for each entry below @path, folders after what they hold. */
static gboolean walk(const gchar *path,
		gboolean (*visit)(const FTSENT *e, gpointer data, GError **error), gpointer data,
		GError **error)
{
	gchar *const paths[] = { (gchar *)path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	gboolean ok = fts != NULL;
	FTSENT *e;
	while (ok && (errno = 0, e = fts_read(fts)))
		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
			ok = e->fts_level == 0 && e->fts_errno == ENOENT
					     ? TRUE
					     : isc_error_set_errno(error, e->fts_errno, "'%s'",
							       e->fts_path);
		else if (e->fts_info != FTS_D)
			ok = visit(e, data, error);
	if (fts)
		fts_close(fts);
	return ok;
}

static gboolean drop_file(const FTSENT *e, gpointer data, GError **error)
{
	(void)data;
	if (e->fts_info == FTS_DP)
		return TRUE;
	return unlink(e->fts_accpath) == 0 ||
	       isc_error_set_errno(error, errno, "cannot remove '%s'", e->fts_path);
}

/* Copyrights stay: the licences want them with the binaries. */
static gboolean drop_doc(const FTSENT *e, gpointer data, GError **error)
{
	if (e->fts_info == FTS_DP) {
		if (rmdir(e->fts_accpath) < 0 && errno != ENOTEMPTY)
			return isc_error_set_errno(error, errno, "cannot remove '%s'", e->fts_path);
		return TRUE;
	}
	/* A link may stand for a whole folder with its copyright. */
	if (g_str_equal(e->fts_name, "copyright") || (e->fts_info == FTS_SL && e->fts_level == 1))
		return TRUE;
	return drop_file(e, data, error);
}

/* Nothing in a node gains rights by being executed; no file stands for a device. */
static gboolean strip(const FTSENT *e, gpointer data, GError **error)
{
	GPtrArray *stripped = data;
	const struct stat *st = e->fts_statp;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode) || S_ISSOCK(st->st_mode) ||
			S_ISFIFO(st->st_mode))
		return drop_file(e, NULL, error);
	if (S_ISLNK(st->st_mode) || !(st->st_mode & (S_ISUID | S_ISGID)))
		return TRUE;
	if (chmod(e->fts_accpath, st->st_mode & 07777 & ~(mode_t)(S_ISUID | S_ISGID)) < 0)
		return isc_error_set_errno(
				error, errno, "cannot set the mode of '%s'", e->fts_path);
	if (S_ISREG(st->st_mode))
		g_ptr_array_add(stripped, g_strdup(e->fts_path));
	return TRUE;
}

/* --- what is there ---------------------------------------------------------------- */

static gboolean make_dirs(GError **error)
{
	/* clang-format off */
	static const struct {
		const gchar *path;
		mode_t mode;
	} dirs[] = {
		{ "/proc", 0555 }, { "/sys", 0555 }, { "/dev", 0755 }, { "/run", 0755 }, { "/tmp", 01777 },
		{ "/etc", 0755 }, { "/usr", 0755 }, { "/usr/lib", 0755 }, { "/usr/lib/iscdock", 0755 },
		{ "/var", 0755 }, { "/var/tmp", 01777 }, { "/var/lib", 0755 }, { "/var/log", 0755 },
	};
	/* clang-format on */
	for (gsize i = 0; i < G_N_ELEMENTS(dirs); i++) {
		struct stat st;
		if (mkdir(dirs[i].path, 0755) < 0 && errno != EEXIST)
			return isc_error_set_errno(error, errno, "cannot make '%s'", dirs[i].path);
		if (stat(dirs[i].path, &st) < 0 || !S_ISDIR(st.st_mode)) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
					"the root has '%s', but it is no folder", dirs[i].path);
			return FALSE;
		}
		if (st.st_uid == 0 && chmod(dirs[i].path, dirs[i].mode) < 0)
			return isc_error_set_errno(
					error, errno, "cannot set the mode of '%s'", dirs[i].path);
	}
	/* Where packages still look. */
	if (symlink("/run", "/var/run") < 0 && errno != EEXIST)
		return isc_error_set_errno(error, errno, "cannot make '/var/run'");
	if (symlink("/run/lock", "/var/lock") < 0 && errno != EEXIST)
		return isc_error_set_errno(error, errno, "cannot make '/var/lock'");
	return TRUE;
}

/* The fields of the line of @path that begins with @name, or NULL. */
static gchar **lookup(const gchar *path, const gchar *name)
{
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, PASSWD_MAX, NULL, NULL);
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		g_auto(GStrv) fields = g_strsplit(lines[i], ":", -1);
		if (fields[0] && g_str_equal(fields[0], name))
			return g_steal_pointer(&fields);
	}
	return NULL;
}

static gboolean take_number(const gchar *text, guint *out)
{
	guint64 n;
	if (!text || !g_ascii_string_to_unsigned(text, 10, 1, 65535 * 16, &n, NULL))
		return FALSE;
	*out = (guint)n;
	return TRUE;
}

static void take_groups(const gchar *user, IscServiceUser *out)
{
	g_autofree gchar *text = isc_file_read(AT_FDCWD, "/etc/group", PASSWD_MAX, NULL, NULL);
	g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		g_auto(GStrv) fields = g_strsplit(lines[i], ":", -1);
		guint gid;
		if (g_strv_length(fields) < 4 || !take_number(fields[2], &gid) || gid == out->gid)
			continue;
		g_auto(GStrv) members = g_strsplit(fields[3], ",", -1);
		if (g_strv_contains((const gchar *const *)members, user) && out->groups->len < 32)
			g_array_append_val(out->groups, gid);
	}
}

static gboolean take_user(const IscRecipe *recipe, IscServiceUser *out, GError **error)
{
	g_auto(GStrv) fields = lookup("/etc/passwd", recipe->user);
	if (!fields)
		return isc_recipe_error(recipe, "Service", "User", NULL, error,
				"'%s': not in the root's /etc/passwd; a package, files/ or "
				"build.sh must add it",
				recipe->user);
	if (g_strv_length(fields) < 7 || !take_number(fields[2], &out->uid) ||
			!take_number(fields[3], &out->gid))
		return isc_recipe_error(recipe, "Service", "User", NULL, error,
				"'%s': its uid and gid in the root must be numbers above 0",
				recipe->user);
	take_groups(recipe->user, out);
	return TRUE;
}

/* --- Writable= -------------------------------------------------------------------- */

static gboolean give_away(const FTSENT *e, gpointer data, GError **error)
{
	const IscServiceUser *user = data;
	if (e->fts_statp->st_uid != 0)
		return TRUE;
	return lchown(e->fts_accpath, user->uid, user->gid) == 0 ||
	       isc_error_set_errno(error, errno, "cannot change the owner of '%s'", e->fts_path);
}

static gboolean is_volatile(const gchar *path)
{
	return g_str_has_prefix(path, "/run/") || g_str_has_prefix(path, "/tmp/") ||
	       g_str_equal(path, "/run") || g_str_equal(path, "/tmp");
}

static gboolean make_parents(const gchar *path, GError **error)
{
	g_autofree gchar *parent = g_path_get_dirname(path);
	if (g_str_equal(parent, "/") || mkdir(parent, 0755) == 0 || errno == EEXIST)
		return TRUE;
	if (errno != ENOENT)
		return isc_error_set_errno(error, errno, "cannot make '%s'", parent);
	return make_parents(parent, error) &&
	       (mkdir(parent, 0755) == 0 ||
			       isc_error_set_errno(error, errno, "cannot make '%s'", parent));
}

/* A writable folder is the service's: what a package or files/ left there as root's is handed over.
 * Not so where a whole piece of the system is made writable (/etc): owners there have a meaning. */
static gboolean make_writable(
		const IscRecipe *recipe, const gchar *path, IscServiceUser *user, GError **error)
{
	struct stat st;
	if (is_volatile(path))
		return TRUE;
	if (!make_parents(path, error))
		return FALSE;
	gboolean made = mkdir(path, 0750) == 0;
	if (!made && errno != EEXIST)
		return isc_error_set_errno(error, errno, "cannot make '%s'", path);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return isc_recipe_error(recipe, "Service", "Writable", path, error,
				"'%s': is no folder in the root", path);
	if (!made && !strchr(path + 1, '/'))
		return TRUE;
	return walk(path, give_away, user, error);
}

/* --- Exec=, Pre= and Health= --------------------------------------------------------------- */

static gboolean check_program(const IscRecipe *recipe, const gchar *key, const gchar *path,
		const IscServiceUser *user, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (isc_program_check(path, user->uid, user->gid, &why))
		return TRUE;
	return isc_recipe_error(recipe, "Service", key, path, error, "%s", why->message);
}

static gboolean check_programs(const IscRecipe *recipe, const IscServiceUser *user, GError **error)
{
	/* The rights of the service's user decide; root may execute what it may not. */
	if (setgroups(user->groups->len, (const gid_t *)(const void *)user->groups->data) < 0)
		return isc_error_set_errno(error, errno, "setgroups");
	if (!check_program(recipe, "Exec", recipe->exec[0], user, error))
		return FALSE;
	for (guint i = 0; i < recipe->pre->len; i++) {
		gchar **argv = g_ptr_array_index(recipe->pre, i);
		if (!check_program(recipe, "Pre", argv[0], user, error))
			return FALSE;
	}
	g_auto(GStrv) check = isc_health_command(recipe->health);
	if (check && !check_program(recipe, "Health", check[0], user, error))
		return FALSE;
	struct stat st;
	if (stat(recipe->directory, &st) == 0 && S_ISDIR(st.st_mode))
		return TRUE;
	return isc_recipe_error(recipe, "Service", "WorkingDirectory", NULL, error,
			"'%s': no such folder in the root", recipe->directory);
}

/* --- all together, in the chroot -------------------------------------------------- */

static gboolean count(const FTSENT *e, gpointer data, GError **error)
{
	(void)e;
	(void)error;
	++*(guint *)data;
	return TRUE;
}

static gint compare_strings(gconstpointer a, gconstpointer b)
{
	return strcmp(*(gchar *const *)a, *(gchar *const *)b);
}

static gboolean report(
		int out, GPtrArray *stripped, const gchar *status, guint files, GError **error)
{
	g_autoptr(IscJson) root = json_object_new_object();
	json_object *list = json_object_new_array();
	g_ptr_array_sort(stripped, compare_strings);
	for (guint i = 0; i < stripped->len; i++)
		json_object_array_add(list, json_object_new_string(g_ptr_array_index(stripped, i)));
	json_object_object_add(root, "stripped", list);
	json_object_object_add(root, "status", json_object_new_string(status));
	json_object_object_add(root, "files", json_object_new_int((gint)files));
	const gchar *text = json_object_to_json_string(root);
	return isc_file_write_all(out, text, strlen(text), error);
}

static gboolean finish(gpointer data, int out, GError **error)
{
	const IscRecipe *recipe = data;
	g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(guint));
	g_autoptr(GPtrArray) stripped = g_ptr_array_new_with_free_func(g_free);
	IscServiceUser user = { .groups = groups };
	guint files = 0;

	g_autofree gchar *status = isc_file_read(AT_FDCWD, STATUS, STATUS_MAX, NULL, NULL);
	if (!remove_known(error) || !walk("/usr/share/doc", drop_doc, NULL, error))
		return FALSE;
	for (gsize i = 0; i < G_N_ELEMENTS(emptied); i++)
		if (!walk(emptied[i], drop_file, NULL, error))
			return FALSE;
	if (!make_dirs(error) || !walk("/", strip, stripped, error) ||
			!take_user(recipe, &user, error))
		return FALSE;
	for (guint i = 0; i < recipe->writable->len; i++)
		if (!make_writable(recipe, g_ptr_array_index(recipe->writable, i), &user, error))
			return FALSE;

	g_autofree gchar *text = isc_service_print(recipe, &user);
	return isc_file_write(AT_FDCWD, ISC_SERVICE_FILE, text, strlen(text), 0644, error) &&
	       walk("/", count, &files, error) && check_programs(recipe, &user, error) &&
	       report(out, stripped, status ? status : "", files, error);
}

/* --- from outside ----------------------------------------------------------------- */

void isc_finish_clear(IscFinish *out)
{
	g_strfreev(out->stripped);
	g_free(out->status);
	memset(out, 0, sizeof *out);
}

gboolean isc_finish(const IscRecipe *recipe, const gchar *root, const IscRun *tick, IscFinish *out,
		GError **error)
{
	IscRun run = { .what = "finishing the root",
		.function = finish,
		.data = (gpointer)recipe,
		.root = root,
		.flags = ISC_RUN_BOX | ISC_RUN_NO_NET,
		.timeout_s = TIMEOUT_S,
		.tick = tick->tick,
		.tick_data = tick->tick_data };
	g_autofree gchar *text = NULL;
	if (!isc_run(&run, &text, NULL, error))
		return FALSE;
	g_autoptr(IscJson) json = json_tokener_parse(text);
	json_object *stripped = json_object_object_get(json, "stripped");
	if (!stripped) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"finishing the root gave no result");
		return FALSE;
	}
	g_autoptr(GStrvBuilder) list = g_strv_builder_new();
	for (gsize i = 0; i < json_object_array_length(stripped); i++)
		g_strv_builder_add(list,
				json_object_get_string(json_object_array_get_idx(stripped, i)));
	out->stripped = g_strv_builder_end(list);
	out->status = g_strdup(json_object_get_string(json_object_object_get(json, "status")));
	out->files = (guint)json_object_get_int(json_object_object_get(json, "files"));
	return TRUE;
}
