#include "builder/verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "builder/build.h"
#include "builder/imagedir.h"
#include "cli/output.h"
#include "cli/progress.h"

#define PUBLIC_MAX 4096

static void print_json(json_object *object)
{
	g_print("%s\n", json_object_to_json_string_ext(
					object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
								JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void put(json_object *object, const gchar *key, const gchar *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static json_object *new_list(gchar *const *list)
{
	json_object *array = json_object_new_array();
	for (; list && *list; list++)
		json_object_array_add(array, json_object_new_string(*list));
	return array;
}

/* --- build ------------------------------------------------------------------------ */

static void show_step(IscStepKind step, gpointer data)
{
	isc_progress_step(data, "", step + 1, ISC_N_STEPS, isc_step_text(step));
}

static void show_note(const gchar *text, gpointer data)
{
	(void)data;
	/* On a terminal: over the live line, which is drawn again by the next tick. */
	g_printerr("%sisc-image: %s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", text);
}

static void show_tick(gpointer data)
{
	isc_progress_tick(data);
}

static json_object *result_json(const IscBuildResult *r)
{
	json_object *object = json_object_new_object(), *sizes = json_object_new_object(),
		    *seconds = json_object_new_object();
	put(object, "name", r->name);
	put(object, "version", r->version);
	put(object, "digest", r->digest);
	put(object, "kernel_version", r->kernel_version);
	for (gsize i = 0; i < ISC_N_PARTS; i++)
		json_object_object_add(sizes, isc_part_name(i),
				json_object_new_int64((gint64)r->part_bytes[i]));
	json_object_object_add(object, "bytes", sizes);
	json_object_object_add(object, "packages", json_object_new_int((gint)r->packages));
	json_object_object_add(object, "files", json_object_new_int((gint)r->files));
	json_object_object_add(object, "setuid_stripped", new_list(r->stripped));
	put(object, "check", r->checked ? "passed" : "not checked");
	for (gsize i = 0; i < ISC_N_STEPS; i++) {
		g_autofree gchar *shown = g_strdup_printf("%.2f", r->seconds[i]);
		json_object_object_add(seconds, isc_step_name(i),
				json_object_new_double_s(r->seconds[i], shown));
	}
	json_object_object_add(object, "seconds", seconds);
	return object;
}

static void print_result(const IscBuildResult *r, const gchar *out)
{
	guint64 bytes = 0;
	gdouble seconds = 0;
	for (gsize i = 0; i < ISC_N_PARTS; i++)
		bytes += r->part_bytes[i];
	for (gsize i = 0; i < ISC_N_STEPS; i++)
		seconds += r->seconds[i];
	g_autofree gchar *size = isc_output_size(bytes);
	g_autofree gchar *root = isc_output_size(r->part_bytes[ISC_PART_ROOT]);
	g_print("%s %s\n  sha256:%s\n  %s: %s (root %s), %u packages, kernel %s, %s; %.1f s\n",
			r->name, r->version, r->digest, out, size, root, r->packages,
			r->kernel_version, r->checked ? "checked" : "not checked", seconds);
	for (gsize i = 0; r->stripped[i]; i++)
		g_print("  no longer setuid or setgid: %s\n", r->stripped[i]);
}

static gboolean cmd_build(gchar *const *words, const IscArgs *args, GError **error)
{
	if (!isc_args_has(args, "output")) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"where to? isc-image build %s -o FOLDER", words[0]);
		return FALSE;
	}
	IscProgressMode mode = isc_progress_mode(STDERR_FILENO, TRUE);
	g_autoptr(IscProgress) progress = isc_progress_new(STDERR_FILENO, mode);
	IscBuildOptions options = { .recipe = words[0],
		.out = isc_args_get(args, "output"),
		.key = isc_args_get(args, "key"),
		.fresh = isc_args_has(args, "no-cache"),
		.no_check = isc_args_has(args, "no-check"),
		.step = show_step,
		.note = show_note,
		.tick = show_tick,
		.data = progress };
	g_auto(IscBuildResult) result = { 0 };
	gboolean ok = isc_build(&options, &result, error);
	isc_progress_clear(progress);
	if (!ok)
		return FALSE;
	if (isc_args_has(args, "json")) {
		g_autoptr(IscJson) object = result_json(&result);
		print_json(object);
	} else {
		print_result(&result, options.out);
	}
	return TRUE;
}

/* --- inspect ---------------------------------------------------------------------- */

static void print_list(const gchar *title, gchar *const *list)
{
	for (gsize i = 0; list && list[i]; i++)
		g_print("%-13s %s\n", i ? "" : title, list[i]);
}

static gboolean cmd_inspect(gchar *const *words, const IscArgs *args, GError **error)
{
	g_autofree gchar *bytes = NULL;
	g_autoptr(IscImage) image = isc_imagedir_load(words[0], &bytes, NULL, error);
	if (!image)
		return FALSE;
	if (isc_args_has(args, "json")) {
		g_autoptr(IscJson) object = json_tokener_parse(bytes);
		put(object, "digest", image->digest);
		print_json(object);
		return TRUE;
	}
	g_autofree gchar *created = isc_output_time(image->created);
	gchar *command = g_strjoinv(" ", image->exec);
	const gchar *const rows[][2] = { { "name", image->name }, { "version", image->version },
		{ "digest", image->digest }, { "description", image->description },
		{ "suite", image->suite }, { "kernel", image->kernel_version }, { "date", created },
		{ "exec", command }, { "user", image->user },
		{ "health", image->health ? image->health : "-" }, { "profile", image->profile } };
	for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
		g_print("%-13s %s\n", rows[i][0], rows[i][1]);
	g_free(command);
	print_list("ports", image->ports);
	print_list("writable", image->writable);
	print_list("capabilities", image->capabilities);
	print_list("environment", image->environment);
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		g_autofree gchar *size = isc_output_size(image->parts[i].size);
		g_print("%-13s %s, %s\n", isc_part_name(i), image->parts[i].file, size);
	}
	return TRUE;
}

/* --- verify, sign, keygen --------------------------------------------------------- */

static gboolean load_key(const gchar *path, GArray *keys, GError **error)
{
	IscPublicKey key;
	gsize len;
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, PUBLIC_MAX, &len, error);
	if (!text)
		return FALSE;
	if (!isc_public_key_parse(text, len, &key, error)) {
		g_prefix_error(error, "'%s': ", path);
		return FALSE;
	}
	g_array_append_val(keys, key);
	return TRUE;
}

