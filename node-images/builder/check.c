#include "builder/check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"

#define TIMEOUT_S 120
#define FINDINGS_MAX 200
#define TEXT_MAX 512
#define REPORT_MAX (1024 * 1024)

static const gchar *const names[ISC_N_FINDINGS] = { "required", "setuid", "device", "user", "exec",
	"service" };

const gchar *isc_finding_name(IscFindingKind kind)
{
	return names[kind];
}

/* --- the report ------------------------------------------------------------------- */

static void finding_free(IscFinding *finding)
{
	g_free(finding->text);
	g_free(finding);
}

IscReport *isc_report_new(void)
{
	IscReport *report = g_new0(IscReport, 1);
	report->findings = g_ptr_array_new_with_free_func((GDestroyNotify)finding_free);
	return report;
}

void isc_report_free(IscReport *report)
{
	if (!report)
		return;
	g_ptr_array_unref(report->findings);
	g_free(report);
}

static void add_text(IscReport *report, IscFindingKind kind, const gchar *text)
{
	IscFinding *finding = g_new0(IscFinding, 1);
	finding->kind = kind;
	finding->text = isc_text_escape(text, -1, TEXT_MAX / 4);
	g_ptr_array_add(report->findings, finding);
}

void isc_report_add(IscReport *report, IscFindingKind kind, const gchar *format, ...)
{
	va_list args;
	va_start(args, format);
	g_autofree gchar *text = g_strdup_vprintf(format, args);
	va_end(args);
	/* A root that is wrong throughout is as wrong as one with many findings. */
	if (report->findings->len < FINDINGS_MAX)
		add_text(report, kind, text);
}

gchar *isc_report_print(const IscReport *report)
{
	g_autoptr(IscJson) root = json_object_new_object();
	json_object *list = json_object_new_array();
	for (guint i = 0; i < report->findings->len; i++) {
		const IscFinding *finding = g_ptr_array_index(report->findings, i);
		json_object *object = json_object_new_object();
		json_object_object_add(
				object, "what", json_object_new_string(names[finding->kind]));
		json_object_object_add(object, "text", json_object_new_string(finding->text));
		json_object_array_add(list, object);
	}
	json_object_object_add(root, "format", json_object_new_int(1));
	json_object_object_add(root, "files", json_object_new_int64(report->files));
	json_object_object_add(root, "findings", list);
	return g_strconcat(
			json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN), "\n", NULL);
}

static gboolean take_finding(IscReport *report, json_object *object)
{
	json_object *what = NULL, *text = NULL;
	if (!json_object_is_type(object, json_type_object) ||
			json_object_object_length(object) != 2 ||
			!json_object_object_get_ex(object, "what", &what) ||
			!json_object_object_get_ex(object, "text", &text) ||
			!json_object_is_type(what, json_type_string) ||
			!json_object_is_type(text, json_type_string) ||
			json_object_get_string_len(text) > TEXT_MAX)
		return FALSE;
	for (gsize kind = 0; kind < ISC_N_FINDINGS; kind++)
		if (g_str_equal(names[kind], json_object_get_string(what))) {
			add_text(report, kind, json_object_get_string(text));
			return TRUE;
		}
	return FALSE;
}

static gboolean take_report(IscReport *report, json_object *root)
{
	json_object *format = NULL, *files = NULL, *findings = NULL;
	if (!json_object_is_type(root, json_type_object) || json_object_object_length(root) != 3 ||
			!json_object_object_get_ex(root, "format", &format) ||
			!json_object_object_get_ex(root, "files", &files) ||
			!json_object_object_get_ex(root, "findings", &findings) ||
			!json_object_is_type(format, json_type_int) ||
			json_object_get_int64(format) != 1 ||
			!json_object_is_type(files, json_type_int) ||
			json_object_get_int64(files) < 1 ||
			json_object_get_int64(files) > G_MAXINT32 ||
			!json_object_is_type(findings, json_type_array) ||
			json_object_array_length(findings) > FINDINGS_MAX)
		return FALSE;
	report->files = (guint)json_object_get_int64(files);
	for (gsize i = 0; i < json_object_array_length(findings); i++)
		if (!take_finding(report, json_object_array_get_idx(findings, i)))
			return FALSE;
	return TRUE;
}

