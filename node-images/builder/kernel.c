#include "builder/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#define META_PACKAGE "linux-image-cloud-amd64"
#define CONTROL_MAX (256 * 1024)

void isc_kernel_free(IscKernel *kernel)
{
	if (!kernel)
		return;
	g_free(kernel->version);
	g_free(kernel->folder);
	g_free(kernel->vmlinuz);
	g_free(kernel->modules);
	g_free(kernel->control);
	g_free(kernel);
}

/* --- the order of modules (pure) -------------------------------------------------- */

/* "kernel/fs/erofs/erofs.ko.xz" → "erofs", with '-' as '_', as modprobe takes them for the same. */
static gchar *module_name(const gchar *path)
{
	gchar *name = g_path_get_basename(path);
	gchar *end = strstr(name, ".ko");
	if (end)
		*end = '\0';
	return g_strdelimit(name, "-", '_');
}

/* name → line of modules.dep, split at white space: the path with its ':', then what it needs */
static GHashTable *read_dep(const gchar *dep)
{
	GHashTable *table = g_hash_table_new_full(
			g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_strfreev);
	g_auto(GStrv) lines = g_strsplit(dep, "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		gchar *colon = strchr(lines[i], ':');
		if (!colon)
			continue;
		*colon = ' ';
		g_strchomp(lines[i]);
		gchar **words = g_strsplit_set(lines[i], " ", -1);
		g_hash_table_replace(table, module_name(words[0]), words);
	}
	return table;
}

static gboolean is_builtin(const gchar *builtin, const gchar *wanted)
{
	g_auto(GStrv) lines = g_strsplit(builtin, "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		g_autofree gchar *name = module_name(lines[i]);
		if (g_str_equal(name, wanted))
			return TRUE;
	}
	return FALSE;
}

static void add_once(GPtrArray *list, const gchar *path)
{
	if (*path && !g_ptr_array_find_with_equal_func(list, path, g_str_equal, NULL))
		g_ptr_array_add(list, g_strdup(path));
}

GPtrArray *isc_kernel_order(
		const gchar *dep, const gchar *builtin, const gchar *const *wanted, GError **error)
{
	g_autoptr(GHashTable) table = read_dep(dep);
	g_autoptr(GPtrArray) order = g_ptr_array_new_with_free_func(g_free);
	for (; *wanted; wanted++) {
		g_autofree gchar *name = module_name(*wanted);
		gchar **words = g_hash_table_lookup(table, name);
		if (!words && is_builtin(builtin, name))
			continue;
		if (!words) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
					"the kernel has no module '%s'", *wanted);
			return NULL;
		}
		/* depmod(8) lists all that a module needs, nearest first: from the end it is the
		 * order to load. */
		for (guint i = g_strv_length(words); i-- > 0;)
			add_once(order, words[i]);
	}
	return g_steal_pointer(&order);
}

/* --- the cache -------------------------------------------------------------------- */

/* "linux-image-6.1.0-37-cloud-amd64=6.1.140-1", which the meta package leads to. */
static gchar *find_package(const IscApt *apt, GError **error)
{
	g_autoptr(GPtrArray) meta = g_ptr_array_new();
	g_autofree gchar *missing = NULL;
	g_ptr_array_add(meta, (gpointer)META_PACKAGE);
	g_autoptr(GPtrArray) plan = isc_apt_resolve(apt, meta, &missing, error);
	if (!plan) {
		if (error && g_error_matches(*error, ISC_ERROR, ISC_ERROR_INVALID))
			(*error)->code = ISC_ERROR_HOST;
		return NULL;
	}
	for (guint i = 0; i < plan->len; i++) {
		const gchar *package = g_ptr_array_index(plan, i);
		if (g_regex_match_simple("^linux-image-[0-9][^=]*-cloud-amd64=", package, 0, 0))
			return g_strdup(package);
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "suite '%s' has no kernel for '%s'",
			apt->suite, META_PACKAGE);
	return NULL;
}

static gboolean run_tool(const IscApt *apt, const gchar *const *argv, gchar **out, GError **error)
{
	IscRun run = { .what = argv[0],
		.argv = argv,
		.timeout_s = 300,
		.tick = apt->tick->tick,
		.tick_data = apt->tick->tick_data };
	return isc_run_has(argv[0], error) && isc_run(&run, out, NULL, error);
}