static gboolean cmd_verify(gchar *const *words, const IscArgs *args, GError **error)
{
	g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(IscPublicKey));
	gchar *const *paths = isc_args_list(args, "key");
	g_autofree gchar *secret = isc_publisher_key();
	g_autofree gchar *own = isc_publisher_public(secret);
	gchar *const usual[] = { own, NULL };
	for (gchar *const *p = *paths ? paths : usual; *p; p++)
		if (!load_key(*p, keys, error))
			return FALSE;
	g_autofree gchar *signer = NULL;
	g_autoptr(IscImage) image = isc_imagedir_verify(words[0],
			(const IscPublicKey *)(const void *)keys->data, keys->len, &signer, error);
	if (!image)
		return FALSE;
	if (isc_args_has(args, "json")) {
		g_autoptr(IscJson) object = json_object_new_object();
		put(object, "name", image->name);
		put(object, "version", image->version);
		put(object, "digest", image->digest);
		put(object, "key", signer);
		print_json(object);
		return TRUE;
	}
	g_print("%s %s sha256:%s: signed by %s, all files as signed\n", image->name, image->version,
			image->digest, signer);
	return TRUE;
}

static gboolean cmd_check(gchar *const *words, const IscArgs *args, GError **error)
{
	IscProgressMode mode = isc_progress_mode(STDERR_FILENO, FALSE);
	g_autoptr(IscProgress) progress = isc_progress_new(STDERR_FILENO, mode);
	IscBuildOptions options = { .tick = show_tick, .data = progress };
	guint files = 0;
	isc_progress_step(progress, "", 0, 0, isc_step_text(ISC_STEP_CHECK));
	gboolean ok = isc_build_check(words[0], &options, &files, error);
	isc_progress_clear(progress);
	if (ok && isc_args_has(args, "json"))
		g_print("{ \"check\": \"passed\", \"files\": %u }\n", files);
	else if (ok)
		g_print("%u files and folders, nothing found\n", files);
	return ok;
}

static gboolean cmd_sign(gchar *const *words, const IscArgs *args, GError **error)
{
	g_autofree gchar *usual = isc_publisher_key();
	const gchar *key = isc_args_get(args, "key");
	return isc_imagedir_sign(words[0], key ? key : usual, error);
}

