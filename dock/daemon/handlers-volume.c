/* Persistent volumes. */
#include <fcntl.h>
#include <gio/gunixfdlist.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/name.h"
#include "daemon/answer.h"
#include "daemon/given.h"
#include "daemon/handlers.h"
#include "daemon/options.h"
#include "daemon/steps.h"
#include "daemon/volumes.h"
#include "engine/volume.h"

#define TEXT_MIN 8 /* bytes of a passphrase */
#define TEXT_MAX 512

/* --- what there is ------------------------------------------------------------------------- */

static void put_volume(GVariantBuilder *b, IscDock *dock, const IscVolume *v)
{
	g_autofree gchar *path = isc_steps_volume_path(dock, v->name);
	struct stat st = { 0 };
	gboolean there = stat(path, &st) == 0;
	isc_answer_put(b, "name", g_variant_new_string(v->name));
	isc_answer_put(b, "size", g_variant_new_uint64((guint64)v->mib * 1024 * 1024));
	isc_answer_put(b, "used", g_variant_new_uint64(there ? (guint64)st.st_blocks * 512 : 0));
	isc_answer_put(b, "node", g_variant_new_string(v->node));
	isc_answer_put(b, "path", g_variant_new_string(v->path));
	isc_answer_put(b, "created", g_variant_new_int64(v->created));
	isc_answer_put(b, "fresh", g_variant_new_boolean(v->fresh));
}

GVariant *isc_handle_list_volumes(IscCall *call, GError **error)
{
	g_autoptr(GArray) all = isc_register_list_volumes(call->dock->reg, error);
	if (!all)
		return NULL;
	GVariantBuilder list;
	g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
	for (guint i = 0; i < all->len; i++) {
		GVariantBuilder b;
		g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
		put_volume(&b, call->dock, &g_array_index(all, IscVolume, i));
		g_variant_builder_add(&list, "@a{sv}", g_variant_builder_end(&b));
	}
	return g_variant_new("(@aa{sv})", g_variant_builder_end(&list));
}

GVariant *isc_handle_show_volume(IscCall *call, GError **error)
{
	const gchar *name;
	IscVolume v;
	g_variant_get(call->params, "(&s)", &name);
	if (!isc_register_get_volume(call->dock->reg, name, &v, error))
		return NULL;
	g_autoptr(GError) why = NULL;
	g_autoptr(IscKey) key = isc_steps_volume_key(call->dock, name, &why);
	g_autofree gchar *path = isc_steps_volume_path(call->dock, name);
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	put_volume(&b, call->dock, &v);
	isc_answer_put(&b, "uuid", g_variant_new_string(v.uuid));
	isc_answer_put(&b, "file", g_variant_new_string(path));
	isc_answer_put(&b, "opens", g_variant_new_boolean(key != NULL));
	isc_answer_put(&b, "problem", g_variant_new_string(why ? why->message : ""));
	return isc_answer(&b);
}

/* --- verbs of a volume --------------------------------------------------------------------- */

static GVariant *run(IscCall *call, IscVolumeRequest *request, GVariant *options, GError **error)
{
	IscOptions o;
	if (!isc_options_parse(options, "dry-run timeout ", &o, error) ||
			!isc_name_check("volume", request->name, error))
		return NULL;
	request->caller = call->uid;
	request->dry_run = o.dry_run;
	g_auto(IscOutcome) out = { 0 };
	if (!isc_volumes_run(call->dock, request, &out, error))
		return NULL;

	GVariantBuilder b;
	IscVolume v;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	if (isc_register_get_volume(call->dock->reg, request->name, &v, NULL))
		put_volume(&b, call->dock, &v);
	else
		isc_answer_put(&b, "name", g_variant_new_string(request->name));
	isc_answer_put_outcome(&b, &out);
	return isc_answer(&b);
}

static gboolean check_size(guint32 mib, GError **error)
{
	g_autofree gchar *text = g_strdup_printf("%u", mib);
	guint same;
	return isc_volume_size_parse(text, &same, error);
}

