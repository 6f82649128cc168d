#include "builder/build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "builder/apt.h"
#include "builder/check.h"
#include "builder/finish.h"
#include "builder/imagedir.h"
#include "builder/initrd.h"
#include "builder/kernel.h"
#include "builder/outdir.h"
#include "builder/recipe.h"
#include "builder/root.h"
#include "builder/sbom.h"

/* clang-format off */
static const struct {
	const gchar *name, *text;
} steps[ISC_N_STEPS] = {
	[ISC_STEP_RECIPE] = { "recipe", "read the recipe" },
	[ISC_STEP_PACKAGES] = { "packages", "look for the packages" },
	[ISC_STEP_KERNEL] = { "kernel", "get the kernel" },
	[ISC_STEP_INSTALL] = { "install", "install the packages" },
	[ISC_STEP_RECIPE_FILES] = { "files", "copy files/, run build.sh" },
	[ISC_STEP_FINISH] = { "finish", "clean and check the root" },
	[ISC_STEP_PACK] = { "pack", "pack the root" },
	[ISC_STEP_INITRD] = { "initrd", "make the initrd" },
	[ISC_STEP_MANIFEST] = { "manifest", "list, sign" },
	[ISC_STEP_CHECK] = { "check", "look at the root in libguestfs" },
};
/* clang-format on */

/* One build under way. */
typedef struct {
	const IscBuildOptions *options;
	IscBuildResult *result;
	IscRun tick; /* only its tick is used */
	IscStepKind step;
	gint64 since; /* monotonic µs: when @step began */

	IscRecipe *recipe;
	IscOutDir *out;
	IscApt *apt;
	IscKernel *kernel;
	GPtrArray *resolved; /* "NAME=VERSION" */
	IscRootOptions root;
	IscFinish finish;
	gchar *cache, *tree, *key, *program_dir;
} Build;

const gchar *isc_step_name(IscStepKind step)
{
	return steps[step].name;
}

const gchar *isc_step_text(IscStepKind step)
{
	return steps[step].text;
}

void isc_build_result_clear(IscBuildResult *result)
{
	g_free(result->name);
	g_free(result->version);
	g_free(result->digest);
	g_free(result->kernel_version);
	g_free(result->signer);
	g_strfreev(result->stripped);
	memset(result, 0, sizeof *result);
}

static void build_clear(Build *b)
{
	g_clear_pointer(&b->out, isc_outdir_free);
	g_clear_pointer(&b->recipe, isc_recipe_free);
	g_clear_pointer(&b->apt, isc_apt_free);
	g_clear_pointer(&b->kernel, isc_kernel_free);
	g_clear_pointer(&b->resolved, g_ptr_array_unref);
	isc_finish_clear(&b->finish);
	g_free(b->cache);
	g_free(b->tree);
	g_free(b->key);
	g_free(b->program_dir);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Build, build_clear)

static void note(const Build *b, const gchar *format, ...) G_GNUC_PRINTF(2, 3);
static void note(const Build *b, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *text = g_strdup_vprintf(format, args);
	va_end(args);
	if (b->options->note)
		b->options->note(text, b->options->data);
}

/* --- the steps -------------------------------------------------------------------- */

static gchar *make_cache(GError **error)
{
	g_autofree gchar *cache = g_build_filename(g_get_user_cache_dir(), "isc-dock", NULL);
	if (g_mkdir_with_parents(cache, 0700) == 0)
		return g_steal_pointer(&cache);
	isc_error_set_errno(error, errno, "cannot make '%s'", cache);
	return NULL;
}

static gboolean step_recipe(Build *b, GError **error)
{
	static const gchar *const tools[] = { "mmdebstrap", "apt-get", "dpkg-deb", "depmod", "tar",
		"mkfs.erofs", "zstd" };
	b->recipe = isc_recipe_load(b->options->recipe, error);
	if (!b->recipe || !isc_root_check_files(b->options->recipe, error))
		return FALSE;
	if (geteuid() != 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
				"building an image needs root: it makes files of many owners");
		return FALSE;
	}
	for (gsize i = 0; i < G_N_ELEMENTS(tools); i++)
		if (!isc_run_has(tools[i], error))
			return FALSE;
	b->out = isc_outdir_open(b->options->out, error);
	if (!b->out)
		return FALSE;
	b->tree = g_build_filename(b->out->work, "root", NULL);
	b->cache = make_cache(error);
	if (!b->cache)
		return FALSE;

	gboolean made = FALSE;
	b->key = b->options->key ? g_strdup(b->options->key) : isc_publisher_key();
	if (b->options->key && access(b->key, R_OK) < 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_NOT_FOUND,
				"no key '%s': 'isc-image keygen %s' makes one", b->key, b->key);
		return FALSE;
	}
	if (!isc_publisher_ensure(b->key, &made, error))
		return FALSE;
	if (made) {
		g_autofree gchar *public_path = isc_publisher_public(b->key);
		note(b,
				"made a key pair to sign images with: %s; docks that trust it have "
				"%s in "
				"their trusted.d",
				b->key, public_path);
	}
	return TRUE;
}

