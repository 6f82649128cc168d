#include "model/image.h"

#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"
#include "model/health.h"

/* manifest.json, in this order:
 *   { "format": 1, "name": …, "version": …, "description": …, "suite": …, "architecture": …,
 *     "kernel_version": …, "root_type": …, "created": SECONDS,
 *     "parts": { "kernel": { "file": …, "sha256": …, "size": BYTES }, "initrd": …, "root": …,
 * "sbom": … }, "service": { "exec": […], "user": …, "ports": […], "writable": […], "capabilities":
 * […], "environment": […], "health": TEXT or null, "profile": … } } Whoever reads a manifest has
 * checked its signature first, but a publisher's key is no licence to reach into the dock: every
 * value ends up in a path, in XML, in rules or in the guest's argv. */

#define DEPTH_MAX 8
#define LIST_MAX 256
#define PART_SIZE_MAX (G_GINT64_CONSTANT(1) << 40) /* 1 TiB */
#define CREATED_MAX (G_GINT64_CONSTANT(1) << 40)

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static const gchar *const part_names[ISC_N_PARTS] = { "kernel", "initrd", "root", "sbom" };

const gchar *isc_part_name(IscPartKind kind)
{
	return part_names[kind];
}

IscImage *isc_image_new(void)
{
	return g_new0(IscImage, 1);
}

void isc_image_free(IscImage *image)
{
	if (!image)
		return;
	g_free(image->name);
	g_free(image->version);
	g_free(image->description);
	g_free(image->suite);
	g_free(image->architecture);
	g_free(image->kernel_version);
	g_free(image->root_type);
	for (gsize i = 0; i < ISC_N_PARTS; i++)
		g_free(image->parts[i].file);
	g_strfreev(image->exec);
	g_free(image->user);
	g_strfreev(image->ports);
	g_strfreev(image->writable);
	g_strfreev(image->capabilities);
	g_strfreev(image->environment);
	g_free(image->health);
	g_free(image->profile);
	g_free(image);
}

/* --- what each value may be --------------------------------------------------------- */

static gboolean is_made_of(const gchar *text, const gchar *first, const gchar *more, gsize max)
{
	gsize len = strspn(text, more);
	return *text && strchr(first, *text) && text[len] == '\0' && len <= max;
}

/* One line of at most @max bytes: no control characters, so that it can stand in a log or a title.
 */
static gboolean is_line(const gchar *text, gsize max)
{
	for (const gchar *p = text; *p; p = g_utf8_next_char(p))
		if (g_unichar_iscntrl(g_utf8_get_char(p)))
			return FALSE;
	return strlen(text) <= max;
}

static gboolean is_description(const gchar *text)
{
	return is_line(text, 256);
}

static gboolean is_suite(const gchar *text)
{
	return is_made_of(text, LOWER, LOWER DIGIT "-", 32);
}

static gboolean is_architecture(const gchar *text)
{
	return g_str_equal(text, "amd64");
}

static gboolean is_kernel_version(const gchar *text)
{
	return is_made_of(text, DIGIT, DIGIT LOWER UPPER ".+~_-", 64);
}

static gboolean is_root_type(const gchar *text)
{
	return g_str_equal(text, "squashfs") || g_str_equal(text, "erofs");
}

/* One without a port is resolved when the image is built. */
static gboolean is_health(const gchar *text)
{
	return isc_health_is_valid(text) && (isc_health_port(text) || !isc_health_path(text));
}

static gboolean is_profile(const gchar *text)
{
	return g_str_equal(text, "strict") || g_str_equal(text, "flexible");
}

static gboolean is_user(const gchar *text)
{
	return is_made_of(text, LOWER "_", LOWER DIGIT "_-", 32) && !g_str_equal(text, "root");
}

static gboolean is_file_name(const gchar *text)
{
	return is_made_of(text, LOWER DIGIT, LOWER DIGIT "._-", 64) &&
	       !g_str_equal(text, ISC_IMAGE_MANIFEST) && !g_str_equal(text, ISC_IMAGE_SIGNATURE);
}

static gboolean is_argument(const gchar *text)
{
	return is_line(text, 4096);
}

/* Absolute and in its simplest form: no empty, "." or ".." element, no slash at its end. */
static gboolean is_path(const gchar *text)
{
	if (text[0] != '/' || !text[1] || !is_line(text, 255))
		return FALSE;
	g_auto(GStrv) elements = g_strsplit(text + 1, "/", -1);
	for (gsize i = 0; elements[i]; i++)
		if (!*elements[i] || g_str_equal(elements[i], ".") ||
				g_str_equal(elements[i], ".."))
			return FALSE;
	return TRUE;
}