static GVariant *sized(IscCall *call, IscVerb verb, GError **error)
{
	IscVolumeRequest request = { .verb = verb };
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&su@a{sv})", &request.name, &request.mib, &options);
	return check_size(request.mib, error) ? run(call, &request, options, error) : NULL;
}

GVariant *isc_handle_create_volume(IscCall *call, GError **error)
{
	return sized(call, ISC_VERB_VOLUME_CREATE, error);
}

GVariant *isc_handle_resize_volume(IscCall *call, GError **error)
{
	return sized(call, ISC_VERB_VOLUME_RESIZE, error);
}

static GVariant *plain(IscCall *call, IscVerb verb, GError **error)
{
	IscVolumeRequest request = { .verb = verb };
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&s@a{sv})", &request.name, &options);
	return run(call, &request, options, error);
}

GVariant *isc_handle_rekey_volume(IscCall *call, GError **error)
{
	return plain(call, ISC_VERB_VOLUME_REKEY, error);
}

GVariant *isc_handle_remove_volume(IscCall *call, GError **error)
{
	return plain(call, ISC_VERB_VOLUME_REMOVE, error);
}

/* --- export and import --------------------------------------------------------------------- */

static void free_secret(gchar *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	g_free(text);
}
typedef gchar Secret;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secret, free_secret)

/* The first line of the key file. */
static Secret *read_text(IscCall *call, gint32 handle, GError **error)
{
	gsize len;
	isc_autofd int fd = isc_given_fd(call->fds, handle, "key file", error);
	if (fd < 0)
		return NULL;
	(void)lseek(fd, 0, SEEK_SET); /* what cannot is none to be read either: no pipe, which might
					 never end */
	g_autoptr(Secret) text = isc_file_read_fd(fd, "key file", TEXT_MAX + 2, &len, error);
	if (!text)
		return NULL;
	text[strcspn(text, "\r\n")] = '\0';
	if (strlen(text) >= TEXT_MIN && strlen(text) <= TEXT_MAX && g_utf8_validate(text, -1, NULL))
		return g_steal_pointer(&text);
	g_set_error(error, ISC_ERROR, ISC_ERROR_INVALID,
			"the key file's first line has to be a passphrase of %d to %d bytes, UTF-8",
			TEXT_MIN, TEXT_MAX);
	return NULL;
}

GVariant *isc_handle_export_volume(IscCall *call, GError **error)
{
	const gchar *name;
	gint32 file, key;
	IscOptions o;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&shh@a{sv})", &name, &file, &key, &options);
	if (!isc_options_parse(options, "timeout ", &o, error) ||
			!isc_name_check("volume", name, error))
		return NULL;
	isc_autofd int fd = isc_given_fd(call->fds, file, "FILE", error);
	g_autoptr(Secret) text = fd >= 0 ? read_text(call, key, error) : NULL;
	struct stat st;
	if (!text || !isc_volumes_export(call->dock, name, fd, text, call->uid, error))
		return NULL;
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "name", g_variant_new_string(name));
	isc_answer_put(&b, "size",
			g_variant_new_uint64(
					fstat(fd, &st) == 0 ? (guint64)st.st_blocks * 512 : 0));
	return isc_answer(&b);
}

GVariant *isc_handle_import_volume(IscCall *call, GError **error)
{
	IscVolumeRequest request = { .verb = ISC_VERB_VOLUME_IMPORT };
	gint32 file, key;
	g_autoptr(GVariant) options = NULL;
	g_variant_get(call->params, "(&shh@a{sv})", &request.name, &file, &key, &options);
	isc_autofd int fd = isc_given_fd(call->fds, file, "FILE", error);
	g_autoptr(Secret) text = fd >= 0 ? read_text(call, key, error) : NULL;
	if (!text || !isc_volume_import_size(fd, &request.mib, error))
		return NULL;
	request.fd = fd;
	request.text = text;
	return run(call, &request, options, error);
}