static gboolean step_packages(Build *b, GError **error)
{
	g_autoptr(GError) wrong = NULL;
	g_autofree gchar *missing = NULL;
	b->apt = isc_apt_open(b->cache, b->recipe->suite, b->options->fresh, &b->tick, &wrong);
	if (!b->apt && g_error_matches(wrong, ISC_ERROR, ISC_ERROR_NOT_FOUND))
		return isc_recipe_error(
				b->recipe, "Image", "Suite", NULL, error, "%s", wrong->message);
	if (b->apt)
		b->resolved = isc_apt_resolve(b->apt, b->recipe->packages, &missing, &wrong);
	if (b->resolved)
		return TRUE;
	if (b->apt && g_error_matches(wrong, ISC_ERROR, ISC_ERROR_INVALID))
		return isc_recipe_error(b->recipe, "Image", "Packages", missing, error, "%s: %s",
				missing ? missing : "cannot be installed", wrong->message);
	g_propagate_error(error, g_steal_pointer(&wrong));
	return FALSE;
}

static gboolean step_kernel(Build *b, GError **error)
{
	b->kernel = isc_kernel_open(b->apt, b->cache, b->options->fresh, error);
	if (!b->kernel)
		return FALSE;
	/* Equal packages give equal images: the date is that of the kernel's package, not today's.
	 */
	const gchar *given = g_getenv("SOURCE_DATE_EPOCH");
	guint64 epoch;
	if (given && !g_ascii_string_to_unsigned(given, 10, 0, G_MAXUINT32, &epoch, NULL)) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"SOURCE_DATE_EPOCH=%s: must be seconds since 1970", given);
		return FALSE;
	}
	b->root = (IscRootOptions){ .cache = b->cache,
		.tree = b->tree,
		.epoch = given ? (gint64)epoch : b->kernel->built,
		.fresh = b->options->fresh,
		.tick = &b->tick };
	b->result->kernel_version = g_strdup(b->kernel->version);
	return TRUE;
}

static gboolean step_install(Build *b, GError **error)
{
	if (!isc_root_install(b->recipe, b->apt, &b->root, error))
		return FALSE;
	isc_apt_unlock(b->apt);
	return TRUE;
}

static gboolean step_files(Build *b, GError **error)
{
	return isc_root_add_files(b->options->recipe, &b->root, error) &&
	       isc_root_run_script(b->options->recipe, &b->root, error);
}

static gboolean step_finish(Build *b, GError **error)
{
	if (!isc_finish(b->recipe, b->tree, &b->tick, &b->finish, error))
		return FALSE;
	b->result->stripped = g_strdupv(b->finish.stripped);
	b->result->files = b->finish.files;
	return TRUE;
}

static gboolean step_pack(Build *b, GError **error)
{
	g_autofree gchar *path = g_build_filename(b->out->image, "root.erofs", NULL);
	return isc_root_pack(&b->root, path, error);
}

/* "NAME" lines; '#' begins a comment.  The root is an erofs: what reads the other format stays out.
 */
static gchar **wanted_modules(const Build *b)
{
	g_autofree gchar *built =
			g_build_filename(b->program_dir, "../node-images/init/MODULES", NULL);
	g_autofree gchar *installed =
			g_build_filename(b->program_dir, "../lib/isc-dock/MODULES", NULL);
	g_autofree gchar *text = isc_file_read(AT_FDCWD, built, 65536, NULL, NULL);
	if (!text)
		text = isc_file_read(AT_FDCWD, installed, 65536, NULL, NULL);
	if (!text)
		return g_strdupv((gchar **)isc_initrd_modules);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autoptr(GStrvBuilder) names = g_strv_builder_new();
	for (gsize i = 0; lines[i]; i++) {
		g_strstrip(lines[i]);
		if (*lines[i] && *lines[i] != '#' && !g_str_equal(lines[i], "squashfs"))
			g_strv_builder_add(names, lines[i]);
	}
	return g_strv_builder_end(names);
}