IscReport *isc_report_parse(const gchar *text, gsize len, GError **error)
{
	g_autoptr(IscReport) report = isc_report_new();
	g_autoptr(IscJson) root = NULL;
	if (len > 0 && len <= REPORT_MAX && !memchr(text, '\0', len)) {
		json_tokener *tokener = json_tokener_new_ex(4);
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		root = json_tokener_parse_ex(tokener, text, (int)len);
		gsize end = json_tokener_get_parse_end(tokener);
		gboolean whole = json_tokener_get_error(tokener) == json_tokener_success &&
				 strspn(text + end, "\n") == len - end;
		json_tokener_free(tokener);
		if (whole && take_report(report, root))
			return g_steal_pointer(&report);
	}
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"isc-image-check gave no report that can be read");
	return NULL;
}

/* --- running it ------------------------------------------------------------------- */

typedef struct {
	const IscKernel *kernel;
	const gchar *scratch; /* folder for temporary files, ours alone */
} Box;

static gboolean limit(__rlimit_resource_t what, rlim_t n, GError **error)
{
	struct rlimit r = { n, n };
	return setrlimit(what, &r) == 0 ||
	       isc_error_set_errno(error, errno, "cannot set limits for isc-image-check");
}

static gboolean bind(const gchar *what, const gchar *where, GError **error)
{
	return mount(what, where, NULL, MS_BIND, NULL) == 0 ||
	       isc_error_set_errno(error, errno, "cannot bind '%s' to '%s'", what, where);
}

/* supermin copies the appliance's modules from /lib/modules, which a host without a kernel of its
 * own does not have: a layer over /usr/lib gives it one, in this mount namespace. */
static gboolean prepare(gpointer data, GError **error)
{
	const Box *box = data;
	g_autofree gchar *upper = g_build_filename(box->scratch, "lib/upper", NULL);
	g_autofree gchar *work = g_build_filename(box->scratch, "lib/work", NULL);
	g_autofree gchar *modules = g_build_filename(upper, "modules", NULL);
	g_autofree gchar *lower = g_build_filename(box->kernel->folder, "lib/modules", NULL);
	g_autofree gchar *mnt = g_build_filename(box->scratch, "lib", NULL);
	if (mkdir(mnt, 0755) < 0 || mount("tmpfs", mnt, "tmpfs", 0, "mode=0755") < 0)
		return isc_error_set_errno(error, errno, "cannot mount tmpfs on '%s'", mnt);
	if (access("/usr/lib/modules", F_OK) < 0) {
		g_autofree gchar *options = g_strdup_printf(
				"lowerdir=/usr/lib,upperdir=%s,workdir=%s", upper, work);
		if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0 || mkdir(modules, 0755) < 0 ||
				mount("overlay", "/usr/lib", "overlay", 0, options) < 0)
			return isc_error_set_errno(
					error, errno, "cannot lay a folder over '/usr/lib'");
	}
	if (!bind(lower, "/usr/lib/modules", error))
		return FALSE;
	return limit(RLIMIT_CORE, 0, error) && limit(RLIMIT_CPU, 2 * TIMEOUT_S, error) &&
	       limit(RLIMIT_NOFILE, 1024, error) &&
	       limit(RLIMIT_FSIZE, G_GUINT64_CONSTANT(8) << 30, error);
}

static gboolean judge(const gchar *text, guint *files, GError **error)
{
	g_autoptr(IscReport) report = isc_report_parse(text, strlen(text), error);
	if (!report) {
		/* Not the recipe's fault. */
		if (error && *error)
			(*error)->code = ISC_ERROR_FAILED;
		return FALSE;
	}
	*files = report->files;
	if (report->findings->len == 0)
		return TRUE;
	const IscFinding *first = g_ptr_array_index(report->findings, 0);
	g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
			"the finished root is not as it must be (%u findings): %s: %s",
			report->findings->len, names[first->kind], first->text);
	return FALSE;
}