/* --- verbs of its node --------------------------------------------------------------------- */

static gboolean is_dry_run(GVariant *options)
{
	gboolean dry = FALSE;
	(void)g_variant_lookup(options, "dry-run", "b", &dry);
	return dry;
}

/* A volume that is being attached or detached is taken as long as its node is. */
static GVariant *of_node(IscCall *call, IscVerb verb, const IscVolumeUse *use, const gchar *node,
		GVariant *options, GError **error)
{
	g_autoptr(IscSpec) dummy = isc_spec_parse("volume", "[Node]\nName=a\nImage=a\n", 22, error);
	g_auto(IscVolumesHeld) held = { 0 };
	if (!dummy || !isc_spec_add_volume(dummy, use, error) ||
			!isc_volumes_hold(call->dock, dummy, NULL, &held, error))
		return NULL;

	IscVolume v;
	if (!isc_register_get_volume(call->dock->reg, use->name, &v, error))
		return NULL;
	gboolean attach = verb == ISC_VERB_VOLUME_ATTACH;
	if (attach && *v.node) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
				"volume '%s' is in use by node '%s'; detach it there first",
				use->name, v.node);
		return NULL;
	}
	g_autoptr(IscNode) there = isc_register_get_node(call->dock->reg, node, error);
	if (!there || (attach && !isc_spec_add_volume(there->spec, use, error)))
		return NULL;
	g_free(call->name);
	call->name = g_strdup(node);
	g_autofree gchar *arg = isc_volume_use_print(use);
	IscRequest request = { .verb = verb, .volume = arg };
	GVariant *answer =
			isc_answer_verb(call, &request, "dry-run timeout ", options, NULL, error);
	/* A step that is taken back on the way does not stop the plan. */
	if (answer && !attach && isc_register_get_volume(call->dock->reg, use->name, &v, NULL) &&
			*v.node && !is_dry_run(options)) {
		g_variant_unref(g_variant_ref_sink(answer));
		g_set_error(error, ISC_ERROR, ISC_ERROR_FAILED,
				"volume '%s' could not be taken from node '%s'; see 'isc-vm events "
				"%s'",
				use->name, node, node);
		return NULL;
	}
	if (answer && !is_dry_run(options))
		isc_dock_event(call->dock, node, attach ? "volume.attached" : "volume.detached",
				"info", call->uid, "volume %s: %s %s at %s", use->name,
				attach ? "attached to" : "detached from", node, use->path);
	return answer;
}

GVariant *isc_handle_attach_volume(IscCall *call, GError **error)
{
	const gchar *name, *node, *path;
	g_autoptr(GVariant) options = NULL;
	IscVolumeUse use;
	g_variant_get(call->params, "(&s&s&s@a{sv})", &name, &node, &path, &options);
	g_autofree gchar *text = g_strjoin(":", name, path, NULL);
	if (!isc_name_check("volume", name, error) || !isc_name_check("node", node, error) ||
			!isc_volume_use_parse(text, &use, error))
		return NULL;
	use.size_mib = 0;
	return of_node(call, ISC_VERB_VOLUME_ATTACH, &use, node, options, error);
}

GVariant *isc_handle_detach_volume(IscCall *call, GError **error)
{
	const gchar *name;
	g_autoptr(GVariant) options = NULL;
	IscVolume v;
	IscVolumeUse use = { .size_mib = 0 };
	g_variant_get(call->params, "(&s@a{sv})", &name, &options);
	if (!isc_name_check("volume", name, error) ||
			!isc_register_get_volume(call->dock->reg, name, &v, error))
		return NULL;
	if (!*v.node) {
		g_set_error(error, ISC_ERROR, ISC_ERROR_STATE, "volume '%s' is attached to no node",
				name);
		return NULL;
	}
	g_strlcpy(use.name, v.name, sizeof(use.name));
	g_strlcpy(use.path, v.path, sizeof(use.path));
	return of_node(call, ISC_VERB_VOLUME_DETACH, &use, v.node, options, error);
}
