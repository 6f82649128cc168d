#include "model/copy.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/name.h"

#define FORMAT 2
#define TEXT_MAX (64 * 1024)
#define MISSING_MAX 64

static const gchar *const kinds[] = { "snapshot", "evidence" };

static void file_free(gpointer data)
{
	IscCopyFile *file = data;
	g_free(file->name);
	g_free(file);
}

IscCopy *isc_copy_new(IscCopyKind kind, const gchar *node, const gchar *name)
{
	IscCopy *copy = g_new0(IscCopy, 1);
	copy->kind = kind;
	copy->node = g_strdup(node);
	copy->name = g_strdup(name);
	copy->reason = g_strdup("");
	copy->files = g_ptr_array_new_with_free_func(file_free);
	copy->volumes = g_array_new(FALSE, TRUE, sizeof(IscCopyVolume));
	copy->missing = g_ptr_array_new_with_free_func(g_free);
	return copy;
}

void isc_copy_free(IscCopy *copy)
{
	if (!copy)
		return;
	g_free(copy->name);
	g_free(copy->node);
	g_free(copy->image_name);
	g_free(copy->image_version);
	g_free(copy->spec);
	g_free(copy->reason);
	g_ptr_array_unref(copy->files);
	g_array_unref(copy->volumes);
	g_ptr_array_unref(copy->missing);
	g_free(copy);
}

void isc_copy_add_file(IscCopy *copy, const gchar *name, guint64 size, const gchar *sha256)
{
	IscCopyFile *file = g_new0(IscCopyFile, 1);
	file->name = g_strdup(name);
	file->size = size;
	g_strlcpy(file->sha256, sha256, sizeof(file->sha256));
	g_ptr_array_add(copy->files, file);
}

const IscCopyFile *isc_copy_find_file(const IscCopy *copy, const gchar *name)
{
	for (guint i = 0; i < copy->files->len; i++) {
		const IscCopyFile *file = copy->files->pdata[i];
		if (g_str_equal(file->name, name))
			return file;
	}
	return NULL;
}

const IscCopyVolume *isc_copy_find_volume(const IscCopy *copy, const gchar *name)
{
	for (guint i = 0; i < copy->volumes->len; i++) {
		const IscCopyVolume *volume = &g_array_index(copy->volumes, IscCopyVolume, i);
		if (g_str_equal(volume->name, name))
			return volume;
	}
	return NULL;
}

const IscCopyVolume *isc_copy_find_volume_at(const IscCopy *copy, const gchar *path)
{
	for (guint i = 0; i < copy->volumes->len; i++) {
		const IscCopyVolume *volume = &g_array_index(copy->volumes, IscCopyVolume, i);
		if (g_str_equal(volume->path, path))
			return volume;
	}
	return NULL;
}

gboolean isc_copy_file_is_valid(const gchar *name)
{
	gsize n = name ? strlen(name) : 0;
	if (n < 1 || n > ISC_COPY_FILE_NAME_MAX || !g_ascii_islower(name[0]))
		return FALSE;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == n;
}

gboolean isc_copy_split(const gchar *text, gchar **node, gchar **name)
{
	g_auto(GStrv) parts = g_strsplit(text ? text : "", ".", 3);
	if (g_strv_length(parts) != 2 || !isc_name_is_valid(parts[0]) ||
			!isc_name_is_valid(parts[1]))
		return FALSE;
	if (node)
		*node = g_strdup(parts[0]);
	if (name)
		*name = g_strdup(parts[1]);
	return TRUE;
}

/* --- JSON ---------------------------------------------------------------------------------- */

static void put(IscJson *object, const gchar *key, const gchar *text)
{
	json_object_object_add(object, key, json_object_new_string(text ? text : ""));
}

static IscJson *print_volumes(const IscCopy *copy)
{
	IscJson *all = json_object_new_object();
	for (guint i = 0; i < copy->volumes->len; i++) {
		const IscCopyVolume *volume = &g_array_index(copy->volumes, IscCopyVolume, i);
		IscJson *one = json_object_new_object();
		put(one, "uuid", volume->uuid);
		put(one, "path", volume->path);
		put(one, "file", volume->file);
		json_object_object_add(one, "mib", json_object_new_int64(volume->mib));
		json_object_object_add(all, volume->name, one);
	}
	return all;
}

