/* The steps of a node's own files: folders, image, what the guest is told. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "daemon/steps.h"
#include "model/health.h"

static gboolean give_to_node(const gchar *path, const IscNode *node, gboolean owner, GError **error)
{
	gid_t gid = (gid_t)isc_node_uid(node->slot);
	if (chown(path, owner ? gid : (uid_t)-1, gid) < 0)
		return isc_error_set_errno(error, errno, "cannot give '%s' to node '%s'", path,
				node->spec->name);
	return TRUE;
}

/* --- folder -------------------------------------------------------------------------------- */

/* Ours, and the node's group may pass through: QEMU reaches its own files and lists nothing. */
gboolean isc_step_folder_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *dir = isc_dock_node_dir(dock, node->spec->name);
	g_autofree gchar *snapshots = g_build_filename(dir, "snapshots", NULL);
	(void)arg, (void)cancel;
	return isc_file_mkdir(dir, 0710, error) && give_to_node(dir, node, FALSE, error) &&
	       isc_file_mkdir(snapshots, 0710, error) &&
	       give_to_node(snapshots, node, FALSE, error);
}

gboolean isc_step_folder_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *dir = isc_dock_node_dir(dock, node->spec->name);
	g_autofree gchar *run = isc_dock_node_run_dir(dock, node->spec->name);
	(void)arg, (void)cancel;
	return isc_file_remove_tree(run, error) && isc_file_remove_tree(dir, error);
}

/* --- image --------------------------------------------------------------------------------- */

static gboolean verify(IscDock *dock, const gchar *digest, GError **error)
{
	g_autoptr(IscTrust) trust = isc_trust_load(dock->config->trusted_dir, error);
	if (!trust)
		return FALSE;
	g_autoptr(IscImage) image =
			isc_image_store_verify(dock->images, digest, trust, NULL, error);
	return image != NULL;
}

typedef struct {
	IscDock *dock;
	gchar digest[65];
} Ahead;

/* Returns: (transfer full): GError, or NULL where the image is what was signed */
static gpointer verify_ahead(gpointer data)
{
	g_autofree Ahead *ahead = data;
	GError *why = NULL;
	if (!verify(ahead->dock, ahead->digest, &why) && !why)
		g_set_error_literal(&why, ISC_ERROR, ISC_ERROR_VERIFY, "the image does not hold");
	return why;
}

/* FALSE: nothing had been begun. */
static gboolean await_ahead(IscDock *dock, const gchar *name, GError **why)
{
	g_mutex_lock(&dock->lock);
	GThread *thread = g_steal_pointer(&isc_dock_run(dock, name)->verifying);
	g_mutex_unlock(&dock->lock);
	*why = thread ? g_thread_join(thread) : NULL;
	return thread != NULL;
}

gboolean isc_steps_verified(IscDock *dock, const IscNode *node, GError **error)
{
	g_autoptr(GError) why = NULL;
	if (!await_ahead(dock, node->spec->name, &why))
		return verify(dock, node->digest, error);
	if (!why)
		return TRUE;
	g_propagate_error(error, g_steal_pointer(&why));
	return FALSE;
}

void isc_steps_end_verifying(IscDock *dock, const gchar *name)
{
	g_autoptr(GError) why = NULL;
	(void)await_ahead(dock, name, &why);
}

gboolean isc_step_verify_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)cancel;
	if (g_strcmp0(arg, ISC_ARG_AHEAD) != 0)
		return verify(dock, node->digest, error);
	Ahead *ahead = g_new(Ahead, 1);
	ahead->dock = dock;
	g_strlcpy(ahead->digest, node->digest, sizeof(ahead->digest));
	isc_steps_end_verifying(dock, node->spec->name);
	GThread *thread = g_thread_new("verify", verify_ahead, ahead);
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&dock->lock);
	isc_dock_run(dock, node->spec->name)->verifying = thread;
	return TRUE;
}

/* --- what the guest is told ---------------------------------------------------------------- */

static void add_lines(GString *out, const gchar *key, const GPtrArray *values)
{
	for (guint i = 0; i < values->len; i++)
		g_string_append_printf(out, "%s=%s\n", key, (const gchar *)values->pdata[i]);
}

/* vdc, vdd, … in the order of the spec, as render() in steps-domain.c has them. */
static gboolean add_volumes(IscDock *dock, const IscNode *node, GString *out, GError **error)
{
	for (guint i = 0; i < node->spec->volumes->len; i++) {
		const IscVolumeUse *use = &g_array_index(node->spec->volumes, IscVolumeUse, i);
		IscVolume volume;
		if (!isc_steps_own_volume(dock, node, use->name, &volume, error))
			return FALSE;
		g_autofree gchar *serial = isc_steps_volume_serial(&volume);
		g_string_append_printf(out, "volume=vd%c %s %s %s\n", (gchar)('c' + i), serial,
				volume.fresh ? "fresh" : "used", use->path);
	}
	return TRUE;
}

/* Format: collector/wire.h.  In RUNDIR, which is memory: it may hold secrets. */
gboolean isc_step_config_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	g_autoptr(IscImage) image = isc_steps_image(dock, node, error);
	if (!image)
		return FALSE;
	g_autofree gchar *dir = isc_dock_node_run_dir(dock, node->spec->name);
	g_autofree gchar *path = isc_steps_config_path(dock, node);
	const IscPlace place = isc_node_place(&dock->config->plan, node);
	g_autofree gchar *address = isc_address_print(place.address);
	g_autofree gchar *mac = isc_node_mac_text(node->slot);
	g_autofree gchar *gateway = isc_address_print(place.gateway);
	g_auto(GStrv) uuid = g_strsplit(node->uuid, "-", -1);
	g_autofree gchar *machine_id = g_strjoinv("", uuid);

	g_autoptr(GString) text = g_string_new(NULL);
	g_string_append_printf(text,
			"node=%s\nhostname=%s\nmachine-id=%s\naddress=%s/"
			"%u\ngateway=%s\nmac=%s\nprofile=%s\n",
			node->spec->name, node->spec->name, machine_id, address, place.prefix,
			gateway, mac, image->profile);
	add_lines(text, "writable", node->spec->writable);
	add_lines(text, "env", node->spec->env);
	g_auto(GStrv) check = isc_health_command(node->spec->upkeep.health);
	for (gsize i = 0; check && check[i]; i++)
		g_string_append_printf(text, "check=%s\n", check[i]);

	gboolean ok = add_volumes(dock, node, text, error) && isc_file_mkdir(dir, 0710, error) &&
		      give_to_node(dir, node, FALSE, error) &&
		      isc_file_write(AT_FDCWD, path, text->str, text->len, 0400, error) &&
		      give_to_node(path, node, TRUE, error);
	explicit_bzero(text->str, text->len);
	return ok;
}

gboolean isc_step_config_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	g_autofree gchar *dir = isc_dock_node_run_dir(dock, node->spec->name);
	(void)arg, (void)cancel;
	return isc_file_remove_tree(dir, error);
}

gboolean isc_step_channels_up(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel;
	return isc_channels_open(dock->channels, node, error);
}

gboolean isc_step_channels_down(gpointer self, const IscNode *node, const gchar *arg,
		GCancellable *cancel, GError **error)
{
	IscDock *dock = self;
	(void)arg, (void)cancel, (void)error;
	isc_channels_close(dock->channels, node->spec->name);
	return TRUE;
}