/* A port 1..65535 without leading zeros; *@end behind it. */
static guint port_of(const gchar *text, const gchar **end)
{
	gsize n = strspn(text, DIGIT);
	*end = text + n;
	if (n == 0 || n > 5 || *text == '0')
		return 0;
	guint64 port = g_ascii_strtoull(text, NULL, 10);
	return port <= 65535 ? (guint)port : 0;
}

static gboolean is_port(const gchar *text)
{
	const gchar *p;
	guint first = port_of(text, &p), last = first;
	if (*p == '-')
		last = port_of(p + 1, &p);
	return first && last >= first && (g_str_equal(p, "/tcp") || g_str_equal(p, "/udp"));
}

static gboolean is_capability(const gchar *text)
{
	return g_str_has_prefix(text, "cap_") && is_made_of(text + 4, LOWER, LOWER "_", 32);
}

static gboolean is_environment(const gchar *text)
{
	const gchar *equals = strchr(text, '=');
	if (!equals || !is_line(text, 4096))
		return FALSE;
	g_autofree gchar *key = g_strndup(text, (gsize)(equals - text));
	return isc_key_is_valid(key);
}

/* --- the tables that parse and print share ------------------------------------------ */

typedef struct {
	const gchar *key;
	gsize offset; /* of a gchar* or gchar** in IscImage */
	gboolean (*is_valid)(const gchar *text);
	const gchar *must; /* ends "KEY: must be …" */
} Field;

/* clang-format off */
#define FIELD(name) #name, G_STRUCT_OFFSET(IscImage, name)
static const Field head_fields[] = {
	{ FIELD(name),           isc_name_is_valid,    "a name: 1 to 31 of a-z, 0-9 and '-'" },
	{ FIELD(version),        isc_version_is_valid, "a version: 1 to 64 of A-Z, a-z, 0-9 and '.+~-'" },
	{ FIELD(description),    is_description,       "one line of at most 256 bytes" },
	{ FIELD(suite),          is_suite,             "a Debian suite such as bookworm" },
	{ FIELD(architecture),   is_architecture,      "amd64" },
	{ FIELD(kernel_version), is_kernel_version,    "a kernel version such as 6.1.0-37-cloud-amd64" },
	{ FIELD(root_type),      is_root_type,         "squashfs or erofs" },
};
static const Field exec_field = { FIELD(exec), is_argument, "an argument of at most 4096 bytes in one line" };
static const Field user_field = { FIELD(user), is_user, "a user name, and not root" };
static const Field list_fields[] = {
	{ FIELD(ports),        is_port,        "a port or range such as 80/tcp or 5000-5010/udp" },
	{ FIELD(writable),     is_path,        "an absolute path without '.', '..' or '//', and not /" },
	{ FIELD(capabilities), is_capability,  "a capability such as cap_net_bind_service" },
	{ FIELD(environment),  is_environment, "KEY=VALUE in one line" },
};
static const Field health_field = { FIELD(health), is_health, "tcp:PORT, http:PORT/path or exec:COMMAND, or null" };
static const Field profile_field = { FIELD(profile), is_profile, "strict or flexible" };
/* clang-format on */

static const gchar *const head_keys[] = { "format", "name", "version", "description", "suite",
	"architecture", "kernel_version", "root_type", "created", "parts", "service", NULL };
static const gchar *const part_keys[] = { "file", "sha256", "size", NULL };
static const gchar *const service_keys[] = { "exec", "user", "ports", "writable", "capabilities",
	"environment", "health", "profile", NULL };

/* --- parse -------------------------------------------------------------------------- */

static gboolean bad(GError **error, const gchar *key, const gchar *must)
{
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "image manifest: %s: must be %s", key,
			must);
	return FALSE;
}

/* @object is an object that has every one of @keys and no other. */
static gboolean check_keys(
		json_object *object, const gchar *where, const gchar *const *keys, GError **error)
{
	if (!json_object_is_type(object, json_type_object))
		return bad(error, where, "an object");
	json_object_object_foreach(object, key, value)
	{
		(void)value;
		if (g_strv_contains(keys, key))
			continue;
		g_autofree gchar *shown = isc_text_escape(key, -1, 64);
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
				"image manifest: %s: unknown key '%s'", where, shown);
		return FALSE;
	}
	for (; *keys; keys++) {
		if (json_object_object_get_ex(object, *keys, NULL))
			continue;
		g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID, "image manifest: %s: lacks '%s'",
				where, *keys);
		return FALSE;
	}
	return TRUE;
}

