#include "builder/apt.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "builder/sources.h"

#define ETC_APT "/etc/apt"
#define DEBIAN_KEYRING "/usr/share/keyrings/debian-archive-keyring.gpg"
#define SOURCES_MAX (256 * 1024)
#define FRESH_S 3600
#define APT_TIMEOUT_S 600
#define LOCK_TIMEOUT_S 900

void isc_apt_unlock(IscApt *apt)
{
	isc_clear_fd(&apt->lock);
}

void isc_apt_free(IscApt *apt)
{
	if (!apt)
		return;
	isc_apt_unlock(apt);
	g_free(apt->folder);
	g_free(apt->suite);
	g_free(apt->sources);
	g_free(apt->options);
	g_free(apt->lists);
	g_free(apt->state);
	g_free(apt);
}

static gint compare_strings(gconstpointer a, gconstpointer b)
{
	return strcmp(*(gchar *const *)a, *(gchar *const *)b);
}

/* --- the host's settings ---------------------------------------------------------- */

static void add_sources_file(GArray *files, GPtrArray *keep, const gchar *path, const gchar *name)
{
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, SOURCES_MAX, NULL, NULL);
	if (!text)
		return;
	IscSourcesFile file = { g_strdup(name), text };
	g_ptr_array_add(keep, (gpointer)file.name);
	g_ptr_array_add(keep, g_steal_pointer(&text));
	g_array_append_val(files, file);
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(((const IscSourcesFile *)a)->name, ((const IscSourcesFile *)b)->name);
}

/* What apt itself would read: *.list and *.sources, nothing like "x.list.disabled". */
static gchar *host_sources(const gchar *suite, GError **error)
{
	g_autoptr(GPtrArray) keep = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GArray) files = g_array_new(FALSE, FALSE, sizeof(IscSourcesFile));
	g_autoptr(GDir) dir = g_dir_open(ETC_APT "/sources.list.d", 0, NULL);
	const gchar *name;
	while (dir && (name = g_dir_read_name(dir))) {
		if (!g_str_has_suffix(name, ".list") && !g_str_has_suffix(name, ".sources"))
			continue;
		g_autofree gchar *path = g_build_filename(ETC_APT "/sources.list.d", name, NULL);
		add_sources_file(files, keep, path, name);
	}
	g_array_sort(files, compare_names);
	add_sources_file(files, keep, ETC_APT "/sources.list", "sources.list");

	const gchar *keyring = access(DEBIAN_KEYRING, R_OK) == 0 ? DEBIAN_KEYRING : NULL;
	return isc_sources_select((const IscSourcesFile *)(const void *)files->data, files->len,
			suite, keyring, NULL, error);
}

/* How the host reaches its mirrors: proxy, TLS, a mirror that serves an old state.  Everything else
 * is left behind. */
static gchar *host_options(const IscRun *tick, GError **error)
{
	static const gchar *const passed[] = { "Acquire::http", "Acquire::https",
		"Acquire::ForceIPv", "Acquire::Check-Valid-Until", "Acquire::Check-Date" };
	static const gchar *const argv[] = { "apt-config", "dump", NULL };
	IscRun run = { .what = "apt-config",
		.argv = argv,
		.timeout_s = 60,
		.tick = tick->tick,
		.tick_data = tick->tick_data };
	g_autofree gchar *dump = NULL;
	if (!isc_run(&run, &dump, NULL, error))
		return NULL;
	g_auto(GStrv) lines = g_strsplit(dump, "\n", -1);
	GString *out = g_string_new(NULL);
	for (gsize i = 0; lines[i]; i++)
		for (gsize k = 0; k < G_N_ELEMENTS(passed); k++)
			if (g_str_has_prefix(lines[i], passed[k]) &&
					!g_str_has_suffix(lines[i], " \"\";"))
				g_string_append_printf(out, "%s\n", lines[i]);
	return g_string_free(out, FALSE);
}

/* --- the private root ------------------------------------------------------------- */