gboolean isc_check_run(const gchar *program, const gchar *image, const IscKernel *kernel,
		const gchar *cache, const IscRun *tick, guint *files, GError **error)
{
	g_autofree gchar *appliance = g_build_filename(cache, "guestfs", NULL);
	if (!isc_file_mkdir(appliance, 0700, error))
		return FALSE;
	g_autofree gchar *scratch = g_strdup("/tmp/isc-image-check.XXXXXX");
	if (!g_mkdtemp(scratch))
		return isc_error_set_errno(error, errno, "cannot make a folder in /tmp");

	Box box = { .kernel = kernel, .scratch = scratch };
	g_autofree gchar *cachedir = g_strdup_printf("LIBGUESTFS_CACHEDIR=%s", appliance);
	g_autofree gchar *tmpdir = g_strdup_printf("TMPDIR=%s", scratch);
	g_autofree gchar *vmlinuz = g_strdup_printf("SUPERMIN_KERNEL=%s", kernel->vmlinuz);
	g_autofree gchar *version = g_strdup_printf("SUPERMIN_KERNEL_VERSION=%s", kernel->version);
	g_autofree gchar *modules = g_strdup_printf("SUPERMIN_MODULES=%s", kernel->modules);
	const gchar *env[] = { cachedir, tmpdir, vmlinuz, version, modules, NULL };
	const gchar *argv[] = { program, image, NULL };
	IscRun run = { .what = "isc-image-check",
		.argv = argv,
		.env = env,
		.prepare = prepare,
		.data = &box,
		.flags = ISC_RUN_BOX | ISC_RUN_NO_NET,
		.timeout_s = TIMEOUT_S,
		.tick = tick->tick,
		.tick_data = tick->tick_data };
	g_autofree gchar *text = NULL;
	gboolean ok = isc_run(&run, &text, NULL, error);
	if (!isc_file_remove_tree(scratch, NULL))
		g_debug("'%s' stays", scratch);
	if (ok)
		return judge(text, files, error);
	if (error && g_error_matches(*error, ISC_ERROR, ISC_ERROR_FAILED) &&
			strstr((*error)->message, "status 8"))
		(*error)->code = ISC_ERROR_HOST;
	g_prefix_error(error, "checking the root in libguestfs: ");
	return FALSE;
}

/* --- what passed before ----------------------------------------------------------- */

static void add_words(GChecksum *sum, const gchar *key, gchar *const *words)
{
	for (; words && *words; words++) {
		g_checksum_update(sum, (const guchar *)key, -1);
		/* With its NUL: "a", "b" is another list than "ab". */
		g_checksum_update(sum, (const guchar *)*words, (gssize)strlen(*words) + 1);
	}
}

/* All that isc-image-check looks at, and its version. */
static gchar *record_path(const gchar *cache, const IscImage *image)
{
	const IscImagePart *root = &image->parts[ISC_PART_ROOT];
	gchar *head[] = { (gchar *)"1 " ISC_VERSION, (gchar *)root->sha256, image->root_type,
		image->user, image->health ? image->health : (gchar *)"", NULL };
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	add_words(sum, "head", head);
	add_words(sum, "exec", image->exec);
	add_words(sum, "writable", image->writable);
	add_words(sum, "capability", image->capabilities);
	add_words(sum, "env", image->environment);
	return g_strdup_printf("%s/checked-%s.json", cache, g_checksum_get_string(sum));
}

gboolean isc_check_recall(const gchar *cache, const IscImage *image, guint *files)
{
	g_autofree gchar *path = record_path(cache, image);
	gsize len;
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, REPORT_MAX, &len, NULL);
	g_autoptr(IscReport) report = text ? isc_report_parse(text, len, NULL) : NULL;
	if (!report || report->findings->len > 0)
		return FALSE;
	*files = report->files;
	return TRUE;
}

void isc_check_remember(const gchar *cache, const IscImage *image, guint files)
{
	g_autofree gchar *path = record_path(cache, image);
	g_autoptr(IscReport) report = isc_report_new();
	report->files = files;
	g_autofree gchar *text = isc_report_print(report);
	if (!isc_file_write(AT_FDCWD, path, text, strlen(text), 0600, NULL))
		g_debug("'%s' is not kept", path);
}