/* The string in @value, or NULL: no string, or a NUL within. */
static const gchar *string_of(json_object *value)
{
	if (!json_object_is_type(value, json_type_string))
		return NULL;
	const gchar *text = json_object_get_string(value);
	return strlen(text) == (size_t)json_object_get_string_len(value) ? text : NULL;
}

static gboolean take_string(
		IscImage *image, json_object *object, const Field *field, GError **error)
{
	const gchar *text = string_of(json_object_object_get(object, field->key));
	if (!text || !field->is_valid(text))
		return bad(error, field->key, field->must);
	G_STRUCT_MEMBER(gchar *, image, field->offset) = g_strdup(text);
	return TRUE;
}

static gboolean take_list(IscImage *image, json_object *object, const Field *field, GError **error)
{
	json_object *array = json_object_object_get(object, field->key);
	if (!json_object_is_type(array, json_type_array) ||
			json_object_array_length(array) > LIST_MAX)
		return bad(error, field->key, "a list of at most 256 strings");

	g_autoptr(GStrvBuilder) list = g_strv_builder_new();
	for (gsize i = 0; i < json_object_array_length(array); i++) {
		const gchar *text = string_of(json_object_array_get_idx(array, i));
		if (!text || !field->is_valid(text)) {
			g_autofree gchar *key =
					g_strdup_printf("%s[%" G_GSIZE_FORMAT "]", field->key, i);
			return bad(error, key, field->must);
		}
		g_strv_builder_add(list, text);
	}
	G_STRUCT_MEMBER(gchar **, image, field->offset) = g_strv_builder_end(list);
	return TRUE;
}

static gboolean take_int(json_object *object, const gchar *key, gint64 min, gint64 max, gint64 *out,
		GError **error)
{
	json_object *value = json_object_object_get(object, key);
	gint64 n = json_object_get_int64(value);
	if (!json_object_is_type(value, json_type_int) || n < min || n > max) {
		g_autofree gchar *must = g_strdup_printf("a number from %" G_GINT64_FORMAT
							 " to %" G_GINT64_FORMAT,
				min, max);
		return bad(error, key, must);
	}
	*out = n;
	return TRUE;
}

static gboolean take_parts(IscImage *image, json_object *parts, GError **error)
{
	static const gchar *const keys[] = { "kernel", "initrd", "root", "sbom", NULL };
	if (!check_keys(parts, "parts", keys, error))
		return FALSE;
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		json_object *object = json_object_object_get(parts, part_names[i]);
		IscImagePart *part = &image->parts[i];
		if (!check_keys(object, part_names[i], part_keys, error))
			return FALSE;

		const gchar *file = string_of(json_object_object_get(object, "file"));
		const gchar *sha256 = string_of(json_object_object_get(object, "sha256"));
		gint64 size;
		if (!file || !is_file_name(file))
			bad(error, "file", "a plain file name of a-z, 0-9 and '._-'");
		else if (!sha256 || !isc_digest_is_valid(sha256))
			bad(error, "sha256", "64 lower-case hex digits");
		else if (take_int(object, "size", 1, PART_SIZE_MAX, &size, error)) {
			part->file = g_strdup(file);
			part->size = (guint64)size;
			g_strlcpy(part->sha256, sha256, sizeof part->sha256);
		}
		if (!part->file) {
			g_prefix_error(error, "part '%s': ", part_names[i]);
			return FALSE;
		}
		for (gsize k = 0; k < i; k++)
			if (g_str_equal(image->parts[k].file, part->file))
				return bad(error, part_names[i], "a file of its own");
	}
	return TRUE;
}

static gboolean take_service(IscImage *image, json_object *service, GError **error)
{
	if (!check_keys(service, "service", service_keys, error) ||
			!take_list(image, service, &exec_field, error) ||
			!take_string(image, service, &user_field, error) ||
			!take_string(image, service, &profile_field, error))
		return FALSE;
	if (!image->exec[0] || !is_path(image->exec[0]))
		return bad(error, "exec", "an absolute path and its arguments");
	for (gsize i = 0; i < G_N_ELEMENTS(list_fields); i++)
		if (!take_list(image, service, &list_fields[i], error))
			return FALSE;
	if (!json_object_object_get(service, "health")) /* null */
		return TRUE;
	return take_string(image, service, &health_field, error);
}