static gboolean cmd_keygen(gchar *const *words, const IscArgs *args, GError **error)
{
	g_autofree gchar *usual = isc_publisher_key();
	const gchar *path = words[0] ? words[0] : usual;
	g_autofree gchar *public_path = isc_publisher_public(path);
	gboolean made;
	if (!isc_args_has(args, "if-missing") && access(path, F_OK) == 0) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"'%s' is there: images signed with it could not be verified any "
				"more",
				path);
		return FALSE;
	}
	if (!isc_publisher_ensure(path, &made, error))
		return FALSE;
	g_print("%s\n%s\n", path, public_path);
	return TRUE;
}

/* --- help ------------------------------------------------------------------------- */

static gboolean cmd_help(gchar *const *words, const IscArgs *args, GError **error)
{
	(void)args;
	if (!words[0]) {
		isc_verb_print_usage(stdout);
		return TRUE;
	}
	for (const IscVerb *v = isc_verbs; v->name; v++)
		if (g_str_equal(v->name, words[0])) {
			isc_verb_print_help(v);
			return TRUE;
		}
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "no verb '%s'", words[0]);
	return FALSE;
}

static gboolean cmd_version(gchar *const *words, const IscArgs *args, GError **error)
{
	(void)words;
	(void)args;
	(void)error;
	g_print("isc-image %s\n", ISC_VERSION);
	return TRUE;
}

/* clang-format off */
const IscOption isc_verb_common[] = {
	{ "json", 0,   ISC_OPT_FLAG, NULL, "print JSON" },
	{ "help", 'h', ISC_OPT_FLAG, NULL, "print this, do nothing" },
	{ NULL },
};

static const IscOption none[] = { { NULL } };
static const IscOption build_options[] = {
	{ "output",   'o', ISC_OPT_VALUE, "FOLDER", "where the image goes; an image that is there is replaced" },
	{ "key",      'k', ISC_OPT_VALUE, "FILE",   "secret key to sign with; else the publisher's, made if it is missing" },
	{ "no-cache", 0,   ISC_OPT_FLAG,  NULL,     "fetch and install everything anew" },
	{ "no-check", 0,   ISC_OPT_FLAG,  NULL,     "do not look at the finished root in libguestfs" },
	{ NULL },
};
static const IscOption verify_options[] = {
	{ "key", 'k', ISC_OPT_LIST, "PUB", "public key that is trusted; repeats; else the publisher's" },
	{ NULL },
};
static const IscOption sign_options[] = {
	{ "key", 'k', ISC_OPT_VALUE, "FILE", "secret key; else the publisher's" },
	{ NULL },
};
static const IscOption keygen_options[] = {
	{ "if-missing", 0, ISC_OPT_FLAG, NULL, "leave a key that is there alone" },
	{ NULL },
};

const IscVerb isc_verbs[] = {
	{ "build",   "DIR -o FOLDER", "build an image from the recipe in DIR",               1, 1, build_options,  cmd_build },
	{ "inspect", "DIR",           "show what an image says about itself",                1, 1, none,           cmd_inspect },
	{ "verify",  "DIR",           "check signature and digests of an image",             1, 1, verify_options, cmd_verify },
	{ "check",   "DIR",           "look at the root of an image in libguestfs",          1, 1, none,           cmd_check },
	{ "sign",    "DIR",           "sign an image",                                       1, 1, sign_options,   cmd_sign },
	{ "keygen",  "[PATH]",        "make a publisher's key pair: PATH and its .pub",      0, 1, keygen_options, cmd_keygen },
	{ "help",    "[VERB]",        "list the verbs, or explain one",                      0, 1, none,           cmd_help },
	{ "version", "",              "print the version (also --version)",                  0, 0, none,           cmd_version },
	{ NULL },
};
/* clang-format on */

void isc_verb_print_usage(FILE *to)
{
	fprintf(to, "usage: isc-image VERB …\n\n");
	for (const IscVerb *v = isc_verbs; v->name; v++)
		fprintf(to, "  %-8s %-14s %s\n", v->name, v->words, v->help);
	fprintf(to, "\n'isc-image help VERB' lists a verb's options; recipes: isc-image.conf(5)\n");
}

static void print_options(const IscOption *options)
{
	for (; options->name; options++) {
		g_autofree gchar *letter =
				options->letter ? g_strdup_printf("-%c, ", options->letter)
						: g_strdup("    ");
		g_autofree gchar *name = g_strdup_printf("%s--%s%s%s", letter, options->name,
				options->value ? " " : "", options->value ? options->value : "");
		g_print("  %-24s %s\n", name, options->help);
	}
}

void isc_verb_print_help(const IscVerb *verb)
{
	g_print("usage: isc-image %s %s\n%s\n\n", verb->name, verb->words, verb->help);
	print_options(verb->options);
	print_options(isc_verb_common);
}