static gchar *config_text(const IscApt *apt, const gchar *options)
{
	GString *out = g_string_new(options);
	const gchar *f = apt->folder;
	/* Set before apt reads any configuration: with its folder of parts empty, the host's is not
	 * read. */
	g_string_append_printf(out, "Dir::Etc \"%s/etc\";\n", f);
	g_string_append_printf(out, "Dir::Etc::parts \"%s/etc/none\";\n", f);
	g_string_append_printf(out, "Dir::Etc::main \"%s/etc/none/none\";\n", f);
	g_string_append(out, "Dir::Etc::sourcelist \"/dev/null\";\n");
	g_string_append_printf(out, "Dir::Etc::sourceparts \"%s/etc/sources.list.d\";\n", f);
	g_string_append(out, "Dir::Etc::trusted \"" ETC_APT "/trusted.gpg\";\n");
	g_string_append(out, "Dir::Etc::trustedparts \"" ETC_APT "/trusted.gpg.d\";\n");
	g_string_append(out, "Dir::Etc::netrc \"" ETC_APT "/auth.conf\";\n");
	g_string_append(out, "Dir::Etc::netrcparts \"" ETC_APT "/auth.conf.d\";\n");
	g_string_append(out, "Dir::Etc::preferences \"/dev/null\";\n");
	g_string_append_printf(out, "Dir::Etc::preferencesparts \"%s/etc/none\";\n", f);
	g_string_append_printf(out, "Dir::State \"%s\";\n", f);
	g_string_append_printf(out, "Dir::State::lists \"%s/lists\";\n", f);
	g_string_append_printf(out, "Dir::State::status \"%s/status\";\n", f);
	g_string_append_printf(out, "Dir::Cache \"%s\";\n", f);
	g_string_append_printf(out, "Dir::Cache::archives \"%s/archives\";\n", f);
	g_string_append_printf(out, "Dir::Log \"%s\";\n", f);
	g_string_append(out, "APT::Architecture \"amd64\";\nAPT::Architectures { \"amd64\"; };\n"
			     "APT::Install-Recommends \"0\";\nAPT::Install-Suggests \"0\";\n"
			     "APT::Sandbox::User \"root\";\nAcquire::Languages \"none\";\n"
			     "Acquire::Retries \"5\";\nAPT::Update::Error-Mode \"any\";\n");
	return g_string_free(out, FALSE);
}

static gboolean write_text(
		const gchar *folder, const gchar *name, const gchar *text, GError **error)
{
	g_autofree gchar *path = g_build_filename(folder, name, NULL);
	return isc_file_write(AT_FDCWD, path, text, strlen(text), 0644, error);
}

static gboolean make_folders(const IscApt *apt, GError **error)
{
	static const gchar *const names[] = { "etc/none", "etc/sources.list.d", "lists/partial",
		"archives/partial" };
	for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
		g_autofree gchar *path = g_build_filename(apt->folder, names[i], NULL);
		if (g_mkdir_with_parents(path, 0755) < 0)
			return isc_error_set_errno(error, errno, "cannot make '%s'", path);
	}
	return TRUE;
}

static gboolean take_lock(IscApt *apt, const IscRun *tick, GError **error)
{
	g_autofree gchar *path = g_build_filename(apt->folder, "lock", NULL);
	gint64 end = g_get_monotonic_time() + LOCK_TIMEOUT_S * G_USEC_PER_SEC;
	apt->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (apt->lock < 0)
		return isc_error_set_errno(error, errno, "cannot open '%s'", path);
	while (flock(apt->lock, LOCK_EX | LOCK_NB) < 0) {
		if (isc_run_interrupted() || g_get_monotonic_time() > end) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_TIMEOUT,
					"another isc-image holds '%s'", path);
			return FALSE;
		}
		if (tick->tick)
			tick->tick(tick->tick_data);
		g_usleep(G_USEC_PER_SEC / 5);
	}
	return TRUE;
}

/* Runs apt-get or apt-cache with the private root. */
static gboolean run_apt(const IscApt *apt, const gchar *const *argv, gchar **out, gchar **messages,
		GError **error)
{
	g_autofree gchar *config = g_strdup_printf("APT_CONFIG=%s/etc/apt.conf", apt->folder);
	const gchar *env[] = { config, "DEBIAN_FRONTEND=noninteractive", NULL };
	IscRun run = { .what = argv[0],
		.argv = argv,
		.env = env,
		.timeout_s = APT_TIMEOUT_S,
		.tick = apt->tick->tick,
		.tick_data = apt->tick->tick_data };
	return isc_run(&run, out, messages, error);
}