/* A program of ours: beside this one, else where `make install` puts those that nobody calls by
 * hand. */
static gchar *own_program(const Build *b, const gchar *name, GError **error)
{
	g_autofree gchar *beside = g_build_filename(b->program_dir, name, NULL);
	if (access(beside, R_OK) == 0)
		return g_steal_pointer(&beside);
	g_autofree gchar *installed =
			g_build_filename(b->program_dir, "../lib/isc-dock", name, NULL);
	if (access(installed, R_OK) == 0)
		return g_steal_pointer(&installed);
	g_set_error(error, ISC_ERROR, ISC_ERROR_HOST,
			"'%s' is missing: it is built and installed together with isc-image",
			beside);
	return NULL;
}

static gboolean step_initrd(Build *b, GError **error)
{
	g_autofree gchar *init = own_program(b, "isc-node-init", error);
	g_autofree gchar *path = g_build_filename(b->out->image, "initrd", NULL);
	g_autofree gchar *vmlinuz = g_build_filename(b->out->image, "vmlinuz", NULL);
	g_auto(GStrv) wanted = wanted_modules(b);
	if (!init || !isc_initrd_write(b->kernel, init, (const gchar *const *)wanted, path,
				     &b->tick, error))
		return FALSE;
	struct stat st;
	isc_autofd int from = open(b->kernel->vmlinuz, O_RDONLY | O_CLOEXEC);
	isc_autofd int to = open(vmlinuz, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return isc_error_set_errno(error, errno, "cannot copy the kernel");
	return isc_file_copy_sparse(from, to, st.st_size, error);
}

/* --- manifest --------------------------------------------------------------------- */

static gboolean write_sbom(Build *b, GError **error)
{
	g_autofree gchar *path = g_build_filename(b->out->image, "sbom.json", NULL);
	g_autoptr(GPtrArray) packages = isc_packages_new();
	/* Without a base nobody kept a package database: what apt resolved is what was unpacked. */
	g_autofree gchar *shown = b->recipe->base == ISC_BASE_NONE
						  ? isc_apt_show(b->apt, b->resolved, error)
						  : g_strdup(b->finish.status);
	if (!shown || !isc_packages_parse(packages, shown, error) ||
			!isc_packages_parse(packages, b->kernel->control, error))
		return FALSE;
	b->result->packages = packages->len;
	g_autofree gchar *text = isc_sbom_print(b->recipe->name, b->recipe->version,
			b->recipe->suite, b->root.epoch, packages);
	return isc_file_write(AT_FDCWD, path, text, strlen(text), 0644, error);
}

static gchar **to_strv(const GPtrArray *list)
{
	g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
	for (guint i = 0; i < list->len; i++)
		g_strv_builder_add(builder, g_ptr_array_index(list, i));
	return g_strv_builder_end(builder);
}

static gboolean fill_image(Build *b, IscImage *image, GError **error)
{
	static const gchar *const files[ISC_N_PARTS] = { [ISC_PART_KERNEL] = "vmlinuz",
		[ISC_PART_INITRD] = "initrd",
		[ISC_PART_ROOT] = "root.erofs",
		[ISC_PART_SBOM] = "sbom.json" };
	const IscRecipe *r = b->recipe;
	image->name = g_strdup(r->name);
	image->version = g_strdup(r->version);
	image->description = g_strdup(r->description);
	image->suite = g_strdup(r->suite);
	image->architecture = g_strdup("amd64");
	image->kernel_version = g_strdup(b->kernel->version);
	image->root_type = g_strdup("erofs");
	image->created = b->root.epoch;
	image->exec = g_strdupv(r->exec);
	image->user = g_strdup(r->user);
	image->ports = to_strv(r->ports);
	image->writable = to_strv(r->writable);
	image->capabilities = to_strv(r->capabilities);
	image->environment = to_strv(r->environment);
	image->health = g_strdup(r->health);
	image->profile = g_strdup(r->profile);
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		image->parts[i].file = g_strdup(files[i]);
		if (!isc_imagedir_measure(b->out->image, &image->parts[i], error))
			return FALSE;
		b->result->part_bytes[i] = image->parts[i].size;
	}
	return TRUE;
}

