#include "daemon/tombstone.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "daemon/answer.h"
#include "daemon/copies.h"

#define MAX_BYTES (256 * 1024)

static gchar *path_of(const IscDock *dock, const gchar *uuid)
{
	g_autofree gchar *file = uuid ? g_strconcat(uuid, ".json", NULL) : NULL;
	return g_build_filename(dock->config->state_dir, "destroyed", file, NULL);
}

static IscJson *load(const gchar *path)
{
	g_autofree gchar *text = isc_file_read(AT_FDCWD, path, MAX_BYTES, NULL, NULL);
	return text ? json_tokener_parse(text) : NULL;
}

/* A destruction is never held up by its own record. */
static void save(IscDock *dock, const gchar *path, IscJson *root, gboolean sign)
{
	g_autoptr(GError) why = NULL;
	g_autofree gchar *text = g_strconcat(
			json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY), "\n", NULL);
	gboolean ok = sign ? isc_copies_write_signed(dock, path, text, "isc-dock tombstone", &why)
			   : isc_file_write(AT_FDCWD, path, text, strlen(text), 0600, &why);
	if (!ok)
		g_warning("tombstone: %s", why->message);
}

static void put(IscJson *root, const gchar *key, const gchar *text)
{
	json_object_object_add(root, key, json_object_new_string(text ? text : ""));
}

static gint64 now(void)
{
	return g_get_real_time() / G_USEC_PER_SEC;
}

void isc_tombstone_begin(IscDock *dock, const IscNode *node)
{
	g_autofree gchar *dir = path_of(dock, NULL);
	g_autofree gchar *path = path_of(dock, node->uuid);
	g_autoptr(GError) why = NULL;
	if (access(path, F_OK) == 0)
		return;
	if (!isc_file_mkdir(dir, 0700, &why)) {
		g_warning("tombstone: %s", why->message);
		return;
	}
	g_autoptr(IscJson) root = json_object_new_object();
	put(root, "name", node->spec->name);
	put(root, "uuid", node->uuid);
	put(root, "image", node->image_name);
	put(root, "version", node->image_version);
	put(root, "digest", node->digest);
	json_object_object_add(root, "created", json_object_new_int64(node->created));
	json_object_object_add(root, "shredded", json_object_new_array());
	save(dock, path, root, FALSE);
}

static gboolean has(json_object *list, const gchar *what)
{
	for (gsize i = 0; i < json_object_array_length(list); i++) {
		json_object *text = NULL;
		if (json_object_object_get_ex(json_object_array_get_idx(list, i), "what", &text) &&
				g_str_equal(json_object_get_string(text), what))
			return TRUE;
	}
	return FALSE;
}

void isc_tombstone_add(IscDock *dock, const gchar *uuid, const gchar *what)
{
	g_autofree gchar *path = path_of(dock, uuid);
	g_autoptr(IscJson) root = load(path);
	json_object *list = NULL;
	if (!json_object_object_get_ex(root, "shredded", &list) ||
			!json_object_is_type(list, json_type_array) || has(list, what))
		return;
	IscJson *one = json_object_new_object();
	put(one, "what", what);
	json_object_object_add(one, "time", json_object_new_int64(now()));
	json_object_array_add(list, one);
	save(dock, path, root, FALSE);
}

void isc_tombstone_end(IscDock *dock, const gchar *uuid, guint caller)
{
	g_autofree gchar *path = path_of(dock, uuid);
	g_autoptr(IscJson) root = load(path);
	if (!root)
		return;
	json_object_object_add(root, "destroyed", json_object_new_int64(now()));
	json_object_object_add(root, "caller", json_object_new_int64(caller));
	save(dock, path, root, TRUE);
}

static gchar **shredded_of(json_object *root)
{
	g_autoptr(GPtrArray) all = g_ptr_array_new();
	json_object *list = NULL, *text = NULL;
	if (json_object_object_get_ex(root, "shredded", &list) &&
			json_object_is_type(list, json_type_array))
		for (gsize i = 0; i < json_object_array_length(list); i++)
			if (json_object_object_get_ex(
					    json_object_array_get_idx(list, i), "what", &text))
				g_ptr_array_add(all, g_strdup(json_object_get_string(text)));
	g_ptr_array_add(all, NULL);
	return (gchar **)g_ptr_array_steal(all, NULL);
}

gchar **isc_tombstone_shredded(IscDock *dock, const gchar *uuid)
{
	g_autofree gchar *path = path_of(dock, uuid);
	g_autoptr(IscJson) root = load(path);
	return shredded_of(root);
}

/* --- list ---------------------------------------------------------------------------------- */

static gint64 number(json_object *root, const gchar *key)
{
	json_object *value = NULL;
	return json_object_object_get_ex(root, key, &value) ? json_object_get_int64(value) : 0;
}

static void put_json(gpointer root)
{
	json_object_put(root);
}

static gint newest_first(gconstpointer a, gconstpointer b)
{
	gint64 x = number(*(json_object *const *)a, "destroyed"),
	       y = number(*(json_object *const *)b, "destroyed");
	return (x < y) - (x > y);
}

static GVariant *row_of(json_object *root)
{
	static const gchar *const texts[] = { "name", "uuid", "image", "version", "digest" };
	GVariantBuilder b;
	json_object *value;
	g_auto(GStrv) shredded = shredded_of(root);
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
		if (json_object_object_get_ex(root, texts[i], &value))
			isc_answer_put(&b, texts[i],
					g_variant_new_string(json_object_get_string(value)));
	isc_answer_put(&b, "created", g_variant_new_int64(number(root, "created")));
	isc_answer_put(&b, "destroyed", g_variant_new_int64(number(root, "destroyed")));
	isc_answer_put(&b, "caller", g_variant_new_uint32((guint32)number(root, "caller")));
	isc_answer_put(&b, "shredded", g_variant_new_strv((const gchar *const *)shredded, -1));
	return g_variant_builder_end(&b);
}

GVariant *isc_tombstone_list(IscDock *dock)
{
	g_autofree gchar *path = path_of(dock, NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(put_json);
	const gchar *file;
	while (dir && (file = g_dir_read_name(dir))) {
		g_autofree gchar *full = g_build_filename(path, file, NULL);
		g_autoptr(IscJson) root = g_str_has_suffix(file, ".json") ? load(full) : NULL;
		if (number(root, "destroyed") > 0)
			g_ptr_array_add(all, g_steal_pointer(&root));
	}
	g_ptr_array_sort(all, newest_first);
	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < all->len; i++)
		g_variant_builder_add(&list, "@a{sv}", row_of(all->pdata[i]));
	return g_variant_builder_end(&list);
}