static gboolean is_fresh(const IscApt *apt, const gchar *sources)
{
	g_autofree gchar *stamp = g_build_filename(apt->folder, "stamp", NULL);
	g_autofree gchar *before = isc_file_read(AT_FDCWD, stamp, SOURCES_MAX, NULL, NULL);
	struct stat st;
	if (!before || !g_str_equal(before, sources) || stat(stamp, &st) < 0)
		return FALSE;
	gint64 age = g_get_real_time() / G_USEC_PER_SEC - st.st_mtime;
	return age >= 0 && age < FRESH_S;
}

static gboolean update(const IscApt *apt, const gchar *sources, GError **error)
{
	static const gchar *const argv[] = { "apt-get", "-q", "update", NULL };
	g_autofree gchar *messages = NULL;
	if (run_apt(apt, argv, NULL, &messages, error))
		return write_text(apt->folder, "stamp", sources, error);
	if (!error || !g_error_matches(*error, ISC_ERROR, ISC_ERROR_FAILED))
		return FALSE;
	gboolean no_suite = messages && strstr(messages, "does not have a Release file");
	(*error)->code = no_suite ? ISC_ERROR_NOT_FOUND : ISC_ERROR_HOST;
	g_prefix_error(error, "cannot fetch the package lists of '%s' from the host's mirrors: ",
			apt->suite);
	return FALSE;
}

/* The lists decide what can be installed: their names and bytes are the state. */
static gchar *state_of(const IscApt *apt, const gchar *sources)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(apt->lists, 0, NULL);
	const gchar *name;
	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_suffix(name, "Release"))
			g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, compare_strings);

	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	g_checksum_update(sum, (const guchar *)sources, -1);
	for (guint i = 0; i < names->len; i++) {
		g_autofree gchar *path =
				g_build_filename(apt->lists, g_ptr_array_index(names, i), NULL);
		isc_autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		gchar digest[65] = "";
		if (fd < 0 || !isc_file_sha256(fd, digest, NULL))
			continue;
		g_checksum_update(sum, (const guchar *)digest, 64);
	}
	return g_strdup(g_checksum_get_string(sum));
}

IscApt *isc_apt_open(const gchar *cache, const gchar *suite, gboolean fresh, const IscRun *tick,
		GError **error)
{
	g_autoptr(IscApt) apt = g_new0(IscApt, 1);
	apt->lock = -1;
	apt->tick = tick;
	apt->suite = g_strdup(suite);
	g_autofree gchar *name = g_strdup_printf("apt-%s", suite);
	apt->folder = g_build_filename(cache, name, NULL);
	apt->sources = g_build_filename(apt->folder, "etc/sources.list.d/isc.sources", NULL);
	apt->options = g_build_filename(apt->folder, "etc/options.conf", NULL);
	apt->lists = g_build_filename(apt->folder, "lists", NULL);
	if (!isc_run_has("apt-get", error) || !make_folders(apt, error) ||
			!take_lock(apt, tick, error))
		return NULL;

	g_autofree gchar *sources = host_sources(suite, error);
	g_autofree gchar *options = sources ? host_options(tick, error) : NULL;
	if (!options)
		return NULL;
	g_autofree gchar *config = config_text(apt, options);
	if (!write_text(apt->folder, "etc/sources.list.d/isc.sources", sources, error) ||
			!write_text(apt->folder, "etc/options.conf", options, error) ||
			!write_text(apt->folder, "etc/apt.conf", config, error) ||
			!write_text(apt->folder, "status", "", error))
		return NULL;
	if ((fresh || !is_fresh(apt, sources)) && !update(apt, sources, error))
		return NULL;
	apt->state = state_of(apt, sources);
	return g_steal_pointer(&apt);
}

/* --- packages --------------------------------------------------------------------- */

/* "E: Unable to locate package X", "E: Package 'X' has no installation candidate", "E: Version '1'
 * for 'X' was not found": the one of @packages that an error names. */
static gchar *blamed(const gchar *messages, const GPtrArray *packages)
{
	g_auto(GStrv) lines = g_strsplit(messages, "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		if (!g_str_has_prefix(lines[i], "E: "))
			continue;
		g_auto(GStrv) words = g_strsplit_set(lines[i], " '\"", -1);
		for (guint k = 0; k < packages->len; k++) {
			const gchar *package = g_ptr_array_index(packages, k);
			g_auto(GStrv) pair = g_strsplit(package, "=", 2);
			if (g_strv_contains((const gchar *const *)words, pair[0]))
				return g_strdup(package);
		}
	}
	return NULL;
}