static gboolean move(const gchar *from_dir, const gchar *from, const gchar *to_dir, const gchar *to,
		GError **error)
{
	g_autofree gchar *source = g_build_filename(from_dir, from, NULL);
	g_autofree gchar *target = g_build_filename(to_dir, to, NULL);
	if (g_rename(source, target) < 0)
		return isc_error_set_errno(error, errno, "cannot move '%s'", source);
	return TRUE;
}

/* Up to bookworm modules are in /lib, later in /usr/lib. */
static gboolean has_lib(const gchar *tree)
{
	g_autofree gchar *path = g_build_filename(tree, "lib", NULL);
	return access(path, F_OK) == 0;
}

/* Downloads into @work and leaves vmlinuz, lib/modules/VERSION and control in @work/new. */
static gboolean fetch(const IscApt *apt, const gchar *package, const gchar *version,
		const gchar *work, GError **error)
{
	g_autofree gchar *tree = g_build_filename(work, "tree", NULL);
	g_autofree gchar *new = g_build_filename(work, "new", NULL);
	g_autofree gchar *image = g_strdup_printf("boot/vmlinuz-%s", version);
	if (g_mkdir_with_parents(tree, 0755) < 0 || g_mkdir_with_parents(new, 0755) < 0)
		return isc_error_set_errno(error, errno, "cannot make '%s'", work);
	g_autofree gchar *deb = isc_apt_download(apt, package, work, error);
	if (!deb)
		return FALSE;

	g_autofree gchar *control = NULL;
	const gchar *unpack[] = { "dpkg-deb", "-x", deb, tree, NULL };
	const gchar *field[] = { "dpkg-deb", "-f", deb, NULL };
	const gchar *depmod[] = { "depmod", "-b", new, version, NULL };
	g_autofree gchar *control_path = g_build_filename(new, "control", NULL);
	return run_tool(apt, unpack, NULL, error) && run_tool(apt, field, &control, error) &&
	       isc_file_write(AT_FDCWD, control_path, control, strlen(control), 0644, error) &&
	       move(tree, image, new, "vmlinuz", error) &&
	       move(tree, has_lib(tree) ? "lib" : "usr/lib", new, "lib", error) &&
	       run_tool(apt, depmod, NULL, error);
}

static gboolean fetch_into(const IscApt *apt, const gchar *package, const gchar *version,
		const gchar *folder, GError **error)
{
	g_autofree gchar *work = g_strdup_printf("%s.new", folder);
	g_autofree gchar *new = g_build_filename(work, "new", NULL);
	if (!isc_file_remove_tree(work, error) || !isc_file_remove_tree(folder, error))
		return FALSE;
	gboolean ok = fetch(apt, package, version, work, error);
	if (ok && g_rename(new, folder) < 0)
		ok = isc_error_set_errno(error, errno, "cannot rename '%s'", new);
	if (!isc_file_remove_tree(work, NULL))
		g_debug("'%s' stays until the next download", work);
	return ok;
}

IscKernel *isc_kernel_open(const IscApt *apt, const gchar *cache, gboolean fresh, GError **error)
{
	g_autofree gchar *package = find_package(apt, error);
	if (!package)
		return NULL;
	g_auto(GStrv) pair = g_strsplit(package, "=", 2);
	g_autoptr(IscKernel) kernel = g_new0(IscKernel, 1);
	g_autofree gchar *name = g_strdup_printf("kernel-%s", pair[1]);
	g_strdelimit(name, "/:", '_');
	kernel->version = g_strdup(pair[0] + strlen("linux-image-"));
	kernel->folder = g_build_filename(cache, name, NULL);
	kernel->vmlinuz = g_build_filename(kernel->folder, "vmlinuz", NULL);
	kernel->modules = g_build_filename(kernel->folder, "lib/modules", kernel->version, NULL);

	struct stat st;
	g_autofree gchar *dep = g_build_filename(kernel->modules, "modules.dep", NULL);
	if ((fresh || stat(dep, &st) < 0) &&
			!fetch_into(apt, package, kernel->version, kernel->folder, error))
		return NULL;
	g_autofree gchar *control = g_build_filename(kernel->folder, "control", NULL);
	kernel->control = isc_file_read(AT_FDCWD, control, CONTROL_MAX, NULL, error);
	if (!kernel->control)
		return NULL;
	if (stat(kernel->vmlinuz, &st) < 0) {
		isc_error_set_errno(error, errno, "cannot stat '%s'", kernel->vmlinuz);
		return NULL;
	}
	kernel->built = st.st_mtime;
	return g_steal_pointer(&kernel);
}