static gboolean step_manifest(Build *b, GError **error)
{
	g_autofree gchar *path = g_build_filename(b->out->image, ISC_IMAGE_MANIFEST, NULL);
	g_autoptr(IscImage) image = isc_image_new();
	if (!write_sbom(b, error) || !fill_image(b, image, error))
		return FALSE;
	g_autofree gchar *text = isc_image_print(image);
	/* What cannot be read back would be refused by every dock. */
	g_autoptr(IscImage) again = isc_image_parse(text, strlen(text), error);
	if (!again || !isc_file_write(AT_FDCWD, path, text, strlen(text), 0644, error) ||
			!isc_imagedir_sign(b->out->image, b->key, error))
		return FALSE;
	b->result->name = g_strdup(again->name);
	b->result->version = g_strdup(again->version);
	b->result->digest = g_strdup(again->digest);
	return TRUE;
}

static gboolean step_check(Build *b, GError **error)
{
	if (b->options->no_check) {
		note(b, "--no-check: the finished root was not looked at");
		return TRUE;
	}
	guint files = 0;
	g_autoptr(IscImage) image = isc_imagedir_load(b->out->image, NULL, NULL, error);
	if (!image)
		return FALSE;
	if (!b->options->fresh && isc_check_recall(b->cache, image, &files)) {
		note(b, "libguestfs found nothing in the very same root before");
		b->result->checked = TRUE;
		return TRUE;
	}
	g_autofree gchar *program = own_program(b, "isc-image-check", error);
	if (!program)
		return FALSE;
	if (!isc_check_run(program, b->out->image, b->kernel, b->cache, &b->tick, &files, error)) {
		if (error && g_error_matches(*error, ISC_ERROR, ISC_ERROR_HOST)) {
			g_autofree gchar *text = g_strdup_printf(
					"%s\n--no-check builds without it", (*error)->message);
			g_free((*error)->message);
			(*error)->message = g_steal_pointer(&text);
		}
		return FALSE;
	}
	isc_check_remember(b->cache, image, files);
	b->result->checked = TRUE;
	return TRUE;
}

/* --- all together ----------------------------------------------------------------- */

static gboolean (*const run_step[ISC_N_STEPS])(Build *b, GError **error) = {
	[ISC_STEP_RECIPE] = step_recipe,
	[ISC_STEP_PACKAGES] = step_packages,
	[ISC_STEP_KERNEL] = step_kernel,
	[ISC_STEP_INSTALL] = step_install,
	[ISC_STEP_RECIPE_FILES] = step_files,
	[ISC_STEP_FINISH] = step_finish,
	[ISC_STEP_PACK] = step_pack,
	[ISC_STEP_INITRD] = step_initrd,
	[ISC_STEP_MANIFEST] = step_manifest,
	[ISC_STEP_CHECK] = step_check,
};

static gboolean begin(Build *b, const IscBuildOptions *options, GError **error)
{
	g_autofree gchar *program = g_file_read_link("/proc/self/exe", error);
	if (!program)
		return FALSE;
	b->options = options;
	b->program_dir = g_path_get_dirname(program);
	b->tick.tick = options->tick;
	b->tick.tick_data = options->data;
	return TRUE;
}

gboolean isc_build_check(
		const gchar *dir, const IscBuildOptions *options, guint *files, GError **error)
{
	g_auto(Build) b = { 0 };
	g_autoptr(IscImage) image = isc_imagedir_load(dir, NULL, NULL, error);
	if (!image || !begin(&b, options, error))
		return FALSE;
	g_autofree gchar *program = own_program(&b, "isc-image-check", error);
	b.cache = program ? make_cache(error) : NULL;
	if (b.cache)
		b.apt = isc_apt_open(b.cache, image->suite, FALSE, &b.tick, error);
	if (b.apt)
		b.kernel = isc_kernel_open(b.apt, b.cache, FALSE, error);
	if (!b.kernel)
		return FALSE;
	isc_apt_unlock(b.apt);
	return isc_check_run(program, dir, b.kernel, b.cache, &b.tick, files, error);
}

gboolean isc_build(const IscBuildOptions *options, IscBuildResult *result, GError **error)
{
	g_auto(Build) b = { 0 };
	if (!begin(&b, options, error))
		return FALSE;
	b.result = result;
	for (b.step = 0; b.step < ISC_N_STEPS; b.step++) {
		gint64 since = g_get_monotonic_time();
		if (options->step)
			options->step(b.step, options->data);
		if (!run_step[b.step](&b, error))
			return FALSE;
		if (isc_run_interrupted()) {
			g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "interrupted");
			return FALSE;
		}
		result->seconds[b.step] = (gdouble)(g_get_monotonic_time() - since) / 1e6;
	}
	return isc_outdir_commit(b.out, error);
}