static gchar *first_error(const gchar *messages)
{
	g_auto(GStrv) lines = g_strsplit(messages, "\n", -1);
	for (gsize i = 0; lines[i]; i++)
		if (g_str_has_prefix(lines[i], "E: "))
			return g_strdup(lines[i] + 3);
	return g_strdup("apt gives no reason");
}

/* "Inst NAME (VERSION ORIGIN [amd64])" → "NAME=VERSION" */
static GPtrArray *installed_by(const gchar *plan)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) lines = g_strsplit(plan, "\n", -1);
	for (gsize i = 0; lines[i]; i++) {
		if (!g_str_has_prefix(lines[i], "Inst "))
			continue;
		g_auto(GStrv) words = g_strsplit(lines[i], " ", 4);
		if (g_strv_length(words) >= 3 && words[2][0] == '(')
			g_ptr_array_add(list, g_strdup_printf("%s=%s", words[1], words[2] + 1));
	}
	g_ptr_array_sort(list, compare_strings);
	return list;
}

static gboolean run_with(const IscApt *apt, const gchar *const *head, const GPtrArray *packages,
		gchar **out, gchar **messages, GError **error)
{
	g_autoptr(GPtrArray) argv = g_ptr_array_new();
	for (; *head; head++)
		g_ptr_array_add(argv, (gpointer)*head);
	for (guint i = 0; i < packages->len; i++)
		g_ptr_array_add(argv, g_ptr_array_index(packages, i));
	g_ptr_array_add(argv, NULL);
	return run_apt(apt, (const gchar *const *)argv->pdata, out, messages, error);
}

GPtrArray *isc_apt_resolve(
		const IscApt *apt, const GPtrArray *packages, gchar **missing, GError **error)
{
	static const gchar *const head[] = { "apt-get", "-q", "--simulate", "install", NULL };
	g_autofree gchar *plan = NULL, *messages = NULL;
	g_autoptr(GError) failed = NULL;
	*missing = NULL;
	if (packages->len == 0)
		return g_ptr_array_new_with_free_func(g_free);
	if (run_with(apt, head, packages, &plan, &messages, &failed))
		return installed_by(plan);
	if (!g_error_matches(failed, ISC_ERROR, ISC_ERROR_FAILED)) {
		g_propagate_error(error, g_steal_pointer(&failed));
		return NULL;
	}
	*missing = blamed(messages, packages);
	g_autofree gchar *why = first_error(messages);
	g_set_error_literal(error, ISC_ERROR, ISC_ERROR_INVALID, why);
	return NULL;
}

gchar *isc_apt_show(const IscApt *apt, const GPtrArray *packages, GError **error)
{
	static const gchar *const head[] = { "apt-cache", "show", "--no-all-versions", NULL };
	gchar *out = NULL;
	if (packages->len == 0)
		return g_strdup("");
	return run_with(apt, head, packages, &out, NULL, error) ? out : NULL;
}

gchar *isc_apt_download(
		const IscApt *apt, const gchar *package, const gchar *folder, GError **error)
{
	g_autofree gchar *config = g_strdup_printf("APT_CONFIG=%s/etc/apt.conf", apt->folder);
	/* `download` writes into the current folder: env has a switch for that. */
	const gchar *argv[] = { "env", "-C", folder, config, "apt-get", "-q", "download", package,
		NULL };
	IscRun run = { .what = "apt-get download",
		.argv = argv,
		.timeout_s = APT_TIMEOUT_S,
		.tick = apt->tick->tick,
		.tick_data = apt->tick->tick_data };
	if (!isc_run(&run, NULL, NULL, error)) {
		if (error && g_error_matches(*error, ISC_ERROR, ISC_ERROR_FAILED))
			(*error)->code = ISC_ERROR_HOST;
		return NULL;
	}
	g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
	const gchar *name;
	while (dir && (name = g_dir_read_name(dir)))
		if (g_str_has_suffix(name, ".deb"))
			return g_build_filename(folder, name, NULL);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST, "apt-get download of '%s' left no file",
			package);
	return NULL;
}
