/* The dock's own life: how it is, drained, torn down; and what was destroyed on it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "daemon/answer.h"
#include "daemon/drain.h"
#include "daemon/handlers.h"
#include "daemon/options.h"
#include "daemon/tombstone.h"
#include "engine/links.h"
#include "engine/vm-domain.h"

#define END_MS 300 /* for the answer to leave before the daemon does */

GVariant *isc_handle_list_destroyed(IscCall *call, GError **error)
{
	(void)error;
	return g_variant_new("(@aa{sv})", isc_tombstone_list(call->dock));
}

/* --- status -------------------------------------------------------------------------------- */

/* Bytes that a tree takes on disk; never follows a link. */
static guint64 size_of(int at, const gchar *name)
{
	isc_autofd int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int again = fd >= 0 ? dup(fd) : -1;
	g_autoptr(DIR) dir = again >= 0 ? fdopendir(again) : NULL;
	guint64 size = 0;
	struct dirent *e;
	while (dir && (e = readdir(dir))) {
		struct stat st;
		if (g_str_equal(e->d_name, ".") || g_str_equal(e->d_name, "..") ||
				fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		size += S_ISDIR(st.st_mode) ? size_of(fd, e->d_name) : (guint64)st.st_blocks * 512;
	}
	return size;
}

static GVariant *disk_use(IscDock *dock)
{
	static const gchar *const folders[] = { "images", "nodes", "evidence" };
	GVariantBuilder b;
	struct statvfs fs;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
		g_autofree gchar *path =
				g_build_filename(dock->config->state_dir, folders[i], NULL);
		isc_answer_put(&b, folders[i], g_variant_new_uint64(size_of(AT_FDCWD, path)));
	}
	if (statvfs(dock->config->state_dir, &fs) == 0)
		isc_answer_put(&b, "free",
				g_variant_new_uint64((guint64)fs.f_bavail * fs.f_frsize));
	return g_variant_builder_end(&b);
}

static GVariant *count_states(const GPtrArray *nodes)
{
	guint n[ISC_N_NODE_STATES] = { 0 };
	GVariantBuilder b;
	for (guint i = 0; i < nodes->len; i++)
		n[((const IscNode *)nodes->pdata[i])->state]++;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	for (guint i = 0; i < ISC_N_NODE_STATES; i++)
		if (n[i])
			isc_answer_put(&b, isc_node_state_name((IscNodeState)i),
					g_variant_new_uint32(n[i]));
	return g_variant_builder_end(&b);
}

static gchar *boundary_of(IscDock *dock)
{
	gboolean intact = FALSE;
	g_autofree gchar *what = NULL;
	g_autoptr(GError) why = NULL;
	if (!isc_firewall_is_intact(dock->firewall, &intact, &what, &why))
		return g_strdup(why->message);
	return intact ? g_strdup("in force") : g_steal_pointer(&what);
}

GVariant *isc_handle_dock_status(IscCall *call, GError **error)
{
	IscDock *dock = call->dock;
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, error);
	if (!nodes)
		return NULL;
	g_mutex_lock(&dock->lock);
	g_autofree gchar *state = dock->trouble ? g_strconcat("degraded: ", dock->trouble, NULL)
						: g_strdup("ok");
	g_mutex_unlock(&dock->lock);
	g_autofree gchar *boundary = boundary_of(dock);
	g_autofree gchar *address = isc_dock_outside_address(dock);
	g_autofree gchar *versions = isc_vm_versions(dock->vm);
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "state", g_variant_new_string(state));
	isc_answer_put(&b, "boundary", g_variant_new_string(boundary));
	isc_answer_put(&b, "draining", g_variant_new_boolean(isc_drain_is_on(dock)));
	isc_answer_put(&b, "accelerator", g_variant_new_string(isc_accel_name(dock->accel)));
	isc_answer_put(&b, "emulated", g_variant_new_boolean(dock->accel != ISC_ACCEL_KVM));
	isc_answer_put(&b, "address", g_variant_new_string(address));
	isc_answer_put(&b, "version", g_variant_new_string(ISC_VERSION));
	isc_answer_put(&b, "hypervisor", g_variant_new_string(versions));
	isc_answer_put(&b, "uptime",
			g_variant_new_int64(
					(g_get_monotonic_time() - dock->began) / G_USEC_PER_SEC));
	isc_answer_put(&b, "nodes", count_states(nodes));
	isc_answer_put(&b, "disk", disk_use(dock));
	return isc_answer(&b);
}