static json_object *parse_json(const gchar *bytes, gsize len, GError **error)
{
	/* json-c takes a NUL for the end: what stands behind one would be signed, but not read. */
	if (len == 0 || len > ISC_IMAGE_MANIFEST_MAX || memchr(bytes, '\0', len)) {
		bad(error, "it", "text of 1 to 262144 bytes");
		return NULL;
	}
	json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	g_autoptr(IscJson) root = json_tokener_parse_ex(tokener, bytes, (int)len);
	enum json_tokener_error err = json_tokener_get_error(tokener);
	gsize end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	if (err == json_tokener_success && end == len)
		return g_steal_pointer(&root);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"image manifest: no JSON document at byte %" G_GSIZE_FORMAT ": %s", end,
			err == json_tokener_success ? "text behind its end"
						    : json_tokener_error_desc(err));
	return NULL;
}

IscImage *isc_image_parse(const gchar *bytes, gsize len, GError **error)
{
	g_autoptr(IscJson) root = parse_json(bytes, len, error);
	g_autoptr(IscImage) image = isc_image_new();
	gint64 format;
	if (!root || !check_keys(root, "manifest", head_keys, error) ||
			!take_int(root, "format", ISC_IMAGE_FORMAT, ISC_IMAGE_FORMAT, &format,
					error) ||
			!take_int(root, "created", 0, CREATED_MAX, &image->created, error))
		return NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(head_fields); i++)
		if (!take_string(image, root, &head_fields[i], error))
			return NULL;
	if (!take_parts(image, json_object_object_get(root, "parts"), error) ||
			!take_service(image, json_object_object_get(root, "service"), error))
		return NULL;

	struct sha256_ctx ctx;
	guint8 digest[SHA256_DIGEST_SIZE];
	sha256_init(&ctx);
	sha256_update(&ctx, len, (const guint8 *)bytes);
	sha256_digest(&ctx, sizeof digest, digest);
	base16_encode_update(image->digest, sizeof digest, digest);
	return g_steal_pointer(&image);
}

/* --- print -------------------------------------------------------------------------- */

static json_object *new_string(const gchar *text)
{
	return text ? json_object_new_string(text) : NULL;
}

static void put_string(json_object *object, const IscImage *image, const Field *field)
{
	json_object_object_add(object, field->key,
			new_string(G_STRUCT_MEMBER(gchar *, image, field->offset)));
}

static void put_list(json_object *object, const IscImage *image, const Field *field)
{
	gchar **list = G_STRUCT_MEMBER(gchar **, image, field->offset);
	json_object *array = json_object_new_array();
	for (gsize i = 0; list && list[i]; i++)
		json_object_array_add(array, json_object_new_string(list[i]));
	json_object_object_add(object, field->key, array);
}

gchar *isc_image_print(const IscImage *image)
{
	g_autoptr(IscJson) root = json_object_new_object();
	json_object_object_add(root, "format", json_object_new_int(ISC_IMAGE_FORMAT));
	for (gsize i = 0; i < G_N_ELEMENTS(head_fields); i++)
		put_string(root, image, &head_fields[i]);
	json_object_object_add(root, "created", json_object_new_int64(image->created));

	json_object *parts = json_object_new_object();
	json_object_object_add(root, "parts", parts);
	for (gsize i = 0; i < ISC_N_PARTS; i++) {
		json_object *part = json_object_new_object();
		json_object_object_add(parts, part_names[i], part);
		json_object_object_add(part, "file", new_string(image->parts[i].file));
		json_object_object_add(part, "sha256", new_string(image->parts[i].sha256));
		json_object_object_add(
				part, "size", json_object_new_int64((gint64)image->parts[i].size));
	}

	json_object *service = json_object_new_object();
	json_object_object_add(root, "service", service);
	put_list(service, image, &exec_field);
	put_string(service, image, &user_field);
	for (gsize i = 0; i < G_N_ELEMENTS(list_fields); i++)
		put_list(service, image, &list_fields[i]);
	put_string(service, image, &health_field);
	put_string(service, image, &profile_field);

	const gchar *text = json_object_to_json_string_ext(
			root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	return g_strconcat(text, "\n", NULL);
}