gchar *isc_copy_print(const IscCopy *copy)
{
	g_autoptr(IscJson) root = json_object_new_object();
	IscJson *files = json_object_new_object(), *missing = json_object_new_array();
	json_object_object_add(root, "format", json_object_new_int(FORMAT));
	put(root, "kind", kinds[copy->kind]);
	put(root, "name", copy->name);
	put(root, "node", copy->node);
	put(root, "uuid", copy->uuid);
	put(root, "image", copy->image_name);
	put(root, "version", copy->image_version);
	put(root, "digest", copy->digest);
	put(root, "spec", copy->spec);
	json_object_object_add(root, "taken", json_object_new_int64(copy->taken));
	json_object_object_add(root, "frozen", json_object_new_boolean(copy->frozen));
	put(root, "reason", copy->reason);
	for (guint i = 0; i < copy->files->len; i++) {
		const IscCopyFile *file = copy->files->pdata[i];
		IscJson *one = json_object_new_object();
		json_object_object_add(one, "size", json_object_new_uint64(file->size));
		put(one, "sha256", file->sha256);
		json_object_object_add(files, file->name, one);
	}
	json_object_object_add(root, "files", files);
	json_object_object_add(root, "volumes", print_volumes(copy));
	for (guint i = 0; i < copy->missing->len; i++)
		json_object_array_add(missing, json_object_new_string(copy->missing->pdata[i]));
	json_object_object_add(root, "missing", missing);
	const gchar *text = json_object_to_json_string_ext(
			root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	return g_strconcat(text, "\n", NULL);
}

/* The member @key of type @type, or NULL. */
static json_object *get(json_object *root, const gchar *key, json_type type)
{
	json_object *value = NULL;
	return json_object_object_get_ex(root, key, &value) && json_object_is_type(value, type)
			       ? value
			       : NULL;
}

/* A text without NUL. */
static const gchar *get_text(json_object *root, const gchar *key)
{
	json_object *value = get(root, key, json_type_string);
	const gchar *text = value ? json_object_get_string(value) : NULL;
	gsize len = text ? (gsize)json_object_get_string_len(value) : 0;
	return text && len <= TEXT_MAX && strlen(text) == len ? text : NULL;
}

static gboolean take_files(IscCopy *copy, json_object *files)
{
	if (!files || json_object_object_length(files) > ISC_COPY_FILES_MAX)
		return FALSE;
	json_object_object_foreach(files, name, one)
	{
		json_object *size = get(one, "size", json_type_int);
		const gchar *sha256 = get_text(one, "sha256");
		if (!isc_copy_file_is_valid(name) || json_object_object_length(one) != 2 || !size ||
				json_object_get_int64(size) < 0 || !isc_digest_is_valid(sha256))
			return FALSE;
		isc_copy_add_file(copy, name, json_object_get_uint64(size), sha256);
	}
	return TRUE;
}

/* Behind the files: each volume is one of them. */
static gboolean take_volumes(IscCopy *copy, json_object *volumes)
{
	if (!volumes || json_object_object_length(volumes) > ISC_VOLUMES_MAX)
		return FALSE;
	json_object_object_foreach(volumes, name, one)
	{
		json_object *mib = get(one, "mib", json_type_int);
		const gchar *uuid = get_text(one, "uuid"), *path = get_text(one, "path"),
			    *file = get_text(one, "file");
		IscCopyVolume volume = { .mib = 0 };
		IscVolumeUse use;
		if (json_object_object_length(one) != 4 || !mib || !uuid || !path || !file ||
				!g_uuid_string_is_valid(uuid) || !isc_copy_find_file(copy, file) ||
				json_object_get_int64(mib) < ISC_VOLUME_SIZE_MIN ||
				json_object_get_int64(mib) > ISC_VOLUME_SIZE_MAX)
			return FALSE;
		g_autofree gchar *text = g_strjoin(":", name, path, NULL);
		if (!isc_volume_use_parse(text, &use, NULL))
			return FALSE;
		volume.mib = (guint)json_object_get_int64(mib);
		g_strlcpy(volume.name, use.name, sizeof(volume.name));
		g_strlcpy(volume.path, use.path, sizeof(volume.path));
		g_strlcpy(volume.uuid, uuid, sizeof(volume.uuid));
		g_strlcpy(volume.file, file, sizeof(volume.file));
		g_array_append_val(copy->volumes, volume);
	}
	return TRUE;
}

static gboolean take_missing(IscCopy *copy, json_object *missing)
{
	if (!missing || json_object_array_length(missing) > MISSING_MAX)
		return FALSE;
	for (gsize i = 0; i < json_object_array_length(missing); i++) {
		json_object *text = json_object_array_get_idx(missing, i);
		if (!json_object_is_type(text, json_type_string))
			return FALSE;
		g_ptr_array_add(copy->missing, g_strdup(json_object_get_string(text)));
	}
	return TRUE;
}

static IscCopy *take(json_object *root)
{
	json_object *format = get(root, "format", json_type_int);
	json_object *taken = get(root, "taken", json_type_int);
	json_object *frozen = get(root, "frozen", json_type_boolean);
	const gchar *kind = get_text(root, "kind"), *name = get_text(root, "name"),
		    *node = get_text(root, "node"), *uuid = get_text(root, "uuid"),
		    *image = get_text(root, "image"), *version = get_text(root, "version"),
		    *digest = get_text(root, "digest"), *spec = get_text(root, "spec"),
		    *reason = get_text(root, "reason");
	gint64 version_of = format ? json_object_get_int64(format) : 0;
	int keys = version_of == 1 ? 14 : 15;
	if (version_of < 1 || version_of > FORMAT || json_object_object_length(root) != keys ||
			!taken || !frozen || !kind || !spec || !reason ||
			!isc_name_is_valid(name) || !isc_name_is_valid(node) || !uuid ||
			!g_uuid_string_is_valid(uuid) || !isc_name_is_valid(image) ||
			!isc_version_is_valid(version) || !isc_digest_is_valid(digest))
		return NULL;
	for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
		if (!g_str_equal(kinds[i], kind))
			continue;
		g_autoptr(IscCopy) copy = isc_copy_new((IscCopyKind)i, node, name);
		g_strlcpy(copy->uuid, uuid, sizeof(copy->uuid));
		g_strlcpy(copy->digest, digest, sizeof(copy->digest));
		copy->image_name = g_strdup(image);
		copy->image_version = g_strdup(version);
		copy->spec = g_strdup(spec);
		copy->taken = json_object_get_int64(taken);
		copy->frozen = json_object_get_boolean(frozen);
		g_free(copy->reason);
		copy->reason = g_strdup(reason);
		if (take_files(copy, get(root, "files", json_type_object)) &&
				(version_of == 1 ||
						take_volumes(copy,
								get(root, "volumes",
										json_type_object))) &&
				take_missing(copy, get(root, "missing", json_type_array)))
			return g_steal_pointer(&copy);
	}
	return NULL;
}

IscCopy *isc_copy_parse(const gchar *text, gsize len, GError **error)
{
	IscCopy *copy = NULL;
	if (len > 0 && len <= ISC_COPY_MANIFEST_MAX && !memchr(text, '\0', len)) {
		json_tokener *tokener = json_tokener_new_ex(6);
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		g_autoptr(IscJson) root = json_tokener_parse_ex(tokener, text, (int)len);
		gsize end = json_tokener_get_parse_end(tokener);
		if (json_tokener_get_error(tokener) == json_tokener_success &&
				strspn(text + end, "\n") == len - end &&
				json_object_is_type(root, json_type_object))
			copy = take(root);
		json_tokener_free(tokener);
	}
	if (!copy)
		g_set_error(error, ISC_ERROR, ISC_ERROR_VERIFY,
				ISC_COPY_MANIFEST " is none of a snapshot or of evidence");
	return copy;
}