/* --- drain --------------------------------------------------------------------------------- */

GVariant *isc_handle_dock_drain(IscCall *call, GError **error)
{
	IscOptions o;
	g_autoptr(GVariant) options = g_variant_get_child_value(call->params, 0);
	if (!isc_options_parse(options, "dry-run timeout force ", &o, error))
		return NULL;
	return isc_drain(call, &o, error);
}

GVariant *isc_handle_dock_undrain(IscCall *call, GError **error)
{
	gboolean was = isc_drain_is_on(call->dock);
	if (!isc_drain_set(call->dock, FALSE, error))
		return NULL;
	if (was)
		isc_dock_event(call->dock, "", "dock.undrained", "info", call->uid,
				"nodes may be started again");
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "changed", g_variant_new_boolean(was));
	return isc_answer(&b);
}

/* --- teardown ------------------------------------------------------------------------------ */

static gboolean has_no_nodes(IscDock *dock, GError **error)
{
	g_autoptr(GPtrArray) nodes = isc_register_list_nodes(dock->reg, error);
	if (!nodes || nodes->len == 0)
		return nodes != NULL;
	g_autoptr(GString) names = g_string_new(NULL);
	for (guint i = 0; i < MIN(nodes->len, 5u); i++)
		g_string_append_printf(names, "%s%s", i ? ", " : "",
				((const IscNode *)nodes->pdata[i])->spec->name);
	g_set_error(error, ISC_ERROR, ISC_ERROR_STATE,
			"%u %s left on this dock (%s%s): destroy %s first", nodes->len,
			nodes->len == 1 ? "node is" : "nodes are", names->str,
			nodes->len > 5 ? ", …" : "", nodes->len == 1 ? "it" : "them");
	return FALSE;
}

static gboolean end(gpointer data)
{
	(void)data;
	raise(SIGTERM);
	return G_SOURCE_REMOVE;
}

/* The rules last: whatever else is left of the boundary, nothing passes it. */
static gboolean take_down(IscDock *dock, GError **error)
{
	g_autofree gchar *nodes = g_build_filename(dock->config->run_dir, "nodes", NULL);
	const IscBridge bridge = { .name = dock->config->plan.bridge };
	isc_firewall_watch_free(g_steal_pointer(&dock->watch));
	return isc_links_bridge_remove(&bridge, error) && isc_file_remove_tree(nodes, error) &&
	       isc_firewall_teardown(dock->firewall, error);
}

GVariant *isc_handle_dock_teardown(IscCall *call, GError **error)
{
	static const gchar *const plan[] = { "- bridge", "- run files", "- rules", "- isc-dockd",
		NULL };
	IscDock *dock = call->dock;
	IscOptions o;
	g_autoptr(GVariant) options = g_variant_get_child_value(call->params, 0);
	if (!isc_options_parse(options, "dry-run ", &o, error) || !has_no_nodes(dock, error))
		return NULL;
	if (!o.dry_run) {
		/* Who provisions now comes too late, and is told so. */
		if (!isc_drain_set(dock, TRUE, error))
			return NULL;
		g_mutex_lock(&dock->admission);
		gboolean ok = has_no_nodes(dock, error) && take_down(dock, error);
		g_mutex_unlock(&dock->admission);
		if (!isc_drain_set(dock, FALSE, ok ? error : NULL) || !ok)
			return NULL;
		isc_dock_event(dock, "", "dock.teardown", "warn", call->uid,
				"the dock is torn down: bridge, rules and run files are removed");
		g_timeout_add(END_MS, end, NULL);
	}
	GVariantBuilder b;
	g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
	isc_answer_put(&b, "plan", g_variant_new_strv(plan, -1));
	isc_answer_put(&b, "changed", g_variant_new_boolean(!o.dry_run));
	return isc_answer(&b);
}
